"""Files of poses: BVH, JSON and npz, as programs write them, and every way in which they can be wrong."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.errors import PoseError, UsageError
from dnerf_core.poses.clip import (
    PoseClip,
    clip_from_matrices,
    frames_of,
    global_rotations,
    joint_places,
    parse_frames,
    resampled,
)
from dnerf_core.poses.json_poses import read_json_poses, write_json_poses
from dnerf_core.poses.motions import own_motion
from dnerf_core.poses.reading import read_clip, read_poses
from dnerf_core.poses.rotations import (
    best_rotation,
    between,
    from_axis_angle,
    from_matrices,
    inverse,
    product,
    slerp,
    to_axis_angle,
    to_matrices,
    turned,
)
from tests.core.gnarf.rigs import cmu_skeleton, random_rotations, template_of

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine {
    OFFSET 0 20 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 30 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
0 90 0 0 0 0 0 0 0
10 95 -3 90 0 90 0 90 0
"""


def written(tmp_path: Path, text: str, name: str = "clip.bvh") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def places(clip: PoseClip) -> np.ndarray:
    assert clip.parents is not None and clip.rest_joints is not None
    turns = global_rotations(clip.rotations, clip.parents)
    return joint_places(turns, clip.translation, clip.rest_joints, clip.parents, clip.shifts)


# --- BVH


def test_a_bvh_by_hand(tmp_path: Path) -> None:
    clip = read_clip(written(tmp_path, BVH))
    assert clip.names == ("Hips", "Spine")
    assert clip.frame_rate == pytest.approx(25)
    assert clip.rest_joints is not None and clip.rest_joints.tolist() == [[0, 90, 0], [0, 110, 0]]
    assert clip.translation.tolist() == [[0, 0, 0], [10, 5, -3]]
    # Rz(90) Ry(90): x goes to -z, which Rz leaves; y to y, then to -x
    turn = to_matrices(clip.rotations[1, 0])
    assert turn @ [1, 0, 0] == pytest.approx([0, 0, -1])
    assert turn @ [0, 1, 0] == pytest.approx([-1, 0, 0])
    assert to_axis_angle(clip.rotations[1, 1]) == pytest.approx([np.pi / 2, 0, 0])
    assert places(clip)[1, 1] == pytest.approx([10 - 20, 95, -3])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIERARCH", "begins with HIERARCHY"),
        ("MOTION", "MOTIO", "expected JOINT"),
        ("ROOT Hips", "JOINT Hips", "expected JOINT within"),
        ("OFFSET 0 90 0", "OFFSET 0 90", "3 finite numbers"),
        ("OFFSET 0 90 0", "OFFSET 0 nan 0", "3 finite numbers"),
        ("OFFSET 0 90 0", "OFFSET 0 1e9 0", "up to 1e\\+06"),
        ("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 2 Yrotation Xrotation Zrotation", "number of channels"),
        ("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 3 Yrotation Yrotation Zrotation", "number of channels"),
        ("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 3 Yrotation Xscale Zrotation", "number of channels"),
        ("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 9", "number of channels"),
        ("JOINT Spine {", "ROOT Spine {", "a second"),
        ("JOINT Spine {", "JOINT Hips {", "twice"),
        ("JOINT Spine {", "JOINT {", "1 to 200 characters"),
        ("JOINT Spine {", "JOINT Spine", "expected OFFSET within"),
        ("Frames: 2", "Frames: 3", "expected 3 rows of motion, found 2"),
        ("Frames: 2", "Frames: 1000000", "expected 1 to 100000 frames of 2 joints, found 1000000; cut"),
        ("Frames: 2", "Frames: 0", "found 0"),
        ("Frames: 2", "Frames: -2", "number of frames"),
        ("Frame Time: 0.04", "Frame Time: 0", "above 0 s"),
        ("Frame Time: 0.04", "Frame Time: inf", "finite number"),
        ("Frame Time: 0.04", "Frame Time: 1e-9", "frames a second"),
        ("Frame Time: 0.04", "", "expected Frame time:"),
        ("10 95 -3 90 0 90 0 90 0", "10 95 -3 90 0 90 0 90", "rows of 9 numbers"),
        ("10 95 -3 90 0 90 0 90 0", "10 95 -3 90 0 nan 0 90 0", "NaN"),
        ("10 95 -3 90 0 90 0 90 0", "10 95 -3 90 0 x 0 90 0", "rows of 9 numbers"),
        ("10 95 -3 90 0 90 0 90 0", "", "expected 2 rows of motion, found 1"),
        ("}\nMOTION", "MOTION", "found it open"),
        ("MOTION", "}\nMOTION", "expected an open block"),
    ],
)
def test_a_wrong_bvh_is_refused_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in BVH
    path = written(tmp_path, BVH.replace(old, new, 1) if old != "}\nMOTION" else BVH.replace(old, new))
    with pytest.raises(PoseError, match=message) as caught:
        read_clip(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_truncated_bvh_files_are_refused_wherever_they_end(tmp_path: Path) -> None:
    lines = BVH.splitlines()
    for count in range(len(lines)):
        with pytest.raises(PoseError):
            read_clip(written(tmp_path, "\n".join(lines[:count])))


def test_a_deep_bvh_is_refused(tmp_path: Path) -> None:
    deep = "HIERARCHY\nROOT a\n{\n" + "".join(f"JOINT j{i}\n{{\n" for i in range(500))
    with pytest.raises(PoseError, match="at most 200 deep"):
        read_clip(written(tmp_path, deep))


def test_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bvh")
    for name in ("pipe.bvh", "none.bvh", "pipe.json", "none.npz"):
        with pytest.raises(PoseError, match="cannot read it"):
            read_clip(tmp_path / name)
    (tmp_path / "folder.bvh").mkdir()
    with pytest.raises(PoseError, match="cannot read it"):
        read_clip(tmp_path / "folder.bvh")
    with pytest.raises(PoseError, match="expected a motion"):
        read_clip("clip.fbx")


def test_a_bvh_of_motion_capture_stands_on_the_floor(tmp_path: Path) -> None:
    """CMU's: the root rests at the origin, and is counted from the floor in each frame."""
    text = """HIERARCHY
ROOT Hips
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
 JOINT LeftUpLeg {
  OFFSET 3 -1 0
  CHANNELS 3 Zrotation Yrotation Xrotation
  JOINT LeftLeg {
   OFFSET 0 -7 0
   CHANNELS 3 Zrotation Yrotation Xrotation
   JOINT LeftFoot {
    OFFSET 0 -8 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site {
     OFFSET 0 0 3
    }
   }
  }
 }
 JOINT RightUpLeg {
  OFFSET -3 -1 0
  CHANNELS 3 Zrotation Yrotation Xrotation
  JOINT RightLeg {
   OFFSET 0 -7 0
   CHANNELS 3 Zrotation Yrotation Xrotation
   JOINT RightFoot {
    OFFSET 0 -8 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site {
     OFFSET 0 0 3
    }
   }
  }
 }
 JOINT Spine {
  OFFSET 0 4 0
  CHANNELS 3 Zrotation Yrotation Xrotation
  JOINT Head {
   OFFSET 0 4 0
   CHANNELS 3 Zrotation Yrotation Xrotation
  }
 }
}
MOTION
Frames: 2
Frame Time: 0.0083333
"""
    text += "40 17 -20" + " 0" * 27 + "\n" + "40 20 -12" + " 0" * 27 + "\n"
    own = cmu_skeleton()
    found = read_poses(written(tmp_path, text), template_of(own))
    scale = (own.joints[0, 1] - own.joints[own.names.index("LeftFoot"), 1]) / 16
    # the second frame has jumped by 3 and gone on by 8; the first stands above the origin, its lowest foot where it rests
    assert np.diff(found.poses[:, -1], axis=0)[0] == pytest.approx([0, 3 * scale, 8 * scale], abs=1e-6)
    assert found.poses[0, -1, [0, 2]] == pytest.approx([0, 0], abs=1e-6)
    turns = global_rotations(from_axis_angle(found.poses[:, :-1].astype(np.float64)), own.parents)
    where = joint_places(turns, found.poses[:, -1].astype(np.float64), own.joints, own.parents)
    feet = [own.names.index(name) for name in ("LeftFoot", "RightFoot", "LeftToeBase", "RightToeBase")]
    assert where[:, feet, 1].min() == pytest.approx(own.joints[feet, 1].min(), abs=1e-6)


def test_a_bvh_that_blender_wrote_has_the_armature_s_bone_heads(tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy")
    from mathutils import Euler  # beside bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = bpy.data.armatures.new("rig")
    thing = bpy.data.objects.new("rig", armature)
    bpy.context.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    heads = {
        "hips": (0, 0, 1.0),
        "spine": (0, 0.1, 1.3),
        "arm.L": (0.2, 0.05, 1.5),
        "hand.L": (0.6, 0.0, 1.1),
        "leg.L": (0.1, 0, 0.9),
    }
    parents = {"spine": "hips", "arm.L": "spine", "hand.L": "arm.L", "leg.L": "hips"}
    for name, head in heads.items():
        bone = armature.edit_bones.new(name)
        bone.head = head
        bone.tail = (head[0] + 0.1, head[1] - 0.07, head[2] + 0.15)
        bone.roll = 0.3
        if name in parents:
            bone.parent = armature.edit_bones[parents[name]]
    bpy.ops.object.mode_set(mode="POSE")
    rng = np.random.default_rng(0)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 12
    for frame in (1, 5, 12):
        for bone in thing.pose.bones:
            bone.rotation_mode = "XYZ"
            bone.rotation_euler = Euler(rng.uniform(-1, 1, 3))
            bone.keyframe_insert("rotation_euler", frame=frame)
        thing.pose.bones["hips"].location = rng.uniform(-1, 1, 3)
        thing.pose.bones["hips"].keyframe_insert("location", frame=frame)
    bpy.ops.object.mode_set(mode="OBJECT")
    path = tmp_path / "blender.bvh"
    bpy.ops.export_anim.bvh(filepath=str(path), frame_start=1, frame_end=12, rotate_mode="NATIVE")
    clip = read_clip(path)
    assert clip.num_frames == 12
    found = places(clip)
    matrices = np.zeros((12, len(clip.names), 4, 4))
    for frame in range(1, 13):
        scene.frame_set(frame)
        for joint, name in enumerate(clip.names):
            bone = thing.pose.bones[name]
            assert np.abs(found[frame - 1, joint] - np.array(bone.head)).max() < 1e-4, (frame, name)
            matrices[frame - 1, joint] = np.array(bone.matrix)
    # the same by the evaluated matrices, as the extension reads them
    rest = np.array([np.array(armature.bones[name].matrix_local) for name in clip.names])
    assert clip.parents is not None
    direct = clip_from_matrices(clip.names, clip.parents.tolist(), rest, matrices, scene.render.fps, up="z")
    assert np.abs(places(direct) - found).max() < 1e-4
    turns = product(direct.rotations, inverse(clip.rotations))
    assert np.abs(to_axis_angle(turns)).max() < 1e-4


# --- JSON


def test_json_of_one_pose_and_of_frames(tmp_path: Path) -> None:
    own = cmu_skeleton()
    fields = {"joints": {"LeftArm": [0, 0, 1.2], "Head": [np.cos(0.2), np.sin(0.2), 0, 0]}, "translation": [0, 0.1, 0]}
    one = read_poses(written(tmp_path, json.dumps(fields), "one.json"), template_of(own)).poses
    assert one.shape == (1, len(own.names) + 1, 3)
    expected = np.zeros_like(one)
    expected[0, own.names.index("LeftArm")] = [0, 0, 1.2]
    expected[0, own.names.index("Head")] = [0.4, 0, 0]
    expected[0, -1] = [0, 0.1, 0]
    assert np.abs(one - expected).max() < 1e-6
    frames = {"frames": [{"joints": {"Head": [0, 0, 0]}}, fields], "frame_rate": 12}
    clip = read_json_poses(written(tmp_path, json.dumps(frames), "two.json"))
    assert clip.frame_rate == 12 and clip.num_frames == 2
    assert np.abs(read_poses(clip, template_of(own)).poses[1] - expected[0]).max() < 1e-6


def test_json_written_is_read_again(tmp_path: Path) -> None:
    clip = own_motion("dance")
    write_json_poses(tmp_path / "dance.json", clip)
    again = read_json_poses(tmp_path / "dance.json")
    assert again.names == clip.names and again.frame_rate == clip.frame_rate
    assert np.abs(places(again) - places(clip)).max() < 1e-12


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "found list"),
        ({}, "either 'joints'"),
        ({"joints": {}, "frames": []}, "either 'joints'"),
        ({"frames": []}, "found 0; record some"),
        ({"frames": [1]}, "list of objects"),
        ({"joint": {}}, "did you mean joints"),
        ({"joints": {"a": [0, 0]}}, "axis-angle"),
        ({"joints": {"a": [0, 0, "x"]}}, "3 numbers from"),
        ({"joints": {"a": [0, 0, True]}}, "3 numbers from"),
        ({"joints": {"a": [0, 0, [1]]}}, "3 numbers from"),
        ({"joints": {"a": [9, 0, 0, 0]}}, "length 1"),
        ({"joints": {"a": [0, 0, 1e300]}}, "3 numbers from"),
        ({"joints": {"": [0, 0, 0]}}, "1 to 200 characters"),
        ({"joints": {"a": [0, 0, 0]}, "translation": [0, 0]}, "translation"),
        ({"joints": {"a": [0, 0, 0]}, "translation": [0, 0, 1e9]}, "3 numbers from"),
        ({"joints": {"a": [0, 0, 0]}, "up": "x"}, "'y' or 'z'"),
        ({"joints": {"a": [0, 0, 0]}, "frame_rate": 0}, "frames a second"),
        ({"joints": {"a": [0, 0, 0]}, "parents": {"a": "b"}}, "a joint's name or null"),
        ({"joints": {"a": [0, 0, 0]}, "parents": {"a": "b", "b": "a"}}, "circle"),
        ({"joints": {"a": [0, 0, 0]}, "parents": {"a": None, "b": None}}, "one root"),
        ({"joints": {"a": [0, 0, 0]}, "rest_joints": {"b": [0, 0, 0]}}, "a place for every joint"),
        ({"joints": [1]}, "object by joint names"),
    ],
)
def test_wrong_json_is_refused_in_one_line(tmp_path: Path, fields: Any, message: str) -> None:
    path = written(tmp_path, json.dumps(fields), "pose.json")
    with pytest.raises(PoseError, match=message) as caught:
        read_json_poses(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ['{"joints": {"a": [0, 0, NaN]}}', "[" * 100_000, "{", '{"joints": {"a": [0, 0, 1' + "0" * 5000 + "]}}"]
)
def test_text_that_is_no_sane_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PoseError):
        read_json_poses(written(tmp_path, text, "pose.json"))
    (tmp_path / "latin.json").write_bytes(b'{"joints": {"\xe9": [0, 0, 0]}}')
    with pytest.raises(PoseError, match="UTF-8"):
        read_json_poses(tmp_path / "latin.json")


# --- npz


def test_npz_of_our_own(tmp_path: Path) -> None:
    own = cmu_skeleton()
    angles = random_rotations(5, len(own.names), seed=0)
    moved = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    path = tmp_path / "poses.npz"
    np.savez_compressed(path, rotations=angles, names=np.array(own.names), translation=moved, frame_rate=24.0)
    found = read_poses(path, template_of(own))
    assert found.frame_rate == 24
    assert np.abs(found.poses - np.concatenate([angles, moved[:, None]], axis=1)).max() < 1e-6
    np.savez(path, rotations=from_axis_angle(angles), names=np.array(own.names), translation=moved)
    assert np.abs(read_poses(path, template_of(own)).poses - found.poses).max() < 1e-6


def test_npz_of_aist_and_amass(tmp_path: Path) -> None:
    """The same standing person with the left arm lowered, once with y up, once with z up."""
    own = cmu_skeleton()
    poses = np.zeros((2, 24, 3))
    poses[:, 16] = (0.0, 0.0, -np.pi / 2)
    trans = np.array([[1.0, 1.2, 3.0], [1.0, 1.3, 3.5]])
    np.savez(tmp_path / "aist.npz", smpl_poses=poses.reshape(2, 72), smpl_trans=90 * trans, smpl_scaling=np.array([90.0]))
    upright = np.zeros((2, 52, 3))
    upright[:, :22] = poses[:, :22]
    upright[:, 0] = (np.pi / 2, 0.0, 0.0)
    standing = np.array([[1.0, -3.0, 1.2], [1.0, -3.5, 1.3]])
    np.savez(tmp_path / "amass.npz", poses=upright.reshape(2, 156), trans=standing, mocap_framerate=120.0)
    aist, amass = (read_poses(tmp_path / f"{name}.npz", template_of(own)) for name in ("aist", "amass"))
    assert (aist.frame_rate, amass.frame_rate) == (60, 120)
    assert np.abs(aist.poses - amass.poses).max() < 1e-6
    scale = (own.joints[0, 1] - own.joints[own.names.index("LeftFoot"), 1]) / 0.87
    assert np.diff(aist.poses[:, -1], axis=0)[0] == pytest.approx([0, 0.1 * scale, 0.5 * scale], abs=1e-6)
    assert aist.poses[0, -1, [0, 2]] == pytest.approx([0, 0], abs=1e-6)  # it begins above the origin


def test_wrong_npz_files_are_refused_in_one_line(tmp_path: Path) -> None:
    good: dict[str, Any] = {"rotations": np.zeros((2, 2, 3)), "names": np.array(["a", "b"])}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"rotations": np.full((2, 2, 3), np.nan)}, "NaN"),
        ({"rotations": np.zeros((2, 2, 5))}, "3 or 4"),
        ({"rotations": np.zeros((2, 3, 3))}, "rotations: expected shape"),
        ({"rotations": np.zeros((0, 2, 3))}, "found 0"),
        ({"rotations": np.array([["x"]])}, "expected numbers"),
        ({"rotations": np.array([[{}]], dtype=object)}, "without objects"),
        ({"names": np.array(["a", "a"])}, "twice"),
        ({"names": np.array([1, 2])}, "list of texts"),
        ({"names": np.array(["a", 2], dtype=object)}, "without objects"),
        ({"translation": np.zeros((3, 3))}, "translation: expected shape"),
        ({"parents": np.array([-1, 5])}, "one tree"),
        ({"parents": np.array([0, -1])}, "one tree"),
        ({"parents": np.array([np.nan, 0])}, "NaN"),
        ({"frame_rate": np.nan}, "NaN"),
        ({"frame_rate": np.ones(2)}, "one number"),
        ({"up": np.array("x")}, "'y' or 'z'"),
    ]
    path = tmp_path / "poses.npz"
    for change, message in cases:
        np.savez(path, **{**good, **change})
        with pytest.raises(PoseError, match=message) as caught:
            read_clip(path)
        assert "\n" not in str(caught.value)
    for fields, message in (
        ({"poses": np.zeros((2, 70))}, "72 or 156 or 165"),
        ({"x": np.zeros(2)}, "expected rotations and names"),
    ):
        np.savez(path, **fields)
        with pytest.raises(PoseError, match=message):
            read_clip(path)


def test_damaged_npz_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    np.savez_compressed(path, rotations=random_rotations(20, 2, 0), names=np.array(["a", "b"]))
    raw = path.read_bytes()
    for cut in range(0, len(raw), 41):
        path.write_bytes(raw[:cut])
        with pytest.raises(PoseError):
            read_clip(path)
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(PoseError, match=r"expected an \.npz"):
        read_clip(path)
    # a header that claims far more than there is
    with zipfile.ZipFile(path, "w") as archive:
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 24, 3), }\n"
        archive.writestr("rotations.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"\0" * 64)
        archive.writestr("names.npy", b"")
    with pytest.raises(PoseError, match="rotations"):
        read_clip(path)


# --- frames and rates


def test_frames_are_chosen_and_resampled() -> None:
    assert parse_frames("1:60") == (1, 60) and parse_frames("7") == (7, 7)
    for text in ("0:3", "5:2", "a", "1:2:3", "", "-1", "1:99999999"):
        with pytest.raises(UsageError, match=re.escape("frames: expected a range")):
            parse_frames(text)
    clip = own_motion("walk")
    assert np.array_equal(frames_of(clip, 3, 5).rotations, clip.rotations[2:5])
    with pytest.raises(PoseError, match="some of the clip's 32 frames"):
        frames_of(clip, 30, 33)
    twice = resampled(clip, 60)
    assert twice.num_frames == 63 and twice.frame_rate == 60
    assert np.abs(np.abs(np.sum(twice.rotations[::2] * clip.rotations, axis=-1)) - 1).max() < 1e-12
    assert np.abs(resampled(twice, 30).translation - clip.translation).max() < 1e-12
    assert resampled(clip, 7.5).num_frames == 8
    with pytest.raises(PoseError, match="frames a second"):
        resampled(clip, float("nan"))
    slow = PoseClip(clip.names, clip.rotations, clip.translation, frame_rate=0.01)
    with pytest.raises(PoseError, match="cut the clip"):
        resampled(slow, 10_000)


# --- rotations


def test_rotations_agree_with_their_matrices() -> None:
    rng = np.random.default_rng(0)
    first, second = (from_axis_angle(rng.uniform(-3, 3, (50, 3))) for _ in range(2))
    vectors = rng.normal(size=(50, 3))
    assert np.abs(turned(first, vectors) - np.einsum("nij,nj->ni", to_matrices(first), vectors)).max() < 1e-12
    assert np.abs(to_matrices(product(first, second)) - to_matrices(first) @ to_matrices(second)).max() < 1e-12
    again = from_matrices(to_matrices(first))
    assert np.abs(np.abs(np.sum(again * first, axis=-1)) - 1).max() < 1e-12
    assert np.abs(from_axis_angle(to_axis_angle(first)) - np.where(first[:, :1] < 0, -first, first)).max() < 1e-12
    half = slerp(first, second, 0.5)
    assert np.abs(np.abs(np.sum(half * first, axis=-1)) - np.abs(np.sum(half * second, axis=-1))).max() < 1e-12
    assert from_matrices(np.diag([1.0, -1.0, -1.0])) == pytest.approx([0, 1, 0, 0])


def test_turns_between_directions() -> None:
    x, y = np.array([1.0, 0, 0]), np.array([0.0, 2, 0])
    assert turned(between(x, y), x) == pytest.approx([0, 1, 0])
    assert turned(between(x, -x), x) == pytest.approx([-1, 0, 0])
    assert between(x, np.zeros(3)) == pytest.approx([1, 0, 0, 0])
    turn = from_axis_angle(np.array([0.3, -1.2, 2.0]))
    starts = np.random.default_rng(0).normal(size=(4, 3))
    assert np.abs(np.sum(best_rotation(starts, turned(turn, starts)) * turn)) == pytest.approx(1)
