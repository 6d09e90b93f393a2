"""Labels of anyone's pictures, videos, clouds and meshes by a trained network: what is asked for, and how each kind is done."""
