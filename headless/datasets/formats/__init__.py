"""Formats that a data set is written in beside its folder: a registry, a module each, and the data card."""
