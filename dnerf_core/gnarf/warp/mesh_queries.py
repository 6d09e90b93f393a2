"""Closest points of a triangle mesh by NVIDIA Warp's mesh queries (a BVH on CPU and GPU). Importing this imports warp.

A mesh is kept by its torch tensors; nothing is copied between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dnerf_core.gnarf.warp.kernels import carried_along, closest, crossed
from dnerf_core.mesh.warp_started import warp as wp

_EVERYWHERE = 1e6
"""A search without an end, world units."""

_POINTS_A_THREAD = 1000
"""Fewer are searched, in about a millisecond, sooner than a thread is started and waited for."""


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

        def inputs(part: slice) -> list[Any]:
            found = wp.from_torch(face[part]), _vectors(shares[part]), wp.from_torch(sign[part])
            return [self._mesh.id, _vectors(points[part]), _EVERYWHERE, *found]

        self._launch(closest, points, inputs)
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
        reach = ((origins.norm(dim=1).max() + corner).double() * 1.01).float()[None]

        def inputs(part: slice) -> list[Any]:
            rays = _vectors(origins[part]), _vectors(directions[part])
            return [self._mesh.id, *rays, wp.from_torch(reach), wp.from_torch(start[part]), wp.from_torch(end[part])]

        self._launch(crossed, origins, inputs)
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
        skin = [self._mesh.id, wp.from_torch(self.faces), _vectors(targets), wp.from_torch(turns, dtype=wp.quat)]
        end = _EVERYWHERE if farthest is None else farthest

        def inputs(part: slice) -> list[Any]:
            return [*skin, _vectors(points[part]), end, _vectors(carried[part]), wp.from_torch(distance[part])]

        self._launch(carried_along, points, inputs)
        return carried, distance

    def _launch(self, kernel: Any, points: Tensor, inputs: Callable[[slice], list[Any]]) -> None:
        """Run a kernel on points [N, 3]; Warp runs one of the CPU in a single thread, so as many are started as torch uses."""
        count = len(points)
        if not count:
            return
        if points.is_cuda:
            stream = wp.stream_from_torch(torch.cuda.current_stream(points.device))
            wp.launch(kernel, dim=count, inputs=inputs(slice(0, count)), device=self._device, stream=stream)
            return
        pieces = min(torch.get_num_threads(), max(1, count // _POINTS_A_THREAD))
        size = -(-count // pieces)

        def launch(part: slice) -> None:
            wp.launch(kernel, dim=min(part.stop, count) - part.start, inputs=inputs(part), device=self._device)

        first, *others = [slice(at, at + size) for at in range(0, count, size)]
        if not others:
            launch(first)
            return
        with ThreadPoolExecutor(len(others)) as pool:
            running = [pool.submit(launch, part) for part in others]
            launch(first)
            for job in running:
                job.result()


def _vectors(rows: Tensor) -> Any:
    return wp.from_torch(rows, dtype=wp.vec3)
