"""Left and right in label names: which labels change places when a picture is mirrored."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet

_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
"""Words of a name: runs of letters, each beginning at a capital one, numbers, and what stands between."""


def other_side(name: str) -> str | None:
    """The name of the other side's part: "right eye" for "left eye", "RightArm" for "LeftArm"; None: it has no side."""
    words = _WORD.findall(name)
    turned = [_turned(word) for word in words]
    return "".join(turned) if turned != words else None


def mirrored_ids(labels: LabelSet, option: str = "--flip", remedy: str = "train with --no-flip") -> NDArray[np.uint8]:
    """uint8 [256]: the id that each id becomes where a picture is mirrored; 255 stays.

    Args:
        option, remedy: what asked for mirrored pictures, and what to do without them.

    Raises:
        UsageError: a label is of one side, and there is none of the other.
    """
    ids = {name.casefold(): label_id for label_id, name in enumerate(labels.names)}
    table = np.arange(256, dtype=np.uint8)
    for label_id, name in enumerate(labels.names):
        other = other_side(name)
        if other is None:
            continue
        if other.casefold() not in ids:
            raise UsageError(
                f"{option}: label {name!r}: expected a label {other!r} that it becomes in a mirrored picture, found none; {remedy}"
            )
        table[label_id] = ids[other.casefold()]
    return table


def _turned(word: str) -> str:
    other = _OTHER_SIDE.get(word.casefold())
    if other is None:
        return word
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
