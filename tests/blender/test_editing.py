"""Inverting and editing under pip's bpy with a real worker: the subject changes, and what shows it follows, back and forward too.

The model is a small one of random weights; in a real window `gui/test_edit_window.py` edits the demo's cars."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import ENGINE_PYTHON, interpreter_script  # noqa: E402
from tests.blender.painted import paint  # noqa: E402
from tests.blender.test_operators import failed, finished, pixels, run_engine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
UPPER = 2


@pytest.fixture
def settings(session: ModuleType, small_model: Path, tmp_path: Path) -> bpy.types.PropertyGroup:
    """Seed 3 of the small model, seen by one camera from the side, few steps."""
    found = bpy.context.scene.dnerf
    found.model_kind, found.model_path = "FILE", str(small_model)
    found.views_folder, found.subjects_folder = str(tmp_path / "views"), str(tmp_path / "subjects")
    found.seed, found.camera_count, found.edit_steps, found.cloud_points, found.cloud_views = 3, 1, 8, 500, 3
    found.yaw_first_deg = found.yaw_last_deg = 60.0
    found.pack_views = True
    finished(session, bpy.ops.dnerf.place_cameras())
    return found


def subject_files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "subjects").iterdir())


def repaint(name: str, steps_px: int = 12, label_id: int = UPPER) -> None:
    """Raise a part of a painted mask, the upper one: its pixels also where there is background above."""
    from blender_addon.model_facts import known_facts
    from blender_addon.scene.annotation import ids_of

    labels = known_facts(bpy.context.scene).labels
    ids = ids_of(bpy.data.images[name], labels).ids.copy()
    upper = ids == label_id
    assert upper.sum() > 100
    before = ids.copy()
    for step in range(1, steps_px):
        higher = np.zeros_like(upper)
        higher[:-step] = upper[step:]
        ids[higher & (ids == 0)] = label_id
    assert (ids != before).any()
    paint(bpy.data.images[name], ids, labels)


def test_an_edit_changes_all_that_shows_the_subject_and_steps_go_back(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    finished(session, bpy.ops.dnerf.fuse_cloud())
    before, cloud_before = pixels(bpy.data.images["s0003_v00"]), vertices(bpy.context.active_object)
    assert "paint on its mask" in finished(session, bpy.ops.dnerf.edit_mask())
    repaint("s0003 edit mask")
    line = finished(session, bpy.ops.dnerf.apply_edit(), 300)
    assert line.startswith("s0003-edit-001.safetensors: ") and "of the painted pixels taken" in line
    assert settings.subject_file == str(tmp_path / "subjects" / "s0003-edit-001.safetensors")
    scores = json.loads(settings.edit_scores)
    assert 0 <= scores["scores"]["edited_taken"] <= 1 and len(scores["other_views"]) == 3
    edited = pixels(bpy.data.images["s0003-edit-001_v00"])
    assert (edited != before).any()
    assert "s0003_v00" not in bpy.data.images and "s0003-edit-001_edit labels" in bpy.data.images
    cloud = bpy.context.active_object
    assert cloud.name == "cloud s0003-edit-001" and not np.array_equal(vertices(cloud), cloud_before)
    assert "cloud s0003" not in bpy.data.objects
    assert icon_is_gone()
    run_engine(
        tmp_path,
        *("-m", "headless.cli", "render", "--model", settings.model_path, "--subject", settings.subject_file),
        *("--views", "1", "--yaw", "60:60", "--device", "cpu", "-o", str(tmp_path / "cli")),
    )
    (picture,) = (tmp_path / "cli" / "images").iterdir()
    np.testing.assert_array_equal(edited, pixels(bpy.data.images.load(str(picture))))
    # back, and forward again
    assert finished(session, bpy.ops.dnerf.step_edit(step=-1)) == "s0003: as it was before the edit"
    assert (settings.subject_file, settings.seed, settings.edit_scores) == ("", 3, "")
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_v00"]), before)
    np.testing.assert_array_equal(vertices(bpy.data.objects["cloud s0003"]), cloud_before)
    with pytest.raises(RuntimeError, match="expected a step to go to, found none"):
        bpy.ops.dnerf.step_edit(step=-1)
    finished(session, bpy.ops.dnerf.step_edit(step=1))
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003-edit-001_v00"]), edited)
    assert json.loads(settings.edit_scores) == scores
    # an edit of the edited one
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint("s0003-edit-001 edit mask", 6)
    finished(session, bpy.ops.dnerf.apply_edit(), 300)
    assert subject_files(tmp_path) == ["s0003-edit-001.safetensors", "s0003-edit-002.safetensors"]
    finished(session, bpy.ops.dnerf.step_edit(step=-2))
    assert settings.subject_file == ""


def test_a_painted_mask_goes_on_and_is_never_replaced(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    finished(session, bpy.ops.dnerf.edit_mask())
    untouched = pixels(bpy.data.images["s0003 edit mask"])
    assert "paint on its mask" in finished(session, bpy.ops.dnerf.edit_mask()), "nothing has been painted"
    repaint("s0003 edit mask")
    painted = pixels(bpy.data.images["s0003 edit mask"])
    line = finished(session, bpy.ops.dnerf.edit_mask())
    assert line == "s0003 edit mask: it goes on as it was painted; press Apply Edit when it is done"
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003 edit mask"]), painted)
    # from elsewhere, of another subject, or when asked for: a new mask, and the painted one stays
    place = scene.camera.matrix_basis.copy()
    scene.camera.location.x += 0.4
    line = finished(session, bpy.ops.dnerf.edit_mask())
    assert line.endswith("press Apply Edit; what was painted before stays in 's0003 edit mask painted'")
    first, second = bpy.data.images["s0003 edit mask painted"], bpy.data.images["s0003 edit mask"]
    np.testing.assert_array_equal(pixels(first), painted)
    assert first["dnerf_picture"] != second["dnerf_picture"]
    np.testing.assert_array_equal(pixels(second["dnerf_picture"]), pixels(bpy.data.images["s0003_edit"]))
    settings.seed = 4
    assert finished(session, bpy.ops.dnerf.edit_mask()).startswith("s0004: paint on its mask")
    settings.seed = 3
    scene.camera.matrix_basis = place
    # also when the file has been opened again, and whatever the images are called
    first.name = "first try"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    bpy.ops.wm.read_homefile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "day.blend"))
    line = finished(session, bpy.ops.dnerf.edit_mask())
    assert line == "first try: it goes on as it was painted; press Apply Edit when it is done"
    np.testing.assert_array_equal(pixels(bpy.data.images["first try"]), painted)
    picture_lies_over(bpy.data.images["first try"])
    assert finished(session, bpy.ops.dnerf.edit_mask(anew=True)).startswith("s0003: paint on its mask")
    np.testing.assert_array_equal(pixels(bpy.data.images["first try"]), painted)
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003 edit mask"]), untouched)


def picture_lies_over(mask: bpy.types.Image) -> None:
    from blender_addon import picture_overlay

    picture_overlay.read_over(mask)
    np.testing.assert_array_equal(picture_overlay.picture_over(mask), pixels(mask["dnerf_picture"]))


def test_an_edit_is_applied_after_its_file_was_opened_again(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint("s0003 edit mask")
    painted = pixels(bpy.data.images["s0003 edit mask"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    bpy.ops.wm.read_homefile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "day.blend"))
    bpy.data.images["s0003 edit mask"].name = "mine"
    np.testing.assert_array_equal(pixels(bpy.data.images["mine"]), painted)
    assert "of the painted pixels taken" in finished(session, bpy.ops.dnerf.apply_edit(), 300)
    finished(session, bpy.ops.dnerf.step_edit(step=-1))
    assert finished(session, bpy.ops.dnerf.edit_mask()).startswith("mine: it goes on as it was painted")


def test_a_cloud_that_an_artist_has_made_something_of_stays(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    finished(session, bpy.ops.dnerf.fuse_cloud())
    own = bpy.data.collections.new("sorted")
    scene.collection.children.link(own)
    followed = bpy.context.active_object
    own.objects.link(followed)
    scene.collection.objects.unlink(followed)
    followed.location.x = 2
    copy = followed.copy()
    copy.data = followed.data.copy()
    scene.collection.objects.link(copy)
    finished(session, bpy.ops.dnerf.fuse_cloud())
    bpy.context.active_object.name = "my cloud"
    finished(session, bpy.ops.dnerf.fuse_cloud())
    moved = vertices(bpy.context.active_object)
    moved[:5] += 0.1
    bpy.context.active_object.data.vertices.foreach_set("co", moved.ravel())
    before = {item.name: vertices(item) for item in scene.objects if "cloud" in item.name and item != followed}
    assert len(before) == 3
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint("s0003 edit mask")
    finished(session, bpy.ops.dnerf.apply_edit(), 300)
    (fresh,) = own.objects
    assert (fresh.name, fresh.location.x) == ("cloud s0003-edit-001", 2.0)
    for name, points in before.items():
        np.testing.assert_array_equal(vertices(bpy.data.objects[name]), points)


def vertices(item: bpy.types.Object) -> np.ndarray:
    found = np.empty((len(item.data.vertices), 3), np.float32)
    item.data.vertices.foreach_get("co", found.ravel())
    return found


def icon_is_gone() -> bool:
    from blender_addon import icons

    return not icons.has_picture()


def until_parts(session: ModuleType) -> None:
    """Hear the worker until the search has sent its first picture."""
    from blender_addon import icons

    current, end = session.current(), time.monotonic() + 120
    while not icons.has_picture() and time.monotonic() < end:
        current.poll()
        time.sleep(0.005)
    assert icons.has_picture() and current.job is not None, current.status


def test_stop_keeps_the_best_and_cancel_drops_it(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    settings.edit_steps = 10_000
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint("s0003 edit mask")
    assert not bpy.ops.dnerf.stop_early.poll()
    assert bpy.ops.dnerf.apply_edit() == {"FINISHED"}
    until_parts(session)
    assert bpy.data.images["DatasetNeRF search"].size[0] > 0
    bpy.ops.dnerf.cancel()
    assert session.current().wait(60) and session.current().status == "Editing the subject: cancelled"
    assert settings.subject_file == "" and subject_files(tmp_path) == [] and icon_is_gone()
    assert bpy.ops.dnerf.apply_edit() == {"FINISHED"}
    until_parts(session)
    assert bpy.ops.dnerf.stop_early() == {"FINISHED"}
    assert not bpy.ops.dnerf.stop_early.poll()
    assert session.current().wait(60) and session.current().status.endswith(", stopped early")
    assert subject_files(tmp_path) == ["s0003-edit-001.safetensors"]


def test_a_photo_becomes_the_subject_and_its_camera_the_scenes(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    from blender_addon.model_facts import known_facts
    from blender_addon.scene.cameras import read_camera
    from dnerf_core.camera import Camera

    finished(session, bpy.ops.dnerf.render_views())
    photo = tmp_path / "views" / "images" / "s0003_v00.png"
    line = finished(session, bpy.ops.dnerf.invert_photo(filepath=str(photo), steps=8), 300)
    assert line.startswith("s0003_v00-001.safetensors: ") and " dB, yaw " in line
    path = tmp_path / "subjects" / "s0003_v00-001.safetensors"
    assert settings.subject_file == str(path)
    scene = bpy.context.scene
    assert scene.camera.name == "Recovered camera"
    found = read_camera(scene.camera, scene, world_up=known_facts(scene).cameras.world_up)
    told = json.loads(run_and_read(tmp_path, "-m", "headless.cli", "info", str(path), "--json"))
    np.testing.assert_allclose(found.camera.cam2world, Camera.from_json(told["camera"], "").cam2world, atol=1e-5)
    settings.view_source, settings.want_depth, settings.views_folder = "ACTIVE", False, str(tmp_path / "recovered")
    finished(session, bpy.ops.dnerf.render_views())
    assert "s0003_v00-001_Recovered camera" in bpy.data.images
    assert bpy.ops.dnerf.use_seed() == {"FINISHED"} and settings.subject_file == ""


def run_and_read(folder: Path, *arguments: str) -> str:
    if arguments[:2] == ("-m", "headless.cli") and sys.executable == ENGINE_PYTHON:
        from headless import cli

        with contextlib.redirect_stdout(io.StringIO()) as output:
            assert cli.run(list(arguments[2:])) == 0
        return output.getvalue()
    done = subprocess.run([str(interpreter_script(folder)), *arguments], check=True, timeout=180, capture_output=True, text=True)
    return done.stdout


def test_the_subject_file_is_what_everything_is_made_of(
    session: ModuleType, settings: bpy.types.PropertyGroup, small_model: Path, tmp_path: Path
) -> None:
    settings.seed, settings.want_depth, settings.video_folder = 3, False, str(tmp_path / "videos")
    finished(session, bpy.ops.dnerf.render_views())
    finished(session, bpy.ops.dnerf.fuse_cloud())
    expected, cloud = pixels(bpy.data.images["s0003_v00"]), vertices(bpy.context.active_object)
    settings.seed, settings.subject_file = 9, str(small_model.with_name("three.safetensors"))
    finished(session, bpy.ops.dnerf.render_views())
    finished(session, bpy.ops.dnerf.fuse_cloud())
    np.testing.assert_array_equal(pixels(bpy.data.images["three_v00"]), expected)
    np.testing.assert_array_equal(vertices(bpy.data.objects["cloud three"]), cloud)
    bpy.context.scene.frame_start = bpy.context.scene.frame_end = 1
    finished(session, bpy.ops.dnerf.render_video())
    assert list((tmp_path / "videos").rglob("Scene_three_*_f0001-0001-labels.mkv"))
    settings.subject_file = "/gone.safetensors"
    with pytest.raises(RuntimeError, match=r"expected a file at /gone\.safetensors, found none; choose the subject file again"):
        bpy.ops.dnerf.apply_edit() if settings.edit_view else render_gone(session)


def render_gone(session: ModuleType) -> None:
    """What runs after the model is known fails by a line of its own."""
    line = failed(session, bpy.ops.dnerf.render_views())
    raise RuntimeError(line)


def test_wrong_edits_are_one_line(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="edit: expected a painted mask, found none; press Edit Mask and paint"):
        bpy.ops.dnerf.apply_edit()
    finished(session, bpy.ops.dnerf.edit_mask())
    line = failed(session, bpy.ops.dnerf.apply_edit())
    assert line.startswith("edited mask: expected some pixels that differ from the subject's own mask, found none")
    image = bpy.data.images["s0003 edit mask"]
    width_px, height_px = image.size
    image.pixels[4 * (width_px * (height_px // 2) + width_px // 2)] = 0.5
    assert "expected only the label set's colours" in failed(session, bpy.ops.dnerf.apply_edit())
    settings.seed = 4
    with pytest.raises(RuntimeError, match="expected the subject whose mask was painted, found another"):
        bpy.ops.dnerf.apply_edit()
    settings.seed = 3
    bpy.data.images.remove(image)
    with pytest.raises(RuntimeError, match="s0003 edit mask: expected an image of that name, found none"):
        bpy.ops.dnerf.apply_edit()
    bpy.context.scene.camera = None
    with pytest.raises(RuntimeError, match="expected an active camera, found none"):
        bpy.ops.dnerf.edit_mask()
    with pytest.raises(RuntimeError, match=r"photo: expected a file, found none at /gone\.png; choose a picture"):
        bpy.ops.dnerf.invert_photo(filepath="/gone.png")
    (tmp_path / "text.png").write_text("no picture")
    line = failed(session, bpy.ops.dnerf.invert_photo(filepath=str(tmp_path / "text.png")))
    assert "expected a photo (PNG" in line
    settings.subjects_folder = "//subjects"
    with pytest.raises(RuntimeError, match=r"expected a saved \.blend file for '//subjects', found an unsaved one"):
        bpy.ops.dnerf.invert_photo(filepath=str(tmp_path / "text.png"))
    assert subject_files(tmp_path) == []


def test_the_panels_numbers_are_the_engines(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    code = (
        "import json, dataclasses; from dnerf_core.editing.settings import EditSettings; "
        "print(json.dumps(dataclasses.asdict(EditSettings())))"
    )
    usual = json.loads(run_and_read(tmp_path, "-c", code))
    from blender_addon.scripting.edit_sources import edit_given, edit_settings
    from dnerf_core.errors import UsageError

    settings.property_unset("edit_steps")
    params = edit_settings(edit_given(None, bpy.context.scene))
    engine = {"margin": "margin_px"}
    assert params == {name: usual[engine.get(name, name)] for name in params} and len(params) == 6
    settings.edit_perceptual_weight = 1.0
    with pytest.raises(UsageError, match="expected a file, since Likeness is above 0, found none"):
        edit_settings(edit_given(None, bpy.context.scene))
    settings.edit_perceptual_file = "/vgg16.pth"
    params = edit_settings(edit_given(None, bpy.context.scene))
    assert (params["perceptual_weight"], params["perceptual_file"]) == (1.0, "/vgg16.pth")
    settings.property_unset("edit_perceptual_weight")
    settings.property_unset("edit_perceptual_file")


def test_a_warning_stands_before_the_scores() -> None:
    from blender_addon.panels.edit import score_lines

    names = ("edited_taken", "agreement_inside", "agreement_outside", "psnr_outside_db", "psnr_kept_db")
    result: dict[str, object] = {"scores": dict.fromkeys(names), "other_views": [], "warnings": []}
    plain = score_lines(result)
    assert plain[0] == "Painted pixels that took their label: none"
    assert score_lines(result | {"warnings": ["3% of it"]}) == ["3% of it", *plain]
