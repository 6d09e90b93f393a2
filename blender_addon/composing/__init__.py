"""The subject in the artist's scene: Blender renders the scene, the worker lays the subject into it."""
