"""The twenty-two numbers of a person of the demo, and how a latent code becomes them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from dnerf_core.demo.car_parameters import normalized_latent
from dnerf_core.shapes import check_shapes

Z_DIM = 22


@dataclass(frozen=True, eq=False)
class PersonParameters:
    """The free numbers of a batch of people, one column [B, 1] each; lengths in metres. The order is that of the latent's dimensions.

    A column broadcasts against points [B, N].
    """

    gender: Tensor
    muscle: Tensor
    weight: Tensor
    height: Tensor
    proportions: Tensor
    skin_tone: Tensor
    hair_brightness: Tensor
    hair_warmth: Tensor
    hairline: Tensor
    hair_thickness: Tensor
    shirt_red: Tensor
    shirt_green_blue: Tensor
    shirt_brightness: Tensor
    shirt_thickness: Tensor
    sleeve: Tensor
    shirt_hem: Tensor
    trousers_red: Tensor
    trousers_green_blue: Tensor
    trousers_brightness: Tensor
    trousers_thickness: Tensor
    trouser_length: Tensor
    shoe_brightness: Tensor


# Low and high end of every parameter. The first five are shares of the way from the first to the last anchor of `bodies.ANCHORS`;
# `sleeve` and `trouser_length` are shares of the arm (shoulder to wrist) and of the leg (hip to ankle); reds, green-blues and
# brightnesses of clothes are logits, those of hair and shoes shares.
RANGES: dict[str, tuple[float, float]] = {
    "gender": (0.0, 1.0),
    "muscle": (0.0, 1.0),
    "weight": (0.0, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
    "skin_tone": (0.0, 1.0),
    "hair_brightness": (0.05, 0.7),
    "hair_warmth": (0.0, 1.0),
    "hairline": (-0.018, 0.012),
    "hair_thickness": (0.008, 0.03),
    "shirt_red": (-2.0, 2.0),
    "shirt_green_blue": (-2.0, 2.0),
    "shirt_brightness": (-1.0, 1.2),
    "shirt_thickness": (0.003, 0.013),
    "sleeve": (0.3, 0.97),
    "shirt_hem": (-0.02, 0.08),
    "trousers_red": (-1.5, 1.5),
    "trousers_green_blue": (-1.5, 1.5),
    "trousers_brightness": (-1.6, 0.6),
    "trousers_thickness": (0.003, 0.013),
    "trouser_length": (0.36, 0.99),
    "shoe_brightness": (0.04, 0.85),
}


def parameters_from_latent(z: Tensor) -> PersonParameters:
    """Map latent codes to people: `lo + (hi - lo) * Phi(z_i)`, Phi the standard normal distribution function.

    The map is smooth, and a standard normal code gives nearly uniform parameters.

    Args:
        z: latent codes [B, Z_DIM], floating point; only each row's direction matters.

    Returns:
        The parameters, float32 on z's device.

    Raises:
        UsageError: z has another shape.
    """
    check_shapes(**{"latent of the demo people": (z, f"B {Z_DIM}", f"pass one row of {Z_DIM} per person")})
    # float64: the result must not depend on how a vectorised float32 kernel splits the batch
    share = torch.special.ndtr(normalized_latent(z.double()))
    columns: dict[str, Tensor] = {}
    for index, field in enumerate(fields(PersonParameters)):
        low, high = RANGES[field.name]
        columns[field.name] = (low + (high - low) * share[:, index : index + 1]).float()
    return PersonParameters(**columns)


def shape_coefficients(parameters: PersonParameters, corners: Tensor) -> Tensor:
    """Coefficients [B, S] of the directions of shape.

    Interpolated between the bodies at the corners, by the straight line where a phenotype has two anchors, by the parabola where it
    has three: smooth, and the bodies of `anny` themselves at every corner.

    Args:
        corners: [2, 3, 3, 2, 3, S], `Rig.corner_coefficients`.
    """
    result = corners.to(parameters.gender)
    names = ("gender", "muscle", "weight", "height", "proportions")
    shares = [_anchor_weights(getattr(parameters, name), count) for name, count in zip(names, corners.shape, strict=False)]
    return torch.einsum("bi,bj,bk,bl,bm,ijklms->bs", *shares, result)


def _anchor_weights(share: Tensor, count: int) -> Tensor:
    """Lagrange's weights [B, count] of evenly spaced anchors at a share [B, 1] of the way."""
    anchors = torch.linspace(0, 1, count).to(share)
    columns = []
    for one in range(count):
        others = torch.cat([anchors[:one], anchors[one + 1 :]])
        columns.append(((share - others) / (anchors[one] - others)).prod(dim=1))
    return torch.stack(columns, dim=1)
