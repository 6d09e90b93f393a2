"""What goes between Blender and other programs: axes of files, clouds written, depths that files have, strips of videos."""
