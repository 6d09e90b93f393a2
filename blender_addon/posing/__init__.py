"""Subjects that move: an armature's bones drive the joints of the model's body."""
