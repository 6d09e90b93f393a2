"""What people wear and where their parts end: smooth functions of a place on the mean body in its canonical pose.

Every border is where a signed length, metres, changes its sign; it is evaluated at the place itself, not at vertices, so borders are
clean curves at any resolution.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.people.parameters import PersonParameters

PART_NAMES = (
    "background", "face", "hair", "neck", "torso", "upper arms", "forearms", "hands", "hips", "thighs", "shins", "feet",
)  # fmt: skip
"""Names of the part ids 0..11; 0 is never the part of a point."""

SKIN, HAIR, SHIRT, TROUSERS, SHOES = range(5)
"""What a place on the body shows: rows of `palette`."""

_RAMP = 0.02
"""Cloth and hair reach their full thickness this far inside their border, metres."""
_SHOE_THICKNESS = 0.006
# a share of skinning weights, as a length: half of the weight is the border, and a tenth of it about two centimetres
_WEIGHT_LENGTH = 0.2


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Places in the canonical frame, metres, of the left side; the right mirrors it."""

    shoulder: Tensor
    wrist: Tensor
    elbow_share: float
    hip: Tensor
    ankle: Tensor
    knee_share: float
    head: Tensor
    neck: Tensor
    waist_y: float


@dataclass(frozen=True, eq=False)
class Places:
    """Places on the body.

    Attributes:
        position: [..., 3], on the mean body in its canonical pose, canonical frame, metres.
        normal: [..., 3], about unit, of the same surface.
        arm: [...], the share of the skinning weights that arms have, from shoulder to fingertips.
    """

    position: Tensor
    normal: Tensor
    arm: Tensor


@dataclass(frozen=True, eq=False)
class Borders:
    """Signed lengths [..., metres], positive inside, of what covers a place; hair and clothes in the order they lie over one another."""

    hair: Tensor
    shirt: Tensor
    trousers: Tensor
    shoes: Tensor

    @property
    def nearest(self) -> Tensor:
        """Distance to the nearest border that is seen, about."""
        below_shirt = torch.where(self.shirt > 0, torch.inf, self.trousers.abs())
        return _least(self.hair.abs(), self.shirt.abs(), below_shirt, self.shoes.abs())


def _least(*lengths: Tensor) -> Tensor:
    return functools.reduce(torch.minimum, lengths)


def _folded(places: Places) -> tuple[Tensor, Tensor, Tensor]:
    """|x|, y, z."""
    x, y, z = places.position.unbind(dim=-1)
    return x.abs(), y, z


def _along(x: Tensor, y: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Share of the way from start to end, seen from the front."""
    way = (end - start)[:2]
    return ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / way.square().sum()


def _length(start: Tensor, end: Tensor) -> float:
    return float((end - start)[:2].norm())


def collar(places: Places, marks: Landmarks) -> Tensor:
    """Positive below the neck's lower border: outside of a ball round it, and below its middle."""
    x, y, z = _folded(places)
    tilted = y - marks.neck[1] - 0.35 * (z - marks.neck[2])
    ball = torch.stack([x, tilted * 1.1, (z - marks.neck[2]) * 0.9]).norm(dim=0) - 0.088
    return torch.minimum(ball, marks.neck[1] + 0.01 - y)


def hairline(places: Places) -> Tensor:
    """Positive above a plane from the forehead over the ears to the nape."""
    _, y, z = _folded(places)
    return 0.739 * (y - 0.812) - 0.674 * (z - 0.064)


def borders(places: Places, person: PersonParameters, marks: Landmarks) -> Borders:
    """Where hair, shirt, trousers and shoes end."""
    x, y, _ = _folded(places)
    on_arm = (places.arm - 0.5) * _WEIGHT_LENGTH
    sleeve = (person.sleeve - _along(x, y, marks.shoulder, marks.wrist)) * _length(marks.shoulder, marks.wrist)
    hem = y - (marks.waist_y - 0.05 - person.shirt_hem)
    shirt = _least(torch.maximum(sleeve, -on_arm), torch.maximum(hem, on_arm), collar(places, marks))
    leg = (person.trouser_length - _along(x, y, marks.hip, marks.ankle)) * _length(marks.hip, marks.ankle)
    waist = marks.waist_y + 0.03 - y
    trousers = _least(leg, waist, -on_arm)
    return Borders(hairline(places) - person.hairline, shirt, trousers, marks.ankle[1] + 0.015 - y)


def thickness(edges: Borders, person: PersonParameters) -> Tensor:
    """How far hair and clothes stand off the body, metres."""
    layers = (
        (edges.hair, person.hair_thickness),
        (edges.shirt, person.shirt_thickness),
        (edges.trousers, person.trousers_thickness),
        (edges.shoes, torch.full_like(person.gender, _SHOE_THICKNESS)),
    )
    return functools.reduce(torch.maximum, [_ramp(border) * full for border, full in layers])


def _ramp(border: Tensor) -> Tensor:
    share = (border / _RAMP).clamp(0, 1)
    return share * share * (3 - 2 * share)


def parts(places: Places, person: PersonParameters, marks: Landmarks) -> Tensor:
    """Part ids uint8; the hair's follow the hairline, all others lie fixed on the body."""
    x, y, z = _folded(places)
    arm, leg = _along(x, y, marks.shoulder, marks.wrist), _along(x, y, marks.hip, marks.ankle)
    name = PART_NAMES.index
    trunk = torch.where(y > marks.waist_y, name("torso"), name("hips"))
    # the groin's line rises outwards
    trunk = torch.where(y < marks.hip[1] - 0.085 + 0.45 * x, name("thighs"), trunk)
    trunk = torch.where(leg > marks.knee_share, name("shins"), trunk)
    trunk = torch.where(y < marks.ankle[1] + 0.015, name("feet"), trunk)
    limb = torch.where(arm > marks.elbow_share, name("forearms"), name("upper arms"))
    limb = torch.where(arm > 1.0, name("hands"), limb)
    jaw = y - marks.head[1] + 0.077 - 0.5 * (marks.head[2] + 0.101 - z)
    top = torch.where(jaw > 0, name("face"), name("neck"))
    top = torch.where(hairline(places) > person.hairline, name("hair"), top)
    body = torch.where(places.arm > 0.5, limb, trunk)
    return torch.where(collar(places, marks) < 0, top, body).to(torch.uint8)


def palette(person: PersonParameters) -> Tensor:
    """Colours [B, 5, 3] in [0, 1] of each person's skin, hair, shirt, trousers and shoes, without light."""
    tone, warmth, shine = person.skin_tone, person.hair_warmth, person.shoe_brightness
    skin = torch.cat([0.93 - 0.55 * tone, 0.76 - 0.53 * tone, 0.65 - 0.49 * tone], dim=1)
    hair = person.hair_brightness * torch.cat([1 + 0.15 * warmth, 0.95 - 0.25 * warmth, 0.9 - 0.55 * warmth], dim=1)
    shirt = _cloth(person.shirt_red, person.shirt_green_blue, person.shirt_brightness)
    trousers = _cloth(person.trousers_red, person.trousers_green_blue, person.trousers_brightness)
    return torch.stack([skin, hair, shirt, trousers, shine.expand(-1, 3)], dim=1)


def colors(places: Places, edges: Borders, person: PersonParameters, marks: Landmarks) -> Tensor:
    """Colours [B, N, 3] in [0, 1], light baked in; they do not depend on where one looks from, nor on the pose."""
    known = palette(person)
    shape = (*edges.trousers.shape, 3)
    color = _face(known[:, None, SKIN].expand(shape), places, marks)
    for material, border in ((SHOES, edges.shoes), (TROUSERS, edges.trousers), (SHIRT, edges.shirt), (HAIR, edges.hair)):
        color = torch.where((border > 0)[..., None], known[:, None, material], color)
    light = 0.84 + 0.12 * places.normal[..., 1] + 0.06 * places.normal[..., 2]
    return (color * light[..., None]).clamp(0, 1)


def _cloth(red: Tensor, green_blue: Tensor, brightness: Tensor) -> Tensor:
    return torch.sigmoid(
        torch.cat([brightness + red, brightness - 0.5 * red + green_blue, brightness - 0.5 * red - green_blue], dim=1)
    )


def _face(skin: Tensor, places: Places, marks: Landmarks) -> Tensor:
    """Eyes, brows and lips on the skin of the face."""
    x, y, z = _folded(places)
    up, front = y - marks.head[1], (z > marks.head[2] + 0.03)[..., None]
    for centre_x, centre_up, half_x, half_up, tint in _FEATURES:
        inside = (((x - centre_x) / half_x).square() + ((up - centre_up) / half_up).square() < 1)[..., None] & front
        skin = torch.where(inside, skin * skin.new_tensor(tint), skin)
    return skin


# |x|, height above the head's joint, half width and half height (metres), and by what the skin's colour is multiplied
_FEATURES = (
    (0.032, 0.037, 0.014, 0.006, (0.25, 0.25, 0.28)),
    (0.034, 0.056, 0.018, 0.004, (0.45, 0.42, 0.4)),
    (0.0, -0.028, 0.024, 0.007, (0.85, 0.5, 0.52)),
)
