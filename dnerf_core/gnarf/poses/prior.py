"""Poses by chance, within what the joints of a person can do; they reach a template as any clip does (numpy only)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .clip import PoseClip
from .motions import NAMES, figure_clip
from .rotations import Array, from_axis_angle, inverse, product

Limits = tuple[tuple[float, float, float], ...]

# Degrees (least, most likely, most) about x, y and z of a joint against its parent, from standing with hanging arms, of the left side;
# the right mirrors it. Forwards is -x for limbs and +x for the trunk, bending a knee is +x, outwards is +z. Of these turns the one about
# the limb's own length (y) comes first, then z, then x.
_TRUNK: Mapping[str, Limits] = {
    "Hips": ((-12, 0, 15), (0, 0, 0), (-10, 0, 10)),
    "Spine": ((-8, 2, 14), (-14, 0, 14), (-8, 0, 8)),
    "Chest": ((-12, 3, 22), (-18, 0, 18), (-13, 0, 13)),
    "Neck": ((-12, 0, 15), (-20, 0, 20), (-8, 0, 8)),
    "Head": ((-12, 0, 14), (-20, 0, 20), (-8, 0, 8)),
}
_LIMBS: Mapping[str, Limits] = {
    "Hip": ((-85, -10, 25), (-12, 0, 20), (-3, 6, 32)),
    "Knee": ((0, 12, 95), (0, 0, 0), (0, 0, 0)),
    "Ankle": ((-18, 0, 18), (-8, 0, 8), (-8, 0, 8)),
    "Shoulder": ((-95, -12, 35), (-35, 0, 35), (6, 25, 110)),
    "Elbow": ((-120, -25, -3), (-40, 0, 40), (0, 0, 0)),
    "Wrist": ((-20, 0, 20), (-15, 0, 15), (-25, 0, 25)),
}
_ARM = ("Shoulder", "Elbow", "Wrist")


def random_clip(rng: np.random.Generator) -> PoseClip:
    """A pose of one frame, each angle triangularly distributed within its limits; the feet stand on the floor."""
    rotations = {name: _turn(_angles(limits, rng)) for name, limits in _TRUNK.items()}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hanging = from_axis_angle(np.radians([0.0, 0.0, -sign * 90.0]))  # from the figure's T pose
        for name, limits in _LIMBS.items():
            x, y, z = _angles(limits, rng)
            turn = _turn((x, sign * y, sign * z))
            if name in _ARM:
                turn = product(turn, hanging)
            if name in _ARM[1:]:
                turn = product(inverse(hanging), turn)
            rotations[side + name] = turn
    frame = np.stack([rotations.get(name, from_axis_angle(np.zeros(3))) for name in NAMES])
    return figure_clip(frame[None], np.zeros((1, 3)), "a pose by chance")


def _angles(limits: Limits, rng: np.random.Generator) -> tuple[float, float, float]:
    x, y, z = (float(rng.triangular(*limit)) if limit[0] < limit[2] else limit[1] for limit in limits)
    return x, y, z


def _turn(angles_deg: tuple[float, float, float]) -> Array:
    x, y, z = np.radians(angles_deg)
    about_x, about_y, about_z = (from_axis_angle(np.array(turn)) for turn in ((x, 0.0, 0.0), (0.0, y, 0.0), (0.0, 0.0, z)))
    return product(about_x, product(about_z, about_y))
