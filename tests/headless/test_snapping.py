"""`--snap-colors`: masks that are read by the nearest label colour, and what they are refused with where it is not given."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.errors import AnnotationError
from dnerf_core.files.annotated_folder import read_annotations
from dnerf_core.files.masks import read_mask
from dnerf_core.files.photos import read_label_mask
from dnerf_core.files.snapping import SnapTally, snapped_ids, to_size
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from headless.annotating.painted import read_painted

FILES = Path(__file__).parents[1] / "core" / "files"
LABELS = SHAPENET_CAR_LABELS


@pytest.fixture
def ids() -> NDArray[np.uint8]:
    return np.array(Image.open(FILES / "mask-whole.png"))


def test_exact_colours_are_not_snapped(ids: NDArray[np.uint8]) -> None:
    found, snapped_px, ignored_px = snapped_ids(LABELS.colorize(ids), LABELS)
    assert (found == ids).all()
    assert (snapped_px, ignored_px) == (0, 0)
    tally = SnapTally()
    assert (read_mask(FILES / "mask-whole.png", LABELS, 256, snap=tally) == ids).all()
    assert tally.line() is None


def test_near_colours_are_snapped_and_far_or_doubtful_ones_ignored() -> None:
    two = LabelSet.from_names(["a", "b"])
    a, b = (np.array(label.color) for label in two.labels[1:])
    pixels = np.array([[a, np.clip(a + 20, 0, 250), (a + b) // 2, [128, 128, 128], [2, 2, 2], [255, 255, 255]]], np.uint8)
    found, snapped_px, ignored_px = snapped_ids(pixels, two)
    assert found.tolist() == [[1, 1, 255, 255, 0, 255]]
    assert (snapped_px, ignored_px) == (2, 2)


@pytest.mark.parametrize("quality", [75, 85, 95])
def test_a_jpeg_loses_its_edges_and_gains_no_wrong_label(tmp_path: Path, ids: NDArray[np.uint8], quality: int) -> None:
    path = tmp_path / "mask.jpg"
    Image.fromarray(LABELS.colorize(ids)).save(path, quality=quality)
    with pytest.raises(
        AnnotationError, match=r"expected a PNG image, .* --snap-colors of train, evaluate, invert and edit takes JPEG"
    ):
        read_mask(path, LABELS, 256)
    tally = SnapTally()
    found = read_mask(path, LABELS, 256, snap=tally)
    known = found != 255
    assert (found[known] != ids[known]).mean() < 0.001
    assert known.mean() > 0.96
    ((told, snapped_px, ignored_px, pixels),) = tally.masks
    assert (told, ignored_px, pixels) == (path, int((~known).sum()), 256 * 256)
    assert snapped_px > 0
    line = tally.line()
    assert line is not None
    assert line.startswith(f"1 masks read by the nearest colour: {snapped_px} pixels snapped, {ignored_px} too far")
    assert str(path) in line


def test_a_blended_edge_is_refused_with_the_option_as_a_remedy(tmp_path: Path, ids: NDArray[np.uint8]) -> None:
    rgb = LABELS.colorize(ids)
    rgb[0, 0] = (3, 2, 1)
    Image.fromarray(rgb).save(tmp_path / "m.png")
    with pytest.raises(AnnotationError, match=r"found \(3, 2, 1\) at column 0, row 0 .* --snap-colors of train"):
        read_mask(tmp_path / "m.png", LABELS, 256)
    assert (read_mask(tmp_path / "m.png", LABELS, 256, snap=SnapTally()) == ids).all()
    rgba = np.dstack([LABELS.colorize(ids), np.where(ids > 0, 250, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with pytest.raises(AnnotationError, match="--snap-colors"):
        read_mask(tmp_path / "a.png", LABELS, 256)
    assert (read_mask(tmp_path / "a.png", LABELS, 256, snap=SnapTally()) == ids).all()
    assert (read_label_mask(tmp_path / "a.png", 256, "pad", LABELS, SnapTally()) == ids).all()


def test_half_and_double_sizes_are_taken_by_the_nearest(tmp_path: Path, ids: NDArray[np.uint8]) -> None:
    Image.fromarray(LABELS.colorize(ids)).save(tmp_path / "m.png")
    with pytest.raises(AnnotationError, match="expected a mask of 128 x 128 px"):
        read_mask(tmp_path / "m.png", LABELS, 128)
    half, double = (read_mask(tmp_path / "m.png", LABELS, size, snap=SnapTally()) for size in (128, 512))
    for found, size in ((half, 128), (double, 512)):
        expected = np.array(Image.fromarray(ids).resize((size, size), Image.Resampling.NEAREST))
        assert (found == expected).all()
    with pytest.raises(AnnotationError, match="expected a mask of 100 x 100 px"):
        read_mask(tmp_path / "m.png", LABELS, 100, snap=SnapTally())
    assert to_size(ids, 256, 256) is ids


def test_a_folder_with_other_names(painted_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(painted_folder, tmp_path / "folder"))
    before = read_annotations([folder])
    names = [image.name for image in before.images]
    masks = folder / "masks"
    colors = {image.name: Image.fromarray(before.labels.colorize(image.mask)) for image in before.images}
    colors[names[0]].save(masks / f"{names[0]}.bmp")  # beside the one that sample wrote
    (masks / f"{names[1]}.png").rename(masks / f"{names[1]}.PNG")
    (masks / f"{names[2]}.png").unlink()
    colors[names[2]].save(masks / f"{names[2]}.jpeg", quality=95, subsampling=0)
    with pytest.raises(AnnotationError, match=r"or take .jpg, .jpeg, .bmp and .PNG for masks with --snap-colors"):
        read_annotations([folder])
    after = read_painted([folder], snap_colors=True)
    assert after.snapped.line() is not None
    assert [image.mask_path.suffix for image in after.images[:4]] == [".bmp", ".PNG", ".jpeg", ".png"]
    for one, two in zip(before.images, after.images, strict=True):
        known = two.mask != 255
        assert (one.mask[known] == two.mask[known]).all()
    colors[names[0]].save(masks / f"{names[0]}.jpg")
    with pytest.raises(AnnotationError, match=f"expected one mask of view {names[0]}, found"):
        read_annotations([folder], snap_colors=True)


def test_a_gray_jpeg_says_nothing_of_labels(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 1).save(buffer, "JPEG")
    (tmp_path / "m.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(AnnotationError, match=r"found mode L \(JPEG\)"):
        read_mask(tmp_path / "m.jpg", LABELS, 64, snap=SnapTally())


# --- masks that say what their colours mean


def icc_profile(to_xyz: list[list[float]], gamma: float) -> bytes:
    """An ICC profile (version 2, D50) of red, green and blue with these places and one exponent."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: Sequence[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78 + 3),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **{name: xyz([row[column] for row in to_xyz]) for column, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    place, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", place + len(data), len(value))
        data += padded
    head = struct.pack(">I4xI4s4s4s", place + len(data), 0x02400000, b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(fixed, (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


PROPHOTO = [[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]]
SRGB_D50 = [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]


def in_prophoto(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The numbers that sRGB colours have in ProPhoto RGB, of gamma 1.8."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.rint(255 * np.clip(linear @ np.array(SRGB_D50).T @ np.linalg.inv(PROPHOTO).T, 0, 1) ** (1 / 1.8)).astype(np.uint8)


def with_chunks(path: Path, **chunks: bytes) -> Path:
    """A PNG with further chunks behind its header."""
    data = path.read_bytes()
    more = b"".join(
        struct.pack(">I", len(value)) + name.encode() + value + struct.pack(">I", zlib.crc32(name.encode() + value))
        for name, value in chunks.items()
    )
    path.write_bytes(data[:33] + more + data[33:])
    return path


def pictures_of(ids: NDArray[np.uint8]) -> dict[str, Image.Image]:
    palette = Image.fromarray(ids)
    palette.putpalette(LABELS.palette().tobytes())
    colors = Image.fromarray(LABELS.colorize(ids))
    return {"gray ids": Image.fromarray(ids), "palette": palette, "RGB": colors, "RGBA": colors.convert("RGBA")}


@pytest.mark.parametrize("kind", ["gray ids", "palette", "RGB", "RGBA"])
@pytest.mark.parametrize("snap", [False, True])
def test_numbers_count_as_they_stand_whatever_profile_or_gamma_a_mask_carries(
    kind: str, snap: bool, tmp_path: Path, ids: NDArray[np.uint8]
) -> None:
    """Exact colours stay exact: painting programs attach profiles to pictures whose numbers they have not touched."""
    profile = icc_profile(PROPHOTO, 1.8)
    for number, chunks in enumerate(
        (
            {"gAMA": struct.pack(">I", 100_000)},
            {"gAMA": struct.pack(">I", 45_455), "sRGB": b"\0"},
            {"gAMA": struct.pack(">I", 55_556), "cHRM": struct.pack(">8I", 34567, 35850, 73469, 26531, 15960, 84040, 3660, 105)},
            {"iCCP": b"ProPhoto\0\0" + zlib.compress(profile)},
            {"cICP": bytes([9, 16, 0, 1])},
        )
    ):
        path = tmp_path / f"{number}.png"
        pictures_of(ids)[kind].save(path)
        found = read_mask(with_chunks(path, **chunks), LABELS, 256, snap=SnapTally() if snap else None)
        np.testing.assert_array_equal(found, ids, err_msg=str(chunks.keys()))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_colours_that_were_converted_to_a_profile_are_snapped_by_what_they_mean(
    ending: str, tmp_path: Path, ids: NDArray[np.uint8]
) -> None:
    many = LabelSet.from_names([f"part {number}" for number in range(1, 20)])
    mask = np.where(ids == 255, 0, (ids * 5 + np.arange(256) // 52) % 20).astype(np.uint8)
    path = tmp_path / f"mask.{ending}"
    Image.fromarray(in_prophoto(many.colorize(mask))).save(
        path, quality=100, subsampling=0, icc_profile=icc_profile(PROPHOTO, 1.8)
    )
    if ending == "png":
        with pytest.raises(AnnotationError, match=r"expected only the label set's colours, found .* --snap-colors of train"):
            read_mask(path, many, 256)
    found = read_mask(path, many, 256, snap=SnapTally())
    known = found != 255
    assert known.mean() > 0.98 and (found[known] == mask[known]).all()
    untold = snapped_ids(in_prophoto(many.colorize(mask)), many)[0]
    assert (untold == 255).mean() > 0.3  # without the profile most labels' colours are nobody's


@pytest.mark.parametrize("profile", [b"no profile at all", icc_profile(PROPHOTO, 1.8).replace(b"RGB XYZ ", b"CMYKXYZ ", 1)])
def test_a_profile_that_tells_nothing_changes_nothing(profile: bytes, tmp_path: Path, ids: NDArray[np.uint8]) -> None:
    rgb = in_prophoto(LABELS.colorize(ids))
    Image.fromarray(rgb).save(tmp_path / "a.png")
    Image.fromarray(rgb).save(tmp_path / "b.png", icc_profile=profile)
    one, two = (read_mask(tmp_path / f"{name}.png", LABELS, 256, snap=SnapTally()) for name in "ab")
    np.testing.assert_array_equal(one, two)
