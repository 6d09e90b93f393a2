"""Point clouds of posed views with depth: back-projection, the cut of flying pixels, fusion on voxels."""
