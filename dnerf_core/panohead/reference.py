"""PanoHead's literal method: slow and plain. The judge of the fast path, never part of production.

As EG3D's (`generator.reference`), but that volumes are read by a trilinear `grid_sample`, pictures are cropped, and a painted background
and a modulated raw image come last. The two syntheses and the super-resolution are the same function on both sides.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.backbone.protocols import RawPicture
from dnerf_core.generator.reference import COLUMN, LiteralSubject, literal_first_layer, literal_outputs, read_plane
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.panohead.generator import PanoHead, Trigrids
from dnerf_core.semantic.branch import SemanticBranch


class LiteralHead(LiteralSubject):
    """One subject's tri-grid, ready to be seen by the literal method."""

    def __init__(self, generator: PanoHead, branch: SemanticBranch | None, planes: Trigrids) -> None:
        """planes: of one subject."""
        self.generator, self.branch, self.planes = generator, branch, planes
        self.plane_features, self.background = planes.trigrid[0], planes.background
        self.semantic_planes = None if branch is None else literal_volumes(branch, planes)

    def _decode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [M, S] and colours [M, S, C]: mean of the three volumes, linear, softplus, linear, activation; cropped."""
        field = self.generator.config.triplane
        flat = points.reshape(-1, 3) * 2 / field.box_warp
        reads = [read_volume(volume, flat, axes) for volume, axes in zip(self.plane_features, field.plane_axes, strict=True)]
        out = self.generator.decoder.net(torch.stack(reads).mean(dim=0).t()).reshape(*points.shape[:2], -1)
        density, color = out[..., 0], out[..., 1:]
        limit = field.box_warp / 2 - field.crop_margin
        shown = (points[..., 0].abs() <= limit) & (points[..., 2].abs() <= limit)
        density = torch.where(shown, density, torch.tensor(-1000.0, device=density.device))
        if field.activation == "lrelu":
            color = torch.where(color > 0, color, 0.2 * color) * 2**0.5
        elif field.activation == "sigmoid":
            color = torch.sigmoid(color) * 1.002 - 0.001
        return density, color

    def _composed(self, features: Tensor, opacity: Tensor) -> RawPicture:
        if self.generator.config.triplane.activation == "sigmoid":
            features = features * 2 - 1
        if self.background is not None:
            size = features.shape[-2:]
            behind = F.interpolate(self.background, size=size, mode="bilinear", align_corners=False, antialias=True)
            features = features + (1 - opacity) * behind
        image = features[:, :3]
        if self.generator.config.use_torgb_raw:
            image = self.generator.torgb(features, self.planes.last_w)
        return RawPicture(features, image)

    def _semantics_at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        assert self.branch is not None
        assert self.semantic_planes is not None
        return literal_values(self.branch, self.semantic_planes, points)


def read_volume(volume: Tensor, points: Tensor, axes: str) -> Tensor:
    """Trilinear reads [C, N] of a volume [C, D, H, W] at points [N, 3] in box units [-1, 1]; zeros outside."""
    where = points[:, [COLUMN[axis] for axis in axes]]
    read = F.grid_sample(volume[None], where[None, None, None], mode="bilinear", padding_mode="zeros", align_corners=False)
    return read[0, :, 0, 0]


def literal_volumes(branch: SemanticBranch, planes: Trigrids) -> list[Tensor]:
    """The concatenated semantic tri-grid of the only subject: for each plane [C_total, D, R, R], or of "features", which all slices of all
    planes share, [C_total, R, R].
    """
    config = branch.generator_config
    assert isinstance(config, PanoHeadConfig)
    side, channels, depth = config.backbone.resolution, config.backbone.plane_channels, config.triplane.depth
    num_planes, state = len(config.triplane.plane_axes), branch.state_dict()
    shared = branch.config.feature_kind == "features"
    scales = []
    for picture in planes.block_features if shared else planes.block_outputs:
        size = picture.shape[-1]
        if branch.config.scales is not None and size not in branch.config.scales:
            continue
        mean, std = state[f"triplane.mean_{size}"], state[f"triplane.std_{size}"]
        if not shared:  # statistics are kept slice by slice, the generator's channels feature by feature
            mean, std = (x.reshape(num_planes, depth, channels).transpose(1, 2).reshape(-1) for x in (mean, std))
        normal = (picture[0] - mean[:, None, None]) / std[:, None, None]
        scales.append(F.interpolate(normal[None], size=(side, side), mode="bilinear", align_corners=False)[0])
    if shared:
        return [torch.cat(scales)] * num_planes
    return [
        torch.cat([scale.reshape(num_planes, channels, depth, side, side)[plane] for scale in scales])
        for plane in range(num_planes)
    ]


def literal_values(branch: SemanticBranch, volumes: list[Tensor], points: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and features [K, C + 32] and raw density [K] (zeros without one) at points [K, 3], world frame; volumes: `literal_volumes`."""
    config = branch.generator_config
    assert isinstance(config, PanoHeadConfig)
    field, layers = config.triplane, literal_first_layer(branch)
    unit = points * 2 / field.box_warp
    hidden = branch.state_dict()["hidden_bias"]
    for plane, axes in enumerate(field.plane_axes):
        if branch.config.feature_kind == "planes":
            hidden = hidden + read_volume(volumes[plane], unit, axes).t() @ layers[plane * field.depth].t()
            continue
        read = read_plane(volumes[plane], unit, axes).t()
        for index, share in enumerate(slice_shares(unit[:, COLUMN[axes[2]]], field.depth)):
            hidden = hidden + share[:, None] * (read @ layers[plane * field.depth + index].t())
    return literal_outputs(branch, hidden)


def slice_shares(coordinate: Tensor, depth: int) -> list[Tensor]:
    """Each slice's share [K] of a read at coordinates [K] in [-1, 1]: 1 at its centre, 0 a slice away."""
    position = (coordinate + 1) * depth / 2 - 0.5
    return [(1 - (position - index).abs()).clamp_min(0) for index in range(depth)]
