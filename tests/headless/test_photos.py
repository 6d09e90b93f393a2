"""Photos and masks of photos: every kind of file, how they become square, and every way to get one wrong."""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError, DNeRFError, PhotoError, UsageError
from dnerf_core.files.photos import BLACK, WHITE, background_color, read_label_mask, read_photo
from dnerf_core.files.pictures import write_mask
from dnerf_core.files.squares import Square, parse_square
from dnerf_core.labels import LabelSet

LABELS = LabelSet.from_names(["left", "right"])
RED, BLUE = (250, 10, 20), (5, 30, 240)


def halves(width_px: int = 8, height_px: int = 8) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width_px, height_px), RED)
    image.paste(BLUE, (width_px // 2, 0, width_px, height_px))
    return image


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def left_and_right(rgb: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(rgb[4, 1].tolist()), tuple(rgb[4, 6].tolist())


@pytest.mark.parametrize(
    ("name", "loss"), [("a.png", 0), ("a.tiff", 0), ("a.bmp", 0), ("a.gif", 0), ("a.jpg", 12), ("a.webp", 12)]
)
def test_every_kind_of_file_is_read(name: str, loss: int, tmp_path: Path) -> None:
    image = halves(64, 64)
    options = {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {}
    photo = read_photo(saved(image, tmp_path / name, **options), 64, "pad", BLACK)
    assert photo.rgb.shape == (64, 64, 3) and photo.rgb.dtype == np.uint8
    difference = np.abs(photo.rgb.astype(int) - np.asarray(image).astype(int))
    assert difference[:, [10, 20, 44, 60]].max() <= loss
    assert (photo.width_px, photo.height_px, photo.note) == (64, 64, None)
    assert photo.square == Square(0, 0, 64)


def gray16(path: Path) -> Path:
    values = np.full((8, 8), 257 * 40, np.uint16)
    values[:, 4:] = 257 * 200 + 60  # its high byte is 201
    return saved(Image.fromarray(values), path)


def cmyk(path: Path) -> Path:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    image.paste((255, 255, 0, 0), (4, 0, 8, 8))
    return saved(image, path.with_suffix(".tiff"))


def palette(path: Path) -> Path:
    return saved(halves().quantize(4), path)


def gray(path: Path) -> Path:
    image = Image.new("L", (8, 8), 7)
    image.paste(99, (4, 0, 8, 8))
    return saved(image, path)


def bilevel(path: Path) -> Path:
    image = Image.new("1", (8, 8), 0)
    image.paste(1, (4, 0, 8, 8))
    return saved(image, path)


@pytest.mark.parametrize(
    ("save", "left", "right"),
    [
        (gray16, (40, 40, 40), (200, 200, 200)),
        (cmyk, (255, 0, 0), (0, 0, 255)),
        (palette, RED, BLUE),
        (gray, (7, 7, 7), (99, 99, 99)),
        (bilevel, (0, 0, 0), (255, 255, 255)),
    ],
)
def test_every_kind_of_pixel_is_read(save: Callable[[Path], Path], left: object, right: object, tmp_path: Path) -> None:
    assert left_and_right(read_photo(save(tmp_path / "a.png"), 8, "pad", BLACK).rgb) == (left, right)


def with_alpha(path: Path) -> Path:
    """Red at alpha 255 on the left, at alpha 51, a fifth, on the right."""
    image = Image.new("RGBA", (8, 8), (200, 100, 0, 255))
    image.paste((200, 100, 0, 51), (4, 0, 8, 8))
    return saved(image, path)


def test_alpha_lets_the_background_through(tmp_path: Path) -> None:
    path = with_alpha(tmp_path / "a.png")
    assert left_and_right(read_photo(path, 8, "pad", BLACK).rgb) == ((200, 100, 0), (40, 20, 0))
    white = tuple(round(0.2 * value + 0.8 * 255) for value in (200, 100, 0))
    assert left_and_right(read_photo(path, 8, "pad", background_color(True)).rgb) == ((200, 100, 0), white)
    assert background_color(False) == BLACK


@pytest.mark.parametrize("mode", ["LA", "P", "L", "I;16"])
def test_transparency_of_every_kind_lets_the_background_through(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if mode == "LA":
        image = Image.new("LA", (8, 8), (9, 255))
        image.paste((9, 0), (4, 0, 8, 8))
        saved(image, path)
    elif mode == "I;16":
        values = np.full((8, 8), 257 * 9, np.uint16)
        values[:, 4:] = 5
        saved(Image.fromarray(values), path)
        data = path.read_bytes()  # Pillow does not write the chunk for 16 bits
        chunk = b"tRNS" + struct.pack(">H", 5)
        chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
        start = data.index(b"IDAT") - 4
        path.write_bytes(data[:start] + chunk + data[start:])
    else:
        image = Image.new(mode, (8, 8), 9)
        if mode == "P":
            image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
        image.paste(5, (4, 0, 8, 8))
        saved(image, path, transparency=5)
    assert left_and_right(read_photo(path, 8, "pad", WHITE).rgb) == ((9, 9, 9), (255, 255, 255))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_exif_makes_the_photo_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    """The stored picture is made by what undoes each orientation, as the standard has it in words."""
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :16] = 255  # a light corner at the top left
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),  # its right side is the top: turned back clockwise
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / f"a.{suffix}", exif=exif)
    photo = read_photo(path, 48, Square(0, 0, 48), BLACK)
    assert (photo.width_px, photo.height_px) == (48, 32)
    assert photo.rgb[4, 4].min() > 240 and photo.rgb[4, 40].max() < 15 and photo.rgb[28, 4].max() < 15


def test_a_photo_of_the_models_size_stays_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    for fit in ("pad", "crop", Square(0, 0, 16)):
        np.testing.assert_array_equal(read_photo(path, 16, fit, BLACK).rgb, pixels)


def test_padding_shows_all_between_bars(tmp_path: Path) -> None:
    wide = saved(Image.new("RGB", (16, 8), RED), tmp_path / "wide.png")
    expected = np.full((16, 16, 3), 255, np.uint8)
    expected[4:12] = RED
    np.testing.assert_array_equal(read_photo(wide, 16, "pad", WHITE).rgb, expected)
    tall = saved(Image.new("RGB", (8, 16), RED), tmp_path / "tall.png")
    photo = read_photo(tall, 16, "pad", WHITE)
    np.testing.assert_array_equal(photo.rgb, expected.transpose(1, 0, 2))
    assert (photo.width_px, photo.height_px, photo.square) == (8, 16, Square(-4, 0, 16))


def test_cropping_shows_the_centre(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(path, 5, "crop", BLACK).rgb, pixels[:, 2:7])


def test_a_given_square_may_reach_outside(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    rgb = read_photo(path, 8, Square(-2, 3, 8), WHITE).rgb
    expected = np.full((8, 8, 3), 255, np.uint8)
    expected[:3, 2:] = pixels[3:, :6]
    np.testing.assert_array_equal(rgb, expected)


def test_shrinking_takes_in_every_pixel(tmp_path: Path) -> None:
    """A checkerboard of single pixels becomes gray; picked pixels would be black or white."""
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    rgb = read_photo(saved(Image.fromarray(board), tmp_path / "a.png"), 16, "pad", BLACK).rgb
    assert np.abs(rgb.astype(int)[2:-2, 2:-2] - 127.5).max() < 8


def test_a_long_photo_needs_no_full_square(tmp_path: Path) -> None:
    """A square of 60,000 px a side would take 10 GB."""
    for size in ((60_000, 20), (20, 60_000)):
        path = saved(Image.new("RGB", size, RED), tmp_path / "a.png")
        rgb = read_photo(path, 64, "pad", WHITE).rgb
        assert rgb[32, 0].max() == 255 and rgb.shape == (64, 64, 3)


def test_a_small_photo_is_enlarged_and_tells(tmp_path: Path) -> None:
    path = saved(halves(20, 10), tmp_path / "a.png")
    photo = read_photo(path, 64, "pad", BLACK)
    assert photo.note == f"{path}: expected 64 px a side or more, found 20: enlarged, which adds no detail"
    assert read_photo(path, 20, "pad", BLACK).note is None
    crop = read_photo(path, 20, "crop", BLACK)
    assert crop.note is not None and "found 10: enlarged" in crop.note


def huge_png(path: Path, side_px: int) -> Path:
    """A small file that claims a large square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )
    return path


def truncated(path: Path, suffix: str) -> Path:
    path = path.with_suffix(suffix)
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    saved(Image.fromarray(noise), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def made_folder(path: Path) -> Path:
    path.mkdir()
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def written(data: bytes) -> Callable[[Path], Path]:
    def save(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return save


A_PHOTO = "expected a photo (PNG, JPEG, WebP, TIFF, BMP or GIF), "

BAD_PHOTOS: list[tuple[Callable[[Path], Path], str]] = [
    (lambda path: path, A_PHOTO + "found no file; check the path"),
    (made_folder, A_PHOTO + "found a folder; check the path"),
    (pipe, A_PHOTO + "found a named pipe (FIFO); check the path"),
    (written(b""), A_PHOTO + "found an empty file; save or copy it again"),
    (written(b"<html>not found</html>"), A_PHOTO + "found another kind of file; convert it"),
    (written(b"\x89PNG\r\n\x1a\n"), "expected a"),
    (lambda path: truncated(path, ".png"), "expected a whole photo, it cannot be read: "),
    (lambda path: truncated(path, ".jpg"), "expected a whole photo, it cannot be read: "),
    (lambda path: truncated(path, ".webp"), "expected a"),
    (lambda path: truncated(path, ".tiff"), "expected a whole photo, it cannot be read: "),
    (lambda path: truncated(path, ".bmp"), "expected a whole photo, it cannot be read: "),
    (lambda path: truncated(path, ".gif"), "expected a whole photo, it cannot be read: "),
    (lambda path: huge_png(path, 11000), "expected at most 100 megapixels, found 11000 x 11000 px; shrink it"),
    (lambda path: huge_png(path, 40000), "expected at most 100 megapixels, found more; shrink it first"),
    (lambda path: saved(Image.new("F", (8, 8)), path.with_suffix(".tiff")), "expected gray, palette, RGB or CMYK of 8 bits or"),
    (lambda path: saved(Image.new("LAB", (8, 8)), path.with_suffix(".tiff")), "expected gray, palette, RGB or CMYK of 8 bits or"),
    (lambda path: path.with_name("n" * 300), A_PHOTO + "it cannot be read: File name too long; check the path"),
]


@pytest.mark.parametrize(("save", "message"), BAD_PHOTOS, ids=range(len(BAD_PHOTOS)))
def test_a_photo_that_cannot_be_used_is_named_in_one_line(save: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png")
    with warnings.catch_warnings(), pytest.raises(PhotoError) as caught:
        warnings.simplefilter("error")  # Pillow's own warnings must not reach the user
        read_photo(path, 8, "pad", BLACK)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".gif"])
def test_damage_ends_in_a_line_or_a_picture(suffix: str, tmp_path: Path) -> None:
    """300 files, each with a few bytes changed or an end cut off."""
    rng = np.random.default_rng(7)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"a{suffix}"
    options = {} if suffix in (".bmp", ".gif") else {"exif": exif}
    good = saved(Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)), path, **options).read_bytes()
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for place in rng.integers(0, len(data), 4):
            data[min(place, rng.integers(1, 400))] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        try:
            assert read_photo(path, 8, "pad", BLACK).rgb.shape == (8, 8, 3)
        except DNeRFError as error:
            refused += 1
            assert str(error).startswith(f"{path}: expected ") and "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize(
    ("text", "square"), [("0,0,512", Square(0, 0, 512)), ("-3, +4, 10", Square(-3, 4, 10)), (" 7,8,1 ", Square(7, 8, 1))]
)
def test_a_square_is_parsed(text: str, square: Square) -> None:
    assert parse_square(text) == square


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "1.5,2,3", "1,2,0", "1,2,-3", "a,b,c", "1,2,99999999", "1,2,٣"])
def test_what_is_no_square_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected X,Y,SIDE in whole pixels such as 40,0,512, with a side of 1 or more, found"):
        parse_square(text)


@pytest.mark.parametrize("square", [Square(16, 0, 4), Square(0, 8, 4), Square(-4, 0, 4), Square(0, -4, 4)])
def test_a_square_outside_is_refused(square: Square, tmp_path: Path) -> None:
    path = saved(halves(16, 8), tmp_path / "a.png")
    text = f"--crop {square.left_px},{square.top_px},4: expected a square that shows some of {path} (16 x 8 px upright)"
    with pytest.raises(UsageError, match=re.escape(text)):
        read_photo(path, 8, square, BLACK)


def test_a_square_far_larger_than_the_photo_is_refused(tmp_path: Path) -> None:
    path = saved(halves(16, 8), tmp_path / "a.png")
    assert read_photo(path, 8, Square(0, 0, 32), BLACK).rgb.shape == (8, 8, 3)
    with pytest.raises(UsageError, match=re.escape("--crop 0,0,33: expected a side of at most 32 px, 2 times ")):
        read_photo(path, 8, Square(0, 0, 33), BLACK)


# Masks


def mask_file(ids: object, path: Path) -> Path:
    write_mask(path, np.array(ids, np.uint8), LABELS.palette())
    return path


def test_a_mask_takes_the_id_that_covers_most(tmp_path: Path) -> None:
    ids = np.zeros((6, 6), np.uint8)
    ids[0:3, 0:3] = [[1, 1, 1], [1, 0, 0], [1, 0, 0]]  # 5 of 9; the one in the middle is background
    ids[0:3, 3:6] = [[0, 0, 0], [0, 2, 0], [0, 0, 0]]  # the one in the middle alone
    ids[3:6, 0:3] = [[255, 255, 255], [255, 1, 1], [255, 1, 1]]
    ids[3:6, 3:6] = [[1, 1, 1], [1, 2, 2], [0, 2, 2]]  # 4 : 4 : 1, a tie that the middle decides
    mask = read_label_mask(mask_file(ids, tmp_path / "a.png"), 2, "pad", LABELS)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[1, 0], [255, 2]]


def test_ties_fall_to_the_nearest_pixel_whatever_its_id(tmp_path: Path) -> None:
    ids = np.zeros((4, 4), np.uint8)
    ids[1:, 1:] = 1
    ids[3, 3] = 2
    masks = [read_label_mask(mask_file(kind, tmp_path / "a.png"), 2, "pad", LABELS) for kind in (ids, np.array([0, 2, 1])[ids])]
    # stripes half and half: the nearest pixel of each pair is its second
    stripes = np.tile(np.array([[1, 2]], np.uint8), (4, 2))
    assert set(read_label_mask(mask_file(stripes, tmp_path / "a.png"), 2, "pad", LABELS).ravel().tolist()) == {2}
    swapped = 3 - stripes
    assert set(read_label_mask(mask_file(swapped, tmp_path / "a.png"), 2, "pad", LABELS).ravel().tolist()) == {1}
    assert masks[0].tolist() == [[0, 1], [1, 1]] and masks[1].tolist() == [[0, 2], [2, 2]]


def test_a_mask_of_the_models_size_or_enlarged_keeps_its_ids(tmp_path: Path) -> None:
    ids = np.random.default_rng(4).choice(np.array([0, 1, 2, 255], np.uint8), (7, 7))
    path = mask_file(ids, tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_mask(path, 7, "pad", LABELS), ids)
    np.testing.assert_array_equal(read_label_mask(path, 21, "pad", LABELS), ids.repeat(3, 0).repeat(3, 1))
    uneven = read_label_mask(path, 16, "pad", LABELS)
    nearest = ((np.arange(16) + 0.5) * 7 / 16).astype(int)
    np.testing.assert_array_equal(uneven, ids[nearest][:, nearest])


def test_a_mask_is_cut_as_its_photo_is(tmp_path: Path) -> None:
    ids = np.array([[1, 1, 2, 2, 255, 255]] * 2, np.uint8)
    path = mask_file(ids, tmp_path / "a.png")
    assert read_label_mask(path, 2, "crop", LABELS).tolist() == [[2, 2], [2, 2]]
    assert read_label_mask(path, 6, "pad", LABELS).tolist() == [[0] * 6] * 2 + ids.tolist() + [[0] * 6] * 2
    assert read_label_mask(path, 2, Square(-1, 1, 2), LABELS).tolist() == [[0, 1], [0, 0]]


def test_what_lies_beside_a_mask_counts_as_background(tmp_path: Path) -> None:
    path = mask_file([[1, 2], [1, 1]], tmp_path / "a.png")
    # 5 of 9 pixels lie outside, 3 hold label 1
    assert read_label_mask(path, 1, Square(-1, -1, 3), LABELS).tolist() == [[0]]
    assert read_label_mask(path, 1, Square(0, 0, 3), LABELS).tolist() == [[0]]
    assert read_label_mask(path, 1, Square(0, 0, 2), LABELS).tolist() == [[1]]


def test_a_mask_may_be_painted_in_colours(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 1], [2, 2, 1], [255, 0, 0]], np.uint8)
    path = saved(Image.fromarray(LABELS.colorize(ids)), tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_mask(path, 3, "pad", LABELS), ids)


@pytest.mark.parametrize(
    ("save", "kind", "message"),
    [
        (lambda path: path, PhotoError, "expected a mask (PNG), found no file; check the path"),
        (made_folder, PhotoError, "expected a mask (PNG), found a folder; check the path"),
        (written(b""), PhotoError, "expected a mask (PNG), found an empty file"),
        (written(b"text"), AnnotationError, "expected a PNG image, it cannot be read: "),
        (lambda path: saved(Image.new("L", (4, 4), 3), path), AnnotationError, "expected ids 0 to 2 or 255, found 3 at column 0"),
        (
            lambda path: saved(Image.new("RGB", (4, 4), RED), path),
            AnnotationError,
            "expected only the label set's colours, found",
        ),
        (lambda path: huge_png(path, 11000), PhotoError, "expected at most 100 megapixels, found 11000 x 11000"),
        (lambda path: huge_png(path, 40000), AnnotationError, "expected a PNG image, it cannot be read: "),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(
    save: Callable[[Path], Path], kind: type[DNeRFError], message: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "mask.png")
    with pytest.raises(kind) as caught:
        read_label_mask(path, 8, "pad", LABELS)
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)


def test_a_photo_of_one_colour_is_told(tmp_path: Path) -> None:
    """Which an empty view matches: its likeness would look good."""
    picture = np.full((64, 64, 3), 250, np.uint8)
    for spread, told in ((0, True), (3, True), (40, False)):
        picture[:32] = 250 - spread
        path = tmp_path / f"{spread}.png"
        Image.fromarray(picture).save(path)
        note = read_photo(path, 64, "pad", BLACK).note
        assert (note is not None) == told
        assert not told or note == (
            f"{path}: expected a picture of something, found hardly more than one colour, which an empty view matches as well"
        )
