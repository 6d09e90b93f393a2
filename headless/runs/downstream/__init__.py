"""Runs of networks that learn from data sets, of what is compared with them, and of the sets that they are tested on."""
