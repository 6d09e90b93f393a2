"""Exact pictures of the demo cars by sphere tracing.

Convention: cameras are cam2world with OpenCV axes (x right, y down, z forward); intrinsics are normalised by the image size;
pixels are row-major with centres at (i + 0.5) / size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.sphere_tracing import LIPSCHITZ, trace_rays
from dnerf_core.demo.world import Cars
from dnerf_core.errors import UsageError
from dnerf_core.rendering.rays import pixel_rays
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True, eq=False)
class TruthView:
    """Pictures of B cars, H = W pixels.

    Attributes:
        rgb: float32 `[B, H, W, 3]` in [0, 1], over white; the box-filtered mean of the subpixel rays.
        mask: uint8 `[B, H, W]`, part id of the pixel-centre ray, 0 background.
        depth_planar: float32 `[B, H, W]`, along the optical axis, world units, +inf at background; pixel-centre ray.
        normal: float32 `[B, H, W, 3]`, unit, world frame, 0 at background; pixel-centre ray.
        coverage: float32 `[B, H, W]` in [0, 1], the share of the subpixel rays that meet the subject.
    """

    rgb: Tensor
    mask: Tensor
    depth_planar: Tensor
    normal: Tensor
    coverage: Tensor


def grid_rays(cam2world: Tensor, intrinsics: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rays through a grid of image positions, computed in float64.

    Args:
        cam2world: `[B, 4, 4]`, OpenCV axes.
        intrinsics: `[B, 3, 3]`, normalised by the image size.
        columns, rows: positions `[W]` and `[H]`, normalised, 0 at the left and upper border, 1 at the right and lower one.

    Returns:
        origins and unit directions `[B, H * W, 3]`, row-major, and the cosine of each ray with the optical axis `[B, H * W]`;
        float32.
    """
    cam2world, intrinsics = cam2world.double(), intrinsics.double()
    v, u = torch.meshgrid(rows.to(cam2world), columns.to(cam2world), indexing="ij")
    uv = torch.stack([u, v], dim=-1).reshape(1, -1, 2).expand(len(cam2world), -1, -1)
    # unit in the camera's own frame, where z is the cosine; a pose that came as float32 is a rotation to 1e-7 only
    _, in_camera = pixel_rays(torch.eye(4).to(cam2world).expand_as(cam2world), intrinsics, uv)
    directions = in_camera @ cam2world[:, :3, :3].transpose(1, 2)
    origins = cam2world[:, None, :3, 3].expand_as(directions)
    return origins.float(), directions.float(), in_camera[..., 2].float()


_TILE_PX = 8


def _free_distances(cars: Cars, cam2world: Tensor, intrinsics: Tensor, box: tuple[int, int, int, int], size_px: int) -> Tensor:
    """Distances that every ray of a tile of pixels is free for, `[B, h, w]`, one a pixel, +inf for tiles that see no car.

    The cars are as many as the cameras, or one that all of them see. One cone a tile: a ray of the tile strays by at most t * spread from
    the central one, so while the distance at the centre exceeds that, the excess is free for all.
    """
    top, left, height, width = box
    tile_rows, tile_columns = -(-height // _TILE_PX), -(-width // _TILE_PX)
    middle_rows = (top + (torch.arange(tile_rows) + 0.5) * _TILE_PX) / size_px
    middle_columns = (left + (torch.arange(tile_columns) + 0.5) * _TILE_PX) / size_px
    origins, directions, _ = grid_rays(cam2world, intrinsics, middle_columns, middle_rows)
    # the angle between two rays is at most their distance on the plane z = 1, and the chord is shorter still
    half = _TILE_PX / 2 / size_px
    focal_x, focal_y = intrinsics[:, 0, 0], intrinsics[:, 1, 1]
    half_y = half / focal_y
    half_x = (half + (intrinsics[:, 0, 1] * half_y).abs()) / focal_x
    spread = torch.hypot(half_x, half_y).float()[:, None]
    radius = cars.half_extents.norm(dim=1, keepdim=True)
    t = (origins.norm(dim=-1) - radius).clamp(min=0) / (1 + spread)
    leave = origins.norm(dim=-1) + radius
    for _ in range(20):
        places = torch.addcmul(origins, directions, t[..., None]).reshape(len(cars), -1, 3)
        distance = cars.signed_distance(places).reshape(t.shape)
        t = t + (distance / LIPSCHITZ - t * spread).clamp(min=0)
    t = torch.where(t > leave, torch.inf, t).reshape(len(t), tile_rows, tile_columns)
    return t.repeat_interleave(_TILE_PX, 1).repeat_interleave(_TILE_PX, 2)[:, :height, :width]


def truth_rays(
    cam2world: Tensor, intrinsics: Tensor, size_px: int, samples_per_pixel: int, box: tuple[int, int, int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays of B exact pictures: through the centre of each pixel, then, of several samples, through those of a regular grid in it.

    Args:
        box: (top, left, height, width) in pixels of the full image, P pixels.

    Returns:
        Origins and unit directions [B, P or P * (1 + samples), 3], and the cosines [B, ..] to the camera's axis.

    Raises:
        UsageError: samples_per_pixel is not a square number.
    """
    side = round(samples_per_pixel**0.5)
    if side < 1 or side * side != samples_per_pixel:
        raise UsageError(f"samples_per_pixel: expected a square number such as 1 or 4, found {samples_per_pixel}; choose one")
    top, left, height, width = box
    offsets = [(0.0, 0.0)]
    if side > 1:
        offsets += [((i + 0.5) / side - 0.5, (j + 0.5) / side - 0.5) for i in range(side) for j in range(side)]
    rays = []
    for shift_y, shift_x in offsets:
        columns = (left + torch.arange(width) + 0.5 + shift_x) / size_px
        rows = (top + torch.arange(height) + 0.5 + shift_y) / size_px
        rays.append(grid_rays(cam2world, intrinsics, columns, rows))
    origins, directions, cosine = (torch.cat(pieces, dim=1) for pieces in zip(*rays, strict=True))
    return origins, directions, cosine


def render_truth(
    cars: Cars,
    cam2world: Tensor,
    intrinsics: Tensor,
    size_px: int,
    *,
    samples_per_pixel: int = 4,
    crop: tuple[int, int, int, int] | None = None,
) -> TruthView:
    """Render each car from its camera.

    Args:
        cars: B cars.
        cam2world: `[B, 4, 4]`, OpenCV axes, world units.
        intrinsics: `[B, 3, 3]`, normalised by the image size.
        size_px: height and width of the full image.
        samples_per_pixel: colour rays a pixel, a square number: 1 is the pixel centre, 4 a regular 2 x 2 grid.
        crop: (top, left, height, width) in pixels of the full image: render this part alone, as it is in the full image.

    Returns:
        the pictures, H = W = size_px or the crop's height and width.

    Raises:
        UsageError: samples_per_pixel is not a square number, or the number of cameras is not the number of cars.
    """
    one_a_car = f"pass one camera for each of the {len(cars)} cars"
    check_shapes(cam2world=(cam2world, f"{len(cars)} 4 4", one_a_car), intrinsics=(intrinsics, f"{len(cars)} 3 3", one_a_car))
    box = crop if crop is not None else (0, 0, size_px, size_px)
    _, _, height, width = box
    origins, directions, cosine = truth_rays(cam2world, intrinsics, size_px, samples_per_pixel, box)
    free = _free_distances(cars, cam2world, intrinsics, box, size_px).reshape(len(cars), -1)
    distance = trace_rays(cars, origins, directions, free.repeat(1, origins.shape[1] // free.shape[1]))
    rgb, mask, normal = _appearance(cars, origins, directions, distance)
    return view_of_rays(rgb, mask, normal, distance, cosine, samples_per_pixel, (height, width))


def render_around(car: Cars, cam2world: Tensor, intrinsics: Tensor, size_px: int) -> TruthView:
    """One car as V cameras see it, by the rays of the pixels' centres alone; all are traced together, which is several times faster.

    Args:
        car: one car.
        cam2world: `[V, 4, 4]`, OpenCV axes, world units.
        intrinsics: `[V, 3, 3]`, normalised by the image size.
        size_px: height and width of every picture.

    Returns:
        V pictures; their colours are those of the centres' rays.
    """
    views = len(cam2world)
    check_shapes(cam2world=(cam2world, "V 4 4"), intrinsics=(intrinsics, f"{views} 3 3"))
    box = (0, 0, size_px, size_px)
    origins, directions, cosine = truth_rays(cam2world, intrinsics, size_px, 1, box)
    free = _free_distances(car, cam2world, intrinsics, box, size_px)
    origins, directions = origins.reshape(1, -1, 3), directions.reshape(1, -1, 3)
    distance = trace_rays(car, origins, directions, free.reshape(1, -1))
    rgb, mask, normal = _appearance(car, origins, directions, distance)
    pixels = size_px * size_px
    rgb, mask, normal = rgb.reshape(views, pixels, 3), mask.reshape(views, pixels), normal.reshape(views, pixels, 3)
    return view_of_rays(rgb, mask, normal, distance.reshape(views, pixels), cosine, 1, (size_px, size_px))


def view_of_rays(
    rgb: Tensor, mask: Tensor, normal: Tensor, distance: Tensor, cosine: Tensor, samples_per_pixel: int, size_px: tuple[int, int]
) -> TruthView:
    """The pictures of what the rays of `truth_rays` met: [B, R, 3], [B, R], [B, R, 3], [B, R], cosines [B, R]; `size_px` is (H, W)."""
    count, pixels, shape = len(rgb), size_px[0] * size_px[1], (len(rgb), *size_px)
    met = distance.isfinite().float()
    if samples_per_pixel > 1:
        rgb = rgb[:, pixels:].reshape(count, samples_per_pixel, pixels, 3).mean(dim=1)
        met = met[:, pixels:].reshape(count, samples_per_pixel, pixels).mean(dim=1)
    return TruthView(
        rgb.reshape(*shape, 3),
        mask[:, :pixels].reshape(shape),
        (distance * cosine)[:, :pixels].reshape(shape),
        normal[:, :pixels].reshape(*shape, 3),
        met.reshape(shape),
    )


def _appearance(cars: Cars, origins: Tensor, directions: Tensor, distance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rgb, normal = torch.ones_like(directions), torch.zeros_like(directions)
    mask = torch.zeros(distance.shape, dtype=torch.uint8, device=distance.device)
    for index in range(len(cars)):
        hit = distance[index].isfinite().nonzero()[:, 0]
        points = torch.addcmul(origins[index, hit], directions[index, hit], distance[index, hit][:, None])
        color, part, facing = cars[index : index + 1].surface_appearance(points[None])
        rgb[index, hit], mask[index, hit], normal[index, hit] = color[0], part[0], facing[0]
    return rgb, mask, normal
