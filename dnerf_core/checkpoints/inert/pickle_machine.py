"""A small interpreter for the pickle opcodes that a release needs: it builds inert data, and calls nothing that a file names.

Python's own unpickler is not used. Every length is compared with the bytes that are left before anything is made from it, every
name goes to a `Builder` that knows a closed list, and opcodes, text and depth are bounded, so a hostile file costs one message.
The opcodes are those of Python's `pickletools` documentation.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

MAX_OPCODES = 2_000_000
"""A release of 250 MB has some twenty thousand opcodes: its bulk lies in a few hundred byte strings."""

MAX_TEXT_BYTES = 64 * 2**20
"""All strings of a release, its source text included, take less than 1 MiB."""

LONG_TEXT_BYTES = 64 * 2**10
"""Longer strings stay undecoded in the file: source text, which nobody reads, and what protocol 2 makes of a storage's bytes."""

MAX_INTEGER_BYTES = 32
"""A training state may hold 128-bit numbers of a random generator."""

MAX_NAME_BYTES = 512
_SCALARS = (str, int, float, bool, type(None))


class MalformedPickleError(Exception):
    """The bytes are not what a checkpoint holds; the message is one line without the file's name."""


class DamagedPickleError(MalformedPickleError):
    """The bytes are cut short or changed: another copy of the file may be whole."""


@dataclass(frozen=True, eq=False)
class LongText:
    """A string of more than LONG_TEXT_BYTES, as the UTF-8 bytes that lie in the file; not checked to be UTF-8."""

    raw: memoryview


class Builder(Protocol):
    """What an opcode that would call something does instead. Every method returns inert data or raises MalformedPickleError."""

    def find_global(self, module: str, name: str) -> Any:
        """The stand-in of the global `module.name`."""

    def reduce(self, target: Any, args: Any) -> Any:
        """Stands for `target(*args)`."""

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        """Stands for `target.__new__(target, *args, **named)`; `named` is None where the opcode takes none."""

    def build(self, target: Any, state: Any) -> None:
        """Stands for `target.__setstate__(state)`."""

    def persistent(self, identifier: Any) -> Any:
        """Stands for `persistent_load(identifier)`."""


def shown(text: object) -> str:
    """A name or scalar out of an untrusted file, for a message: quoted, ASCII, one line, at most 83 characters.

    A container shows its type alone: its text could be exponentially longer than the file.
    """
    if not isinstance(text, str | int | float | None):
        return f"a {type(text).__name__}"
    quoted = ascii(text) if not isinstance(text, int) or text.bit_length() < 256 else "a huge integer"
    return quoted if len(quoted) <= 80 else quoted[:80] + "..."


def _is_key(value: Any) -> bool:
    # Only scalars and flat tuples of them are hashed: the hash of nested tuples recurses in C, as deep as the file says.
    return type(value) in _SCALARS or (type(value) is tuple and all(type(part) in _SCALARS for part in value))


def checked_set(items: Any) -> set[Any]:
    """A set of scalars.

    Raises:
        MalformedPickleError: `items` is no list of them.
    """
    if type(items) not in (list, tuple) or not all(type(item) in _SCALARS for item in items):
        raise MalformedPickleError("is damaged or hostile: a set holds something other than text and numbers")
    return set(items)


class PickleMachine:
    """Reads one pickle out of `data`, beginning at `start`. After `run`, `position` is the byte after its STOP opcode."""

    def __init__(self, data: memoryview, builder: Builder, start: int = 0) -> None:
        self.data, self.builder, self.start, self.position = data, builder, start, start
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.text_bytes = 0

    def run(self) -> Any:
        """The one value that the pickle makes.

        Raises:
            MalformedPickleError: truncated, damaged, a name that is not on the builder's list, or an opcode no release uses.
        """
        for _ in range(MAX_OPCODES):
            opcode = self._take(1)[0]
            if opcode == ord("."):
                if len(self.stack) != 1 or self.marks:
                    raise DamagedPickleError(f"is damaged: it stops with {len(self.stack)} values, expected 1")
                return self.stack.pop()
            handler = _HANDLERS.get(opcode)
            if handler is None:
                raise MalformedPickleError(f"is damaged or hostile: {_opcode_name(opcode)} at byte {self.position - 1}")
            handler(self)
        raise MalformedPickleError(f"has more than {MAX_OPCODES} opcodes, a release has some twenty thousand")

    # Bytes

    def _take(self, count: int) -> memoryview:
        left = len(self.data) - self.position
        if count > left:
            raise DamagedPickleError(f"is truncated or damaged: {count} bytes claimed at byte {self.position}, {left} are left")
        piece = self.data[self.position : self.position + count]
        self.position += count
        return piece

    def _unsigned(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _line(self) -> str:
        # A GLOBAL's two names are lines; a long one is damage, so the search for its end stays short.
        piece = bytes(self.data[self.position : self.position + MAX_NAME_BYTES])
        end = piece.find(b"\n")
        if end < 0:
            raise DamagedPickleError(f"is truncated or damaged: no end to the name at byte {self.position}")
        self.position += end + 1
        return self._decoded(piece[:end])

    def _text(self, width: int) -> str | LongText:
        count, left = self._unsigned(width), len(self.data) - self.position
        if count > left:
            raise DamagedPickleError(
                f"is truncated or damaged: {count} bytes of text claimed at byte {self.position}, {left} are left"
            )
        if count > LONG_TEXT_BYTES:
            return LongText(self._take(count))
        self.text_bytes += count
        if self.text_bytes > MAX_TEXT_BYTES:
            raise MalformedPickleError(f"holds or claims more than {MAX_TEXT_BYTES} bytes of text, a release has less than 1 MiB")
        return self._decoded(bytes(self._take(count)))

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedPickleError(f"is damaged: the text before byte {self.position} is not UTF-8") from error

    # Stack

    def _pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise DamagedPickleError(f"is damaged: at byte {self.position} a value is missing")
        return self.stack.pop()

    def _pop_many(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self._pop() for _ in range(count)]))

    def _pop_mark(self) -> list[Any]:
        if not self.marks:
            raise DamagedPickleError(f"is damaged: at byte {self.position} a mark is missing")
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def _top(self, kind: type) -> Any:
        value = self._pop()
        if type(value) is not kind:
            raise DamagedPickleError(f"is damaged: {type(value).__name__} at byte {self.position}, expected a {kind.__name__}")
        self.stack.append(value)
        return value

    def _set_items(self, items: list[Any]) -> None:
        target = self._top(dict)
        if len(items) % 2:
            raise DamagedPickleError(f"is damaged: at byte {self.position} a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not _is_key(key):
                raise MalformedPickleError(
                    f"is damaged or hostile: at byte {self.position} a {type(key).__name__} is a dictionary's key"
                )
            target[key] = value

    # Opcodes

    def _proto(self) -> None:
        version = self._unsigned(1)
        if self.position != self.start + 2 or not 2 <= version <= 5:
            raise DamagedPickleError(f"is damaged: protocol {version} at byte {self.position - 2}, expected 2 to 5 at the start")

    def _frame(self) -> None:
        count, left = self._unsigned(8), len(self.data) - self.position
        if count > left:
            raise DamagedPickleError(
                f"is truncated or damaged: a frame of {count} bytes at byte {self.position}, {left} are left"
            )

    def _integer(self) -> None:
        count = self._unsigned(1)
        if count > MAX_INTEGER_BYTES:
            raise DamagedPickleError(f"is damaged: at byte {self.position} an integer of {count} bytes")
        self.stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _add_items(self) -> None:
        items = self._pop_mark()
        self._top(set).update(checked_set(items))

    def _memo_put(self, index: int) -> None:
        value = self._pop()
        self.stack.append(value)
        self.memo[index] = value

    def _memo_get(self, index: int) -> None:
        if index not in self.memo:
            raise DamagedPickleError(f"is damaged: at byte {self.position} it reads the memo {index}, which was never set")
        self.stack.append(self.memo[index])

    def _stack_global(self) -> None:
        module, name = self._pop_many(2)
        if type(module) is not str or type(name) is not str:
            raise DamagedPickleError(f"is damaged: at byte {self.position} a global is not named by text")
        self.stack.append(self.builder.find_global(module, name))

    def _set_item(self) -> None:
        self._set_items(list(self._pop_many(2)))

    def _append(self) -> None:
        value = self._pop()
        self._top(list).append(value)

    def _appends(self) -> None:
        items = self._pop_mark()
        self._top(list).extend(items)

    def _global(self) -> None:
        module, name = self._line(), self._line()
        self.stack.append(self.builder.find_global(module, name))

    def _instance(self) -> None:
        module, name = self._line(), self._line()
        self.builder.find_global(module, name)
        raise MalformedPickleError(f"is damaged or hostile: opcode INST before byte {self.position}")

    def _reduce(self) -> None:
        target, args = self._pop_many(2)
        self.stack.append(self.builder.reduce(target, args))

    def _new_object(self) -> None:
        target, args = self._pop_many(2)
        self.stack.append(self.builder.new_object(target, args))

    def _new_object_named(self) -> None:
        target, args, named = self._pop_many(3)
        self.stack.append(self.builder.new_object(target, args, named))

    def _build(self) -> None:
        state = self._pop()
        target = self._pop()
        self.builder.build(target, state)
        self.stack.append(target)

    def _persistent(self) -> None:
        self.stack.append(self.builder.persistent(self._pop()))


def _opcode_name(opcode: int) -> str:
    return next((f"opcode {op.name}" for op in pickletools.opcodes if ord(op.code) == opcode), f"unknown opcode {opcode:#04x}")


def _push(make: Callable[[PickleMachine], Any]) -> Callable[[PickleMachine], None]:
    return lambda machine: machine.stack.append(make(machine))


def _do(act: Callable[[PickleMachine], None]) -> Callable[[PickleMachine], None]:
    return act


_BY_NAME: dict[str, Callable[[PickleMachine], None]] = {
    "PROTO": PickleMachine._proto,
    "FRAME": PickleMachine._frame,
    "MARK": _do(lambda m: m.marks.append(len(m.stack))),
    "NONE": _push(lambda m: None),
    "NEWTRUE": _push(lambda m: True),
    "NEWFALSE": _push(lambda m: False),
    "BININT": _push(lambda m: int.from_bytes(m._take(4), "little", signed=True)),
    "BININT1": _push(lambda m: m._unsigned(1)),
    "BININT2": _push(lambda m: m._unsigned(2)),
    "LONG1": PickleMachine._integer,
    "BINFLOAT": _push(lambda m: struct.unpack(">d", m._take(8))[0]),
    "SHORT_BINUNICODE": _push(lambda m: m._text(1)),
    "BINUNICODE": _push(lambda m: m._text(4)),
    "BINUNICODE8": _push(lambda m: m._text(8)),
    # Strings that Python 2 wrote, as the oldest files of weights have them.
    "SHORT_BINSTRING": _push(lambda m: m._text(1)),
    "BINSTRING": _push(lambda m: m._text(4)),
    # A view, not a copy: the weights stay in the mapped file until they are wanted.
    "BYTEARRAY8": _push(lambda m: m._take(m._unsigned(8))),
    "SHORT_BINBYTES": _push(lambda m: m._take(m._unsigned(1))),
    "BINBYTES": _push(lambda m: m._take(m._unsigned(4))),
    "BINBYTES8": _push(lambda m: m._take(m._unsigned(8))),
    "EMPTY_DICT": _push(lambda m: {}),
    "EMPTY_LIST": _push(lambda m: []),
    "EMPTY_SET": _push(lambda m: set()),
    "EMPTY_TUPLE": _push(lambda m: ()),
    "TUPLE": _push(lambda m: tuple(m._pop_mark())),
    "TUPLE1": _push(lambda m: m._pop_many(1)),
    "TUPLE2": _push(lambda m: m._pop_many(2)),
    "TUPLE3": _push(lambda m: m._pop_many(3)),
    "SETITEM": PickleMachine._set_item,
    "SETITEMS": _do(lambda m: m._set_items(m._pop_mark())),
    "APPEND": PickleMachine._append,
    "APPENDS": PickleMachine._appends,
    "ADDITEMS": PickleMachine._add_items,
    "MEMOIZE": _do(lambda m: m._memo_put(len(m.memo))),
    "BINPUT": _do(lambda m: m._memo_put(m._unsigned(1))),
    "LONG_BINPUT": _do(lambda m: m._memo_put(m._unsigned(4))),
    "BINGET": _do(lambda m: m._memo_get(m._unsigned(1))),
    "LONG_BINGET": _do(lambda m: m._memo_get(m._unsigned(4))),
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "INST": PickleMachine._instance,
    "REDUCE": PickleMachine._reduce,
    "NEWOBJ": PickleMachine._new_object,
    "NEWOBJ_EX": PickleMachine._new_object_named,
    "BUILD": PickleMachine._build,
    "BINPERSID": PickleMachine._persistent,
}

_HANDLERS = {ord(op.code): _BY_NAME[op.name] for op in pickletools.opcodes if op.name in _BY_NAME}
