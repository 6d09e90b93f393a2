"""The list of rendered views: what is in it, their small pictures, and the Blender images that are made when they are shown."""
