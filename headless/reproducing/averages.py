"""Rows that have been made, repetitions of the same together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headless.reproducing.cache import Cache
    from headless.reproducing.steps import Cell, Row

SIZES = ("labels", "pairs", "clouds", "real", "generated")
"""What rows may be told by, see `Row.given`, in the order of a table's columns."""


@dataclass(frozen=True)
class Score:
    """A number over repetitions.

    Attributes:
        values: of each repetition; one that cannot be told is left out.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """NaN without values."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def spread(self) -> float:
        """The sample's standard deviation; NaN of fewer than two values."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    @property
    def text(self) -> str:
        """`0.912 ± 0.004`, three digits; a dash where nothing is known."""
        if not self.values:
            return "-"
        return f"{self.mean:.3f}" + (f" ± {self.spread:.3f}" if len(self.values) > 1 else "")


@dataclass(frozen=True, eq=False)
class Averaged:
    """Rows of one method that learned from as much, repetitions together.

    Attributes:
        by_repetition: each column's values by the repetitions that have one.
    """

    rows: tuple[Row, ...]
    by_repetition: Mapping[str, Mapping[int, float]]

    @property
    def first(self) -> Row:
        """The first repetition, which pictures show."""
        return self.rows[0]

    @property
    def scores(self) -> dict[str, Score]:
        """Each column's number."""
        return {column: Score(tuple(values.values())) for column, values in self.by_repetition.items()}

    @property
    def place(self) -> tuple[float, ...]:
        """What rows are put in order by: growing sizes, those without last."""
        return tuple(self.first.given.get(name, math.inf) for name in SIZES)


def value_of(cell: Cell, cache: Cache) -> float | None:
    """A row's number; None: it cannot be told.

    Raises:
        OutputError: scores cannot be read.
    """
    found: Any = cache.scores(cell.step)
    for name in cell.entry:
        found = found[name]
    return None if found is None else float(found)


def averaged(rows: Sequence[Row], cache: Cache) -> list[Averaged]:
    """Rows of the same name and sizes together, in their first order, by growing sizes.

    Raises:
        OutputError: scores cannot be read.
    """
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.name, tuple(row.given.items())), []).append(row)
    found = []
    for group in groups.values():
        values = {
            column: {row.repetition: value for row in group if (value := value_of(row.cells[column], cache)) is not None}
            for column in group[0].cells
        }
        found.append(Averaged(tuple(group), values))
    return sorted(found, key=lambda entry: entry.place)
