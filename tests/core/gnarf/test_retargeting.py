"""Poses carried from one skeleton to another: the same body under other names, in another rest pose, with other chains."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.errors import PoseError
from dnerf_core.gnarf.body.posing import joint_motions, skin
from dnerf_core.gnarf.body.template import Template
from dnerf_core.poses.bone_map import bone_map_between, read_bone_map, write_bone_map
from dnerf_core.poses.clip import PoseClip, global_rotations, joint_places
from dnerf_core.poses.motions import MOTIONS, own_motion
from dnerf_core.poses.reading import read_poses
from dnerf_core.poses.retargeting import retargeted
from dnerf_core.poses.roles import roles_of, side_and_base
from dnerf_core.poses.rotations import Array, from_axis_angle, from_matrices, inverse, product, turned
from dnerf_core.poses.skeleton import Skeleton, skeleton_of
from tests.core.gnarf.rigs import cmu_skeleton, random_rotations, renamed, template_of

ROOT = Path(__file__).resolve().parents[3]


def posed_vertices(template: Template, poses: np.ndarray) -> np.ndarray:
    pose = torch.from_numpy(poses).double()
    motions = joint_motions(pose, torch.from_numpy(template.joints).double()[None], template.parents.tolist())
    points = torch.from_numpy(template.vertices).double()[None]
    return skin(points, torch.from_numpy(template.weights).double(), motions, pose[:, -1]).numpy()


def clip_of(skeleton: Skeleton, axis_angles: np.ndarray, translation: np.ndarray | None = None) -> PoseClip:
    moved = np.zeros((len(axis_angles), 3)) if translation is None else translation
    return PoseClip(skeleton.names, from_axis_angle(axis_angles), moved, skeleton.parents, skeleton.joints).checked()


def places_of(poses: np.ndarray, skeleton: Skeleton) -> Array:
    """Joints [F, K, 3] of a template's poses, by the posing that is written for any clip."""
    turns = global_rotations(from_axis_angle(poses[:, :-1].astype(np.float64)), skeleton.parents)
    return joint_places(turns, poses[:, -1].astype(np.float64), skeleton.joints, skeleton.parents)


def angles_deg(first: Array, second: Array) -> Array:
    first = first / np.linalg.norm(first, axis=-1, keepdims=True)
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(first - second, axis=-1) / 2, 0, 1)))


def bones_of(places: Array, skeleton: Skeleton) -> Array:
    """Vectors from each joint's parent to it, of bones that have a length."""
    ends = [
        joint
        for joint, parent in enumerate(skeleton.parents)
        if parent >= 0 and np.ptp(skeleton.joints[[joint, parent]], 0).max() > 1e-6
    ]
    return places[:, ends] - places[:, skeleton.parents[ends]]


def rest_posed(skeleton: Skeleton, degrees: dict[str, tuple[float, float, float]]) -> tuple[Skeleton, Array]:
    """The same body in another rest pose, and the global rotations [K, 4] that led to it."""
    turns = np.zeros((1, len(skeleton.names), 3))
    for name, angles in degrees.items():
        turns[0, skeleton.names.index(name)] = np.radians(angles)
    globals_ = global_rotations(from_axis_angle(turns), skeleton.parents)
    joints = joint_places(globals_, np.zeros((1, 3)), skeleton.joints, skeleton.parents)[0]
    return Skeleton(skeleton.names, skeleton.parents, joints), globals_[0]


T_POSE = {"LeftArm": (0.0, 0.0, 48.0), "RightArm": (0.0, 0.0, -48.0), "LeftForeArm": (0.0, 30.0, 0.0)}
SPREAD = {**T_POSE, "LeftUpLeg": (4.0, 0.0, 17.0), "RightUpLeg": (-6.0, 0.0, -17.0), "LowerBack": (8.0, 0.0, 0.0)}


@pytest.mark.parametrize("custom", ["mixamo", "smpl", "blender"])
def test_the_same_skeleton_under_other_names_gives_the_same_vertices(custom: str) -> None:
    template = template_of(cmu_skeleton())
    own = cmu_skeleton()
    angles = random_rotations(8, len(own.names), seed=1, largest_rad=1.2)
    moved = np.random.default_rng(2).normal(size=(8, 3))
    expected = posed_vertices(template, np.concatenate([angles, moved[:, None]], axis=1))
    found = read_poses(clip_of(renamed(own, custom), angles, moved), template)
    assert found.poses.dtype == np.float32 and found.poses.shape == (8, len(own.names) + 1, 3)
    assert not found.bone_map.unmapped_target
    assert np.abs(posed_vertices(template, found.poses) - expected).max() < 1e-5


@pytest.mark.parametrize("rest", [T_POSE, SPREAD])
def test_another_rest_pose_of_the_same_body_gives_the_same_bone_directions(rest: dict[str, tuple[float, float, float]]) -> None:
    own = cmu_skeleton()
    other, held = rest_posed(own, rest)
    angles = random_rotations(8, len(own.names), seed=3)
    wanted = clip_of(own, angles)
    turns = global_rotations(wanted.rotations, own.parents)
    expected = bones_of(joint_places(turns, wanted.translation, own.joints, own.parents), own)
    # the same posture, told from the other rest pose: global rotations times the inverse of what led there
    told = product(turns, inverse(np.broadcast_to(held, turns.shape)))
    local = told.copy()
    for joint, parent in enumerate(own.parents):
        if parent >= 0:
            local[:, joint] = product(inverse(told[:, parent]), told[:, joint])
    source = renamed(other, "mixamo")
    clip = PoseClip(source.names, local, wanted.translation, source.parents, source.joints).checked()
    found = retargeted(clip, own).poses
    worst = angles_deg(bones_of(places_of(found, own), own), expected).max()
    assert worst < 0.5, worst
    # and the fixture tells: without the rest poses respected, arms would be off by what lies between them
    naive = np.concatenate([np.zeros((8, len(own.names), 3)), np.zeros((8, 1, 3))], axis=1)
    assert angles_deg(bones_of(places_of(naive, own), own), expected).max() > 20


def test_a_t_posed_rest_leaves_the_arms_of_an_a_posed_template_horizontal() -> None:
    own = cmu_skeleton()
    other, _ = rest_posed(own, T_POSE)
    clip = clip_of(renamed(other, "smpl"), np.zeros((1, len(own.names), 3)))
    places = places_of(retargeted(clip, own).poses, own)[0]
    arm = places[own.names.index("LeftForeArm")] - places[own.names.index("LeftArm")]
    assert angles_deg(arm, np.array([1.0, 0.0, 0.0])) < 1.0
    assert angles_deg(own.joints[own.names.index("LeftForeArm")] - own.joints[own.names.index("LeftArm")], arm) > 45


def test_files_without_a_rest_pose_are_taken_to_stand_in_a_t() -> None:
    """The names alone are known, as of SMPL: no rotation at all is a T pose; an arm lowered by 90 degrees hangs."""
    own = cmu_skeleton()
    names = ("pelvis", "left_hip", "left_knee", "left_shoulder", "left_elbow", "left_wrist", "spine1", "neck", "head")
    turns = np.zeros((2, len(names), 3))
    turns[1, names.index("left_shoulder")] = (0.0, 0.0, -np.pi / 2)
    clip = PoseClip(names, from_axis_angle(turns), np.zeros((2, 3))).checked()
    found = read_poses(clip, template_of(own))
    assert any("T pose" in remark for remark in found.remarks)
    places = places_of(found.poses, own)
    for frame, direction in ((0, [1.0, 0.0, 0.0]), (1, [0.0, -1.0, 0.0])):
        for end, start in (("LeftForeArm", "LeftArm"), ("LeftHand", "LeftForeArm")):
            bone = places[frame, own.names.index(end)] - places[frame, own.names.index(start)]
            assert angles_deg(bone, np.array(direction)) < 0.5


def test_a_world_with_z_up_is_stood_upright() -> None:
    own = cmu_skeleton()
    axes = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # x, -z, y: Blender's person, facing -y
    turn = from_matrices(axes)
    angles, moved = random_rotations(4, len(own.names), seed=5), np.random.default_rng(1).normal(size=(4, 3))
    spun = product(product(np.broadcast_to(turn, (4, len(own.names), 4)), from_axis_angle(angles)), inverse(turn))
    source = renamed(own, "blender")
    clip = PoseClip(source.names, spun, moved @ axes.T, source.parents, own.joints @ axes.T, up="z").checked()
    expected = np.concatenate([angles, moved[:, None]], axis=1).astype(np.float32)
    assert np.abs(places_of(retargeted(clip, own).poses, own) - places_of(expected, own)).max() < 1e-5


def test_a_taller_source_moves_as_far_as_its_hips_are_high() -> None:
    own = cmu_skeleton()
    tall = Skeleton(renamed(own, "smpl").names, own.parents, 100 * own.joints)  # centimetres
    moved = np.array([[30.0, -5.0, 120.0]])
    found = retargeted(clip_of(tall, np.zeros((1, len(own.names), 3)), moved), own).poses
    assert np.abs(found[0, -1] - moved[0] / 100).max() < 1e-6
    assert np.abs(found[0, :-1]).max() < 1e-6
    in_height = retargeted(clip_of(tall, np.zeros((1, len(own.names), 3)), moved), own, travel="height").poses
    assert np.abs(in_height[0, -1] - [0.0, -0.05, 0.0]).max() < 1e-6
    on_the_spot = retargeted(clip_of(tall, np.zeros((1, len(own.names), 3)), moved), own, travel="none").poses
    assert np.abs(on_the_spot[0, -1]).max() < 1e-6


def test_hips_below_a_root_carry_the_body() -> None:
    """Unreal: the root stays, the pelvis moves within its frame."""
    own = cmu_skeleton()
    source = renamed(own, "smpl")
    names = ("root", *source.names)
    joints = np.concatenate([[[0.0, -0.8, 0.0]], own.joints])
    parents = np.array([-1, *(source.parents + 1)], np.int32)
    rotations = np.zeros((2, len(names), 4))
    rotations[..., 0] = 1.0
    rotations[1, 0] = from_axis_angle(np.array([0.0, np.pi / 2, 0.0]))
    shift = np.array([[0.0, -0.1, 0.3], [0.0, -0.1, 0.3]])
    clip = PoseClip(names, rotations, np.zeros((2, 3)), parents, joints, shifts={1: shift}).checked()
    found = retargeted(clip, own).poses
    hips = places_of(found, own)[:, 0]
    assert np.abs(hips[0] - own.joints[0] - [0.0, -0.1, 0.3]).max() < 1e-6
    # the root has turned to the left, so what lay before it lies at +x
    assert np.abs(hips[1] - [0.01 + 0.3, -0.1, 0.0]).max() < 1e-6
    assert np.abs(found[1, 0] - [0.0, np.pi / 2, 0.0]).max() < 1e-6


def test_a_spine_of_one_joint_bends_a_spine_of_three_evenly() -> None:
    own = cmu_skeleton()
    names = ("root", "chest", "neck", "right_hip", "right_knee", "left_hip", "left_knee", "right_shoulder", "left_shoulder")
    turns = np.zeros((1, len(names), 3))
    turns[0, 1] = (np.radians(30), 0.0, 0.0)
    found = read_poses(PoseClip(names, from_axis_angle(turns), np.zeros((1, 3))).checked(), template_of(own))
    spine = [own.names.index(name) for name in ("LowerBack", "Spine", "Spine1")]
    assert np.degrees(found.poses[0, spine, 0]) == pytest.approx([10, 10, 10], abs=1e-3)
    assert found.bone_map.sources["LowerBack"] == (("root", pytest.approx(2 / 3)), ("chest", pytest.approx(1 / 3)))
    assert ("Spine1", "chest") in found.bone_map.rows()


def test_what_has_no_place_is_told() -> None:
    own = cmu_skeleton()
    names = ("pelvis", "left_hip", "left_knee", "spine1", "tail")
    found = read_poses(
        PoseClip(names, from_axis_angle(np.zeros((1, 5, 3))), np.zeros((1, 3)), np.array([-1, 0, 1, 0, 0], np.int32)),
        template_of(own),
    )
    assert found.bone_map.unmapped_source == ("tail",)
    assert "RightArm" in found.bone_map.unmapped_target
    assert ("-", "tail") in found.bone_map.rows()


def test_the_map_is_written_edited_and_read(tmp_path: Path) -> None:
    own = cmu_skeleton()
    source = renamed(own, "smpl")
    angles = random_rotations(2, len(own.names), seed=4)
    clip = clip_of(source, angles)
    path = tmp_path / "map.json"
    write_bone_map(path, bone_map_between(source, own))
    assert read_bone_map(path, source, own) == bone_map_between(source, own)
    text = path.read_text("utf-8").replace('["left_wrist", "LeftHand"],', "")
    path.write_text(text.replace('["head", "Head"]', '["neck", "Head", 0.5], ["head", "Head", 0.5]'), "utf-8")
    found = read_poses(clip, template_of(own), bone_map=path)
    assert found.bone_map.unmapped_target == ("LeftHand",)
    assert np.abs(found.poses[:, own.names.index("LeftHand")]).max() < 1e-6
    assert found.bone_map.sources["Head"] == (("neck", 0.5), ("head", 0.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "found list"),
        ('{"pairs": []}', "expected a bone map"),
        ('{"datasetnerf_bone_map": 1, "pairs": []}', "at least one pair"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis"]]}', "expected pairs"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvs", "Hips"]]}', "did you mean pelvis"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis", "hip"]]}', "joint of the target"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis", "Hips", 0]]}', "share above 0"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis", "Hips", 0.5]]}', "add up to 1"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis", "Hips"], ["head", "Hips"]]}', "add up to 1"),
        ('{"datasetnerf_bone_map": 1, "pairs": [["pelvis", "Hips", true]]}', "share above 0"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(text, "utf-8")
    with pytest.raises(PoseError, match=message) as caught:
        read_bone_map(path, renamed(cmu_skeleton(), "smpl"), cmu_skeleton())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", MOTIONS)
def test_own_motions_stand_on_the_floor_and_end_where_they_begin(name: str) -> None:
    clip = own_motion(name)
    own = cmu_skeleton()
    places = places_of(retargeted(clip, own).poses, own)
    feet = [own.names.index(side + bone) for side in ("Left", "Right") for bone in ("Foot", "ToeBase")]
    lowest = places[:, feet, 1].min(axis=1) - own.joints[feet, 1].min()
    assert np.abs(lowest).max() < 0.03
    steps = np.linalg.norm(np.diff(places, axis=0, append=places[:1]), axis=-1)
    assert steps.max() < 0.12  # the last frame leads to the first as any to the next
    assert steps.max() > 0.005


def test_the_walk_swings_arms_against_legs() -> None:
    own = cmu_skeleton()
    places = places_of(retargeted(own_motion("walk"), own).poses, own)
    at = own.names.index
    left, right = places[:, at("LeftFoot"), 2], places[:, at("RightFoot"), 2]
    hand = places[:, at("LeftHand"), 2]
    assert np.ptp(left) > 0.4
    assert np.abs(left - np.roll(right, 16)).max() < 1e-6  # half a cycle later the other foot does the same
    assert np.corrcoef(left, hand)[0, 1] < -0.5


def test_nothing_known_is_refused_in_one_line() -> None:
    clip = PoseClip(("a", "b"), from_axis_angle(np.zeros((1, 2, 3))), np.zeros((1, 3))).checked()
    with pytest.raises(PoseError, match="expected joint names of a known kind"):
        read_poses(clip, template_of(cmu_skeleton()))
    known = replace(clip, parents=np.array([-1, 0], np.int32), rest_joints=np.array([[0.0, 0, 0], [0, 1, 0]]))
    with pytest.raises(PoseError, match="match none of"):
        read_poses(known, template_of(cmu_skeleton()))


# --- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mixamorig:LeftUpLeg", ("left", "upleg")),
        ("mixamorig1:RightHandIndex1", ("right", "handindex1")),
        ("mixamorigLeftArm", ("left", "arm")),
        ("DEF-upper_arm.L.001", ("left", "upperarm001")),
        ("ORG-spine.003", ("", "spine003")),
        ("thigh_r", ("right", "thigh")),
        ("LHipJoint", ("left", "hipjoint")),
        ("lShldr", ("left", "shldr")),
        ("Bip01 L Thigh", ("left", "thigh")),
        ("m_avg_R_Elbow", ("right", "elbow")),
        ("LowerBack", ("", "lowerback")),
        ("ROOT", ("", "root")),
        ("RightHand", ("right", "hand")),
        ("finger2-1.L", ("left", "finger21")),
        ("Armature|left_wrist", ("left", "wrist")),
    ],
)
def test_sides_and_bases_of_names(name: str, expected: tuple[str, str]) -> None:
    assert side_and_base(name) == expected


RIGS = {
    "unreal": (
        "root<- pelvis<root spine_01<pelvis spine_02<spine_01 spine_03<spine_02 clavicle_l<spine_03 upperarm_l<clavicle_l "
        "lowerarm_l<upperarm_l upperarm_twist_01_l<upperarm_l hand_l<lowerarm_l index_01_l<hand_l neck_01<spine_03 head<neck_01 "
        "thigh_l<pelvis calf_l<thigh_l foot_l<calf_l ball_l<foot_l thigh_r<pelvis",
        {"root": "root", "hips": "pelvis", "left_upper_arm": "upperarm_l", "left_forearm": "lowerarm_l", "left_shin": "calf_l"}
        | {"left_toe": "ball_l", "left_index_1": "index_01_l", "head": "head", "left_clavicle": "clavicle_l"},
        ("spine_01", "spine_02", "spine_03"),
        ("neck_01",),
    ),
    "rigify": (
        "spine<- spine.001<spine spine.002<spine.001 spine.003<spine.002 spine.004<spine.003 spine.005<spine.004 spine.006<spine.005 "
        "shoulder.L<spine.003 upper_arm.L<shoulder.L forearm.L<upper_arm.L hand.L<forearm.L f_index.01.L<hand.L shoulder.R<spine.003 "
        "pelvis.L<spine thigh.L<spine shin.L<thigh.L foot.L<shin.L toe.L<foot.L heel.02.L<foot.L thigh.R<spine",
        {"hips": "spine", "head": "spine.006", "left_clavicle": "shoulder.L", "left_upper_arm": "upper_arm.L"}
        | {"left_toe": "toe.L", "left_hip_joint": "pelvis.L", "left_index_1": "f_index.01.L"},
        ("spine.001", "spine.002", "spine.003"),
        ("spine.004", "spine.005"),
    ),
    "makehuman": (
        "root<- spine05<root spine04<spine05 spine03<spine04 spine02<spine03 spine01<spine02 neck01<spine01 neck02<neck01 "
        "head<neck02 clavicle.L<spine01 shoulder01.L<clavicle.L upperarm01.L<shoulder01.L upperarm02.L<upperarm01.L "
        "lowerarm01.L<upperarm02.L lowerarm02.L<lowerarm01.L wrist.L<lowerarm02.L finger2-1.L<wrist.L clavicle.R<spine01 "
        "pelvis.L<root upperleg01.L<pelvis.L upperleg02.L<upperleg01.L lowerleg01.L<upperleg02.L foot.L<lowerleg01.L "
        "toe1-1.L<foot.L pelvis.R<root upperleg01.R<pelvis.R",
        {"hips": "root", "left_thigh": "upperleg01.L", "left_upper_arm": "upperarm01.L", "left_hand": "wrist.L"}
        | {"left_index_1": "finger2-1.L", "left_clavicle": "clavicle.L", "left_foot": "foot.L", "head": "head"},
        ("spine05", "spine04", "spine03", "spine02", "spine01"),
        ("neck01", "neck02"),
    ),
}


@pytest.mark.parametrize("rig", RIGS)
def test_roles_of_known_rigs(rig: str) -> None:
    text, expected, spine, neck = RIGS[rig]
    pairs = [word.split("<") for word in text.split()]
    names = [name for name, _ in pairs]
    parents = np.array([-1 if parent == "-" else names.index(parent) for _, parent in pairs], np.int32)
    roles = roles_of(names, parents)
    assert {role: names[roles.joint_by_role[role]] for role in expected} == expected
    assert tuple(names[joint] for joint in roles.spine) == spine
    assert tuple(names[joint] for joint in roles.neck) == neck
    twists = [joint for joint, name in enumerate(names) if "twist" in name or "heel" in name or name.endswith("02.L")]
    assert not set(twists) & set(roles.joint_by_role.values())


def test_of_a_rig_that_rigify_made_the_deforming_bones_count() -> None:
    """Controls are called hips, chest and head, too; deforming bones hang on bones of the mechanism."""
    text = (
        "root<- hips<root chest<root head<root ORG-spine<root ORG-shoulder.L<root DEF-spine<root DEF-spine.001<DEF-spine "
        "DEF-spine.002<DEF-spine.001 DEF-spine.003<DEF-spine.002 DEF-thigh.L<ORG-spine DEF-thigh.R<ORG-spine DEF-thigh.L.001<DEF-thigh.L "
        "ORG-spine.002<root DEF-shoulder.L<ORG-spine.002 DEF-upper_arm.L<ORG-shoulder.L DEF-shoulder.R<ORG-spine.002 upper_arm_ik.L<root"
    )
    pairs = [word.split("<") for word in text.split()]
    names = [name for name, _ in pairs]
    roles = roles_of(names, np.array([-1 if parent == "-" else names.index(parent) for _, parent in pairs], np.int32))
    found = {role: names[joint] for role, joint in roles.joint_by_role.items()}
    assert (found["hips"], found["head"]) == ("DEF-spine", "DEF-spine.003")
    assert (found["left_thigh"], found["left_upper_arm"]) == ("DEF-thigh.L", "DEF-upper_arm.L")
    assert [names[joint] for joint in roles.spine] == ["DEF-spine.001", "DEF-spine.002"]


def test_poses_are_read_without_torch() -> None:
    code = "import sys, dnerf_core.poses.reading as r; print(len(r.read_clip('walk').names), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-E", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["21", "False"]


def test_skeletons_of_templates_are_float64() -> None:
    assert skeleton_of(template_of(cmu_skeleton())).joints.dtype == np.float64
    vector = np.array([0.0, 0.0, 1.0])
    assert turned(from_axis_angle(np.array([0.0, np.pi / 2, 0.0])), vector) == pytest.approx([1.0, 0.0, 0.0])
