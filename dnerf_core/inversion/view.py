"""What an inversion sees of latents: a view with gradients to the latents and the cameras, as image and as class scores."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.generator.eg3d import Planes
from dnerf_core.model import Model
from dnerf_core.rendering.rays import camera_rays
from dnerf_core.rendering.visible import render_visible
from dnerf_core.semantic.branch import SemanticMaps
from dnerf_core.semantic.visibility import VisibleSamples, density_pass


@dataclass(frozen=True, eq=False)
class SeenView:
    """Views of B subjects from a camera each, at side R.

    Attributes:
        ws: [B, num_ws, w_dim], or [1, num_ws, w_dim]: one subject from all cameras.
        planes: the subjects' planes.
        cam2world, intrinsics: [B, 4, 4] and [B, 3, 3].
        features: [B, C, R, R], about [-1, 1]; the first three channels are the raw image.
        visible: the samples that the semantic branch reads, by the radiance field's weights.
    """

    model: Model
    ws: Tensor
    planes: Planes
    cam2world: Tensor
    intrinsics: Tensor
    features: Tensor
    visible: VisibleSamples

    @property
    def side_px(self) -> int:
        """R."""
        return self.features.shape[-1]

    @property
    def raw_image(self) -> Tensor:
        """[B, 3, R, R], about [-1, 1]."""
        return self.features[:, :3]

    def image(self) -> Tensor:
        """The super-resolved image [B, 3, S, S], about [-1, 1]."""
        return self.model.generator.superresolve(self.features, self.ws)

    def maps(self) -> SemanticMaps:
        """Raw class scores and features at side R."""
        branch = self.model.branch
        assert branch is not None
        visible = self.visible
        if not branch.config.density_prior:  # a density of its own needs samples of its own
            where = self.cam2world, self.intrinsics, self.side_px
            planes = self.planes.planes.expand(len(self.cam2world), -1, -1, -1, -1)
            visible = density_pass(self.model.generator, planes, *where, branch.config)
        return branch.maps(branch.project(self.planes), visible)

    def scores(self, image: Tensor | None = None) -> Tensor:
        """Class scores [B, K, S, S] at full size; R has to be the neural resolution.

        Args:
            image: what `image` gave, where the branch is guided by it and it is there already.
        """
        branch = self.model.branch
        assert branch is not None
        guide = None
        if branch.config.refiner.guide == "rendered":
            guide = self.features
        elif branch.config.refiner.guide == "rgb":
            guide = self.image() if image is None else image
        return branch.refine(self.maps(), guide)


def see(model: Model, ws: Tensor, cam2world: Tensor, intrinsics: Tensor, side_px: int) -> SeenView:
    """See latents from cameras.

    Args:
        ws: [B, num_ws, w_dim], or [1, num_ws, w_dim]: one subject from all cameras.
        cam2world, intrinsics: [B, 4, 4] (OpenCV axes) and [1, 3, 3] or [B, 3, 3] (normalised).
    """
    generator, batch = model.generator, len(cam2world)
    planes = generator.planes(ws)
    intrinsics = intrinsics.expand(batch, -1, -1)
    bundle, hit = generator.limit_rays(*camera_rays(cam2world, intrinsics, side_px))
    if len(ws) == 1:  # its planes need no copy a camera
        bundle = dataclasses.replace(bundle, subject=None)
    met = hit.nonzero()[:, 0]
    field, settings, decoder = generator.field(planes.planes), generator.config.rays, generator.decoder

    def both(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        read = field.features(points, subject)
        return decoder.raw_density(read), decoder.colors(read)

    rays = bundle.select(met)
    seen = render_visible(field.raw_density, both, rays, settings.samples_coarse, settings.samples_fine)
    count = batch * side_px**2
    color = seen.values.new_zeros(count, seen.values.shape[1]).index_copy(0, met, seen.values)
    if settings.white_back:
        color = color + (1 - seen.opacity.new_zeros(count).index_copy(0, met, seen.opacity))[:, None]
    features = (color * 2 - 1).reshape(batch, side_px, side_px, -1).permute(0, 3, 1, 2)
    visible = VisibleSamples(batch, side_px, met[seen.ray], seen.points, seen.weight)
    return SeenView(model, ws, planes, cam2world, intrinsics, features, visible)


def intrinsics_of(model: Model) -> Tensor:
    """The generator's own normalised intrinsics [1, 3, 3], on its device."""
    focal = model.config.cameras.focal
    return torch.tensor([[[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]]], device=model.device)


def degrees_of(angles_rad: Tensor) -> tuple[float, float]:
    """Yaw in [-180, 180) and pitch, in degrees, of angles [2]."""
    yaw, pitch = (math.degrees(float(value)) for value in angles_rad.detach())
    return (yaw + 180) % 360 - 180, pitch
