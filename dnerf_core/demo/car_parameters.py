"""The twenty numbers of a demo car, and how a latent code becomes them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from dnerf_core.shapes import check_shapes

Z_DIM = 20


@dataclass(frozen=True, eq=False)
class CarParameters:
    """The free numbers of a batch of cars, one column `[B, 1]` each; lengths in world units, colours in [0, 1].

    A column broadcasts against points `[B, N]`. The field order is the order of the latent's dimensions.
    """

    length: Tensor
    width: Tensor
    body_height: Tensor
    cabin_height: Tensor
    clearance: Tensor
    hood_share: Tensor
    hood_drop: Tensor
    windshield_run: Tensor
    rear_window_run: Tensor
    deck_share: Tensor
    tumblehome_slope: Tensor
    wheel_share: Tensor
    wheelbase_share: Tensor
    taper_slope: Tensor
    trim_height: Tensor
    chroma_red: Tensor
    chroma_green_blue: Tensor
    brightness: Tensor
    glass_brightness: Tensor
    rim_brightness: Tensor


# Low and high end of every parameter. `*_share` are fractions: hood, deck and wheelbase of the length, the wheel's radius of the
# hood's height above the ground over the axle; `hood_drop` is a fraction of the body's height; slopes are tangents; chroma and
# brightness are logits.
RANGES: dict[str, tuple[float, float]] = {
    "length": (1.32, 1.64),
    "width": (0.58, 0.69),
    "body_height": (0.185, 0.235),
    "cabin_height": (0.165, 0.235),
    "clearance": (0.07, 0.105),
    "hood_share": (0.20, 0.29),
    "hood_drop": (0.08, 0.34),
    "windshield_run": (0.10, 0.24),
    "rear_window_run": (0.05, 0.27),
    "deck_share": (0.04, 0.18),
    "tumblehome_slope": (0.16, 0.42),
    "wheel_share": (0.385, 0.435),
    "wheelbase_share": (0.57, 0.63),
    "taper_slope": (0.12, 0.34),
    "trim_height": (0.03, 0.085),
    "chroma_red": (-2.1, 2.1),
    "chroma_green_blue": (-2.1, 2.1),
    "brightness": (-0.7, 1.2),
    "glass_brightness": (0.05, 0.34),
    "rim_brightness": (0.40, 0.88),
}


def normalized_latent(z: Tensor) -> Tensor:
    """Scale every row to unit second moment, `z / sqrt(mean(z^2) + 1e-8)`, as the generator's mapping network does first.

    Args:
        z: latent codes `[B, Z_DIM]`, floating point.

    Returns:
        `[B, Z_DIM]`, same dtype.
    """
    return z * torch.rsqrt(z.square().mean(dim=-1, keepdim=True) + 1e-8)


def parameters_from_latent(z: Tensor) -> CarParameters:
    """Map latent codes to car parameters: `lo + (hi - lo) * Phi(z_i)`, Phi the standard normal distribution function.

    The map is smooth, and a standard normal code gives nearly uniform parameters.

    Args:
        z: latent codes `[B, Z_DIM]`, floating point; only each row's direction matters.

    Returns:
        The parameters, float32 on z's device.

    Raises:
        UsageError: z has another shape.
    """
    check_shapes(**{"latent of the demo cars": (z, f"B {Z_DIM}", f"pass one row of {Z_DIM} per car")})
    # float64: the result must not depend on how a vectorised float32 kernel splits the batch
    share = torch.special.ndtr(normalized_latent(z.double()))
    columns: dict[str, Tensor] = {}
    for index, field in enumerate(fields(CarParameters)):
        low, high = RANGES[field.name]
        columns[field.name] = (low + (high - low) * share[:, index : index + 1]).float()
    return CarParameters(**columns)
