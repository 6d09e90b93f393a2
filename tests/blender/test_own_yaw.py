"""The model's own directions in the panel under pip's bpy with a real worker: the path, clouds, Invert Photo, and the switch between."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.test_operators import finished, run_engine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)

TELLING = """
import dataclasses, sys
from dnerf_core.checkpoints.model_file import load_model_file, save_model
from dnerf_core.embedded import model_path
file = load_model_file(model_path("demo-cars"))
cameras = dataclasses.replace(file.header.generator_config.cameras, yaw_range_deg=(-100.0, 20.0), pitch_range_deg=(0.0, 40.0))
config = dataclasses.replace(file.header.generator_config, cameras=cameras)
branch = {"semantic_config": file.header.semantic_config, "semantic_state": file.semantic_state, "labels": file.header.labels}
save_model(sys.argv[1], config, file.generator_state, **branch)
"""


@pytest.fixture(scope="module")
def telling_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the demo's cars as a model that tells from where it is to be seen."""
    folder = tmp_path_factory.mktemp("telling")
    run_engine(folder, "-c", TELLING, str(folder / "telling.safetensors"))
    return folder / "telling.safetensors"


@pytest.fixture
def settings(session: ModuleType, telling_model: Path, tmp_path: Path) -> bpy.types.PropertyGroup:
    """That model is chosen."""
    found = bpy.context.scene.dnerf
    found.model_kind, found.model_path = "FILE", str(telling_model)
    found.subjects_folder = str(tmp_path / "subjects")
    return found


def placed_yaws(session: ModuleType) -> list[float]:
    """Of the path's cameras, degrees."""
    from blender_addon.model_facts import known_facts
    from blender_addon.scene.cameras import read_camera
    from dnerf_core.camera_arcs import sphere_angles

    finished(session, bpy.ops.dnerf.place_cameras())
    facts = known_facts(bpy.context.scene)
    items = sorted(bpy.data.collections["DatasetNeRF cameras"].objects, key=lambda item: item.name)
    places = [read_camera(item, bpy.context.scene, world_up=facts.cameras.world_up).camera.position for item in items]
    return [float(np.degrees(sphere_angles(place, world_up=facts.cameras.world_up)[0])) for place in places]


def test_the_path_is_the_models_own_until_angles_are_chosen(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.model_facts import known_facts

    assert placed_yaws(session) == pytest.approx([-100, -40, 20], abs=1e-3)
    assert known_facts(bpy.context.scene).cameras.pitch_range_deg == (0.0, 40.0)
    settings.own_yaw = False
    assert placed_yaws(session) == pytest.approx([-30, 0, 30], abs=1e-3)
    settings.yaw_first_deg = -10
    settings.own_yaw = True
    assert placed_yaws(session) == pytest.approx([-100, -40, 20], abs=1e-3)
    settings.model_kind = "EMBEDDED"
    assert placed_yaws(session) == pytest.approx([-30, 0, 30], abs=1e-3), "tells none"


def test_angles_chosen_without_the_switch_still_count(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    """In a file that was saved, or a script that was written, when there was no switch."""
    assert settings.own_yaw
    settings.yaw_first_deg = -30
    assert not settings.own_yaw
    assert placed_yaws(session) == pytest.approx([-30, 0, 30], abs=1e-3)


def test_clouds_are_fused_from_where_the_model_was_trained(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.cloud_views, settings.cloud_points = 3, 500
    finished(session, bpy.ops.dnerf.fuse_cloud())
    cameras = json.loads(bpy.context.active_object["dnerf_request"])["params"]["cameras"]
    yaws = [np.degrees(np.arctan2(camera["cam2world"][0][3], camera["cam2world"][2][3])) for camera in cameras]
    assert yaws == pytest.approx([-100, -40, 20], abs=1e-3)


def test_a_photos_camera_is_looked_for_at_the_models_own_yaw_unless_told(
    settings: bpy.types.PropertyGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.operators import invert

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(invert, "with_facts", lambda scene, title, then, model: then(scene, None))
    monkeypatch.setattr(invert, "invert", lambda scene, facts, params, camera: asked.append(params))
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"any")
    for chosen in (
        {},
        {"own_yaw": True, "yaw": (-5.0, 60.0)},
        {"own_yaw": False},
        {"yaw": (-5.0, 7.0)},
    ):
        assert bpy.ops.dnerf.invert_photo(filepath=str(photo), **chosen) == {"FINISHED"}
    assert [params.get("yaw") for params in asked] == [None, None, [-60, 60], [-5, 7]]
