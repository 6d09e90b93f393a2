"""What an inversion sees of latents: a view with gradients to the latents and the cameras, as image and as class scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.backbone.posing import posed_planes
from dnerf_core.backbone.protocols import Planes, RawPicture
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.rendering.visible import render_visible
from dnerf_core.semantic.branch import SemanticMaps
from dnerf_core.semantic.visibility import VisibleSamples, density_pass
from dnerf_core.work.compaction import Room


@dataclass(frozen=True, eq=False)
class SeenView:
    """Views of B subjects from a camera each, at side R.

    Attributes:
        ws: [B, num_ws, w_dim], or [1, num_ws, w_dim]: one subject from all cameras.
        planes: what the generator makes of them.
        cam2world, intrinsics: [B, 4, 4] and [B, 3, 3].
        picture: what is seen, before the super-resolution.
        visible: the samples that the semantic branch reads, by the radiance field's weights.
    """

    model: LoadedModel
    ws: Tensor
    planes: Planes
    cam2world: Tensor
    intrinsics: Tensor
    picture: RawPicture
    visible: VisibleSamples

    @property
    def side_px(self) -> int:
        """R."""
        return self.picture.image.shape[-1]

    @property
    def raw_image(self) -> Tensor:
        """[B, 3, R, R], about [-1, 1]."""
        return self.picture.image

    def image(self) -> Tensor:
        """The super-resolved image [B, 3, S, S], about [-1, 1]."""
        return self.model.generator.superresolve(self.picture, self.ws)

    def maps(self) -> SemanticMaps:
        """Raw class scores and features at side R."""
        branch = self.model.branch
        assert branch is not None
        visible = self.visible
        if not branch.config.density_prior:  # a density of its own needs samples of its own
            where = self.cam2world, self.intrinsics, self.side_px
            visible = density_pass(self.model.generator, self.planes, *where, branch.config)
        return branch.maps(branch.project(self.model.generator.source(self.planes)), visible)

    def scores(self, image: Tensor | None = None) -> Tensor:
        """Class scores [B, K, S, S] at full size; R has to be the neural resolution.

        Args:
            image: what `image` gave, where the branch is guided by it and it is there already.
        """
        branch = self.model.branch
        assert branch is not None
        guide_image = None
        if branch.config.refiner.guide == "rendered":
            guide_image = self.picture.features
        elif branch.config.refiner.guide == "rgb":
            guide_image = self.image() if image is None else image
        return branch.refine(self.maps(), guide_image)


def see(
    model: LoadedModel,
    ws: Tensor,
    cam2world: Tensor,
    intrinsics: Tensor,
    side_px: int,
    pose: Tensor | None = None,
    shape: Tensor | None = None,
    *,
    until: int | None = None,
    room: Room | None = None,
) -> SeenView:
    """See latents from cameras.

    Args:
        ws: [B, num_ws, w_dim], or [1, num_ws, w_dim]: one subject from all cameras.
        cam2world, intrinsics: [B, 4, 4] (OpenCV axes) and [1, 3, 3] or [B, 3, 3] (normalised).
        pose: [B or 1, *pose_shape], the subjects'; None: the family's usual one, or it has none.
        shape: [B or 1, shape_size], the subjects'; None: that of the latents, or they have none.
        until: resolution of the generator's block at which the planes stop; None: the last. The branch reads all blocks.
        room: see `render_visible`; where it was short, what is seen lacks something.
    """
    generator, batch = model.generator, len(cam2world)
    planes = posed_planes(generator, ws, pose, shape, until=until)
    intrinsics = intrinsics.expand(batch, -1, -1)
    bundle, hit = ray_bundle(generator, planes, ViewRays.from_cameras(cam2world, intrinsics, side_px))
    field, settings = generator.field(planes), generator.config.rays
    reads = field.raw_density, field.density_and_colors
    samples = settings.samples_coarse, settings.samples_fine
    if room is not None:  # all rays, for the host would wait to learn which are met
        seen = render_visible(*reads, bundle, *samples, room=room, hit=hit)
        color, opacity, ray = seen.values, torch.where(hit, seen.opacity, 0.0), seen.ray
    else:
        met = hit.nonzero()[:, 0]
        seen = render_visible(*reads, bundle.select(met), *samples)
        count = batch * side_px**2
        color = seen.values.new_zeros(count, seen.values.shape[1]).index_copy(0, met, seen.values)
        opacity, ray = seen.opacity.new_zeros(count).index_copy(0, met, seen.opacity), met[seen.ray]
    picture = generator.compose(color, opacity, planes, side_px)
    visible = VisibleSamples(batch, side_px, ray, seen.points, seen.weight)
    return SeenView(model, ws, planes, cam2world, intrinsics, picture, visible)


def intrinsics_of(model: LoadedModel) -> Tensor:
    """The generator's own normalised intrinsics [1, 3, 3], on its device."""
    return model.own_intrinsics


def degrees_of(angles_rad: Tensor) -> tuple[float, float]:
    """Yaw in [-180, 180) and pitch, in degrees, of angles [2]."""
    yaw, pitch = (math.degrees(value) for value in angles_rad.detach().tolist())
    return (yaw + 180) % 360 - 180, pitch
