"""The map from bones to joints as the panel shows it: a row a joint, kept in the .blend file."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from dnerf_core.errors import PoseError, UsageError, counted

from ..model_facts import ModelFacts, ModelSkeleton
from ..scene.armatures import OBJECT_BONE, RestBones, rest_bones
from . import changes
from .engine import BoneMap, Skeleton, bone_map_between

_MAX_NAMED = 4


def _changed(row: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    changes.note()


class BoneRow(bpy.types.PropertyGroup):
    """What drives a joint of the model's body; `name` is the joint's."""

    bone: bpy.props.StringProperty(
        name="Bone", description="The bone that turns this joint; empty: it follows the joint above it", update=_changed
    )
    second: bpy.props.StringProperty(
        name="Second bone", description="Another bone that turns it, too, such as the next one of a longer spine", update=_changed
    )
    share: bpy.props.FloatProperty(
        name="Share", description="How much the second bone counts", min=0.01, max=0.99, default=0.5, update=_changed
    )


def skeleton_of_model(skeleton: ModelSkeleton) -> Skeleton:
    """The model's, as retargeting takes it."""
    return Skeleton(skeleton.names, np.array(skeleton.parents, np.int32), np.array(skeleton.joints, np.float64))


def skeleton_of_bones(bones: RestBones) -> Skeleton:
    """The armature's, as retargeting takes it, in the armature object's own axes."""
    return Skeleton(bones.names, bones.parents, bones.matrices[:, :3, 3])


def fill_rows(scene: bpy.types.Scene, skeleton: ModelSkeleton, armature: bpy.types.Object) -> str:
    """Make the rows anew, by the bones' names and what they are for; returns what came of it, a line.

    Raises:
        SceneError: the armature has no bones.
    """
    try:
        found = bone_map_between(skeleton_of_bones(rest_bones(armature)), skeleton_of_model(skeleton))
    except PoseError:  # no name is known: the rows are left to the user
        found = BoneMap({})
    rows = scene.dnerf.pose_rows
    rows.clear()
    for joint in skeleton.names:
        row = rows.add()
        row.name = joint
        pairs = [pair for pair in found.sources.get(joint, ()) if pair[0] != OBJECT_BONE]
        if pairs:
            row.bone = pairs[0][0]
        if len(pairs) == 2:
            row.second, row.share = pairs[1]
    scene.dnerf.pose_row_index = 0
    scene.dnerf.pose_armature_name = armature.name
    return rows_line(scene, armature)


def rows_fit(scene: bpy.types.Scene, skeleton: ModelSkeleton, armature: bpy.types.Object) -> bool:
    """Whether the rows that are there serve for an armature as they are."""
    rows = scene.dnerf.pose_rows
    chosen = {name for row in rows for name in (row.bone, row.second) if name}
    return (
        [row.name for row in rows] == list(skeleton.names)
        and bool(chosen)
        and all(name in armature.data.bones for name in chosen)
    )


def rows_line(scene: bpy.types.Scene, armature: bpy.types.Object) -> str:
    """How much of the body the rows drive, and what follows its parent."""
    rows = scene.dnerf.pose_rows
    loose = [row.name for row in rows if not row.bone]
    line = f"{armature.name}: {len(rows) - len(loose)} of {counted(len(rows), 'joint')} have a bone"
    return f"{line}; {_listed(loose)} follow the joint above" if 0 < len(loose) < len(rows) else line


def loose_joints(scene: bpy.types.Scene) -> str:
    """The joints that no bone drives, shortened; "" where there are none."""
    loose = [row.name for row in scene.dnerf.pose_rows if not row.bone]
    return f"{len(loose)} without a bone: {_listed(loose)}" if loose else ""


def map_of_rows(scene: bpy.types.Scene, facts: ModelFacts, names: Sequence[str], armature_name: str) -> BoneMap:
    """The map that the rows say.

    Args:
        names: of the armature's bones.

    Raises:
        UsageError: rows of another model, a bone that is not there, or no bone at all.
    """
    assert facts.skeleton is not None
    rows = scene.dnerf.pose_rows
    if [row.name for row in rows] != list(facts.skeleton.names):
        found = "another model's joints" if len(rows) else "an empty list"
        raise UsageError(
            f"pose: expected a bone for each joint of {facts.name}, found {found}; press Match Bones in the panel Pose"
        )
    known = set(names)
    sources = {}
    for row in rows:
        pairs = [(row.bone, 1.0 - row.share), (row.second, row.share)] if row.second else [(row.bone, 1.0)]
        for bone, _ in pairs if row.bone else ():
            if bone not in known:
                raise UsageError(
                    f"pose: {row.name}: expected a bone of {armature_name}, found none named {bone!r}; choose another in the panel "
                    "Pose, or press Match Bones"
                )
        if row.bone:
            sources[row.name] = tuple(pairs)
    if not sources:
        raise UsageError(
            f"pose: expected a bone of {armature_name} for one joint at least, found none; choose bones in the panel Pose, or press "
            "Match Bones"
        )
    return BoneMap(sources)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
