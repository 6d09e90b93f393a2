"""The subject in the artist's scene, rendered by Blender: masks of both right to a pixel, the nearer's depth, and nothing else changed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from dnerf_core.files.pictures import read_depth, read_image  # noqa: E402
from tests.blender.composed_scene import add_box, expected_view, in_view  # noqa: E402
from tests.blender.test_operators import failed, finished, pixels  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
FIRST_ID = 5
"""After the demo's background, hood, roof, wheels and other."""


@pytest.fixture
def scene(session: ModuleType, tmp_path: Path) -> Any:
    """The subject of seed 3 before its camera, and nothing else but a lamp."""
    scene = bpy.context.scene
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    settings = scene.dnerf
    settings.seed, settings.camera_count, settings.view_source = 3, 1, "ACTIVE"
    settings.views_folder, settings.composite.folder = str(tmp_path / "alone"), str(tmp_path / "set")
    finished(session, bpy.ops.dnerf.place_cameras())
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 8, False
    return scene


def distance(scene: Any) -> float:
    """From the camera to the subject, in the scene's units."""
    root = next(item for item in scene.objects if item.name == "DatasetNeRF subject")
    return float((scene.camera.matrix_world.translation - root.matrix_world.translation).length)


def add_props(scene: Any, scale: float = 1.0) -> tuple[bpy.types.Object, bpy.types.Object]:
    """A cube before the right half of the subject, and a wall behind it."""
    away = distance(scene)
    side = 0.25 * scale
    cube = add_box("Cube", (side, side, side), in_view(scene.camera, 0.33 * scale, -0.02 * scale, 0.55 * away, 25.0), 7)
    wall = add_box("Wall", (2.0 * scale, 1.0 * scale, 0.05 * scale), in_view(scene.camera, 0.0, 0.0, 1.6 * away, 8.0), 2)
    bpy.context.view_layer.update()
    return cube, wall


def alone(session: ModuleType, tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mask and depth of the subject by itself, from the scene's camera."""
    finished(session, bpy.ops.dnerf.render_views())
    (name,) = [path.stem for path in (tmp_path / "alone" / "masks").iterdir()]
    return read_image(tmp_path / "alone" / "masks" / f"{name}.png"), read_depth(tmp_path / "alone" / "depth" / f"{name}.exr")


def composed(tmp_path: Path, name: str = "s0003_v00") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, mask and depth of a view."""
    folder = tmp_path / "set"
    return (
        read_image(folder / "images" / f"{name}.png"),
        read_image(folder / "masks" / f"{name}.png"),
        read_depth(folder / "depth" / f"{name}.exr"),
    )


def check_to_a_pixel(
    scene: Any, boxes: dict[int, Any], tmp_path: Path, subject: tuple[np.ndarray, np.ndarray], scale: float
) -> np.ndarray:
    """Compare the only view with arithmetic; returns the expected mask."""
    _, mask, depth = composed(tmp_path)
    expected = expected_view(scene, boxes, *subject, scale)
    assert (~expected.sure).sum() < 20
    wrong = (mask != expected.mask) & expected.sure
    assert wrong.sum() == 0, f"{wrong.sum()} pixels, the first at {np.argwhere(wrong)[0]}"
    np.testing.assert_array_equal(np.isfinite(depth)[expected.sure], np.isfinite(expected.depth)[expected.sure])
    low, high = (depths[expected.sure] for depths in expected.depth_range)
    with np.errstate(invalid="ignore"):  # where nothing is
        assert not ((depth[expected.sure] < low * (1 - 2e-6)) | (depth[expected.sure] > high * (1 + 2e-6))).any()
    return expected.mask


def test_a_cube_that_hides_half_the_subject_is_right_to_a_pixel(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    cube, wall = add_props(scene)
    subject = alone(session, tmp_path)
    line = finished(session, bpy.ops.dnerf.composite())
    assert "1 view in" in line and "1 of them new" in line
    boxes = {FIRST_ID: wall, FIRST_ID + 1: cube}  # by their pass indices, 2 and 7
    mask = check_to_a_pixel(scene, boxes, tmp_path, subject, 1.0)
    hidden = ((subject[0] != 0) & (mask == FIRST_ID + 1)).sum() / (subject[0] != 0).sum()
    assert 0.35 < hidden < 0.65, "about half"
    assert {0, FIRST_ID, FIRST_ID + 1} <= set(np.unique(mask)) and ((mask > 0) & (mask < FIRST_ID)).sum() > 1000
    labels = json.loads((tmp_path / "set" / "labels.json").read_text())["labels"]
    assert [label["name"] for label in labels[-2:]] == ["object:Wall", "object:Cube"]
    assert len({tuple(label["color"]) for label in labels}) == len(labels) == 7
    (row,) = [json.loads(line) for line in (tmp_path / "set" / "metadata.jsonl").read_text().splitlines()]
    assert (row["blend_file"], row["blender"], row["frame"]) == ("not saved", bpy.app.version_string, 1)
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "checksums.sha256"], cwd=tmp_path / "set", check=True)


def test_the_subject_moved_turned_and_scaled(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    root = bpy.data.objects["DatasetNeRF subject"]
    root.location, root.rotation_euler, root.scale = (3.0, -2.0, 0.5), (0.2, 0.1, 1.1), (2.5, 2.5, 2.5)
    bpy.context.view_layer.update()
    cube, wall = add_props(scene, 2.5)
    subject = alone(session, tmp_path)
    finished(session, bpy.ops.dnerf.composite())
    mask = check_to_a_pixel(scene, {FIRST_ID: wall, FIRST_ID + 1: cube}, tmp_path, subject, 2.5)
    assert ((subject[0] != 0) & (mask == FIRST_ID + 1)).sum() > 500


def test_a_cube_that_goes_through_the_subject(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    """Partly before, partly behind: pixel by pixel."""
    cube = add_box("Cube", (0.3, 0.3, 0.3), in_view(scene.camera, 0.1, 0.0, distance(scene), 40.0), 1)
    bpy.context.view_layer.update()
    subject = alone(session, tmp_path)
    finished(session, bpy.ops.dnerf.composite())
    mask = check_to_a_pixel(scene, {FIRST_ID: cube}, tmp_path, subject, 1.0)
    inside = (subject[0] != 0) & (mask == FIRST_ID)
    assert inside.any() and ((mask > 0) & (mask < FIRST_ID)).any()


def test_a_cube_behind_hides_nothing_and_by_material(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    cube = add_box("Cube", (0.4, 0.4, 0.4), in_view(scene.camera, 0.25, 0.0, 2.0 * distance(scene), 30.0), 9)
    cube.material_slots[0].material.pass_index = 4
    bpy.context.view_layer.update()
    subject = alone(session, tmp_path)
    finished(session, bpy.ops.dnerf.composite(labels_by="material"))
    mask = check_to_a_pixel(scene, {FIRST_ID: cube}, tmp_path, subject, 1.0)
    solid = (subject[0] != 0) & np.isfinite(subject[1])
    np.testing.assert_array_equal(mask[solid], subject[0][solid])
    assert (mask == FIRST_ID).sum() > 200
    labels = json.loads((tmp_path / "set" / "labels.json").read_text())["labels"]
    assert labels[-1]["name"] == "material:Cube paint"
    assert "found others; choose another folder" in failed(session, bpy.ops.dnerf.composite(labels_by="object"))


def test_what_has_no_pass_index_hides_as_background(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    cube, wall = add_props(scene)
    cube.pass_index = 0
    subject = alone(session, tmp_path)
    finished(session, bpy.ops.dnerf.composite())
    check_to_a_pixel(scene, {FIRST_ID: wall, 0: cube}, tmp_path, subject, 1.0)


def test_a_picture_of_any_shape_through_a_shifted_lens(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    cube, wall = add_props(scene)
    scene.render.resolution_x, scene.render.resolution_y = 256, 131
    scene.camera.data.shift_x, scene.camera.data.shift_y = 0.1, -0.05
    subject = alone(session, tmp_path)
    finished(session, bpy.ops.dnerf.composite())
    check_to_a_pixel(scene, {FIRST_ID: wall, FIRST_ID + 1: cube}, tmp_path, subject, 1.0)
    (image,) = [image for image in bpy.data.images if image.name.endswith("composite")]
    assert tuple(image.size) == (256, 131)


def test_the_colours_are_those_of_each_alone(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    """Where the scene is seen, the picture is F12's; where the subject is whole, it is the view's."""
    _, wall = add_props(scene)
    wall.material_slots[0].material.diffuse_color = (0.1, 0.3, 0.8, 1)
    finished(session, bpy.ops.dnerf.render_views())
    finished(session, bpy.ops.dnerf.composite())
    image, mask, _ = composed(tmp_path)
    scene.render.filepath, scene.render.image_settings.file_format = str(tmp_path / "f12.png"), "PNG"
    bpy.ops.render.render(write_still=True)
    scenes_own = read_image(tmp_path / "f12.png")[..., :3].astype(int)
    views_own = read_image(tmp_path / "alone" / "images" / "s0003_v00.png").astype(int)

    def whole(kind: np.ndarray) -> np.ndarray:
        """Pixels whose neighbours, 3 to each side, are of the same kind."""
        padded = np.pad(kind, 3)
        shifted = [padded[3 + y : 3 + y + 256, 3 + x : 3 + x + 256] for y in range(-3, 4) for x in range(-3, 4)]
        return np.all(shifted, axis=0)

    of_scene, of_subject = whole((mask == 0) | (mask >= FIRST_ID)), whole((mask > 0) & (mask < FIRST_ID))
    assert of_scene.sum() > 10000 and of_subject.sum() > 1000
    assert np.abs(image.astype(int) - scenes_own)[of_scene].max() <= 1
    assert np.abs(image.astype(int) - views_own)[of_subject].mean() < 1.0
    shown = pixels(bpy.data.images["s0003 dnerf v00 composite"])
    np.testing.assert_array_equal(shown, image)


def dump(scene: Any) -> dict[str, Any]:
    """Every setting of rendering, and what there is in the file."""
    parts = {"render": scene.render, "cycles": scene.cycles, "image": scene.render.image_settings, "camera": scene.camera.data}
    parts |= {f"layer {layer.name}": layer for layer in scene.view_layers} | {"layer cycles": scene.view_layers[0].cycles}
    parts |= {f"object {item.name}": item for item in scene.objects}
    found: dict[str, Any] = {}
    for name, part in parts.items():
        for setting in part.bl_rna.properties:
            value = getattr(part, setting.identifier)
            if isinstance(value, bool | int | float | str | set):
                found[f"{name}.{setting.identifier}"] = value
    blocks = ("scenes", "objects", "cameras", "meshes", "collections", "worlds", "materials", "node_groups", "actions")
    found |= {name: sorted(block.name for block in getattr(bpy.data, name)) for name in blocks}
    return found | {"active": scene.camera.name, "markers": len(scene.timeline_markers), "frame": scene.frame_current}


def test_the_scene_is_as_it_was_also_after_an_error(
    session: ModuleType, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.composing import rendering

    add_props(scene)
    scene.render.use_motion_blur = scene.render.film_transparent = True
    scene.timeline_markers.new("here", frame=1).camera = scene.camera
    scene.cycles.keyframe_insert("samples", frame=1)
    layer = scene.view_layers.new("Second")
    layer.use_pass_mist = True
    scene.view_layers[0].samples = 5
    scene.render.filepath = str(tmp_path / "artists.png")
    bpy.ops.render.render(write_still=True)
    artists = read_image(tmp_path / "artists.png")
    before = dump(scene)
    finished(session, bpy.ops.dnerf.composite())
    assert dump(scene) == before
    bpy.data.images["Render Result"].save_render(str(tmp_path / "kept.png"), scene=scene)
    np.testing.assert_array_equal(read_image(tmp_path / "kept.png"), artists)

    def broken(copy: Any, path: Path) -> None:
        raise RuntimeError("no paper")

    monkeypatch.setattr(rendering, "_render", broken)
    assert bpy.ops.dnerf.composite(output=str(tmp_path / "other")) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="no paper"):
        session.current().wait(60)
    assert "found a fault of the extension (RuntimeError: no paper)" in session.current().status
    assert dump(scene) == before
    assert not list((tmp_path / "other").iterdir())


def exchange_files(session: ModuleType) -> list[str]:
    client = session.current().client
    return sorted(path.suffix for path in client.new_file("").parent.iterdir())


def test_several_cameras_go_one_by_one_and_can_be_cancelled(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    add_props(scene)
    scene.dnerf.camera_count = 3
    finished(session, bpy.ops.dnerf.place_cameras())
    scene.render.resolution_x = scene.render.resolution_y = 64
    for item in scene.objects:
        item.select_set(item.type == "CAMERA" and item.name.startswith("dnerf v"))
    current = session.current()
    assert bpy.ops.dnerf.composite(cameras="SELECTED") == {"FINISHED"}
    end = time.monotonic() + 60
    while not (current.job.own_steps is not None and current.job.done == 1) and time.monotonic() < end:
        current.poll()
    assert (current.job.done, current.job.total, current.job.title) == (1, 3, "Rendering the scene")
    assert exchange_files(session) == [".exr", ".png"]
    assert bpy.ops.dnerf.cancel() == {"FINISHED"}
    assert current.wait(30) and current.level == "CANCELLED" and current.status == "Rendering the scene: cancelled"
    assert exchange_files(session) == [] and not list((tmp_path / "set").iterdir())
    assert "3 views in" in finished(session, bpy.ops.dnerf.composite(cameras="SELECTED"))
    assert exchange_files(session) == []
    rows = [json.loads(line) for line in (tmp_path / "set" / "metadata.jsonl").read_text().splitlines()]
    assert [row["camera"] for row in rows] == ["dnerf v00", "dnerf v01", "dnerf v02"]
    assert "0 of them new" in finished(session, bpy.ops.dnerf.composite(cameras="SELECTED")), "nothing has changed"
    bpy.data.objects["Cube"].location.x += 0.2
    assert "3 of them new" in finished(session, bpy.ops.dnerf.composite(cameras="SELECTED"))
    assert "6 views of 1 subject" in current.status


def test_every_frame_with_all_that_moves(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    cube, wall = add_props(scene)
    subject = alone(session, tmp_path)
    scene.frame_start, scene.frame_end, scene.frame_step = 11, 15, 2
    place = cube.location.copy()
    for frame in (11, 15):
        cube.location.x = place.x + 0.05 * (frame - 11)
        cube.keyframe_insert("location", frame=frame)
    scene.frame_set(3)
    wall.location.z += 0.01  # has no key, and is not set back by going to other frames
    moved = wall.location.copy()
    finished(session, bpy.ops.dnerf.composite(cameras="FRAMES"))
    assert scene.frame_current == 3 and wall.location == moved
    rows = [json.loads(line) for line in (tmp_path / "set" / "metadata.jsonl").read_text().splitlines()]
    assert [(row["frame"], row["camera"]) for row in rows] == [(frame, f"dnerf v00 f{frame:04d}") for frame in (11, 13, 15)]
    for view, frame in enumerate((11, 13, 15)):
        scene.frame_set(frame)
        mask = read_image(tmp_path / "set" / "masks" / f"s0003_v{view:02d}.png")
        expected = expected_view(scene, {FIRST_ID: wall, FIRST_ID + 1: cube}, *subject, 1.0)
        assert ((mask != expected.mask) & expected.sure).sum() == 0, frame


def test_the_subjects_own_cloud_is_no_part_of_the_scene(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    subject = alone(session, tmp_path)
    scene.dnerf.cloud_views = 4
    finished(session, bpy.ops.dnerf.fuse_cloud())
    cloud = bpy.context.active_object
    cloud.location.y -= 0.3
    finished(session, bpy.ops.dnerf.composite())
    _, mask, _ = composed(tmp_path)
    np.testing.assert_array_equal(mask, subject[0])
    assert not cloud.hide_render and cloud.visible_camera


def test_what_cannot_be_done_is_said_before_blender_renders(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    add_props(scene)
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "letter.txt").touch()
    current = session.current()
    assert "found 'letter.txt' and no dataset.json; choose another folder" in failed(
        session, bpy.ops.dnerf.composite(output=str(folder))
    )
    assert sorted(path.name for path in folder.iterdir()) == ["letter.txt"]
    for item in scene.objects:
        item.select_set(False)
    with pytest.raises(RuntimeError, match="expected selected cameras, found none selected"):
        bpy.ops.dnerf.composite(cameras="SELECTED")
    scene.view_layers[0].use = False
    with pytest.raises(RuntimeError, match="expected a view layer that is used for rendering"):
        bpy.ops.dnerf.composite()
    scene.view_layers[0].use = True
    scene.camera.data.type = "ORTHO"
    assert "expected a perspective camera" in failed(session, bpy.ops.dnerf.composite())
    scene.camera.data.type = "PERSP"
    for index in range(260):
        copy = bpy.data.objects["Cube"].copy()
        copy.pass_index = index + 1
        scene.collection.objects.link(copy)
    assert "expected at most 250 pass indices beside the 5 labels of the model, found 260" in failed(
        session, bpy.ops.dnerf.composite()
    )
    assert current.job is None and not (tmp_path / "set" / "dataset.json").exists()


def test_names_of_labels() -> None:
    from blender_addon.composing.labels import merged_labels
    from dnerf_core.labels import LabelSet

    own = LabelSet.from_names(["hood", "object:Cube"])
    things = [(4, "Cube"), (4, "Cube.001"), (9, "a/b\n"), (2, "Cube"), (0, "Ground")]
    merged = merged_labels(own, things, "object")
    assert merged.indices == (2, 4, 9)
    assert merged.label_set.names == ("background", "hood", "object:Cube", "object:Cube (2)", "object:Cube +1", "object:a_b_")
    assert merged.label_set.labels[:3] == own.labels
    assert merged_labels(None, [], "material").label_set.names == ("background", "subject")


def test_instances_and_materials_of_modifiers_have_labels(scene: Any) -> None:
    """What stands in the scene by an instance alone, in no collection of its own."""
    from blender_addon.composing.labels import scene_materials, scene_objects

    inside = bpy.data.objects.new("Inside", bpy.data.meshes.new("Inside"))
    inside.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    inside.data.materials.append(bpy.data.materials.new("Paint"))
    group = bpy.data.collections.new("Group")
    group.objects.link(inside)
    empty = bpy.data.objects.new("Empty", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", group
    scene.collection.objects.link(empty)
    bpy.context.view_layer.update()
    assert inside in scene_objects(scene) and bpy.data.materials["Paint"] in scene_materials(scene)
    assert math.isfinite(distance(scene))
