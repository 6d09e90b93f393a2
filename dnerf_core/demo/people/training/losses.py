"""What the generator of people is trained on at points of its canonical space.

The field is asked for f = clamp(-signed distance / TRUNCATION, -1, 1), as that of the cars; density comes from it by one affine map,
folded into the decoder's first row when the model is written. The first colour features after red, green and blue are asked for how
deep a place lies within hair, shirt, trousers and shoes: lengths that change smoothly, from which decoder and super-resolution can tell
where a border runs, while the colours themselves jump there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.people.clothing import Borders, Places
from dnerf_core.demo.people.training.pool import PointPool
from dnerf_core.demo.people.world import People
from dnerf_core.gnarf.field import CanonicalField

TRUNCATION = 0.03
SHARPNESS = 7200.0
# The ramp starts a little before the surface, see `dnerf_core.demo.losses`: limbs are thin, so it is narrower than the cars', and
# steeper, so that depth does not suffer from it. Of people outside of all scores (seeds 60000 to 60015), slope 3600 and 1.8 mm, as the
# pictures of the first training had it, gave silhouettes 2.0% too much and 0.8% too little, IoU 0.9725; this gives 1.2% each, 0.9755,
# and depths as good.
OFFSET = SHARPNESS / TRUNCATION * 0.0008
COLOR_BAND = 0.02
BORDER_BAND = 0.04
"""How far from a border its length is asked for, metres; beyond, the sign alone."""
BORDER_CHANNELS = slice(4, 8)
"""Of the decoder's outputs: density, red, green, blue, then hair, shirt, trousers, shoes."""


@dataclass(frozen=True, eq=False)
class PointBatch:
    """Points [B, N, 3] with f [B, N], colour [B, N, 3], border lengths [B, N, 4] in [-1, 1], and the weight of both [B, N]."""

    points: Tensor
    f: Tensor
    color: Tensor
    borders: Tensor
    weight: Tensor


def clothed(people: People, places: Places, distance: Tensor) -> tuple[Borders, Tensor]:
    """Borders at places [B, N], and signed distances [B, N] from the clothed surface of points at `distance` from the naked one."""
    edges = people.borders(places)
    return edges, distance - people.thickness(edges)


def point_batch(people: People, near: PointPool, box: PointPool, rng: torch.Generator, *, count: int, in_box: int) -> PointBatch:
    """Random points of each person: `count` near ones, half of them drawn close to borders of hair and clothes, and `in_box` anywhere."""
    batch = len(people)
    candidates = torch.randint(len(near), (batch, 2 * count), generator=rng)
    _, places, distance = near.take(candidates)
    edges, off = clothed(people, places, distance)
    worth = torch.exp(-(edges.nearest / 0.025).square()) * torch.exp(-(off / 0.015).square()) + 1e-6
    chosen = torch.multinomial(worth, count // 2, generator=rng)
    index = torch.cat([candidates[:, : count - count // 2], candidates.gather(1, chosen)], dim=1)
    points, places, distance = near.take(index)
    edges, off = clothed(people, places, distance)
    color, _ = people.appearance(places)
    lengths = torch.stack([edges.hair, edges.shirt, edges.trousers, edges.shoes], dim=-1)
    weight = torch.exp(-(off / COLOR_BAND).square())

    far = torch.randint(len(box), (batch, in_box), generator=rng)
    box_places = box.take(far)
    _, box_off = clothed(people, box_places[1], box_places[2])
    pad = (0, in_box)
    return PointBatch(
        torch.cat([points, box_places[0]], dim=1),
        (-torch.cat([off, box_off], dim=1) / TRUNCATION).clamp(-1, 1),
        F.pad(color, (0, 0, *pad)),
        F.pad((lengths / BORDER_BAND).clamp(-1, 1), (0, 0, *pad)),
        F.pad(weight, pad),
    )


@dataclass(frozen=True, eq=False)
class PointLosses:
    """Means: of f, of colour, and of border lengths."""

    f: Tensor
    color: Tensor
    borders: Tensor


def point_losses(field: CanonicalField, batch: PointBatch) -> PointLosses:
    """Losses of f (hinged where it is saturated, heavier near the surface), colour and borders."""
    count, number = batch.f.shape
    subject = torch.arange(count).repeat_interleave(number)
    out = field.decoder.net(field.features(batch.points.reshape(-1, 3), subject)).reshape(count, number, -1)
    error = _hinged(out[..., 0], batch.f)
    weight = torch.where(batch.f.abs() < 1, 2.0, 1.0)
    f_loss = (weight * F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05, reduction="none")).mean()
    total = batch.weight.sum()
    difference = torch.sigmoid(out[..., 1:4]) * 1.002 - 0.001 - batch.color
    color = (difference.abs() + 2 * difference.square()).mean(dim=-1)
    edges = _hinged(torch.sigmoid(out[..., BORDER_CHANNELS]) * 2.004 - 1.002, batch.borders).square().mean(dim=-1)
    return PointLosses(f_loss, (color * batch.weight).sum() / total, (edges * batch.weight).sum() / total)


def _hinged(value: Tensor, target: Tensor) -> Tensor:
    """value - target; beyond a saturated target there is no error: no capacity is spent on how far."""
    error = value - target
    return torch.where(target >= 1, error.clamp_max(0), torch.where(target <= -1, error.clamp_min(0), error))
