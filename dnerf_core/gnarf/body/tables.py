"""A body's numbers as a part of a generator's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dnerf_core.gnarf.config import BodyConfig
from dnerf_core.gnarf.shapes import body_shapes


@dataclass(frozen=True, eq=False)
class CoarseTable:
    """A coarse mesh on a device: faces int64 [F', 3], and where each vertex rides on the template, see `rig.CoarseMesh`."""

    faces: Tensor
    attach_face: Tensor
    attach_bary: Tensor
    attach_offset: Tensor


@dataclass(frozen=True, eq=False)
class BodyTable:
    """A body's numbers on a device, whole ones as int64; template units. Attributes as `template.Template` and `rig.Rig` have them.

    `pose_correctives` [9 (K - 1), V, 3] is added to the vertices at rest in proportion to the numbers, row by row, of R - 1 of every joint
    but the root (SMPL, Loper et al. 2015, equation 9).
    `prepared` keeps what is made of the numbers once, whatever the pose, by the name of who makes it.
    """

    vertices: Tensor
    faces: Tensor
    joints: Tensor
    weights: Tensor
    canonical_pose: Tensor
    shape_vertices: Tensor
    shape_joints: Tensor
    pose_correctives: Tensor | None
    reduced: CoarseTable
    clip: CoarseTable
    prepared: dict[str, Any] = field(default_factory=dict)


class _Numbers(nn.Module):
    """Buffers by name."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))


class BodyTables(_Numbers):
    """The buffers `shapes.body_shapes` of a generator, under these names; all float32, since model files hold nothing else.

    They are zeros until a rig or a file's state fills them.
    """

    def __init__(self, config: BodyConfig) -> None:
        shapes = body_shapes(config)
        super().__init__({name: shape for name, shape in shapes.items() if "." not in name})
        self.config = config
        for mesh in ("reduced", "clip"):
            prefix = f"{mesh}."
            own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
            self.add_module(mesh, _Numbers(own))
        self._table: tuple[tuple[Tensor, ...], tuple[int, ...], BodyTable] | None = None

    def fill(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a rig's numbers, `rig.Rig.arrays`."""
        self.load_state_dict({name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()})

    def table(self) -> BodyTable:
        """The numbers as they are used; made once for each set of buffers."""
        buffers = dict(self.named_buffers())
        own, versions = tuple(buffers.values()), tuple(buffer._version for buffer in buffers.values())
        kept = self._table
        if kept is None or kept[1] != versions or any(a is not b for a, b in zip(kept[0], own, strict=True)):
            self._table = kept = own, versions, self._whole(buffers)
        return kept[2]

    def _whole(self, buffers: Mapping[str, Tensor]) -> BodyTable:
        def coarse(name: str) -> CoarseTable:
            faces, attach_face = (buffers[f"{name}.{key}"].round().long() for key in ("faces", "attach_face"))
            return CoarseTable(faces, attach_face, buffers[f"{name}.attach_bary"], buffers[f"{name}.attach_offset"])

        vertices, joints = buffers["vertices"], buffers["joints"]
        return BodyTable(
            vertices=vertices,
            faces=buffers["faces"].round().long(),
            joints=joints,
            weights=buffers["weights"],
            canonical_pose=buffers["canonical_pose"],
            shape_vertices=buffers.get("shape_vertices", vertices.new_zeros(0, *vertices.shape)),
            shape_joints=buffers.get("shape_joints", joints.new_zeros(0, *joints.shape)),
            pose_correctives=buffers.get("pose_correctives"),
            reduced=coarse("reduced"),
            clip=coarse("clip"),
        )
