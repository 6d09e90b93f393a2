"""Subjects that move, under pip's bpy with a real worker: the model's own armature, views, videos, clouds and meshes in its poses."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import ENGINE_PYTHON, REPOSITORY, enabled_addon  # noqa: E402
from tests.blender.armatures import build_armature, turn_bones  # noqa: E402
from tests.blender.small_person import SCALE  # noqa: E402
from tests.blender.test_editing import repaint  # noqa: E402
from tests.blender.test_operators import failed, finished, pixels  # noqa: E402
from tests.blender.test_pose import bone_heads, pose_of  # noqa: E402
from tests.blender.warm_engine import WarmEngine  # noqa: E402
from tests.core.gnarf.rigs import cmu_skeleton, renamed  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
BODY = cmu_skeleton()


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([ENGINE_PYTHON, "-m", "tests.blender.small_person", str(folder)], cwd=REPOSITORY, check=True, timeout=120)
    return folder / "person.safetensors"


@pytest.fixture
def session(tmp_path: Path, model_path: Path, warm_engine: WarmEngine) -> Iterator[ModuleType]:
    with enabled_addon(warm_engine.script(tmp_path)) as module:
        settings = bpy.context.scene.dnerf
        settings.model_kind, settings.model_path, settings.seed = "FILE", str(model_path), 3
        settings.views_folder, settings.video_folder = str(tmp_path / "views"), str(tmp_path / "videos")
        settings.camera_count, settings.size_px, settings.own_pitch, settings.own_yaw = 1, 64, True, False
        settings.yaw_first_deg = settings.yaw_last_deg = 10
        settings.pack_views = True
        bpy.context.scene.render.fps = 24
        yield module


def asked(session: ModuleType, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What the worker answers to a request of the test's own."""
    answers: list[dict[str, Any]] = []
    current = session.current()
    current.ready_client()
    current.ask(method, params, answers.append, on_error=lambda fault: pytest.fail(fault.message))
    assert current.wait(60)
    return answers[0]


def edited_side() -> int:
    return int(bpy.data.images["s0003_edit"].size[0])


def stored_pose(path: Path) -> np.ndarray:
    """The pose in a subject file, [K + 1, 3]."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])["subject.pose"]
    first, last = entry["data_offsets"]
    assert entry["dtype"] == "F32"
    return np.frombuffer(data[8 + length :][first:last], "<f4").reshape(-1, 3)


def add_person(session: ModuleType) -> Any:
    assert "walking; it moves the subject" in finished(session, bpy.ops.dnerf.add_person())
    return bpy.context.scene.dnerf.pose_armature


def test_the_models_own_armature_walks_as_the_motion_says(session: ModuleType, model_path: Path) -> None:
    scene = bpy.context.scene
    scene.frame_start = 5
    item = add_person(session)
    assert [(row.name, row.bone) for row in scene.dnerf.pose_rows] == [(name, name) for name in BODY.names]
    heads = np.array([item.data.bones[name].head_local for name in BODY.names])
    np.testing.assert_allclose(heads, SCALE * BODY.joints[:, [0, 2, 1]] * [1, -1, 1], atol=1e-5)
    assert min(bone.length for bone in item.data.bones) > 0.02
    for below, above in (("LeftLeg", "LeftUpLeg"), ("Head", "Neck1"), ("LeftForeArm", "LeftArm"), ("LowerBack", "Hips")):
        np.testing.assert_allclose(item.data.bones[above].tail_local, item.data.bones[below].head_local, atol=1e-5)
    walk = asked(session, "motion", {"model": str(model_path), "motion": "walk", "fps": 24})
    poses = session.current().array(walk["poses"])
    for index in (0, 7, 20):
        scene.frame_set(5 + index)
        np.testing.assert_allclose(pose_of(scene).ravel(), poses[index], atol=2e-2)  # between keys of 30 frames a second
    scene.frame_set(5 + 24 * 32 // 30, subframe=24 * 32 / 30 % 1)
    np.testing.assert_allclose(pose_of(scene).ravel(), poses[0], atol=1e-3)  # it goes on from its beginning
    scene.frame_set(5 + 240)
    turned = np.abs(pose_of(scene)).max()
    assert turned > 0.1


def test_views_and_clouds_are_of_the_pose(session: ModuleType, model_path: Path) -> None:
    scene = bpy.context.scene
    finished(session, bpy.ops.dnerf.render_views())
    rest = pixels(bpy.data.images["s0003_v00"])
    item = build_armature(scene, renamed(BODY, "mixamo"), seed=1)
    scene.dnerf.pose_armature = item
    finished(session, bpy.ops.dnerf.render_views())
    assert np.abs(pixels(bpy.data.images["s0003_v00"]).astype(int) - rest).mean() < 0.2, (
        "the rest pose by another skeleton's rest"
    )
    turn_bones(item, 3)
    finished(session, bpy.ops.dnerf.render_views())
    from blender_addon.model_facts import known_facts
    from blender_addon.viewpoints import CameraPath

    camera = CameraPath.of_panel(scene).cameras(known_facts(scene))[0].to_json()
    subject = {"model": str(model_path), "seed": 3, "truncation": 1.0, "pose": pose_of(scene).ravel().tolist()}
    current = session.current()
    parts: list[dict[str, Any]] = []
    request = {**subject, "cameras": [camera], "size_px": 64, "channels": ["rgb"]}
    current.ask("render", request, lambda _: None, on_part=parts.append, on_error=lambda fault: pytest.fail(fault.message))
    assert current.wait(60)
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_v00"]), current.array(parts[0]["rgb"]))
    posed = pixels(bpy.data.images["s0003_v00"])
    assert np.abs(posed.astype(int) - rest).mean() > 2
    # the view to edit is of the same pose, and both are what they are when they are rendered anew
    finished(session, bpy.ops.dnerf.place_cameras())
    finished(session, bpy.ops.dnerf.edit_mask())
    from blender_addon.edit_view import edit_view

    request = {**subject, "cameras": [edit_view(scene).camera.to_json()], "size_px": edited_side(), "channels": ["rgb"]}
    current.ask("render", request, lambda _: None, on_part=parts.append, on_error=lambda fault: pytest.fail(fault.message))
    assert current.wait(60)
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_edit"]), current.array(parts[1]["rgb"]))
    from blender_addon.model_facts import with_facts
    from blender_addon.operators.anew import _show_views_again

    edited = pixels(bpy.data.images["s0003_edit"])
    from blender_addon.scene.views import refill

    for name in ("s0003_v00", "s0003_edit"):
        refill(bpy.data.images[name], np.zeros((*bpy.data.images[name].size, 3), np.uint8))
    with_facts(scene, "again", _show_views_again)
    assert finished(session, {"FINISHED"}) == "s0003: its views are shown again"
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_v00"]), posed)
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_edit"]), edited)
    scene.dnerf.cloud_views, scene.dnerf.cloud_points = 4, 500
    finished(session, bpy.ops.dnerf.fuse_cloud())
    points = np.array([vertex.co for vertex in bpy.context.active_object.data.vertices])
    heads = SCALE * bone_heads(item, renamed(BODY, "mixamo").names) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    apart = np.linalg.norm(points[:, None] - heads[None], axis=2).min(axis=1)
    assert np.percentile(apart, 95) < 0.25


def test_an_edit_is_of_the_pose_in_which_its_mask_was_painted(session: ModuleType, tmp_path: Path) -> None:
    scene = bpy.context.scene
    settings = scene.dnerf
    settings.subjects_folder, settings.edit_steps = str(tmp_path / "subjects"), 2
    finished(session, bpy.ops.dnerf.load_model())
    item = build_armature(scene, renamed(BODY, "mixamo"), seed=1)
    settings.pose_armature = item
    turn_bones(item, 3)
    finished(session, bpy.ops.dnerf.place_cameras())
    finished(session, bpy.ops.dnerf.edit_mask())
    painted = pose_of(scene)
    repaint("s0003 edit mask", label_id=1)
    turn_bones(item, 5)  # what moves later is no part of the edit
    assert np.abs(pose_of(scene) - painted).max() > 0.05
    assert finished(session, bpy.ops.dnerf.apply_edit(), 300).startswith("s0003-edit-001.safetensors: ")
    np.testing.assert_allclose(stored_pose(Path(settings.subject_file)), painted, atol=1e-5)


def test_the_video_takes_the_pose_of_each_frame(session: ModuleType, tmp_path: Path) -> None:
    scene = bpy.context.scene
    item = build_armature(scene, renamed(BODY, "mixamo"), seed=1)
    finished(session, bpy.ops.dnerf.load_model())
    scene.dnerf.pose_armature = item
    arm = item.pose.bones["mixamorig:LeftArm"]
    arm.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (3, 1.5)):
        arm.rotation_euler.z = angle
        arm.keyframe_insert("rotation_euler", frame=frame)
    finished(session, bpy.ops.dnerf.place_cameras())
    scene.frame_start, scene.frame_end = 1, 3
    scene.frame_set(2)
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.dnerf.view_source = "ACTIVE"
    assert finished(session, bpy.ops.dnerf.render_video()).startswith("3 frames in")
    assert scene.frame_current == 2
    frames = sorted((tmp_path / "videos").rglob("images/*.png"))
    shown = [pixels(bpy.data.images.load(str(path))).astype(int) for path in frames]
    assert len(shown) == 3 and np.abs(shown[2] - shown[0]).mean() > 0.3
    finished(session, bpy.ops.dnerf.render_views())
    np.testing.assert_array_equal(shown[1], pixels(bpy.data.images[f"s0003_{scene.camera.name}"]))
    item.scale.x = -1
    assert failed(session, bpy.ops.dnerf.render_video()).startswith("frame 1: rig: expected a scale above 0")


def test_the_mesh_moves_over_the_scenes_frames(session: ModuleType) -> None:
    pytest.importorskip("skimage", reason="the extra mesh is not installed here")
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 10, 16
    item = add_person(session)
    scene.dnerf.cloud_views = 4
    line = finished(session, bpy.ops.dnerf.import_mesh())
    assert f"{len(BODY.names)} bones, moving over 7 frames" in line
    (collection,) = [found for found in bpy.data.collections if found.name == "mesh s0003"]
    (body,) = [found for found in collection.objects if found.type == "MESH" and found.vertex_groups]
    (rig,) = [found for found in collection.objects if found.type == "ARMATURE"]
    assert rig.parent is item.parent
    places = []
    for frame in (10, 13, 16):
        scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        expected = np.array([item.evaluated_get(graph).pose.bones[name].head for name in BODY.names])
        found = rig.evaluated_get(graph)
        heads = np.array([found.matrix_world @ found.pose.bones[name].head for name in BODY.names])
        np.testing.assert_allclose(heads, expected, atol=1e-3)
        evaluated = body.evaluated_get(graph)
        made = evaluated.to_mesh()
        places.append(np.array([evaluated.matrix_world @ vertex.co for vertex in made.vertices]))
        evaluated.to_mesh_clear()
    assert np.abs(places[2] - places[0]).max() > 0.05


def test_a_cloud_of_every_frame_is_seen_at_its_own(session: ModuleType) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.frame_step = 4, 9, 2
    assert "expected an armature that moves the subject" in failed(session, bpy.ops.dnerf.fuse_frames())
    add_person(session)
    scene.dnerf.cloud_views, scene.dnerf.cloud_points = 3, 200
    assert finished(session, bpy.ops.dnerf.fuse_frames()).startswith("3 clouds, ")
    items = sorted(bpy.data.collections["cloud s0003 frames"].objects, key=lambda item: item.name)
    assert [item.name for item in items] == ["cloud s0003 f0004", "cloud s0003 f0006", "cloud s0003 f0008"]
    for frame, expected in ((3, [0, 0, 0]), (4, [1, 0, 0]), (5, [1, 0, 0]), (6, [0, 1, 0]), (9, [0, 0, 1]), (10, [0, 0, 0])):
        scene.frame_set(frame)
        assert [not item.hide_render for item in items] == [not item.hide_viewport for item in items] == expected, frame
    places = [np.mean([vertex.co for vertex in item.data.vertices], axis=0) for item in items]
    assert np.linalg.norm(places[0] - places[2]) > 1e-3
    scene.frame_end, scene.frame_step = 204, 1
    assert "expected 100 of them at most" in failed(session, bpy.ops.dnerf.fuse_frames())


def test_a_model_that_does_not_move_has_no_armature(session: ModuleType) -> None:
    bpy.context.scene.dnerf.model_kind = "EMBEDDED"
    assert "expected one whose subjects move, found one whose do not" in failed(session, bpy.ops.dnerf.add_person())
    assert not bpy.data.armatures
