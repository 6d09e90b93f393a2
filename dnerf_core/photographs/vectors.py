"""Products of many vectors with few numbers, summed in a fixed order: BLAS's own sums depend on where in memory an array happens to lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T", bound=np.floating)


def dot(vectors: NDArray[T], direction: ArrayLike) -> NDArray[T]:
    """The products [...] of vectors [..., D] with a direction [D], in the vectors' precision."""
    numbers = np.asarray(direction, vectors.dtype)
    total = vectors[..., 0] * numbers[0]
    for axis in range(1, len(numbers)):
        total = total + vectors[..., axis] * numbers[axis]
    return total


def turned(vectors: NDArray[T], rows: Sequence[ArrayLike] | NDArray[np.floating]) -> NDArray[T]:
    """Vectors [..., D] in other axes: their products with the rows [E, D], [..., E]."""
    return np.stack([dot(vectors, row) for row in rows], axis=-1)
