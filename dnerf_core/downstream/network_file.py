"""The network file: a .safetensors with a network that learned from data sets, and a header that says what it takes and what made it.

docs/network-file.md describes the format. Reading a header needs no torch, and nothing of a file is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from dnerf_core.checkpoints.model_file import write_tensors
from dnerf_core.checkpoints.safetensors_layout import NETWORK, TensorInfo, checked_fields, parsed_json, read_layout, stored_values
from dnerf_core.errors import AnnotationError, CheckpointError, brief
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.labels import LabelSet

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dnerf_core.backbone.specs import Shape

NetworkKind = Literal["image", "points"]
"""What a network labels: the pixels of images, or the points of clouds."""

KINDS: tuple[NetworkKind, ...] = ("image", "points")
FORMAT_VERSION = 1
MAX_VALUES = 2**29
"""Of all tensors of a file, 2 GiB as float32: eight times the largest network here."""
MAX_TEXT_BYTES = 2**20
"""Bytes of the header's text."""

_PREFIX = "network."
_COUNTER = "num_batches_tracked"
"""Of batch normalisation: a count that only a momentum of None would read."""
_FIELDS = {"format_version", "kind", "network", "labels", "settings", "training"}


@dataclass(frozen=True, eq=False)
class NetworkHeader:
    """What a network file says of itself, without the values.

    Attributes:
        kind: what it labels.
        network: its registered name, such as "mini".
        labels: the classes of its output, by id.
        settings: plain JSON: what its builder and its input need.
        training: plain JSON: data sets with their digests, seed, steps, scores and versions.
        tensors: every tensor by the name of the network's state.
        data_start: byte where the tensors begin.
    """

    path: Path
    kind: NetworkKind
    network: str
    labels: LabelSet
    settings: dict[str, Any]
    training: dict[str, Any]
    tensors: dict[str, TensorInfo]
    data_start: int

    @property
    def parameters(self) -> int:
        """Number of values of all tensors."""
        return sum(info.count for info in self.tensors.values())


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """A network file in memory: its header, and float32 tensors on the CPU by the names of the network's state."""

    header: NetworkHeader
    state: dict[str, Tensor]

    def fill(self, network: nn.Module) -> None:
        """Give a network this file's values, as float32.

        Args:
            network: what the header's `network` and `settings` build.

        Raises:
            CheckpointError: a tensor is missing, surplus, or of another shape.
        """
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items() if not _is_counter(name)}
        check_shapes(self.header, expected)
        network.load_state_dict(self.state, strict=False)


def check_shapes(header: NetworkHeader, expected: Mapping[str, Shape]) -> None:
    """Hold a file's tensors against those that its network has.

    Args:
        expected: shapes by the names of the network's state; counters of batch normalisation left out.

    Raises:
        CheckpointError: a tensor is missing, surplus, or of another shape.
    """
    where = f"{header.path}: network {header.network}"
    missing, surplus = sorted(expected.keys() - header.tensors.keys()), sorted(header.tensors.keys() - expected.keys())
    if missing or surplus:
        found = f"missing {missing[:2]}, surplus {[name[:80] for name in surplus[:2]]}"
        raise CheckpointError(f"{where}: expected {len(expected)} tensors, {found}; {NETWORK.damaged}")
    for name, shape in expected.items():
        if header.tensors[name].shape != tuple(shape):
            raise CheckpointError(
                f"{where}: {name}: expected {list(shape)}, found {list(header.tensors[name].shape)}; {NETWORK.damaged}"
            )


def read_network_header(path: str | Path, kind: NetworkKind | None = None) -> NetworkHeader:
    """The header of a network file, its fields and its tensors' places checked.

    Args:
        kind: what the network must label; None: either.

    Raises:
        CheckpointError: no readable file, not a network file, another format version, fields that are not a network's, or another kind.
    """
    path = Path(path)
    try:
        with open_regular(path):  # a pipe is refused before anything waits for it
            pass
    except OSError as error:
        raise CheckpointError(f"{path}: expected {NETWORK.name}, cannot read it: {error.strerror}; check the path") from error
    layout = read_layout(path, NETWORK)
    fields = checked_fields(layout, path, NETWORK, FORMAT_VERSION, _FIELDS)
    labels = _checked_header(fields, f"{path}: header", NETWORK.damaged)
    total = sum(info.count for info in layout.tensors.values())
    if not 1 <= total <= MAX_VALUES:
        raise CheckpointError(f"{path}: expected 1 to {MAX_VALUES} values, found {total}; {NETWORK.damaged}")
    if kind is not None and fields["kind"] != kind:
        other = {"image": "train-segmenter", "points": "train-pointnet"}[kind]
        raise CheckpointError(
            f"{path}: expected a network of {_noun(kind)}, found one of {_noun(fields['kind'])}; train one with 'dnerf-headless {other}'"
        )
    return NetworkHeader(
        path=path,
        kind=cast(NetworkKind, fields["kind"]),
        network=fields["network"],
        labels=labels,
        settings=fields["settings"],
        training=fields["training"],
        tensors={name.removeprefix(_PREFIX): info for name, info in layout.tensors.items()},
        data_start=layout.data_start,
    )


def load_network_file(path: str | Path, kind: NetworkKind | None = None) -> NetworkFile:
    """A network file in memory; nothing of it is executed.

    Raises:
        CheckpointError: as `read_network_header`, or a value that is not finite.
    """
    import torch

    header = read_network_header(path, kind)
    try:
        with header.path.open("rb") as file:
            values = dict(stored_values(file, header.path, header.tensors, header.data_start, NETWORK.damaged))
    except OSError as error:
        raise CheckpointError(
            f"{header.path}: expected {NETWORK.name}, cannot read it: {error.strerror}; check the path"
        ) from error
    return NetworkFile(header, {name: torch.from_numpy(array) for name, array in sorted(values.items())})


def save_network(
    path: str | Path,
    *,
    kind: NetworkKind,
    network: str,
    labels: LabelSet,
    settings: Mapping[str, Any],
    state: Mapping[str, Tensor],
    training: Mapping[str, Any],
) -> None:
    """Writes a network file, whole or not at all; a file of that name is replaced.

    Args:
        state: tensors on any device by the names of the network's state, stored as float32; counters of batch normalisation are left out.
        settings, training: plain JSON values of finite numbers.

    Raises:
        CheckpointError: a header that `read_network_header` would refuse, or values that are not finite.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, tensor in state.items():
        if _is_counter(name):
            continue
        array = tensor.detach().float().cpu().numpy()
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name}: expected finite values, found others; not written")
        arrays[_PREFIX + name] = np.ascontiguousarray(array).reshape(array.shape)
    fields = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "network": network,
        "labels": labels.to_json(),
        "settings": dict(settings),
        "training": dict(training),
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
    write_tensors(path, arrays, NETWORK.key, text)


def _checked_header(fields: Mapping[str, Any], where: str, remedy: str) -> LabelSet:
    """The label set among the header's fields, all of which are checked."""
    if fields["kind"] not in KINDS:
        raise CheckpointError(f"{where}: kind: expected 'image' or 'points', found {brief(fields['kind'])}; {remedy}")
    name = fields["network"]
    if not isinstance(name, str) or not 0 < len(name) <= 80 or not name.isprintable():
        raise CheckpointError(f"{where}: network: expected a name of 1 to 80 characters, found {brief(name)}; {remedy}")
    for key in ("settings", "training"):
        if not isinstance(fields[key], dict):
            raise CheckpointError(f"{where}: {key}: expected an object, found {brief(fields[key])}; {remedy}")
    try:
        return LabelSet.from_json(fields["labels"], f"{where}: labels")
    except AnnotationError as error:
        raise CheckpointError(f"{error}; {remedy}") from error


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] == _COUNTER


def _noun(kind: NetworkKind) -> str:
    return "images" if kind == "image" else "points"
