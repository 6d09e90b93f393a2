"""What the panel writes into folders: one data set of all views, a label video a camera and range, and nothing of before is lost."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.test_operators import failed, finished, pixels, run_engine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)


@pytest.fixture
def settings(session: ModuleType, tmp_path: Path) -> bpy.types.PropertyGroup:
    scene = bpy.context.scene
    found = scene.dnerf
    found.views_folder, found.video_folder = str(tmp_path / "views"), str(tmp_path / "videos")
    found.camera_count, found.size_px, found.seed, found.pack_views = 2, 32, 3, True
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.frame_start, scene.frame_end, scene.render.fps = 1, 3, 24
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    return {view["name"]: view for view in json.loads((folder / "cameras.json").read_text())["views"]}


def test_views_of_a_second_subject_keep_the_firsts(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    folder = tmp_path / "views"
    line = finished(session, bpy.ops.dnerf.render_views())
    assert line.startswith("2 views in ") and line.endswith(f" 2 of them new in {folder}: 2 views of 1 subject")
    first, files = listed(folder), contents(folder / "images")
    assert sorted(first) == ["s0003_v00", "s0003_v01"]
    settings.seed = 5
    assert finished(session, bpy.ops.dnerf.render_views()).endswith("4 views of 2 subjects")
    settings.truncation = 0.5
    assert finished(session, bpy.ops.dnerf.render_views()).endswith("6 views of 3 subjects")
    assert "s0005-t0.5_v00" in bpy.data.images and "s0005_v00" in bpy.data.images, "images are told apart, too"
    finished(session, bpy.ops.dnerf.place_cameras())
    bpy.context.scene.camera.location.z += 0.3
    settings.view_source, settings.truncation, settings.seed = "ACTIVE", 1.0, 3
    assert finished(session, bpy.ops.dnerf.render_views()).endswith("7 views of 3 subjects")
    views = listed(folder)
    assert {name: views[name] for name in first} == first
    assert {name: data for name, data in contents(folder / "images").items() if name in files} == files
    assert views["s0003_v02"]["camera"] == bpy.context.scene.camera.name
    assert sorted(view["truncation"] for view in views.values() if "truncation" in view) == [0.5, 0.5]
    record = json.loads((folder / "dataset.json").read_text())
    assert (record["command"], record["plan"]["model_name"]) == ("render", "demo-cars")
    assert sum(len(subject["views"]) for subject in record["plan"]["added"]) == 7
    # the command line verifies it, and goes on with it
    cli = ("-m", "headless.cli", "render", "--device", "cpu", "--resolution", "32", "-o", str(folder))
    run_engine(tmp_path, *cli, "--verify")
    run_engine(tmp_path, *cli, "--extend", "--seeds", "3,7", "--views", "2")
    assert sorted(set(listed(folder)) - set(views)) == ["s0007_v00", "s0007_v01"]
    run_engine(tmp_path, *cli[:-1], str(tmp_path / "cli"), "--seeds", "3,7", "--views", "2")
    for kind in ("images", "masks", "depth"):
        there = contents(folder / kind)
        for name, data in contents(tmp_path / "cli" / kind).items():
            assert there[name] == data, name
    # and what the command line made goes on in the panel
    settings.view_source, settings.views_folder, settings.seed = "ARC", str(tmp_path / "cli"), 9
    assert finished(session, bpy.ops.dnerf.render_views()).endswith("6 views of 3 subjects")


def test_what_cannot_be_added_is_told_and_nothing_is_touched(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    before = contents(tmp_path / "views")
    settings.seed = 4
    for name, value, words in (
        ("size_px", 64, "expected views of 32 x 32 px, as those that are there, found 64 x 64 px; choose another folder"),
        (
            "want_depth",
            False,
            "expected the channels rgb, mask, depth, as the views that are there, found rgb, mask; choose another",
        ),
        ("embedded_model", "demo-people", "expected views of the model "),
    ):
        usual = getattr(settings, name)
        setattr(settings, name, value)
        assert words in failed(session, bpy.ops.dnerf.render_views())
        setattr(settings, name, usual)
        assert contents(tmp_path / "views") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    settings.views_folder = str(tmp_path / "mine")
    assert "found 'notes.txt' and no dataset.json; choose another folder" in failed(session, bpy.ops.dnerf.render_views())
    assert list(contents(tmp_path / "mine")) == ["notes.txt"]


def test_cancelled_views_leave_the_folder_whole(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    folder = tmp_path / "views"
    finished(session, bpy.ops.dnerf.render_views())
    first = listed(folder)
    settings.seed, settings.camera_count, settings.size_px = 5, 200, 32
    assert bpy.ops.dnerf.render_views() == {"FINISHED"}
    until_there(session, lambda: "s0005_v02" in bpy.data.images)
    bpy.ops.dnerf.cancel()
    assert session.current().wait(60) and session.current().level == "CANCELLED", session.current().status
    views = listed(folder)
    assert {name: views[name] for name in first} == first and len(first) < len(views) < 202
    assert len((folder / "metadata.jsonl").read_text().splitlines()) == len(views) == len(contents(folder / "images"))
    settings.camera_count = 1
    finished(session, bpy.ops.dnerf.render_views())
    assert len(listed(folder)) in (len(views), len(views) + 1)


def until_there(session: ModuleType, is_there: Any) -> None:
    current, end = session.current(), time.monotonic() + 120
    while not is_there() and time.monotonic() < end:
        current.poll()
        time.sleep(0.002)
    assert is_there() and current.job is not None, current.status


def test_a_video_of_another_camera_or_range_lies_beside(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    scene, folder = bpy.context.scene, tmp_path / "videos"
    settings.camera_count = 3
    finished(session, bpy.ops.dnerf.place_cameras())
    placed = sorted(bpy.data.collections["DatasetNeRF cameras"].objects, key=lambda item: item.name)
    for item, name in zip(placed, ("Left", "Middle", "Right"), strict=True):
        item.name = name
    scene.camera = bpy.data.objects["Left"]
    line = finished(session, bpy.ops.dnerf.render_video())
    assert line.endswith(f"saved in {folder / 'Scene_s0003_Left_f0001-0003'}")
    names = ["Scene_s0003_Left_f0001-0003"]
    before = contents(folder)
    scene.camera = bpy.data.objects["Right"]
    finished(session, bpy.ops.dnerf.render_video())
    scene.frame_end = 2
    finished(session, bpy.ops.dnerf.render_video())
    scene.frame_end, scene.frame_step = 3, 2
    settings.seed, settings.truncation = 4, 0.7
    finished(session, bpy.ops.dnerf.render_video())
    names += ["Scene_s0003_Right_f0001-0003", "Scene_s0003_Right_f0001-0002", "Scene_s0004-t0.7_Right_f0001-0003-s2"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert {name: data for name, data in contents(folder).items() if name in before} == before
    assert (folder / names[1] / f"{names[1]}-labels.mkv").is_file()
    for frame, name in ((1, "Left"), (2, "Middle")):
        scene.timeline_markers.new(name, frame=frame).camera = bpy.data.objects[name]
    scene.frame_step = 1
    finished(session, bpy.ops.dnerf.render_video())
    (bound,) = {path.name for path in folder.iterdir()} - set(names)
    assert bound.startswith("Scene_s0004-t0.7_2-cameras-") and bound.endswith("_f0001-0003")


def test_names_that_are_cut_are_told_apart(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.operators.video import clip_name

    scene = bpy.context.scene
    long = "A very long name of a camera in the "
    found = {clip_name(scene, [name]) for name in (f"{long}left", f"{long}right", "Kamera ä", "Kamera ö", "_x", "x")}
    assert len(found) == 6 and all(len(name) < 100 and name.isascii() and name[0].isalnum() for name in found)


@pytest.mark.parametrize("end", ["cancel", "kill"])
def test_a_video_that_ends_half_way_leaves_the_earlier_one(
    end: str, session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    scene, folder = bpy.context.scene, tmp_path / "videos"
    scene.frame_end, settings.into_sequencer = 16, True
    finished(session, bpy.ops.dnerf.place_cameras())
    finished(session, bpy.ops.dnerf.render_video())
    before = contents(folder)
    assert len([name for name in before if name.endswith(".png")]) == 32
    bpy.data.objects[scene.camera.name].location.z += 0.2
    assert bpy.ops.dnerf.render_video() == {"FINISHED"}
    current = session.current()
    until_there(session, lambda: current.job is not None and current.job.text == "frames" and current.job.done > 2)
    assert {name: data for name, data in contents(folder).items() if name in before} == before, "meanwhile"
    if end == "cancel":
        bpy.ops.dnerf.cancel()
    else:
        os.kill(current.client.pid, signal.SIGKILL)
    assert current.wait(60) and current.level != "INFO"
    assert {name: data for name, data in contents(folder).items() if name in before} == before
    finished(session, bpy.ops.dnerf.render_video())
    after = contents(folder)
    assert sorted(after) == sorted(before) and after != before, "the new one in its place, and nothing of a half-made one"


def test_a_second_cloud_is_exported_beside_the_first(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    settings = bpy.context.scene.dnerf
    settings.cloud_views, settings.cloud_points = 4, 500
    for seed in (3, 4):
        settings.seed = seed
        finished(session, bpy.ops.dnerf.fuse_cloud())
        assert bpy.ops.dnerf.export_cloud() == {"FINISHED"}
    written = contents(tmp_path / "dnerf")
    assert sorted(written) == ["cloud s0003.ply", "cloud s0004.ply"]
    assert written["cloud s0003.ply"] != written["cloud s0004.ply"]


def test_the_images_of_a_view_that_is_there_are_its_files(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    shown = pixels(bpy.data.images["s0003_v01"])
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    assert " 0 of them new in " in finished(session, bpy.ops.dnerf.render_views())
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_v01"]), shown)
    saved = bpy.data.images.load(str(tmp_path / "views" / "images" / "s0003_v01.png"))
    np.testing.assert_array_equal(pixels(saved), shown)
