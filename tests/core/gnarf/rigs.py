"""Skeletons, and a rigged mesh made of octahedra along them, under the names of several programs."""

from __future__ import annotations

import numpy as np

from dnerf_core.gnarf.body.template import Template
from dnerf_core.poses.rotations import Array
from dnerf_core.poses.skeleton import Skeleton

LEFT_SIDE = {
    "HipJoint": ("Hips", (0.0, 0.0, 0.01)),
    "UpLeg": ("HipJoint", (0.10, 0.04, 0.01)),
    "Leg": ("UpLeg", (0.14, -0.35, 0.04)),
    "Foot": ("Leg", (0.18, -0.75, 0.0)),
    "ToeBase": ("Foot", (0.19, -0.80, 0.14)),
    "Shoulder": ("Spine1", (0.02, 0.49, 0.03)),
    "Arm": ("Shoulder", (0.16, 0.47, 0.02)),
    "ForeArm": ("Arm", (0.33, 0.28, 0.02)),
    "Hand": ("ForeArm", (0.45, 0.16, 0.10)),
    "FingerBase": ("Hand", (0.48, 0.12, 0.15)),
}
"""CMU's names without their side, in an A pose: parent, place."""
MIDDLE = {
    "Hips": ("", (0.0, 0.0, 0.01)),
    "LowerBack": ("Hips", (0.0, 0.12, -0.02)),
    "Spine": ("LowerBack", (0.0, 0.26, -0.01)),
    "Spine1": ("Spine", (0.0, 0.39, -0.03)),
    "Neck": ("Spine1", (0.0, 0.56, 0.01)),
    "Neck1": ("Neck", (0.0, 0.61, 0.03)),
    "Head": ("Neck1", (0.0, 0.66, 0.04)),
}

SMPL_OF_CMU = {
    "Hips": "pelvis",
    "LowerBack": "spine1",
    "Spine": "spine2",
    "Spine1": "spine3",
    "Neck1": "neck_upper",
    "Neck": "neck",
    "Head": "head",
    "HipJoint": "hipjoint",
    "UpLeg": "hip",
    "Leg": "knee",
    "Foot": "ankle",
    "ToeBase": "foot",
    "Shoulder": "collar",
    "Arm": "shoulder",
    "ForeArm": "elbow",
    "Hand": "wrist",
    "FingerBase": "hand",
}


def cmu_skeleton() -> Skeleton:
    """A body in an A pose under CMU's names, y up."""
    rows = dict(MIDDLE)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for bone, (parent, place) in LEFT_SIDE.items():
            name = f"{side[0]}{bone}" if bone == "HipJoint" else side + bone
            above = parent if parent in MIDDLE else f"{side[0]}{parent}" if parent == "HipJoint" else side + parent
            rows[name] = (above, (sign * place[0], place[1], place[2]))
    names = tuple(rows)
    parents = np.array([-1 if not rows[name][0] else names.index(rows[name][0]) for name in names], np.int32)
    return Skeleton(names, parents, np.array([rows[name][1] for name in names]))


def renamed(skeleton: Skeleton, custom: str) -> Skeleton:
    """The same skeleton under Mixamo's, SMPL's or Blender's names."""
    return Skeleton(tuple(_name(name, custom) for name in skeleton.names), skeleton.parents, skeleton.joints)


def _name(name: str, custom: str) -> str:
    if custom == "mixamo":
        return f"mixamorig:{name}"
    side = "left" if name.startswith(("Left", "LHip")) else "right" if name.startswith(("Right", "RHip")) else ""
    bare = name.removeprefix("Left").removeprefix("Right") if side else name
    bare = "HipJoint" if bare.endswith("HipJoint") else bare
    if custom == "smpl":
        return f"{side}_{SMPL_OF_CMU[bare]}" if side else SMPL_OF_CMU[bare]
    return f"{bare}.{side[0].upper()}" if side else bare


def template_of(skeleton: Skeleton, seed: int = 0) -> Template:
    """A mesh of an octahedron a joint, each vertex held by its joint and the parent."""
    rng = np.random.default_rng(seed)
    corners = 0.03 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
    sides = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    count = len(skeleton.names)
    sizes = 1 + 0.02 * np.arange(count)  # joints that lie at one place have vertices of their own
    vertices = (skeleton.joints[:, None] + sizes[:, None, None] * corners).reshape(-1, 3)
    faces = (6 * np.arange(count)[:, None, None] + sides).reshape(-1, 3)
    weights = np.zeros((len(vertices), count), np.float32)
    for joint, parent in enumerate(skeleton.parents):
        share = rng.uniform(0.5, 1.0, 6).astype(np.float32)
        weights[6 * joint : 6 * joint + 6, joint] += share
        weights[6 * joint : 6 * joint + 6, max(int(parent), 0)] += 1 - share
    return Template(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        skeleton.joints.astype(np.float32),
        skeleton.parents,
        weights,
        skeleton.names,
        np.zeros((count + 1, 3), np.float32),
        licence="CC0",
        source="a test",
    )


def random_rotations(frames: int, joints: int, seed: int, largest_rad: float = 0.6) -> Array:
    """Axis-angles [frames, joints, 3]."""
    return np.random.default_rng(seed).uniform(-largest_rad, largest_rad, (frames, joints, 3))
