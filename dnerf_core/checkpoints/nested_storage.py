"""The torch file nested in a release's byte strings: one storage in torch's legacy format, read without torch.

Layout: five pickles (magic number, format number, system facts, the storage's description, the list of keys), then the element
count as 8 little-endian bytes, then the elements. The pickles go through the same machine as the release, with one global
allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dnerf_core.checkpoints.pickle_machine import Builder, MalformedPickleError, PickleMachine, shown

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_FORMAT_NUMBER = 1001
FLOAT32_BYTES = 4
FLOAT_STORAGE = "torch.FloatStorage"


@dataclass(frozen=True, eq=False)
class StorageRecord:
    """The float32 elements of one storage: `raw` is a view of 4 x `count` little-endian bytes."""

    raw: memoryview
    count: int


class _StorageBuilder:
    """Allows what describes a storage and nothing else."""

    def find_global(self, module: str, name: str) -> Any:
        if f"{module}.{name}" != FLOAT_STORAGE:
            raise MalformedPickleError(f"names the global {shown(f'{module}.{name}')}, expected only {FLOAT_STORAGE}")
        return FLOAT_STORAGE

    def persistent(self, identifier: Any) -> Any:
        return ("persistent", identifier)

    def reduce(self, target: Any, args: Any) -> Any:
        raise MalformedPickleError("calls something, which the description of a storage does not")

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        raise MalformedPickleError("makes an object, which the description of a storage does not")

    def build(self, target: Any, state: Any) -> None:
        raise MalformedPickleError("sets an object's state, which the description of a storage does not")


def read_legacy_pickles(data: memoryview, builder: Builder) -> tuple[Any, list[Any], int]:
    """The description, the list of keys and the byte where the storages begin of a file in torch's legacy format.

    Raises:
        MalformedPickleError: another format (zip or tar included), another byte order, or what `builder` refuses.
    """
    position, values = 0, []
    if bytes(data[:2]) != b"\x80\x02":
        raise MalformedPickleError("is not in torch's legacy format")
    for _ in range(5):
        machine = PickleMachine(data, builder, position)
        values.append(machine.run())
        position = machine.position
    magic, number, system, description, keys = values
    if type(magic) is not int or magic != _MAGIC_NUMBER or type(number) is not int or number != _FORMAT_NUMBER:
        raise MalformedPickleError("is not in torch's legacy format")
    if type(system) is not dict or system.get("little_endian") is not True:
        raise MalformedPickleError("was not written on a little-endian machine")
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise MalformedPickleError("does not list its storages by text")
    return description, keys, position


def read_nested_storage(data: memoryview) -> StorageRecord:
    """The storage in a nested torch file.

    Raises:
        MalformedPickleError: another format (zip or tar included), another element type, a name beyond torch.FloatStorage, or
            fewer or more bytes than the elements take.
    """
    description, keys, position = read_legacy_pickles(data, _StorageBuilder())
    key, count = _described(description)
    if keys != [key]:
        raise MalformedPickleError("does not hold exactly the storage it describes")
    storage, end = take_storage(data, position, count)
    if end != len(data):
        raise MalformedPickleError(f"describes {count} float32 values in {len(data) - position - 8} bytes: truncated or damaged")
    return storage


def take_storage(data: memoryview, position: int, count: int) -> tuple[StorageRecord, int]:
    """The storage of `count` elements that begins with their number at `position`, and the byte after it.

    Raises:
        MalformedPickleError: another number, or fewer bytes than the elements take.
    """
    left = len(data) - position - 8
    stated = int.from_bytes(data[position : position + 8], "little", signed=True)
    if left < 0 or stated != count or left < count * FLOAT32_BYTES:
        raise MalformedPickleError(f"describes {count} float32 values in {max(left, 0)} bytes: truncated or damaged")
    end = position + 8 + count * FLOAT32_BYTES
    return StorageRecord(data[position + 8 : end], count), end


def _described(description: Any) -> tuple[str, int]:
    """Key and element count out of ('storage', FloatStorage, key, device, count, None); the device does not matter."""
    if type(description) is tuple and len(description) == 2 and description[0] == "persistent":
        identifier = description[1]
        if type(identifier) is tuple and [type(part) for part in identifier] == [str, str, str, str, int, type(None)]:
            label, kind, key, _, count, _ = identifier
            if label == "storage" and kind == FLOAT_STORAGE and count >= 0:
                return key, count
    raise MalformedPickleError("does not describe a float32 storage")
