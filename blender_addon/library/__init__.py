"""Subjects in Blender's asset browser: a cloud each, with a picture, that knows which subject it is of."""
