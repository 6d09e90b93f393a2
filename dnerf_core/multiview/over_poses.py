"""3D consistency of label masks over poses, measured: do views of one subject in two poses say the same of the same place of its body?

A pixel's place in the world, by its depth, is told by the mesh that moves with the subject: the closest place of the mesh in that view's
pose (a triangle, shares of its corners), and the signed height over it along the interpolated normal. The same place and height over
the mesh as it lies in the other view is the pixel's place there, and counts where the other view's depth says that it is seen. Vertices
and faces are all that is asked of a body; how it moves is not.

Convention: OpenCV cameras with normalised intrinsics, pixel centres at +0.5, planar depth with +inf at background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import confusion_matrix
from dnerf_core.multiview.carrying import TOLERANCE_SHARE, seen_from
from dnerf_core.multiview.consistency import Agreement
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.shapes import check_shapes

HEIGHT_SHARE = 0.04
"""How far over the mesh a place may be, as a share of the mesh's longest side: 7 cm of a person. What is farther, such as a skirt between
the legs, does not follow the skin."""

MAX_PLACES = 8192
"""Pixels of a view that are carried; of more, so many evenly spread over the rows."""


@dataclass(frozen=True, eq=False)
class SurfacePlaces:
    """Pixels of a view and where they are on the subject's mesh, whatever its pose.

    Attributes:
        pixel: int64 [N], flat indices.
        corners: int32 [N, 3], vertices of the triangles.
        shares: float32 [N, 3], of the corners.
        height: float32 [N], over the mesh along the interpolated normal, world units.
        carried: pixels that were looked at; of some of them no place of the mesh is near, or it faces away.
    """

    pixel: NDArray[np.int64]
    corners: NDArray[np.int32]
    shares: NDArray[np.float32]
    height: NDArray[np.float32]
    carried: int


@dataclass(frozen=True, eq=False)
class BodyView:
    """A view with the mesh of its subject as it lies there.

    Attributes:
        view: with a mask.
        vertices, normals: float32 [V, 3], world frame; normals are the triangles' by area, of length 1.
        places: of its pixels.
    """

    view: LabeledView
    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    places: SurfacePlaces

    @classmethod
    def make(cls, view: LabeledView, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> BodyView:
        """Of a view, and a mesh float32 [V, 3] and int32 [F, 3], faces counterclockwise seen from outside.

        Raises:
            UsageError: an index of a vertex that is not there.
        """
        check_shapes(vertices=(vertices, "float32 V 3"), faces=(faces, "int32 F 3"))
        if faces.min(initial=0) < 0 or faces.max(initial=-1) >= len(vertices):
            raise UsageError(f"faces: expected vertices 0 to {len(vertices) - 1}, found {faces.max()}; pass those of this mesh")
        normals = vertex_normals(vertices, faces)
        return cls(view, vertices, normals, _places(view, vertices, normals, faces))

    @property
    def longest_side(self) -> float:
        """Of the box round the mesh, world units."""
        return float(np.ptp(self.vertices, axis=0).max())

    @property
    def nbytes(self) -> int:
        """Of its arrays."""
        arrays = (self.view.depth_planar, self.view.label_ids(), self.vertices, self.normals, *vars(self.places).values())
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def pose_agreement(view: BodyView, other: BodyView, num_classes: int) -> Agreement:
    """The labels of one view carried over to another pose of the same subject; see the module.

    A place counts where the mesh faces the other camera, and its depth there is the place's to `TOLERANCE_SHARE` of the longest side of
    the mesh in that pose. `Agreement.object_pixels` are the pixels that were looked at.

    Args:
        num_classes: with background.

    Raises:
        UsageError: meshes of different numbers of vertices, or a view without a mask.
        AnnotationError: a mask has an id that is neither a class nor 255.
    """
    if len(view.vertices) != len(other.vertices):
        raise UsageError(
            f"vertices: expected those of one mesh, found {len(view.vertices)} and {len(other.vertices)}; compare one subject's views"
        )
    places = view.places
    foot, normal = _on_mesh(places.corners, places.shares, other.vertices, other.normals)
    points = foot + places.height[:, None] * normal
    facing = np.flatnonzero(_faces_camera(points, normal, other.view.camera))
    tolerance = TOLERANCE_SHARE * other.longest_side
    here, there = seen_from(other.view.camera, other.view.depth_planar, points[facing], tolerance)
    row = view.view.label_ids().reshape(-1)[places.pixel[facing[here]]]
    column = other.view.label_ids().reshape(-1)[there]
    known = (row != IGNORE_ID) & (column != IGNORE_ID)
    return Agreement(confusion_matrix(row[known], column[known], num_classes), places.carried)


def vertex_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Unit normals [V, 3] of a mesh, the sums of the adjacent triangles' by area; 0 where no triangle is."""
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    across = np.cross(b - a, c - a)
    corners = faces.T.reshape(-1)
    total = np.stack([np.bincount(corners, np.tile(across[:, axis], 3), len(vertices)) for axis in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0).astype(np.float32)


def _places(
    view: LabeledView, vertices: NDArray[np.float32], normals: NDArray[np.float32], faces: NDArray[np.int32]
) -> SurfacePlaces:
    from dnerf_core.mesh.closest import closest_places

    depth = view.depth_planar
    pixel = np.flatnonzero(np.isfinite(depth))
    if len(pixel) > MAX_PLACES:
        pixel = pixel[np.linspace(0, len(pixel) - 1, MAX_PLACES).astype(np.int64)]
    carried = len(pixel)
    uv = pixel_centers_uv((depth.shape[1], depth.shape[0])).reshape(-1, 2)[pixel]
    points = view.camera.unproject(uv, depth.reshape(-1)[pixel])
    found = closest_places(vertices, faces, points, HEIGHT_SHARE * float(np.ptp(vertices, axis=0).max()))
    corners = faces[found.face]
    foot, normal = _on_mesh(corners, found.shares, vertices, normals)
    keep = (found.face >= 0) & _faces_camera(points, normal, view.camera)
    height = ((points - foot) * normal).sum(axis=1).astype(np.float32)
    return SurfacePlaces(pixel[keep], corners[keep], found.shares[keep], height[keep], carried)


def _on_mesh(
    corners: NDArray[np.int32], shares: NDArray[np.float32], vertices: NDArray[np.float32], normals: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places [N, 3] of a mesh and the normals there, interpolated, of length 1 (0 where they cancel out)."""
    foot, normal = (np.einsum("nk,nkc->nc", shares, values[corners]).astype(np.float64) for values in (vertices, normals))
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return foot, np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


def _faces_camera(points: NDArray[np.float64], normal: NDArray[np.float64], camera: Camera) -> NDArray[np.bool_]:
    """Which places [N] show their outer side."""
    facing: NDArray[np.bool_] = ((camera.position - points) * normal).sum(axis=1) > 0
    return facing
