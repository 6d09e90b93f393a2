"""A folder of results looked through before the rest of its call: files against the sums recorded as they were written.

What is altered or truncated is named and removed, so that the call makes it again with whatever is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from dnerf_core.errors import counted
from dnerf_core.files.names import RECORD_NAME, json_bytes
from dnerf_core.files.whole import output_error, remove_files, write_bytes_whole
from headless.work.checksums import GONE, SUMS_NAME, are_whole, count, file_sha256, recorded
from headless.work.readable import is_known, why_unreadable
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.work.reporting import Reporter
    from headless.work.result_folder import ResultFolder

_MAX_NAMED = 20


class MakesAgain(Protocol):
    """What has to go so that the call makes a file again."""

    def __call__(self, name: str) -> list[str] | None:
        """Names of files that are removed, the file's own among them; None: the call does not make it."""


@dataclass
class Verified:
    """What was found.

    Attributes:
        files: files looked at.
        damaged: names of those that were altered, truncated or cannot be read.
        missing: recorded files that are not there.
        unrecorded: files without a sum.
        kept: of the damaged ones those that the call does not make, which stay as they are.
    """

    files: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: int = 0
    unrecorded: int = 0
    kept: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the summary has it."""
        return {"verified": self.files, "damaged": self.damaged, "missing": self.missing, "unrecorded": self.unrecorded}

    @property
    def line(self) -> str:
        """For people."""
        again = len(self.damaged) - self.kept
        found = f"{len(self.damaged)} damaged, {self.missing} missing" if self.damaged or self.missing else "all as written"
        return f"verified {counted(self.files, 'file')}: {found}" + (f"; {again} of the damaged made again" if again else "")


@dataclass(frozen=True)
class _Found:
    """A name that is there or recorded."""

    name: str
    sha256: str | None
    is_there: bool


def verify(folder: ResultFolder, reporter: Reporter, workers: int, makes_again: MakesAgain | None = None) -> Verified:
    """Look through a folder that this call has to itself.

    Args:
        workers: threads that read files.
        makes_again: None: every recorded file is made again by itself.

    Raises:
        OutputError: it is another call's, or cannot be read.
    """
    found = Verified()
    _mend_record(folder, found, reporter)
    folder.check()
    if not folder.path.is_dir():
        return found
    remedy = makes_again or (lambda name: [name])
    if not are_whole(folder.path):
        reporter.warning(f"{folder.path / SUMS_NAME}: damaged; what it says is taken where it fits, and it is written anew")
        folder.completed = True
    to_remove: set[str] = set()

    def look(one: _Found) -> str | None:
        return _fault(folder.path / one.name, one.sha256)

    with reporter.progress("verified", count(folder.path)) as advance:
        tasks = ([one] for one in _followed(folder, found, remedy, to_remove))
        for one, fault in run_tasks(tasks, look, workers, in_order=True):
            advance()
            found.files += 1
            if one.sha256 is None and fault is None and folder.is_recorded(one.name):
                found.unrecorded += 1
                folder.journal.note(one.name, file_sha256(folder.path / one.name))
            if fault is not None:
                _tell(folder, found, one, fault, remedy, to_remove, reporter)
    if found.unrecorded:
        reporter.warning(
            f"{folder.path}: {found.unrecorded} files have no check sum from when they were written, so that only whether they can be read "
            "was looked at; their sums are recorded as they are now"
        )
    if len(found.damaged) > _MAX_NAMED:
        reporter.warning(f"{folder.path}: {len(found.damaged) - _MAX_NAMED} more files are damaged; --json names all")
    remove_files(folder.path / name for name in to_remove)
    return found


def _mend_record(folder: ResultFolder, found: Verified, reporter: Reporter) -> None:
    """Write the record again where the folder is this very call's by its sum, and the file has been damaged since."""
    path = folder.path / RECORD_NAME
    if not (folder.path.is_dir() and path.exists()):
        return
    own = json_bytes(folder.record)
    sums = dict(entry for entry in recorded(folder.path) if entry[0] == RECORD_NAME)
    if sums.get(RECORD_NAME) == folder.sha256_of(own) != file_sha256(path):
        reporter.warning(f"{path}: damaged, made again", name=RECORD_NAME)
        found.damaged.append(RECORD_NAME)
        write_bytes_whole(path, own)


def _tell(
    folder: ResultFolder, found: Verified, one: _Found, fault: str, remedy: MakesAgain, to_remove: set[str], reporter: Reporter
) -> None:
    names = remedy(one.name) if one.sha256 is not None or folder.is_own(one.name) else None
    found.damaged.append(one.name)
    if names is None:
        found.kept += 1
    else:
        to_remove.update(names)
    after = "made again" if names is not None else "this call does not make it, so it stays as it is"
    if len(found.damaged) <= _MAX_NAMED or reporter.as_json:
        reporter.warning(f"{folder.path / one.name}: {fault}; {after}", name=one.name)


def _followed(folder: ResultFolder, found: Verified, remedy: MakesAgain, to_remove: set[str]) -> Iterator[_Found]:
    """The files to look at; those that are missing are counted."""
    for one in _joined(recorded(folder.path), _names(folder.path, "")):
        if one.is_there:
            if one.sha256 is not None or is_known(Path(one.name)):
                yield one
        elif _is_inside(one.name):
            names = remedy(one.name)
            if names is None:
                folder.journal.note(one.name, GONE)
            else:
                found.missing += 1
                to_remove.update(names)


def _fault(path: Path, sha256: str | None) -> str | None:
    """What is wrong with a file; None: nothing."""
    try:
        if sha256 is None:
            reason = why_unreadable(path)
            return None if reason is None else f"it cannot be read: {reason}"
        return None if file_sha256(path) == sha256 else "altered or truncated since it was written"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _joined(entries: Iterator[tuple[str, str]], names: Iterator[str]) -> Iterator[_Found]:
    """Sums and files, both in the order of their names, side by side."""
    entry, name = next(entries, None), next(names, None)
    while entry is not None or name is not None:
        if entry is None or (name is not None and name < entry[0]):
            assert name is not None
            yield _Found(name, None, True)
            name = next(names, None)
        elif name is None or entry[0] < name:
            yield _Found(entry[0], entry[1], False)
            entry = next(entries, None)
        else:
            yield _Found(name, entry[1], True)
            entry, name = next(entries, None), next(names, None)


def _names(folder: Path, below: str) -> Iterator[str]:
    """The regular files below a folder by name, hidden ones and the sums aside."""
    try:
        with os.scandir(folder / below) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)) for entry in entries]
    except OSError as error:
        raise output_error(folder / below, error) from error
    for name, is_dir, is_file in sorted(found, key=lambda one: f"{one[0]}/" if one[1] else one[0]):
        if name.startswith(".") or (not below and name == SUMS_NAME):
            continue
        if is_dir:
            yield from _names(folder, f"{below}{name}/")
        elif is_file:
            yield f"{below}{name}"


def _is_inside(name: str) -> bool:
    """Whether a recorded name leads nowhere but below the folder."""
    return not name.startswith("/") and ".." not in PurePosixPath(name).parts
