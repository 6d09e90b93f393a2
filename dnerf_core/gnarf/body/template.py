"""A body's template: a mesh rigged by linear blend skinning, as data (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Template:
    """A triangle mesh with a skeleton, at rest: V vertices, F triangles, K joints, S directions of shape.

    Frame: y up, facing +z, +x is the body's left; lengths in template units (of people, metres). A pose is [K + 1, 3]: K axis-angle
    rotations (radians, in the rest frame's axes, relative to the parent; the root turns about its own joint), then a translation.

    Attributes:
        vertices: float32 [V, 3].
        faces: int32 [F, 3], counterclockwise seen from outside.
        joints: float32 [K, 3], where each bone begins.
        parents: int32 [K], -1 for the root, which comes first; every parent comes before its children.
        weights: float32 [V, K], rows sum to 1.
        names: K joint names.
        canonical_pose: float32 [K + 1, 3], in which the planes are laid out.
        shape_vertices, shape_joints: float32 [S, V, 3] and [S, K, 3], added to vertices and joints in proportion to S coefficients.
        part_names: labels of the body's parts, for people; empty: none are known.
        vertex_parts: uint8 [V], index into `part_names`; empty where there are none.
        licence: terms of use of the mesh and the rig, for people.
        source: where it comes from, for people.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    joints: NDArray[np.float32]
    parents: NDArray[np.int32]
    weights: NDArray[np.float32]
    names: tuple[str, ...]
    canonical_pose: NDArray[np.float32]
    shape_vertices: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    shape_joints: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    part_names: tuple[str, ...] = ()
    vertex_parts: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    licence: str = ""
    source: str = ""

    @property
    def num_joints(self) -> int:
        """K."""
        return len(self.joints)

    @property
    def num_shapes(self) -> int:
        """S."""
        return len(self.shape_vertices)
