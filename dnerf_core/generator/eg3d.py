"""EG3D (Chan et al., CVPR 2022): StyleGAN2 backbone, tri-plane field, volume rendering, super-resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import GeneratorConfig, TriplaneConfig
from dnerf_core.generator.stylegan2 import Backbone, FullyConnected
from dnerf_core.generator.superresolution import SuperResolution
from dnerf_core.rendering.rays import box_limits, camera_rays
from dnerf_core.rendering.triplane import plane_table, sample_planes
from dnerf_core.rendering.volume import RayBundle, RaySamples, composite, sample_rays

RAYS_PER_CHUNK = 4096
"""Rays rendered at once without gradients: bounds memory to about 0.5 GB at 96 samples."""


@dataclass(frozen=True)
class Planes:
    """What the backbone leaves of a batch of subjects.

    Attributes:
        planes: [B, 3, C, R, R], the tri-plane.
        features: every block's hidden channels [B, c(r), r, r], 4 x 4 first.
        images: every block's plane output so far [B, 3 C, r, r], 4 x 4 first; the last equals `planes`.
    """

    planes: Tensor
    features: list[Tensor]
    images: list[Tensor]


@dataclass(frozen=True)
class Rendering:
    """A volume rendering at neural resolution R.

    Attributes:
        features: [B, C, R, R], about [-1, 1]; the first three channels are the raw image.
        distance: [B, R, R] along the unit ray, world units; +inf where a ray misses the box.
        opacity: [B, R, R] in [0, 1].
    """

    features: Tensor
    distance: Tensor
    opacity: Tensor

    @property
    def image_raw(self) -> Tensor:
        """The raw image [B, 3, R, R]."""
        return self.features[:, :3]


class Decoder(nn.Module):
    """Mean plane feature -> raw density and colour features: two linear layers with softplus between."""

    def __init__(self, in_features: int, config: TriplaneConfig) -> None:
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


class Generator(nn.Module):
    """G(z, camera) -> image, raw image and depth; state names are the published ones.

    Frozen in production; differentiable to z, w, the planes and the camera.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.backbone.plane_channels
        num_planes = len(config.triplane.plane_axes)
        self.backbone = Backbone(config.mapping, config.backbone, num_planes * channels)
        self.decoder = Decoder(channels, config.triplane)
        self.superresolution = SuperResolution(config.superresolution, channels, config.mapping.w_dim)

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Load a flat published state; the FIR filters in it are constants and are passed over.

        Raises:
            CheckpointError: a missing or surplus tensor, or one of another shape.
        """
        wanted = {name: tensor for name, tensor in state.items() if not name.endswith("resample_filter")}
        own = self.state_dict()
        for name in sorted(own.keys() | wanted.keys()):
            expected = tuple(own[name].shape) if name in own else None
            found = tuple(wanted[name].shape) if name in wanted else None
            if expected != found:
                raise CheckpointError(
                    f"tensor {name}: expected shape {expected}, found {found}; the weights are not of {self.config.name}"
                )
        # the tensors take the place of the module's own, which may have been made on "meta" and never filled
        self.load_state_dict(wanted, assign=True)

    def mapping(self, z: Tensor, conditioning: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim]; see `stylegan2.Mapping`."""
        return self.backbone.mapping(z, conditioning, psi, cutoff)

    def planes(self, ws: Tensor, noise_mode: str = "const", until: int | None = None) -> Planes:
        """The tri-plane of ws [B, num_ws, w_dim].

        Args:
            noise_mode: "const" (the published default) or "none".
            until: stop at the block of this resolution, for coarser planes; None: the full resolution.
        """
        image, features, images = self.backbone.synthesis(ws, noise_mode, until)
        channels = self.config.backbone.plane_channels
        return Planes(image.reshape(image.shape[0], -1, channels, *image.shape[-2:]), features, images)

    def field(self, planes: Tensor) -> TriplaneField:
        """The radiance field of planes [B, 3, C, R, R]."""
        return TriplaneField(planes, self.decoder, self.config.triplane)

    def ray_bundle(self, cam2world: Tensor, intrinsics: Tensor, resolution: int) -> tuple[RayBundle, Tensor]:
        """Rays of B views with their sampling limits, M = B * resolution^2, and which of them are worth sampling (bool [M])."""
        origins, directions = camera_rays(cam2world, intrinsics, resolution)
        return self.limit_rays(origins, directions)

    def limit_rays(self, origins: Tensor, directions: Tensor) -> tuple[RayBundle, Tensor]:
        """Flatten rays [B, N, 3] into a bundle of B * N with their limits; ray (b, n) reads subject b.

        Returns:
            The bundle, and bool [B * N]: False where "auto" limits find that the ray misses the box.
        """
        batch, count = origins.shape[:2]
        flat_origins, flat_directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
        rays = self.config.rays
        if rays.ray_start == "auto" or rays.ray_end == "auto":
            side = self.config.triplane.box_warp - 2 * rays.auto_inset
            start, end, hit = box_limits(flat_origins, flat_directions, side)
        else:
            start = flat_origins.new_full((batch * count,), rays.ray_start)
            end = flat_origins.new_full((batch * count,), rays.ray_end)
            hit = torch.ones_like(start, dtype=torch.bool)
        subject = torch.arange(batch, device=origins.device).repeat_interleave(count) if batch > 1 else None
        return RayBundle(flat_origins, flat_directions, start, end, subject), hit

    def render(
        self,
        planes: Tensor,
        cam2world: Tensor,
        intrinsics: Tensor,
        resolution: int | None = None,
        *,
        generator: torch.Generator | None = None,
        epsilon: float | None = None,
        colors: bool = True,
        observe: Callable[[RayBundle, RaySamples, Tensor], None] | None = None,
    ) -> Rendering:
        """Volume-render planes [B, 3, C, H, W] from one camera each.

        Args:
            cam2world, intrinsics: [B, 4, 4] and [B, 3, 3] (OpenCV axes; normalised).
            resolution: side in pixels; None: the config's neural resolution.
            generator: random stratified sampling (training); None: midpoints.
            epsilon: see `volume.composite`; None is exact.
            colors: False leaves the colours out; features are those of empty rays then.
            observe: called with each piece of rays, their samples, and which rays of the picture they are (int64, increasing), so
                that another branch can share the density pass.
        """
        resolution = resolution or self.config.rays.neural_resolution
        batch = planes.shape[0]
        rays, hit = self.ray_bundle(cam2world, intrinsics, resolution)
        field = self.field(planes)
        # without gradients the rays go through in pieces, so that memory does not grow with the picture
        chunk = len(rays) if torch.is_grad_enabled() and planes.requires_grad else RAYS_PER_CHUNK
        index = hit.nonzero()[:, 0]
        settings, pieces = self.config.rays, []
        for part in index.split(chunk):
            bundle = rays.select(part)
            samples = sample_rays(field.raw_density, bundle, settings.samples_coarse, settings.samples_fine, generator)
            seen = composite(field.colors, bundle, samples, epsilon) if colors else planes.new_zeros(len(bundle), planes.shape[2])
            pieces.append((seen, samples))
            if observe is not None:
                observe(bundle, samples, part)
        count = len(rays)
        color = planes.new_zeros(count, planes.shape[2])
        opacity, distance = planes.new_zeros(count), planes.new_full((count,), torch.inf)
        low = planes.new_full((count,), torch.inf)
        high = planes.new_full((count,), -torch.inf)
        if pieces:
            color = color.index_copy(0, index, torch.cat([p[0] for p in pieces]))
            opacity = opacity.index_copy(0, index, torch.cat([p[1].opacity for p in pieces]))
            distance = distance.index_copy(0, index, torch.cat([p[1].distance for p in pieces]))
            low = low.index_copy(0, index, torch.cat([p[1].distances[:, 0] for p in pieces]))
            high = high.index_copy(0, index, torch.cat([p[1].distances[:, -1] for p in pieces]))
        if self.config.rays.white_back:
            color = color + (1 - opacity)[:, None]
        # clamped within each image, so that a view never depends on the batch it was rendered in
        distance = distance.reshape(batch, -1)
        clamped = torch.minimum(
            torch.maximum(distance, low.reshape(batch, -1).amin(1, keepdim=True)), high.reshape(batch, -1).amax(1, keepdim=True)
        )
        distance = torch.where(hit.reshape(batch, -1), clamped, distance)
        square = (batch, resolution, resolution)
        features = (color * 2 - 1).reshape(*square, -1).permute(0, 3, 1, 2)
        return Rendering(features, distance.reshape(square), opacity.reshape(square))

    def superresolve(self, features: Tensor, ws: Tensor) -> Tensor:
        """Final image [B, 3, S, S], about [-1, 1], of rendered features [B, C, R, R]."""
        return self.superresolution(features, ws)

    def forward(
        self,
        z: Tensor,
        conditioning: Tensor | None,
        cam2world: Tensor,
        intrinsics: Tensor,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> tuple[Tensor, Rendering]:
        """Image [B, 3, S, S] and the rendering it was refined from."""
        ws = self.mapping(z, conditioning, psi, cutoff)
        rendering = self.render(self.planes(ws).planes, cam2world, intrinsics)
        return self.superresolve(rendering.features, ws), rendering
