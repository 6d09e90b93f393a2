"""The way to the worker process: standard library and numpy only, so that it runs in Blender's Python and in any other from 3.11 on."""
