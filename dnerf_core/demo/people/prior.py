"""Random poses within the limits of joints: the demo's own prior (numpy only)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.demo.people.standing import pose_from_standing, turn

# Degrees (least, most likely, most) about x, y and z, of a joint relative to standing with hanging arms, of the left side; the right
# mirrors it. Forwards is -x for limbs, bending a knee is +x; outwards is +z. Of arms the turn about their own length (y) comes first.
_TRUNK: dict[str, tuple[tuple[float, float, float], ...]] = {
    "Hips": ((-12, 0, 15), (0, 0, 0), (-10, 0, 10)),
    "LowerBack": ((-8, 2, 14), (-14, 0, 14), (-8, 0, 8)),
    "Spine": ((-6, 2, 12), (-10, 0, 10), (-7, 0, 7)),
    "Spine1": ((-6, 1, 10), (-8, 0, 8), (-6, 0, 6)),
    "Neck": ((-12, 0, 15), (-20, 0, 20), (-8, 0, 8)),
    "Head": ((-12, 0, 14), (-20, 0, 20), (-8, 0, 8)),
}
_LIMBS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "UpLeg": ((-85, -10, 25), (-12, 0, 20), (-3, 6, 32)),
    "Leg": ((0, 12, 95), (0, 0, 0), (0, 0, 0)),
    "Foot": ((-18, 0, 18), (-8, 0, 8), (-8, 0, 8)),
    "Arm": ((-95, -12, 35), (-35, 0, 35), (6, 25, 110)),
    "ForeArm": ((-120, -25, -3), (-40, 0, 40), (0, 0, 0)),
    "Hand": ((-20, 0, 20), (-15, 0, 15), (-25, 0, 25)),
    "HandFinger1": ((-8, 0, 8), (0, 0, 0), (-30, -4, 10)),
}


def random_pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """A pose float32 [K + 1, 3] of the demo's rig: each angle triangularly distributed within its limits, translation 0."""
    rotations = {name: _rotation(_angles(limits, rng)) for name, limits in _TRUNK.items()}
    for side, mirror in (("Left", 1), ("Right", -1)):
        for name, limits in _LIMBS.items():
            x, y, z = _angles(limits, rng)
            rotations[side + name] = _rotation((x, mirror * y, mirror * z))
    return pose_from_standing(rotations)


def _angles(limits: tuple[tuple[float, float, float], ...], rng: np.random.Generator) -> tuple[float, float, float]:
    x, y, z = (float(rng.triangular(*limit)) if limit[0] < limit[2] else limit[1] for limit in limits)
    return x, y, z


def _rotation(angles: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, z = angles
    return turn("x", x) @ turn("z", z) @ turn("y", y)
