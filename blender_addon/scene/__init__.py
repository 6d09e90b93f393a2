"""Blender's data in and out: cameras, pictures, masks and clouds, without operators, windows or the engine. Also under pip's bpy."""
