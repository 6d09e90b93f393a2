"""From a rig as a file has it to a template: stood upright, welded, without bones that hold nothing, with parts and a canonical pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import TemplateError
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.body.template_file import MAX_PARTS, check_template
from dnerf_core.gnarf.rigs.rig import Rig
from dnerf_core.poses.roles import FINGERS, SIDES, Roles, kind_of
from dnerf_core.poses.skeleton import Skeleton, body_axes

Parts = Literal["bones", "sides", "materials", "none"]
PARTS: tuple[Parts, ...] = ("bones", "sides", "materials", "none")
Canonical = Literal["spread", "rest"]
CANONICALS: tuple[Canonical, ...] = ("spread", "rest")
SPREAD_LEGS_DEG, ARMS_DEG = 17.0, 45.0
"""Legs outwards from straight down, and arms below the horizontal, in the canonical pose: thighs and sides are well apart there."""

MAX_COORDINATE = 1e7
"""Of a rig, in the file's units."""
_WELD = 1e-6
"""Share of the mesh's size to which positions are rounded before they are compared."""
_WEIGHT_STEPS = 1000
_PART_NAMES = {
    "head": "head",
    "neck": "neck",
    "spine": "torso",
    "clavicle": "torso",
    "hips": "hips",
    "hip_joint": "hips",
    "root": "hips",
    "upper_arm": "upper arm",
    "forearm": "forearm",
    "hand": "hand",
    "thigh": "thigh",
    "shin": "shin",
    "foot": "foot",
    "toe": "foot",
}
PART_ORDER = ("head", "neck", "torso", "upper arm", "forearm", "hand", "hips", "thigh", "shin", "foot")


@dataclass(frozen=True)
class BuildOptions:
    """How a rig becomes a template.

    Attributes:
        parts: a part for each kind of limb (`bones`), the same with left and right apart (`sides`), one for each material, or none.
        canonical: arms and legs `spread`, or the `rest` pose.
        spread_legs_deg: of `spread`, how far each leg stands out from straight down.
        arms_deg: of `spread`, how far each upper arm hangs below the horizontal.
        height: scale the body to this height; None: lengths stay as they are.
        keep_place: leave the origin where it is, instead of the middle of the body's box.
    """

    parts: Parts = "bones"
    canonical: Canonical = "spread"
    spread_legs_deg: float = SPREAD_LEGS_DEG
    arms_deg: float = ARMS_DEG
    height: float | None = None
    keep_place: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A template, and what its maker should know, a sentence each."""

    template: Template
    remarks: tuple[str, ...]


def build_template(rig: Rig, options: BuildOptions, where: str) -> Built:
    """The template of a rig.

    Args:
        where: how messages begin.

    Raises:
        TemplateError: the rig holds nothing that could be a body.
    """
    for array, what in ((rig.vertices, "vertices"), (rig.joints, "joints")):
        if not (np.abs(array) <= MAX_COORDINATE).all():  # NaN, too
            raise TemplateError(f"{where}: expected {what} up to {MAX_COORDINATE:g}, found others; export the mesh again")
    remarks = list(dict.fromkeys(rig.remarks))
    rig = _without_idle_joints(rig)
    rig, unturned = _upright(rig)
    remarks += unturned
    rig, face_materials = _welded(rig, where)
    rig = _placed(rig, options, where)
    roles = Skeleton(rig.names, rig.parents, rig.joints).roles
    part_names, vertex_parts, part_remarks = _parts(rig, face_materials, roles, options.parts)
    canonical, pose_remarks = _canonical_pose(rig, roles, options)
    template = Template(
        vertices=rig.vertices.astype(np.float32),
        faces=rig.faces.astype(np.int32),
        joints=rig.joints.astype(np.float32),
        parents=rig.parents.astype(np.int32),
        weights=rig.weights.astype(np.float32),
        names=rig.names,
        canonical_pose=canonical,
        shape_vertices=rig.shape_vertices.astype(np.float32),
        shape_joints=rig.shape_joints.astype(np.float32),
        part_names=part_names,
        vertex_parts=vertex_parts,
        licence=rig.licence,
        source=rig.source,
    )
    check_template(template, where, "export the mesh again")
    edges = open_edges(template.faces)
    if edges:
        remarks.append(f"the mesh has {edges} open edges; close its holes for a surface that is inside or outside everywhere")
    return Built(template, (*remarks, *part_remarks, *pose_remarks))


def open_edges(faces: NDArray[np.int32]) -> int:
    """How many edges of a mesh have one triangle alone."""
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    return int((counts == 1).sum())


def _without_idle_joints(rig: Rig) -> Rig:
    """Without joints that neither hold a vertex nor lead to one that does; the root stays."""
    busy = (rig.weights > 0).any(axis=0)
    for joint in range(len(rig.parents) - 1, 0, -1):
        busy[rig.parents[joint]] |= busy[joint]
    busy[0] = True
    if busy.all():
        return rig
    place = np.cumsum(busy) - 1
    parents = np.where(rig.parents[busy] < 0, -1, place[rig.parents[busy]]).astype(np.int32)
    return replace(
        rig,
        joints=rig.joints[busy],
        parents=parents,
        weights=rig.weights[:, busy],
        names=tuple(name for name, kept in zip(rig.names, busy, strict=True) if kept),
        shape_joints=rig.shape_joints[:, busy] if len(rig.shape_joints) else rig.shape_joints,
    )


def _upright(rig: Rig) -> tuple[Rig, list[str]]:
    """Turned so that y is up, +z in front and +x the body's left, as the joints' names tell."""
    skeleton = Skeleton(rig.names, rig.parents, rig.joints)
    axes = body_axes(skeleton, skeleton.roles)
    if axes is None:
        return rig, ["no joint names tell where left and up are; y is taken to be up and +z in front"]
    return replace(
        rig,
        vertices=rig.vertices @ axes,
        joints=rig.joints @ axes,
        shape_vertices=rig.shape_vertices @ axes,
        shape_joints=rig.shape_joints @ axes,
    ), []


def _welded(rig: Rig, where: str) -> tuple[Rig, NDArray[np.int64]]:
    """One vertex where several lie at one place with the same weights, as files have them at the seams of textures; and the materials of
    the faces that are left: those with three corners.
    """
    size = float(np.ptp(rig.vertices, axis=0).max()) if len(rig.faces) else 0.0
    if not size > 0:
        raise TemplateError(
            f"{where}: expected a mesh with a size, found no triangle, or all vertices at one place; export it again"
        )
    used = np.unique(rig.faces)
    rounded = np.concatenate(
        [np.round((rig.vertices[used] - rig.vertices.min(axis=0)) / (_WELD * size)), np.round(rig.weights[used] * _WEIGHT_STEPS)],
        axis=1,
    ).astype(np.int64)
    _, first, group = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # groups by their first vertex, so that a mesh without seams keeps its order
    place = np.full(len(rig.vertices), -1)
    place[used] = order[group.reshape(-1)]
    kept = used[np.sort(first)]
    faces = place[rig.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    if not whole.any():
        raise TemplateError(f"{where}: expected triangles with an area, found none; export the mesh again")
    materials = rig.face_materials[whole] if len(rig.face_materials) else np.zeros(int(whole.sum()), np.int64)
    welded = replace(
        rig,
        vertices=rig.vertices[kept],
        weights=rig.weights[kept],
        faces=faces[whole],
        shape_vertices=rig.shape_vertices[:, kept] if len(rig.shape_vertices) else rig.shape_vertices,
    )
    return welded, materials


def _placed(rig: Rig, options: BuildOptions, where: str) -> Rig:
    low, high = rig.vertices.min(axis=0), rig.vertices.max(axis=0)
    tall = float(high[1] - low[1])
    if options.height is not None and not tall > 0:
        raise TemplateError(f"{where}: expected a mesh with a height, found a flat one; leave --height out")
    scale = 1.0 if options.height is None else options.height / tall
    middle = np.zeros(3) if options.keep_place else (low + high) / 2
    return replace(
        rig,
        vertices=(rig.vertices - middle) * scale,
        joints=(rig.joints - middle) * scale,
        shape_vertices=rig.shape_vertices * scale,
        shape_joints=rig.shape_joints * scale,
    )


def _parts(
    rig: Rig, face_materials: NDArray[np.int64], roles: Roles, parts: Parts
) -> tuple[tuple[str, ...], NDArray[np.uint8], list[str]]:
    """(names, part of each vertex, remarks)."""
    none = np.zeros(0, np.uint8)
    if parts == "none":
        return (), none, []
    if parts == "materials":
        if len(rig.materials) > MAX_PARTS:
            return (), none, [f"{len(rig.materials)} materials are more than {MAX_PARTS} parts; the template has no parts"]
        votes = np.zeros((len(rig.vertices), max(len(rig.materials), 1)))
        np.add.at(votes, (rig.faces.reshape(-1), np.repeat(face_materials, 3)), 1)
        return rig.materials or ("material",), votes.argmax(axis=1).astype(np.uint8), []
    by_joint = _joint_parts(rig, roles, parts == "sides")
    if by_joint is None:
        if len(rig.names) > MAX_PARTS:
            return (
                (),
                none,
                ["no joint names tell the limbs, and there are too many bones for a part each; the template has no parts"],
            )
        remark = "no joint names tell the limbs; each bone is a part of its own"
        return rig.names, rig.weights.argmax(axis=1).astype(np.uint8), [remark]
    present = set(by_joint)
    names = tuple(name for base in PART_ORDER for name in (base, *(f"{side} {base}" for side in SIDES)) if name in present)
    shares = np.stack([rig.weights[:, [part == name for part in by_joint]].sum(axis=1) for name in names], axis=1)
    used = sorted(set(shares.argmax(axis=1).tolist()))
    lookup = {part: i for i, part in enumerate(used)}
    chosen = np.array([lookup[part] for part in shares.argmax(axis=1).tolist()], np.uint8)
    return tuple(names[part] for part in used), chosen, []


def _joint_parts(rig: Rig, roles: Roles, with_sides: bool) -> list[str] | None:
    """The part of each joint: its role's, or its parent's; None: hardly any joint has a role."""
    role_by_joint = roles.names_by_joint()
    parts: list[str] = []
    for joint, parent in enumerate(rig.parents):
        role = role_by_joint.get(joint, "")
        kind = kind_of(role)
        name = "hand" if kind.partition("_")[0] in (*FINGERS, "fingers") else _PART_NAMES.get(kind)
        if name is None:
            parts.append(parts[parent] if parent >= 0 else "hips")
        elif with_sides and role != kind and name not in ("torso", "hips"):
            parts.append(f"{role.partition('_')[0]} {name}")
        else:
            parts.append(name)
    return parts if len(set(parts)) >= 4 else None


def _canonical_pose(rig: Rig, roles: Roles, options: BuildOptions) -> tuple[NDArray[np.float32], list[str]]:
    """The pose [K + 1, 3], and remarks: each leg and upper arm turned about z, as seen from the front."""
    pose = np.zeros((len(rig.joints) + 1, 3), np.float32)
    if options.canonical == "rest":
        return pose, []
    missing: list[str] = []
    # angles from straight down towards the body's left, of the left limbs
    for kind, ends, angle_deg in (
        ("thigh", ("foot", "shin"), options.spread_legs_deg),
        ("upper_arm", ("hand", "forearm"), 90.0 - options.arms_deg),
    ):
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            joint = roles.joint_by_role.get(f"{side}_{kind}")
            end = next((roles.joint_by_role[name] for end in ends if (name := f"{side}_{end}") in roles.joint_by_role), None)
            if joint is None or end is None:
                missing.append(f"{side} {kind.replace('_', ' ')}")
                continue
            offset = rig.joints[end] - rig.joints[joint]
            now = np.arctan2(sign * offset[0], -offset[1])
            pose[joint, 2] = sign * (np.radians(angle_deg) - now)
    return pose, [
        f"no {missing[0]} is known by name ({len(missing)} limbs in all); it stays at rest in the canonical pose"
    ] if missing else []
