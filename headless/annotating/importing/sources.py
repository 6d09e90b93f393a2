"""What a tool wrote: one file, a folder, or a zip archive as web tools give it. Nothing outside it is opened, and nothing is unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from dnerf_core.errors import AnnotationError, brief

MAX_FILE_BYTES = 2**28
"""Of one file: what 100,000 pictures' outlines take. Larger ones are refused unread."""
MAX_FILES = 200_000


class Source(Protocol):
    """Named files that can be read.

    Attributes:
        path: what the user named.
        names: the files in it, relative to it, with forward slashes, in order.
    """

    path: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            AnnotationError: it cannot be read, is larger than `MAX_FILE_BYTES`, or leads out of what the user named.
        """
        ...

    def shown(self, name: str) -> str:
        """A file's name for messages."""
        ...


def open_source(path: Path) -> Source:
    """What lies at `path`.

    Raises:
        AnnotationError: nothing that can be read, or more files than `MAX_FILES`.
    """
    try:
        if path.is_dir():
            return FolderSource(path)
        with _open_regular(path) as file:
            zipped = file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise _unreadable(str(path), error) from error
    return ZipSource(path) if zipped else FileSource(path)


class FileSource:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: tuple[str, ...] = (path.name,)

    def read(self, name: str) -> bytes:
        return _bytes_of(self.path)

    def shown(self, name: str) -> str:
        return str(self.path)


class FolderSource:
    """The files below a folder; links to other folders are not followed, and what begins with a dot is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = tuple(sorted(self._walk()))

    def _walk(self) -> Iterator[str]:
        count = 0

        def fail(error: OSError) -> None:
            raise error

        for folder, folders, files in os.walk(self.path, onerror=fail):
            folders[:] = [name for name in folders if not name.startswith(".")]
            count += len(files)
            if count > MAX_FILES:
                raise AnnotationError(
                    f"{self.path}: expected at most {MAX_FILES} files, found more; name the folder that the tool wrote"
                )
            for name in files:
                if not name.startswith("."):
                    yield Path(folder, name).relative_to(self.path).as_posix()

    def read(self, name: str) -> bytes:
        return _bytes_of(self.file(name))

    def shown(self, name: str) -> str:
        return str(self.path / name)

    def file(self, name: str) -> Path:
        """Where a file lies.

        Raises:
            AnnotationError: it is a link that leads out of the folder.
        """
        path = self.path / name
        if not is_within(path, self.path):
            raise AnnotationError(f"{path}: expected a file within {self.path}, found a link out of it; copy the file there")
        return path


class ZipSource:
    """The files of a zip archive, each read in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with _open_regular(path) as file, zipfile.ZipFile(file) as archive:
                members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
            raise _unreadable(str(path), error) from error
        if len(members) > MAX_FILES:
            raise AnnotationError(f"{path}: expected at most {MAX_FILES} files, found {len(members)}; is it the tool's archive?")
        self._members = members
        self.names = tuple(sorted(name for name in members if not PurePosixPath(name).name.startswith(".")))

    def read(self, name: str) -> bytes:
        where = self.shown(name)
        try:
            with (
                _open_regular(self.path) as file,
                zipfile.ZipFile(file) as archive,
                archive.open(self._members[name]) as member,
            ):
                return _limited(member.read(MAX_FILE_BYTES + 1), where)  # the archive's own word for its size is not relied on
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
            raise _unreadable(where, error) from error

    def shown(self, name: str) -> str:
        return f"{self.path}: {brief(name)}"


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path, with the links on its way followed, lies below a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, or a name that no system takes
        return False


def _bytes_of(path: Path) -> bytes:
    try:
        with _open_regular(path) as file:
            return _limited(file.read(MAX_FILE_BYTES + 1), str(path))
    except OSError as error:
        raise _unreadable(str(path), error) from error


def _open_regular(path: Path) -> BinaryIO:
    """A regular file; a pipe, which would wait for its writer for ever, is an OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no regular file")
    return os.fdopen(descriptor, "rb")


def _limited(data: bytes, where: str) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise AnnotationError(f"{where}: expected at most {MAX_FILE_BYTES >> 20} MB, found more; export fewer pictures a file")
    return data


def _unreadable(where: str, error: Exception) -> AnnotationError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return AnnotationError(f"{where}: expected annotations, they cannot be read: {' '.join(reason.split())}; correct it")
