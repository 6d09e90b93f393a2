"""Subjects in an artist's scene: Blender's pictures of the scene from the same cameras, and the subject laid into them."""
