"""The region r of an edit: what it is about, told by the labels before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID

BACKGROUND_ID = 0


@dataclass(frozen=True, eq=False)
class Region:
    """What an edit may change, at the picture's size.

    Attributes:
        edited: bool [S, S], the pixels that were repainted.
        near: bool [S, S], these and a margin round them.
        inside: bool [S, S], r: where an edited label lies before or after, and what is near.
        labels: the edited labels.
    """

    edited: NDArray[np.bool_]
    near: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    labels: tuple[int, ...]


def region_of(before: NDArray[np.uint8], after: NDArray[np.uint8], margin_px: int) -> Region:
    """The region r of an edit (section 5.4: "the union region of the label region before and after the edit").

    Args:
        before, after: uint8 [S, S] of label ids; where `after` is `IGNORE_ID` nothing is asked for.

    Raises:
        UsageError: nothing was repainted.
    """
    edited = (before != after) & (after != IGNORE_ID)
    if not edited.any():
        raise UsageError("edited mask: expected some pixels that differ from the subject's own mask, found none; paint something")
    labels = edited_labels(before, after, edited)
    near = _grown(edited, margin_px)
    return Region(edited, near, near | np.isin(before, labels) | np.isin(after, labels), labels)


def edited_labels(before: NDArray[np.uint8], after: NDArray[np.uint8], edited: NDArray[np.bool_]) -> tuple[int, ...]:
    """Which labels an edit is about: of all sets that each repainted pixel has its old or its new label of, the one that covers least.

    A hood drawn longer over the body is about the hood, not about the body. Background, which is everything round the object, is in
    no such set.
    """
    pairs = np.unique(np.stack([before[edited], after[edited]], axis=1), axis=0).tolist()
    changes = frozenset(frozenset(pair) - {BACKGROUND_ID} for pair in pairs)
    area = {label: int(((before == label) | (after == label)).sum()) for label in frozenset[int]().union(*changes)}
    return tuple(sorted(_least_choice(changes, area)))


def _least_choice(changes: frozenset[frozenset[int]], area: Mapping[int, int]) -> frozenset[int]:
    """The set of least area with a label of each change; of equals the smallest, then the one of the lowest labels.

    Either the label of most changes is in it, or all that it changes with: noise between many labels is soon settled.
    """
    if not changes:
        return frozenset()
    counts = Counter(label for change in changes for label in change)
    label = min(counts, key=lambda one: (-counts[one], one))
    partners = frozenset[int]().union(*(change - {label} for change in changes if label in change))
    choices = [
        chosen | _least_choice(frozenset(change for change in changes if not change & chosen), area)
        for chosen in (frozenset({label}), partners)
        if all(change & chosen for change in changes if label in change)
    ]
    return min(choices, key=lambda chosen: (sum(area[one] for one in chosen), len(chosen), sorted(chosen)))


def _grown(where: NDArray[np.bool_], margin_px: int) -> NDArray[np.bool_]:
    """True also up to `margin_px` beside and above, pixels."""
    if not margin_px:
        return where
    image = torch.from_numpy(where)[None, None].float()
    return F.max_pool2d(image, 2 * margin_px + 1, stride=1, padding=margin_px)[0, 0].numpy() > 0
