"""What the demo generator is trained on: points of the exact world, and patches of its exact pictures.

The field is asked for f = clamp(-signed distance / TRUNCATION, -1, 1), world units; density comes from it by one affine map
(`SHARPNESS`, `OFFSET`), folded into the decoder's first row when the model is written. A truncated distance is smooth
in space and in z, so a small network learns it; the steep map makes the surface sharp all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.trace import render_truth
from dnerf_core.demo.world import Cars
from dnerf_core.generator.eg3d import Generator, TriplaneField
from dnerf_core.rendering.compositing import composite_distance, interval_weights, sample_weights
from dnerf_core.rendering.rays import pixel_rays
from dnerf_core.rendering.view import bundle_rays
from dnerf_core.rendering.volume import sample_rays

TRUNCATION = 0.05
SHARPNESS = 3000.0
# Density rises at slope s = SHARPNESS / TRUNCATION along a ray that meets the surface squarely, and light then goes
# sqrt(pi / (2 s)) = 0.005 further in the mean, sqrt(1 / cos) times that at a slant. So the ramp starts a little before the surface;
# the slant makes that distance longer too (1 / cos), and silhouettes grow by it: 0.003 keeps all three errors below 0.003.
OFFSET = SHARPNESS / TRUNCATION * 0.003
COLOR_BAND = 0.035


class ScaledDensityField(TriplaneField):
    """The field while its decoder's first row still speaks of f."""

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N] = SHARPNESS f + OFFSET."""
        return SHARPNESS * super().raw_density(points, subject) + OFFSET


def fold_density_scale(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state with the affine map from f to raw density folded into the decoder's last layer (lr_mul 1)."""
    state = dict(state)
    weight, bias = state["decoder.net.2.weight"].clone(), state["decoder.net.2.bias"].clone()
    weight[0] *= SHARPNESS
    bias[0] = SHARPNESS * bias[0] + OFFSET
    return {**state, "decoder.net.2.weight": weight, "decoder.net.2.bias": bias}


@dataclass(frozen=True)
class PointBatch:
    """Points [B, N, 3] with f [B, N]; the first K of each car with surface colour [B, K, 3] and whether it counts [B, K]."""

    points: Tensor
    f: Tensor
    color: Tensor
    color_valid: Tensor


def point_batch(cars: Cars, box_side: float, rng: torch.Generator, *, near: int, box: int, colored: int) -> PointBatch:
    """Random points: `near` uniform in each car's padded bounding box (half of them lie near the surface), `box` uniform in the box."""
    count = len(cars)
    half = cars.half_extents[:, None] + TRUNCATION
    in_car = (2 * torch.rand(count, near, 3, generator=rng) - 1) * half
    in_box = (2 * torch.rand(count, box, 3, generator=rng) - 1) * (box_side / 2)
    points = torch.cat([in_car, in_box], dim=1)
    distance = cars.signed_distance(points)
    head, head_distance = points[:, :colored], distance[:, :colored]
    on_surface = head - head_distance[..., None] * cars.normals(head)
    color = cars.surface_appearance(on_surface)[0]
    return PointBatch(points, (-distance / TRUNCATION).clamp(-1, 1), color, head_distance.abs() < COLOR_BAND)


def point_loss(field: TriplaneField, batch: PointBatch) -> tuple[Tensor, Tensor]:
    """Losses of f (hinged where it is saturated, heavier near the surface) and of colour, both means."""
    count, number = batch.f.shape
    subject = torch.arange(count).repeat_interleave(number)
    out = field.decoder.net(field.features(batch.points.reshape(-1, 3), subject)).reshape(count, number, -1)
    error = out[..., 0] - batch.f
    # beyond the truncation only the sign matters: no capacity is spent on how far
    error = torch.where(batch.f >= 1, error.clamp_max(0), torch.where(batch.f <= -1, error.clamp_min(0), error))
    weight = torch.where(batch.f.abs() < 1, 2.0, 1.0)
    f_loss = (weight * F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05, reduction="none")).mean()
    colored = batch.color.shape[1]
    predicted = torch.sigmoid(out[:, :colored, 1:4]) * 1.002 - 0.001
    difference = (predicted - batch.color)[batch.color_valid]
    color_loss = difference.abs().mean() + 2 * difference.square().mean()
    return f_loss, color_loss


@dataclass(frozen=True)
class Patch:
    """A square of each of B pictures: truth at the output's resolution [B, S, S, .] and the rays of the neural pixels.

    Attributes:
        rgb: [B, S, S, 3] in [0, 1] over white; coverage and depth_planar (+inf off the car): [B, S, S].
        origins, directions: [B, N, 3], neural pixel centres; cosine: [B, N], of each ray with the optical axis.
    """

    rgb: Tensor
    coverage: Tensor
    depth_planar: Tensor
    origins: Tensor
    directions: Tensor
    cosine: Tensor


def random_cameras(count: int, radius: float, rng: torch.Generator, elevation_deg: tuple[float, float]) -> Tensor:
    """cam2world [count, 4, 4] looking at the origin from uniform yaw and elevation (OpenCV axes, world y up)."""
    yaw = 2 * math.pi * torch.rand(count, generator=rng)
    low, high = (math.radians(a) for a in elevation_deg)
    elevation = low + (high - low) * torch.rand(count, generator=rng)
    position = torch.stack([elevation.cos() * yaw.sin(), elevation.sin(), elevation.cos() * yaw.cos()], dim=-1)
    forward = -position
    right = F.normalize(torch.linalg.cross(forward, torch.tensor([0.0, 1.0, 0.0]).expand_as(forward), dim=-1), dim=-1)
    down = torch.linalg.cross(forward, right, dim=-1)
    cam2world = torch.eye(4).repeat(count, 1, 1)
    cam2world[:, :3, :4] = torch.stack([right, down, forward, radius * position], dim=-1)
    return cam2world


def truth_patch(cars: Cars, generator: Generator, rng: torch.Generator, neural_px: int) -> Patch:
    """A random patch of `neural_px` squared neural pixels a car, aimed at the car; one truth ray an output pixel."""
    config, count = generator.config, len(cars)
    resolution, scale = config.rays.neural_resolution, config.image_size // config.rays.neural_resolution
    cam2world = random_cameras(count, config.cameras.radius, rng, (-5.0, 40.0))
    focal = config.cameras.focal
    intrinsics = torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]).expand(count, 3, 3)
    # aim at a random point of the car's box, so that patches are seldom all background
    aim = (2 * torch.rand(count, 3, generator=rng) - 1) * cars.half_extents * 1.1
    in_camera = ((aim - cam2world[:, :3, 3])[:, None] @ cam2world[:, :3, :3])[:, 0]
    centre = in_camera[:, :2] / in_camera[:, 2:] * focal + 0.5
    corner = (centre * resolution - neural_px / 2).round().clamp(0, resolution - neural_px)

    steps = (torch.arange(neural_px, dtype=torch.float32) + 0.5) / resolution
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    uv = torch.stack([u, v], dim=-1).reshape(1, -1, 2) + corner[:, None] / resolution
    origins, directions = pixel_rays(cam2world, intrinsics, uv)
    # the truth is sampled at one random place within the pixels, so that over many patches it is box-filtered
    shift = (torch.rand(count, 2, generator=rng) - 0.5) / config.image_size
    shifted = intrinsics.clone()
    shifted[:, :2, 2] += shift
    views = []
    for index in range(count):
        left, top = (int(c) * scale for c in corner[index])
        one = slice(index, index + 1)
        crop = (top, left, neural_px * scale, neural_px * scale)
        views.append(render_truth(cars[one], cam2world[one], shifted[one], config.image_size, samples_per_pixel=1, crop=crop))
    depth = torch.cat([view.depth_planar for view in views])
    cosine = (directions * cam2world[:, None, :3, 2]).sum(dim=-1)
    return Patch(torch.cat([view.rgb for view in views]), depth.isfinite().float(), depth, origins, directions, cosine)


@dataclass(frozen=True)
class PatchLosses:
    """Scalars: squared error of the raw image, squared and absolute error of the final one, and, to watch, of opacity and depth."""

    raw: Tensor
    final: Tensor
    final_l1: Tensor
    opacity: Tensor
    distance: Tensor


def patch_losses(
    generator: Generator, planes: Tensor, ws: Tensor, patch: Patch, rng: torch.Generator, *, join: bool, margin_px: int = 8
) -> PatchLosses:
    """Render a patch and compare.

    Gradients go to the colours, the super-resolution and w. Geometry is left to the points, which teach it exactly: through so
    steep a density the pictures' gradients would be noise. With `join` False the final image's loss teaches the
    super-resolution alone. `margin_px` output pixels at the patch's rim, where the super-resolution's convolutions see the
    zeros outside, are left out.
    """
    settings = generator.config.rays
    count, number = patch.origins.shape[:2]
    side = int(number**0.5)
    field = ScaledDensityField(planes, generator.decoder, generator.config.triplane)
    limits = generator.limit_rays(patch.origins.reshape(-1, 3), patch.directions.reshape(-1, 3))
    hit = limits.hit
    rays = bundle_rays(patch.origins, patch.directions, limits, len(planes)).select(hit)
    with torch.no_grad():
        sampled = sample_rays(field.raw_density, rays, settings.samples_coarse, settings.samples_fine // 2, rng).distances
        raw = field.raw_density(rays.points(sampled).reshape(-1, 3), _repeat(rays.subject, sampled.shape[1])).reshape(
            sampled.shape
        )
        # what lies behind an opaque surface gets no gradient anyway: keep the samples that matter, in order
        seen = sample_weights(interval_weights(sampled, raw))
        order = (seen + torch.rand(seen.shape, generator=rng) * 1e-3).topk(20, dim=1).indices.sort(dim=1).values
        distances = sampled.gather(1, order)
    samples = distances.shape[1]
    features = field.features(rays.points(distances).reshape(-1, 3), _repeat(rays.subject, samples))
    out = generator.decoder.net(features).reshape(len(rays), samples, -1)
    weights = interval_weights(distances, SHARPNESS * out[..., 0].detach() + OFFSET)
    colors = torch.sigmoid(out[..., 1:]) * 1.002 - 0.001
    opacity = weights.sum(dim=1)
    color = (sample_weights(weights)[..., None] * colors).sum(dim=1) + (1 - opacity)[:, None]
    index = hit.nonzero()[:, 0]
    image = color.new_ones(count * number, color.shape[1]).index_copy(0, index, color)
    image = image.reshape(count, side, side, -1).permute(0, 3, 1, 2)
    full_opacity = opacity.new_zeros(count * number).index_copy(0, index, opacity).reshape(count, side, side)
    final = (
        generator.superresolution.refine((image if join else image.detach()) * 2 - 1, ws if join else ws.detach()).add(1).mul(0.5)
    )

    truth = patch.rgb.permute(0, 3, 1, 2)
    scale = truth.shape[-1] // side
    inner = (..., slice(margin_px, -margin_px), slice(margin_px, -margin_px))
    difference = (final - truth)[inner]
    met = patch.depth_planar[:, scale // 2 :: scale, scale // 2 :: scale].reshape(-1)[index]
    common = met.isfinite() & (opacity.detach() > 0.7)
    travelled = composite_distance(weights[common], distances[common]) * patch.cosine.reshape(-1)[index][common]
    return PatchLosses(
        raw=F.mse_loss(image[:, :3], F.avg_pool2d(truth, scale)),
        final=difference.square().mean(),
        final_l1=difference.abs().mean(),
        opacity=(full_opacity - F.avg_pool2d(patch.coverage[:, None], scale)[:, 0]).abs().mean(),
        distance=(travelled - met[common]).abs().clamp_max(0.1).mean() if bool(common.any()) else opacity.sum() * 0,
    )


def _repeat(subject: Tensor | None, times: int) -> Tensor | None:
    return None if subject is None else subject.repeat_interleave(times)
