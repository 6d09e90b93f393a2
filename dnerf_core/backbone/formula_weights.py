"""Weights from a formula, so that a generator of any size can be compared with published numbers without its weights."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def formula_tensor(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor that the formula gives a state key: normal numbers seeded by the key's crc32, scaled by its kind."""
    size = int(np.prod(shape))
    value = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(size).astype(np.float32).reshape(shape)
    if key.endswith(".bias"):
        value = 0.1 * value + (1.0 if ".affine." in key else 0.0)
    elif key.endswith("noise_strength"):
        value = 0.05 * value
    elif key.endswith("w_avg"):
        value = 0.1 * value
    elif key.startswith("backbone.mapping.fc") and key.endswith(".weight"):
        value = 100 * value
    elif key == "decoder.net.2.weight":
        value[0] *= 30
    return torch.from_numpy(np.asarray(value, dtype=np.float32))


def load_formula_weights(module: torch.nn.Module) -> None:
    """Fill a generator's whole state by the formula."""
    module.load_state_dict({key: formula_tensor(key, tuple(value.shape)) for key, value in module.state_dict().items()})
