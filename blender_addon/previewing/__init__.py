"""The live preview without Blender: whose turn it is, and where a picture is drawn."""
