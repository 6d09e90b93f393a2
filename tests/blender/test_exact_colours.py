"""Labels have the swatch's colour: in images, on brushes, on clouds; depth is shown as grays and says where it is exact.

What the screen shows of them is looked at in the window tests: `gui/test_colours_window.py`.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.config import DEMO_CARS
from dnerf_core.files.pictures import write_depth
from dnerf_core.labels import SHAPENET_CAR_LABELS as LABELS
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud
from tests.blender.fused import rendered
from tests.blender.painted import paint

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

import mathutils  # noqa: E402

from blender_addon.scene import clouds, views  # noqa: E402
from blender_addon.scene.annotation import ids_of, label_palette, open_mask, set_color  # noqa: E402
from blender_addon.scene.cameras import place_cameras  # noqa: E402
from blender_addon.scene.cloud_display import HEADLIGHT  # noqa: E402
from blender_addon.scene.depth_files import depth_file  # noqa: E402
from blender_addon.scene.painted import is_painted  # noqa: E402

MASK = np.array([0, 1, 2, 3, 4, 255], np.uint8)[np.random.default_rng(5).integers(0, 6, (9, 9))]
DEPTH = np.where(MASK == 0, np.inf, np.linspace(1.5, 2.5, 81).reshape(9, 9)).astype(np.float32)
EVERY = LabelSet.from_names([f"part {k}" for k in range(1, 255)])


def test_masks_are_srgb_so_that_editors_show_their_bytes(scene: Any) -> None:
    for image in (views.mask_image("seen", MASK, LABELS), open_mask("painted", MASK, LABELS)):
        assert image.colorspace_settings.name == "sRGB" and not image.use_view_as_render and not image.is_float
        np.testing.assert_array_equal(views.image_to_array(image)[..., :3], LABELS.colorize(MASK))


@pytest.mark.parametrize("painted", [False, True])
def test_masks_of_an_earlier_version_get_their_colours_when_their_file_is_opened(
    session: Any, tmp_path: Path, painted: bool
) -> None:
    image = open_mask("s0000_v00 mask", MASK, LABELS)
    image.colorspace_settings.name = "Non-Color"
    ids = np.roll(MASK, 3, axis=0)
    if painted:
        paint(image, ids, LABELS)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    image = bpy.data.images["s0000_v00 mask"]
    assert image.colorspace_settings.name == "sRGB"
    np.testing.assert_array_equal(ids_of(image, LABELS).ids, ids if painted else MASK)
    assert is_painted(image) == painted


def test_strokes_stay_when_a_mask_gets_its_colours(scene: Any) -> None:
    image = open_mask("m", MASK, LABELS)
    image.colorspace_settings.name = "Non-Color"
    ids = np.roll(MASK, 3, axis=0)
    paint(image, ids, LABELS)
    assert views.shown_as_srgb(image) == image and image.colorspace_settings.name == "sRGB"
    np.testing.assert_array_equal(ids_of(image, LABELS).ids, ids)
    assert is_painted(image)


@pytest.mark.parametrize(("subtype", "is_linear"), [("COLOR_GAMMA", False), ("COLOR", True)])
def test_a_brush_paints_the_very_bytes_whatever_its_numbers_mean(subtype: str, is_linear: bool) -> None:
    """Blender's brushes have display colours up to 4.x, linear ones from 5.0 on."""
    properties = {"color": SimpleNamespace(subtype=subtype)}
    for value in range(256):
        brush = SimpleNamespace(bl_rna=SimpleNamespace(properties=properties), color=None)
        set_color(brush, (value, 255 - value, 7))
        color = np.array(brush.color[:], np.float32)  # which is what Blender keeps
        srgb = mathutils.Color(color.tolist()).from_scene_linear_to_srgb() if is_linear else color
        np.testing.assert_array_equal(np.rint(255 * np.array(srgb[:])), (value, 255 - value, 7))


def test_the_palette_has_the_labels_colours(scene: Any) -> None:
    colors = label_palette(LABELS).colors
    is_linear = colors[0].bl_rna.properties["color"].subtype == "COLOR"
    for color, label in zip(colors, LABELS.labels, strict=False):
        srgb = mathutils.Color(color.color).from_scene_linear_to_srgb() if is_linear else color.color
        assert tuple(np.rint(255 * np.array(srgb[:])).astype(int)) == label.color


def half_ball() -> PointCloud:
    """A ball of four labels, seen from everywhere at every slant."""
    points = np.random.default_rng(1).normal(size=(4000, 3)).astype(np.float32)
    points *= 0.4 / np.linalg.norm(points, axis=1, keepdims=True)
    ids = (1 + (points[:, 0] > 0) + 2 * (points[:, 1] > 0)).astype(np.uint8)
    colors = np.full((4000, 3), 90, np.uint8)
    return PointCloud(points, points / np.float32(0.4), colors, ids, np.ones(4000, np.float32), LABELS)


def picture_of_the_ball(scene: Any, engine: str, folder: Path) -> tuple[Any, np.ndarray]:
    """The cloud's object, and the colours [N, 3] that a render of it has."""
    item = clouds.add_cloud(scene, half_ball(), "ball", world_up="y")
    (seen_by,) = place_cameras(scene, arc_cameras(DEMO_CARS.cameras, (20, 20), count=1), ["a"], "Arc", 96, world_up="y")
    return item, ball_colors(scene, seen_by, engine, folder)


def ball_colors(scene: Any, seen_by: Any, engine: str, folder: Path) -> np.ndarray:
    scene.render.dither_intensity = 0.0  # or colours are others by one
    picture = np.rint(255 * rendered(scene, seen_by, engine, folder)).astype(int)
    return np.unique(picture[picture[..., 3] == 255][:, :3], axis=0)


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
def test_part_colours_of_a_cloud_are_rendered_as_they_are(scene: Any, tmp_path: Path, engine: str) -> None:
    """With the view transform Standard, at every slant: nothing of them is lit."""
    _, found = picture_of_the_ball(scene, engine, tmp_path)
    assert {tuple(color) for color in found.tolist()} == {label.color for label in LABELS.labels[1:]}


def test_the_headlight_of_part_colours_can_be_turned_up(scene: Any, tmp_path: Path) -> None:
    picture_of_the_ball(scene, "CYCLES", tmp_path)
    bpy.data.materials["DatasetNeRF part colours"].node_tree.nodes[HEADLIGHT].outputs[0].default_value = 1.0
    found = ball_colors(scene, scene.camera, "CYCLES", tmp_path)
    assert len(found) > 50, "as bright as it faces the camera"
    exact = np.array([label.color for label in LABELS.labels[1:]])
    assert (found.max(axis=1) >= 0.5 * exact.max(axis=1).min()).all()


def test_depth_is_shown_as_grays_that_say_what_they_mean(scene: Any, tmp_path: Path) -> None:
    image = views.depth_image("s0003_v00 depth", DEPTH)
    shown = views.image_to_array(image)[..., :3]
    assert not image.is_float and image.colorspace_settings.name == "sRGB"
    np.testing.assert_array_equal(shown, views.depth_picture(DEPTH))
    assert len(np.unique(shown)) > 40, "readable, where exact values would all be white"
    near, far = np.percentile(DEPTH[np.isfinite(DEPTH)], [1, 99])
    assert image[views.SHOWN_DEPTH_PROPERTY] == f"white {near:.4g} to dark gray {far:.4g} world units; black: background"
    views.note_exact_depth(image, "//views/depth/s0003_v00.exr")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    image = bpy.data.images["s0003_v00 depth"]
    assert image[views.EXACT_DEPTH_PROPERTY] == "//views/depth/s0003_v00.exr"
    views.depth_image("s0003_v00 depth", DEPTH / 2)
    assert views.EXACT_DEPTH_PROPERTY not in image, "the file is of another depth"
    nothing = views.depth_image("nothing", np.full((2, 2), np.inf, np.float32))
    assert nothing[views.SHOWN_DEPTH_PROPERTY] == "nothing seen; black: background"


def test_a_views_exact_depth_is_found_in_whole_and_split_folders(scene: Any, tmp_path: Path) -> None:
    assert depth_file(tmp_path, "a") is None
    for place, name, kind in (("depth", "a", "exr"), ("train/depth", "b", "npy"), ("val/depth", "c", "png16")):
        (tmp_path / place).mkdir(parents=True)
        path = tmp_path / place / f"{name}.{kind.removesuffix('16')}"
        write_depth(path, DEPTH, kind)
        assert depth_file(tmp_path, name) == path
    image = bpy.data.images.load(str(tmp_path / "depth" / "a.exr"))
    values = np.array(image.pixels[:], np.float32).reshape(9, 9, 4)[::-1, :, 0]
    np.testing.assert_array_equal(values, np.where(np.isfinite(DEPTH), DEPTH, 0)), "exact, as Blender reads it"
