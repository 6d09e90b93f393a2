"""Data sets of subjects that move: the poses that an armature gives, frame by frame, and motions by their names."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.armatures import build_armature, turn_bones  # noqa: E402
from tests.blender.test_data_sets import contents  # noqa: E402
from tests.blender.test_moving import BODY, model_path, session  # noqa: E402, F401  # fixtures
from tests.blender.test_operators import run_engine  # noqa: E402
from tests.blender.test_pose import pose_of  # noqa: E402
from tests.core.gnarf.rigs import renamed  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)


def views(folder: Path) -> list[dict]:
    return json.loads((folder / "cameras.json").read_text())["views"]


def test_every_frame_of_the_animation_has_its_pose(session: ModuleType, tmp_path: Path) -> None:  # noqa: F811
    scene, folder = bpy.context.scene, tmp_path / "set"
    bpy.ops.dnerf.load_model()
    assert session.current().wait(60)
    item = build_armature(scene, renamed(BODY, "mixamo"), seed=1)
    scene.dnerf.pose_armature = item
    arm = item.pose.bones["mixamorig:LeftArm"]
    arm.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (5, 1.5)):
        arm.rotation_euler.z = angle
        arm.keyframe_insert("rotation_euler", frame=frame)
    scene.frame_start, scene.frame_end = 1, 5
    camera = bpy.data.objects["Camera"]
    options = {"seeds": "3-4", "cameras": "ANIMATION", "camera": camera.name, "frame_step": 2, "resolution": 32}
    assert bpy.ops.dnerf.render_data_set(**options, output=str(folder), wait=True) == {"FINISHED"}
    assert scene.dnerf.data_set.output != str(folder)
    expected = []
    for frame in (1, 3, 5):
        scene.frame_set(frame)
        expected.append(pose_of(scene).ravel())
    assert np.abs(expected[2] - expected[0]).max() > 0.3
    found = views(folder)
    assert [(view["seed"], view["view"]) for view in found] == [(seed, view) for seed in (3, 4) for view in range(3)]
    for view in found:
        np.testing.assert_allclose(view["pose"], expected[view["view"]], atol=2e-4)
    # the command takes the poses out of the same file
    bpy.ops.dnerf.copy_data_set_command(**options, output=str(folder), wait=True)
    words = shlex.split(scene.dnerf.data_set.command)
    assert "--pose" in words and "--cameras" in words
    run_engine(tmp_path, "-m", "headless.cli", *words[1:], "--output", str(tmp_path / "cli"))
    assert contents(tmp_path / "cli") == contents(folder)


def test_the_current_pose_is_that_of_all_views_and_a_motion_has_its_name(session: ModuleType, tmp_path: Path) -> None:  # noqa: F811
    scene = bpy.context.scene
    bpy.ops.dnerf.load_model()
    assert session.current().wait(60)
    item = build_armature(scene, renamed(BODY, "mixamo"), seed=1)
    scene.dnerf.pose_armature = item
    turn_bones(item, 3)
    options = {"cameras": "ARC", "count": 2, "resolution": 32, "wait": True}
    bpy.ops.dnerf.render_data_set(**options, output=str(tmp_path / "posed"))
    for view in views(tmp_path / "posed"):
        np.testing.assert_allclose(view["pose"], pose_of(scene).ravel(), atol=2e-4)
    bpy.ops.dnerf.render_data_set(**options, pose="walk", output=str(tmp_path / "walk"))
    assert json.loads((tmp_path / "walk" / "dataset.json").read_text())["plan"]["poses"] == "walk"
    bpy.ops.dnerf.render_data_set(**options, random_poses=True, output=str(tmp_path / "drawn"))
    assert json.loads((tmp_path / "drawn" / "dataset.json").read_text())["plan"]["poses_drawn"] is True
