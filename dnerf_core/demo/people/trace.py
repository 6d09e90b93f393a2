"""Exact pictures of the demo's people, by rays against the posed mesh.

Convention: cameras are cam2world with OpenCV axes (x right, y down, z forward); intrinsics are normalised by the image size;
pixels are row-major with centres at (i + 0.5) / size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnerf_core.demo.people.world import People, Spots, body_tensors, vertex_normals
from dnerf_core.demo.trace import TruthView, truth_rays, view_of_rays
from dnerf_core.mesh.warp_started import warp as wp
from dnerf_core.shapes import check_shapes

_FAR = 1e6


@wp.kernel
def _meet(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    directions: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    distance: wp.array(dtype=wp.float32),  # type: ignore[valid-type]
    face: wp.array(dtype=wp.int32),  # type: ignore[valid-type]
    uv: wp.array(dtype=wp.vec2),  # type: ignore[valid-type]
) -> None:
    i = wp.tid()
    met = wp.mesh_query_ray(mesh, origins[i], directions[i], _FAR)
    if met.result:
        distance[i] = met.t
        face[i] = met.face
        uv[i] = wp.vec2(met.u, met.v)
    else:
        face[i] = -1


class PosedMesh:
    """A mesh of vertices float32 [V, 3] and faces [F, 3], ready to be met by rays."""

    def __init__(self, vertices: Tensor, faces: Tensor) -> None:
        self._mesh: Any = wp.Mesh(
            points=wp.array(vertices.contiguous().numpy(), dtype=wp.vec3, device="cpu"),
            indices=wp.array(faces.reshape(-1).int().numpy(), dtype=wp.int32, device="cpu"),
        )

    def meet(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First meeting of rays [N, 3] of unit direction.

        Returns:
            distance [N], +inf where it misses; triangle int64 [N], -1 where it misses; barycentric weights [N, 3] of its corners.
        """
        count = len(origins)
        distance, face = np.full(count, np.inf, np.float32), np.zeros(count, np.int32)
        uv = np.zeros((count, 2), np.float32)
        rays = [wp.array(value.contiguous().numpy(), dtype=wp.vec3, device="cpu", copy=False) for value in (origins, directions)]
        out = [
            wp.array(value, dtype=kind, device="cpu", copy=False)
            for value, kind in ((distance, wp.float32), (face, wp.int32), (uv, wp.vec2))
        ]
        wp.launch(_meet, dim=count, inputs=[self._mesh.id, *rays, *out], device="cpu")
        two = torch.from_numpy(uv)
        return (
            torch.from_numpy(distance),
            torch.from_numpy(face).long(),
            torch.cat([two, 1 - two.sum(dim=1, keepdim=True)], dim=1),
        )


def render_people(
    people: People,
    pose: Tensor,
    cam2world: Tensor,
    intrinsics: Tensor,
    size_px: int,
    *,
    samples_per_pixel: int = 4,
    crop: tuple[int, int, int, int] | None = None,
) -> TruthView:
    """Render each person in a pose from a camera.

    Args:
        people: B people.
        pose: [B, K + 1, 3].
        cam2world: [B, 4, 4], OpenCV axes, metres.
        intrinsics: [B, 3, 3], normalised by the image size.
        size_px: height and width of the full image.
        samples_per_pixel: colour rays a pixel, a square number: 1 is the pixel centre, 4 a regular 2 x 2 grid.
        crop: (top, left, height, width) in pixels of the full image: render this part alone, as it is in the full image.

    Returns:
        the pictures, H = W = size_px or the crop's height and width; normals are the mesh's own, smooth over its vertices.

    Raises:
        UsageError: samples_per_pixel is not a square number, or the numbers of poses or cameras are not the number of people.
    """
    each = f"pass one camera for each of the {len(people)} people"
    check_shapes(cam2world=(cam2world, f"{len(people)} 4 4", each), intrinsics=(intrinsics, f"{len(people)} 3 3", each))
    box = crop if crop is not None else (0, 0, size_px, size_px)
    _, _, height, width = box
    origins, directions, cosine = truth_rays(cam2world, intrinsics, size_px, samples_per_pixel, box)
    vertices = people.posed_vertices(pose)
    normals = vertex_normals(vertices, body_tensors().faces)
    rgb, normal = torch.ones_like(directions), torch.zeros_like(directions)
    mask = torch.zeros(directions.shape[:2], dtype=torch.uint8)
    distance = torch.full(directions.shape[:2], torch.inf)
    for index in range(len(people)):
        distance[index], face, weights = PosedMesh(vertices[index], body_tensors().faces).meet(origins[index], directions[index])
        hit = (face >= 0).nonzero()[:, 0]
        spots = Spots(face[hit][None], weights[hit][None])
        one = people[index : index + 1]
        color, part = one.appearance(one.places(spots))
        rgb[index, hit], mask[index, hit] = color[0], part[0]
        corner = body_tensors().faces[face[hit]]
        normal[index, hit] = torch.nn.functional.normalize((normals[index][corner] * weights[hit][..., None]).sum(dim=1), dim=-1)
    return view_of_rays(rgb, mask, normal, distance, cosine, samples_per_pixel, (height, width))
