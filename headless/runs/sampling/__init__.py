"""Runs of `sample`: writing a folder to be painted, and choosing what to paint next."""
