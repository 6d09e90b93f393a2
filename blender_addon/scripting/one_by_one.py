"""Steps of a job, one after the other: each asks the worker for something and goes on when that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def one_by_one(items: Iterable[T], begin: Callable[[T, Callable[[], None]], None], then: Callable[[], None]) -> None:
    """Begin a step for each of the items.

    Args:
        begin: takes an item, and what it has to call when its step is done.
        then: is called after the last.
    """
    left = list(items)

    def go_on() -> None:
        if left:
            begin(left.pop(0), go_on)
        else:
            then()

    go_on()
