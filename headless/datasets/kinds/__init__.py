"""Formats that a data set is written in beside its folder, a module each."""
