"""Reads an EG3D release, a Python pickle, without executing anything of it.

A release's pickle asks its reader to compile Python source that it carries. This reader maps the globals that G_ema needs to inert
records: the source text is dropped, persistent objects and plain modules become a class name with their attributes, tensors become
views into the mapped file. The discriminator and the augmentation, which nobody wants here, may name other classes of the release's
own code: those become a name alone, and G_ema must not hold one. Any other name is refused.
"""

from __future__ import annotations

import mmap
import re
import stat
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.nested_storage import StorageRecord, read_nested_storage
from dnerf_core.checkpoints.pickle_machine import MalformedPickleError, PickleMachine, shown
from dnerf_core.errors import CheckpointError

MAX_DEPTH = 64
"""A release nests 30 deep; deeper data is refused before anything walks it."""

MAX_STORAGES = 20_000
PERSISTENCE_VERSION = 6

_REMEDY = "nothing was executed or written; download the release again from its publisher"


@dataclass(eq=False)
class ModuleRecord:
    """An object of the release: a persistent one or a plain module. `state` is its attribute dictionary."""

    class_name: str
    state: dict[str | int, Any] = field(default_factory=dict)
    is_built: bool = False


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """A float32 tensor of the release: a strided view into a storage, its bounds already checked."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def to_array(self) -> np.ndarray:
        """A copy as a contiguous float32 array of shape `shape`."""
        strides = tuple(4 * step for step in self.stride)
        view: np.ndarray = np.ndarray(self.shape, "<f4", self.storage.raw, 4 * self.offset, strides)
        return view.astype(np.float32, order="C", copy=True)


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class ForeignRecord:
    """A class of the release's own code that G_ema does not need, or whatever was made of it: the class's name, nothing else."""

    name: str


@dataclass(eq=False)
class _ScalarType:
    """numpy.dtype before and after its state is set: `code` such as "f8", `order` "<" once it is known."""

    code: str
    order: str | None = None


_SCALARS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i"}

_PLAIN_MODULES = {
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.activation.Softplus",
    "training.volumetric_rendering.renderer.ImportanceRenderer",
    "training.volumetric_rendering.ray_marcher.MipRayMarcher2",
    "training.volumetric_rendering.ray_sampler.RaySampler",
    "training.triplane.OSGDecoder",
}


_OWN_CODE = re.compile(r"(training|torch_utils|dnnlib|torch\.nn\.modules)(\.[A-Za-z_]\w*)*", re.ASCII)
"""Modules that a release's networks are made of."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class ReleaseBuilder:
    """The closed list of globals that G_ema needs, and the inert record that each stands for; ForeignRecord for the release's others."""

    def __init__(self) -> None:
        self._reducers = {
            "torch_utils.persistence._reconstruct_persistent_obj": self._persistent_object,
            "collections.OrderedDict": self._ordered_dict,
            "torch.storage._load_from_bytes": self._storage,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": self._parameter,
            "numpy.core.multiarray.scalar": self._scalar,
            "numpy.dtype": self._scalar_type,
        }
        self._storages = 0
        self._names = {*self._reducers, *_PLAIN_MODULES, "dnnlib.util.EasyDict"}

    def find_global(self, module: str, name: str) -> _Global | ForeignRecord:
        full = f"{module}.{name}"
        # The dot between the two must be the given one: "a" + "b.c" would be an attribute chain.
        if _IDENTIFIER.fullmatch(name):
            if full in self._names:
                return _Global(full)
            if _OWN_CODE.fullmatch(module):
                return ForeignRecord(full)
        raise MalformedPickleError(f"names the global {shown(full)}, which no EG3D release needs")

    def persistent(self, identifier: Any) -> Any:
        raise MalformedPickleError("refers to a persistent id, which no EG3D release does")

    def reduce(self, target: Any, args: Any) -> Any:
        if type(target) is ForeignRecord:
            return target
        reducer = self._reducers.get(target.name) if type(target) is _Global else None
        if reducer is None or type(args) is not tuple:
            raise MalformedPickleError(f"calls {_named(target)} in a way no EG3D release does")
        return reducer(args)

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        if type(target) is ForeignRecord:
            return target
        if type(target) is _Global and type(args) is tuple and not args and named is None:
            if target.name == "dnnlib.util.EasyDict":
                return {}
            if target.name in _PLAIN_MODULES:
                return ModuleRecord(target.name.rpartition(".")[2])
        raise MalformedPickleError(f"makes an object of {_named(target)} in a way no EG3D release does")

    def build(self, target: Any, state: Any) -> None:
        if type(target) is ForeignRecord:
            return
        if type(target) is ModuleRecord and not target.is_built and type(state) is dict:
            target.state, target.is_built = state, True
        elif type(target) is _ScalarType and target.order is None and type(state) is tuple and len(state) == 8:
            if type(state[1]) is not str or state[1] != "<" or not all(type(part) in (str, int, type(None)) for part in state):
                raise MalformedPickleError("holds a numpy type that is not a plain little-endian one")
            target.order = "<"
        else:
            raise MalformedPickleError(f"sets the state of {_named(target)} in a way no EG3D release does")

    def _persistent_object(self, args: tuple[Any, ...]) -> ModuleRecord:
        meta = args[0] if len(args) == 1 else None
        names = {"type", "version", "module_src", "class_name", "state"}
        if type(meta) is not dict or set(meta) != names:
            raise MalformedPickleError(f"holds a persistent object without exactly the fields {sorted(names)}")
        if type(meta["version"]) is not int or meta["version"] != PERSISTENCE_VERSION:
            raise MalformedPickleError(
                f"holds a persistent object of version {shown(meta['version'])}, expected {PERSISTENCE_VERSION}"
            )
        if any(type(meta[name]) is not str for name in ("type", "module_src", "class_name")) or type(meta["state"]) is not dict:
            raise MalformedPickleError("holds a persistent object whose names are no text or whose state is no dictionary")
        return ModuleRecord(meta["class_name"], meta["state"], is_built=True)

    def _ordered_dict(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        if args:
            raise MalformedPickleError("calls collections.OrderedDict with arguments, which no EG3D release does")
        return {}

    def _storage(self, args: tuple[Any, ...]) -> StorageRecord:
        if len(args) != 1 or type(args[0]) is not memoryview:
            raise MalformedPickleError("holds a storage that is not one byte string")
        self._storages += 1
        if self._storages > MAX_STORAGES:
            raise MalformedPickleError(f"holds more than {MAX_STORAGES} tensors, a release has less than a thousand")
        try:
            return read_nested_storage(args[0])
        except MalformedPickleError as error:
            raise MalformedPickleError(f"holds a nested torch file that {error}") from error

    def _tensor(self, args: tuple[Any, ...]) -> TensorRecord:
        is_plain = len(args) == 6 and type(args[4]) is bool and type(args[5]) is dict and not args[5]
        if not is_plain or type(args[0]) is not StorageRecord:
            raise MalformedPickleError("holds a tensor that is not (storage, offset, shape, stride, requires_grad, no hooks)")
        return tensor_record(*args[:4])

    def _parameter(self, args: tuple[Any, ...]) -> TensorRecord:
        is_plain = len(args) == 3 and type(args[1]) is bool and type(args[2]) is dict and not args[2]
        if not is_plain or type(args[0]) is not TensorRecord:
            raise MalformedPickleError("holds a parameter that is not (tensor, requires_grad, no hooks)")
        return args[0]

    def _scalar_type(self, args: tuple[Any, ...]) -> _ScalarType:
        if not args or type(args[0]) is not str or args[0] not in _SCALARS:
            raise MalformedPickleError(
                f"holds a numpy type {shown(args[0] if args else None)}, expected one of {sorted(_SCALARS)}"
            )
        if any(type(flag) is not bool for flag in args[1:]):
            raise MalformedPickleError("holds a numpy type that is not (code, align, copy)")
        return _ScalarType(args[0])

    def _scalar(self, args: tuple[Any, ...]) -> float | int:
        if len(args) != 2 or type(args[0]) is not _ScalarType or args[0].order is None or type(args[1]) is not memoryview:
            raise MalformedPickleError("holds a numpy scalar that is not (type, bytes)")
        layout = _SCALARS[args[0].code]
        if len(args[1]) != struct.calcsize(layout):
            raise MalformedPickleError(f"holds a numpy scalar of type {args[0].code} in {len(args[1])} bytes")
        return struct.unpack(layout, args[1])[0]


def tensor_record(storage: StorageRecord, offset: Any, shape: Any, stride: Any) -> TensorRecord:
    """A tensor over a storage, once its numbers are known to be such and to stay inside.

    Raises:
        MalformedPickleError: they are not.
    """
    if type(offset) is not int or not _is_extent(shape) or not _is_extent(stride) or len(shape) != len(stride) or offset < 0:
        raise MalformedPickleError("holds a tensor whose offset, shape or stride is not made of non-negative integers")
    count = 1
    for side in shape:
        count *= side
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True)) if count else 0
    if count > storage.count or (count and last >= storage.count):
        raise MalformedPickleError(f"holds a tensor of {count} values that reaches beyond its storage of {storage.count}")
    return TensorRecord(storage, offset, shape, stride)


def _named(target: Any) -> str:
    return target.name if type(target) is _Global else f"a {type(target).__name__}"


def _is_extent(value: Any) -> bool:
    return type(value) is tuple and len(value) <= 8 and all(type(n) is int and 0 <= n < 2**40 for n in value)


def map_file(path: Path, expected: str, remedy: str) -> memoryview:
    """The bytes of a file, mapped read-only.

    Args:
        expected: what the file should be, for errors.
        remedy: what to do if it is empty, for errors.

    Raises:
        CheckpointError: the file is missing, unreadable, empty or no regular file.
    """
    try:
        facts = path.stat()
        # Asked before opening: opening a pipe would wait for its writer.
        if not stat.S_ISREG(facts.st_mode):
            raise CheckpointError(f"{path}: expected {expected}, found no regular file; check the path")
        if facts.st_size == 0:
            raise CheckpointError(f"{path}: expected {expected}, found an empty file; {remedy}")
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), facts.st_size, access=mmap.ACCESS_READ))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"{path}: expected {expected}, cannot read it: {reason}; check the path") from error


def _other_format(data: memoryview) -> str | None:
    head = bytes(data[:512])
    if head[0] == 0x80:
        return None
    if head[:4] == b"PK\x03\x04":
        return "a zip file, as torch.save writes; pass the release's .pkl itself, not a state dict or an archive of it"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= len(data) - 8:
        return "a .safetensors file; if an import wrote it, it needs no other: pass it to --model"
    if all(byte in b"\t\n\r\f\x1b" or 32 <= byte < 127 for byte in head):
        return "text (a web page, a Git LFS pointer or a pickle of protocol 0); download the release again"
    return f"bytes that begin {head[:4].hex(' ')}; pass the release's .pkl"


def read_release_pickle(path: Path) -> Any:
    """The inert content of a release: dictionaries, lists, tuples, scalars, ModuleRecord, TensorRecord, and outside G_ema ForeignRecord.

    Args:
        path: the .pkl file. It stays mapped for as long as a record of it is kept.

    Raises:
        CheckpointError: the file is no release; the message names what was found. Nothing of the file is executed in any case.
    """
    data = map_file(path, "an EG3D release (.pkl)", "download the release again")
    found = _other_format(data)
    if found:
        raise CheckpointError(f"{path}: expected an EG3D release (a pickle of protocol 2 or later), found {found}")
    machine = PickleMachine(data, ReleaseBuilder())
    try:
        tree = machine.run()
        if machine.position != len(data):
            raise MalformedPickleError(f"has {len(data) - machine.position} bytes after its end")
        _check_depth(tree)
        if type(tree) is dict:
            _check_own(tree.get("G_ema"))
    except MalformedPickleError as error:
        raise CheckpointError(f"{path}: {error}; {_REMEDY}") from error
    return tree


def _children(value: Any) -> Iterable[Any] | None:
    """What a container holds, keys aside (they are text or integers); None of anything else."""
    if type(value) is ModuleRecord:
        return (value.state,)
    if type(value) is dict:
        return value.values()
    return value if type(value) in (list, tuple) else None


def _check_depth(tree: Any) -> None:
    """Refuses data nested deeper than MAX_DEPTH. Breadth first and each container once: shared and cyclic data cost no more."""
    seen: set[int] = set()
    waiting = deque([(tree, 0)])
    while waiting:
        value, depth = waiting.popleft()
        children = _children(value)
        if children is None or id(value) in seen:
            continue
        if depth > MAX_DEPTH:
            raise MalformedPickleError(f"is nested deeper than {MAX_DEPTH}, which no EG3D release is")
        seen.add(id(value))
        waiting.extend((child, depth + 1) for child in children)


def _check_own(network: Any) -> None:
    """Refuses a foreign record anywhere below G_ema: nothing that is imported may rest on a class of unknown meaning."""
    seen: set[int] = set()
    waiting = [network]
    while waiting:
        value = waiting.pop()
        if type(value) is ForeignRecord:
            raise MalformedPickleError(f"holds {shown(value.name)} inside G_ema, which no EG3D release does")
        children = _children(value)
        if children is not None and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(children)
