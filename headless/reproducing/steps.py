"""A step of a reproduction: one run of a command, with a key of all that decides what it makes. No torch here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dnerf_core import __version__

RESULTS_VERSION = 3
"""Counts the times that the same steps have come to make other results within one version of the program, as a changed default of a
call's field does."""
UNDECISIVE = frozenset({"output", "device", "workers", "gpus", "extend", "verify", "ignore_disk_space", "dry_run"})
"""Fields of calls that change nothing of what is made."""


@dataclass(frozen=True)
class Kind:
    """One kind of step.

    Attributes:
        run: "module:function" that takes a call and a reporter.
        product: what the step's folder holds of it, the call's `output`.
        command: the command that does the same; None: there is none.
        by_threads: whether its call has as many `workers` as there are threads for it.
    """

    run: str
    product: str
    command: str | None = None
    by_threads: bool = False


KINDS: dict[str, Kind] = {
    "sample": Kind("headless.runs.sample:sample", "annotate", "sample", by_threads=True),
    "train": Kind("headless.runs.train:train", "branch.safetensors", "train"),
    "render": Kind("headless.runs.render:render", "pairs", "render", by_threads=True),
    "pointcloud": Kind("headless.runs.pointcloud:pointcloud", "clouds", "pointcloud", by_threads=True),
    "world": Kind("headless.runs.downstream.world:world", "exact", "world", by_threads=True),
    "train-segmenter": Kind("headless.runs.downstream.train_segmenter:train_segmenter", "network.safetensors", "train-segmenter"),
    "train-pointnet": Kind("headless.runs.downstream.train_pointnet:train_pointnet", "network.safetensors", "train-pointnet"),
    "datasetgan": Kind("headless.downstream.baselines.gan_set:write_gan_set", "pairs", by_threads=True),
    "score-images": Kind("headless.reproducing.scoring:score_images", "scores.json"),
    "benchmark": Kind("headless.reproducing.benchmark_clouds:benchmark", "clouds"),
    "score-scans": Kind("headless.reproducing.scoring_scans:score_scans", "scores.json"),
    "score-video": Kind("headless.reproducing.videos.scoring:score_video", "scores.json"),
    "frozen": Kind("headless.reproducing.heads.scoring:score_frozen", "scores.json"),
    "score-clouds": Kind("headless.reproducing.scoring:score_clouds_of", "scores.json"),
    "score-folds": Kind("headless.reproducing.scoring_branches:score_folds", "scores.json"),
    "score-branch": Kind("headless.reproducing.scoring_branches:score_branch", "scores.json"),
}


@dataclass(frozen=True)
class Given:
    """What a step takes that no step makes: a model, or a folder of the user's.

    Attributes:
        value: its name or path, as a call has it.
        sha256: of its content.
    """

    value: str | Path
    sha256: str

    @property
    def key(self) -> str:
        """What tells its content from others."""
        return self.sha256


Place = Callable[["Step | Given"], Any]
"""Where the product of a step lies, or what a given thing is called in a call."""


@dataclass(frozen=True, eq=False)
class Step:
    """One run of a command.

    Attributes:
        kind: one of `KINDS`.
        title: what it makes, for people.
        parents: what it takes.
        call: the call, which has the places of its parents and an `output` that is replaced.
        unit, units: what its cost is told by, such as ("pictures of mini at 128 px", 16000).
    """

    kind: str
    title: str
    parents: tuple[Step | Given, ...]
    call: Callable[[Place], Any]
    unit: str
    units: int

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides what it makes, as JSON values. Fields at their defaults are left out, so that a new option of a command leaves
        the keys of steps that do without it as they were."""
        call = self.call(lambda parent: Path(f"@{parent.key}"))
        values = {field.name: getattr(call, field.name) for field in dataclasses.fields(call) if not _at_default(call, field)}
        options = {name: _json(value) for name, value in values.items() if name not in UNDECISIVE}
        decisive = {"kind": self.kind, "code": f"{__version__} {RESULTS_VERSION}", "options": options}
        if self.kind == "world":
            from dnerf_core.demo.exact_worlds import world_sha256

            decisive["world"] = world_sha256(call.world)
        return decisive

    @cached_property
    def key(self) -> str:
        """SHA-256 of its identity, in which the keys of its parents stand."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Cell:
    """One number of a row.

    Attributes:
        entry: which of the scores that a step wrote, such as ("miou",), or ("Ind.", "miou") where it scored several tests.
        test: what was scored on, where that is pictures.
        beginning: of the names of predicted masks, see `scoring.shown_mask`.
    """

    step: Step
    entry: tuple[str, ...] = ("miou",)
    test: Step | Given | None = None
    beginning: str = ""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of an experiment, for one repetition.

    Attributes:
        name: which method, the word of `--only`.
        title: the same for people.
        given: what it learned from, by the columns that tell it, such as {"labels": 9}.
        repetition: from 0; others of the same name and `given` are averaged with it.
        cells: its numbers by their columns.
        seed: of its trainings.
    """

    name: str
    title: str
    given: Mapping[str, int]
    repetition: int
    cells: Mapping[str, Cell]
    seed: int

    @property
    def key(self) -> str:
        """SHA-256 of all that made its numbers."""
        made_by = [[column, list(cell.entry), cell.step.key] for column, cell in self.cells.items()]
        return hashlib.sha256(json.dumps([self.name, dict(self.given), self.seed, made_by]).encode()).hexdigest()


def in_order(rows: Iterable[Row]) -> list[Step]:
    """Every step that some rows need, each once, after those that it takes."""
    found: dict[str, Step] = {}

    def add(step: Step) -> None:
        if step.key in found:
            return
        for parent in step.parents:
            if isinstance(parent, Step):
                add(parent)
        found[step.key] = step

    for row in rows:
        for cell in row.cells.values():
            add(cell.step)
    return list(found.values())


def _at_default(call: Any, field: dataclasses.Field[Any]) -> bool:
    default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    return default is not dataclasses.MISSING and _json(getattr(call, field.name)) == _json(default)


def _json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value
