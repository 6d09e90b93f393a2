"""An armature drives the subject: its evaluated bones become the pose of the model's body, as requests to the worker have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Float64Array
from dnerf_core.errors import UsageError

from ..model_facts import ModelFacts
from ..scene.armatures import RestBones, posed_bones, rest_bones, rest_signature
from ..scene.errors import SceneError
from ..scene.subject import engine_to_root, root_transform, subject_root, update
from . import changes
from .engine import BoneMap, Retargeter, Skeleton, body_axes, clip_from_matrices
from .rows import map_of_rows, skeleton_of_bones, skeleton_of_model

_DIGITS = 6
"""Of a pose's numbers in requests: less than a pixel, more than Blender's own noise."""
_EVEN = 1e-4
"""Axes of an object whose scales differ by less are scaled the same."""


@dataclass(frozen=True, eq=False)
class _Driver:
    """What stays while bones are turned: the bones that count, how they are placed, and the retargeting.

    Attributes:
        key: what it was made of.
        names, parents: of the bones that count, as `RestBones` has them.
        rest: float64 [J, 4, 4], scaled and, with the object's motion, upright.
        retargeter: to the model's body.
    """

    key: tuple[Any, ...]
    names: tuple[str, ...]
    parents: NDArray[np.int32]
    rest: Float64Array
    retargeter: Retargeter


_kept: dict[int, _Driver] = {}
"""By the scene's `session_uid`, the last one."""
_seen: dict[int, tuple[tuple[Any, ...], list[float] | None]] = {}
"""By the scene's `session_uid`, the pose that was read last, and after which change."""


def driving_armature(scene: bpy.types.Scene, facts: ModelFacts) -> bpy.types.Object | None:
    """The armature that drives the scene's subject; None: none is chosen, or the model's subjects do not move.

    Raises:
        UsageError: the one that was chosen has been deleted.
    """
    settings = scene.dnerf
    if facts.skeleton is None:
        return None
    if lost := lost_armature(scene):
        raise UsageError(
            f"pose: expected the armature {lost!r} in the scene {scene.name!r}, found it there no more; choose another in the "
            "panel Pose, or press Rest Pose"
        )
    return settings.pose_armature


def lost_armature(scene: bpy.types.Scene) -> str:
    """The name of the armature that was chosen and is not in the scene any more; "" where none is missing.

    Blender keeps one that is deleted in the viewport as long as it is chosen, and lets go of one that a script removes.
    """
    settings = scene.dnerf
    armature = settings.pose_armature
    if armature is None:
        return str(settings.pose_armature_name)
    return "" if armature.name in scene.objects else str(armature.name)


def body_pose(scene: bpy.types.Scene, facts: ModelFacts) -> list[float] | None:
    """The pose of the scene's subject now, the numbers of a request; None: the subject keeps its own. The scene has been updated.

    Raises:
        UsageError: what drives it cannot: a deleted armature, no bones, wrong rows.
        PoseError: bones that are nowhere.
    """
    armature = driving_armature(scene, facts)
    if armature is None:
        return None
    driver, posed = _driver_and_bones(scene, facts, armature)
    clip = clip_from_matrices(driver.names, driver.parents.tolist(), driver.rest, posed[None])
    numbers = driver.retargeter.poses(clip)[0].astype(np.float64).ravel()
    return [round(value, _DIGITS) + 0.0 for value in numbers.tolist()]  # no -0.0: it would be another pose


def current_pose(scene: bpy.types.Scene, facts: ModelFacts) -> list[float] | None:
    """`body_pose` after the scene has been updated, for what a click asks for."""
    update(scene)
    return body_pose(scene, facts)


def live_pose(scene: bpy.types.Scene, facts: ModelFacts) -> list[float] | None:
    """`body_pose`, read anew only where something may have changed since."""
    state = (changes.number(), facts.sha256)
    seen = _seen.get(scene.session_uid)
    if seen is None or seen[0] != state:
        seen = (state, body_pose(scene, facts))
        _seen[scene.session_uid] = seen
    return seen[1]


def pose_params(pose: list[float] | None) -> dict[str, Any]:
    """The part of a request that says the pose."""
    return {} if pose is None else {"pose": pose}


def forget() -> None:
    """The add-on is disabled."""
    _kept.clear()
    _seen.clear()


def _driver_and_bones(scene: bpy.types.Scene, facts: ModelFacts, armature: bpy.types.Object) -> tuple[_Driver, Float64Array]:
    """What drives, and the matrices [J, 4, 4] of its bones now, placed as its rest is."""
    settings = scene.dnerf
    kept = _kept.get(scene.session_uid)
    rows = tuple((row.name, row.bone, row.second, row.share) for row in settings.pose_rows)
    wanted = (armature.session_uid, facts.sha256, rows, settings.pose_object_motion, rest_signature(armature))
    if kept is None or kept.key[0] != wanted:
        kept = None
        bones = rest_bones(armature)
        bone_map = map_of_rows(scene, facts, bones.names, armature.name)
        names = _counting(bones, bone_map)
    else:
        names = kept.names
    posed, world = posed_bones(armature, scene, names)
    place = root_transform(subject_root(scene, create=False)) if settings.pose_object_motion else None
    placed = world if place is None else np.linalg.inv(place.matrix) @ world
    scales = _scales(placed, armature.name)
    key = (wanted, tuple(np.round(scales, 5).tolist()))
    if kept is None or kept.key != key:
        bones = rest_bones(armature)
        bone_map = map_of_rows(scene, facts, bones.names, armature.name)
        kept = _new_driver(key, bones, names, scales, bone_map, facts, upright=place is not None)
        _kept[scene.session_uid] = kept
    return kept, (np.diag([*scales, 1.0]) if place is None else placed) @ posed


def _new_driver(
    key: tuple[Any, ...],
    bones: RestBones,
    names: tuple[str, ...],
    scales: Float64Array,
    bone_map: BoneMap,
    facts: ModelFacts,
    *,
    upright: bool,
) -> _Driver:
    assert facts.skeleton is not None
    target = skeleton_of_model(facts.skeleton)
    world_up = facts.cameras.world_up
    numbers = [bones.names.index(name) for name in names]
    place = {number: index for index, number in enumerate(numbers)}
    parents = np.array([place.get(int(bones.parents[number]), -1) for number in numbers], np.int32)
    rest = np.diag([*scales, 1.0]) @ bones.matrices[numbers]
    source = Skeleton(names, parents, rest[:, :3, 3])
    if upright:
        turn = _uprighting(source, target, engine_to_root(world_up)[:3, :3])
        rest = turn @ rest
        source = Skeleton(names, parents, rest[:, :3, 3])
    # where no joint tells it: Blender's z is the model's up, whichever axis that is
    retargeter = Retargeter(source, target, bone_map, "z" if world_up == "y" else "y")
    return _Driver(key, names, parents, rest, retargeter)


def _uprighting(source: Skeleton, target: Skeleton, to_root: Float64Array) -> Float64Array:
    """[4, 4]: turns the armature's own axes so that its body stands and looks as the subject at rest does, in the root's frame.

    An armature that is imported from a y-up file stands by its object's rotation, which is no motion therefore.
    """
    own, theirs = body_axes(target, target.roles), body_axes(source, source.roles)
    turn = np.eye(4)
    if own is not None and theirs is not None:
        turn[:3, :3] = to_root @ own @ theirs.T
    return turn


def _counting(bones: RestBones, bone_map: BoneMap) -> tuple[str, ...]:
    """The bones that drive something or that tell how the body stands, with all that they grow from; in the armature's order."""
    places = {name: index for index, name in enumerate(bones.names)}
    roles = skeleton_of_bones(bones).roles
    pending = {places[name] for pairs in bone_map.sources.values() for name, _ in pairs}
    pending |= {0, *roles.joint_by_role.values(), *roles.spine, *roles.neck}
    kept: set[int] = set()
    while pending:
        index = pending.pop()
        kept.add(index)
        above = int(bones.parents[index])
        if above >= 0 and above not in kept:
            pending.add(above)
    return tuple(bones.names[index] for index in sorted(kept))


def _scales(placed: Float64Array, name: str) -> Float64Array:
    """How an object's axes [3] are scaled; the same along all of them where they hardly differ.

    Raises:
        SceneError: mirrored or flattened.
    """
    lengths = np.linalg.norm(placed[:3, :3], axis=0)
    volume = float(np.linalg.det(placed[:3, :3]))
    if not volume > 1e-9 * float(lengths.max()) ** 3:
        found = "a mirrored" if volume < 0 else "a flattened"
        raise SceneError(f"{name}: expected a scale above 0 along x, y and z, found {found} armature; apply or correct its scale")
    mean = float(lengths.mean())
    return np.full(3, mean) if np.abs(lengths / mean - 1.0).max() < _EVEN else lengths
