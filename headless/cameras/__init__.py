"""Cameras that a call takes from files: read, turned to the model's world, and held against what the model can show."""
