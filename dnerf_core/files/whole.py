"""Files that appear whole or not at all: written under a temporary name in the same folder, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..errors import OutputError

_TEMPORARY = re.compile(r"\.tmp-[0-9]{1,10}-(.+)", re.DOTALL)
"""A temporary file's name: a number that no other writer has drawn, and the name it will have."""

_FORMER_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)
"""What model and subject files were called by earlier versions while they were written; a killed one left it for good."""

_REMEDIES = {
    errno.ENOSPC: "free some space on that disk and repeat the command",
    errno.EDQUOT: "free some of your quota on that disk and repeat the command",
    errno.EROFS: "choose a folder you can write to",
    errno.EACCES: "choose a folder you can write to",
    errno.EPERM: "choose a folder you can write to",
}


Listener = Callable[[Path, str], None]
"""Hears of a file that is about to appear: its path, and its sha256 as 64 hexadecimal digits."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def files_told(listener: Listener) -> Iterator[None]:
    """For the length of the block `listener` hears of every file that this context writes whole, before it appears.

    Threads that are given the context tell it, too. Bytes in memory are hashed there, other files are read once more.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write a file at; when the block ends well, the file takes the place of `path` in one step.

    Args:
        path: the final name; its folder exists.

    Raises:
        OutputError: a folder has that name, or the block or the step failed with OSError; nothing is left behind.
    """
    with _whole_file(path, _sha256) as temporary:
        yield temporary
        _sync(temporary)


@contextmanager
def _whole_file(path: Path, sha256: Callable[[Path], str]) -> Iterator[Path]:
    """`whole_file` of a block that syncs what it writes, with what tells the sum of the file that has been written at a path."""
    if path.is_dir():
        raise OutputError(f"{path}: expected a file to write, found a folder; give the output a file name")
    temporary = _temporary_name(path)
    try:
        yield temporary
        if (listener := _listener.get()) is not None:
            listener(path, sha256(temporary))
        os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        _remove_quietly(temporary)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill the file at the name it is given, which then takes the place of `path`; see `whole_file`."""
    with whole_file(path) as temporary:
        write(temporary)


def write_bytes_whole(path: Path, data: bytes) -> None:
    """`write_whole` of bytes in memory."""

    with _whole_file(path, lambda _: hashlib.sha256(data).hexdigest()) as temporary, temporary.open("wb", buffering=0) as file:
        left = memoryview(data)
        while left:  # an unbuffered write may take a part
            left = left[file.write(left) :]
        os.fsync(file.fileno())


def check_writable(path: Path, size_bytes: int = 1) -> None:
    """Make sure that `path` can be written before the work that would fill it: by a file of that size beside it, removed again.

    Temporary files for `path` that a killed run left are removed too.

    Raises:
        OutputError: it cannot.
    """
    remove_files(leftovers(path.parent, path.name.__eq__))
    temporary = _temporary_name(path)
    block = bytes(2**20)
    try:
        with temporary.open("wb") as file:
            for start in range(0, size_bytes, len(block)):
                file.write(block[: size_bytes - start])
        _sync(temporary)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        _remove_quietly(temporary)


def make_folder(path: Path) -> None:
    """Make `path` and its parents where they are missing.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def temporary_for(name: str) -> str | None:
    """The final name of the file that `name` is a temporary file of; None where it is none."""
    match = _TEMPORARY.fullmatch(name) or _FORMER_TEMPORARY.fullmatch(name)
    return None if match is None else match[1]


def leftovers(folder: Path, is_ours: Callable[[str], object]) -> list[Path]:
    """The temporary files in `folder`, which may be missing, that an interrupted run left.

    Args:
        is_ours: true of the final name of a file that this program writes there; temporary files of others are left alone.

    Raises:
        OutputError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise output_error(folder, error) from error
    finals = [(name, temporary_for(name)) for name in files]
    return [folder / name for name, final in finals if final is not None and is_ours(final)]


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files; one that is gone already is no matter.

    Raises:
        OutputError: one cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """The one line for an operating system's refusal to write `path`."""
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "choose another place, or remove what is in the way")
    return OutputError(f"{path}: expected to write this file or folder, the system says: {reason}; {remedy}")


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".tmp-{secrets.randbelow(10**10):010d}-{path.name}")


def sync_folder(path: Path) -> None:
    """Make sure that the names in a folder, those of files just renamed too, outlast a power cut. Windows opens no folder."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove_quietly(path: Path) -> None:
    """Remove what a failed write left; a second failure must not hide the first."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
