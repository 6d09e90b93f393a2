"""What appears in an experiment and what does not, as sentences that are worked out from its rows: leads told as leads, ties as ties."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnerf_core.errors import counted
from headless.reproducing.averages import SIZES, Averaged, Score

if TYPE_CHECKING:
    from headless.reproducing.steps import Row

Findings = Callable[[Sequence[Averaged]], list[str]]
"""Sentences of averaged rows."""

SPREAD_KNOWN = (
    "Differences are taken seed by seed, and told with their mean and standard deviation over seeds. Two rows are called tied where the "
    "mean is no larger than the standard deviation."
)
SPREAD_UNKNOWN = (
    "One seed tells no spread, so that the differences below are neither called leads nor ties; --seeds 3 tells more."
)


@dataclass(frozen=True)
class Difference:
    """What one row has more than another of a column, over the repetitions that both have."""

    column: str
    score: Score

    @property
    def kind(self) -> str:
        """higher, lower or tied; unsure of one repetition alone."""
        if len(self.score.values) < 2:
            return "unsure"
        if abs(self.score.mean) <= self.score.spread:
            return "tied"
        return "higher" if self.score.mean > 0 else "lower"

    @property
    def text(self) -> str:
        """`Ind. +0.031 ± 0.004`."""
        spread = "" if math.isnan(self.score.spread) else f" ± {self.score.spread:.3f}"
        return f"{self.column} {self.score.mean:+.3f}{spread}"


def differences(ours: Averaged, theirs: Averaged) -> list[Difference]:
    """Ours less theirs, of the columns that both have."""
    found = []
    for column, values in ours.by_repetition.items():
        others = theirs.by_repetition.get(column, {})
        both = Score(tuple(values[repetition] - others[repetition] for repetition in values if repetition in others))
        if both.values:
            found.append(Difference(column, both))
    return found


def compared(ours: Averaged, theirs: Averaged) -> list[str]:
    """One sentence of two rows; none where they have no number in common."""
    return difference_sentences(
        f"{_named(ours.first)} against {_named(theirs.first, other=ours.first)}", differences(ours, theirs)
    )


def difference_sentences(what: str, found: Sequence[Difference]) -> list[str]:
    """One sentence of differences, by their kinds; none where there are none."""
    if not found:
        return []
    words = {"higher": "higher: ", "lower": "lower: ", "tied": "tied: ", "unsure": ""}
    groups = {kind: [entry.text for entry in found if entry.kind == kind] for kind in words}
    parts = [words[kind] + ", ".join(texts) for kind, texts in groups.items() if texts]
    return [f"{what}: {'; '.join(parts)}"]


def against(ours: str, others: Sequence[str]) -> Findings:
    """One row against others: those that learned from as much, and those that learned from nothing that is counted."""

    def findings(found: Sequence[Averaged]) -> list[str]:
        return [
            sentence
            for own in found
            if own.first.name == ours
            for name in others
            for other in found
            if other.first.name == name and (other.first.given == own.first.given or not (other.first.given and own.first.given))
            for sentence in compared(own, other)
        ]

    return findings


def growth(*axes: str) -> Findings:
    """Each row against the one before of the same method, which learned from less."""

    def findings(found: Sequence[Averaged]) -> list[str]:
        sentences = []
        for axis, name in itertools.product(axes, dict.fromkeys(entry.first.name for entry in found)):
            own = [entry for entry in found if entry.first.name == name and axis in entry.first.given]
            for less, more in itertools.pairwise(own):
                sentences += compared(more, less)
        return sentences

    return findings


def both(*several: Findings) -> Findings:
    """What each of several says, one after the other."""
    return lambda found: [sentence for findings in several for sentence in findings(found)]


def _named(row: Row, other: Row | None = None) -> str:
    """`DatasetNeRF of 90 labels`; beside another row only the sizes that differ."""
    known = {} if other is None else other.given
    sizes = [
        counted(row.given[name], name.removesuffix("s"))
        for name in SIZES
        if name in row.given and row.given[name] != known.get(name)
    ]
    words = " and ".join(sizes)
    if other is not None and row.title == other.title and sizes:
        return words
    return row.title + (f" of {words}" if sizes else "")
