"""A subject's surface as triangles: marching cubes over its density grid (Lewiner et al. 2003, by scikit-image)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import DNeRFError
from dnerf_core.mesh.options import needed

NEAREST_CUT = 1e-3
"""Nearest that a vertex lies to a node, as a share of the way to the next: float32 tells vertices on different edges apart."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles: `vertices` float64 [V, 3], world frame; `faces` int64 [F, 3], counterclockwise from outside."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def moved(self, step: NDArray[np.float64]) -> Surface:
        """The same, moved by a step [3], world units."""
        return Surface(self.vertices + step, self.faces)

    def edges(self) -> NDArray[np.int64]:
        """Each edge once, [E, 2], the lower vertex first."""
        ends = np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        return np.unique(ends, axis=0)

    def normals(self) -> NDArray[np.float64]:
        """Unit outward normals of the vertices [V, 3]: the mean of their faces' normals, by area; 0 where those cancel."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        across = np.cross(b - a, c - a)
        sums = np.stack(
            [np.bincount(self.faces.reshape(-1), np.repeat(across[:, k], 3), len(self.vertices)) for k in range(3)], axis=1
        )
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        normals: NDArray[np.float64] = np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)
        return normals

    def face_areas(self) -> NDArray[np.float64]:
        """[F], square world units."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        areas: NDArray[np.float64] = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
        return areas

    def is_closed(self) -> bool:
        """Whether every edge lies between exactly two faces that turn the same side out."""
        return is_closed(self.faces)


def is_closed(faces: NDArray[np.integer]) -> bool:
    """Whether every edge of faces [F, 3] lies between exactly two of them that turn the same side out; of no faces it is not so."""
    ends = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    if not len(ends):
        return False
    count = int(ends.max()) + 1
    there, back = np.sort(ends[:, 0] * count + ends[:, 1]), np.sort(ends[:, 1] * count + ends[:, 0])
    return bool((np.diff(there) > 0).all() and np.array_equal(there, back))


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
    measure = needed("skimage.measure", "scikit-image", "mesh")
    closed = np.full(values.shape, min(level - 1.0, float(values.min())), np.float32)
    inside = (slice(1, -1),) * 3
    closed[inside] = values[inside]
    if not (closed > level).any():
        raise DNeRFError(
            f"mesh: expected a raw density above {level:g} somewhere, found at most {float(closed.max()):.3g}; choose a lower level"
        )
    places, faces, _, _ = measure.marching_cubes(_off_level(closed, level), level, gradient_direction="descent")
    # node k stands at ((k - 1) + 0.5) / nodes of the side; turning [z, y, x] round mirrors the triangles
    vertices = ((places[:, ::-1].astype(np.float64) - 0.5) / nodes - 0.5) * side
    return Surface(vertices, faces.astype(np.int64))


def _off_level(values: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """The values, those next to the level moved off it, so that no vertex falls on a node.

    Vertices of different edges that fall on one node are one place twice: readers that merge places would find faces without area and
    edges of four faces.
    """
    steepest = np.zeros_like(values)
    for axis in range(3):
        step = np.abs(np.diff(values, axis=axis))
        before = (slice(None),) * axis + (slice(None, -1),)
        after = (slice(None),) * axis + (slice(1, None),)
        steepest[before] = np.maximum(steepest[before], step)
        steepest[after] = np.maximum(steepest[after], step)
    least = NEAREST_CUT * steepest
    above = values > level
    return np.where(above, np.maximum(values, level + least), np.minimum(values, level - least)).astype(np.float32)
