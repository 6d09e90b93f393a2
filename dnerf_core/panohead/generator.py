"""PanoHead's generator: StyleGAN2 backbone, tri-grid field, background, modulated raw image, super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.protocols import RawPicture, RayLimits, Superresolve, TapFinder
from dnerf_core.backbone.weights import PublishedWeights
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.panohead.background import background_ws, resize_background
from dnerf_core.panohead.config import PanoHeadConfig, TrigridConfig
from dnerf_core.panohead.decoder import GridDecoder
from dnerf_core.panohead.field import TrigridField
from dnerf_core.panohead.packed_field import PackedGridField
from dnerf_core.panohead.trigrid import picture_taps
from dnerf_core.rendering.limits import configured_limits
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.stylegan2.config import MappingConfig
from dnerf_core.stylegan2.networks import (
    LRELU_GAIN,
    LRELU_SLOPE,
    Backbone,
    FullyConnected,
    Synthesis,
    ToRGB,
    normalize_second_moment,
)
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.stylegan2.superresolution import SuperResolution

if TYPE_CHECKING:
    from dnerf_core.semantic.config import FeatureKind


@dataclass(frozen=True)
class Trigrids:
    """The tri-grids and backgrounds of B subjects; a semantic branch reads them as they are (`SemanticSource`).

    Attributes:
        trigrid: [B, P, C, D, R, R], what points read.
        block_features: every block's hidden channels [B, c(r), r, r], 4 x 4 first.
        block_outputs: every block's tri-grid so far [B, P C D, r, r], 4 x 4 first; the last is `trigrid`, its planes side by side.
        background: [B, C, S, S], features of what lies behind; None where the generator paints none.
        last_w: [B, w_dim], which the raw image is modulated by.
        config: where the tri-grids stand.
    """

    trigrid: Tensor
    block_features: list[Tensor]
    block_outputs: list[Tensor]
    background: Tensor | None
    last_w: Tensor
    config: TrigridConfig

    def __len__(self) -> int:
        return self.trigrid.shape[0]

    def maps(self, kind: FeatureKind) -> list[Tensor]:
        """See `SemanticSource`; a picture is a slice, and its channels lie together."""
        if kind == "features":
            return self.block_features
        planes, channels, depth = self.trigrid.shape[1:4]
        apart = (image.unflatten(1, (planes, channels, depth)) for image in self.block_outputs)
        return [image.transpose(2, 3).flatten(1, 3) for image in apart]

    @property
    def finder(self) -> TapFinder:
        """See `SemanticSource`."""
        axes, side = self.config.plane_axes, self.config.box_warp
        depth, resolution = self.config.depth, self.trigrid.shape[-1]
        return lambda points, subject: picture_taps(points, axes, side, depth, resolution)


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


class PanoHead(PublishedWeights):
    """G(z, camera) -> image, raw image, mask and depth; state names are the published ones.

    Frozen in production; differentiable to z, w, the grids and the camera.
    """

    config: PanoHeadConfig

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

    def mapping(
        self, z: Tensor, conditioning: Tensor | None = None, truncation: float = 1.0, cutoff: int | None = None
    ) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim]; see `stylegan2.Mapping`."""
        return self.backbone.mapping(z, conditioning, truncation, cutoff)

    # what any family does, see `Backbone`

    def planes(
        self,
        ws: Tensor,
        pose: Tensor | None = None,
        *,
        noise_mode: str = "const",
        until: int | None = None,
        ws_background: Tensor | None = None,
    ) -> Trigrids:
        """The tri-grids and backgrounds of subjects ws [B, num_ws, w_dim], which have no pose.

        Args:
            noise_mode: "const" (the published default) or "none".
            until: stop at the block of this resolution, for coarser grids; None: the full resolution.
            ws_background: [B, n, w_dim] that the background is painted from; None: `ws`.
        """
        assert pose is None
        image, block_features, block_outputs = self.backbone.synthesis(ws, noise_mode, until)
        field = self.config.triplane
        trigrid = image.reshape(image.shape[0], -1, self.config.backbone.plane_channels, field.depth, *image.shape[-2:])
        background = None
        if self.config.use_background:
            behind = background_ws(ws if ws_background is None else ws_background, self.config.background.num_ws)
            background, _, _ = self.bcg_synthesis(behind, noise_mode)
        return Trigrids(trigrid, block_features, block_outputs, background, ws[:, -1], field)

    def field(self, planes: Trigrids) -> TrigridField:
        """The radiance field of B subjects."""
        return TrigridField(planes.trigrid, self.decoder, self.config.triplane)

    def pack(self, planes: Trigrids) -> PackedGridField:
        """The radiance field of the only subject, for inference."""
        return PackedGridField.pack(planes.trigrid, self.decoder, self.config.triplane)

    def source(self, planes: Trigrids) -> Trigrids:
        """The tri-grids themselves."""
        return planes

    def limits(self, view: ViewRays, planes: Trigrids) -> RayLimits:
        """The config's, or where rays meet the box."""
        origins, directions = view.origins.reshape(-1, 3), view.directions.reshape(-1, 3)
        return configured_limits(origins, directions, self.config.rays, self.config.box_side)

    def compose(self, color: Tensor, opacity: Tensor, planes: Trigrids, side: int) -> RawPicture:
        """The background behind, and the raw image; from [0, 1] to [-1, 1] where the activation is a sigmoid."""
        features = color.reshape(-1, side, side, color.shape[-1]).permute(0, 3, 1, 2)
        if self.config.triplane.activation == "sigmoid":
            features = features * 2 - 1
        if planes.background is not None:
            light = (1 - opacity).reshape(-1, 1, side, side)
            features = torch.addcmul(features, light, resize_background(planes.background, side))
        image = self.torgb(features, planes.last_w) if self.config.use_torgb_raw else features[:, :3]
        return RawPicture(features, image)

    def superresolve(self, picture: RawPicture, ws: Tensor) -> Tensor:
        """Final image [B, 3, S, S], about [-1, 1]."""
        image: Tensor = self.superresolution(picture.features, ws, picture.image)
        return image

    def superresolution_activations(self, picture: RawPicture, ws: Tensor) -> list[Tensor]:
        """Hidden channels of the super-resolution's two blocks."""
        return self.superresolution.activations(picture.features, ws, picture.image)

    def prepare_superresolution(self, ws: Tensor, form: ConvolutionForm) -> Superresolve:
        """The super-resolution of one subject."""
        prepared = PreparedSuperResolution(self.superresolution, ws, form.dtype, form.memory_format)
        return lambda picture: prepared(picture.features, picture.image)
