"""Which calls are at work on a folder or a file: locks of the operating system, which end with their process, however that ends.

A call holds a lock on a hidden file beside its results, `.dnerf-lock.1of4.CALL.PID.HOST`, whose name says who holds it, and removes the
file when it ends. One that a killed process left has no lock any more; the next call removes it. `.dnerf-lock` itself is locked for a
moment while a call looks round and takes its place.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dnerf_core.errors import OutputError
from dnerf_core.files.whole import make_folder, output_error
from dnerf_core.work.file_locks import NoLocksError, lock_file

PREFIX = ".dnerf-lock"
"""What the names of lock files begin with."""

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}
"""How the system says that no file can be made in a folder; the last of folders such as those of /proc."""

Part = tuple[int, int]
"""Part I of N of a call, counted from 1."""

WHOLE: Part = (1, 1)


@dataclass(frozen=True)
class _Holder:
    """Who holds a lock, as its file's name says."""

    part: Part
    call: str
    pid: int
    host: str

    @classmethod
    def read(cls, door: str, name: str) -> _Holder | None:
        """That of a lock file's name; None: the name is of something else."""
        match = re.fullmatch(re.escape(door) + r"\.([0-9]+)of([0-9]+)\.([0-9a-f]+)\.([0-9]+)\.([A-Za-z0-9-]*)", name)
        if match is None or int(match[2]) == 0:
            return None
        return cls((int(match[1]), int(match[2])), match[3], int(match[4]), match[5])

    def name(self, door: str) -> str:
        """The lock file's name."""
        return f"{door}.{self.part[0]}of{self.part[1]}.{self.call}.{self.pid}.{self.host}"

    def overlaps(self, part: Part) -> bool:
        """Whether two parts of a call have a subject in common: numbers that are equal modulo what both counts divide by."""
        return (self.part[0] - part[0]) % math.gcd(self.part[1], part[1]) == 0


@contextmanager
def at_work(
    place: Path,
    call: str,
    warn: Callable[[str], None],
    part: Part = WHOLE,
    *,
    file_name: str | None = None,
    remedy: str = "wait for it, or choose another --output",
) -> Iterator[None]:
    """For the length of the block this call alone is at work on a folder; other parts of the same call may be, too.

    The folder is made where it is missing, and removed again where it is still empty in the end. One that cannot be written needs no lock.

    Args:
        place: the folder.
        call: what tells the call from others.
        warn: hears of a file system that keeps no locks, on which the block runs all the same.
        part: which part of the call.
        file_name: a file in the folder, where the call writes that alone and others may write beside it.
        remedy: what there is to do while another call is at work.

    Raises:
        OutputError: another call is at work there, or the same.
    """
    if place.exists() and not place.is_dir():
        yield  # nothing to lock: whoever looks there tells
        return
    new_folders = _make(place)
    try:
        yield from _held(place, call, warn, part, file_name, remedy)
    finally:
        for folder in new_folders:
            with suppress(OSError):  # it has something in it by now, as it should
                folder.rmdir()


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """For a moment no other call takes its place in a folder or leaves it; on a file system without locks nothing is kept out."""
    with ExitStack() as stack:
        with suppress(NoLocksError):
            stack.enter_context(_door(place / PREFIX))
        yield


@contextmanager
def writing_alone(place: Path) -> Iterator[None]:
    """`alone`, for what the block writes there.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        with alone(place):
            yield
    except OSError as error:
        raise output_error(place, error) from error


def is_held(path: Path) -> bool:
    """Whether some process has a file locked, which must be there."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        return not lock_file(descriptor, wait=False)
    except NoLocksError:
        return False
    finally:
        os.close(descriptor)


def hold(descriptor: int) -> None:
    """Lock an open file of one's own until it is closed, where there are locks."""
    with suppress(NoLocksError):
        lock_file(descriptor, wait=False)


def is_lock_name(name: str) -> bool:
    """Whether a file's name is that of a lock."""
    return name.startswith(PREFIX)


def call_digest(text: str) -> str:
    """A short name of a call by a text that has all that decides its results."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make(place: Path) -> list[Path]:
    """Make a folder and its parents; gives those that were made, the innermost first."""
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    make_folder(place)
    return missing


def _held(place: Path, call: str, warn: Callable[[str], None], part: Part, file_name: str | None, remedy: str) -> Iterator[None]:
    door = PREFIX if file_name is None else f"{PREFIX}-{call_digest(file_name)}"
    host = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:60]
    own = _Holder(part, call, os.getpid(), host)
    where = place if file_name is None else place / file_name
    before = place.stat()
    try:
        with _door(place / door):
            _refuse_others(place, door, own, where, remedy)
            descriptor = _opened(place / own.name(door))
            lock_file(descriptor, wait=False)
        begun = place.stat()
    except OutputError:
        _as_it_was(place, before)
        raise
    except NoLocksError as error:
        warn(
            f"{place}: this file system keeps no locks ({error}), so nothing keeps a second call from writing there at the same time; "
            "see to it that none does"
        )
        (place / own.name(door)).unlink(missing_ok=True)
        yield
        return
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise output_error(place, error) from error
        yield
        return
    try:
        yield
    finally:
        # where the folder is gone or can be written no more, what is left is cleared by the next call
        with suppress(OSError, NoLocksError):
            unchanged = place.stat().st_mtime_ns == begun.st_mtime_ns
            with _door(place / door):
                os.close(descriptor)
                descriptor = -1
                (place / own.name(door)).unlink(missing_ok=True)
            if unchanged:
                _as_it_was(place, before)
        if descriptor >= 0:
            os.close(descriptor)


def _as_it_was(place: Path, before: os.stat_result) -> None:
    """Give a folder its time back: a call that finds nothing to do leaves no trace of itself."""
    with suppress(OSError):
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


def _refuse_others(place: Path, door: str, own: _Holder, where: Path, remedy: str) -> None:
    """Clear what killed processes left.

    Raises:
        OutputError: a call is at work that this one cannot be beside.
    """
    for name in os.listdir(place):
        holder = _Holder.read(door, name)
        if holder is None:
            continue
        descriptor = _opened(place / name)
        try:
            alive = not lock_file(descriptor, wait=False)
        finally:
            os.close(descriptor)
        if not alive:
            (place / name).unlink(missing_ok=True)
        elif holder.call != own.call or holder.overlaps(own.part):
            what = "another call" if holder.call != own.call else "the same call"
            number = f", part {holder.part[0]}/{holder.part[1]}," if holder.part != WHOLE else ""
            host = "" if holder.host == own.host else f" on {holder.host}"
            after = remedy if holder.call != own.call else "wait for it"
            raise OutputError(f"{where}: {what}{number} is at work there, process {holder.pid}{host}; {after}")


@contextmanager
def _door(path: Path) -> Iterator[None]:
    """The block alone looks round and takes places. The file goes with it; whoever waited for that finds that it is another by now."""
    while True:
        descriptor = _opened(path)
        try:
            lock_file(descriptor, wait=True)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        except FileNotFoundError:
            pass
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, NoLocksError):
                path.unlink(missing_ok=True)
            raise
        os.close(descriptor)
    try:
        yield
    finally:
        if sys.platform == "win32":
            os.close(descriptor)
            with suppress(PermissionError):  # others have it open there
                path.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):
                path.unlink()
            os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
