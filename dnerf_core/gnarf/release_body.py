"""The body that a GNARF release holds, out of the tensors of its renderer, as a rig's numbers. No torch; nothing of the file runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.specs import Shape
from dnerf_core.checkpoints.inert.records import ELEMENTS, StorageRecord, TensorRecord
from dnerf_core.errors import CheckpointError
from dnerf_core.gnarf.config import MAX_FACES, MAX_JOINTS, MAX_SHAPE_DIRECTIONS, MAX_VERTICES, BodyConfig, MeshCounts
from dnerf_core.gnarf.published import SMPL_JOINTS

RENDERER_TENSORS = re.compile(r"renderer\.(smpl_avg_|smpl_reduced\.|smpl_clip\.|surface_field\.)")
"""How the names of tensors begin that hold the body, several times over."""

LICENCE = (
    "Its body is the one of the release: where that is SMPL's (vertices, skinning weights, shape directions), it is bound to the SMPL body "
    "model's licence, which allows research that is not commercial and no redistribution; a model file that holds it is bound alike."
)

_TEMPLATE = "renderer.smpl_reduced.smpl_template."
_COARSE = {"faces": "faces_t", "attach_face": "nearest_face_id", "attach_bary": "weights_2d", "attach_offset": "proj_dist"}


@dataclass(frozen=True, eq=False)
class PublishedBody:
    """A release's body: its sizes, its numbers by the names of `shapes.body_shapes`, and remarks on what was set aside."""

    config: BodyConfig
    arrays: Mapping[str, NDArray[np.float32]]
    remarks: tuple[str, ...]

    def records(self) -> dict[str, TensorRecord]:
        """The numbers as tensors of the generator's state, under `body.`."""
        return {f"body.{name}": tensor_of_array(array) for name, array in self.arrays.items()}


def published_body(tensors: Mapping[str, TensorRecord], where: str, remedy: str) -> PublishedBody:
    """The body of a release's tensors, by published names.

    The canonical shape is the release's mean, from which shape directions count on; joints are where the mean body has them.

    Args:
        where, remedy: how a message begins and ends.

    Raises:
        CheckpointError: a tensor that is missing, or of a shape that is no body's.
    """
    read = _Reader(tensors, where, remedy)
    vertices = read.matrix(_TEMPLATE + "v_template", (None, 3), MAX_VERTICES)
    count = len(vertices)
    weights = read.matrix(_TEMPLATE + "lbs_weights", (count, None), MAX_JOINTS)
    joints = weights.shape[1]
    regressor = read.matrix(_TEMPLATE + "J_regressor", (joints, count), MAX_JOINTS)
    directions = read.matrix(_TEMPLATE + "shapedirs", (count, 3, None), MAX_SHAPE_DIRECTIONS)
    correctives = read.matrix(_TEMPLATE + "posedirs", (9 * (joints - 1), 3 * count), 9 * MAX_JOINTS)
    parents = read.matrix(_TEMPLATE + "parents", (joints,), MAX_JOINTS).astype(np.int64)
    faces = read.matrix("renderer.smpl_reduced.sf.faces", (None, 3), MAX_FACES)
    pose, betas, scale, remarks = _canonical(read, joints, directions.shape[2])
    mean = vertices + directions @ betas
    arrays: dict[str, NDArray[np.float32]] = {
        "vertices": mean,
        "faces": faces,
        "joints": regressor @ mean,
        "weights": weights,
        "canonical_pose": pose,
    }
    has_shape, has_correctives = bool(directions.any()), bool(correctives.any())
    if has_shape:
        moved = directions.transpose(2, 0, 1)
        arrays |= {"shape_vertices": moved, "shape_joints": np.einsum("kv,svd->skd", regressor, moved)}
    if has_correctives:
        arrays["pose_correctives"] = correctives.reshape(-1, count, 3)
    counts = {}
    for mesh in ("reduced", "clip"):
        own = {
            name: read.matrix(f"renderer.smpl_{mesh}.{key}", shape, MAX_FACES)
            for (name, key), shape in zip(_COARSE.items(), ((None, 3), (None,), (None, 3), (None,)), strict=True)
        }
        lengths = {name: len(array) for name, array in own.items() if name != "faces"}
        if len(set(lengths.values())) != 1:
            raise CheckpointError(f"{where}: renderer.smpl_{mesh}: expected one length, found {lengths}; {remedy}")
        counts[mesh] = MeshCounts(lengths["attach_face"], len(own["faces"]))
        arrays |= {f"{mesh}.{name}": array for name, array in own.items()}
    config = BodyConfig(
        joint_names=SMPL_JOINTS if joints == len(SMPL_JOINTS) else tuple(f"joint{index}" for index in range(joints)),
        parents=tuple(int(parent) for parent in parents),
        mesh=MeshCounts(count, len(faces)),
        reduced=counts["reduced"],
        clip=counts["clip"],
        shape_directions=directions.shape[2] if has_shape else 0,
        scale=scale,
        licence=LICENCE,
        source="the release itself",
        pose_correctives=True if has_correctives else None,
    )
    return PublishedBody(config, {name: np.ascontiguousarray(x, np.float32) for name, x in arrays.items()}, remarks)


def _canonical(
    read: _Reader, joints: int, directions: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float, tuple[str, ...]]:
    """Canonical pose [K + 1, 3], shape [S] and scale; of more turns than joints the first count."""
    orient = read.matrix("renderer.smpl_avg_orient", (1, 3), 3)
    turns = read.matrix("renderer.smpl_avg_body_pose", (1, None), 3 * MAX_JOINTS)[0]
    translation = read.matrix("renderer.smpl_avg_transl", (1, 3), 3)
    betas = read.matrix("renderer.smpl_avg_betas", (1, None), MAX_SHAPE_DIRECTIONS)[0]
    scale = float(read.matrix("renderer.smpl_avg_scale", (1,), 1)[0])
    needed = 3 * (joints - 1)
    remarks: tuple[str, ...] = ()
    if len(turns) < needed or len(betas) < directions:
        raise CheckpointError(
            f"{read.where}: renderer.smpl_avg_*: expected {needed} turns and {directions} shape coefficients, "
            f"found {len(turns)} and {len(betas)}; {read.remedy}"
        )
    if len(turns) > needed:
        remarks = (f"the canonical pose has {len(turns) // 3} turns, of which the {joints - 1} joints take the first",)
    rows = [orient, turns[:needed].reshape(-1, 3), translation]
    return np.concatenate(rows), betas[:directions], scale, remarks


@dataclass(frozen=True, eq=False)
class _Reader:
    """Tensors by name, each checked before it is read."""

    tensors: Mapping[str, TensorRecord]
    where: str
    remedy: str

    def matrix(self, name: str, shape: tuple[int | None, ...], most: int) -> NDArray[np.float32]:
        """A tensor of that shape; where it says None, any length from 1 to `most`."""
        record = self.tensors.get(name)
        if record is None:
            raise CheckpointError(f"{self.where}: expected the tensors of a body, missing {name!r}; {self.remedy}")
        fits = len(record.shape) == len(shape) and all(
            own == side if side is not None else 1 <= own <= most for own, side in zip(record.shape, shape, strict=True)
        )
        if not fits:
            expected = ["any" if side is None else side for side in shape]
            raise CheckpointError(f"{self.where}: {name}: expected shape {expected}, found {list(record.shape)}; {self.remedy}")
        array = record.to_array()
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.where}: {name}: expected finite values, found infinite ones or NaN; {self.remedy}")
        return array


def tensor_of_array(array: NDArray[np.float32]) -> TensorRecord:
    """An array as a tensor of a checkpoint."""
    shape: Shape = tuple(array.shape)
    stride = tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))
    data = memoryview(np.ascontiguousarray(array, "<f4").tobytes())
    return TensorRecord(StorageRecord(ELEMENTS["torch.FloatStorage"], array.size, lambda: data), 0, shape, stride)
