"""Rows that have been made as sections of a report and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from headless.reproducing.averages import SIZES, Averaged, Score, alike, averaged, value_of
from headless.reproducing.steps import in_order
from headless.reproducing.writing.report import Chart, Picture, Section, Series, Table

if TYPE_CHECKING:
    from headless.reproducing.cache import Cache
    from headless.reproducing.experiments.experiment import Experiment
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Row


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
        tuple(_pictures(experiment, found, cache) if experiment.pictures is None else experiment.pictures(found, setting, cache)),
        remarks=tuple(notes),
    )


def section_of_commands(rows: Iterable[Row], cache: Cache) -> Section:
    """Every step of some rows as a user types it, in the order in which they are made."""
    commands = tuple((step.title, cache.command_of(step)) for step in in_order(rows))
    return Section("Commands", ("Each step takes what those before it have written.",), commands=commands)


def rows_json(experiment: Experiment, setting: Setting, rows: Sequence[Row], cache: Cache) -> dict[str, Any]:
    """The same numbers for machines, with the key and the seed of each row."""
    return {
        "experiment": experiment.name,
        "columns": list(experiment.columns(setting)),
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
            for entry in averaged(rows, cache)
        ],
    }


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


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
    """A chart for each axis: of one method all columns, of several the first."""
    charts = []
    for axis in experiment.axes:
        placed = [entry for entry in found if entry.first.given.get(axis, 0) > 0]
        titles = list(dict.fromkeys(entry.first.title for entry in placed))
        lines = [(column, titles[0], column) for column in columns] if len(titles) == 1 else [(t, t, columns[0]) for t in titles]
        series = [Series(name, points) for name, title, column in lines if (points := _points(placed, title, column, axis))]
        if len({x for one in series for x, _, _ in one.points}) > 1:
            y_name = "score" if len(titles) == 1 else columns[0]
            charts.append(Chart(experiment.title, axis, y_name, tuple(series)))
    return charts


def _points(found: Sequence[Averaged], title: str, column: str, axis: str) -> tuple[tuple[float, float, float], ...]:
    """What a column of the rows of a title is at each place on an axis: (place, mean, spread)."""
    return tuple(
        (float(entry.first.given[axis]), score.mean, score.spread if math.isfinite(score.spread) else 0.0)
        for entry in found
        if entry.first.title == title and (score := entry.scores.get(column, Score(()))).values
    )


def _pictures(experiment: Experiment, found: Sequence[Averaged], cache: Cache) -> list[Picture]:
    """Views of the first and the last test column, with what each row predicts of them."""
    shown = [entry for entry in found if any(cell.test is not None for cell in entry.first.cells.values())]
    if not shown:
        return []
    columns = list(shown[0].first.cells)
    return [_grid(experiment, shown, column, cache) for column in dict.fromkeys((columns[0], columns[-1]))]


def _grid(experiment: Experiment, found: Sequence[Averaged], column: str, cache: Cache) -> Picture:
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
    title = f"{experiment.title}: {column}"
    name = f"{experiment.name}-{'first' if column == next(iter(found[0].first.cells)) else 'last'}"
    return Picture(name, f"{title}, what the first seed of each row predicts", picture_grid(title, heads, rows, views.labels))


def _head(row: Row) -> str:
    return " ".join([row.name, *map(str, row.given.values())])
