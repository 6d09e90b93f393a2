"""Panels: the side panel "DatasetNeRF" of the 3D view, and its painting part in the Image Editor. CLASSES a module."""
