"""An armature that drives the subject: what requests say is where Blender shows its bones, however these are moved."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

import mathutils  # noqa: E402

from dnerf_core.camera import Float64Array  # noqa: E402
from dnerf_core.errors import UsageError  # noqa: E402
from dnerf_core.poses.clip import global_rotations, joint_places  # noqa: E402
from dnerf_core.poses.rotations import from_axis_angle  # noqa: E402
from dnerf_core.poses.skeleton import Skeleton  # noqa: E402
from tests.blender.addon import enabled_addon, interpreter_script  # noqa: E402
from tests.blender.armatures import TO_Z_UP, build_armature, turn_bones  # noqa: E402
from tests.core.gnarf.rigs import cmu_skeleton, renamed  # noqa: E402

BODY = cmu_skeleton()
UNIT = 1.5


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Any]:
    with enabled_addon(interpreter_script(tmp_path)):
        keep_facts(bpy.context.scene, model_result(BODY))
        yield bpy.context.scene


def model_result(skeleton: Skeleton | None, name: str = "people", world_up: str = "y") -> dict[str, Any]:
    """What the worker says of a model."""
    cameras = {"radius": 3.0, "pivot": [0, 0, 0], "focal": 1.7, "world_up": world_up, "pitch_deg": 0.0}
    result = {"name": name, "image_size": 128, "box_warp": 2.0, "cameras": cameras, "labels": None, "licence": None}
    result |= {"source": None, "sha256": f"{name} {world_up}"}
    if skeleton is not None:
        parts = {"names": list(skeleton.names), "parents": skeleton.parents.tolist(), "joints": skeleton.joints.tolist()}
        result["skeleton"] = {**parts, "scale": UNIT}
    return result


def keep_facts(scene: Any, result: dict[str, Any]) -> None:
    from blender_addon.model_facts import keep_facts

    keep_facts(scene, result)


def pose_of(scene: Any) -> Float64Array | None:
    """The pose [K + 1, 3] that a request would say now."""
    from blender_addon.model_facts import known_facts
    from blender_addon.posing.driver import current_pose

    pose = current_pose(scene, known_facts(scene))
    return None if pose is None else np.array(pose).reshape(-1, 3)


def shown_joints(pose: Float64Array) -> Float64Array:
    """Where a pose puts the body's joints [K, 3], y up, by forward kinematics."""
    turns = global_rotations(from_axis_angle(pose[None, :-1]), BODY.parents)
    return joint_places(turns, pose[None, -1], BODY.joints, BODY.parents)[0]


def bone_heads(item: Any, names: tuple[str, ...], to_y_up: Float64Array = TO_Z_UP.T) -> Float64Array:
    """Where Blender shows bones [K, 3], in the armature's own axes turned y up."""
    bpy.context.view_layer.update()
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[name].head for name in names]) @ to_y_up.T


def test_a_mixamo_armature_maps_itself_and_its_bones_are_the_joints(scene: Any) -> None:
    names = renamed(BODY, "mixamo")
    item = build_armature(scene, names)
    assert pose_of(scene) is None
    scene.dnerf.pose_armature = item
    assert [(row.name, row.bone) for row in scene.dnerf.pose_rows] == list(zip(BODY.names, names.names, strict=True))
    np.testing.assert_allclose(pose_of(scene), 0, atol=1e-5)
    for seed in range(3):
        turn_bones(item, seed)
        found = pose_of(scene)
        assert found is not None and np.abs(found).max() > 0.3
        np.testing.assert_allclose(shown_joints(found), bone_heads(item, names.names), atol=2e-5)


def test_an_armature_chosen_before_the_model_is_known_gets_its_map_with_it(scene: Any) -> None:
    facts = scene.dnerf.model_facts
    scene.dnerf.model_facts = ""
    item = build_armature(scene, renamed(BODY, "mixamo"))
    scene.dnerf.pose_armature = item
    assert not len(scene.dnerf.pose_rows)
    scene.dnerf.model_facts = facts
    assert all(row.bone for row in scene.dnerf.pose_rows) and len(scene.dnerf.pose_rows) == len(BODY.names)
    # what the artist has chosen since then is never filled anew
    scene.dnerf.pose_rows[3].bone = ""
    scene.dnerf.model_facts = ""
    scene.dnerf.model_facts = facts
    assert not scene.dnerf.pose_rows[3].bone


def test_an_armature_that_rests_otherwise_moves_the_joints_to_its_bones(scene: Any) -> None:
    rest = np.zeros((len(BODY.names) + 1, 3))
    for name, angle in (("LeftArm", 0.8), ("RightArm", -0.8)):
        rest[BODY.names.index(name), 2] = angle  # arms up from an A to nearly a T
    names = dataclasses.replace(renamed(BODY, "mixamo"), joints=shown_joints(rest))
    item = build_armature(scene, names)
    scene.dnerf.pose_armature = item
    np.testing.assert_allclose(pose_of(scene)[:-1], rest[:-1], atol=1e-4)
    for seed in range(2):
        turn_bones(item, seed)
        np.testing.assert_allclose(shown_joints(pose_of(scene)), bone_heads(item, names.names), atol=1e-4)


@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0])
def test_an_imported_armature_lies_by_its_axes_and_has_another_size(scene: Any, scale: float) -> None:
    """As files with y up come in: bones y up, turned by their object, in centimetres perhaps."""
    names = renamed(BODY, "mixamo")
    larger = dataclasses.replace(names, joints=names.joints / scale)
    item = build_armature(scene, larger, z_up=False)
    item.rotation_euler, item.scale = (np.pi / 2, 0, 0), (scale, scale, scale)
    scene.dnerf.pose_armature = item
    turn_bones(item, 4)
    heads = bone_heads(item, names.names, np.eye(3)) * scale
    for with_object in (False, True):
        scene.dnerf.pose_object_motion = with_object
        np.testing.assert_allclose(shown_joints(pose_of(scene)), heads, atol=1e-4)


def test_the_objects_own_place_counts_only_when_it_is_asked_for(scene: Any) -> None:
    from blender_addon.scene.subject import subject_root

    item = build_armature(scene, BODY)
    scene.dnerf.pose_armature = item
    turn_bones(item, 5)
    heads = bone_heads(item, BODY.names) @ TO_Z_UP.T
    plain = pose_of(scene)
    item.location, item.rotation_euler = (0.4, -0.3, 0.2), (0.0, 0.0, 1.1)
    np.testing.assert_allclose(pose_of(scene), plain, atol=1e-5)
    scene.dnerf.pose_object_motion = True
    moved = heads @ np.array(item.rotation_euler.to_matrix()).T + item.location
    np.testing.assert_allclose(shown_joints(pose_of(scene)) @ TO_Z_UP.T, moved, atol=1e-4)
    # the Empty that the subject stands at takes the same way: nothing has moved against it
    root = subject_root(scene)
    root.location, root.rotation_euler = item.location, item.rotation_euler
    np.testing.assert_allclose(pose_of(scene), plain, atol=1e-5)


def test_constraints_ik_nla_and_drivers_count(scene: Any) -> None:
    item = build_armature(scene, BODY)
    scene.dnerf.pose_armature = item
    hand, target = item.pose.bones["LeftHand"], bpy.data.objects.new("target", None)
    scene.collection.objects.link(target)
    target.location = (0.3, -0.4, 0.6)
    ik = hand.constraints.new("IK")
    ik.target, ik.chain_count = target, 3
    copied = item.pose.bones["RightForeArm"].constraints.new("COPY_ROTATION")
    copied.target = target
    head = item.pose.bones["Head"]
    head.rotation_mode = "XYZ"
    curve = head.driver_add("rotation_euler", 0)
    curve.driver.expression = "frame * 0.02"
    leg = item.pose.bones["LeftUpLeg"]
    leg.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (20, 1.0)):
        leg.rotation_euler.x = angle
        leg.keyframe_insert("rotation_euler", frame=frame)
    action = item.animation_data.action
    track = item.animation_data.nla_tracks.new()
    item.animation_data.action = None
    strip = track.strips.new("kick", 1, action)
    if hasattr(strip, "action_slot") and strip.action_slot is None:
        strip.action_slot = action.slots[0]
    poses = []
    for frame in (1, 10, 20):
        scene.frame_set(frame)
        target.location.z = 0.6 + 0.01 * frame
        poses.append(pose_of(scene))
        np.testing.assert_allclose(shown_joints(poses[-1]), bone_heads(item, BODY.names), atol=2e-5)
    change = np.abs(poses[2] - poses[0]).max(axis=1)
    assert min(change[BODY.names.index(name)] for name in ("LeftUpLeg", "LeftArm", "Head")) > 0.05


def test_bones_that_come_from_several_roots(scene: Any) -> None:
    """As rigs with controls have them: bones of no use for the body, some without a parent."""
    item = build_armature(scene, renamed(BODY, "blender"))
    bpy.ops.object.mode_set(mode="EDIT")
    for number in range(300):
        bone = item.data.edit_bones.new(f"control {number}")
        bone.head, bone.tail = (1, 1, number / 100), (1, 1.1, number / 100)
    item.data.edit_bones["Hips"].parent = item.data.edit_bones["control 7"]
    bpy.ops.object.mode_set(mode="OBJECT")
    scene.dnerf.pose_armature = item
    turn_bones(item, 6)
    item.pose.bones["control 7"].location = (0.1, 0.2, 0.3)
    names = tuple(row.bone for row in scene.dnerf.pose_rows)
    assert all(names)
    np.testing.assert_allclose(shown_joints(pose_of(scene)), bone_heads(item, names), atol=2e-5)
    began = time.perf_counter()
    for seed in range(10):
        item.pose.bones["Head"].rotation_euler.x = 0.1 * seed
        pose_of(scene)
    took_ms = 100 * (time.perf_counter() - began)
    print(f"pose of an armature with {len(item.pose.bones)} bones: {took_ms:.1f} ms")
    assert took_ms < 100


def test_a_model_whose_joints_have_no_known_names_is_mapped_by_hand(scene: Any) -> None:
    worm = Skeleton(("a", "b", "c"), np.array([-1, 0, 1], np.int32), np.array([[0, 0.0, 0], [0, 0.5, 0], [0, 1.0, 0]]))
    for world_up in ("y", "z"):
        item = build_armature(scene, dataclasses.replace(worm, names=("u", "v", "w")), z_up=world_up == "y")
        keep_facts(scene, model_result(worm, "worm", world_up))
        scene.dnerf.pose_armature = item
        if world_up == "y":
            assert not any(row.bone for row in scene.dnerf.pose_rows)
        for row, bone in zip(scene.dnerf.pose_rows, ("u", "", "w"), strict=True):
            row.bone = bone
        item.pose.bones["w"].rotation_mode = "QUATERNION"
        turn = mathutils.Quaternion((0, 0, 1), 0.7)  # about Blender's z
        rest = item.pose.bones["w"].bone.matrix_local.to_quaternion()
        item.pose.bones["w"].rotation_quaternion = rest.inverted() @ turn @ rest
        expected = np.zeros((4, 3))
        expected[2, 1 if world_up == "y" else 2] = 0.7
        np.testing.assert_allclose(pose_of(scene), expected, atol=1e-5)


def test_the_map_is_edited_kept_in_the_file_and_made_anew(scene: Any, tmp_path: Path) -> None:
    item = build_armature(scene, renamed(BODY, "mixamo"))
    scene.dnerf.pose_armature = item
    turn_bones(item, 2)
    before = pose_of(scene)
    rows = scene.dnerf.pose_rows
    rows["Head"].bone = ""
    rows["Spine"].bone, rows["Spine"].second, rows["Spine"].share = "mixamorig:LowerBack", "mixamorig:Spine1", 0.25
    changed = pose_of(scene)
    parts = np.abs(changed - before).max(axis=1) > 1e-4
    assert {BODY.names[joint] for joint in np.flatnonzero(parts[:-1])} >= {"Head", "Spine"}
    np.testing.assert_allclose(changed[BODY.names.index("Head")], 0, atol=1e-6)
    path = tmp_path / "rig.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    again = bpy.context.scene
    np.testing.assert_allclose(pose_of(again), changed, atol=1e-5)
    assert bpy.ops.dnerf.match_bones() == {"FINISHED"}
    np.testing.assert_allclose(pose_of(again), before, atol=1e-5)
    from blender_addon import session

    assert session.current().status == "rig: 27 of 27 joints have a bone"


def test_choosing_no_armature_and_the_same_one_again_loses_nothing(scene: Any) -> None:
    item = build_armature(scene, renamed(BODY, "mixamo"))
    scene.dnerf.pose_armature = item
    scene.dnerf.pose_rows["Head"].bone = "mixamorig:Neck"
    bpy.ops.dnerf.rest_pose()
    assert pose_of(scene) is None
    scene.dnerf.pose_armature = item
    assert scene.dnerf.pose_rows["Head"].bone == "mixamorig:Neck"


def delete(scene: Any, item: Any) -> None:
    bpy.data.objects.remove(item)


def take_out(scene: Any, item: Any) -> None:
    scene.collection.objects.unlink(item)


def disable(scene: Any, item: Any) -> None:
    item.hide_viewport = True


def exclude(scene: Any, item: Any) -> None:
    collection = bpy.data.collections.new("rigs")
    scene.collection.children.link(collection)
    collection.objects.link(item)
    scene.collection.objects.unlink(item)
    scene.view_layers[0].layer_collection.children["rigs"].exclude = True


def mirror(scene: Any, item: Any) -> None:
    item.scale.x = -1


def mirror_bone(scene: Any, item: Any) -> None:
    item.pose.bones["mixamorig:Neck"].scale = (-1, 1, 1)


def rename_bone(scene: Any, item: Any) -> None:
    item.data.bones["mixamorig:Neck"].name = "throat"


def unmap(scene: Any, item: Any) -> None:
    for row in scene.dnerf.pose_rows:
        row.bone = ""


def change_model(scene: Any, item: Any) -> None:
    keep_facts(scene, model_result(renamed(BODY, "smpl"), "others"))


def remove_bones(scene: Any, item: Any) -> None:
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in list(item.data.edit_bones):
        item.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (delete, r"expected the armature 'rig' in the scene 'Scene', found it there no more; .* press Rest Pose"),
        (take_out, r"expected the armature 'rig' in the scene"),
        (disable, r"rig: expected an armature that Blender evaluates"),
        (exclude, r"rig: expected an armature that Blender evaluates"),
        (mirror, r"rig: expected a scale above 0 along x, y and z, found a mirrored armature"),
        (mirror_bone, r"rig: mixamorig:Neck: expected a bone with a scale above 0, found a mirrored one"),
        (rename_bone, r"pose: Neck: expected a bone of rig, found none named 'mixamorig:Neck'; .* Match Bones"),
        (unmap, r"expected a bone of rig for one joint at least, found none"),
        (change_model, r"expected a bone for each joint of others, found another model's joints; press Match Bones"),
        (remove_bones, r"rig: expected an armature with bones, found none"),
    ],
)
def test_what_cannot_drive_is_told_in_a_line_and_nothing_is_lost(scene: Any, spoil: Any, message: str) -> None:
    item = build_armature(scene, renamed(BODY, "mixamo"))
    scene.dnerf.pose_armature = item
    assert pose_of(scene) is not None
    rows = len(scene.dnerf.pose_rows)
    spoil(scene, item)
    with pytest.raises(UsageError, match=message):
        pose_of(scene)
    assert len(scene.dnerf.pose_rows) == rows
    bpy.ops.dnerf.rest_pose()
    assert pose_of(scene) is None


def test_a_model_that_does_not_move_leaves_the_armature_be(scene: Any) -> None:
    item = build_armature(scene, renamed(BODY, "mixamo"))
    scene.dnerf.pose_armature = item
    keep_facts(scene, model_result(None, "cars"))
    assert pose_of(scene) is None
    assert len(scene.dnerf.pose_rows) == len(BODY.names)
    with pytest.raises(RuntimeError, match="expected a model whose subjects move, found none"):
        bpy.ops.dnerf.match_bones()
    keep_facts(scene, model_result(BODY))
    assert pose_of(scene) is not None


def test_an_armature_hidden_by_the_eye_goes_on(scene: Any) -> None:
    item = build_armature(scene, BODY)
    scene.dnerf.pose_armature = item
    item.hide_set(True)
    turn_bones(item, 1)
    np.testing.assert_allclose(shown_joints(pose_of(scene)), bone_heads(item, BODY.names), atol=2e-5)
    assert np.abs(pose_of(scene)).max() > 0.3


def test_the_live_pose_is_read_only_after_a_change(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.model_facts import known_facts
    from blender_addon.posing import driver

    item = build_armature(scene, BODY)
    scene.dnerf.pose_armature = item
    facts = known_facts(scene)
    reads: list[int] = []
    read = driver.body_pose
    monkeypatch.setattr(driver, "body_pose", lambda *args: (reads.append(1), read(*args))[1])
    first = driver.live_pose(scene, facts)
    assert driver.live_pose(scene, facts) == first and len(reads) == 1
    turn_bones(item, 3)
    assert driver.live_pose(scene, facts) != first and len(reads) == 2
    made = []
    monkeypatch.setattr(driver, "Retargeter", lambda *args: made.append(args))
    turn_bones(item, 8)
    driver.live_pose(scene, facts)
    assert not made, "turning bones makes no new retargeter"
