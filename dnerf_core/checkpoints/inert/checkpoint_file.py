"""Opens a file that may hold a generator, whoever wrote it, as inert data: nothing of it is executed.

Read are Python pickles of protocol 2 or later, what torch.save wrote (zip or legacy), .safetensors, and any of them packed by gzip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnerf_core.backbone.registry import family_titles
from dnerf_core.checkpoints.inert.builder import InertBuilder
from dnerf_core.checkpoints.inert.mapped_file import GZIP_MAGIC, map_file, unpack_gzip
from dnerf_core.checkpoints.inert.nested_storage import is_legacy
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError, PickleMachine, shown
from dnerf_core.checkpoints.inert.records import ForeignRecord, ModuleRecord
from dnerf_core.checkpoints.inert.safetensors_state import is_safetensors, read_safetensors
from dnerf_core.checkpoints.inert.torch_file import ZIP_MAGIC, read_legacy, read_zip
from dnerf_core.errors import CheckpointError

MAX_DEPTH = 64
"""A release nests 30 deep; deeper data is refused before anything walks it."""

_DAMAGED = "nothing was executed or written; get the file again from where it came"
_OTHER = "nothing was executed or written; save the generator's state dict alone, by torch.save(G_ema.state_dict(), ..), and import that"

_PACKED = (
    (b"\xfd7zXZ\x00", 0, "a file packed by xz"),
    (b"BZh", 0, "a file packed by bzip2"),
    (b"\x28\xb5\x2f\xfd", 0, "a file packed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive"),
    (b"Rar!", 0, "a RAR archive"),
    (b"ustar", 257, "a tar archive"),
)
"""Magic bytes, where they stand, and what they mean: what is to be unpacked first."""

_TEXTS = (
    (b"<", "a web page in place of the file; download the file itself"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file; fetch the file itself, by git lfs pull"),
    (b"{", "JSON; pass the checkpoint itself, and settings by --config"),
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a file: dictionaries, lists, tuples, scalars and the records of `inert_records`; `form` as a message names it."""

    tree: Any
    form: str


def read_checkpoint(path: Path) -> Checkpoint:
    """The content of a checkpoint.

    The file stays mapped for as long as a tensor of it is kept.

    Raises:
        CheckpointError: the file holds no checkpoint, or is damaged; the message names what was found.
    """
    expected = f"a checkpoint of {family_titles()} (.pkl, .pth, .pt)"
    data = map_file(path, expected, "nothing was written; get the file again from where it came")
    if data[:2] == GZIP_MAGIC:
        data = unpack_gzip(path, data)
    if is_safetensors(data):
        return Checkpoint(read_safetensors(path, data), "a .safetensors file")
    other_format = _other_format(data)
    if other_format:
        raise CheckpointError(f"{path}: expected {expected}, found {other_format}")
    try:
        opened = _read(data)
        _check_depth(opened.tree)
    except MalformedPickleError as error:
        raise refusal(path, error) from error
    return opened


def refusal(path: Path, error: MalformedPickleError) -> CheckpointError:
    """The one line about a file that cannot be read, with the remedy for its cause: a whole file need not be had again."""
    return CheckpointError(f"{path}: {error}; {_DAMAGED if isinstance(error, DamagedPickleError) else _OTHER}")


def _read(data: memoryview) -> Checkpoint:
    if data[:4] == ZIP_MAGIC:
        return Checkpoint(read_zip(data), "a file of torch.save")
    if is_legacy(data):
        return Checkpoint(read_legacy(data), "a file of torch.save")
    machine = PickleMachine(data, InertBuilder())
    tree = machine.run()
    if machine.position != len(data):
        raise DamagedPickleError(f"has {len(data) - machine.position} bytes after its end")
    return Checkpoint(tree, "a pickle")


def _other_format(data: memoryview) -> str | None:
    head = bytes(data[:512]).removeprefix(b"\xef\xbb\xbf")
    if head[0] == 0x80 or head[:4] == ZIP_MAGIC:
        return None
    for magic, place, what in _PACKED:
        if head[place:].startswith(magic):
            return f"{what}; unpack it and pass what is inside"
    if all(byte in b"\t\n\r\f\x1b" or 32 <= byte < 127 for byte in head):
        stripped = head.lstrip()
        return next(
            (f"text: {what}" for start, what in _TEXTS if stripped.startswith(start)),
            "text, perhaps a pickle of protocol 0, which is not read; save it by protocol 2 or later",
        )
    return f"bytes that begin {head[:4].hex(' ')}; pass the file that the training wrote"


def _children(value: Any) -> Iterable[Any] | None:
    """What a container holds, keys aside (they are scalars); None of anything else."""
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
            raise MalformedPickleError(f"is nested deeper than {MAX_DEPTH}, which no generator's checkpoint is")
        seen.add(id(value))
        waiting.extend((child, depth + 1) for child in children)


def check_own(network: Any, name: str) -> None:
    """Refuses a foreign record anywhere below a network: nothing that is imported may rest on a class of unknown meaning.

    Raises:
        MalformedPickleError: there is one.
    """
    seen: set[int] = set()
    waiting = [network]
    while waiting:
        value = waiting.pop()
        if type(value) is ForeignRecord:
            raise MalformedPickleError(f"holds {shown(value.name)} inside {name}, which no generator's checkpoint does")
        children = _children(value)
        if children is not None and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(children)
