"""Requests that fill the folder of a data set."""
