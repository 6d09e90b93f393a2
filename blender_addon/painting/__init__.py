"""Painted masks as Blender images: which file each belongs in, what of them is in no file yet, and how that is kept."""
