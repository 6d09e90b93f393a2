"""Check sums of a folder of results, kept as its files are written: `checksums.sha256`, which `sha256sum --check` reads, too.

While calls are at work each process appends a line before a file appears to a hidden journal of its own, so that a killed one loses
none; the call that ends with the folder complete sorts them all into `checksums.sha256`. Of a name that is recorded twice the later sum
counts. Neither takes memory by the number of files.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from threading import Lock

from dnerf_core.files.whole import leftovers, output_error, remove_files, write_whole
from headless.work.at_work import hold, is_held

SUMS_NAME = "checksums.sha256"
GONE = "0" * 64
"""Stands for the sum of a file that is no longer there and is not missed."""

_JOURNAL = re.compile(r"\.checksums-[0-9]{20}-[0-9a-f]{8}\.journal")
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
_TRAILER = "# sha256 of the lines above: "
_CHUNK = 50_000
"""Entries that are sorted in memory at once."""

Entry = tuple[str, str]
"""A file's name relative to the folder, and its sha256 as hexadecimal digits."""


class Journal:
    """What one process writes of the sums of its files in a folder; the file is made with the first of them."""

    def __init__(self, folder: Path, is_recorded: Callable[[str], bool]) -> None:
        """`is_recorded`: of a name relative to the folder; the others may change, and have no sum."""
        self._folder, self._is_recorded = folder, is_recorded
        self._path = folder / f".checksums-{time.time_ns():020d}-{secrets.token_hex(4)}.journal"
        self._descriptor: int | None = None
        self._lock = Lock()

    def add(self, path: Path, sha256: str) -> None:
        """Record a file, if it lies in the folder; to be called by any thread.

        Raises:
            OSError: it cannot be written.
        """
        if not path.is_relative_to(self._folder):
            return
        name = path.relative_to(self._folder).as_posix()
        if self._is_recorded(name):
            self.note(name, sha256)

    def note(self, name: str, sha256: str) -> None:
        """Record a sum by the file's name.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                hold(self._descriptor)
            os.write(self._descriptor, f"{sha256}  {name}\n".encode())

    def close(self) -> None:
        """Let others take the journal in; what is added later opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


def is_sums_name(name: str) -> bool:
    """Whether a file's name is that of sums, or of a journal of them."""
    return name == SUMS_NAME or _JOURNAL.fullmatch(name) is not None


def journals(folder: Path) -> list[Path]:
    """The journals that have not been taken in, the earliest first."""
    return sorted(folder / name for name in os.listdir(folder) if _JOURNAL.fullmatch(name))


def recorded(folder: Path) -> Iterator[Entry]:
    """The sums of a folder, taken in or not, by name; none where there are none. Lines that are no sums are passed over."""
    paths = [folder / SUMS_NAME] if (folder / SUMS_NAME).exists() else []
    entries = chain.from_iterable(_read(path) for path in [*paths, *journals(folder)])
    with ExitStack() as stack:
        latest: Entry | None = None
        for entry in heapq.merge(
            *_sorted_runs(entries, stack), key=itemgetter(0)
        ):  # of equal names in the order that they came in
            if latest is not None and entry[0] != latest[0] and latest[1] != GONE:
                yield latest
            latest = entry
        if latest is not None and latest[1] != GONE:
            yield latest


def take_in(folder: Path) -> None:
    """Sort all that is recorded into `checksums.sha256`, and remove the journals that nobody writes any more; for one process at a time.

    Raises:
        OutputError: it cannot be written.
    """

    def write(temporary: Path) -> None:
        sums = hashlib.sha256()
        with temporary.open("wb") as file:
            for name, sha256 in recorded(folder):
                line = f"{sha256}  {name}\n".encode()
                sums.update(line)
                file.write(line)
            file.write(f"{_TRAILER}{sums.hexdigest()}\n".encode())

    try:
        taken = [path for path in journals(folder) if not is_held(path)]
    except OSError as error:
        raise output_error(folder, error) from error
    remove_files(leftovers(folder, SUMS_NAME.__eq__))
    write_whole(folder / SUMS_NAME, write)
    remove_files(taken)


def count(folder: Path) -> int:
    """About how many files are recorded."""
    paths = [folder / SUMS_NAME] if (folder / SUMS_NAME).exists() else []
    return sum(1 for path in [*paths, *journals(folder)] for _ in path.open("rb"))


def are_whole(folder: Path) -> bool:
    """Whether `checksums.sha256` is as it was written, or is not there."""
    sums = hashlib.sha256()
    with suppress(FileNotFoundError), (folder / SUMS_NAME).open("rb") as file:
        for line in file:
            if line.startswith(_TRAILER.encode()):
                return line == f"{_TRAILER}{sums.hexdigest()}\n".encode() and not file.read(1)
            sums.update(line)
        return False
    return True


def file_sha256(path: Path) -> str:
    """The sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Iterator[Entry]:
    """The sums of one file; a line that a killed process left unfinished is none."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            if match := _LINE.fullmatch(line):
                yield match[2], match[1]


def _sorted_runs(entries: Iterator[Entry], stack: ExitStack) -> list[Iterable[Entry]]:
    """The entries as runs sorted by name, all but the last in temporary files, which the stack closes."""
    runs: list[Iterable[Entry]] = []
    while chunk := sorted(islice(entries, _CHUNK), key=itemgetter(0)):
        if len(chunk) < _CHUNK:
            runs.append(chunk)
            break
        file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))  # noqa: SIM115  the stack closes it
        file.writelines(f"{sha256}  {name}\n" for name, sha256 in chunk)
        file.seek(0)
        runs.append((line[66:-1], line[:64]) for line in file)
    return runs
