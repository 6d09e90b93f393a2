"""Annotations that another tool made, read into an annotated folder's masks: what a call asks for, and the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.errors import AnnotationError, UsageError, brief, counted, did_you_mean, listed
from dnerf_core.ranges import Choice, Ranged, ranged
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.labels import LabelSet
    from headless.annotating.importing.drawn import Target
    from headless.annotating.importing.painting import PaintedMasks

ToolName = Literal["labelme", "coco", "cvat", "voc", "masks"]
TOOL = Choice(("labelme", "coco", "cvat", "voc", "masks"), None, "Read the files of this tool.")


@dataclass(frozen=True, kw_only=True)
class AnnotateImportCall(Ranged):
    """What one call of `annotate import` asks for.

    Attributes:
        folder: what `sample` wrote.
        path: what the tool wrote: a file, a folder, or a zip archive of it.
        from_tool: which tool wrote it.
        map: `name=label` for names that mean a label though they are spelled otherwise.
        replace: masks that are painted already are overwritten.
    """

    folder: Path
    path: Path
    from_tool: ToolName
    map: tuple[str, ...] = ()
    replace: bool = ranged(job_ranges.OFF)

    def __post_init__(self) -> None:
        super().__post_init__()
        if TOOL.take(self.from_tool) is None:
            near = did_you_mean(str(self.from_tool), TOOL.choices)
            raise UsageError(f"from_tool: expected {TOOL.expected}, found {brief(self.from_tool)}{near}; choose another")


@dataclass(frozen=True)
class _Outcome:
    """Which views were written, held the same already, and stay as they were painted.

    Attributes:
        pixels, views: int64 [256], of the first two: how many pixels have each id, and in how many views it occurs.
    """

    written: list[str]
    same: list[str]
    kept: list[str]
    pixels: NDArray[np.int64]
    views: NDArray[np.int64]


def import_annotations(call: AnnotateImportCall, reporter: Reporter) -> None:
    """Run one call of `annotate import`, which has the folder to itself until the masks are written.

    Raises:
        DNeRFError: a wrong call, a folder or files that cannot be used or that another call is at work in, unknown labels, or masks that
            cannot be written.
    """
    from dnerf_core.labels import IGNORE_ID
    from headless.annotating.importing.label_names import LabelNames
    from headless.annotating.importing.painting import painted_masks
    from headless.annotating.importing.sources import open_source

    target = _target(call.folder)
    names = LabelNames(target.labels, call.map)
    fields = {"command": "annotate import", "folder": str(call.folder), "from": call.from_tool, "path": str(call.path)}
    reporter.start(f"annotate import: {call.path} becomes masks of {call.folder}", **fields)
    with at_work(call.folder, call_digest(repr(call)), reporter.warning, remedy="wait for it"):
        masks = painted_masks(open_source(call.path), call.from_tool, target, names)
        outcome = _chosen(call, target, masks)
        write_masks(call.folder, outcome.written, masks, target.labels)
    silent = len(target.views) - len(masks.views)
    if outcome.kept:
        reporter.warning(
            f"{call.folder}: {counted(len(outcome.kept), 'view')} painted already {_stay(len(outcome.kept))}, {_listed(outcome.kept)}; "
            "--replace overwrites them"
        )
    if masks.strangers:
        reporter.warning(
            f"{call.path}: {len(masks.strangers)} of its pictures are none of {call.folder}: {_listed(masks.strangers)}"
        )
    if names.unused:
        reporter.warning(f"--map: {_listed(names.unused)}: no such name in {call.path}")
    named = [(label.id, label.name) for label in target.labels.labels] + [(IGNORE_ID, "ignore")]
    rows = [
        {"id": value, "name": name, "pixels": int(outcome.pixels[value]), "views": int(outcome.views[value])}
        for value, name in named
    ]
    reporter.summary(
        _lines(call, outcome, silent, rows),
        **fields,
        views=len(target.views),
        views_written=len(outcome.written),
        views_same=len(outcome.same),
        views_kept=len(outcome.kept),
        views_not_annotated=silent,
        pictures_of_no_view=len(masks.strangers),
        labels=rows,
        nothing_to_do=not outcome.written,
    )


def _target(folder: Path) -> Target:
    """What masks are made for.

    Raises:
        AnnotationError: no folder of `sample`, or one whose masks lie elsewhere.
    """
    from dnerf_core.files.annotated_record import read_labels, read_plan
    from headless.annotating.importing.drawn import Target
    from headless.annotating.importing.sources import is_within

    plan = read_plan(folder)
    labels = read_labels(folder)
    masks = folder / "masks"
    if not is_within(masks, folder):
        raise AnnotationError(f"{masks}: expected a folder within {folder}, found a link out of it; move the masks there")
    return Target({name.lower(): name for name in plan.view_names()}, plan.size_px, labels)


def _chosen(call: AnnotateImportCall, target: Target, masks: PaintedMasks) -> _Outcome:
    """Which masks are to be written, by what is painted already, and the sums of those that come from the call.

    Raises:
        AnnotationError: a mask that is there and cannot be read, unless it is to be replaced.
    """
    import numpy as np

    outcome = _Outcome([], [], [], np.zeros(256, np.int64), np.zeros(256, np.int64))
    for view in masks.views:
        mask, painted = masks.mask(view), _painted(call, target, view)
        if painted is not None and np.array_equal(painted, mask):
            outcome.same.append(view)
        elif painted is not None and not call.replace:
            outcome.kept.append(view)
            continue
        else:
            outcome.written.append(view)
        counts = np.bincount(mask.ravel(), minlength=256)
        np.add(outcome.pixels, counts, out=outcome.pixels)
        np.add(outcome.views, counts > 0, out=outcome.views)
    return outcome


def _painted(call: AnnotateImportCall, target: Target, view: str) -> NDArray[np.uint8] | None:
    """The mask of a view that is there, where something is painted in it; None: nothing is, or it is to go whatever it is."""
    from dnerf_core.files.masks import read_mask
    from headless.annotating.importing.sources import is_within

    path = call.folder / "masks" / f"{view}.png"
    if call.replace or not path.exists():
        return None
    if not is_within(path, call.folder):
        raise AnnotationError(
            f"{path}: expected a file within {call.folder}, found a link out of it; --replace puts a mask there"
        )
    mask = read_mask(path, target.labels, target.size_px)
    return mask if mask.any() else None  # ignored pixels, too, somebody has set


def write_masks(folder: Path, views: list[str], masks: PaintedMasks, labels: LabelSet) -> None:
    """Write the masks of some views, each whole.

    Raises:
        OutputError: one cannot be written.
    """
    from dnerf_core.files.pictures import write_mask
    from dnerf_core.files.whole import check_writable, make_folder

    if not views:
        return
    make_folder(folder / "masks")
    check_writable(folder / "masks" / f"{views[0]}.png")
    for view in views:
        write_mask(folder / "masks" / f"{view}.png", masks.mask(view), labels.palette())


def _lines(call: AnnotateImportCall, outcome: _Outcome, silent: int, rows: list[dict[str, Any]]) -> list[str]:
    """The summary for people."""
    parts = [f"{counted(len(outcome.written), 'view')} painted"]
    parts += [f"{len(outcome.same)} the same already"] if outcome.same else []
    parts += [f"{len(outcome.kept)} kept as painted"] if outcome.kept else []
    parts += [f"{silent} not annotated there and left as they are"] if silent else []
    lines = [f"{call.folder}: {', '.join(parts)}"]
    from dnerf_core.labels import IGNORE_ID

    shown = [row for row in rows if row["id"] != IGNORE_ID or row["pixels"]]
    width = max(len(row["name"]) for row in shown)
    lines += [f"  {row['name']:<{width}}  {row['pixels']:>10,} px in {counted(row['views'], 'view')}" for row in shown]
    next_step = f"next: dnerf-headless train {call.folder} -o model.safetensors"
    return [*lines, next_step + (" --skip-unpainted" if silent else "")]


def _stay(count: int) -> str:
    return "stays as it is" if count == 1 else "stay as they are"


def _listed(names: list[str]) -> str:
    return listed([name if name.isidentifier() else brief(name) for name in names], 3)
