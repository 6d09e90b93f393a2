"""Rigged meshes of other programs, made into templates."""
