"""Steps that have been made: a folder each, named by its key, with a record that is written when the step is done."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnerf_core.errors import OutputError, json_fault
from dnerf_core.files.whole import make_folder, write_bytes_whole
from headless.reproducing.command_lines import command_line
from headless.reproducing.side_by_side import made_side_by_side
from headless.reproducing.steps import KINDS, Given, Step

DONE = "step.json"
_KEY_DIGITS = 16


@dataclass
class Cache:
    """The steps below a folder.

    Attributes:
        device: where steps compute; it changes nothing of what a key says.
    """

    folder: Path
    device: str = "auto"
    _records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def folder_of(self, step: Step) -> Path:
        """Where a step's product and record lie."""
        return self.folder / f"{step.kind}-{step.key[:_KEY_DIGITS]}"

    def place(self, thing: Step | Given) -> Any:
        """Where a step's product lies; of a given thing its own name."""
        return thing.value if isinstance(thing, Given) else self.folder_of(thing) / KINDS[thing.kind].product

    def call_of(self, step: Step) -> Any:
        """The call that makes a step here."""
        call = step.call(self.place)
        own: dict[str, Any] = {"output": self.place(step)}
        if any(entry.name == "device" for entry in dataclasses.fields(call)):
            own["device"] = self.device
        return dataclasses.replace(call, **own)

    def command_of(self, step: Step) -> str:
        """What a user types for the same; of steps without a command a line of Python."""
        call, command = self.call_of(step), KINDS[step.kind].command
        if command is not None:
            return command_line(command, call)
        module, _, function = KINDS[step.kind].run.partition(":")
        values = ", ".join(
            f"{entry.name}={_python(getattr(call, entry.name))}"
            for entry in dataclasses.fields(call)
            if getattr(call, entry.name) != entry.default
        )
        text = f"from pathlib import Path; import {module} as m; m.{function}(m.{type(call).__name__}({values}))"
        return shlex.join(["python", "-c", text])

    def record(self, step: Step) -> dict[str, Any] | None:
        """What is recorded of a step that is done; None: it has yet to be made.

        Raises:
            OutputError: its record cannot be read.
        """
        if step.key not in self._records:
            path = self.folder_of(step) / DONE
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
            except (OSError, ValueError) as error:
                found = json_fault(error) if isinstance(error, ValueError) else error.strerror
                raise OutputError(f"{path}: expected the record of a step, found none ({found}); remove {path.parent}") from error
            if not isinstance(record, dict) or record.get("key") != step.key or not _exists(self.place(step)):
                return None
            self._records[step.key] = record
        return self._records[step.key]

    def scores(self, step: Step) -> dict[str, Any]:
        """What a step that scores has written.

        Raises:
            OutputError: it cannot be read.
        """
        path = self.place(step)
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path}: expected scores, cannot read them ({error}); remove {path.parent}") from error
        return found

    def make(self, steps: Sequence[Step], processes: int, threads: int) -> Iterator[tuple[Step, float, tuple[str, ...]]]:
        """Make steps that are missing, or go on with them where they were interrupted; each as it gets done, with its seconds and what it
        warned of.

        Args:
            steps: each after those that it takes.
            processes: how many are made side by side, see `side_by_side`.
            threads: of each.

        Raises:
            DNeRFError: a step's own, or a process that was ended from outside.
        """
        resumed = set()

        def run_and_call(step: Step) -> tuple[str, Any]:
            folder, kind = self.folder_of(step), KINDS[step.kind]
            if folder.exists():
                resumed.add(step.key)
            make_folder(folder)
            call = self.call_of(step)
            return kind.run, dataclasses.replace(call, workers=threads) if kind.by_threads else call

        for step, account in made_side_by_side(steps, run_and_call, processes, threads):
            record = {
                "key": step.key,
                "kind": step.kind,
                "title": step.title,
                "identity": step.identity,
                "command": self.command_of(step),
                "unit": step.unit,
                "units": step.units,
                "seconds": account.seconds,
                "threads": threads,
                "resumed": step.key in resumed,
                "warnings": list(account.warnings),
            }
            write_bytes_whole(self.folder_of(step) / DONE, json.dumps(record, indent=1, default=str).encode())
            self._records[step.key] = record
            yield step, account.seconds, account.warnings

    def measured(self) -> dict[str, float]:
        """Seconds a unit, the mean of what the steps here took that were made in one go."""
        totals: dict[str, tuple[float, int]] = {}
        for path in sorted(self.folder.glob(f"*/{DONE}")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                unit, units, seconds, resumed = (record[name] for name in ("unit", "units", "seconds", "resumed"))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a damaged record is told when its step is needed
            if not resumed:
                before = totals.get(unit, (0.0, 0))
                totals[unit] = (before[0] + seconds, before[1] + units)
        return {unit: seconds / units for unit, (seconds, units) in totals.items() if units}


def _exists(path: Path) -> bool:
    return path.exists()


def _python(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_python, value))},)"
    return f"Path({str(value)!r})" if isinstance(value, Path) else repr(value)
