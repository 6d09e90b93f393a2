"""A report as data: sections of sentences, tables, charts and pictures, and the commands that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FINDINGS_TITLE = "What appears and what does not"


@dataclass(frozen=True)
class Table:
    """Texts in rows; the first `words` columns are words, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int


@dataclass(frozen=True)
class Series:
    """One line of a chart: points (x, y, spread); a spread of 0 is not drawn."""

    name: str
    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Chart:
    """Lines over a logarithmic axis."""

    title: str
    x_name: str
    y_name: str
    series: tuple[Series, ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A PNG and what it shows; `name` is of its file beside a Markdown report."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, eq=False)
class Section:
    """Part of a report.

    Attributes:
        findings: what appears and what does not: a sentence about what follows, and what follows.
    """

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """All of a report.

    Attributes:
        facts: what holds for all of it, by name: version, model, scale, seeds.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section] = field(default_factory=tuple)
