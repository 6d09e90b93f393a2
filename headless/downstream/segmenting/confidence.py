"""How sure a network is of a file, and when that is so little that the file is probably not of the kind that it learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.network_file import NetworkKind

POOR: dict[NetworkKind, float] = {"image": 0.7, "points": 0.85}
"""A mean confidence below which a file is told of. Measured on networks of five classes trained on cars of the demo's world:

Images (`mini`, mIoU .84), mean over the parts' pixels: 20 unseen cars .80 to .91; cars of another world .67 to .86; people .61 to .69; the
same cars pasted into photographs, which the network has not seen .34 to .57; 15 photographs of anything .35 to .65; noise .38 to .55.

Points, where a network does not know what is strange to it (`pointnet-small`, recipe for scans, accuracy .95): unseen cars .90 to .92, with
noise or one half missing .86 and more; cars on their backs .82 to .85, a ball .82, a box .84. But random points got .89 to .91, and cars on
their sides up to .91: of clouds confidence tells less.
"""

STRANGE = 1.5
"""A strangeness above which a cloud is told of. Measured on two networks of points, trained on other clouds and with other tilts, ten
clouds of each kind: unseen cars .64 to 1.12, scans of them .73 to 1.07, the whole surface .68 to 1.24, scans that lean by 10 degrees
.87 to 1.29; with half of the points in holes 1.1 to 3.0, cut in half 1.4 to 2.8; cars on their sides 1.7 to 2.6, on their backs 2.4 to
3.9, on nose or tail 3.2 to 4.5; random points in a ball 1.9 to 4.0, in boxes of a car's kind 1.15 to 3.1, of which every third is not
told; boxes 1.8 to 3.9, balls 2.7 to 6.0, planes 4.6 to 6.0, people 3.1 to 3.9.
"""


def is_unsure(kind: NetworkKind, confidence: float, strangeness: float | None) -> bool:
    """Whether a file is probably none of the kind that a network learned from.

    Args:
        confidence: mean probability of the labels.
        strangeness: see `PointSegmenter.strangeness`; None: not known, and the confidence decides.
    """
    return confidence < POOR[kind] if strangeness is None else strangeness > STRANGE


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
