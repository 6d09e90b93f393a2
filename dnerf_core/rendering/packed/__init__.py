"""Planes and grids of a subject, packed for reading at millions of points on the way to a picture."""
