"""The signed distance of a demo car: a rounded body, a rounded cabin and four wheels in cut-out arches.

Convention: y up, the car looks along +z, +x is its left; the centre of its bounding box is the origin; world units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.car_parameters import CarParameters

BODY_ROUNDING = 0.035
CABIN_ROUNDING = 0.045
TYRE_ROUNDING = 0.02
TYRE_HALF_WIDTH = 0.055
CABIN_INSET = 0.022  # how far the cabin stands back from the body's sides at the belt
TYRE_PROUD = 0.008  # how far the tyres stand out of the body's sides
ARCH_GAP = 0.022
ARCH_DEPTH = 0.14
SIDE_TILT_SIN, SIDE_TILT_COS = 0.17365, 0.98481  # the body's sides lean in by 10 degrees above and below the waist
BLEND = 0.03


@dataclass(frozen=True, eq=False)
class Edge:
    """An edge of a polygon in the (z, y) plane, columns `[B, 1]`."""

    start_z: Tensor
    start_y: Tensor
    run_z: Tensor  # to the next corner
    run_y: Tensor
    along_z: Tensor  # run / squared length: its product with a point is the fraction of the edge
    along_y: Tensor
    outward_z: Tensor  # unit normal
    outward_y: Tensor


def polygon_edges(corners: list[tuple[Tensor, Tensor]]) -> list[Edge]:
    """Edges of a closed polygon of (z, y) corners `[B, 1]`, counter-clockwise in the (z, y) plane."""
    edges = []
    for (z0, y0), (z1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        run_z, run_y = z1 - z0, y1 - y0
        squared = run_z.square() + run_y.square()
        inverse = torch.rsqrt(squared)
        edges.append(Edge(z0, y0, run_z, run_y, run_z / squared, run_y / squared, run_y * inverse, -run_z * inverse))
    return edges


@dataclass(frozen=True, eq=False)
class CarShape:
    """Derived measures of a batch of cars, columns `[B, 1]`."""

    half_length: Tensor
    half_width: Tensor  # of the body; the tyres stand out by TYRE_PROUD
    half_height: Tensor
    bottom_y: Tensor
    belt_y: Tensor
    nose_y: Tensor  # height of the hood's front end, on the polygon, which is inset by BODY_ROUNDING
    cowl_z: Tensor  # where the hood meets the windshield
    wheel_radius: Tensor
    axle_z: Tensor
    taper_sin: Tensor
    taper_cos: Tensor
    tumblehome_sin: Tensor
    tumblehome_cos: Tensor
    window_middle_z: Tensor
    body_edges: list[Edge]
    hood_edge: Edge
    cabin_edges: list[Edge]


@dataclass(frozen=True, eq=False)
class ShapeFields:
    """Distances `[B, N]` that parts and paint are read from, all negative inside."""

    total: Tensor
    shell: Tensor  # body and cabin blended, the wheel arches cut out
    body: Tensor  # alone and uncut
    cabin: Tensor  # alone and uncut
    cabin_profile: Tensor  # to the cabin's (z, y) polygon, before rounding
    cabin_side: Tensor  # to the cabin's inset side planes, before rounding
    arch: Tensor  # to the space that the arches cut out
    wheel: Tensor
    wheel_center_distance: Tensor  # from the nearest axle, in the plane of the wheel; not negative


def car_shape(p: CarParameters) -> CarShape:
    """Work out corners and planes from the free parameters."""
    half_length, half_width = p.length / 2, p.width / 2
    half_height = (p.clearance + p.body_height + p.cabin_height) / 2
    bottom_y = p.clearance - half_height
    belt_y = bottom_y + p.body_height
    r = BODY_ROUNDING
    front, low, high = half_length - r, bottom_y + r, belt_y - r
    inner_height = high - low
    nose_y = high - p.hood_drop * inner_height
    cowl_z = half_length - p.hood_share * p.length
    body = [
        (0.08 - front, low),
        (front - 0.10, low),
        (front, low + 0.30 * inner_height),
        (front - 0.03, nose_y),
        (cowl_z, high),
        (0.02 - front, high - 0.012),
        (-front, low + 0.45 * inner_height),
    ]
    axle_z = p.wheelbase_share * half_length
    # the arch must end below the hood: measure the room over the axle's front half, where the hood has already dropped
    hood_slope = p.hood_drop * inner_height / (front - 0.03 - cowl_z)
    room = p.clearance + p.body_height - hood_slope * (axle_z + 0.07 - cowl_z).clamp(min=0)
    r = CABIN_ROUNDING
    cabin_front, cabin_rear = cowl_z - r, r + p.deck_share * p.length - half_length
    roof_front, roof_rear = cabin_front - p.windshield_run, cabin_rear + p.rear_window_run
    base, sunk, top = belt_y - 0.5 * r, belt_y - 0.115, half_height - r
    cabin = [
        (cabin_rear, sunk),
        (cabin_front, sunk),
        (cabin_front, base),
        (roof_front, top - 0.014),
        ((roof_front + roof_rear) / 2, top),
        (roof_rear, top - 0.018),
        (cabin_rear, base),
    ]
    taper_cos = torch.rsqrt(1 + p.taper_slope.square())
    tumblehome_cos = torch.rsqrt(1 + p.tumblehome_slope.square())
    body_edges = polygon_edges(body)
    return CarShape(
        half_length=half_length,
        half_width=half_width,
        half_height=half_height,
        bottom_y=bottom_y,
        belt_y=belt_y,
        nose_y=nose_y,
        cowl_z=cowl_z,
        wheel_radius=p.wheel_share * room,
        axle_z=axle_z,
        taper_sin=p.taper_slope * taper_cos,
        taper_cos=taper_cos,
        tumblehome_sin=p.tumblehome_slope * tumblehome_cos,
        tumblehome_cos=tumblehome_cos,
        window_middle_z=(cabin_front + roof_front + roof_rear + cabin_rear) / 4,
        body_edges=body_edges,
        hood_edge=body_edges[3],
        cabin_edges=polygon_edges(cabin),
    )


def polygon_distance(edges: list[Edge], z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Exact signed distance to a convex polygon and its gradient.

    Args:
        edges: of the polygon, at least one.
        z, y: coordinates `[B, N]`.

    Returns:
        distance, d/dz and d/dy, each `[B, N]`; the gradient is a unit vector but within 1e-4 of the outline, where it shortens.
    """
    plane = best = best_z = best_y = torch.empty(0)
    for index, edge in enumerate(edges):
        rel_z, rel_y = z - edge.start_z, y - edge.start_y
        along = (rel_z * edge.along_z).addcmul_(rel_y, edge.along_y).clamp_(0.0, 1.0)
        outside = (rel_z * edge.outward_z).addcmul_(rel_y, edge.outward_y)
        rel_z.addcmul_(along, edge.run_z, value=-1.0)
        rel_y.addcmul_(along, edge.run_y, value=-1.0)
        squared = (rel_z * rel_z).addcmul_(rel_y, rel_y)
        if index == 0:
            plane, best, best_z, best_y = outside, squared, rel_z, rel_y
            continue
        closer = squared < best
        best = torch.minimum(best, squared)
        best_z = torch.where(closer, rel_z, best_z)
        best_y = torch.where(closer, rel_y, best_y)
        plane = torch.maximum(plane, outside)
    distance = torch.copysign(best.sqrt_(), plane)
    scale = torch.copysign(distance.abs().clamp_(min=1e-4), distance).reciprocal_()
    return distance, best_z.mul_(scale), best_y.mul_(scale)


def smooth_maximum(a: Tensor, b: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """Polynomial smooth maximum; its gradient is a weighted mean of both gradients, so Lipschitz bounds survive.

    Returns:
        the maximum `[B, N]`, at most width / 4 above the sharp one, and the weight of `a` in the gradient.
    """
    weight = ((a - b) * (0.5 / width)).add_(0.5).clamp_(0.0, 1.0)
    return torch.lerp(b, a, weight).add_(weight * (1 - weight) * width), weight


def corner_distance(a: Tensor, b: Tensor, cosine: Tensor) -> Tensor:
    """Signed distance to the wedge of two half-spaces at signed distances a and b whose unit normals have this cosine.

    Beyond the shared edge, where a > b c and b > a c, it is `sqrt(a^2 + (b - a c)^2 / (1 - c^2))`; elsewhere max(a, b). Exact for
    c >= 0. Sharper wedges (c < 0, only inside the car) count as right angles: a lower bound, and no slope steeper than 1.
    """
    cosine = cosine.clamp(min=0.0)
    across = b - a * cosine
    beyond = (a - b * cosine > 0) & (across > 0)
    edge = (across * across / (1 - cosine * cosine)).addcmul_(a, a).sqrt_()
    return torch.where(beyond, edge, torch.maximum(a, b))


def _body(s: CarShape, flank: Tensor, taper: Tensor, y: Tensor, z: Tensor) -> Tensor:
    profile, grad_z, grad_y = polygon_distance(s.body_edges, z, y)
    upright = flank + BODY_ROUNDING
    waist = s.bottom_y + 0.55 * (s.belt_y - s.bottom_y)
    above = y - waist
    tilted = (above.abs() - 0.045).mul_(SIDE_TILT_SIN).add_(upright * SIDE_TILT_COS)
    sides, tilt_weight = smooth_maximum(tilted, upright, 0.012)
    sides, taper_weight = smooth_maximum(taper + BODY_ROUNDING * s.taper_cos, sides, 0.03)
    normal_z = torch.copysign(taper_weight * s.taper_sin, z)
    normal_y = torch.copysign((1 - taper_weight).mul_(tilt_weight).mul_(SIDE_TILT_SIN), above)
    cosine = normal_z.mul_(grad_z).addcmul_(normal_y, grad_y)
    return corner_distance(profile, sides, cosine).sub_(BODY_ROUNDING)


def _cabin(s: CarShape, flank: Tensor, taper: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    profile, grad_z, grad_y = polygon_distance(s.cabin_edges, z, y)
    inset = CABIN_INSET + CABIN_ROUNDING
    upright = flank + inset  # below the belt, so that the leaning sides do not come out of the body
    leaning = (upright * s.tumblehome_cos).addcmul_(y - s.belt_y, s.tumblehome_sin)
    sides, lean_weight = smooth_maximum(leaning, upright, 0.012)
    sides, taper_weight = smooth_maximum(taper + inset * s.taper_cos, sides, 0.03)
    normal_z = torch.copysign(taper_weight * s.taper_sin, z)
    normal_y = (1 - taper_weight).mul_(lean_weight).mul_(s.tumblehome_sin)
    cosine = normal_z.mul_(grad_z).addcmul_(normal_y, grad_y)
    return corner_distance(profile, sides, cosine).sub_(CABIN_ROUNDING), profile, sides


def shape_fields(s: CarShape, points: Tensor) -> ShapeFields:
    """Evaluate every distance of the car.

    Args:
        s: the shapes.
        points: `[B, N, 3]`, world units, float32.

    Returns:
        the fields `[B, N]`. `total` never exceeds the true distance outside and changes by at most
        the distance moved, to within 3%.
    """
    side_x, y, z = points[..., 0].abs(), points[..., 1].contiguous(), points[..., 2].contiguous()
    abs_z = z.abs()
    flank = side_x - s.half_width
    taper = (abs_z - (s.axle_z + 0.75 * s.wheel_radius)).mul_(s.taper_sin).add_(flank * s.taper_cos)
    body = _body(s, flank, taper, y, z)
    axle_y = s.wheel_radius - s.half_height
    from_axle_z, from_axle_y = abs_z - s.axle_z, y - axle_y
    from_axle = (from_axle_z * from_axle_z).addcmul_(from_axle_y, from_axle_y).sqrt_()
    arch = torch.maximum(from_axle - (s.wheel_radius + ARCH_GAP), (s.half_width - ARCH_DEPTH) - side_x)
    tread = from_axle - (s.wheel_radius - TYRE_ROUNDING)
    wall = (flank - (TYRE_PROUD - TYRE_HALF_WIDTH)).abs_().sub_(TYRE_HALF_WIDTH - TYRE_ROUNDING)
    outside = torch.hypot(tread.clamp(min=0), wall.clamp(min=0))
    wheel = torch.maximum(tread, wall).clamp_(max=0).add_(outside).sub_(TYRE_ROUNDING)
    cabin, cabin_profile, cabin_side = _cabin(s, flank, taper, y, z)
    solid = smooth_maximum(-body, -cabin, BLEND)[0].neg_()
    shell = torch.maximum(solid, -arch)
    return ShapeFields(torch.minimum(shell, wheel), shell, body, cabin, cabin_profile, cabin_side, arch, wheel, from_axle)
