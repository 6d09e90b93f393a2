"""The torch file nested in a release's byte strings: one storage in torch's legacy format, read without torch.

Layout: five pickles (magic number, format number, system facts, the storage's description, the list of keys), then the element
count as 8 little-endian bytes, then the elements. The pickles go through the same machine as the release, with no global
allowed but the types of storages.
"""

from __future__ import annotations

from typing import Any

from dnerf_core.checkpoints.inert.pickle_machine import Builder, DamagedPickleError, MalformedPickleError, PickleMachine, shown
from dnerf_core.checkpoints.inert.records import ELEMENTS, Element, StorageRecord

MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The opcodes of torch's magic number and the end of its pickle, which begin every file of the legacy format."""

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_FORMAT_NUMBER = 1001


class _StorageBuilder:
    """Allows what describes a storage and nothing else."""

    def find_global(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in ELEMENTS:
            raise MalformedPickleError(f"names the global {shown(full)}, expected only a storage such as torch.FloatStorage")
        return ELEMENTS[full]

    def persistent(self, identifier: Any) -> Any:
        return ("persistent", identifier)

    def reduce(self, target: Any, args: Any) -> Any:
        raise MalformedPickleError("calls something, which the description of a storage does not")

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        raise MalformedPickleError("makes an object, which the description of a storage does not")

    def build(self, target: Any, state: Any) -> None:
        raise MalformedPickleError("sets an object's state, which the description of a storage does not")


def is_legacy(data: memoryview) -> bool:
    """Whether a file begins as torch's legacy format does, in any protocol."""
    return data[:1] == b"\x80" and MAGIC in bytes(data[:32])


def read_legacy_pickles(data: memoryview, builder: Builder) -> tuple[Any, list[Any], int]:
    """The description, the list of keys and the byte where the storages begin of a file in torch's legacy format.

    Raises:
        MalformedPickleError: another format (zip or tar included), another byte order, or what `builder` refuses.
    """
    position, values = 0, []
    if not is_legacy(data):
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
        MalformedPickleError: another format (zip or tar included), an unknown type of storage or any other name, or fewer or more
            bytes than the elements take.
    """
    description, keys, position = read_legacy_pickles(data, _StorageBuilder())
    key, element, count = _described(description)
    if keys != [key]:
        raise MalformedPickleError("does not hold exactly the storage it describes")
    raw, end = take_storage(data, position, element, count)
    if end != len(data):
        raise DamagedPickleError(
            f"describes {count} {element.name} values in {len(data) - position - 8} bytes: truncated or damaged"
        )
    return StorageRecord(element, count, lambda: raw)


def take_storage(data: memoryview, position: int, element: Element, count: int) -> tuple[memoryview, int]:
    """The bytes of a storage of `count` elements that begins with their number at `position`, and the byte after it.

    Raises:
        MalformedPickleError: another number, or fewer bytes than the elements take.
    """
    left = len(data) - position - 8
    stated = int.from_bytes(data[position : position + 8], "little", signed=True)
    if left < 0 or stated != count or left < count * element.bytes:
        raise DamagedPickleError(f"describes {count} {element.name} values in {max(left, 0)} bytes: truncated or damaged")
    end = position + 8 + count * element.bytes
    return data[position + 8 : end], end


def _described(description: Any) -> tuple[str, Element, int]:
    """Key, type and element count out of ('storage', type, key, device, count, None); the device does not matter."""
    if type(description) is tuple and len(description) == 2 and description[0] == "persistent":
        identifier = description[1]
        if type(identifier) is tuple and [type(part) for part in identifier] == [str, Element, str, str, int, type(None)]:
            label, element, key, _, count, _ = identifier
            if label == "storage" and count >= 0:
                return key, element, count
    raise MalformedPickleError("does not describe a storage")
