"""Reading annotated folders: every way to store a mask, and every way to get a folder wrong, named with the file."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError, DNeRFError, UsageError
from dnerf_core.files.annotated_folder import missing_classes, read_annotations
from dnerf_core.files.masks import read_mask
from dnerf_core.files.pictures import write_mask
from dnerf_core.labels import LabelSet
from dnerf_core.subject_key import SubjectKey
from tests.headless.tiny_engine import LABELS, SIZE_PX, read_ids

IDS = np.array([[0, 1, 2], [255, 1, 0], [2, 2, 2]], np.uint8)
LEFT, RIGHT = (label.color for label in LABELS.labels[1:])


@pytest.fixture
def folder(painted_folder: Path, tmp_path: Path) -> Path:
    """A copy of the painted folder to spoil."""
    return Path(shutil.copytree(painted_folder, tmp_path / "cloud"))


def mask_path(folder: Path, name: str = "s0001_v01") -> Path:
    return folder / "masks" / f"{name}.png"


def change_record(folder: Path, **plan: object) -> None:
    path = folder / "dataset.json"
    record = json.loads(path.read_text())
    record["plan"] |= plan
    path.write_text(json.dumps(record))


def test_a_painted_folder_is_read_in_the_order_of_its_views(painted_folder: Path, tiny_model: Path) -> None:
    annotations = read_annotations([painted_folder])
    assert annotations.model == str(tiny_model)
    assert annotations.labels == LABELS
    assert annotations.subjects == tuple(SubjectKey(seed, 1.0) for seed in (0, 1, 2, 3))
    assert [image.name for image in annotations.images[:3]] == ["s0000_v00", "s0000_v01", "s0001_v00"]
    third = annotations.images[3]
    assert (third.subject, third.view, third.mask_path) == (SubjectKey(1, 1.0), 1, mask_path(painted_folder))
    np.testing.assert_array_equal(third.mask, read_ids(mask_path(painted_folder)))
    cameras = json.loads((painted_folder / "cameras.json").read_text())["views"]
    assert third.camera.cam2world.tolist() == cameras[3]["cam2world"]


def as_palette(path: Path) -> None:
    write_mask(path, IDS, LABELS.palette())


def as_reordered_palette(path: Path) -> None:
    """Another order of colours, as an editor leaves it: right first, then left, white and black."""
    indices = np.array([[3, 1, 0], [2, 1, 3], [0, 0, 0]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(bytes([*RIGHT, *LEFT, 255, 255, 255, 0, 0, 0]))
    image.save(path)


def as_palette_with_transparency(path: Path) -> None:
    """Index 0 is transparent and has a colour of its own, which does not count."""
    image = Image.fromarray(IDS)
    palette = LABELS.palette()
    palette[0] = (9, 9, 9)
    image.putpalette(palette.tobytes())
    image.save(path, transparency=0)


def as_gray_ramp_palette(path: Path) -> None:
    image = Image.fromarray(IDS)
    image.putpalette(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1).tobytes())
    image.save(path)


def as_rgb(path: Path) -> None:
    Image.fromarray(LABELS.colorize(IDS)).save(path)


def as_rgba(path: Path) -> None:
    """Painted on a transparent layer: where nothing is painted the colour is anything."""
    rgba = np.dstack([LABELS.colorize(IDS), np.where(IDS == 0, 0, 255).astype(np.uint8)])
    rgba[0, 0, :3] = (12, 34, 56)
    Image.fromarray(rgba).save(path)


def as_gray(path: Path) -> None:
    Image.fromarray(IDS).save(path)


def as_small_palette(path: Path) -> None:
    """4 bits a pixel, as an optimiser leaves it (without the 255, which would make it 8)."""
    image = Image.fromarray(np.where(IDS == 255, 3, IDS).astype(np.uint8))
    image.putpalette(bytes([0, 0, 0, *LEFT, *RIGHT, 255, 255, 255]))
    image.save(path, bits=4)


@pytest.mark.parametrize(
    "save",
    [
        as_palette,
        as_reordered_palette,
        as_palette_with_transparency,
        as_gray_ramp_palette,
        as_rgb,
        as_rgba,
        as_gray,
        as_small_palette,
    ],
)
def test_every_way_to_store_a_mask_gives_its_ids(save: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    save(path)
    np.testing.assert_array_equal(read_mask(path, LABELS, 3), IDS)


def saved(pixels: np.ndarray, **kwargs: object) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(pixels, **kwargs).save(path)  # type: ignore[arg-type]


def palette_of(indices: np.ndarray, colors: bytes) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        image = Image.fromarray(indices)
        image.putpalette(colors)
        image.save(path)

    return save


def at(value: object, row: int = 2, column: int = 1) -> np.ndarray:
    """A mask in colours or ids with one pixel changed."""
    pixels = LABELS.colorize(IDS) if isinstance(value, tuple) and len(value) == 3 else IDS.copy()
    if isinstance(value, tuple) and len(value) == 4:
        pixels = np.dstack([LABELS.colorize(IDS), np.full((3, 3), 255, np.uint8)])
    pixels[row, column] = value
    return pixels


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (saved(np.zeros((4, 3), np.uint8)), "expected a mask of 3 x 3 px like its image, found 3 x 4; paint it at that size"),
        (saved(at(3)), "expected ids 0 to 2 or 255, found 3 at column 1, row 2; repaint it, or add the label"),
        (palette_of(at(7), LABELS.palette().tobytes()), "expected ids 0 to 2 or 255, found 7 at column 1, row 2"),
        (
            saved(at((1, 2, 3))),
            "expected only the label set's colours, found (1, 2, 3) at column 1, row 2 (1 such pixels); paint without",
        ),
        (
            palette_of(IDS, bytes([0, 0, 0, 200, 0, 0, *RIGHT]) + LABELS.palette()[3:].tobytes()),
            "expected only the label set's colours, found (200, 0, 0) at column 1, row 0",
        ),
        (saved(at((0, 0, 0, 128))), "expected pixels either painted or transparent, found alpha 128 at column 1, row 2"),
        (saved(IDS > 0), "expected a palette, RGB, RGBA or 8-bit gray image, found mode 1; save it as one of these"),
        (saved(IDS.astype(np.uint16)), "expected a palette, RGB, RGBA or 8-bit gray image, found mode I;16"),
        (lambda path: Image.fromarray(IDS).save(path, format="TIFF"), "expected a PNG image, it cannot be read: cannot identify"),
        (lambda path: path.mkdir(), "expected a PNG image, it cannot be read: "),
        (lambda path: path.write_text("not a picture"), "expected a PNG image, it cannot be read: cannot identify"),
        (lambda path: None, "expected a mask, found no file; restore it, or repeat the sample command for an empty one"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(save: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    save(path)
    with pytest.raises(AnnotationError, match=re.escape(f"{path}: {message}")):
        read_mask(path, LABELS, 3)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_png_is_named(damage: str, folder: Path) -> None:
    path = mask_path(folder)
    data = bytearray(path.read_bytes())
    start = data.index(b"IDAT") + 12
    if damage == "truncated":
        del data[start:]
    else:
        data[start] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=re.escape(f"{path}: expected a PNG image, it cannot be read: ")):
        read_annotations([folder])


def test_a_picture_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    saved(IDS)(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=re.escape(str(path))):
        read_mask(path, LABELS, 3)


def test_missing_and_surplus_masks_are_named(folder: Path) -> None:
    mask_path(folder).rename(folder / "masks" / "s0001_v01 (copy).png")
    (folder / "masks" / "s0001_v01.xcf").write_text("an editor's own file is no mask")
    expected = (
        f"{folder}/masks: masks: expected one for each of 8 views, found 8, 1 missing: s0001_v01.png, "
        "1 of no view: s0001_v01 (copy).png; restore what is missing"
    )
    with pytest.raises(AnnotationError, match=re.escape(expected)):
        read_annotations([folder])
    shutil.rmtree(folder / "masks")
    with pytest.raises(AnnotationError, match=r"found 0, 8 missing: s0000_v00.png, s0000_v01.png, s0001_v00.png and 5 more; "):
        read_annotations([folder])


def test_a_surplus_mask_alone_is_named(folder: Path) -> None:
    shutil.copy(mask_path(folder), folder / "masks" / "s0009_v00.png")
    with pytest.raises(AnnotationError, match=r"found 9, 1 of no view: s0009_v00.png; "):
        read_annotations([folder])


def test_cameras_that_differ_in_count_are_named(folder: Path) -> None:
    path = folder / "cameras.json"
    data = json.loads(path.read_text())
    last = data["views"].pop()
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r"cameras.json: cameras: expected .* 8 views, found 7, 1 missing: s0003_v01; "):
        read_annotations([folder])
    data["views"] += [last, last | {"name": "s0004_v00"}]
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r"cameras: expected one for each of 8 views, found 9, 1 of no view: s0004_v00; "):
        read_annotations([folder])
    path.unlink()
    with pytest.raises(AnnotationError, match=r"cameras.json: expected a file that `sample` wrote, it cannot be read: No such"):
        read_annotations([folder])


def test_unpainted_masks_are_named_or_left_out(folder: Path) -> None:
    for name in ("s0000_v01", "s0001_v00", "s0001_v01", "s0002_v00", "s0003_v00"):
        blank = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
        blank[0, 0] = 255  # ignoring a pixel is not painting
        write_mask(mask_path(folder, name), blank, LABELS.palette())
    paths = ", ".join(str(mask_path(folder, name)) for name in ("s0000_v01", "s0001_v00", "s0001_v01"))
    expected = (
        f"{paths} and 2 more: expected painted masks, found only background and ignored pixels (255) in 5 of 8; paint them,"
    )
    with pytest.raises(AnnotationError, match=re.escape(expected)):
        read_annotations([folder])
    annotations = read_annotations([folder], skip_unpainted=True)
    assert [image.name for image in annotations.images] == ["s0000_v00", "s0002_v01", "s0003_v01"]
    assert annotations.skipped == 5
    assert annotations.subjects == tuple(SubjectKey(seed, 1.0) for seed in (0, 2, 3))
    for image in annotations.images:
        write_mask(image.mask_path, np.zeros((SIZE_PX, SIZE_PX), np.uint8), LABELS.palette())
    with pytest.raises(AnnotationError, match=r"found only background and ignored pixels \(255\); paint some"):
        read_annotations([folder], skip_unpainted=True)


def test_masks_of_ignored_pixels_are_told_as_such(folder: Path) -> None:
    ignored = np.full((SIZE_PX, SIZE_PX), 255, np.uint8)
    write_mask(mask_path(folder), ignored, LABELS.palette())
    expected = f"{mask_path(folder)}: expected painted masks, found only ignored pixels (255) in 1 of 8; paint them, or leave"
    with pytest.raises(AnnotationError, match=re.escape(expected)):
        read_annotations([folder])
    for path in (folder / "masks").iterdir():
        write_mask(path, ignored, LABELS.palette())
    with pytest.raises(AnnotationError, match=r"cloud: expected painted masks, found only ignored pixels \(255\); paint some"):
        read_annotations([folder])


def test_missing_classes_are_listed(painted_folder: Path) -> None:
    images = read_annotations([painted_folder]).images
    assert missing_classes(images, LABELS) == []
    assert missing_classes(images, LabelSet.from_names(["left", "right", "top", "below"])) == ["top", "below"]


def test_folders_of_one_generator_count_as_one(painted_folder: Path, folder: Path) -> None:
    change_record(folder, truncation=0.5)
    both = read_annotations([painted_folder, folder])
    assert len(both.images) == 16
    assert both.subjects == tuple(SubjectKey(seed, truncation) for truncation in (1.0, 0.5) for seed in range(4))
    assert both.sha256() != read_annotations([painted_folder]).sha256()


def test_folders_that_do_not_go_together_are_refused(painted_folder: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="expected each one once, found one twice"):
        read_annotations([folder, folder.parent / "." / "cloud"])
    (folder / "labels.json").write_text(json.dumps(LabelSet.from_names(["left", "bottom"]).to_json()))
    with pytest.raises(AnnotationError, match=r"labels.json: expected the labels of .*found background, left, bottom or other"):
        read_annotations([painted_folder, folder])
    shutil.copy(painted_folder / "labels.json", folder / "labels.json")
    change_record(folder, generator_sha256="f" * 64)
    expected = rf"{folder}: expected the generator of {painted_folder} \(.{{12}}\), found ffffffffffff; train on folders of one"
    with pytest.raises(AnnotationError, match=expected):
        read_annotations([painted_folder, folder])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: (folder / "dataset.json").unlink(),
            "expected a folder made by `sample`, found no dataset.json; name such",
        ),
        (lambda folder: (folder / "dataset.json").write_text("{"), "expected the record of a sample call, found no JSON"),
        (lambda folder: (folder / "dataset.json").write_text("[]"), "expected format datasetnerf-views 1, found another"),
        (lambda folder: (folder / "dataset.json").write_bytes(b"\xff\xff"), "it cannot be read"),
        (lambda folder: change_record(folder, seeds=[0]), "plan: expected a value of 'seeds', found none or another kind"),
        (lambda folder: change_record(folder, seeds="0-"), "plan: seeds: expected seeds such as 0-7"),
        (lambda folder: (folder / "labels.json").unlink(), "labels.json: expected a file that `sample` wrote, it cannot be read"),
        (lambda folder: (folder / "labels.json").write_text("{"), "labels.json: expected JSON"),
        (lambda folder: (folder / "cameras.json").write_text("{}"), "cameras.json: version: expected 1"),
    ],
)
def test_a_folder_that_is_not_ours_is_refused(spoil: Callable[[Path], object], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(DNeRFError, match=re.escape(message)) as caught:
        read_annotations([folder])
    assert str(folder) in str(caught.value)


DEEP = "[" * 100_000 + "]" * 100_000


def change_camera(folder: Path, key: str, value: object) -> None:
    path = folder / "cameras.json"
    data = json.loads(path.read_text())
    data["views"][2][key] = value
    path.write_text(json.dumps(data))


def far_away(folder: Path) -> None:
    pose = np.eye(4)
    pose[1, 3] = -1e300
    change_camera(folder, "cam2world", pose.tolist())


@pytest.mark.parametrize(
    ("file", "spoil", "message"),
    [
        ("dataset.json", {"views": 10**12}, "plan: views: expected a number from 1 to 10000, found 1000000000000; restore the"),
        ("dataset.json", {"views": True}, "plan: views: expected a number from 1 to 10000, found True"),
        ("dataset.json", {"views": 9999, "seeds": "0-999"}, "plan: views: expected a number from 1 to 1000, found 9999"),
        ("dataset.json", {"views": 0}, "plan: views: expected a number from 1 to 10000, found 0"),
        ("dataset.json", {"truncation": math.nan}, "plan: truncation: expected a number from 0 to 2, found nan"),
        ("dataset.json", {"truncation": -5}, "plan: truncation: expected a number from 0 to 2, found -5"),
        ("dataset.json", {"truncation": 10**400}, "plan: truncation: expected a number from 0 to 2, found 1000"),
        ("dataset.json", {"resolution_px": 10**9}, "plan: resolution_px: expected a number from 8 to 4096, found 1000000000"),
        ("dataset.json", {"generator_sha256": "x" * 10**6}, "plan: generator_sha256: expected 64 hexadecimal digits, found 'xxx"),
        ("dataset.json", {"seeds": "0-" * 10**5}, "plan: seeds: expected seeds such as 0-7 or 0,3,9-12, found '0-0-"),
        ("dataset.json", DEEP, "expected the record of a sample call, found no JSON (values nested too deeply); restore it"),
        ("labels.json", DEEP, "expected JSON, found values nested too deeply; is it a labels file?"),
        ("cameras.json", DEEP, "expected JSON, found values nested too deeply; is it a cameras file?"),
        ("cameras.json", "1" * 10_000, "expected JSON, found a number with too many digits; is it a cameras file?"),
        (
            "labels.json",
            '{"version": 1, "ignore": 255, "labels": [' + ",".join(["1"] * 10**5) + "]}",
            "expected at most 255, found",
        ),
        ("labels.json", '{"' + "x" * 10**5 + '": 1}', "expected an object with the keys version, labels, ignore, found xxx"),
        ("cameras.json", far_away, "'s0001_v00': cam2world: expected a position within 1e+06 of the origin, found -1e+300"),
        (
            "cameras.json",
            lambda folder: change_camera(folder, "intrinsics", [[math.nan] * 3] * 3),
            "views[2] 's0001_v00': intrinsics: expected finite numbers, found nan",
        ),
        (
            "cameras.json",
            lambda folder: change_camera(folder, "cam2world", ["x" * 10**5]),
            "views[2] 's0001_v00': cam2world: expected numbers in shape [4, 4], found ['xxx",
        ),
    ],
)
def test_nothing_that_a_file_holds_is_trusted(file: str, spoil: object, message: str, folder: Path) -> None:
    if isinstance(spoil, dict):
        change_record(folder, **spoil)
    elif callable(spoil):
        spoil(folder)
    else:
        (folder / file).write_text(str(spoil))
    with pytest.raises(AnnotationError, match=re.escape(message)) as caught:
        read_annotations([folder])
    assert str(caught.value).startswith(f"{folder / file}: ")
    assert len(str(caught.value)) < 400


def test_a_folder_of_another_command_is_refused(folder: Path) -> None:
    path = folder / "dataset.json"
    path.write_text(path.read_text().replace('"command": "sample"', '"command": "render"'))
    with pytest.raises(AnnotationError, match="expected a folder made by `sample`, found one by 'render'; name another"):
        read_annotations([folder])
