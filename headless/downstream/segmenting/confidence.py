"""How sure a network is of a file, and when that is so little that the file is probably not of the kind that it learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.network_file import NetworkKind

POOR: dict[NetworkKind, float] = {"image": 0.8, "points": 0.7}


class Tally:
    """Labels and confidence of a file's pixels or points, frame by frame.

    Attributes:
        counts: int64 [C], how often each label was given.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = np.zeros(num_classes, np.int64)
        self._sums = np.zeros(num_classes, np.float64)

    def add(self, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        """Some pixels or points: labels uint8 and confidence float32 of one shape."""
        flat = labels.reshape(-1)
        self.counts += np.bincount(flat, minlength=len(self.counts))
        self._sums += np.bincount(flat, weights=confidence.reshape(-1), minlength=len(self.counts))

    @property
    def mean(self) -> float:
        """Mean confidence of what is not background, of all where everything is."""
        parts = slice(1, None) if self.counts[1:].any() else slice(None)
        return round(float(self._sums[parts].sum() / max(int(self.counts[parts].sum()), 1)), 6)
