"""The Blender extension. It has no parts yet; what it will share with the engine, cameras and labels, is in `dnerf_core`."""
