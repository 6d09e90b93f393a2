"""Rows that have been made, averaged over repetitions, as sections of a report and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from headless.reproducing.averages import SIZES, Averaged, Score, averaged, value_of
from headless.reproducing.findings import SPREAD_KNOWN, SPREAD_UNKNOWN
from headless.reproducing.steps import in_order
from headless.reproducing.writing.report import Chart, Picture, Section, Series, Table

if TYPE_CHECKING:
    from headless.reproducing.cache import Cache
    from headless.reproducing.experiments.experiment import Experiment
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Row


def alike(found: Iterable[Averaged]) -> list[list[Averaged]]:
    """Rows that have a column in common, together: each group is a table."""
    groups: list[list[Averaged]] = []
    for entry in found:
        for group in groups:
            if any(column in other.scores for other in group for column in entry.scores):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return groups


def section_of(experiment: Experiment, setting: Setting, rows: Sequence[Row], remarks: Iterable[str], cache: Cache) -> Section:
    """What a report says of an experiment.

    Raises:
        OutputError: scores cannot be read.
    """
    found = averaged(rows, cache)
    groups = [
        (entries, [column for column in experiment.columns(setting) if any(column in entry.scores for entry in entries)])
        for entries in alike(found)
    ]
    steps = in_order(rows)
    notes = [*remarks]
    if setting.repetitions > 1:
        notes.append(f"Mean and standard deviation over {setting.repetitions} seeds.")
    notes += [f"{record['title']}: {text}" for step in steps if (record := cache.record(step)) for text in record["warnings"]]
    return Section(
        experiment.title,
        experiment.about,
        tuple(_table(entries, columns) for entries, columns in groups),
        tuple(chart for entries, columns in groups for chart in _charts(experiment, entries, columns)),
        tuple(_pictures(experiment, setting, found, cache)),
        remarks=tuple(notes),
        findings=tuple(_findings(experiment, setting, found)),
    )


def section_of_commands(rows: Iterable[Row], cache: Cache) -> Section:
    """Every step of some rows as a user types it, in the order in which they are made."""
    commands = tuple((step.title, cache.command_of(step)) for step in in_order(rows))
    return Section("Commands", ("Each step takes what those before it have written.",), commands=commands)


def rows_json(experiment: Experiment, setting: Setting, rows: Sequence[Row], cache: Cache) -> dict[str, Any]:
    """The same numbers for machines, with the key and the seed of each row."""
    found = averaged(rows, cache)
    return {
        "experiment": experiment.name,
        "columns": list(experiment.columns(setting)),
        "findings": _findings(experiment, setting, found),
        "rows": [
            {
                "row": row.name,
                **row.given,
                "repetition": row.repetition,
                "seed": row.seed,
                "key": row.key,
                "scores": {column: value_of(cell, cache) for column, cell in row.cells.items()},
            }
            for row in rows
        ],
        "means": [
            {
                "row": entry.first.name,
                **entry.first.given,
                "scores": {
                    column: {"mean": _finite(score.mean), "spread": _finite(score.spread), "seeds": len(score.values)}
                    for column, score in entry.scores.items()
                },
            }
            for entry in found
        ],
    }


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _findings(experiment: Experiment, setting: Setting, found: Sequence[Averaged]) -> list[str]:
    sentences = [] if experiment.findings is None else experiment.findings(found)
    return [SPREAD_KNOWN if setting.repetitions > 1 else SPREAD_UNKNOWN, *sentences] if sentences else []


def _table(found: Sequence[Averaged], columns: Sequence[str]) -> Table:
    sizes = [name for name in SIZES if any(name in entry.first.given for entry in found)]
    lines = tuple(
        (
            entry.first.title,
            *(str(entry.first.given.get(name, "-")) for name in sizes),
            *(entry.scores.get(column, Score(())).text for column in columns),
        )
        for entry in found
    )
    return Table(("row", *sizes, *columns), lines, 1)


def _charts(experiment: Experiment, found: Sequence[Averaged], columns: Sequence[str]) -> list[Chart]:
    """On each axis, of one method a chart of all columns, of several one of each column with a line for each method."""
    return [
        Chart(title, axis, "score", tuple(series))
        for axis in experiment.axes
        for title, series in _lines_on(
            experiment.title, [entry for entry in found if entry.first.given.get(axis, 0) > 0], axis, columns
        )
        if any(len(line.points) > 1 for line in series)
    ]


def _lines_on(title: str, found: Sequence[Averaged], axis: str, columns: Sequence[str]) -> list[tuple[str, list[Series]]]:
    methods = dict.fromkeys(entry.first.name for entry in found)
    lines = {(name, column): _points(found, name, axis, column) for name in methods for column in columns}
    if len(methods) == 1:
        return [(title, [Series(column, points) for (_, column), points in lines.items() if points])]
    return [
        (f"{title}: {column}", [Series(name, lines[name, column]) for name in methods if lines[name, column]])
        for column in columns
    ]


def _points(found: Sequence[Averaged], name: str, axis: str, column: str) -> tuple[tuple[float, float, float], ...]:
    """What a column of the rows of a method is at each place on an axis: (place, mean, spread)."""
    return tuple(
        (float(entry.first.given[axis]), score.mean, score.spread if math.isfinite(score.spread) else 0.0)
        for entry in found
        if entry.first.name == name and (score := entry.scores.get(column, Score(()))).values
    )


def _pictures(experiment: Experiment, setting: Setting, found: Sequence[Averaged], cache: Cache) -> list[Picture]:
    """Views of test sets with what each row predicts of them: of the first test for each number of labels, of all tests for the last."""
    own = [] if experiment.pictures is None else experiment.pictures(found, setting, cache)
    shown = [entry for entry in found if any(cell.test is not None for cell in entry.first.cells.values())]
    if not shown:
        return own
    found, columns = shown, [column for column, cell in shown[0].first.cells.items() if cell.test is not None]
    always = [entry for entry in found if "labels" not in entry.first.given]
    counts = list(dict.fromkeys(entry.first.given["labels"] for entry in found if "labels" in entry.first.given))
    grids = []
    groups: list[int | None] = [*counts] or [None]
    for count in groups:
        rows = [*(entry for entry in found if count is not None and entry.first.given.get("labels") == count), *always]
        for column in columns if count is None or count == counts[-1] else columns[:1]:
            grids.append(_grid(experiment, rows, column, count, cache))
    return [*own, *grids]


def _grid(experiment: Experiment, found: Sequence[Averaged], column: str, count: int | None, cache: Cache) -> Picture:
    import numpy as np
    from PIL import Image

    from dnerf_core.downstream.images.sets.opening import open_set
    from headless.pictures.picture_grid import picture_grid
    from headless.reproducing.scoring import shown_mask, shown_views

    cells = [entry.first.cells[column] for entry in found]
    test = cells[0].test
    assert test is not None
    views = open_set(cache.place(test), skip_unpainted=True)
    heads = ["image", "truth", *(_head(entry.first) for entry in found)]
    rows = []
    for view in shown_views(len(views.views)):
        image, truth = views.pair(view)
        pictures = [image, views.labels.colorize(truth)]
        for cell in cells:
            with Image.open(shown_mask(cache.place(cell.step), view, cell.beginning)) as mask:
                pictures.append(views.labels.colorize(np.asarray(mask, np.uint8)))
        rows.append((views.views[view].name, pictures))
    of_labels = "" if count is None else f", {count} labels"
    title = f"{experiment.title}: {column}{of_labels}"
    named = ", ".join(dict.fromkeys(f"{entry.first.name}: {entry.first.title}" for entry in found))
    words = "".join(letter if letter.isalnum() else " " for letter in column).lower().split()
    name = "-".join([experiment.name, *words, *([] if count is None else [str(count)])])
    caption = f"{title}: pictures, their truth, and what the first seed of each row predicts ({named})"
    return Picture(name, caption, picture_grid(title, heads, rows, views.labels))


def _head(row: Row) -> str:
    """A row in a picture's column head; its labels stand in the title."""
    return " ".join([row.name, *(str(value) for name, value in row.given.items() if name != "labels")])
