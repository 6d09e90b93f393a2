"""Where a mask is wrong, as a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID

WRONG_COLUMN = "wrong (red)"
"""What a column of such pictures is called."""
_WRONG = (214, 32, 40)
_BACKGROUND, _PART, _IGNORED = (24, 24, 28), (120, 120, 126), (255, 255, 255)


def wrong_pixels(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture uint8 [H, W, 3]: red where the masks uint8 [H, W] differ, else dark background, gray parts, and white where the truth
    is ignored."""
    colors = np.where((truth == 0)[..., None], _BACKGROUND, _PART)
    colors = np.where((truth != predicted)[..., None], _WRONG, colors)
    return np.where((truth == IGNORE_ID)[..., None], _IGNORED, colors).astype(np.uint8)
