""".blend files: cameras out of shots, views and clouds into scenes, by Blender as a module."""
