"""Opening a file that a user named: it is a regular one, or it is refused at once. A pipe would wait for its writer for ever.

The standard library only, so that the extension can carry it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegularError(OSError):
    """What stands at a path is a pipe, a socket or a device. Readers meet it as any other file that cannot be read."""


def strange_kind(path: Path) -> str | None:
    """What a path is that is neither a regular file nor a folder, in words such as "a named pipe (FIFO)"; None: nothing of the kind.

    Links are followed; what is not there, or cannot be looked at, is for whoever opens it.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return _strange_mode(mode)


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened for reading bytes.

    Raises:
        NotRegularError: it is a pipe, a socket or a device, which is not opened.
        OSError: no such file, a folder, or one that may not be read.
    """
    _check_mode(path, path.stat().st_mode)  # before opening, which has effects on some devices
    # Without waiting: a pipe may have taken the file's place meanwhile.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        _check_mode(path, os.fstat(file).st_mode)
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def read_regular_bytes(path: Path) -> bytes:
    """All bytes of a regular file.

    Raises:
        OSError: as `open_regular`, or reading fails.
    """
    with open_regular(path) as file:
        return file.read()


def read_regular_text(path: Path, encoding: str = "utf-8") -> str:
    """All text of a regular file, line ends as "\\n".

    Raises:
        OSError: as `open_regular`, or reading fails.
        UnicodeDecodeError: bytes that are no text in this encoding.
    """
    text = read_regular_bytes(path).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_mode(path: Path, mode: int) -> None:
    kind = _strange_mode(mode)
    if kind is not None:
        raise NotRegularError(errno.EINVAL, f"expected a regular file, found {kind}", str(path))


def _strange_mode(mode: int) -> str | None:
    return next((words for test, words in _KINDS if test(mode)), None)
