"""EG3D (Chan et al., CVPR 2022): StyleGAN2 backbone, tri-plane field, volume rendering, super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.protocols import RawPicture, RayLimits, Superresolve, TapFinder
from dnerf_core.backbone.weights import PublishedWeights
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.generator.config import GeneratorConfig, TriplaneConfig
from dnerf_core.generator.packed_field import FoldedDecoder, PackedField
from dnerf_core.rendering.limits import configured_limits
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.triplane import plane_table, sample_planes, table_taps
from dnerf_core.stylegan2.config import PlanesConfig
from dnerf_core.stylegan2.networks import Backbone, FullyConnected
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.stylegan2.superresolution import SuperResolution

if TYPE_CHECKING:
    from dnerf_core.semantic.config import FeatureKind


@dataclass(frozen=True)
class Triplanes:
    """The tri-planes of B subjects; a semantic branch reads them as they are (`SemanticSource`).

    Attributes:
        triplane: [B, 3, C, R, R], what points read.
        block_features: every block's hidden channels [B, c(r), r, r], 4 x 4 first.
        block_outputs: every block's planes so far [B, 3 C, r, r], 4 x 4 first; the last is `triplane`, its planes side by side.
        config: where the planes stand.
    """

    triplane: Tensor
    block_features: list[Tensor]
    block_outputs: list[Tensor]
    config: TriplaneConfig

    def __len__(self) -> int:
        return self.triplane.shape[0]

    def maps(self, kind: FeatureKind) -> list[Tensor]:
        """See `SemanticSource`."""
        return self.block_features if kind == "features" else self.block_outputs

    @property
    def finder(self) -> TapFinder:
        """See `SemanticSource`."""
        axes, side, resolution = self.config.plane_axes, self.config.box_warp, self.triplane.shape[-1]
        return lambda points, subject: table_taps(points, axes, side, resolution)


class Decoder(nn.Module):
    """Mean plane feature -> raw density and colour features: two linear layers with softplus between."""

    def __init__(self, in_features: int, config: PlanesConfig) -> None:
        super().__init__()
        lr_mul = config.decoder_lr_mul
        self.net = nn.Sequential(
            FullyConnected(in_features, config.hidden_dim, lr_mul=lr_mul),
            nn.Softplus(),
            FullyConnected(config.hidden_dim, 1 + in_features, lr_mul=lr_mul),
        )

    def hidden(self, features: Tensor) -> Tensor:
        """Hidden activations [N, 64] of mean plane features [N, C]."""
        return self.net[1](self.net[0](features))

    def raw_density(self, features: Tensor) -> Tensor:
        """Raw density [N] (before softplus) of mean plane features [N, C]: only the first row of the last layer."""
        last = self.net[2]
        assert isinstance(last, FullyConnected)
        return self.hidden(features) @ (last.weight[0] * last.weight_gain) + last.bias[0] * last.bias_gain

    def colors(self, features: Tensor) -> Tensor:
        """Colour features [N, C], in (-0.001, 1.001)."""
        last = self.net[2]
        assert isinstance(last, FullyConnected)
        raw = F.linear(self.hidden(features), last.weight[1:] * last.weight_gain, last.bias[1:] * last.bias_gain)
        return torch.sigmoid(raw) * 1.002 - 0.001


class TriplaneField:
    """The radiance field of a batch of subjects, as the callables the renderer takes."""

    def __init__(self, planes: Tensor, decoder: Decoder, config: TriplaneConfig) -> None:
        """planes [B, 3, C, H, W]."""
        self.table, self.size = plane_table(planes), (planes.shape[-2], planes.shape[-1])
        self.decoder, self.config = decoder, config

    def features(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Mean plane features [N, C] at world points [N, 3] of subjects [N]."""
        axes, side = self.config.plane_axes, self.config.box_warp
        return sample_planes(self.table, points, subject, axes, side, self.size) / len(axes)

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N]."""
        return self.decoder.raw_density(self.features(points, subject))

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""
        return self.decoder.colors(self.features(points, subject))

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both, of one read."""
        read = self.features(points, subject)
        return self.decoder.raw_density(read), self.decoder.colors(read)


def plain_picture(color: Tensor, opacity: Tensor, side: int, *, white_back: bool) -> RawPicture:
    """EG3D's epilogue: white behind or black, and from [0, 1] to [-1, 1]; see `Backbone.compose` for the arguments."""
    if torch.is_grad_enabled():
        color = (color + (1 - opacity)[:, None] if white_back else color) * 2 - 1
    else:
        color = (color.add_((1 - opacity)[:, None]) if white_back else color).mul_(2).sub_(1)
    features = color.reshape(-1, side, side, color.shape[-1]).permute(0, 3, 1, 2)
    return RawPicture(features, features[:, :3])


class Generator(PublishedWeights):
    """G(z, camera) -> image, raw image and depth; state names are the published ones.

    Frozen in production; differentiable to z, w, the planes and the camera.
    """

    config: GeneratorConfig

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.backbone.plane_channels
        num_planes = len(config.triplane.plane_axes)
        self.backbone = Backbone(config.mapping, config.backbone, num_planes * channels)
        self.decoder = Decoder(channels, config.triplane)
        self.superresolution = SuperResolution(config.superresolution, channels, config.mapping.w_dim)

    def mapping(
        self, z: Tensor, conditioning: Tensor | None = None, truncation: float = 1.0, cutoff: int | None = None
    ) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim]; see `stylegan2.Mapping`."""
        return self.backbone.mapping(z, conditioning, truncation, cutoff)

    # what any family does, see `Backbone`

    def planes(self, ws: Tensor, pose: Tensor | None = None, *, noise_mode: str = "const", until: int | None = None) -> Triplanes:
        """The tri-planes of subjects ws [B, num_ws, w_dim], which have no pose.

        Args:
            noise_mode: "const" (the published default) or "none".
            until: stop at the block of this resolution, for coarser planes; None: the full resolution.
        """
        assert pose is None
        image, block_features, block_outputs = self.backbone.synthesis(ws, noise_mode, until)
        channels = self.config.backbone.plane_channels
        triplane = image.reshape(image.shape[0], -1, channels, *image.shape[-2:])
        return Triplanes(triplane, block_features, block_outputs, self.config.triplane)

    def field(self, planes: Triplanes) -> TriplaneField:
        """The radiance field of B subjects."""
        return TriplaneField(planes.triplane, self.decoder, self.config.triplane)

    def pack(self, planes: Triplanes) -> PackedField:
        """The radiance field of the only subject, for inference."""
        folded = FoldedDecoder.fold(self.decoder.net[0], self.decoder.net[2], len(self.config.triplane.plane_axes))
        return PackedField.pack(planes.triplane, folded, self.config.triplane)

    def source(self, planes: Triplanes) -> Triplanes:
        """The tri-planes themselves."""
        return planes

    def limits(self, view: ViewRays, planes: Triplanes) -> RayLimits:
        """The config's, or where rays meet the box."""
        return self.limit_rays(view.origins.reshape(-1, 3), view.directions.reshape(-1, 3))

    def limit_rays(self, origins: Tensor, directions: Tensor) -> RayLimits:
        """The limits of any rays [M, 3]; `hit` is False where "auto" limits find that a ray misses the box."""
        return configured_limits(origins, directions, self.config.rays, self.config.box_side)

    def compose(self, color: Tensor, opacity: Tensor, planes: Triplanes, side: int) -> RawPicture:
        """White behind, if the config says so, and from [0, 1] to [-1, 1]; the first three channels are the raw image."""
        return plain_picture(color, opacity, side, white_back=self.config.rays.white_back)

    def superresolve(self, picture: RawPicture, ws: Tensor) -> Tensor:
        """Final image [B, 3, S, S], about [-1, 1]."""
        image: Tensor = self.superresolution(picture.features, ws)
        return image

    def superresolution_activations(self, picture: RawPicture, ws: Tensor) -> list[Tensor]:
        """Hidden channels of the super-resolution's two blocks."""
        return self.superresolution.activations(picture.features, ws)

    def prepare_superresolution(self, ws: Tensor, form: ConvolutionForm) -> Superresolve:
        """The super-resolution of one subject."""
        prepared = PreparedSuperResolution(self.superresolution, ws, form.dtype, form.memory_format)
        return lambda picture: prepared(picture.features)
