"""Files that the user brings: chosen in the file browser, dropped onto Blender, or named by a script. Nothing of them is executed."""
