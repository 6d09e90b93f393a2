"""Patches of posed pictures, and what the generator of people learns from them.

Geometry is left to the points, as with the cars: through so steep a density the pictures' gradients would be noise. Colours, the other
features and the super-resolution learn here what the warp makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.people.framing import intrinsics, random_cameras
from dnerf_core.demo.people.trace import PosedMesh, render_people
from dnerf_core.demo.people.training.losses import OFFSET, SHARPNESS
from dnerf_core.demo.people.world import People
from dnerf_core.demo.trace import TruthView
from dnerf_core.gnarf.body.posed import PosedBody, pose_body
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.planes import Warp
from dnerf_core.rendering.compositing import sample_weights
from dnerf_core.rendering.rays import pixel_rays
from dnerf_core.rendering.volume import VOID, RayBundle, sample_rays

ELEVATION_DEG = (-20.0, 40.0)
_KEPT_SAMPLES = 20
_FAR = 20.0


@dataclass(frozen=True, eq=False)
class Patch:
    """A square of one person's picture.

    Attributes:
        truth: S = k * side pixels, at the output's resolution.
        rays: of the M neural pixels that meet the clip mesh; pixel: int64 [M], which they are of side * side.
        side: neural pixels.
    """

    truth: TruthView
    rays: RayBundle
    pixel: Tensor
    side: int

    @property
    def rgb(self) -> Tensor:
        """The truth [1, 3, S, S] in [0, 1], over white."""
        return self.truth.rgb.permute(0, 3, 1, 2)


def clip_limits(body: PosedBody, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays [N, 3] first and last meet the clip mesh, [N] each, and whether they do, bool [N]."""
    mesh = PosedMesh(body.clip, body.table.clip.faces)
    near, _, _ = mesh.meet(origins, directions)
    back, _, _ = mesh.meet(origins + _FAR * directions, -directions)
    hit = near.isfinite() & back.isfinite()
    return torch.where(hit, near, 0.0), torch.where(hit, _FAR - back, 0.0), hit


def random_patch(person: People, pose: Tensor, body: PosedBody, generator: Gnarf, side: int, rng: torch.Generator) -> Patch:
    """A random patch of `side` squared neural pixels of one person, aimed at a random place of the body; one truth ray a pixel.

    Args:
        person: one.
        pose: [K + 1, 3].
        body: of the generator, in that pose and in the person's own shape.
    """
    config = generator.config
    resolution = config.rays.neural_resolution
    cam2world = random_cameras(person.posed_vertices(pose[None]), rng, ELEVATION_DEG, (1.05, 1.4))
    aim = body.vertices[torch.randint(len(body.vertices), (1,), generator=rng)]
    in_camera = (aim - cam2world[:, :3, 3]) @ cam2world[0, :3, :3]
    centre = in_camera[0, :2] / in_camera[0, 2] * config.cameras.focal + 0.5
    corner = (centre * resolution - side * torch.rand(2, generator=rng)).round().clamp(0, resolution - side)
    # the truth is sampled at one random place within the pixels, so that over many patches it is box-filtered
    shift = (torch.rand(1, 2, generator=rng) - 0.5) / config.image_size
    return patch_of(person, pose, body, generator, cam2world, (int(corner[0]), int(corner[1])), side, shift=shift)


def patch_of(
    person: People, pose: Tensor, body: PosedBody, generator: Gnarf, cam2world: Tensor, corner: tuple[int, int], side: int, *,
    shift: Tensor | None = None, samples_per_pixel: int = 1,
) -> Patch:  # fmt: skip
    """The patch of a camera [1, 4, 4] whose first neural pixel is (column, row) `corner`; its truth is shifted by `shift` [1, 2]."""
    config = generator.config
    resolution, scale = config.rays.neural_resolution, config.image_size // config.rays.neural_resolution
    steps = (torch.arange(side, dtype=torch.float32) + 0.5) / resolution
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    uv = torch.stack([u, v], dim=-1).reshape(1, -1, 2) + torch.tensor(corner) / resolution
    origins, directions = (rays[0] for rays in pixel_rays(cam2world, intrinsics(1), uv))
    near, far, hit = clip_limits(body, origins, directions)
    pixel = hit.nonzero()[:, 0]
    matrix = intrinsics(1).clone()
    if shift is not None:
        matrix[:, :2, 2] += shift
    crop = (corner[1] * scale, corner[0] * scale, side * scale, side * scale)
    truth = render_people(
        person, pose[None], cam2world, matrix, config.image_size, samples_per_pixel=samples_per_pixel, crop=crop
    )
    rays = RayBundle(origins, directions, near, far, void_outside=True).select(pixel)
    return Patch(truth, rays, pixel, side)


def rendered_patch(generator: Gnarf, planes: Tensor, body: PosedBody, patch: Patch, rng: torch.Generator) -> Tensor:
    """Features [1, C, side, side] in [0, 1], over white, of one subject's planes [1, 3, C, R, R], f still unfolded."""
    field, warp = generator.canonical_field(planes), Warp((body,), generator.config)
    settings, rays = generator.config.rays, patch.rays

    def density(points: Tensor, subject: Tensor | None) -> Tensor:
        place, void = warp(points, subject)
        raw = SHARPNESS * generator.decoder.raw_density(field.in_box(place, None)) + OFFSET
        return torch.where(void, raw - VOID, raw)

    with torch.no_grad():
        sampled = sample_rays(density, rays, settings.samples_coarse, settings.samples_fine, rng)
        seen, order = sample_weights(sampled.weights).topk(min(_KEPT_SAMPLES, sampled.distances.shape[1]), dim=1)
        distances = sampled.distances.gather(1, order)
        place, _ = warp(rays.points(distances).reshape(-1, 3), None)
    # samples that show nothing get no gradient: only those that matter are read again
    colors = generator.decoder.colors(field.in_box(place, None)).reshape(*distances.shape, -1)
    color = (seen[..., None] * colors).sum(dim=1) + (1 - sampled.opacity)[:, None]
    image = color.new_ones(patch.side**2, color.shape[1]).index_copy(0, patch.pixel, color)
    return image.reshape(1, patch.side, patch.side, -1).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class PatchLosses:
    """Scalars: squared error of the raw image, squared and absolute error of the final one."""

    raw: Tensor
    final: Tensor
    final_l1: Tensor


def patch_losses(
    generator: Gnarf, planes: Tensor, ws: Tensor, patches: list[tuple[PosedBody, Patch]], rng: torch.Generator, *, join: bool,
    margin_px: int = 8,
) -> PatchLosses:  # fmt: skip
    """Render patches of subjects ws [B, num_ws, w_dim] with planes [B, 3, C, R, R], one each, and compare.

    With `join` False the final image's loss teaches the super-resolution alone. `margin_px` output pixels at a patch's rim, where
    the super-resolution's convolutions see the zeros outside, are left out.
    """
    images = [
        rendered_patch(generator, planes[index : index + 1], body, patch, rng) for index, (body, patch) in enumerate(patches)
    ]
    image, truth = torch.cat(images), torch.cat([patch.rgb for _, patch in patches])
    source = image if join else image.detach()
    final = generator.superresolution.refine(source * 2 - 1, ws if join else ws.detach()).add(1).mul(0.5)
    inner = (..., slice(margin_px, -margin_px), slice(margin_px, -margin_px))
    difference = (final - truth)[inner]
    scale = truth.shape[-1] // image.shape[-1]
    return PatchLosses(F.mse_loss(image[:, :3], F.avg_pool2d(truth, scale)), difference.square().mean(), difference.abs().mean())


def shaped_body(generator: Gnarf, pose: Tensor, shape: Tensor) -> PosedBody:
    """The generator's body in a pose [K + 1, 3] and a shape [S]."""
    return pose_body(generator.config.body, generator.body.table(), pose, shape)
