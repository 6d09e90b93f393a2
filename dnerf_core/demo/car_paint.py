"""Part labels and colours of a demo car, for points on its surface."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.demo.car_parameters import CarParameters
from dnerf_core.demo.car_shape import BODY_ROUNDING, CarShape, ShapeFields

HOOD, ROOF, WHEELS, OTHER = 1, 2, 3, 4
ROOF_BAND = 0.062  # height of the roof's rim above the windows
HOOD_RIM = 0.015  # how far the hood reaches down beyond its rounded edge
GLASS_RIM = 0.015  # how far the glass reaches into the rounded pillars
ARCH_RIM = 0.004  # surface this close to the arch's space belongs to its lining
MIDDLE_PILLAR = 0.026
MAX_BRIGHTNESS = 0.85  # paint stays apart from the white background

LIGHT = (0.35, 0.80, 0.49)  # unit, towards the light, in the car's frame
SHADE_BASE, SHADE_LIGHT, SHADE_UP = 0.69, 0.24, 0.10  # the baked light: of all sides, along LIGHT, and from above
GLASS_TINT = (0.88, 1.0, 1.12)
_TYRE = (0.10, 0.10, 0.11)
_TRIM = (0.16, 0.16, 0.17)
_ARCH = (0.05, 0.05, 0.055)
_HEADLIGHT = (0.97, 0.96, 0.86)
_TAIL_LIGHT = (0.92, 0.08, 0.07)
_PLATE = (0.85, 0.85, 0.82)


def body_color(p: CarParameters) -> Tensor:
    """Paint of each car `[B, 3]`: a logistic curve over brightness and two opponent axes; hue changes smoothly, never wraps."""
    red = p.brightness + p.chroma_red
    green = p.brightness - 0.5 * p.chroma_red + 0.866 * p.chroma_green_blue
    blue = p.brightness - 0.5 * p.chroma_red - 0.866 * p.chroma_green_blue
    return MAX_BRIGHTNESS * torch.sigmoid(torch.cat([red, green, blue], dim=1))


def _owners(f: ShapeFields) -> tuple[Tensor, Tensor]:
    wheel = f.wheel <= f.shell
    return wheel, ~wheel & (f.cabin < f.body)


def part_labels(s: CarShape, f: ShapeFields, points: Tensor) -> Tensor:
    """Part of each surface point.

    Args:
        s: the shapes.
        f: fields at the points.
        points: `[B, N, 3]` on the surface.

    Returns:
        uint8 `[B, N]`: 1 hood, 2 roof, 3 wheels, 4 other.
    """
    y, z = points[..., 1], points[..., 2]
    wheel, cabin = _owners(f)
    edge = s.hood_edge
    above_hood = (z - edge.start_z) * edge.outward_z + (y - edge.start_y) * edge.outward_y
    hood = (above_hood > -HOOD_RIM) & (z > s.cowl_z - 0.012) & ~cabin & ~wheel & (f.arch > ARCH_RIM)
    roof = cabin & (y > s.half_height - ROOF_BAND)
    labels = torch.full(y.shape, OTHER, dtype=torch.uint8, device=points.device)
    labels.masked_fill_(hood, HOOD).masked_fill_(roof, ROOF).masked_fill_(wheel, WHEELS)
    return labels


def _glass(s: CarShape, f: ShapeFields, y: Tensor, z: Tensor) -> Tensor:
    in_height = (y > s.belt_y + 0.018) & (y < s.half_height - ROOF_BAND)
    flank = (f.cabin_profile < GLASS_RIM) & (f.cabin_side > f.cabin_profile) & ((z - s.window_middle_z).abs() > MIDDLE_PILLAR / 2)
    ends = (f.cabin_side < GLASS_RIM) & (f.cabin_profile > f.cabin_side)
    return in_height & (flank | ends)


def surface_colors(p: CarParameters, s: CarShape, f: ShapeFields, points: Tensor, normals: Tensor) -> Tensor:
    """Colour of each surface point, the same from every direction: albedo times a baked soft light.

    Args:
        p, s, f: parameters, shapes and fields at the points.
        points: `[B, N, 3]` on the surface.
        normals: `[B, N, 3]`, unit, outward.

    Returns:
        `[B, N, 3]` in [0, 1].
    """
    paint = body_color(p)[:, None, :].expand_as(points)
    return shaded(surface_albedo(p, s, f, points, paint, points.new_tensor(GLASS_TINT)), s, points, normals)


def surface_albedo(p: CarParameters, s: CarShape, f: ShapeFields, points: Tensor, body: Tensor, glass_tint: Tensor) -> Tensor:
    """Colour of each surface point before any light falls on it.

    Args:
        p, s, f, points: as `surface_colors` has them.
        body: `[B, N, 3]`, the paint of the sheet metal at each point.
        glass_tint: `[3]` or `[B, 1, 3]`, what the glass's brightness is multiplied by.

    Returns:
        `[B, N, 3]`, 0 and above.
    """
    side_x, y, z = points[..., 0].abs(), points[..., 1], points[..., 2]
    wheel, cabin = _owners(f)
    shell = ~wheel & ~cabin
    color = body

    def paint(where: Tensor, with_color: tuple[float, float, float]) -> None:
        nonlocal color
        color = torch.where(where[..., None], points.new_tensor(with_color), color)

    front, rear = shell & (z > s.half_length - 0.10), shell & (z < 0.085 - s.half_length)
    outer, inner = side_x > 0.56 * s.half_width, side_x < 0.44 * s.half_width
    paint(front & outer & (y > s.nose_y - 0.052) & (y < s.nose_y + 0.004), _HEADLIGHT)
    paint(front & inner & (y > s.nose_y - 0.052) & (y < s.nose_y - 0.006), _TRIM)
    rear_y = s.belt_y - BODY_ROUNDING
    paint(rear & outer & (y > rear_y - 0.06) & (y < rear_y), _TAIL_LIGHT)
    paint(rear & (side_x < 0.09) & (y > rear_y - 0.062) & (y < rear_y - 0.018), _PLATE)
    paint(shell & (y < s.bottom_y + p.trim_height), _TRIM)
    paint(shell & (f.arch < ARCH_RIM), _ARCH)

    glass = p.glass_brightness * (0.75 + 0.5 * (y - s.belt_y) / (s.half_height - s.belt_y))
    color = torch.where((cabin & _glass(s, f, y, z))[..., None], glass[..., None] * glass_tint, color)

    paint(wheel, _TYRE)
    rim = wheel & (f.wheel_center_distance < 0.64 * s.wheel_radius)
    hub = f.wheel_center_distance < 0.20 * s.wheel_radius
    metal = p.rim_brightness * torch.where(hub, 0.55, 1.0)
    return torch.where(rim[..., None], metal[..., None], color)


def shaded(color: Tensor, s: CarShape, points: Tensor, normals: Tensor, light: Tensor | None = None) -> Tensor:
    """Albedo `[B, N, 3]` under the baked soft light, darker towards the ground; `[B, N, 3]` in [0, 1].

    Args:
        s, points, normals: as `surface_colors` has them.
        light: `[B, 3, 1]`, unit, towards the light; None: the demo's own for all.
    """
    y = points[..., 1]
    facing = normals @ normals.new_tensor(LIGHT) if light is None else (normals @ light)[..., 0]
    shade = SHADE_BASE + SHADE_LIGHT * facing + SHADE_UP * normals[..., 1]
    near_ground = ((y + s.half_height) / 0.16).clamp(0.0, 1.0)
    return (color * (shade * (0.72 + 0.28 * near_ground))[..., None]).clamp(0.0, 1.0)
