"""Views of one object, read when they are wanted, the latest used of them held as far as a number of bytes goes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from headless.work.workers import run_tasks

V = TypeVar("V")


class HeldViews(Generic[V]):
    """Views by their numbers.

    Args:
        read: reads a view; called by several threads.
        size_of: bytes of a view.
        held_bytes: what views are held in; one is always held.
    """

    def __init__(self, read: Callable[[int], V], size_of: Callable[[V], int], held_bytes: int) -> None:
        self._read, self._size_of, self._held_bytes = read, size_of, held_bytes
        self._held: OrderedDict[int, V] = OrderedDict()
        self._bytes = 0

    def read_all(self, count: int, workers: int) -> Iterator[V]:
        """Views 0 to `count` - 1, in order; read by so many threads."""
        for index, view in run_tasks([range(count)], self._read, workers, in_order=True):
            self._keep(index, view)
            yield view

    def seen(self, index: int) -> V:
        """A view, read again where it is not held."""
        if index not in self._held:
            self._keep(index, self._read(index))
        self._held.move_to_end(index)
        return self._held[index]

    def _keep(self, index: int, view: V) -> None:
        self._held[index] = view
        self._bytes += self._size_of(view)
        while self._bytes > self._held_bytes and len(self._held) > 1:
            self._bytes -= self._size_of(self._held.popitem(last=False)[1])
