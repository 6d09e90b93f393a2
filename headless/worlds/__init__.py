"""Exact worlds written as data sets and clouds."""
