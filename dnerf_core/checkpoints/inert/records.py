"""What a checkpoint's pickle becomes when nothing of it is executed: records of modules, tensors, arrays and classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError


@dataclass(frozen=True)
class Element:
    """The type of a storage's values: its name, and how they lie in the file (bfloat16 as the upper half of a float32)."""

    name: str
    stored: np.dtype

    @property
    def bytes(self) -> int:
        """Bytes of one value."""
        return self.stored.itemsize


ELEMENTS: dict[str, Element] = {
    f"torch.{kind}Storage": Element(name, np.dtype(stored))
    for kind, name, stored in (
        ("Float", "float32", "<f4"),
        ("Double", "float64", "<f8"),
        ("Half", "float16", "<f2"),
        ("BFloat16", "bfloat16", "<u2"),
        ("Long", "int64", "<i8"),
        ("Int", "int32", "<i4"),
        ("Short", "int16", "<i2"),
        ("Char", "int8", "i1"),
        ("Byte", "uint8", "u1"),
        ("Bool", "bool", "u1"),
    )
}
"""By the name of torch's storage class."""


@dataclass(frozen=True, eq=False)
class StorageRecord:
    """The values of one storage. `load` gives their `count` x `element.bytes` little-endian bytes, read when they are wanted."""

    element: Element
    count: int
    load: Callable[[], memoryview]

    @property
    def raw(self) -> memoryview:
        """The bytes."""
        return self.load()


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """A strided view into a storage, its bounds already checked."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> str:
        """Such as "float32"."""
        return self.storage.element.name

    def to_array(self) -> np.ndarray:
        """A copy as a contiguous float32 array of shape `shape`, whatever the storage holds."""
        element = self.storage.element
        strides = tuple(element.bytes * step for step in self.stride)
        view: np.ndarray = np.ndarray(self.shape, element.stored, self.storage.raw, element.bytes * self.offset, strides)
        if element.name == "bfloat16":
            wide: np.ndarray = np.empty(self.shape, "<u4")
            wide[...] = view
            wide <<= np.uint32(16)  # not an int, which numpy 1 would widen to
            return wide.view("<f4")
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which the reader of weights refuses
            return view.astype(np.float32, order="C", copy=True)


@dataclass(eq=False)
class ModuleRecord:
    """An object of the checkpoint: a persistent one or a plain module. `state` is its attribute dictionary."""

    class_name: str
    state: dict[Any, Any] = field(default_factory=dict)
    is_built: bool = False


@dataclass(frozen=True)
class GlobalName:
    """A name of the closed list, such as "torch._utils._rebuild_tensor_v2", where a pickle has a function or a class."""

    name: str


@dataclass(frozen=True)
class ForeignRecord:
    """A class that the generator does not need, or whatever was made of it: the class's name, nothing else."""

    name: str


@dataclass(eq=False)
class ArrayRecord:
    """A numpy array that lies beside the weights: nothing of it is kept but its shape."""

    shape: tuple[int, ...] = ()
    is_built: bool = False


def tensor_record(storage: StorageRecord, offset: Any, shape: Any, stride: Any) -> TensorRecord:
    """A tensor over a storage, once its numbers are known to be such and to stay inside.

    Raises:
        MalformedPickleError: they are not.
    """
    if type(offset) is not int or not is_extent(shape) or not is_extent(stride) or len(shape) != len(stride) or offset < 0:
        raise MalformedPickleError("holds a tensor whose offset, shape or stride is not made of non-negative integers")
    count = 1
    for side in shape:
        count *= side
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True)) if count else 0
    if count > storage.count or (count and last >= storage.count):
        raise DamagedPickleError(f"holds a tensor of {count} values that reaches beyond its storage of {storage.count}")
    return TensorRecord(storage, offset, shape, stride)


def is_extent(value: Any) -> bool:
    """Whether a value is a tuple of at most 8 sizes."""
    return type(value) is tuple and len(value) <= 8 and all(type(n) is int and 0 <= n < 2**40 for n in value)
