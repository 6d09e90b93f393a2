"""Scores of models and folders: against painted masks, the exact truth, and views against each other."""
