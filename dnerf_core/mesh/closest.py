"""The closest places of a triangle mesh to points, by NVIDIA Warp's mesh queries on the CPU. Importing this imports warp and torch."""

# mypy: disable-error-code="valid-type, no-untyped-def"

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.mesh.warp_started import warp as wp
from dnerf_core.shapes import check_shapes

_ONE_AT_A_TIME = threading.Lock()
"""Kernels are compiled at their first launch; a launch takes milliseconds."""


@wp.kernel
def _closest(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    farthest: float,
    face: wp.array(dtype=wp.int32),
    share: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], farthest)
    if query.result:
        face[i] = query.face
        share[i] = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
    else:
        face[i] = -1


@dataclass(frozen=True, eq=False)
class ClosestPlaces:
    """Of N points: int32 [N] the triangle each is closest to, -1 where none is near; float32 [N, 3] shares of its corners."""

    face: NDArray[np.int32]
    shares: NDArray[np.float32]


def closest_places(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], points: NDArray[np.floating], farthest: float
) -> ClosestPlaces:
    """The closest place of a mesh to each point.

    Args:
        vertices, faces: float32 [V, 3] and int32 [F, 3], indices below V.
        points: [N, 3], of the vertices' frame.
        farthest: how far a place may be from its point, of the vertices' unit.
    """
    check_shapes(vertices=(vertices, "float32 V 3"), faces=(faces, "int32 F 3"), points=(points, "float N 3"))
    face, shares = np.full(len(points), -1, np.int32), np.zeros((len(points), 3), np.float32)
    if not len(points):
        return ClosestPlaces(face, shares)
    with _ONE_AT_A_TIME:
        mesh = wp.Mesh(
            points=wp.array(np.ascontiguousarray(vertices), dtype=wp.vec3, device="cpu"),
            indices=wp.array(np.ascontiguousarray(faces).reshape(-1), dtype=wp.int32, device="cpu"),
        )
        found, share = (wp.array(array, dtype=kind, device="cpu") for array, kind in ((face, wp.int32), (shares, wp.vec3)))
        places = wp.array(np.ascontiguousarray(points, dtype=np.float32), dtype=wp.vec3, device="cpu")
        wp.launch(_closest, dim=len(points), inputs=[mesh.id, places, farthest, found, share], device="cpu")
        return ClosestPlaces(found.numpy().copy(), share.numpy().copy())
