"""Data sets that segmenters learn from, whichever way they lie on the disk."""
