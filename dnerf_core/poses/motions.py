"""Motions that this project made itself, out of sines: a walk on the spot, a wave, a dance. They need no file and no licence.

They are written for a figure of our own in a T pose, and reach a template as any clip does. Frame: y up, facing +z, +x is the left.
A positive turn about x bends forwards, about y turns to the left, about z leans to the right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .clip import PoseClip, global_rotations, joint_places
from .figure import figure_joints, figure_parents, tree_of
from .roles import roles_of
from .rotations import IDENTITY, Array, from_axis_angle, product

FRAME_RATE = 30.0

NAMES: tuple[str, ...] = (
    *("Hips", "Spine", "Chest", "Neck", "Head"),
    *(
        f"{side}{bone}"
        for side in ("Left", "Right")
        for bone in ("Collar", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Toe")
    ),
)
_HANGING_DEG = 78.0
"""Arms from the T pose down to the sides."""

Turns = dict[str, list[Array]]
"""By joint, turns [F, 3] as axis-angles in degrees, the outermost first."""


def _turn(frames: int, x: Array | float = 0.0, y: Array | float = 0.0, z: Array | float = 0.0) -> Array:
    return np.stack([np.broadcast_to(np.asarray(part, np.float64), (frames,)) for part in (x, y, z)], axis=-1)


def _walk() -> tuple[Turns, Array, int]:
    """Two steps in 32 frames, on the spot."""
    frames = 32
    phase = 2 * np.pi * np.arange(frames) / frames
    turns: Turns = {
        "Hips": [_turn(frames, y=5 * np.sin(phase), z=2.5 * np.cos(phase))],
        "Spine": [_turn(frames, x=3.0, z=-2 * np.cos(phase))],
        "Chest": [_turn(frames, y=-9 * np.sin(phase))],
        "Head": [_turn(frames, x=-2.0, y=4 * np.sin(phase))],
    }
    for side, sign, beat in (("Left", 1.0, phase), ("Right", -1.0, phase + np.pi)):
        swing = np.sin(beat)
        lift = np.maximum(0.0, np.cos(beat - 0.35)) ** 2  # the knee bends while the leg comes forwards
        turns[f"{side}Hip"] = [_turn(frames, x=-24 * swing - 6 * lift)]
        turns[f"{side}Knee"] = [_turn(frames, x=6 + 46 * lift)]
        turns[f"{side}Ankle"] = [_turn(frames, x=14 * swing - 14 * lift)]
        turns[f"{side}Toe"] = [_turn(frames, x=-18 * np.maximum(0.0, -swing))]
        turns[f"{side}Shoulder"] = [_turn(frames, x=20 * swing), _turn(frames, z=-sign * _HANGING_DEG)]
        turns[f"{side}Elbow"] = [_turn(frames, y=-sign * (16 - 9 * swing))]
    return turns, np.zeros((frames, 3)), frames


def _wave() -> tuple[Turns, Array, int]:
    """The right hand waves from a raised forearm; 60 frames."""
    frames = 60
    phase = 2 * np.pi * np.arange(frames) / frames
    swing = np.sin(3 * phase)
    turns: Turns = {
        "Hips": [_turn(frames, z=1.5 * np.sin(phase))],
        "Chest": [_turn(frames, z=-2 * np.sin(phase))],
        "Head": [_turn(frames, y=-6.0, z=4 * np.sin(phase))],
        "LeftShoulder": [_turn(frames, x=3 * np.sin(phase)), _turn(frames, z=-_HANGING_DEG)],
        "LeftElbow": [_turn(frames, y=-12.0)],
        "RightShoulder": [_turn(frames, x=-15.0), _turn(frames, z=10.0 + 3 * swing)],
        "RightElbow": [_turn(frames, z=-80 + 22 * swing)],
        "RightWrist": [_turn(frames, z=14 * np.sin(3 * phase - 0.6))],
    }
    return turns, np.zeros((frames, 3)), frames


def _dance() -> tuple[Turns, Array, int]:
    """Steps from side to side with swinging hips and arms that rise in turn; 120 frames, four bars."""
    frames = 120
    bar = 2 * np.pi * np.arange(frames) / frames
    beat = 4 * bar
    sway = np.sin(beat)
    turns: Turns = {
        "Hips": [_turn(frames, y=18 * np.sin(2 * bar), z=7 * sway)],
        "Spine": [_turn(frames, x=4 + 3 * np.cos(2 * beat), z=-6 * sway)],
        "Chest": [_turn(frames, y=-14 * np.sin(2 * bar), z=-5 * sway)],
        "Neck": [_turn(frames, x=4 * np.sin(2 * beat))],
        "Head": [_turn(frames, y=16 * np.sin(bar), z=6 * sway)],
    }
    for side, sign, turn in (("Left", 1.0, bar), ("Right", -1.0, bar + np.pi)):
        rise = 0.5 + 0.5 * np.sin(turn)
        bend = np.maximum(0.0, sign * sway)
        squat = 10 + 8 * np.cos(2 * beat)
        turns[f"{side}Hip"] = [_turn(frames, x=-squat - 22 * bend, z=sign * 7 - 7 * sway)]
        turns[f"{side}Knee"] = [_turn(frames, x=2 * squat + 34 * bend)]
        turns[f"{side}Ankle"] = [_turn(frames, x=-squat - 8 * bend)]
        turns[f"{side}Shoulder"] = [
            _turn(frames, x=-22 - 18 * np.sin(beat)),
            _turn(frames, z=sign * (-_HANGING_DEG + 8 + 120 * rise)),
        ]
        turns[f"{side}Elbow"] = [_turn(frames, y=-sign * (35 + 30 * np.cos(beat)), z=sign * 30 * rise)]
        turns[f"{side}Wrist"] = [_turn(frames, z=sign * 18 * np.sin(2 * beat))]
    translation = np.stack([0.07 * sway, 0 * sway, 0.02 * np.sin(2 * bar)], axis=-1)
    return turns, translation, frames


_MOTIONS: Mapping[str, Callable[[], tuple[Turns, Array, int]]] = {"walk": _walk, "wave": _wave, "dance": _dance}
MOTIONS = tuple(_MOTIONS)
"""Names of the motions; each ends where it begins."""


def own_motion(name: str) -> PoseClip:
    """One of `MOTIONS`, as a clip of a figure in a T pose that is 1.7 m tall; a foot is on the floor in each frame."""
    turns, translation, frames = _MOTIONS[name]()
    rotations = np.tile(IDENTITY, (frames, len(NAMES), 1))
    for joint, sequence in turns.items():
        column = NAMES.index(joint)
        for turn in sequence:
            rotations[:, column] = product(rotations[:, column], from_axis_angle(np.radians(turn)))
    return figure_clip(rotations, translation, name)


def figure_clip(rotations: Array, translation: Array, source: str) -> PoseClip:
    """A clip of the figure, of rotations [F, J, 4] of `NAMES` against their parents from the T pose, and the root's way [F, 3] along the
    ground; a foot is on the floor in each frame.
    """
    roles = roles_of(NAMES)
    places, (order, parents) = figure_joints(roles), tree_of(figure_parents(roles))
    names = tuple(NAMES[joint] for joint in order)
    turned_joints = rotations[:, order]
    rest = np.stack([places[joint] for joint in order])
    feet = [names.index(f"{side}{bone}") for side in ("Left", "Right") for bone in ("Ankle", "Toe")]
    heights = joint_places(global_rotations(turned_joints, parents), translation, rest, parents)[:, feet, 1]
    way = translation.copy()
    way[:, 1] += (rest[feet, 1] - heights).max(axis=1)  # the lowest foot stands on the floor
    return PoseClip(names, turned_joints, way, parents, rest, FRAME_RATE, source=source).checked()
