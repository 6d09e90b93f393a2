"""Data sets of labelled views: what a call plans, the job that writes it, and the lists of it."""
