"""Rows that have been made, averaged over repetitions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headless.reproducing.cache import Cache
    from headless.reproducing.steps import Cell, Row

SIZES = ("labels", "pairs", "clouds", "real", "generated")
"""What rows may have learned from, in the order in which tables tell it."""


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
    """Rows of one method that learned from as much, repetitions together."""

    rows: tuple[Row, ...]
    scores: dict[str, Score]

    @property
    def first(self) -> Row:
        """The first repetition, which pictures show."""
        return self.rows[0]


def value_of(cell: Cell, cache: Cache) -> float | None:
    """A row's number; None: it cannot be told."""
    found: Any = cache.scores(cell.step)
    for name in cell.entry:
        found = found[name]
    return None if found is None else float(found)


def averaged(rows: Sequence[Row], cache: Cache) -> list[Averaged]:
    """Rows of the same name and sizes together, in their first order."""
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.name, tuple(row.given.items())), []).append(row)
    found = []
    for group in groups.values():
        scores = {}
        for column in group[0].cells:
            values = [value_of(row.cells[column], cache) for row in group]
            scores[column] = Score(tuple(value for value in values if value is not None))
        found.append(Averaged(tuple(group), scores))
    return sorted(found, key=lambda entry: tuple(entry.first.given.get(name, math.inf) for name in SIZES))


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
