"""A camera as the tensors that rays are made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.work.transfers import uploaded


class Posed(Protocol):
    """What is seen from somewhere: a `Camera`, or a view that has the same two matrices.

    Attributes:
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
    """

    @property
    def cam2world(self) -> NDArray[np.floating]: ...
    @property
    def intrinsics(self) -> NDArray[np.floating]: ...


def camera_tensors(
    seen_from: Posed, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """cam2world [1, 4, 4] and intrinsics [1, 3, 3], two parts of one tensor, which is brought to a device as one."""
    numbers = np.concatenate([np.asarray(seen_from.cam2world).ravel(), np.asarray(seen_from.intrinsics).ravel()])
    both = uploaded(numbers, device, dtype)
    return both[:16].view(1, 4, 4), both[16:].view(1, 3, 3)
