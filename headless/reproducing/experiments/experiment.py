"""What an experiment is: its name, its columns, what it is about, and its rows in a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headless.reproducing.steps import Row

if TYPE_CHECKING:
    from headless.reproducing.averages import Averaged
    from headless.reproducing.cache import Cache
    from headless.reproducing.setting import Setting
    from headless.reproducing.writing.report import Picture


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        title: for people, with the paper's number.
        about: sentences that say what the rows and columns are.
        row_names: what `--only` may name.
        rows: all rows of a setting, repetitions and all, and what is to be said of rows that are left out.
        columns: of a setting.
        axes: which entries of `Row.given` are the horizontal axes of charts, each of the rows that have it.
        pictures: of the rows that have been made; None: of views of the tests of pictures.
    """

    name: str
    title: str
    about: tuple[str, ...]
    row_names: tuple[str, ...]
    rows: Callable[[Setting], tuple[list[Row], list[str]]]
    columns: Callable[[Setting], tuple[str, ...]]
    axes: tuple[str, ...] = ()
    pictures: Callable[[Sequence[Averaged], Setting, Cache], list[Picture]] | None = None


def chosen(rows: Iterable[Row], only: tuple[str, ...] | None) -> list[Row]:
    """The rows that `--only` names; None: all."""
    return [row for row in rows if only is None or row.name in only]
