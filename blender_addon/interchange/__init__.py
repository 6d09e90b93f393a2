"""What leaves Blender for other programs, and comes back: axes of files, clouds, the edits that show videos."""
