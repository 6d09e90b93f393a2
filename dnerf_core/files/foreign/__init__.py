"""Clouds and meshes that other programs wrote, read for their points, and written again with a label at each."""
