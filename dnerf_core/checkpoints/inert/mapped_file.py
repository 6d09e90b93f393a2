"""A file's bytes mapped read-only, so that what is not wanted of a large file is never read; gzip is unpacked to a nameless file."""

from __future__ import annotations

import gzip
import mmap
import stat
import tempfile
import zlib
from pathlib import Path
from typing import IO, cast

from dnerf_core.errors import CheckpointError

GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED_RATIO = 50
"""Times its size that a gzip file may grow to: weights hardly shrink, so a file that grows more holds none."""

MIN_UNPACKED_LIMIT_BYTES = 256 * 2**20
"""What any gzip file may grow to."""

_CHUNK_BYTES = 4 * 2**20


class _Mapped(mmap.mmap):
    """A mapped file that zipfile takes for a file."""

    def seekable(self) -> bool:
        return True


def file_stem(path: Path) -> str:
    """A file's name without its ending, and without a `.gz` before that."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def map_file(path: Path, expected: str, remedy: str) -> memoryview:
    """The bytes of a file, mapped read-only; the view's `obj` reads and seeks like a file.

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
            return memoryview(_Mapped(file.fileno(), facts.st_size, access=mmap.ACCESS_READ))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"{path}: expected {expected}, cannot read it: {reason}; check the path") from error


def as_file(data: memoryview) -> IO[bytes]:
    """What reads and seeks in the mapped file that a view is of."""
    return cast("IO[bytes]", data.obj)


def unpack_gzip(path: Path, data: memoryview) -> memoryview:
    """The content of a gzip file, in a temporary file without a name that goes when the view does.

    Raises:
        CheckpointError: damaged, empty, larger than weights could be, or no room to unpack it.
    """
    max_bytes = max(MIN_UNPACKED_LIMIT_BYTES, MAX_UNPACKED_RATIO * len(data))
    size = 0
    with tempfile.TemporaryFile() as file:
        try:
            with gzip.GzipFile(fileobj=as_file(data), mode="rb") as packed:
                while chunk := packed.read(_CHUNK_BYTES):
                    size += len(chunk)
                    if size > max_bytes:
                        raise CheckpointError(
                            f"{path}: expected a checkpoint packed by gzip, found one that grows beyond {max_bytes} bytes, as weights "
                            "never do; nothing was written; unpack it yourself if you know what it holds"
                        )
                    file.write(chunk)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CheckpointError(
                f"{path}: expected a whole gzip file, found a damaged one: {error}; get the file again"
            ) from error
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be unpacked in {tempfile.gettempdir()}: {error.strerror or error}; unpack it yourself, and import that"
            ) from error
        if size == 0:
            raise CheckpointError(f"{path}: expected a checkpoint packed by gzip, found an empty one; pass the checkpoint itself")
        file.flush()
        return memoryview(_Mapped(file.fileno(), size, access=mmap.ACCESS_READ))
