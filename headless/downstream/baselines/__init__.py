"""Data sets that baselines make, and segmenters trained on them as on any other."""
