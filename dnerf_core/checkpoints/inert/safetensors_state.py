"""A .safetensors of somebody else's as a state dict of records."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.inert.pickle_machine import MalformedPickleError, shown
from dnerf_core.checkpoints.inert.records import Element, StorageRecord, TensorRecord, tensor_record
from dnerf_core.checkpoints.safetensors_layout import MODEL, NETWORK, SUBJECT, parsed_json
from dnerf_core.errors import CheckpointError

MAX_HEADER_BYTES = 100 * 2**20
"""What the format's own reader allows."""

_ELEMENTS = {
    name: Element(kind, np.dtype(stored))
    for name, kind, stored in (
        *(("F32", "float32", "<f4"), ("F64", "float64", "<f8"), ("F16", "float16", "<f2"), ("BF16", "bfloat16", "<u2")),
        *(("I64", "int64", "<i8"), ("I32", "int32", "<i4"), ("I16", "int16", "<i2"), ("I8", "int8", "i1")),
        *(("U8", "uint8", "u1"), ("BOOL", "bool", "u1")),
    )
}
_REMEDY = "the file is damaged; get it again from where it came"


def is_safetensors(data: memoryview) -> bool:
    """Whether a file begins as a .safetensors does: the length of a JSON object, and the object."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def read_safetensors(path: Path, data: memoryview) -> dict[str, TensorRecord]:
    """The tensors of a .safetensors by name; they stay in `data` until they are wanted.

    Raises:
        CheckpointError: a file that this project wrote, which needs no import, or a table that does not fit the file.
    """
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(f"{path}: expected at most {MAX_HEADER_BYTES} bytes of header, found {length}; {_REMEDY}")
    entries = parsed_json(bytes(data[8 : 8 + length]), f"{path}: its header", _REMEDY)
    metadata = entries.pop("__metadata__", None)
    for kind in (MODEL, SUBJECT, NETWORK):
        if isinstance(metadata, dict) and kind.key in metadata:
            raise CheckpointError(
                f"{path}: expected a checkpoint to import, found a .safetensors file that is {kind.name} already; "
                f"give it with {kind.option}"
            )
    held = data[8 + length :]
    return {name: _tensor(f"{path}: tensor {shown(name)}", entry, held) for name, entry in entries.items()}


def _tensor(where: str, entry: Any, held: memoryview) -> TensorRecord:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where}: expected dtype, shape and data_offsets, found something else; {_REMEDY}")
    element = _ELEMENTS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if element is None:
        raise CheckpointError(
            f"{where}: expected a type of {', '.join(_ELEMENTS)}, found {shown(entry['dtype'])}; save its weights as F32, and import that"
        )
    shape, place = entry["shape"], entry["data_offsets"]
    if not all(isinstance(part, list) and all(type(n) is int and 0 <= n < 2**48 for n in part) for part in (shape, place)):
        raise CheckpointError(f"{where}: expected shape and place as non-negative integers, found others; {_REMEDY}")
    count = math.prod(shape)
    if len(place) != 2 or place[1] > len(held) or place[1] - place[0] != count * element.bytes:
        raise CheckpointError(f"{where}: expected {count * element.bytes} bytes inside the file, found other ones; {_REMEDY}")
    stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    storage = StorageRecord(element, count, lambda: held[place[0] : place[1]])
    try:
        return tensor_record(storage, 0, tuple(shape), stride)
    except MalformedPickleError as error:
        raise CheckpointError(f"{where}: {error}; {_REMEDY}") from error
