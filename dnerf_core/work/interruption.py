"""Leaving a view half-way: whoever asks for it says by what it is ended, and long computations look in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Meanwhile `check` is called every now and then by what this thread computes, and ends it by raising.

    What a Subject makes once and keeps is made whole or not at all, so it can be asked again.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def checkpoint() -> None:
    """A place at which a computation may be left."""
    check = _check.get()
    if check is not None:
        check()
