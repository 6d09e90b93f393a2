"""Closest points of a triangle mesh by NVIDIA Warp's mesh queries (a BVH on CPU and GPU). Importing this imports warp.

A mesh is kept by its torch tensors; nothing is copied between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dnerf_core.gnarf.warp.kernels import carried_along, closest, crossed
from dnerf_core.mesh.warp_started import warp as wp

_EVERYWHERE = 1e6
"""A search without an end, world units."""


@dataclass(frozen=True, eq=False)
class ClosestPoints:
    """Of N points: int64 [N] the face each is closest to; [N, 3] shares of its corners; [N] 1 outside and -1 inside.

    Half-way between two parts, to 1e-3 of an edge, the sign may be either.
    """

    face: Tensor
    shares: Tensor
    sign: Tensor


class MeshSearch:
    """The BVH of one mesh; searches may run from several threads."""

    def __init__(self, vertices: Tensor, faces: Tensor) -> None:
        """vertices [V, 3] float32 and faces [F, 3], on one device."""
        self.vertices = vertices.detach().float().contiguous()
        self.faces = faces.to(torch.int32).contiguous()
        self._device = str(wp.device_from_torch(self.vertices.device))
        self._mesh = wp.Mesh(points=_vectors(self.vertices), indices=wp.from_torch(self.faces.flatten(), dtype=wp.int32))

    def closest(self, points: Tensor) -> ClosestPoints:
        """The closest points of the mesh to points [N, 3]."""
        points = points.detach().float().contiguous()
        face = torch.empty(len(points), dtype=torch.int32, device=points.device)
        shares, sign = torch.empty_like(points), points.new_empty(len(points))
        self._launch(
            closest,
            points,
            [self._mesh.id, _vectors(points), _EVERYWHERE, wp.from_torch(face), _vectors(shares), wp.from_torch(sign)],
        )
        return ClosestPoints(face.long(), shares, sign)

    def crossed(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Where rays first enter a closed mesh and last leave it, distances [M] each, both 0 where they miss it.

        Args:
            origins, directions: [M, 3], directions of length 1. A ray that begins inside has entered at 0.
        """
        origins, directions = origins.detach().float().contiguous(), directions.detach().float().contiguous()
        start, end = origins.new_empty(len(origins)), origins.new_empty(len(origins))
        if not len(origins):
            return start, end
        # no ray is longer than to the mesh's far side, by the corners of its box
        corner = torch.maximum(self.vertices.amax(dim=0).abs(), self.vertices.amin(dim=0).abs()).norm()
        length = float(origins.norm(dim=1).max() + corner) * 1.01
        inputs = [_vectors(origins), _vectors(directions), length, wp.from_torch(start), wp.from_torch(end)]
        self._launch(crossed, origins, [self._mesh.id, *inputs])
        return start, end

    def carry(self, points: Tensor, targets: Tensor, turns: Tensor, farthest: float | None = None) -> tuple[Tensor, Tensor]:
        """Points [N, 3] carried along with the mesh: [N, 3], and their signed distance [N] from it, negative inside.

        The closest point goes where the corners of its triangle go; the offset from it is turned.

        Args:
            targets: [V, 3], where the mesh's vertices go.
            turns: [V, 4], unit quaternions xyzw, how each vertex turns on the way.
            farthest: points farther than this stay where they are, and their distance is this; None: no end.
        """
        points = points.detach().float().contiguous()
        targets, turns = targets.detach().float().contiguous(), turns.detach().float().contiguous()
        carried, distance = torch.empty_like(points), points.new_empty(len(points))
        self._launch(
            carried_along,
            points,
            [
                self._mesh.id,
                wp.from_torch(self.faces),
                _vectors(targets),
                wp.from_torch(turns, dtype=wp.quat),
                _vectors(points),
                _EVERYWHERE if farthest is None else farthest,
                _vectors(carried),
                wp.from_torch(distance),
            ],
        )
        return carried, distance

    def _launch(self, kernel: Any, points: Tensor, inputs: list[Any]) -> None:
        if not len(points):
            return
        stream = wp.stream_from_torch(torch.cuda.current_stream(points.device)) if points.is_cuda else None
        wp.launch(kernel, dim=len(points), inputs=inputs, device=self._device, stream=stream)


def _vectors(rows: Tensor) -> Any:
    return wp.from_torch(rows, dtype=wp.vec3)
