"""The subject file: a .safetensors with a subject's latents that stands in for a seed, and the generator's tensors that were tuned for it.

docs/subject-file.md describes the format. Reading a header needs no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.checkpoints.model_file import write_tensors
from dnerf_core.checkpoints.safetensors_layout import SUBJECT, TensorInfo, checked_fields, parsed_json, read_layout, stored_values
from dnerf_core.errors import CheckpointError, UsageError, brief

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

FORMAT_VERSION = 1
MOST_WS, MOST_W_DIM = 256, 8192
MOST_VALUES = 2**29
"""Of all tensors of a file, 2 GiB as float32: ten times the largest published generator."""
MOST_TEXT = 2**20
"""Bytes of the header's text."""

_WS = "subject.ws"
_TUNED = "generator."
_FIELDS = {"format_version", "generator_name", "generator_sha256", "camera", "made"}


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
    """

    ws: Tensor
    camera: Camera | None
    tuned: dict[str, Tensor]
    generator_sha256: str
    generator_name: str
    made: dict[str, Any]


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
    num_ws: int
    w_dim: int
    tensors: dict[str, TensorInfo]
    data_start: int

    @property
    def tuned(self) -> list[str]:
        """Names of the generator's tensors that are replaced."""
        return sorted(name.removeprefix(_TUNED) for name in self.tensors if name != _WS)


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
        num_ws=num_ws,
        w_dim=w_dim,
        tensors=layout.tensors,
        data_start=layout.data_start,
    )


def read_subject_file(path: str | Path) -> SubjectRecord:
    """A subject file in memory; nothing of it is executed.

    Raises:
        CheckpointError: as `read_subject_header`, or a value that is not finite.
    """
    import torch

    header = read_subject_header(path)
    try:
        with header.path.open("rb") as file:
            values = dict(stored_values(file, header.path, header.tensors, header.data_start, SUBJECT.damaged))
    except OSError as error:
        raise CheckpointError(f"{path}: expected a subject file, cannot read it: {error.strerror}; check the path") from error
    ws = torch.from_numpy(values.pop(_WS))
    tuned = {name.removeprefix(_TUNED): torch.from_numpy(array) for name, array in sorted(values.items())}
    return SubjectRecord(ws, header.camera, tuned, header.generator_sha256, header.generator_name, header.made)


def write_subject_file(path: str | Path, record: SubjectRecord) -> None:
    """Writes a subject file, whole or not at all; a file of that name is replaced.

    Raises:
        CheckpointError: the record is none that `read_subject_file` would take.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    arrays = {_WS: _array(record.ws)} | {_TUNED + name: _array(tensor) for name, tensor in record.tuned.items()}
    _checked_shapes({name: array.shape for name, array in arrays.items()}, f"{path}", "not written")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name}: expected finite values, found others; not written")
    fields = {
        "format_version": FORMAT_VERSION,
        "generator_name": record.generator_name,
        "generator_sha256": record.generator_sha256,
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
    if len(text) > MOST_TEXT:
        raise CheckpointError(f"{where}: expected at most {MOST_TEXT} bytes of text, found {len(text)}; not written")
    _checked_header(parsed_json(text.encode(), where, "not written"), where, "not written")
    write_tensors(path, arrays, SUBJECT.key, text)


def record_of(
    model: Model,
    ws: Tensor,
    camera: Camera | None,
    made: Mapping[str, Any],
    tuned: Mapping[str, Tensor] | None = None,
) -> SubjectRecord:
    """The record of latents of a model.

    Args:
        model: as it was loaded, not one with tuned tensors.
        ws: [num_ws, w_dim] or [1, num_ws, w_dim], on any device.
        camera, made, tuned: see `SubjectRecord`; tensors on any device.

    Raises:
        CheckpointError: another shape of `ws`, or `tuned` that the generator does not have.
    """
    flat = ws.detach().float().cpu().reshape(ws.shape[-2:]) if ws.ndim == 3 and len(ws) == 1 else ws.detach().float().cpu()
    kept = {name: tensor.detach().float().cpu() for name, tensor in (tuned or {}).items()}
    record = SubjectRecord(flat, camera, kept, model.generator_sha256, model.config.name, dict(made))
    _check_fit(model, record, "pass what this model makes")
    return record


def open_subject(model: Model, record: SubjectRecord) -> Subject:
    """The subject of a record, on the model's device. What was tuned stands in a generator of its own; all else is the model's.

    Raises:
        CheckpointError: the record is of another generator, or damaged.
    """
    from dnerf_core.subject import Subject

    if record.generator_sha256 != model.generator_sha256:
        raise other_generator("subject", record, model.header.path, model.config.name, model.generator_sha256)
    _check_fit(model, record, SUBJECT.damaged)
    tuned = model.with_generator_tensors(record.tuned) if record.tuned else model
    return Subject(tuned, record.ws[None].to(model.device))


def other_generator(
    where: str, record: SubjectRecord | SubjectHeader, model_path: Path, model_name: str, found: str
) -> CheckpointError:
    """What is told where a subject is opened with a model of another generator, whose hash is `found`."""
    return CheckpointError(
        f"{where}: expected the generator that it is a subject of, {brief(record.generator_name)} "
        f"({record.generator_sha256[:12]}), found {model_name} ({found[:12]}) in {model_path}; name the right one with --model"
    )


def _check_fit(model: Model, record: SubjectRecord, remedy: str) -> None:
    """Refuse latents and tensors of another shape than the generator's."""
    expected = (model.config.backbone.num_ws, model.config.mapping.w_dim)
    if tuple(record.ws.shape) != expected:
        raise CheckpointError(f"subject: ws: expected {list(expected)}, found {list(record.ws.shape)}; {remedy}")
    own = model.generator.state_dict()
    for name, tensor in record.tuned.items():
        shape = list(own[name].shape) if name in own else None
        if shape != list(tensor.shape):
            raise CheckpointError(
                f"subject: tuned tensor {brief(name)}: expected shape {shape}, found {list(tensor.shape)}; {remedy}"
            )


def _checked_header(fields: Mapping[str, Any], where: str, remedy: str = SUBJECT.damaged) -> Camera | None:
    """The camera among the header's fields, all of which are checked."""
    if not isinstance(fields["generator_name"], str):
        raise CheckpointError(f"{where}: generator_name: expected text, found {brief(fields['generator_name'])}; {remedy}")
    sha256 = fields["generator_sha256"]
    if not isinstance(sha256, str) or re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise CheckpointError(f"{where}: generator_sha256: expected 64 hexadecimal digits, found {brief(sha256)}; {remedy}")
    if not isinstance(fields["made"], dict):
        raise CheckpointError(f"{where}: made: expected an object, found {brief(fields['made'])}; {remedy}")
    try:
        return None if fields["camera"] is None else Camera.from_json(fields["camera"], f"{where}: camera")
    except UsageError as error:
        raise CheckpointError(f"{error}; {remedy}") from error


def _checked_shapes(shapes: Mapping[str, tuple[int, ...]], where: str, remedy: str) -> tuple[int, int]:
    """(num_ws, w_dim) of a file's tensors, all of which are checked."""
    ws = shapes.get(_WS, ())
    if len(ws) != 2 or not (1 <= ws[0] <= MOST_WS and 1 <= ws[1] <= MOST_W_DIM):
        found = list(ws) if _WS in shapes else "none"
        raise CheckpointError(
            f"{where}: {_WS}: expected [num_ws, w_dim] of at most [{MOST_WS}, {MOST_W_DIM}], found {found}; {remedy}"
        )
    surplus = [name for name in shapes if name != _WS and not name.startswith(_TUNED)]
    if surplus:
        raise CheckpointError(f"{where}: expected the tensors {_WS} and {_TUNED}*, found {surplus[0][:80]!a}; {remedy}")
    total = sum(int(np.prod(shape, dtype=np.float64)) for shape in shapes.values())
    if total > MOST_VALUES:
        raise CheckpointError(f"{where}: expected at most {MOST_VALUES} values, found {total}; {remedy}")
    return ws[0], ws[1]


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.ascontiguousarray(tensor.detach().float().cpu().numpy()).reshape(tensor.shape)
    return array
