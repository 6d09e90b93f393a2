"""Our PNG bytes: what other programs read of them is what went in, in the kind of picture that Pillow would have written."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.files.encoding.png import gray16_png, ids_png, rgb_png

SHAPES = [(1, 1), (1, 9), (9, 1), (31, 7), (32, 32), (33, 5), (65, 48)]
CONTENTS = ["noise", "smooth", "flat", "high"]


def values(content: str, shape: tuple[int, ...], most: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to `most`."""
    if content == "noise":
        return np.random.default_rng(len(shape)).integers(0, most + 1, shape)
    if content == "smooth":
        return np.indices(shape).sum(axis=0) * 37 % (most + 1)
    return np.full(shape, most if content == "high" else most // 3)


def pillows(array: NDArray[np.generic], palette: NDArray[np.uint8] | None = None) -> bytes:
    """What earlier versions wrote."""
    image, buffer = Image.fromarray(array), io.BytesIO()
    if palette is not None:
        image.putpalette(palette.tobytes())
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def read(data: bytes) -> tuple[str, NDArray[np.generic], NDArray[np.generic]]:
    """The kind of picture as Pillow has it, its values by Pillow, and by OpenCV in the order of Pillow's channels."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return image.mode, np.asarray(image), seen[..., ::-1] if seen.ndim == 3 else seen


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_read_is_what_went_in(content: str, shape: tuple[int, int]) -> None:
    rgb = values(content, (*shape, 3), 255).astype(np.uint8)
    deep = values(content, shape, 65535).astype(np.uint16)
    ids = values(content, shape, 255).astype(np.uint8)
    for array, data in ((rgb, rgb_png(rgb)), (deep, gray16_png(deep)), (ids, ids_png(ids))):
        mode, by_pillow, by_opencv = read(data)
        assert mode == read(pillows(array))[0] and by_pillow.dtype == read(pillows(array))[1].dtype
        np.testing.assert_array_equal(by_pillow, array)
        np.testing.assert_array_equal(by_opencv, array)


@pytest.mark.parametrize("colors", [256, 3])
def test_ids_keep_their_palette(colors: int) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (colors, 3)).astype(np.uint8)
    ids = (np.arange(35).reshape(5, 7) % colors).astype(np.uint8)
    with Image.open(io.BytesIO(ids_png(ids, palette))) as image, Image.open(io.BytesIO(pillows(ids, palette))) as theirs:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), ids)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(theirs.convert("RGB")))
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), palette[ids])


def test_views_of_arrays_and_threads_give_the_same_bytes() -> None:
    rgb = values("noise", (70, 40, 3), 255).astype(np.uint8)
    turned, cut = rgb[::-1, ::2], rgb.transpose(1, 0, 2)[3:, :, ::-1]
    for array in (turned, cut):
        assert rgb_png(array) == rgb_png(np.ascontiguousarray(array))
        assert ids_png(array[..., 0]) == ids_png(np.ascontiguousarray(array[..., 0]))
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(rgb_png, [rgb] * 16)) == {rgb_png(rgb)}


def test_rendered_pictures_are_about_as_small_as_pillows() -> None:
    down, across = np.indices((256, 256)) / 256
    shaded = np.where((down - 0.5) ** 2 + (across - 0.5) ** 2 < 0.1, 120 + 90 * np.sin(9 * down) * np.cos(7 * across), 255)
    grain = np.random.default_rng(0).normal(0, 2, (256, 256)) * (shaded < 255)
    rgb = np.stack([shaded, shaded * 0.8, shaded * 0.6], axis=-1) + grain[..., None]
    rgb = rgb.clip(0, 255).astype(np.uint8)
    ids = (shaded < 255).astype(np.uint8) * (1 + (down * 4).astype(np.uint8))
    assert len(rgb_png(rgb)) <= 1.15 * len(pillows(rgb))
    assert len(ids_png(ids)) <= len(pillows(ids))


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_what_are_no_colours_is_refused(array: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match=r"expected colours uint8 \[H, W, 3\], found"):
        rgb_png(array)  # type: ignore[arg-type]


def test_what_are_no_ids_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected ids uint8 \[H, W\], found int64 \[2, 2\]"):
        ids_png(np.zeros((2, 2), np.int64))  # type: ignore[arg-type]
