"""Masks that anyone predicted, what they are held against, and how they compare."""
