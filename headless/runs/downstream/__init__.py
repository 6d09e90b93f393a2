"""Runs of networks that learn from data sets."""
