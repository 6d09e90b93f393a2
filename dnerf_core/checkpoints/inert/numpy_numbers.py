"""What numpy pickles beside the weights, as inert records: types, scalars as numbers, and of arrays the shape."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, LongText, MalformedPickleError, shown
from dnerf_core.checkpoints.inert.records import ArrayRecord, GlobalName, is_extent

_NUMBERS = {"f8": "<d", "f4": "<f", "f2": "<e", "i8": "<q", "i4": "<i", "i2": "<h", "i1": "<b"} | {
    **{"u8": "<Q", "u4": "<I", "u2": "<H", "u1": "<B", "b1": "<?"}
}
"""numpy's numbers, each with its layout as `struct` spells it."""


@dataclass(eq=False)
class NumberType:
    """numpy.dtype before and after its state is set: `code` such as "f8", `is_known` once its byte order is."""

    code: str
    is_known: bool = False


def number_type(args: tuple[Any, ...]) -> NumberType:
    """numpy.dtype(code, align, copy)."""
    code = args[0] if args else None
    if type(code) is not str or code not in _NUMBERS:
        raise MalformedPickleError(f"holds a numpy type {shown(code)}, expected one of {sorted(_NUMBERS)}")
    if any(type(flag) not in (bool, int) for flag in args[1:]):
        raise MalformedPickleError("holds a numpy type that is not (code, align, copy)")
    return NumberType(code)


def know(target: NumberType, state: tuple[Any, ...]) -> None:
    """The state of a numpy.dtype: a plain little-endian one."""
    order = "|" if target.code[1:] == "1" else "<"
    if state[1] != order or not all(type(part) in (str, int, type(None)) for part in state):
        raise MalformedPickleError("holds a numpy type that is not a plain little-endian one")
    target.is_known = True


def number(args: tuple[Any, ...]) -> float | int | bool:
    """A numpy scalar of (type, bytes) as a number."""
    if len(args) != 2 or type(args[0]) is not NumberType or not args[0].is_known or type(args[1]) is not memoryview:
        raise MalformedPickleError("holds a numpy scalar that is not (type, bytes)")
    layout = _NUMBERS[args[0].code]
    if len(args[1]) != struct.calcsize(layout):
        raise MalformedPickleError(f"holds a numpy scalar of type {args[0].code} in {len(args[1])} bytes")
    return struct.unpack(layout, args[1])[0]


def array(args: tuple[Any, ...]) -> ArrayRecord:
    """A numpy array before its state is set."""
    is_plain = len(args) == 3 and type(args[0]) is GlobalName and args[0].name == "numpy.ndarray" and is_extent(args[1])
    if not is_plain or type(args[2]) not in (str, memoryview):
        raise MalformedPickleError("holds a numpy array that is not (ndarray, shape, type)")
    return ArrayRecord()


def fill(target: ArrayRecord, state: tuple[Any, ...]) -> None:
    """The state of a numpy array: (version, shape, type, order, bytes)."""
    version, shape, kind, is_fortran, values = state
    if type(version) is not int or type(is_fortran) is not bool or type(values) not in (memoryview, LongText):
        raise MalformedPickleError("holds a numpy array that is not (version, shape, type, order, bytes)")
    _check_array(shape, kind, len(values) if type(values) is memoryview else None)
    target.shape, target.is_built = shape, True


def array_of_buffer(args: tuple[Any, ...]) -> ArrayRecord:
    """A numpy array of (buffer, type, shape, order)."""
    if len(args) != 4 or type(args[0]) is not memoryview or args[3] not in ("C", "F"):
        raise MalformedPickleError("holds a numpy array that is not (buffer, type, shape, order)")
    _check_array(args[2], args[1], len(args[0]))
    return ArrayRecord(args[2], is_built=True)


def _check_array(shape: Any, kind: Any, size: int | None) -> None:
    """Refuses an array whose bytes (None: not counted) do not fit its shape."""
    if not is_extent(shape) or type(kind) is not NumberType or not kind.is_known:
        raise MalformedPickleError("holds a numpy array whose shape or type is not plain")
    count = struct.calcsize(_NUMBERS[kind.code])
    for side in shape:
        count *= side
    if size is not None and count != size:
        raise DamagedPickleError(f"holds a numpy array of {count} bytes in {size}")
