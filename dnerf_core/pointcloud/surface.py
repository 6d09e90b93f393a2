"""A subject's surface as triangles: marching cubes over its density grid (Lewiner et al. 2003, by scikit-image)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import DNeRFError, UsageError

if TYPE_CHECKING:
    from trimesh import Trimesh

MESH_NODES = 128
"""Nodes an axis of the grid that a mesh is made from."""

MAX_NODES = 512
"""Nodes an axis at most: 0.5 GB of densities, and a minute on two cores."""

SURFACE_DENSITY = 10.0
"""Raw density at a mesh's surface where none is given: the level of EG3D's published `gen_samples.py`."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles: `vertices` float64 [V, 3], world frame; `faces` int64 [F, 3], counterclockwise from outside."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def textured(self, rgb: NDArray[np.uint8], labels: NDArray[np.uint8] | None, names: Sequence[str] | None) -> Trimesh:
        """With a colour uint8 [V, 3] and perhaps a label uint8 [V] a vertex; `names` of the labels by id."""
        import trimesh

        mesh = trimesh.Trimesh(self.vertices, self.faces, vertex_colors=rgb, process=False)
        if labels is not None:
            mesh.vertex_attributes["label"] = labels
            mesh.metadata["labels"] = list(names or ())
        return mesh


def check_mesh(nodes: int, level: float) -> int:
    """The number of nodes, if a mesh can be made of so many at that level.

    Raises:
        UsageError: either is out of range.
    """
    if not 8 <= nodes <= MAX_NODES:
        raise UsageError(f"nodes: expected 8 to {MAX_NODES} an axis, found {nodes}; choose another number")
    if not math.isfinite(level):
        raise UsageError(f"level: expected a finite raw density, found {level}; the usual one is {SURFACE_DENSITY:g}")
    return nodes


def marched_surface(values: NDArray[np.floating], nodes: int, side: float, level: float) -> Surface:
    """The surface at which a grid's values pass a level, from below outside to above inside.

    Convention: as `dnerf_core.rendering.density_grid`: nodes at the centres of `nodes`^3 cells that fill a box of `side` round the
    origin, [z, y, x], and a ring of nodes outside. Nothing outside the box counts, so that the surface is closed there.

    Args:
        values: [nodes + 2, nodes + 2, nodes + 2].

    Raises:
        UsageError: scikit-image is missing.
        DNeRFError: nothing passes the level.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError:
        raise UsageError(
            "mesh: expected the package scikit-image, found none; install it: pip install 'datasetnerf[mesh]'"
        ) from None
    closed = np.full(values.shape, min(level - 1.0, float(values.min())), np.float32)
    inside = (slice(1, -1),) * 3
    closed[inside] = values[inside]
    if not (closed > level).any():
        raise DNeRFError(
            f"mesh: expected a raw density above {level:g} somewhere, found at most {float(closed.max()):.3g}; choose a lower level"
        )
    places, faces, _, _ = marching_cubes(closed, level, gradient_direction="descent")
    # node k stands at ((k - 1) + 0.5) / nodes of the side; turning [z, y, x] round mirrors the triangles
    vertices = ((places[:, ::-1].astype(np.float64) - 0.5) / nodes - 0.5) * side
    return Surface(vertices, faces.astype(np.int64))
