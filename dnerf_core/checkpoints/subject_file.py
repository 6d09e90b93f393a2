"""The subject file: a .safetensors with a subject's latents that stands in for a seed, and the generator's tensors that were tuned for it.

docs/subject-file.md describes the format. Reading a header needs no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.specs import BackboneConfig, Shape
from dnerf_core.camera import Camera, WorldUp
from dnerf_core.checkpoints.expected_shapes import expected_shapes, is_filter
from dnerf_core.checkpoints.generator_hash import generator_sha256
from dnerf_core.checkpoints.model_file import read_header, write_tensors
from dnerf_core.checkpoints.safetensors_layout import SUBJECT, TensorInfo, checked_fields, parsed_json, read_layout, stored_values
from dnerf_core.errors import CheckpointError, UsageError, brief

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.loaded_model import LoadedModel
    from dnerf_core.subject import Subject

FORMAT_VERSION = 1
MAX_NUM_WS, MAX_W_DIM = 256, 8192
MAX_VALUES = 2**29
"""Of all tensors of a file, 2 GiB as float32: ten times the largest published generator."""
MAX_TEXT_BYTES = 2**20
"""Bytes of the header's text."""

_WS = "subject.ws"
_POSE = "subject.pose"
_SHAPE = "subject.shape"
_TUNED = "generator."
_FIELDS = {"format_version", "generator_name", "generator_sha256", "world_up", "camera", "made"}


@dataclass(frozen=True, eq=False)
class SubjectRecord:
    """A subject as data.

    Attributes:
        ws: float32 [num_ws, w_dim] on the CPU.
        camera: the recovered camera that its picture was taken from, in the generator's world; None: it has none.
        tuned: float32 tensors on the CPU that replace the generator's own, by the names of its state; empty: none were tuned.
        generator_sha256: which generator it is a subject of, see `generator_hash`.
        generator_name: its name, for people.
        made: plain JSON: how it was made, such as "kind" (image, mask or edit), source file name, settings, scores.
        world_up: the world axis that points up for the generator.
        pose: float32 [*pose_shape] on the CPU, see `LatentSpec`; None: the family's usual one, or it has none.
        shape: float32 [shape_size] on the CPU, a body's coefficients; None: those of the latents, or it has none.
    """

    ws: Tensor
    camera: Camera | None
    tuned: dict[str, Tensor]
    generator_sha256: str
    generator_name: str
    made: dict[str, Any]
    world_up: WorldUp
    pose: Tensor | None = None
    shape: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SubjectHeader:
    """What a subject file says of itself: as `SubjectRecord`, without the values.

    Attributes:
        num_ws, w_dim: shape of its latents.
        tensors: every tensor of the file by its full name.
        data_start: byte where the tensors begin.
    """

    path: Path
    camera: Camera | None
    generator_sha256: str
    generator_name: str
    made: dict[str, Any]
    world_up: WorldUp
    num_ws: int
    w_dim: int
    tensors: dict[str, TensorInfo]
    data_start: int

    @property
    def tuned(self) -> list[str]:
        """Names of the generator's tensors that are replaced."""
        return sorted(name.removeprefix(_TUNED) for name in self.tensors if name.startswith(_TUNED))

    @property
    def is_posed(self) -> bool:
        """Whether it has a pose of its own."""
        return _POSE in self.tensors


def read_subject_header(path: str | Path) -> SubjectHeader:
    """The header of a subject file, its tensors checked by name, shape and size.

    Raises:
        CheckpointError: no readable file, not a subject file, another format version, or fields and tensors that are not a subject's.
    """
    path = Path(path)
    layout = read_layout(path, SUBJECT)
    fields = checked_fields(layout, path, SUBJECT, FORMAT_VERSION, _FIELDS)
    camera = _checked_header(fields, f"{path}: header")
    shapes = {name: info.shape for name, info in layout.tensors.items()}
    num_ws, w_dim = _checked_shapes(shapes, f"{path}", SUBJECT.damaged)
    return SubjectHeader(
        path=path,
        camera=camera,
        generator_sha256=fields["generator_sha256"],
        generator_name=fields["generator_name"],
        made=fields["made"],
        world_up=fields["world_up"],
        num_ws=num_ws,
        w_dim=w_dim,
        tensors=layout.tensors,
        data_start=layout.data_start,
    )


def read_subject_values(header: SubjectHeader) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """ws [num_ws, w_dim] of a subject file, and its tuned tensors by the names of the generator's state; without torch.

    Raises:
        CheckpointError: a value that is not finite.
    """
    values = dict(_values(header))
    ws = values.pop(_WS)
    for name in (_POSE, _SHAPE):
        values.pop(name, None)
    return ws, {name.removeprefix(_TUNED): array for name, array in sorted(values.items())}


def read_subject_file(path: str | Path) -> SubjectRecord:
    """A subject file in memory; nothing of it is executed.

    Raises:
        CheckpointError: as `read_subject_header`, or a value that is not finite.
    """
    import torch

    header = read_subject_header(path)
    values = {name: torch.from_numpy(array) for name, array in sorted(_values(header))}
    ws, pose, shape = values.pop(_WS), values.pop(_POSE, None), values.pop(_SHAPE, None)
    tuned = {name.removeprefix(_TUNED): tensor for name, tensor in values.items()}
    return SubjectRecord(
        ws, header.camera, tuned, header.generator_sha256, header.generator_name, header.made, header.world_up, pose, shape
    )


def write_subject_file(path: str | Path, record: SubjectRecord) -> None:
    """Writes a subject file, whole or not at all; a file of that name is replaced.

    Raises:
        CheckpointError: the record is none that `read_subject_file` would take.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    arrays = {_WS: _array(record.ws)} | {_TUNED + name: _array(tensor) for name, tensor in record.tuned.items()}
    arrays |= {name: _array(tensor) for name, tensor in ((_POSE, record.pose), (_SHAPE, record.shape)) if tensor is not None}
    _checked_shapes({name: array.shape for name, array in arrays.items()}, f"{path}", "not written")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name}: expected finite values, found others; not written")
    fields = {
        "format_version": FORMAT_VERSION,
        "generator_name": record.generator_name,
        "generator_sha256": record.generator_sha256,
        "world_up": record.world_up,
        "camera": None if record.camera is None else record.camera.to_json(),
        "made": record.made,
    }
    where = f"{path}: header"
    try:
        text = json.dumps(fields, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{where}: expected plain JSON values of finite numbers, found others ({error}); not written"
        ) from error
    if len(text) > MAX_TEXT_BYTES:
        raise CheckpointError(f"{where}: expected at most {MAX_TEXT_BYTES} bytes of text, found {len(text)}; not written")
    _checked_header(parsed_json(text, where, "not written"), where, "not written")
    write_tensors(path, arrays, SUBJECT.key, text)


def record_of(
    model: LoadedModel,
    ws: Tensor,
    camera: Camera | None,
    made: Mapping[str, Any],
    tuned: Mapping[str, Tensor] | None = None,
    pose: Tensor | None = None,
    shape: Tensor | None = None,
) -> SubjectRecord:
    """The record of latents of a model.

    Args:
        model: as it was loaded, not one with tuned tensors.
        ws: [num_ws, w_dim] or [1, num_ws, w_dim], on any device.
        camera, made, tuned: see `SubjectRecord`; tensors on any device.
        pose, shape: [1, *pose_shape] and [1, shape_size], as `Subject` has them; None: it has none of its own.

    Raises:
        CheckpointError: another shape of `ws`, `pose` or `shape`, or `tuned` that the generator does not have.
    """
    flat = ws.detach().float().cpu().reshape(ws.shape[-2:]) if ws.ndim == 3 and len(ws) == 1 else ws.detach().float().cpu()
    kept = {name: tensor.detach().float().cpu() for name, tensor in (tuned or {}).items()}
    record = SubjectRecord(
        flat,
        camera,
        kept,
        model.generator_sha256,
        model.config.name,
        dict(made),
        model.config.cameras.world_up,
        *(None if x is None else x.detach().float().cpu()[0] for x in (pose, shape)),
    )
    _check_fit(_shapes(record), model.config, "subject", "pass what this model makes")
    return record


def open_subject(model: LoadedModel, record: SubjectRecord, where: str = "subject") -> Subject:
    """The subject of a record, on the model's device. What was tuned stands in a generator of its own; all else is the model's.

    Args:
        where: how a message begins, such as the file's path.

    Raises:
        CheckpointError: the record is of another generator, or damaged.
    """
    from dnerf_core.subject import Subject

    if record.generator_sha256 != model.generator_sha256:
        raise _other_generator(where, record, model.config.name, model.header.path, model.generator_sha256)
    _check_fit(_shapes(record), model.config, where, SUBJECT.damaged)
    tuned = model.with_generator_tensors(record.tuned) if record.tuned else model
    pose, shape = (None if x is None else x[None].to(model.device) for x in (record.pose, record.shape))
    return Subject(tuned, record.ws[None].to(model.device), pose, shape)


def check_subject_file(path: str | Path, model_path: Path) -> SubjectHeader:
    """Make sure that a model file takes a subject file, every value looked at, without torch.

    Raises:
        CheckpointError: either cannot be used, or the subject is of another generator.
    """
    header = read_subject_header(path)
    model = read_header(model_path)
    model_sha256 = generator_sha256(model_path)
    if header.generator_sha256 != model_sha256:
        raise _other_generator(str(path), header, model.generator_config.name, model_path, model_sha256)
    _check_fit({name: info.shape for name, info in header.tensors.items()}, model.generator_config, str(path), SUBJECT.damaged)
    for _ in _values(header):
        pass
    return header


def _values(header: SubjectHeader) -> Iterator[tuple[str, NDArray[np.float32]]]:
    try:
        with header.path.open("rb") as file:
            yield from stored_values(file, header.path, header.tensors, header.data_start, SUBJECT.damaged)
    except OSError as error:
        raise CheckpointError(
            f"{header.path}: expected a subject file, cannot read it: {error.strerror}; check the path"
        ) from error


def _other_generator(
    where: str, record: SubjectRecord | SubjectHeader, model_name: str, model_path: Path, found_sha256: str
) -> CheckpointError:
    return CheckpointError(
        f"{where}: expected the generator that it is a subject of, {brief(record.generator_name)} "
        f"({record.generator_sha256[:12]}), found {model_name} ({found_sha256[:12]}) in {model_path}; name the right one with --model"
    )


def _shapes(record: SubjectRecord) -> dict[str, Shape]:
    posed = {name: tensor for name, tensor in ((_POSE, record.pose), (_SHAPE, record.shape)) if tensor is not None}
    tensors = {_WS: record.ws} | posed | {_TUNED + name: tensor for name, tensor in record.tuned.items()}
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _check_fit(shapes: Mapping[str, Shape], config: BackboneConfig, where: str, remedy: str) -> None:
    """Refuse tensors, by their full names, of other shapes than the generator's."""
    own = {_TUNED + name: shape for name, shape in expected_shapes(config).items() if not is_filter(name)}
    latent = config.latent
    own[_WS] = (latent.num_ws, latent.w_dim)
    if latent.pose_shape is not None:
        own[_POSE] = latent.pose_shape
    if latent.shape_size:
        own[_SHAPE] = (latent.shape_size,)
    for name, shape in shapes.items():
        if own.get(name) != shape:
            expected = list(own[name]) if name in own else "no such tensor"
            raise CheckpointError(f"{where}: {brief(name)}: expected {expected}, found {list(shape)}; {remedy}")


def _checked_header(fields: Mapping[str, Any], where: str, remedy: str = SUBJECT.damaged) -> Camera | None:
    """The camera among the header's fields, all of which are checked."""
    if not isinstance(fields["generator_name"], str):
        raise CheckpointError(f"{where}: generator_name: expected text, found {brief(fields['generator_name'])}; {remedy}")
    sha256 = fields["generator_sha256"]
    if not isinstance(sha256, str) or re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise CheckpointError(f"{where}: generator_sha256: expected 64 hexadecimal digits, found {brief(sha256)}; {remedy}")
    if fields["world_up"] not in ("y", "z"):
        raise CheckpointError(f"{where}: world_up: expected 'y' or 'z', found {brief(fields['world_up'])}; {remedy}")
    if not isinstance(fields["made"], dict):
        raise CheckpointError(f"{where}: made: expected an object, found {brief(fields['made'])}; {remedy}")
    try:
        return None if fields["camera"] is None else Camera.from_json(fields["camera"], f"{where}: camera")
    except UsageError as error:
        raise CheckpointError(f"{error}; {remedy}") from error


def _checked_shapes(shapes: Mapping[str, tuple[int, ...]], where: str, remedy: str) -> tuple[int, int]:
    """(num_ws, w_dim) of a file's tensors, all of which are checked."""
    ws = shapes.get(_WS, ())
    if len(ws) != 2 or not (1 <= ws[0] <= MAX_NUM_WS and 1 <= ws[1] <= MAX_W_DIM):
        found = list(ws) if _WS in shapes else "none"
        raise CheckpointError(
            f"{where}: {_WS}: expected [num_ws, w_dim] of at most [{MAX_NUM_WS}, {MAX_W_DIM}], found {found}; {remedy}"
        )
    surplus = [name for name in shapes if name not in (_WS, _POSE, _SHAPE) and not name.startswith(_TUNED)]
    if surplus:
        raise CheckpointError(f"{where}: expected the tensors {_WS} and {_TUNED}*, found {surplus[0][:80]!a}; {remedy}")
    total = sum(int(np.prod(shape, dtype=np.float64)) for shape in shapes.values())
    if total > MAX_VALUES:
        raise CheckpointError(f"{where}: expected at most {MAX_VALUES} values, found {total}; {remedy}")
    return ws[0], ws[1]


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.ascontiguousarray(tensor.detach().float().cpu().numpy()).reshape(tensor.shape)
    return array
