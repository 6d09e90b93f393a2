"""First meetings of rays with the demo cars, by sphere tracing of their signed distance."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.demo.world import Cars

# A ray has arrived when the surface is closer than this; one Newton step along the ray then removes most of the rest.
_ARRIVED = 1e-4
# Most rays arrive in so many steps. Those left graze a surface: few, and each step of theirs as dear as one of thousands, since a
# distance takes a hundred calls. They look at _AHEAD places a round.
_SINGLE_STEPS = 16
_AHEAD = 16
_OVERLAP = 0.8  # how far apart places ahead stand, of the distance at which the balls of a plane of the last slope would touch
# A ray still under way after this many rounds creeps along a surface: it counts as a hit if the surface is within _GRAZED.
_MAX_ROUNDS = 60
_GRAZED = 5e-4
# The signed distance may change by this factor of the distance moved; steps are shortened accordingly.
LIPSCHITZ = 1.02


def box_interval(half_extents: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave a box around the origin.

    Args:
        half_extents: `[B, 3]`.
        origins, directions: `[B, N, 3]`.

    Returns:
        entry (at least 0) and exit `[B, N]`, in multiples of the direction; the ray misses the box where entry > exit.
    """
    tiny = torch.finfo(directions.dtype).tiny
    inverse = torch.where(directions.abs() > tiny, directions, torch.full_like(directions, tiny)).reciprocal()
    middle, reach = -origins * inverse, half_extents[:, None, :] * inverse.abs()
    return (middle - reach).amax(dim=-1).clamp(min=0), (middle + reach).amin(dim=-1)


def trace_rays(cars: Cars, origins: Tensor, directions: Tensor, starts: Tensor | None = None) -> Tensor:
    """First meeting of rays with the cars, by sphere tracing of the signed distance.

    Args:
        cars: B cars.
        origins: `[B, N, 3]`, float32, world units.
        directions: `[B, N, 3]`, unit.
        starts: `[B, N]`, distances up to which the ray is known to be free, +inf for a ray known to miss; default 0.

    Returns:
        distance along the ray `[B, N]`, float32, +inf where it misses; 0 where the origin is inside a car. The surface lies
        within 1e-4 of the point found, mostly far closer; a ray that passes it that closely counts as a hit.
    """
    entry, leave = box_interval(cars.half_extents + 1e-4, origins, directions)
    if starts is not None:
        entry = torch.maximum(entry, starts)
    result = torch.full_like(entry, torch.inf)
    for index in range(len(cars)):
        result[index] = _trace_one(cars[index : index + 1], origins[index], directions[index], entry[index], leave[index])
    return result


def _trace_one(car: Cars, origins: Tensor, directions: Tensor, entry: Tensor, leave: Tensor) -> Tensor:
    """Sphere tracing of one car's rays `[N, 3]` with longer, checked steps.

    The distance fell by `slope` per unit on the last step; were the surface a plane, the free ball of radius r here and the one
    at the next point would touch after r * 2 / (1 + slope). Slightly less is tried. Balls that fail to overlap betray a step too
    long: it is taken back and the plain step r put in its place (C. Balint, G. Valasek, "Accelerating Sphere Tracing", 2018).
    """
    result = torch.full_like(entry, torch.inf)
    active = (entry <= leave).nonzero()[:, 0]
    origin, direction, leave, t = origins[active], directions[active], leave[active], entry[active]
    stride, radius_before = torch.zeros_like(t), torch.zeros_like(t)
    for _ in range(_SINGLE_STEPS):
        if not len(active):
            return result
        radius = car.signed_distance(torch.addcmul(origin, direction, t[:, None])[None])[0].div_(LIPSCHITZ)
        too_long = radius.clamp(min=0) + radius_before < stride
        slope = ((radius_before - radius) / stride.clamp(min=1e-9)).clamp_(-0.2, 1.0)
        arrived = (radius < _ARRIVED) & ~too_long
        # the first point of a ray has no slope yet; at a grazing surface the correction stays below 10 tolerances
        correction = torch.where(stride > 0, radius / slope.clamp(min=0.1), radius).clamp_(min=0)
        result[active[arrived]] = (t + correction)[arrived]
        longer = radius * (1 + 0.9 * (1 - slope) / (1 + slope))
        longer = torch.where(stride > 0, longer, radius)
        t = torch.where(too_long, t - stride + radius_before, t + longer)
        stride = torch.where(too_long, radius_before, longer)
        radius_before = torch.where(too_long, radius_before, radius)
        keep = (~arrived & (t - stride <= leave)).nonzero()[:, 0]
        active, origin, direction, leave = active[keep], origin[keep], direction[keep], leave[keep]
        t, stride, radius_before = t[keep], stride[keep], radius_before[keep]
    result[active] = _trace_ahead(car, origin, direction, t - stride + radius_before, leave, radius_before, slope[keep])
    return result


def _trace_ahead(
    car: Cars, origin: Tensor, direction: Tensor, free: Tensor, leave: Tensor, before: Tensor, slope: Tensor
) -> Tensor:
    """Sphere tracing of one car's last rays `[N, 3]`, several places of each at once.

    Free up to a place is a ray whose balls overlap one by one from its start to there. Where the distance falls by `slope` per unit,
    balls placed so that they overlap shrink by the same ratio from one to the next.

    Args:
        free: `[N]`, distances up to which the rays are free: where the balls of the radii `before` `[N]` end.
        slope: `[N]`, of the distance there, positive where it falls.
    """
    result = torch.full_like(free, torch.inf)
    active = torch.arange(len(free))
    ahead = torch.arange(_AHEAD, dtype=free.dtype)
    for attempt in range(_MAX_ROUNDS):
        if not len(active):
            break
        slope = slope.clamp(-0.2, 0.9)
        share = 2 * _OVERLAP / (1 + slope)  # of a ball's radius that the next stands beyond it
        spacing = (before * (1 - slope) * share)[:, None] * (1 - share * slope)[:, None] ** ahead
        t = free[:, None] + spacing.cumsum(dim=1) - spacing
        places = torch.addcmul(origin[:, None], direction[:, None], t[..., None])
        radius = car.signed_distance(places.reshape(1, -1, 3)).reshape(t.shape).div_(LIPSCHITZ)
        apart = t[:, 1:] - radius[:, 1:] > t[:, :-1] + radius[:, :-1]
        linked = torch.nn.functional.pad(~apart, (1, 0), value=True).long().cumprod(dim=1)
        close = linked.bool() & (radius < (_ARRIVED if attempt < _MAX_ROUNDS - 1 else _GRAZED))
        arrived, last = close.any(dim=1), linked.sum(dim=1) - 1
        at = torch.where(arrived, close.long().argmax(dim=1), last)[:, None]
        first, earlier = at[:, 0] == 0, (at - 1).clamp(min=0)
        t, moved = t.gather(1, at)[:, 0], torch.where(first, before, spacing.gather(1, earlier)[:, 0])
        radius, before = radius.gather(1, at)[:, 0], torch.where(first, before, radius.gather(1, earlier)[:, 0])
        slope = (before - radius) / moved
        result[active[arrived]] = (t + (radius / slope.clamp(0.1, 1.0)).clamp(min=0))[arrived]
        free, before = t + radius, radius
        keep = (~arrived & (free <= leave)).nonzero()[:, 0]
        active, origin, direction, leave = active[keep], origin[keep], direction[keep], leave[keep]
        free, before, slope = free[keep], before[keep], slope[keep]
    return result
