"""Painted masks: exact ids, strange pixels named, and repaired only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError, OutputError
from dnerf_core.files.masks import read_mask
from dnerf_core.labels import SHAPENET_CAR_LABELS as LABELS
from dnerf_core.labels import LabelSet

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.scene.annotation import ids_of, open_mask, save_mask, set_up_brush, stop_blending  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.views import image_from_array  # noqa: E402

MASK = np.array([0, 1, 2, 3, 4, 255], np.uint8)[np.random.default_rng(5).integers(0, 6, (9, 9))]


def put(image: Any, column: int, row: int, rgba: tuple[float, ...]) -> None:
    """Set one pixel, row 0 at the top, as a brush would."""
    start = 4 * ((image.size[1] - 1 - row) * image.size[0] + column)
    image.pixels[start : start + 4] = [value / 255 for value in rgba]


def test_ids_come_back_exactly_with_what_was_painted(scene: Any, tmp_path: Path) -> None:
    labels = LabelSet.from_names([f"part {k}" for k in range(1, 255)])
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = open_mask("every id", mask, labels)
    assert not image.colorspace_settings.is_data and not image.is_float
    np.testing.assert_array_equal(ids_of(image, labels).ids, mask)
    put(image, 3, 0, (*labels.labels[200].color, 255))
    painted = ids_of(image, labels)
    assert painted.ids[0, 3] == 200 and painted.repaired_px == 0
    mask[0, 3] = 200
    np.testing.assert_array_equal(painted.ids, mask)
    save_mask(tmp_path / "a.png", painted.ids, labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", labels, 16), mask)


def test_a_blended_pixel_is_named_and_repaired_from_its_neighbours(scene: Any) -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[:, 5:] = 1
    image = open_mask("m", mask, LABELS)
    hood = np.array(LABELS.labels[1].color)
    for row, share in ((2, 0.75), (3, 0.25), (4, 0.6)):
        put(image, 5, row, (*np.rint(share * hood), 255))
    # nearer to the roof's colour than to any other, but no roof is near it
    put(image, 4, 7, (200, 0, 240, 255))
    with pytest.raises(
        SceneError, match=r"m: expected only the label set's colours, found \(0, 191, 27\) at column 5, row 2 \(4 such"
    ):
        ids_of(image, LABELS)
    repaired = ids_of(image, LABELS, snap=True)
    mask[3, 5] = 0
    assert repaired.repaired_px == 4
    np.testing.assert_array_equal(np.delete(repaired.ids.ravel(), 7 * 9 + 4), np.delete(mask.ravel(), 7 * 9 + 4))
    assert repaired.ids[7, 4] in (0, 1)


def test_a_wide_blur_is_repaired_inwards(scene: Any) -> None:
    rgb = np.full((7, 7, 3), 3, np.uint8)
    rgb[0, 0] = LABELS.labels[2].color
    assert (ids_of(image_from_array("m", rgb), LABELS, snap=True).ids == 2).all()
    rgb[0, 0] = 3
    with pytest.raises(SceneError, match="expected the labels' colours, found none of them"):
        ids_of(image_from_array("m", rgb), LABELS, snap=True)


def test_transparent_and_floating_point_images_are_refused(scene: Any) -> None:
    image = open_mask("m", MASK, LABELS)
    put(image, 2, 1, (0, 0, 0, 128))
    for snap in (False, True):
        with pytest.raises(SceneError, match="m: expected opaque pixels, found 1 that are not, the first at column 2, row 1"):
            ids_of(image, LABELS, snap=snap)
    with pytest.raises(SceneError, match="expected an 8-bit colour image, found floating point"):
        ids_of(bpy.data.images.new("f", 4, 4, float_buffer=True), LABELS)


def test_a_brush_that_does_not_blend(scene: Any) -> None:
    brush = bpy.data.brushes.new("mine", mode="TEXTURE_PAINT")
    brush.blend, brush.strength, brush.use_paint_antialiasing, brush.use_pressure_strength = "ADD", 0.5, True, True
    stop_blending(brush)
    assert (brush.blend, brush.strength, brush.use_paint_antialiasing, brush.use_pressure_strength) == ("MIX", 1.0, False, False)
    preset = "curve_preset" if hasattr(brush, "curve_preset") else "curve_distance_falloff_preset"
    assert getattr(brush, preset) == "CONSTANT"


def test_the_brush_paints_a_labels_colour(scene: Any) -> None:
    paint = scene.tool_settings.image_paint
    if paint.bl_rna.properties["brush"].is_readonly and paint.brush is None:
        with pytest.raises(SceneError, match="expected an active brush for painting images, found none"):
            set_up_brush(scene, LABELS, 1)
        return
    brush = set_up_brush(scene, LABELS, 3, size_px=20)
    assert np.rint(255 * np.array(brush.color)).tolist() == list(LABELS.labels[3].color)
    assert (brush.strength, brush.blend, brush.use_paint_antialiasing, brush.size) == (1.0, "MIX", False, 20)
    assert set_up_brush(scene, LABELS, 255) == brush
    assert [tuple(np.rint(255 * np.array(entry.color))) for entry in paint.palette.colors] == [
        *(label.color for label in LABELS.labels),
        (255, 255, 255),
    ]
    with pytest.raises(SceneError, match="label: expected 0 to 4 or 255, found 7"):
        set_up_brush(scene, LABELS, 7)


def test_masks_are_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    save_mask(tmp_path / "a.png", MASK, LABELS)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(AnnotationError, match="expected ids 0 to 4 or 255, found 9"):
        save_mask(tmp_path / "a.png", np.full((2, 2), 9, np.uint8), LABELS)
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(OutputError, match="the system says"):
        save_mask(tmp_path / "none" / "a.png", MASK, LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
