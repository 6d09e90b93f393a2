"""Reads named float32 tensors out of a state dict that torch.save wrote, by a reader of its own that executes nothing.

Both formats of torch are taken: the zip file, and the legacy file of pickles with the storages behind them, as the weights that
torchvision publishes have it. The pickles go through the same machine as a release's, with the few globals that a state dict needs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.nested_storage import FLOAT32_BYTES, FLOAT_STORAGE, StorageRecord, read_legacy_pickles, take_storage
from dnerf_core.checkpoints.pickle_machine import MalformedPickleError, PickleMachine, shown
from dnerf_core.checkpoints.pickle_reader import map_file, tensor_record
from dnerf_core.errors import CheckpointError

MAX_PICKLE_BYTES = 16 * 2**20
"""A state dict's own pickle takes some hundred bytes a tensor."""

_ORDERED_DICT = "collections.OrderedDict"
_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_PARAMETER_CALL, _PARAMETER = "torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter"
_GLOBALS = {_ORDERED_DICT, *_TENSORS, _PARAMETER_CALL, _PARAMETER, FLOAT_STORAGE}

_ZIP_ERRORS = (zipfile.BadZipFile, LookupError, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
"""The ways in which zipfile says that a file is damaged."""

_EXPECTED = "weights that torch.save wrote (.pth)"
_REMEDY = "nothing of it was executed; get the file again from its publisher"


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _StorageName:
    """A storage by its key; its elements lie elsewhere in the file."""

    key: str
    count: int


@dataclass(frozen=True, eq=False)
class _Tensor:
    storage: _StorageName
    offset: Any
    shape: Any
    stride: Any


class _StateBuilder:
    """The closed list of globals that a state dict needs. A parameter is its tensor; attributes of a dictionary or tensor are dropped."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def find_global(self, module: str, name: str) -> _Global:
        full = f"{module}.{name}"
        if full not in _GLOBALS:
            raise MalformedPickleError(f"names the global {shown(full)}, which no state dict of float32 weights needs")
        return _Global(full)

    def persistent(self, identifier: Any) -> _StorageName:
        if type(identifier) is tuple and len(identifier) in (5, 6):
            label, kind, key, _, count = identifier[:5]
            plain = type(key) is str and type(count) is int and 0 <= count < 2**40 and identifier[5:] in ((), (None,))
            if label == "storage" and type(kind) is _Global and kind.name == FLOAT_STORAGE and plain:
                if self.counts.setdefault(key, count) != count:
                    raise MalformedPickleError("tells two sizes of one storage")
                return _StorageName(key, count)
        raise MalformedPickleError("refers to something that is no float32 storage")

    def reduce(self, target: Any, args: Any) -> Any:
        name = target.name if type(target) is _Global else ""
        if type(args) is tuple:
            if name in _TENSORS and len(args) >= 4 and type(args[0]) is _StorageName:
                return _Tensor(*args[:4])
            if name in (_PARAMETER_CALL, _PARAMETER) and args and type(args[0]) is _Tensor:
                return args[0]
            if name == _ORDERED_DICT and not args:
                return {}
            if name == _ORDERED_DICT and len(args) == 1 and type(args[0]) is list:
                return _from_pairs(args[0])
        raise MalformedPickleError("calls something in a way that no state dict does")

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        return self.reduce(target, args)

    def build(self, target: Any, state: Any) -> None:
        if type(target) not in (dict, _Tensor):
            raise MalformedPickleError("sets an object's state in a way that no state dict does")


def _from_pairs(pairs: list[Any]) -> dict[str, Any]:
    """What Python 2 wrote of an ordered dictionary."""
    if any(type(pair) not in (list, tuple) or len(pair) != 2 or type(pair[0]) is not str for pair in pairs):
        raise MalformedPickleError("holds an ordered dictionary that is not made of names and values")
    return {name: value for name, value in pairs}


def read_torch_state(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The tensors named `wanted` as float32 arrays, those of them that the file has; others are passed over.

    Raises:
        CheckpointError: no such file, another format, other than float32 tensors on a little-endian machine, or damaged.
    """
    data = map_file(path, _EXPECTED, "get it again from its publisher")
    try:
        if bytes(data[:4]) == b"PK\x03\x04":
            return _from_zip(path, wanted)
        return _from_legacy(data, wanted)
    except MalformedPickleError as error:
        raise CheckpointError(f"{path}: expected {_EXPECTED}, found a file that {error}; {_REMEDY}") from error


def _from_legacy(data: memoryview, wanted: Collection[str]) -> dict[str, np.ndarray]:
    builder = _StateBuilder()
    state, keys, position = read_legacy_pickles(data, builder)
    if sorted(keys) != sorted(builder.counts):
        raise MalformedPickleError("does not hold exactly the storages it describes")
    storages = {}
    for key in keys:
        storages[key], position = take_storage(data, position, builder.counts[key])
    if position != len(data):
        raise MalformedPickleError(f"has {len(data) - position} bytes after its end")
    return _arrays(state, wanted, storages.__getitem__)


def _from_zip(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            root = archive.namelist()[0].split("/")[0]

            def read(name: str, most: int, least: int = 0) -> bytes:
                info = archive.getinfo(f"{root}/{name}")
                # torch stores without compression: an entry cannot become larger than the file
                if info.compress_type != zipfile.ZIP_STORED or not least <= info.file_size <= most:
                    raise MalformedPickleError(f"has the entry {shown(name)} compressed or in {info.file_size} bytes")
                return archive.read(info)

            if f"{root}/byteorder" in archive.namelist() and read("byteorder", 16) != b"little":
                raise MalformedPickleError("was not written on a little-endian machine")
            builder = _StateBuilder()
            pickled = memoryview(read("data.pkl", MAX_PICKLE_BYTES))
            machine = PickleMachine(pickled, builder)
            state = machine.run()

            def storage(key: str) -> StorageRecord:
                count = builder.counts[key]
                raw = read(f"data/{key}", FLOAT32_BYTES * count, FLOAT32_BYTES * count)
                return StorageRecord(memoryview(raw), count)

            return _arrays(state, wanted, storage)
    except _ZIP_ERRORS as error:
        raise MalformedPickleError(f"is a damaged zip file ({type(error).__name__})") from error


def _arrays(state: Any, wanted: Collection[str], storage: Callable[[str], StorageRecord]) -> dict[str, np.ndarray]:
    if type(state) is not dict:
        raise MalformedPickleError("holds no dictionary of tensors")
    found = {name: state[name] for name in wanted if name in state}
    if any(type(tensor) is not _Tensor for tensor in found.values()):
        raise MalformedPickleError("holds something other than tensors by these names")
    return {
        name: tensor_record(storage(tensor.storage.key), tensor.offset, tensor.shape, tensor.stride).to_array()
        for name, tensor in found.items()
    }
