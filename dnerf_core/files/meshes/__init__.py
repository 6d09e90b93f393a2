"""The files of a mesh: PLY, OBJ, GLB, and the arrays that they are written from."""
