"""The layout of a .safetensors file, parsed by hand: 8 bytes of length, a JSON table of tensors with text metadata, the tensors.

Reading it needs neither torch nor the tensors, and every number is checked against the file's size before it is used.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.expected_shapes import Shape
from dnerf_core.errors import CheckpointError

MAX_HEADER_BYTES = 16 * 2**20
MAX_INTEGER_DIGITS = 20
"""Enough for any 64-bit number; a longer one could not even become a float."""

PREFIXES = ("generator.", "semantic.")
DAMAGED = "the file is damaged or no model file; copy or import it again"

_DTYPES: dict[str, np.dtype] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


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
    """A file's tensors by full name in the order of their bytes, the byte where they begin, and the metadata's text."""

    tensors: dict[str, TensorInfo]
    data_start: int
    text: str


def read_layout(path: Path, metadata_key: str) -> Layout:
    """The layout of a .safetensors file that carries `metadata_key`.

    Raises:
        CheckpointError: no such file, another format, or a table that does not fit the file.
    """
    raw, data_start, data_size = _raw_header(path)
    entries = parsed_json(raw, f"{path}: its header")
    metadata = entries.pop("__metadata__", None)
    text = metadata.get(metadata_key) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise CheckpointError(
            f"{path}: expected a model file, found a .safetensors without {metadata_key!r} in its metadata; "
            "make one with 'dnerf-headless import' or 'dnerf-headless train'"
        )
    return Layout(_table(entries, data_size, path), data_start, text)


def parsed_json(raw: bytes, where: str) -> dict[str, Any]:
    """A JSON object out of UTF-8 bytes; NaN, infinities, integers beyond 20 digits and a name given twice are refused.

    Raises:
        CheckpointError: anything else; `where` begins the message.
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
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a name twice")
        return made

    try:
        value = json.loads(
            raw.decode("utf-8"), parse_constant=refuse, parse_float=finite, parse_int=short, object_pairs_hook=unique
        )
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: expected JSON text of finite numbers, found something else; {DAMAGED}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: expected a JSON object, found {type(value).__name__}; {DAMAGED}")
    return value


def _raw_header(path: Path) -> tuple[bytes, int, int]:
    """(JSON bytes, first byte of the tensors, number of tensor bytes) of a .safetensors file."""
    try:
        if not path.is_file():
            reason = "found no regular file" if path.exists() else "found no such file"
            raise CheckpointError(f"{path}: expected a model file (.safetensors), {reason}; check the path")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
                raise CheckpointError(f"{path}: expected a model file, found a pickle; convert it with 'dnerf-headless import'")
            if size < 10 or length > min(size - 8, MAX_HEADER_BYTES):
                raise CheckpointError(
                    f"{path}: expected a model file (.safetensors), found {length} header bytes claimed in {size}; {DAMAGED}"
                )
            return file.read(length), 8 + length, size - 8 - length
    except OSError as error:
        raise CheckpointError(f"{path}: expected a model file, cannot read it: {error.strerror}; check the path") from error


def _table(entries: dict[str, Any], data_size: int, path: Path) -> dict[str, TensorInfo]:
    """The tensors in the order of their bytes, which must follow each other without gap or overlap up to the file's end."""
    found: list[tuple[int, int, str, TensorInfo]] = []
    for name, entry in entries.items():
        shown = ascii(name[:80])
        if not name.startswith(PREFIXES) or not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise CheckpointError(f"{path}: tensor {shown}: expected generator.* or semantic.* with its place; {DAMAGED}")
        dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
        if dtype is None:
            raise CheckpointError(
                f"{path}: tensor {shown}: expected type F32 or F16, found {ascii(entry['dtype'])[:80]}; {DAMAGED}"
            )
        shape, place = entry["shape"], entry["data_offsets"]
        if not _are_sizes(shape) or not _are_sizes(place) or len(place) != 2:
            raise CheckpointError(f"{path}: tensor {shown}: expected shape and place as non-negative integers; {DAMAGED}")
        info = TensorInfo(dtype, tuple(shape), place[0])
        if place[1] - place[0] != info.count * dtype.itemsize:
            raise CheckpointError(f"{path}: tensor {shown}: its bytes do not match its shape {shape}; {DAMAGED}")
        found.append((place[0], place[1], name, info))
    found.sort(key=lambda row: row[:2])
    end = 0
    for first, last, name, _ in found:
        if first != end:
            raise CheckpointError(f"{path}: tensor {name[:80]!a}: expected its bytes at {end}, found {first}; {DAMAGED}")
        end = last
    if end != data_size:
        raise CheckpointError(f"{path}: expected {end} bytes of tensors, found {data_size}; copy it again")
    return {name: info for _, _, name, info in found}


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(n) is int and 0 <= n < 2**48 for n in value)
