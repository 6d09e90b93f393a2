"""How long convolutions take in each form on this processor: measured once and kept in the user's cache folder. No torch is loaded here.

A file for each processor, version of torch and limit on its instructions, `convolutions-KEY.json`. It appears whole; one that is damaged
is measured anew. Processes that need it at once wait for the first of them, so that all have the same figures.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnerf_core.convolutions.forms import FLOAT32, FORMS, ConvolutionForm
from dnerf_core.errors import OutputError
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.whole import files_told, write_bytes_whole
from dnerf_core.work.file_locks import NoLocksError, lock_file
from dnerf_core.work.processor import processor_name, processor_sha256

MARGIN = 0.8
"""A form takes the place of an earlier one of `FORMS` where it takes less than this share of its time: measurements of one machine differ
by a tenth, and what is that near must not be decided by chance."""

VERSION = 1
"""Of the measurement; another one is measured anew."""

_LIMITS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
)
"""Variables that say which instructions torch and oneDNN may use."""


@dataclass(frozen=True)
class Circumstances:
    """What a measurement holds for, whatever the number of threads.

    Attributes:
        processor: its name.
        processor_sha256: what tells it from others.
        torch: the version.
        limits: variables that limit its instructions, those that are set.
    """

    processor: str
    processor_sha256: str
    torch: str
    limits: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, torch_version: str, environment: Mapping[str, str] | None = None) -> Circumstances:
        """Those of this process."""
        found = os.environ if environment is None else environment
        limits = {name: found[name].strip().upper() for name in _LIMITS if found.get(name, "").strip()}
        return cls(processor_name(), processor_sha256(), torch_version, limits)

    @property
    def file_name(self) -> str:
        """Of their measurement in the cache folder."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return f"convolutions-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


@dataclass(frozen=True)
class Measurement:
    """What each form takes.

    Attributes:
        seconds: by the forms' names; None: the processor cannot, or takes many times as long.
        when: it was measured, in UTC, as ISO 8601 has it.
        path: where it is kept; None: nowhere.
        not_kept: why not.
    """

    seconds: dict[str, float | None]
    when: str
    path: Path | None = None
    not_kept: str | None = None

    @classmethod
    def now(cls, seconds: Mapping[ConvolutionForm, float | None]) -> Measurement:
        """One that has just been made."""
        return cls({form.name: seconds[form] for form in FORMS}, datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def chosen(self) -> ConvolutionForm:
        """The fastest form, where it is so by `MARGIN`; in a near tie the earlier one of `FORMS`."""
        best = FLOAT32
        for form in FORMS:
            limit, seconds = self.seconds[best.name], self.seconds[form.name]
            assert limit is not None
            if seconds is not None and seconds < MARGIN * limit:
                best = form
        return best

    @property
    def line(self) -> str:
        """For people: what was chosen, what each form took, and when it was measured."""
        times = "; ".join(
            f"{form.name} {'not usable' if (taken := self.seconds[form.name]) is None else f'{1000 * taken:.1f} ms'}"
            for form in FORMS
        )
        kept = f"kept in {self.path}" if self.not_kept is None else f"not kept ({self.not_kept})"
        return f"{self.chosen.name}; measured {self.when}: {times}; {kept}"


def user_cache_folder(
    platform: str = sys.platform, environment: Mapping[str, str] | None = None, home: Callable[[], Path] = Path.home
) -> Path | None:
    """Where the system has programs keep what they can make again; None: the user has no such place."""
    found = os.environ if environment is None else environment
    variable, below = {
        "win32": ("LOCALAPPDATA", ("AppData", "Local")),
        "darwin": ("", ("Library", "Caches")),
    }.get(platform, ("XDG_CACHE_HOME", (".cache",)))
    named = found.get(variable, "") if variable else ""
    if named and Path(named).is_absolute():
        return Path(named) / "datasetnerf"
    try:
        return home().joinpath(*below) / "datasetnerf"
    except RuntimeError:  # what Python raises where there is no home
        return None


def kept_measurement(
    folder: Path | None, circumstances: Circumstances, measure: Callable[[], Mapping[ConvolutionForm, float | None]]
) -> Measurement:
    """The measurement that is kept; where there is none, or it is damaged, it is made and kept.

    Args:
        folder: the cache folder, which may be missing yet; None: nothing is kept.
        measure: seconds of each form; None of one that cannot be used.
    """
    if folder is None:
        return _not_kept(Measurement.now(measure()), "no home folder")
    path = folder / circumstances.file_name
    found = _read(path, circumstances)
    if found is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "convolutions.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        return _not_kept(Measurement.now(measure()), f"{folder}: {error.strerror}")
    with _locked(descriptor):
        found = _read(path, circumstances)  # whoever was first has made it meanwhile
        if found is not None:
            return found
        measurement = Measurement.now(measure())
        contents = {"version": VERSION, **asdict(circumstances), "measured": measurement.when, "seconds": measurement.seconds}
        try:
            with files_told(lambda path, sha256: None):  # no file of the results that the caller may be writing
                write_bytes_whole(path, (json.dumps(contents, indent=2) + "\n").encode())
        except OutputError as error:
            return _not_kept(measurement, str(error))
    return Measurement(measurement.seconds, measurement.when, path)


def _not_kept(measurement: Measurement, reason: str) -> Measurement:
    return Measurement(measurement.seconds, measurement.when, None, reason)


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """The block alone measures, where the file system keeps locks; the open file is closed after it."""
    try:
        with suppress(NoLocksError):
            while not lock_file(descriptor, wait=True):  # Windows gives up after ten seconds
                pass
        yield
    finally:
        os.close(descriptor)


def _read(path: Path, circumstances: Circumstances) -> Measurement | None:
    """A kept measurement; None: there is none, or it is not whole."""
    try:
        contents = json.loads(read_regular_text(path))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(contents, dict) or contents.get("version") != VERSION:
        return None
    if any(contents.get(name) != value for name, value in asdict(circumstances).items()):
        return None
    seconds, when = contents.get("seconds"), contents.get("measured")
    if not isinstance(seconds, dict) or not isinstance(when, str) or seconds.keys() != {form.name for form in FORMS}:
        return None
    if seconds[FLOAT32.name] is None or not all(value is None or _is_duration(value) for value in seconds.values()):
        return None
    return Measurement(seconds, when, path)


def _is_duration(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0
