"""What a command says while it works: JSON lines for machines, or a progress bar on stderr and a short summary on stdout."""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

START_SECONDS = 2.0
"""After so long at its steps a job says what it does, where stderr is no terminal; one that is done or refused sooner stays silent."""
LINE_SECONDS = 60.0
"""Between two lines about a long job, where stderr is no terminal."""


class Reporter:
    """One command's voice. Data goes to stdout; progress and warnings go to stderr.

    With `as_json` every message is one JSON object a line on stdout with a name in `event`; the last one is the summary.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._text = ""

    def event(self, kind: str, **fields: Any) -> None:
        """A step that machines may follow; people do not see it."""
        if self.as_json:
            _print_json({"event": kind, **fields})

    def start(self, text: str, **fields: Any) -> None:
        """What is about to be done, before any of it: an event for machines, `text` on stderr where that is a terminal.

        Elsewhere `text` is told `START_SECONDS` after the first steps of `progress` begin.
        """
        self.event("start", **fields)
        self._text = text
        if not self.as_json and sys.stderr.isatty():
            self._tell_start()

    def warning(self, message: str, **fields: Any) -> None:
        """Something the user should know though the job goes on."""
        if self.as_json:
            _print_json({"event": "warning", "message": message, **fields})
        else:
            print(f"warning: {printable(message)}", file=sys.stderr, flush=True)

    def summary(self, lines: Sequence[str], **fields: Any) -> None:
        """The end of a job that went well: `lines` for people, `fields` for machines."""
        if self.as_json:
            _print_json({"event": "summary", "status": "done", **fields})
        else:
            print("\n".join(map(printable, lines)), flush=True)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar on stderr for `total` steps, where stderr is a terminal, else a line a minute; yields what to call after each step."""
        if self.as_json:
            yield lambda: None
            return
        if not sys.stderr.isatty():
            with _minute_lines(description, total, self._tell_start) as advance:
                yield advance
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(description, total=total, rate="")

            def advance() -> None:
                bar.advance(task)
                bar.update(task, rate=rate_text(bar.tasks[0].finished_speed or bar.tasks[0].speed))

            yield advance

    def _tell_start(self) -> None:
        """Say what is being done, once."""
        if self._text:
            print(printable(self._text), file=sys.stderr, flush=True)
        self._text = ""


class Quiet(Reporter):
    """The voice of a run that a program calls: it prints nothing, and its warnings are Python's, which programs may catch or silence."""

    def __init__(self) -> None:
        super().__init__(as_json=False)

    def start(self, text: str, **fields: Any) -> None:
        return None

    def warning(self, message: str, **fields: Any) -> None:
        warnings.warn(printable(message), stacklevel=3)

    def summary(self, lines: Sequence[str], **fields: Any) -> None:
        return None

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        yield lambda: None


@contextmanager
def _minute_lines(description: str, total: int, begin: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """How far `total` steps are, on stderr each `LINE_SECONDS`, and at their end where they took so long; `begin` is called after
    `START_SECONDS`. A job that is done sooner says nothing."""
    done, started, ended = 0, time.monotonic(), threading.Event()

    def tell() -> None:
        seconds = time.monotonic() - started
        rate = rate_text(done / seconds) if seconds > 0 else ""
        print(f"{description}: {done} of {total}, {seconds:.0f} s{f', {rate}' if rate else ''}", file=sys.stderr, flush=True)

    def watch() -> None:
        if ended.wait(START_SECONDS):
            return
        begin()
        next_line = started + LINE_SECONDS
        while not ended.wait(max(0.0, next_line - time.monotonic())):
            tell()
            next_line += LINE_SECONDS

    def advance() -> None:
        nonlocal done
        done += 1

    watcher = threading.Thread(target=watch, name="minute lines", daemon=True)
    watcher.start()
    try:
        yield advance
    finally:
        ended.set()
        watcher.join()
    if time.monotonic() - started >= LINE_SECONDS:
        tell()


def rate_text(steps_per_s: float | None) -> str:
    """Steps a second, or of a slow job a minute; empty while nothing is known."""
    if not steps_per_s:
        return ""
    return f"{steps_per_s:.1f}/s" if steps_per_s >= 1 else f"{60 * steps_per_s:.1f}/min"


def printable(line: str) -> str:
    """A line as it may go to a terminal: characters that would steer it are written as escapes, since names come from files."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, allow_nan=False), flush=True)
