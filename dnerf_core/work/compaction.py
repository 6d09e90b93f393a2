"""Picking out some of many on a device without asking it how many there are."""

from __future__ import annotations

import torch
from torch import Tensor

_SPARE = 1.25
_STEP = 4096
"""A room is so many times what was found last, up to the next multiple of so many."""


def true_places(mask: Tensor, count: int) -> Tensor:
    """The first `count` places int64 [count] at which a mask [N] is true, rising; N where there are no more. The host does not wait."""
    rank = mask.cumsum(0)
    return torch.searchsorted(rank, torch.arange(1, count + 1, dtype=rank.dtype, device=rank.device))


class Room:
    """How many of N there is room for, by what was found of as many the last time; of one thread.

    A search's views differ little from one step to the next, so the number found is read with what the host asks for anyway, afterwards;
    where there was not room for all, the step is made once more.
    """

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._total, self.found = 0, torch.zeros((), dtype=torch.long)

    def places(self, mask: Tensor) -> Tensor:
        """`true_places` of a mask [N], as many as there is room for; the first time for an N the host waits."""
        self._total, self.found = len(mask), mask.sum()
        if self._total not in self._places:
            self._make(int(self.found))
        return true_places(mask, self._places[self._total])

    def was_short(self, found: int) -> bool:
        """Whether so many, found in the last mask, were more than there was room for; there is now."""
        if found <= self._places[self._total]:
            return False
        self._make(found)
        return True

    def _make(self, found: int) -> None:
        self._places[self._total] = min(self._total, (int(found * _SPARE) // _STEP + 1) * _STEP)
