"""Parts as Blender shows them: inputs of the clouds' node group, and the parts of meshes."""
