"""A folder of results, claimed by one call of one command: recognised as ours, resumed by the same call, refused to any other.

The record of the call is written first. A file that is there is whole (see `dnerf_core.files.whole`), so what is missing is what has yet
to be done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnerf_core import __version__
from dnerf_core.errors import OutputError, brief
from dnerf_core.files.names import RECORD_NAME, RECORD_VERSION, json_bytes
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.whole import files_told, leftovers, make_folder, output_error, remove_files, temporary_for, write_whole
from headless.work.at_work import WHOLE, Part, alone, at_work, call_digest, is_lock_name, writing_alone
from headless.work.checksums import SUMS_NAME, Journal, is_sums_name, journals, take_in
from headless.work.reporting import Reporter
from headless.work.spellings import OPTION_NAMES, UNTOLD

CONVOLUTIONS_KEY = "convolutions"
"""The record's entry of the form that its views are computed in, see `headless.work.convolutions`."""


@dataclass(frozen=True)
class Differences:
    """How the call that a folder records differs from another.

    Attributes:
        plan: of the recorded call.
        labels: what users call the entries that differ.
    """

    plan: dict[str, Any]
    recorded: dict[str, Any]
    labels: dict[str, str]

    def shown(self, key: str) -> str:
        """What an entry was, for people."""
        return _shown(self.recorded.get(key))


class ResultFolder:
    """One folder of results.

    Attributes:
        completed: whether it is complete, to the knowledge of this call; set by the job.
        journal: where this process records the sums of what it writes.

    Args:
        path: the folder, which may be missing yet.
        record_format: what kind of results the record says it is of.
        command: the command's name.
        plan: the call's plan as JSON values; `OPTION_NAMES` has the names of its entries that tell two calls apart.
        top_names: files at the top of the folder besides the record.
    """

    def __init__(self, path: Path, record_format: str, command: str, plan: dict[str, Any], top_names: Iterable[str]) -> None:
        self.path = path
        self.record: dict[str, Any] = {
            "format": record_format,
            "format_version": RECORD_VERSION,
            "command": command,
            "written_by": f"datasetnerf {__version__}",
            "plan": plan,
        }
        self._top_names = {RECORD_NAME, SUMS_NAME, *top_names}
        self.completed = False
        self.journal = Journal(path, self.is_recorded)

    def is_recorded(self, name: str) -> bool:
        """Whether a sum is kept of a file, by its name relative to the folder; of others people may change the content."""
        return True

    def is_own(self, name: str) -> bool:
        """Whether a file that has no sum is one that this command writes, by its name relative to the folder."""
        return name in self._top_names

    @staticmethod
    def sha256_of(data: bytes) -> str:
        """The sum of bytes as sums are recorded."""
        return hashlib.sha256(data).hexdigest()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """For the length of the block the sums of the files written in the folder by this context are recorded."""
        try:
            with files_told(self.journal.add):
                yield
        finally:
            self.journal.close()

    @contextmanager
    def in_use(self, reporter: Reporter, part: Part = WHOLE) -> Iterator[None]:
        """For the length of the block this call alone is at work in the folder, beside other parts of it, and sums are recorded.

        Raises:
            OutputError: another call is, or the same; see `at_work`.
        """
        decides = _comparable(self.record)
        text = json.dumps([self.record["format"], {key: decides.get(key) for key in OPTION_NAMES}], sort_keys=True)
        with at_work(self.path, call_digest(text), reporter.warning, part):
            try:
                with self.recording():
                    yield
            finally:
                self._take_in_sums()

    def _take_in_sums(self) -> None:
        """Complete `checksums.sha256`, where the folder is complete or another part found that it is."""
        if self.path.is_dir() and journals(self.path) and (self.completed or not self.lacks(SUMS_NAME)):
            with alone(self.path):
                take_in(self.path)

    def claim(self) -> None:
        """Make the folder and record the call in it, where that has not been done.

        Raises:
            OutputError: it cannot be written, or another part of the call has just begun it in another form.
        """
        make_folder(self.path)
        if self.lacks(RECORD_NAME):
            with writing_alone(self.path):
                self.write_once(RECORD_NAME, json_bytes(self.record))
        self._check_settled()

    def is_of_command(self, names: Iterable[str], folders: Iterable[str] = ()) -> bool:
        """Whether all that is there is what a call of the same command writes, so that nothing else is lost with it.

        Args:
            names: what such a call may have written besides what lies at the top of every such folder.
            folders: folders that it may have written; what is in them is for the caller to see.

        Raises:
            OutputError: the record cannot be read, or is of something else.
        """
        path = self.path / RECORD_NAME
        if not path.exists() or _read_record(path, self.record["format"]).get("command") != self.record["command"]:
            return False
        held = {entry.name for entry in self.path.iterdir() if not _is_hidden(entry.name)}
        return {temporary_for(name) or name for name in held} <= {*self._top_names, *names, *folders}

    def clear_top(self) -> None:
        """Remove what interrupted runs left at the top of the folder; for when it is complete and nobody has anything to write there.

        Raises:
            OutputError: it cannot be removed.
        """
        remove_files(self.top_leftovers())

    def top_leftovers(self) -> list[Path]:
        """Temporary files that interrupted runs left at the top of the folder; of sums `take_in` clears them, which is alone then."""
        return leftovers(self.path, (self._top_names - {SUMS_NAME}).__contains__)

    def lacks(self, name: str) -> bool:
        """Whether the file `name`, relative to the folder, is missing."""
        return not (self.path / name).exists()

    def write_once(self, name: str, data: bytes) -> None:
        """Write the file `name`, relative to the folder, unless it is there.

        Raises:
            OutputError: it cannot be written.
        """
        self.fill_once(name, lambda temporary: _write_bytes(temporary, data))

    def write_lines_once(self, name: str, lines: Iterable[str]) -> None:
        """Write the file `name`, relative to the folder, line by line as they come, unless it is there.

        Raises:
            OutputError: it cannot be written.
        """

        def write(temporary: Path) -> None:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines)

        self.fill_once(name, write)

    def fill_once(self, name: str, write: Callable[[Path], None]) -> None:
        """Let `write` fill the file `name`, relative to the folder, at the place it is given, unless it is there.

        Raises:
            OutputError: it cannot be written.
        """
        if not self.lacks(name):
            return
        try:
            write_whole(self.path / name, write)
        except OutputError as error:
            # the process that completes the folder clears its top: it has then put the same file there itself
            if not isinstance(error.__cause__, FileNotFoundError) or self.lacks(name):
                raise

    def check(self) -> None:
        """Make sure that the folder is free or holds this very call.

        Raises:
            OutputError: it is a file, holds something else, or holds the results of another call.
        """
        try:
            held = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        except OSError as error:
            raise output_error(self.path, error) from error
        held = {name for name in held if temporary_for(name) not in self._top_names and not _is_hidden(name)}
        if not held:
            return
        if RECORD_NAME not in held:
            raise OutputError(
                f"{self.path}: expected a new or empty folder or this command's own results, found {sorted(held)[0]!r} "
                f"and no {RECORD_NAME}; choose another --output"
            )
        found = self.differences()
        assert found is not None
        for key, label in found.labels.items():
            raise OutputError(
                f"{self.path}: holds the results of another call, {label} was {found.shown(key)} "
                f"and is now {self.shown(key)}; choose another --output, or repeat that call to finish it"
            )

    def earlier_record(self) -> dict[str, Any] | None:
        """The record that the folder has; None: it has none of this kind that can be read, of which `check` tells."""
        try:
            return None if self.lacks(RECORD_NAME) else _read_record(self.path / RECORD_NAME, self.record["format"])
        except OutputError:
            return None

    def _check_settled(self) -> None:
        ours = self.record.get(CONVOLUTIONS_KEY)
        if ours is None:
            return
        theirs = (self.earlier_record() or {}).get(CONVOLUTIONS_KEY)
        found = theirs if isinstance(theirs, dict) else {}
        if (found.get("format"), found.get("layout")) != (ours["format"], ours["layout"]):
            raise OutputError(
                f"{self.path}: begun a moment ago by another part of the call, whose convolutions run in {found.get('format')}, "
                f"{found.get('layout')}, while this machine chose {ours['format']}, {ours['layout']}; repeat the command, it follows"
            )

    def differences(self) -> Differences | None:
        """How the call that the folder records differs from this one; None: it records none.

        Raises:
            OutputError: the record cannot be read, or is of something else.
        """
        if self.lacks(RECORD_NAME):
            return None
        record = _read_record(self.path / RECORD_NAME, self.record["format"])
        theirs, ours = _comparable(record), _comparable(self.record)
        labels = {key: label for key, label in OPTION_NAMES.items() if theirs.get(key) != ours.get(key)}
        plan = record.get("plan")
        return Differences(plan if isinstance(plan, dict) else {}, theirs, labels)

    def shown(self, key: str) -> str:
        """What an entry of this call is, for people."""
        return _shown(_comparable(self.record).get(key))


def _is_hidden(name: str) -> bool:
    """Whether a file is there for the length of calls only."""
    return is_lock_name(name) or (is_sums_name(name) and name != SUMS_NAME)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _read_record(path: Path, record_format: str) -> dict[str, Any]:
    try:
        record = json.loads(read_regular_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(
            f"{path}: expected the record of an earlier call, it cannot be read ({error}); choose another --output"
        ) from error
    if not isinstance(record, dict) or record.get("format") != record_format or record.get("format_version") != RECORD_VERSION:
        raise OutputError(f"{path}: expected format {record_format} {RECORD_VERSION}, found another; choose another --output")
    return record


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    plan = record.get("plan")
    return UNTOLD | {
        "command": record.get("command"),
        "written_by": record.get("written_by"),
        **(plan if isinstance(plan, dict) else {}),
    }


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else brief(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif isinstance(value, list) and all(isinstance(item, float | int) for item in value):
        text = ":".join(f"{item:g}" for item in value)
    return text if len(text) <= 40 else f"{text[:37]}..."
