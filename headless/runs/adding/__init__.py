"""Runs that add to a data set what a program asks for, view by view."""
