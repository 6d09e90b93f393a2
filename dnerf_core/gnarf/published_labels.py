"""Labels of the data sets that GNARF was trained on: a camera, a pose and a shape in one row of numbers. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError

_CAMERA, _SHAPE, _TRANSLATION = 25, 10, 3


@dataclass(frozen=True, eq=False)
class PublishedLabel:
    """One picture's label.

    Attributes:
        camera: float32 [25], cam2world row-major (16) and intrinsics (9); the published data's fx is twice its fy.
        pose: float32 [K + 1, 3], as `body.template.Template` has it.
        shape: float32 [10], SMPL's coefficients.
    """

    camera: NDArray[np.float32]
    pose: NDArray[np.float32]
    shape: NDArray[np.float32]


def read_label(numbers: Sequence[float], joints: int = 24) -> PublishedLabel:
    """A row of 107 or 110 numbers, or one more where the loader has appended its dummy.

    The translation counts in a row of 111 alone, as in the published code, which drops it from one of 110.

    Args:
        joints: K, 24 of SMPL's skeleton, for which those lengths are; each joint has three numbers.

    Raises:
        UsageError: another length, as those are that carried a grid computed beforehand, or a number that is not finite.
    """
    plain = _CAMERA + 3 * joints + _SHAPE
    lengths = (plain, plain + 1, plain + _TRANSLATION, plain + _TRANSLATION + 1)
    row = np.asarray(numbers, np.float32)
    if row.ndim != 1 or len(row) not in lengths:
        raise UsageError(
            f"label: expected {', '.join(map(str, lengths))} numbers of a body with {joints} joints, found {list(row.shape)}; "
            "give a camera, the turns and the shape of one picture"
        )
    if not np.isfinite(row).all():
        raise UsageError("label: expected finite numbers, found others; correct them")
    turns = row[_CAMERA : _CAMERA + 3 * joints].reshape(joints, 3)
    after = _CAMERA + 3 * joints + _SHAPE
    translation = row[after : after + _TRANSLATION] if len(row) == lengths[3] else np.zeros(3, np.float32)
    return PublishedLabel(row[:_CAMERA], np.concatenate([turns, translation[None]]), row[after - _SHAPE : after])
