"""Pieces of a surface, and fewer triangles for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import DNeRFError
from dnerf_core.mesh.options import needed
from dnerf_core.mesh.surface import Surface


def kept_pieces(surface: Surface, min_piece: float) -> Surface:
    """The connected pieces with at least a share of the largest one's area, all others left out.

    Args:
        min_piece: in [0, 1]; 1 keeps the largest alone, 0 all.

    Raises:
        UsageError: scipy is missing.
    """
    sparse, graph = needed("scipy.sparse", "scipy", "mesh"), needed("scipy.sparse.csgraph", "scipy", "mesh")
    ends, count = surface.edges(), len(surface.vertices)
    joined = sparse.coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (count, count))
    _, piece = graph.connected_components(joined, directed=False)
    piece_of_face: NDArray[np.int64] = piece[surface.faces[:, 0]]
    areas = np.bincount(piece_of_face, surface.face_areas(), int(piece.max()) + 1)
    kept = areas >= min_piece * areas.max()
    if min_piece == 1:  # of two that are as large, the first
        kept = np.arange(len(areas)) == areas.argmax()
    return without_loose_vertices(surface.vertices, surface.faces[kept[piece_of_face]])


def without_loose_vertices(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Surface:
    """The surface of those faces alone; vertices keep their order."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    number = np.cumsum(used) - 1
    return Surface(vertices[used], number[faces])


def decimated(surface: Surface, faces: int) -> tuple[Surface, NDArray[np.int64]]:
    """The surface with at most so many faces, and for each of its vertices the nearest vertex before, int64 [V'].

    Edges collapse where they cost the least (quadric error), and none that would change how the surface hangs together: what was closed
    stays closed. A surface of no more faces is given back as it is.

    Raises:
        UsageError: libigl or scipy is missing.
        DNeRFError: the surface cannot be told in so few faces, as each of its handles needs some.
    """
    if len(surface.faces) <= faces:
        return surface, np.arange(len(surface.vertices))
    igl, spatial = needed("igl", "libigl", "mesh"), needed("scipy.spatial", "scipy", "mesh")
    vertices, left, _, _ = igl.qslim(np.asfortranarray(surface.vertices), np.asfortranarray(surface.faces), int(faces))
    smaller = without_loose_vertices(np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(left, np.int64))
    if len(smaller.faces) > faces:
        raise DNeRFError(
            f"faces: expected a surface that {faces} triangles can tell, found one that needs {len(smaller.faces)}; choose more"
        )
    nearest: NDArray[np.int64] = spatial.cKDTree(surface.vertices).query(smaller.vertices)[1].astype(np.int64)
    return smaller, nearest
