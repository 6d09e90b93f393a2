"""Text files that users bring: JSON, lists and tables, whichever program wrote them (standard library only)."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from dnerf_core.errors import DNeRFError, UsageError
from dnerf_core.files.opening.regular_files import read_regular_bytes

MAX_BYTES = 2 * 2**30
"""Of a file that is read whole: some million lines."""

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_user_text(
    path: str | Path, kind: str, remedy: str = "correct it", error: type[DNeRFError] = UsageError, option: str = ""
) -> str:
    """The text of a file, UTF-8, or UTF-16 with its mark; a byte order mark, which editors on Windows write, is no part of it.

    Args:
        path: of a plain file; a pipe, which would be waited for, is refused before it is opened.
        kind: what the file should be, for errors: "a cameras file".
        remedy: what to do about a file that cannot be read, for errors.
        error: the class of them.
        option: that names the file, for errors; "": none does.

    Raises:
        DNeRFError: of the class `error`; no such file, no plain one, one of more than `MAX_BYTES`, or bytes that are no text.
    """
    path = Path(path)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            if status.st_size <= MAX_BYTES:
                return decoded_text(read_regular_bytes(path))
            reason = f"{status.st_size / 2**30:.1f} GiB, of {MAX_BYTES // 2**30} at most"
        else:
            reason = "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no plain file"
    except OSError as fault:
        reason = fault.strerror or str(fault)
    except (UnicodeDecodeError, ValueError) as fault:  # ValueError: a path with a null character
        reason = "bytes that are no text" if isinstance(fault, UnicodeDecodeError) else str(fault)
    where = f"{option} {path}" if option else str(path)
    raise error(f"{where}: expected {kind}, it cannot be read: {reason}; {remedy}")


def decoded_text(data: bytes) -> str:
    """The text of a file's bytes; see `read_user_text`.

    Raises:
        UnicodeDecodeError: they are no text.
    """
    return data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig")
