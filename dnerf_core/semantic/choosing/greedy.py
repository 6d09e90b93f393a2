"""Greedy choice of views: each next one is the most uncertain for how far it lies from all that is painted or chosen already.

    gain(v) = uncertainty(v)^a * distance(v)^b,   distance(v) = min over painted and chosen u of sqrt(sum over blocks |v - u|^2 / scale^2)

The distance is that of k-centre coverage, over blocks of features such as latents and directions, each divided by the mean distance of two
candidates, so that no block drowns another. A view's neighbours lose their gain once it is chosen, which is what keeps a batch diverse
(Sener and Savarese, ICLR 2018, for the coverage; Settles' information density for the product).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A chosen view.

    Attributes:
        candidate: its number among the candidates.
        uncertainty: as it was given.
        distance: to the nearest painted or earlier chosen view, in mean distances of two candidates; inf where there is none.
        nearest: that view: a number of a painted one, or with the number of painted ones added, of a candidate; None: there is none.
    """

    candidate: int
    uncertainty: float
    distance: float
    nearest: int | None


@dataclass(frozen=True)
class GreedyConfig:
    """The powers of uncertainty and distance in a candidate's gain; 0 leaves the one or the other out.

    The square root of uncertainty, since few views make a noisy ensemble, and what is most uncertain of all is odd rather than telling;
    what it brings on the demo is in docs/annotating.md.
    """

    uncertainty_power: float = 0.5
    distance_power: float = 1.0


def choose_greedily(
    uncertainty: FloatArray,
    subject: NDArray[np.int64],
    candidates: Sequence[FloatArray],
    painted: Sequence[FloatArray],
    *,
    subjects: int,
    views_each: int = 1,
    config: GreedyConfig | None = None,
) -> list[Choice]:
    """Choose `subjects` x `views_each` of N candidates, the best first; of equals the first.

    Args:
        uncertainty: [N], at least 0.
        subject: [N], which subject each candidate shows; each needs `views_each` candidates to be chosen.
        candidates: blocks of features, each [N, F]; painted: the same blocks [P, F] of the views that are painted already.

    Raises:
        UsageError: too few subjects have enough candidates.
    """
    powers = config or GreedyConfig()
    counts = {int(number): int(count) for number, count in zip(*np.unique(subject, return_counts=True), strict=True)}
    able = {number for number, count in counts.items() if count >= views_each}
    if len(able) < subjects:
        raise UsageError(
            f"candidates: expected at least {subjects} subjects of {views_each} views or more, found {len(able)}; offer more of them"
        )
    scales = [_mean_distance(block) for block in candidates]
    every = np.concatenate([block / scale for block, scale in zip(candidates, scales, strict=True)], axis=1)
    known = np.concatenate([block / scale for block, scale in zip(painted, scales, strict=True)], axis=1)
    between = _distances(every, known)
    distance = between.min(axis=1) if len(known) else np.full(len(every), np.inf)
    nearest = between.argmin(axis=1) if len(known) else np.full(len(every), -1)
    level = float(uncertainty.mean()) or 1.0
    worth = (uncertainty / level) ** powers.uncertainty_power
    left: dict[int, int] = {}  # views that each opened subject has still to get
    chosen: list[Choice] = []
    while len(chosen) < subjects * views_each:
        opened = len(left) == subjects
        free = np.array([left.get(int(number), 0 if opened or int(number) not in able else 1) > 0 for number in subject])
        free[[choice.candidate for choice in chosen]] = False
        # before there is anything to be far from, all are equally far
        reach = np.where(np.isfinite(distance), distance, 1.0) ** powers.distance_power
        best = int(np.where(free, worth * reach, -np.inf).argmax())
        closest = int(nearest[best])
        chosen.append(Choice(best, float(uncertainty[best]), float(distance[best]), closest if closest >= 0 else None))
        left[int(subject[best])] = left.get(int(subject[best]), views_each) - 1
        to_best = _distances(every, every[best : best + 1])[:, 0]
        nearest = np.where(to_best < distance, len(known) + best, nearest)
        distance = np.minimum(distance, to_best)
    return chosen


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """[N, M] between rows [N, F] and [M, F]."""
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0.0))


def _mean_distance(block: FloatArray) -> float:
    """Root mean square distance of two rows, or 1 where all are the same."""
    spread = float(np.sqrt(2 * block.var(axis=0).sum()))
    return spread if spread > 1e-9 else 1.0
