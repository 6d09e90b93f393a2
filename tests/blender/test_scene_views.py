"""Pictures in and out of Blender: 8-bit values exact."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.scene import views  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.png import palette_png  # noqa: E402

FILES = Path(__file__).parents[1] / "core" / "files"
RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, (7, 5, 3)).astype(np.uint8)
MASK = np.array([0, 1, 2, 3, 4, 255], np.uint8)[RNG.integers(0, 6, (7, 5))]
DEPTH = np.where(MASK == 0, np.inf, RNG.uniform(1.5, 2.5, (7, 5))).astype(np.float32)


def png(values: np.ndarray) -> bytes:
    """A PNG of colours [H, W, 3], or of gray values [H, W]."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_8_bit_value_comes_back(scene: Any, tmp_path: Path) -> None:
    rgb = np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3, axis=-1)
    rgb[..., 1] = rgb[::-1, :, 0]
    image = views.image_from_array("a", rgb)
    np.testing.assert_array_equal(views.image_to_array(image)[..., :3], rgb)
    assert (views.image_to_array(image)[..., 3] == 255).all()
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    np.testing.assert_array_equal(views.image_to_array(bpy.data.images["a"])[..., :3], rgb)


def test_row_0_is_the_top(scene: Any) -> None:
    image = views.image_from_array("a", RGB)
    assert np.rint(255 * np.array(image.pixels[:3])).tolist() == RGB[-1, 0].tolist()  # Blender's first pixel: bottom left


def test_masks_overlays_and_depths(scene: Any) -> None:
    mask = views.mask_image("m", MASK, SHAPENET_CAR_LABELS)
    np.testing.assert_array_equal(SHAPENET_CAR_LABELS.ids_from_colors(views.image_to_array(mask)[..., :3]), MASK)
    mixed = views.image_to_array(views.overlay_image("o", RGB, MASK, SHAPENET_CAR_LABELS))[..., :3]
    np.testing.assert_array_equal(mixed[MASK == 0], RGB[MASK == 0])
    hood = np.array(SHAPENET_CAR_LABELS.labels[1].color)
    np.testing.assert_array_equal(mixed[MASK == 1], np.rint(0.4 * RGB[MASK == 1] + 0.6 * hood))
    picture = views.depth_picture(DEPTH)
    np.testing.assert_array_equal(views.image_to_array(views.depth_image("d", DEPTH))[..., :3], picture)
    assert (picture[MASK == 0] == 0).all() and picture.max() == 255
    assert picture[np.unravel_index(np.argmin(DEPTH), DEPTH.shape)][0] == 255
    assert views.depth_picture(np.full((2, 2), np.inf, np.float32)).max() == 0


def test_an_image_is_made_anew_under_its_name(scene: Any) -> None:
    first = views.image_from_array("a", RGB)
    assert views.image_from_array("a", RGB // 2) == first
    np.testing.assert_array_equal(views.image_to_array(first)[..., :3], RGB // 2)
    node_user = bpy.data.textures.new("t", "IMAGE")
    node_user.image = first
    larger = views.image_from_array("a", np.tile(RGB, (2, 2, 1)))
    assert [image.name for image in bpy.data.images] == ["a"] and node_user.image == larger
    other = bpy.data.images.new("mine", 4, 4)
    assert views.image_from_array("mine", RGB) != other and tuple(other.size) == (4, 4)


def test_what_is_no_image_is_refused(scene: Any) -> None:
    with pytest.raises(SceneError, match=r"a: expected an image uint8 \[H, W, 3\], found float64"):
        views.image_from_array("a", RGB.astype(np.float64))
    with pytest.raises(SceneError, match="expected an 8-bit colour image, found floating point"):
        views.image_to_array(bpy.data.images.new("d", 4, 4, float_buffer=True))
    with pytest.raises(AnnotationError, match="expected ids 0 to 2 or 255, found"):
        views.mask_image("m", MASK, LabelSet.from_names(["a", "b"]))


def test_png_bytes_are_read_by_pillow(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(palette_png(MASK, SHAPENET_CAR_LABELS.palette()))
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), MASK)
        np.testing.assert_array_equal(np.array(image.getpalette()).reshape(-1, 3), SHAPENET_CAR_LABELS.palette())


def test_masks_of_either_kind_are_read(scene: Any, tmp_path: Path) -> None:
    """As palettes and as gray ids."""
    from blender_addon.annotation_list import read_mask

    labels = SHAPENET_CAR_LABELS
    (tmp_path / "palette.png").write_bytes(palette_png(MASK, labels.palette()))
    (tmp_path / "ids.png").write_bytes(png(MASK))
    for name in ("palette.png", "ids.png"):
        np.testing.assert_array_equal(read_mask(tmp_path / name, labels), MASK)
    ends = np.array([[0, 255], [255, 0]], np.uint8)
    (tmp_path / "ends.png").write_bytes(png(ends))
    np.testing.assert_array_equal(read_mask(tmp_path / "ends.png", labels), ends)
    (tmp_path / "strange.png").write_bytes(png(ends // 2))
    with pytest.raises(AnnotationError, match="expected only the label set's colours"):
        read_mask(tmp_path / "strange.png", labels)


def test_a_mask_whose_bytes_are_damaged_is_refused(scene: Any, tmp_path: Path) -> None:
    """Blender reads it, in this version without a word: by one flipped bit a fifth of the pixels get another label."""
    from blender_addon.annotation_list import read_mask, read_picture

    whole, flipped = (FILES / f"mask-{kind}.png" for kind in ("whole", "one-bit-flipped"))
    assert read_mask(whole, SHAPENET_CAR_LABELS).shape == (256, 256)
    for read in (read_picture, lambda path: read_mask(path, SHAPENET_CAR_LABELS)):
        with pytest.raises(
            AnnotationError, match=r"mask-one-bit-flipped.png: expected a PNG image, it cannot be read: found a wrong"
        ):
            read(flipped)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(AnnotationError, match=r"cut.png: expected a PNG image, it cannot be read: found a PNG that ends"):
        read_mask(cut, SHAPENET_CAR_LABELS)
    jpeg = tmp_path / "jpeg.png"
    Image.fromarray(RGB).save(jpeg, "JPEG")
    with pytest.raises(AnnotationError, match=r"jpeg.png: expected a PNG image, it cannot be read: found no PNG signature"):
        read_picture(jpeg)


@pytest.mark.parametrize("chunk", [b"gAMA\x00\x01\x86\xa0", b"sRGB\x00", b"cICP\x09\x10\x00\x01"])
def test_a_mask_is_read_by_its_numbers_whatever_gamma_it_carries(chunk: bytes, scene: Any, tmp_path: Path) -> None:
    from blender_addon.annotation_list import read_mask

    more = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    for name, data in (
        ("palette", palette_png(MASK, SHAPENET_CAR_LABELS.palette())),
        ("ids", png(MASK)),
        ("colours", png(SHAPENET_CAR_LABELS.colorize(MASK))),
    ):
        path = tmp_path / f"{name}.png"
        path.write_bytes(data[:33] + more + data[33:])
        np.testing.assert_array_equal(read_mask(path, SHAPENET_CAR_LABELS), MASK)
