"""Presets: those that come along, the user's own as JSON, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not installed here")


@pytest.fixture
def settings(session: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scene's settings; the user's folder is one of the test's."""
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="": str(tmp_path / "user" / path))
    return bpy.context.scene.dnerf


def folder(tmp_path: Path, group: str = "cameras") -> Path:
    return tmp_path / "user" / "datasetnerf" / "presets" / group


def test_every_preset_that_comes_along_sets_what_it_says(settings: Any) -> None:
    from blender_addon.presets.groups import GROUPS
    from blender_addon.presets.store import _check_value, _json_value, settings_of

    for group in GROUPS.values():
        held = settings_of(settings, group)
        assert group.brought and not [name for name in group.settings if name not in held.bl_rna.properties]
        for name, values in group.brought.items():
            for setting, value in values.items():
                _check_value(held, group, setting, value)
            assert bpy.ops.dnerf.apply_preset(group=group.name, name=name) == {"FINISHED"}
            found = {setting: _json_value(getattr(held, setting)) for setting in values}
            assert found == {setting: sorted(value) if isinstance(value, list) else value for setting, value in values.items()}
    assert bpy.ops.dnerf.apply_preset(group="cameras", name="Front Arc of 7") == {"FINISHED"}
    assert (settings.camera_path, settings.camera_count, settings.own_yaw) == ("ARC", 7, False)


def test_a_preset_of_ones_own_is_saved_applied_and_removed(settings: Any, tmp_path: Path) -> None:
    settings.camera_count, settings.own_yaw, settings.yaw_first_deg, settings.size_px = 9, False, -12.5, 128
    assert bpy.ops.dnerf.save_preset(group="cameras", name="nine / small") == {"FINISHED"}
    (path,) = folder(tmp_path).iterdir()
    content = json.loads(path.read_text())
    assert path.name == "nine _ small.json" and content["group"] == "cameras"
    assert content["values"]["camera_count"] == 9 and content["values"]["own_yaw"] is False
    assert not [name for name in content["values"] if "folder" in name or ("path" in name and name != "camera_path")]
    bpy.ops.dnerf.apply_preset(group="cameras", name="As Trained, 3")
    settings.size_px = 0
    bpy.ops.dnerf.apply_preset(group="cameras", name="nine _ small")
    assert (settings.camera_count, settings.own_yaw, settings.yaw_first_deg, settings.size_px) == (9, False, -12.5, 128)
    settings.camera_count = 10
    bpy.ops.dnerf.save_preset(group="cameras", name="nine / small")
    assert json.loads(path.read_text())["values"]["camera_count"] == 10
    bpy.ops.dnerf.remove_preset(group="cameras", name="nine _ small")
    assert not path.exists()
    for call in (bpy.ops.dnerf.apply_preset, bpy.ops.dnerf.remove_preset):
        with pytest.raises(RuntimeError, match=r"expected one of .*, found none of that name"):
            call(group="cameras", name="nine _ small")


def test_a_data_sets_preset_keeps_flags_angles_and_words(settings: Any, tmp_path: Path) -> None:
    held = settings.data_set
    held.channels, held.formats = {"rgb", "mask", "normal"}, {"coco", "webdataset"}
    held.yaw, held.seeds, held.radius, held.cameras, held.output = (-30.0, 75.0), "3,9-12", 2.5, "RANDOM", "/tmp/mine"
    assert bpy.ops.dnerf.save_preset(group="data_set", name="mine") == {"FINISHED"}
    (path,) = folder(tmp_path, "data_set").iterdir()
    values = json.loads(path.read_text())["values"]
    assert values["channels"] == ["mask", "normal", "rgb"] and values["yaw"] == [-30.0, 75.0]
    assert not {"output", "pose", "camera", "center_object"} & set(values), "no paths and no objects"
    assert bpy.ops.dnerf.apply_preset(group="data_set", name="Scene for nerfstudio") == {"FINISHED"}
    held.yaw, held.seeds, held.radius, held.output = (0.0, 1.0), "", 0.0, "//elsewhere"
    assert (held.channels, held.formats, held.cameras) == ({"rgb", "mask", "depth"}, {"nerfstudio"}, "SPHERE")
    assert bpy.ops.dnerf.apply_preset(group="data_set", name="mine") == {"FINISHED"}
    assert (held.channels, held.formats) == ({"rgb", "mask", "normal"}, {"coco", "webdataset"})
    assert (tuple(held.yaw), held.seeds, held.radius, held.cameras) == ((-30.0, 75.0), "3,9-12", 2.5, "RANDOM")
    assert held.output == "//elsewhere"


@pytest.mark.parametrize(
    "values",
    [
        {"channels": "rgb"},
        {"channels": ["rgb", "secrets"]},
        {"channels": [["rgb"]]},
        {"yaw": [0.0]},
        {"yaw": [0.0, "1"]},
        {"yaw": [0.0, 1e9]},
        {"seeds": 3},
        {"seeds": "1," * 6000},
        {"output": "/etc"},
        {"center_object": "Cube"},
    ],
)
def test_a_data_sets_preset_that_is_none_sets_nothing(settings: Any, tmp_path: Path, values: dict[str, Any]) -> None:
    held, place = settings.data_set, folder(tmp_path, "data_set")
    place.mkdir(parents=True)
    content = {"format": "datasetnerf preset", "group": "data_set", "values": {"count": 77, **values}}
    (place / "bad.json").write_text(json.dumps(content))
    held.count = 5
    with pytest.raises(RuntimeError, match="expected a preset as Save Preset writes it"):
        bpy.ops.dnerf.apply_preset(group="data_set", name="bad")
    assert held.count == 5


def test_names_that_cannot_be(settings: Any, tmp_path: Path) -> None:
    for name in ("", "  ", "Four Sides"):
        with pytest.raises(RuntimeError, match="preset: expected a name of its own"):
            bpy.ops.dnerf.save_preset(group="cameras", name=name)
    with pytest.raises(RuntimeError, match="presets: expected one of cameras, views, annotate, data_set, found 'secrets'"):
        bpy.ops.dnerf.save_preset(group="secrets", name="a")
    (tmp_path / "outside.json").write_text("{}")
    for name in ("../../../../outside", "/etc/passwd"):
        with pytest.raises(RuntimeError, match="found none of that name"):
            bpy.ops.dnerf.apply_preset(group="cameras", name=name)
        with pytest.raises(RuntimeError, match="found none of that name"):
            bpy.ops.dnerf.remove_preset(group="cameras", name=name)
    assert (tmp_path / "outside.json").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"camera_count": 0},
        {"camera_count": 2.5},
        {"camera_count": True},
        {"camera_path": "SPIRAL"},
        {"camera_path": 1},
        {"own_yaw": 1},
        {"yaw_first_deg": float("nan")},
        {"yaw_first_deg": 1e9},
        {"views_folder": "/"},
        {"__class__": "x"},
        ["camera_count"],
        None,
    ],
)
def test_a_file_that_is_no_preset_changes_nothing(settings: Any, tmp_path: Path, values: Any) -> None:
    folder(tmp_path).mkdir(parents=True)
    path = folder(tmp_path) / "mine.json"
    whole = {"size_px": 64, **values} if isinstance(values, dict) else values
    path.write_text(json.dumps({"format": "datasetnerf preset", "group": "cameras", "values": whole}))
    before = {name: getattr(settings, name) for name in ("camera_count", "camera_path", "size_px", "views_folder")}
    with pytest.raises(RuntimeError, match=r"mine\.json: expected a preset as Save Preset writes it, found another"):
        bpy.ops.dnerf.apply_preset(group="cameras", name="mine")
    assert {name: getattr(settings, name) for name in before} == before


@pytest.mark.parametrize(
    "text", ["import bpy\nbpy.data.scenes[0].name = 'run'", "{", "[]", '{"format": "other"}', "[" * 5000, "\x00"]
)
def test_a_text_that_is_no_preset_is_not_run(settings: Any, tmp_path: Path, text: str) -> None:
    folder(tmp_path).mkdir(parents=True)
    (folder(tmp_path) / "mine.json").write_text(text)
    with pytest.raises(RuntimeError, match="expected a preset as Save Preset writes it, found another"):
        bpy.ops.dnerf.apply_preset(group="cameras", name="mine")
    assert "run" not in bpy.data.scenes
