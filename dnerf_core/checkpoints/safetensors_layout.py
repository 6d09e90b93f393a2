"""The layout of a .safetensors file, parsed by hand: 8 bytes of length, a JSON table of tensors with text metadata, the tensors.

Reading it needs neither torch nor the tensors, and every number is checked against the file's size before it is used.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..errors import CheckpointError
from ..files.opening.json_text import without_surrogates

if TYPE_CHECKING:
    from ..backbone.specs import Shape

MAX_HEADER_BYTES = 16 * 2**20
SUM_KEY = "datasetnerf_sha256"
"""Of a file's own check sum in its metadata, see `content_sha256`."""
MAX_INTEGER_DIGITS = 20
"""Enough for any 64-bit number; a longer one could not even become a float."""

DAMAGED = "the file is damaged or no model file; copy or import it again"

_DTYPES: dict[str, np.dtype] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
TYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
"""What a .safetensors calls numpy's types."""


@dataclass(frozen=True)
class FileKind:
    """What a .safetensors of this project is, and how messages speak of it.

    Attributes:
        name: such as "a model file".
        key: of its text in the metadata.
        prefixes: what the names of its tensors begin with.
        option: where a command takes one.
        make: how one is made.
        damaged: the remedy for one that cannot be read.
        types: what its tensors may be stored as.
    """

    name: str
    key: str
    prefixes: tuple[str, ...]
    option: str
    make: str
    damaged: str
    types: tuple[str, ...] = ("F32", "F16")


MODEL = FileKind(
    name="a model file",
    key="datasetnerf",
    prefixes=("generator.", "semantic."),
    option="--model",
    make="make one with 'dnerf-headless import' or 'dnerf-headless train'",
    damaged=DAMAGED,
)
SUBJECT = FileKind(
    name="a subject file",
    key="datasetnerf_subject",
    prefixes=("subject.", "generator."),
    option="--subject",
    make="make one with 'dnerf-headless invert' or 'dnerf-headless edit'",
    damaged="the file is damaged or no subject file; copy or make it again",
)
TEMPLATE = FileKind(
    name="a template file",
    key="datasetnerf_template",
    prefixes=("template.",),
    option="--template",
    make="make one with 'dnerf-headless template'",
    damaged="the file is damaged or no template file; copy or make it again",
    types=("F32", "I32", "U8"),
)
NETWORK = FileKind(
    name="a network file",
    key="datasetnerf_network",
    prefixes=("network.",),
    option="'dnerf-headless segment --network'",
    make="make one with 'dnerf-headless train-segmenter' or 'dnerf-headless train-pointnet'",
    damaged="the file is damaged or no network file; copy or train it again",
)
_KINDS = (MODEL, SUBJECT, TEMPLATE, NETWORK)


@dataclass(frozen=True)
class TensorInfo:
    """Where a tensor lies: numpy type, shape, and its first byte counted from the end of the header."""

    dtype: np.dtype
    shape: Shape
    offset: int

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """A file's tensors by full name in the order of their bytes, the byte where they begin, the metadata's text, and the check sum of its
    content that it says; None: it says none, as earlier versions wrote it.
    """

    tensors: dict[str, TensorInfo]
    data_start: int
    text: str
    sha256: str | None = None


def read_layout(path: Path, kind: FileKind) -> Layout:
    """The layout of a .safetensors file of a kind.

    Raises:
        CheckpointError: no such file, another format or kind, or a table that does not fit the file.
    """
    raw, data_start, data_size = _raw_header(path, kind)
    entries = parsed_json(raw, f"{path}: its header", kind.damaged)
    metadata = entries.pop("__metadata__", None)
    texts = metadata if isinstance(metadata, dict) else {}
    text = texts.get(kind.key)
    if not isinstance(text, str):
        for other in _KINDS:
            if other != kind and other.key in texts:
                raise CheckpointError(f"{path}: expected {kind.name}, found {other.name}; give that with {other.option}")
        raise CheckpointError(
            f"{path}: expected {kind.name}, found a .safetensors without {kind.key!r} in its metadata; {kind.make}"
        )
    sha256 = texts.get(SUM_KEY)
    return Layout(_table(entries, data_size, path, kind), data_start, text, sha256 if isinstance(sha256, str) else None)


def content_sha256(text: str, tensors: Iterable[tuple[str, np.dtype, Shape]], data: Iterable[bytes | memoryview]) -> str:
    """The check sum of all that a file says: its text, each tensor's name, type and shape, and the tensors' bytes.

    Args:
        tensors: in the order of their bytes.
        data: those bytes, in pieces of any size.
    """
    described = [[name, dtype.str, list(shape)] for name, dtype, shape in tensors]
    sums = hashlib.sha256(json.dumps([text, described]).encode())
    for piece in data:
        sums.update(piece)
    return sums.hexdigest()


def is_as_written(path: Path, kind: FileKind) -> bool | None:
    """Whether a file's content has the check sum that the file says; None: it says none.

    Raises:
        CheckpointError: it cannot be read, or is no such file.
    """
    layout = read_layout(path, kind)
    if layout.sha256 is None:
        return None
    tensors = [(name, info.dtype, info.shape) for name, info in layout.tensors.items()]
    with path.open("rb") as file:
        file.seek(layout.data_start)
        return content_sha256(layout.text, tensors, iter(lambda: file.read(2**20), b"")) == layout.sha256


def file_kind(path: Path) -> FileKind | None:
    """Which kind of file a .safetensors says it is, by its metadata alone; None: it is no readable file of a known kind."""
    try:
        metadata = parsed_json(_raw_header(path, MODEL)[0], f"{path}").get("__metadata__")
    except CheckpointError:
        return None
    texts = metadata if isinstance(metadata, dict) else {}
    return next((kind for kind in _KINDS if kind.key in texts), None)


def parsed_json(raw: bytes | str, where: str, damaged: str = DAMAGED) -> dict[str, Any]:
    """A JSON object out of UTF-8 bytes or text; NaN, infinities, integers beyond 20 digits and a name given twice are refused.

    Lone halves of surrogate pairs become U+FFFD, see `without_surrogates`.

    Raises:
        CheckpointError: anything else; `where` begins the message, `damaged` ends it.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"the constant {constant}")

    def finite(text: str) -> float:
        # 1e999 is JSON, and infinite.
        if math.isinf(value := float(text)):
            raise ValueError("a number beyond float64")
        return value

    def short(text: str) -> int:
        if len(text) > MAX_INTEGER_DIGITS:
            raise ValueError("a huge integer")
        return int(text)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = {without_surrogates(name): value for name, value in pairs}
        if len(values) != len(pairs):
            raise ValueError("a name twice")
        return values

    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        value = without_surrogates(
            json.loads(text, parse_constant=refuse, parse_float=finite, parse_int=short, object_pairs_hook=unique)
        )
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: expected JSON text of finite numbers, found something else; {damaged}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: expected a JSON object, found {type(value).__name__}; {damaged}")
    return value


def checked_fields(
    layout: Layout, path: Path, kind: FileKind, version: int, names: set[str], optional: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The metadata's text as an object of these fields, one of which is the format version; `optional` ones may be there, too.

    Raises:
        CheckpointError: another version, a missing field or a surplus one.
    """
    fields = parsed_json(layout.text, f"{path}: its metadata {kind.key!r}", kind.damaged)
    file_version = fields.get("format_version")
    if type(file_version) is not int or file_version != version:
        shown = file_version if type(file_version) is int else type(file_version).__name__
        raise CheckpointError(f"{path}: expected format version {version}, found {shown}; use the datasetnerf that wrote it")
    missing, surplus = sorted(names - set(fields)), sorted(ascii(name[:80]) for name in set(fields) - names - optional)
    if missing or surplus:
        raise CheckpointError(f"{path}: header: missing fields {missing}, surplus {surplus[:3]}; {kind.damaged}")
    return fields


def stored_values(
    file: BinaryIO, path: Path, tensors: Mapping[str, TensorInfo], data_start: int, damaged: str
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor of a file that was opened at `path`, as float32, whatever it is stored as.

    Raises:
        CheckpointError: a value that is not finite, or too few of them.
    """
    for name, info in tensors.items():
        file.seek(data_start + info.offset)
        values = np.fromfile(file, info.dtype, info.count)
        if values.size != info.count or not np.isfinite(values).all():
            raise CheckpointError(f"{path}: {name}: expected {info.count} finite values, found others; {damaged}")
        yield name, values.astype(np.float32, copy=False).reshape(info.shape)


def _raw_header(path: Path, kind: FileKind) -> tuple[bytes, int, int]:
    """(JSON bytes, first byte of the tensors, number of tensor bytes) of a .safetensors file."""
    try:
        if not path.is_file():
            reason = "found no regular file" if path.exists() else "found no such file"
            raise CheckpointError(f"{path}: expected {kind.name} (.safetensors), {reason}; check the path")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if size < 10 or length > min(size - 8, MAX_HEADER_BYTES):
                # only then: a header of 1152 bytes, 0x480, begins like a pickle
                if other := _checkpoint(head):
                    remedy = "convert it with 'dnerf-headless import'" if kind == MODEL else kind.make
                    raise CheckpointError(f"{path}: expected {kind.name}, found {other}; {remedy}")
                raise CheckpointError(
                    f"{path}: expected {kind.name} (.safetensors), found {length} header bytes claimed in {size}; {kind.damaged}"
                )
            return file.read(length), 8 + length, size - 8 - length
    except OSError as error:
        raise CheckpointError(f"{path}: expected {kind.name}, cannot read it: {error.strerror}; check the path") from error


def _checkpoint(head: bytes) -> str | None:
    """What a file is that begins as checkpoints do which can be imported."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    if head[:4] == b"PK\x03\x04":
        return "a zip file, as torch.save writes"
    return "a file packed by gzip" if head[:2] == b"\x1f\x8b" else None


def _table(entries: dict[str, Any], data_size: int, path: Path, kind: FileKind) -> dict[str, TensorInfo]:
    """The tensors in the order of their bytes, which must follow each other without gap or overlap up to the file's end."""
    spans: list[tuple[int, int, str, TensorInfo]] = []
    for name, entry in entries.items():
        shown = ascii(name[:80])
        if not name.startswith(kind.prefixes) or not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            names = " or ".join(f"{prefix}*" for prefix in kind.prefixes)
            raise CheckpointError(f"{path}: tensor {shown}: expected {names} with its place; {kind.damaged}")
        type_name = entry["dtype"]
        if not isinstance(type_name, str) or type_name not in kind.types:
            raise CheckpointError(
                f"{path}: tensor {shown}: expected type {' or '.join(kind.types)}, found {ascii(type_name)[:80]}; {kind.damaged}"
            )
        dtype = _DTYPES[type_name]
        shape, place = entry["shape"], entry["data_offsets"]
        if not _are_sizes(shape) or not _are_sizes(place) or len(place) != 2:
            raise CheckpointError(f"{path}: tensor {shown}: expected shape and place as non-negative integers; {kind.damaged}")
        info = TensorInfo(dtype, tuple(shape), place[0])
        if place[1] - place[0] != info.count * dtype.itemsize:
            raise CheckpointError(f"{path}: tensor {shown}: its bytes do not match its shape {shape}; {kind.damaged}")
        spans.append((place[0], place[1], name, info))
    spans.sort(key=lambda row: row[:2])
    end = 0
    for first, last, name, _ in spans:
        if first != end:
            raise CheckpointError(f"{path}: tensor {name[:80]!a}: expected its bytes at {end}, found {first}; {kind.damaged}")
        end = last
    if end != data_size:
        raise CheckpointError(f"{path}: expected {end} bytes of tensors, found {data_size}; copy it again")
    return {name: info for _, _, name, info in spans}


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(n) is int and 0 <= n < 2**48 for n in value)
