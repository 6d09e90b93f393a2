"""The literal method, as the papers write it: slow and plain. The judge of the fast path, never part of production.

RGB and depth as EG3D (CVPR 2022, section 4): both passes read the tri-plane with `grid_sample` and decode density and colour at every
sample. Semantics as DatasetNeRF (section 3.1): every block's output is normalised, upsampled to the last resolution and concatenated;
each plane is read by `grid_sample`, the reads are summed through the decoder's first layer, and every sample is decoded to its end before
it is composited. Only weights are shared with the engine, and the two super-resolutions, which are the same function on both sides.

A subject's planes (and its concatenated semantic tri-plane) are made once, as EG3D's own viewer does; rays go through in pieces, which
changes no number and keeps the memory bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.backbone.protocols import RawPicture
from dnerf_core.generator.eg3d import Generator, Triplanes
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.stylegan2.config import PlaneGeneratorConfig

if TYPE_CHECKING:
    from dnerf_core.semantic.branch import SemanticBranch

COLUMN = {"x": 0, "y": 1, "z": 2}
RAYS_PER_PIECE = 2048


@dataclass(frozen=True)
class LiteralView:
    """One view by the literal method.

    Attributes:
        raw: rendered features and raw image, [1, .., R, R], about [-1, 1]; None where only semantics were asked for.
        distance, opacity: [R, R]; distance along the unit ray, +inf where nothing is met.
        semantic_map: [1, C + 32, R, R], raw class scores and semantic features; None without a branch.
    """

    raw: RawPicture | None
    distance: Tensor
    opacity: Tensor
    semantic_map: Tensor | None

    @property
    def features(self) -> Tensor | None:
        """[1, C, R, R], or None."""
        return None if self.raw is None else self.raw.features

    @property
    def picture(self) -> RawPicture:
        """What the super-resolution takes, of a view with features."""
        assert self.raw is not None
        return self.raw


class LiteralSubject:
    """One subject's planes, ready to be seen by the literal method; another family's overrides what is not EG3D's.

    Attributes:
        planes: the subject's, as its generator makes them.
        plane_features: one entry a plane, [C, R, R] (of a tri-grid [C, D, R, R]).
        semantic_planes: one entry a plane, see `literal_triplane`; None without a branch.
    """

    generator: Any
    planes: Any
    plane_features: Tensor
    semantic_planes: list[Tensor] | None

    def __init__(self, generator: Generator, branch: SemanticBranch | None, planes: Triplanes) -> None:
        """planes: of one subject."""
        self.generator, self.branch = generator, branch
        self.planes, self.plane_features = planes, planes.triplane[0]
        self.semantic_planes = None if branch is None else [plane[0] for plane in literal_triplane(branch, planes)]

    @torch.no_grad()
    def view(
        self,
        cam2world: Tensor,
        intrinsics: Tensor,
        side: int | None = None,
        pixel: Tensor | None = None,
        *,
        colors: bool = True,
        semantics: bool = True,
    ) -> LiteralView:
        """See the subject.

        Args:
            cam2world, intrinsics: [4, 4] and [3, 3] (OpenCV axes; normalised).
            side: pixels; None: neural resolution.
            pixel: int64 [N], increasing: the only pixels to look at, the others stay empty; None: all.
            colors: composite the RGB features. They are decoded at every sample either way, as the published decoder does.
        """
        side = side or self.generator.config.rays.neural_resolution
        rays, hit = ray_bundle(self.generator, self.planes, ViewRays.from_cameras(cam2world[None], intrinsics[None], side, pixel))
        count = side * side
        like = self.plane_features
        features = like.new_zeros(count, like.shape[1])
        distance, opacity = like.new_full((count,), torch.inf), like.new_zeros(count)
        lowest, highest = torch.inf, -torch.inf
        semantic_map = None
        if self.branch is not None and semantics:
            semantic_map = self.branch.state_dict()["background"].expand(count, -1).clone()
        met = hit.nonzero()[:, 0]
        places = met if pixel is None else pixel[met]
        for chosen, index in zip(met.split(RAYS_PER_PIECE), places.split(RAYS_PER_PIECE), strict=True):
            bundle = rays.select(chosen)
            points, distances, density, color = self._samples(bundle)
            weights = march(distances, density)
            own = own_weights(weights)
            opacity[index] = weights.sum(dim=1)
            middle = (distances[:, 1:] + distances[:, :-1]) / 2
            mean = (weights * middle).sum(dim=1) / weights.sum(dim=1)
            distance[index] = torch.where(weights.sum(dim=1) > 1e-30, mean, torch.inf)
            lowest, highest = min(lowest, float(distances.min())), max(highest, float(distances.max()))
            if colors:
                features[index] = (own[..., None] * color).sum(dim=1)
            if semantic_map is not None:
                semantic_map[index] = self._semantics(points, distances, own)
        distance[places] = distance[places].clamp(lowest, highest)
        square = features.t().reshape(1, -1, side, side)
        seen = None if semantic_map is None else semantic_map.t().reshape(1, -1, side, side)
        opacity = opacity.reshape(side, side)
        return LiteralView(self._composed(square, opacity) if colors else None, distance.reshape(side, side), opacity, seen)

    def _composed(self, features: Tensor, opacity: Tensor) -> RawPicture:
        """White behind, if the config says so, and from [0, 1] to [-1, 1]; features [1, C, R, R], opacity [R, R]."""
        if self.generator.config.rays.white_back:
            features = features + (1 - opacity)
        features = features * 2 - 1
        return RawPicture(features, features[:, :3])

    def _samples(self, rays: RayBundle) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points [M, S, 3], distances [M, S], raw densities [M, S] and colours [M, S, C] of both passes, in order."""
        origins, directions, start, end = rays.origins, rays.directions, rays.start, rays.end
        settings = self.generator.config.rays
        steps = torch.linspace(0, 1, settings.samples_coarse, device=start.device)
        coarse = start[:, None] + (steps + 0.5 / (settings.samples_coarse - 1)) * (end - start)[:, None]
        points = origins[:, None] + coarse[..., None] * directions[:, None]
        density, color = self._decode(points)
        density = self._counted(density, coarse, rays)
        if settings.samples_fine == 0:
            return points, coarse, density, color
        fine = importance(coarse, march(coarse, density), settings.samples_fine)
        fine_points = origins[:, None] + fine[..., None] * directions[:, None]
        fine_density, fine_color = self._decode(fine_points)
        fine_density = self._counted(fine_density, fine, rays)
        distances, order = torch.cat([coarse, fine], dim=1).sort(dim=1, stable=True)
        take = order[..., None]
        points = torch.cat([points, fine_points], dim=1).gather(1, take.expand(-1, -1, 3))
        color = torch.cat([color, fine_color], dim=1).gather(1, take.expand(-1, -1, color.shape[-1]))
        return points, distances, torch.cat([density, fine_density], dim=1).gather(1, order), color

    def _decode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [M, S] and colours [M, S, C]: mean of the three planes, linear, softplus, linear, scaled sigmoid."""
        field = self.generator.config.triplane
        flat = points.reshape(-1, 3) * 2 / field.box_warp
        reads = [read_plane(plane, flat, axes) for plane, axes in zip(self.plane_features, field.plane_axes, strict=True)]
        mean = torch.stack(reads).mean(dim=0)
        out = self.generator.decoder.net(mean.t()).reshape(*points.shape[:2], -1)
        return out[..., 0], torch.sigmoid(out[..., 1:]) * 1.002 - 0.001

    def _counted(self, density: Tensor, distances: Tensor, rays: RayBundle) -> Tensor:
        """Raw densities [M, S] at distances [M, S] of M rays: all of them count."""
        return density

    def _semantics(self, points: Tensor, distances: Tensor, own: Tensor) -> Tensor:
        """[M, C + 32]: every sample decoded to its end, then composited over the learned background."""
        assert self.branch is not None
        config = self.branch.config
        if not config.density_prior:  # a density of its own, at evenly picked samples
            count = distances.shape[1]
            pick = torch.linspace(0, count - 1, min(config.density_samples, count)).round().long()
            points, distances = points[:, pick], distances[:, pick]
        values, density = self._semantics_at(points.reshape(-1, 3))
        if not config.density_prior:
            own = own_weights(march(distances, density.reshape(distances.shape)))
        seen = (own[..., None] * values.reshape(*own.shape, -1)).sum(dim=1)
        return seen + (1 - own.sum(dim=1))[:, None] * self.branch.state_dict()["background"]

    def _semantics_at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """See `literal_values`."""
        assert self.branch is not None
        assert self.semantic_planes is not None
        return literal_values(self.branch, self.semantic_planes, points)


def read_plane(plane: Tensor, points: Tensor, axes: str) -> Tensor:
    """Bilinear reads [C, N] of a plane [C, H, W] at points [N, 3] in box units [-1, 1]; zeros outside."""
    where = points[:, [COLUMN[axes[0]], COLUMN[axes[1]]]]
    return F.grid_sample(plane[None], where[None, None], mode="bilinear", padding_mode="zeros", align_corners=False)[0, :, 0]


def march(distances: Tensor, raw_density: Tensor) -> Tensor:
    """Interval weights [M, S - 1] of raw densities [M, S] at distances [M, S], one interval after the other."""
    transmittance = torch.ones_like(distances[:, 0])
    weights = []
    for i in range(distances.shape[1] - 1):
        density = F.softplus((raw_density[:, i] + raw_density[:, i + 1]) / 2 - 1)
        alpha = 1 - torch.exp(-density * (distances[:, i + 1] - distances[:, i]))
        weights.append(alpha * transmittance)
        transmittance = transmittance * (1 - alpha + 1e-10)
    return torch.stack(weights, dim=1)


def own_weights(weights: Tensor) -> Tensor:
    """Weights [M, S] of the samples' own values: an interval shows the mean of its ends."""
    before, after = F.pad(weights, (1, 0)), F.pad(weights, (0, 1))
    return (before + after) / 2


def importance(distances: Tensor, weights: Tensor, count: int) -> Tensor:
    """`count` distances [M, count] from the coarse weights [M, N - 1], at the midpoints of the cdf's equal parts."""
    pooled = F.max_pool1d(weights[:, None], 2, stride=1, padding=1)
    smooth = F.avg_pool1d(pooled, 2, stride=1)[:, 0] + 0.01
    bins = (distances[:, 1:] + distances[:, :-1]) / 2
    pdf = smooth[:, 1:-1] + 1e-5
    cdf = F.pad((pdf / pdf.sum(dim=1, keepdim=True)).cumsum(dim=1), (1, 0))
    u = ((torch.arange(count, device=cdf.device) + 0.5) / count).expand(cdf.shape[0], -1).contiguous()
    right = torch.searchsorted(cdf, u, right=True)
    low, high = (right - 1).clamp_min(0), right.clamp_max(cdf.shape[1] - 1)
    step = cdf.gather(1, high) - cdf.gather(1, low)
    share = (u - cdf.gather(1, low)) / torch.where(step < 1e-5, torch.ones_like(step), step)
    return bins.gather(1, low) + share * (bins.gather(1, high) - bins.gather(1, low))


def literal_triplane(branch: SemanticBranch, planes: Triplanes) -> list[Tensor]:
    """The concatenated semantic tri-plane: for each plane [B, C_total, R, R]."""
    config = _plane_config(branch)
    side, channels, num_planes = config.backbone.resolution, config.backbone.plane_channels, len(config.triplane.plane_axes)
    state = branch.state_dict()
    stacks: list[list[Tensor]] = [[] for _ in range(num_planes)]
    source = planes.block_features if branch.config.feature_kind == "features" else planes.block_outputs
    for picture in source:
        size = picture.shape[-1]
        if branch.config.scales is not None and size not in branch.config.scales:
            continue
        mean, std = state[f"triplane.mean_{size}"], state[f"triplane.std_{size}"]
        normal = (picture - mean[:, None, None]) / std[:, None, None]
        large = F.interpolate(normal, size=(side, side), mode="bilinear", align_corners=False)
        for plane in range(num_planes):
            of_plane = large if branch.config.feature_kind == "features" else large[:, plane * channels : (plane + 1) * channels]
            stacks[plane].append(of_plane)
    if branch.config.feature_kind == "features":
        return [torch.cat(stacks[0], dim=1)] * num_planes
    return [torch.cat(stack, dim=1) for stack in stacks]


def literal_first_layer(branch: SemanticBranch) -> list[Tensor]:
    """The semantic decoder's first weight for each plane, or slice of a plane: [64, C_total]."""
    state, hidden = branch.state_dict(), branch.config.hidden_dim
    num_planes = branch.generator_config.source.num_planes
    names = [f"triplane.weight.{scale}" for scale in sorted(int(name.split(".")[-1]) for name in state if ".weight." in name)]
    total = torch.cat([state[name] for name in names], dim=1)
    per_plane = [total] * num_planes if branch.config.feature_kind == "planes" else list(total.split(hidden, dim=0))
    fan_in = total.shape[1] * num_planes
    return [weight / fan_in**0.5 for weight in per_plane]


def literal_values(branch: SemanticBranch, semantic_planes: list[Tensor], points: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and features [K, C + 32] and raw density [K] (zeros without one) at points [K, 3], world frame.

    Args:
        semantic_planes: one subject's, [C_total, R, R] a plane.
    """
    field, state = _plane_config(branch).triplane, branch.state_dict()
    hidden = state["hidden_bias"]
    for stack, weight, axes in zip(semantic_planes, literal_first_layer(branch), field.plane_axes, strict=True):
        hidden = hidden + read_plane(stack, points * 2 / field.box_warp, axes).t() @ weight.t()
    return literal_outputs(branch, hidden)


def literal_outputs(branch: SemanticBranch, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """What `literal_values` gives, of the decoder's first layer [K, 64] before its softplus."""
    state = branch.state_dict()
    hidden = torch.log1p(torch.exp(-hidden.abs())) + hidden.clamp_min(0)
    values = hidden @ state["out_weight"].t() / hidden.shape[1] ** 0.5 + state["out_bias"]
    density = hidden.new_zeros(len(hidden))
    if not branch.config.density_prior:
        density = hidden @ state["density_weight"] / hidden.shape[1] ** 0.5 + state["density_bias"]
    return values, density


def _plane_config(branch: SemanticBranch) -> PlaneGeneratorConfig:
    assert isinstance(branch.generator_config, PlaneGeneratorConfig)
    assert branch.generator_config.slices == 1
    return branch.generator_config
