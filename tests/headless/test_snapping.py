"""`--snap-colors`: masks that are read by the nearest label colour, and what they are refused with where it is not given."""

from __future__ import annotations

import io
import shutil
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
