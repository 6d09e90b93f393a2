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


def random_clip(rng: np.random.Generator, frames: int) -> PoseClip:
    """Poses, a frame each; each angle is triangularly distributed within its limits; the feet stand on the floor."""
    rotations = {name: _turn(_angles(limits, rng, frames)) for name, limits in _TRUNK.items()}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hanging = from_axis_angle(np.radians([0.0, 0.0, -sign * 90.0]))  # from the figure's T pose
        for name, limits in _LIMBS.items():
            turn = _turn(_angles(limits, rng, frames) * (1.0, sign, sign))
            if name in _ARM:
                turn = product(turn, hanging)
            if name in _ARM[1:]:
                turn = product(inverse(hanging), turn)
            rotations[side + name] = turn
    still = np.tile(from_axis_angle(np.zeros(3)), (frames, 1))
    turns = np.stack([rotations.get(name, still) for name in NAMES], axis=1)
    return figure_clip(turns, np.zeros((frames, 3)), "poses by chance")


def _angles(limits: Limits, rng: np.random.Generator, frames: int) -> Array:
    """[frames, 3], degrees."""
    return np.stack(
        [
            rng.triangular(low, usual, high, frames) if low < high else np.full(frames, float(usual))
            for low, usual, high in limits
        ],
        axis=-1,
    )


def _turn(angles_deg: Array) -> Array:
    """Quaternions [F, 4] of angles [F, 3] about x, y and z."""
    about = [from_axis_angle(np.radians(angles_deg) * np.eye(3)[axis]) for axis in range(3)]
    return product(about[0], product(about[2], about[1]))
