"""PanoHead's generator: StyleGAN2 backbone, tri-grid field, background, modulated raw image, super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.generator.config import MappingConfig
from dnerf_core.generator.stylegan2 import (
    LRELU_GAIN,
    LRELU_SLOPE,
    Backbone,
    FullyConnected,
    Synthesis,
    ToRGB,
    normalize_second_moment,
)
from dnerf_core.generator.superresolution import SuperResolution
from dnerf_core.panohead.background import background_ws
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.panohead.decoder import GridDecoder
from dnerf_core.panohead.field import TrigridField


@dataclass(frozen=True)
class Grids:
    """What the syntheses leave of a batch of subjects.

    Attributes:
        planes: [B, P, C, D, R, R], the tri-grid.
        features: every block's hidden channels [B, c(r), r, r], 4 x 4 first.
        images: every block's tri-grid so far [B, P C D, r, r], 4 x 4 first; the last equals `planes`.
        background: [B, C, S, S], features of what lies behind; None where the generator paints none.
    """

    planes: Tensor
    features: list[Tensor]
    images: list[Tensor]
    background: Tensor | None


class TranslationMapping(nn.Module):
    """(z, camera) -> a shift of the camera [B, 3], world units: the published `t_mapping`.

    It aligned the training's cameras. The published scripts leave it out of what they render, and so do we.
    """

    w_avg: Tensor

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.config = config
        width = config.z_dim
        if config.c_dim:
            self.embed = FullyConnected(config.c_dim, 3)
            width += 3
        self.fc0, self.fc1 = FullyConnected(width, 3), FullyConnected(3, 3)
        self.register_buffer("w_avg", torch.zeros(3))

    def forward(self, z: Tensor, conditioning: Tensor | None) -> Tensor:
        """[B, 3] of latents z [B, z_dim] and cameras [B, 25]."""
        x = normalize_second_moment(z)
        if self.config.c_dim:
            assert conditioning is not None
            c = torch.zeros_like(conditioning) if self.config.c_zero else conditioning * self.config.c_scale
            x = torch.cat([x, normalize_second_moment(self.embed(c))], dim=1)
        shift: Tensor = self.fc1(F.leaky_relu(self.fc0(x), LRELU_SLOPE) * LRELU_GAIN)
        return shift


class PanoHead(nn.Module):
    """G(z, camera) -> image, raw image, mask and depth; state names are the published ones.

    Frozen in production; differentiable to z, w, the grids and the camera.
    """

    def __init__(self, config: PanoHeadConfig) -> None:
        super().__init__()
        self.config = config
        channels, w_dim = config.backbone.plane_channels, config.mapping.w_dim
        self.backbone = Backbone(config.mapping, config.backbone, config.image_channels)
        self.decoder = GridDecoder(channels, config.triplane)
        self.superresolution = SuperResolution(config.superresolution, channels, w_dim)
        if config.use_torgb_raw:
            self.torgb = ToRGB(channels, 3, w_dim, conv_clamp=None)
        if config.use_background:
            self.bcg_synthesis = Synthesis(config.background, w_dim, channels)
        self.t_mapping = TranslationMapping(config.mapping)

    def mapping(self, z: Tensor, conditioning: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim]; see `stylegan2.Mapping`."""
        return self.backbone.mapping(z, conditioning, psi, cutoff)

    def planes(
        self, ws: Tensor, noise_mode: str = "const", until: int | None = None, ws_background: Tensor | None = None
    ) -> Grids:
        """The tri-grid and the background of ws [B, num_ws, w_dim].

        Args:
            noise_mode: "const" (the published default) or "none".
            until: stop at the block of this resolution, for coarser grids; None: the full resolution.
            ws_background: [B, n, w_dim] that the background is painted from; None: `ws`.
        """
        image, features, images = self.backbone.synthesis(ws, noise_mode, until)
        depth = self.config.triplane.depth
        grids = image.reshape(image.shape[0], -1, self.config.backbone.plane_channels, depth, *image.shape[-2:])
        background = None
        if self.config.use_background:
            behind = background_ws(ws if ws_background is None else ws_background, self.config.background.num_ws)
            background, _, _ = self.bcg_synthesis(behind, noise_mode)
        return Grids(grids, features, images, background)

    def field(self, grids: Tensor) -> TrigridField:
        """The radiance field of grids [B, P, C, D, R, R]."""
        return TrigridField(grids, self.decoder, self.config.triplane)

    def raw_image(self, features: Tensor, ws: Tensor) -> Tensor:
        """The raw image [B, 3, R, R] of composed features [B, C, R, R]."""
        return self.torgb(features, ws[:, -1]) if self.config.use_torgb_raw else features[:, :3]

    def superresolve(self, features: Tensor, ws: Tensor) -> Tensor:
        """Final image [B, 3, S, S], about [-1, 1], of composed features [B, C, R, R]."""
        return self.superresolution(features, ws, self.raw_image(features, ws))
