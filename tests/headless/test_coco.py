"""COCO annotations read by pycocotools: instances whose masks are the label masks, and panoptic pictures by the published formula."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from scipy import ndimage

from dnerf_core.files.pictures import read_image
from dnerf_core.labels import SHAPENET_CAR_LABELS
from headless import cli
from headless.datasets.formats.coco import regions, run_lengths, segment_png
from headless.datasets.formats.connected import connected_pieces
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import contents, error_line, render, snapshot

PARTS = {1: "hood", 2: "roof", 3: "wheels", 4: "other"}


def read_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def segment_ids(rgb: np.ndarray) -> np.ndarray:
    """COCO's formula."""
    wide = rgb.astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=200, deadline=None)
def test_run_lengths_are_what_pycocotools_decodes(region: np.ndarray) -> None:
    packed = coco_masks.frPyObjects({"size": list(region.shape), "counts": run_lengths(region)}, *region.shape)
    np.testing.assert_array_equal(coco_masks.decode(packed), region)


def test_run_lengths_by_hand() -> None:
    """Down the columns: 0 1 | 1 1 | 0 0; a mask that starts with a one starts with no zeros."""
    region = np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert run_lengths(region) == [1, 3, 2]
    assert run_lengths(~region) == [0, 1, 3, 2]
    assert run_lengths(np.ones((2, 2), bool)) == [0, 4]


def test_a_region_is_all_of_one_part() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[1, 1] = mask[4, 5:7] = 3
    mask[0, 7] = 255
    [wheel] = regions(mask)
    assert (wheel.label, wheel.area, wheel.box) == (3, 3, (1, 1, 6, 4))
    assert [region.label for region in regions(mask, background=True)] == [0, 3]
    assert regions(np.zeros((4, 4), np.uint8)) == []


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
@settings(max_examples=200, deadline=None)
def test_pieces_are_those_of_scipy(region: np.ndarray) -> None:
    numbered, count = ndimage.label(region, np.ones((3, 3)))
    pieces = connected_pieces(region)
    assert len(pieces) == count
    for number, piece in enumerate(pieces, start=1):  # both by their first pixels, row by row
        np.testing.assert_array_equal(piece, numbered == number)


def test_two_wheels_are_two_objects() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[1, 1] = mask[2, 2] = mask[4, 5:7] = 3
    front, rear = regions(mask, connected=True)
    assert [(piece.label, piece.area, piece.box) for piece in (front, rear)] == [(3, 2, (1, 1, 2, 2)), (3, 2, (5, 4, 2, 1))]


def test_pycocotools_reads_the_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the demo's cars; the panoptic file is what it is without the option, and what is there is not called another kind."""
    call = ["render", "--seeds", "0", "--views", "3", "--resolution", "96", "--format", "coco"]
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert cli.run([*call, "--coco-instances", "connected", "-o", str(tmp_path / "pieces")]) == 0
    parts, pieces = (read_coco(tmp_path / name / "instances.json") for name in ("parts", "pieces"))
    assert len(pieces.anns) > len(parts.anns)
    for image in pieces.loadImgs(pieces.getImgIds()):
        mask = read_image(tmp_path / "pieces" / "masks" / image["file_name"])
        for label in PARTS:
            found = pieces.loadAnns(pieces.getAnnIds([image["id"]], catIds=[label]))
            regions_found = [pieces.annToMask(annotation) for annotation in found]
            assert all(ndimage.label(region, np.ones((3, 3)))[1] == 1 for region in regions_found)
            np.testing.assert_array_equal(sum(regions_found), mask == label)
            assert [annotation["area"] for annotation in found] == [int(region.sum()) for region in regions_found]
    one, other = (contents(tmp_path / name) for name in ("parts", "pieces"))
    assert {name for name in one if one[name] != other[name]} == {"instances.json", "checksums.sha256"}
    before = snapshot(tmp_path / "pieces")
    assert cli.run([*call, "--coco-instances", "connected", "-o", str(tmp_path / "pieces")]) == 0
    assert snapshot(tmp_path / "pieces") == before
    capsys.readouterr()
    assert cli.run([*call, "-o", str(tmp_path / "pieces")]) == 1
    assert "instances.json: expected parts, as --coco-instances says, found connected; delete it" in error_line(capsys)


def test_pycocotools_reads_the_instances(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--format", "coco") == 0
    coco = read_coco(tmp_path / "instances.json")
    assert {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())} == PARTS
    images = coco.loadImgs(coco.getImgIds())
    assert [image["file_name"] for image in images] == [f"s{seed:04d}_v{view:02d}.png" for seed in range(3) for view in range(2)]
    assert len({annotation for image in images for annotation in coco.getAnnIds([image["id"]])}) == 6 * 4
    for image in images:
        mask = read_image(tmp_path / "masks" / image["file_name"])
        assert (tmp_path / "images" / image["file_name"]).is_file()
        assert (image["height"], image["width"]) == mask.shape
        for annotation in coco.loadAnns(coco.getAnnIds([image["id"]])):
            region = coco.annToMask(annotation)
            np.testing.assert_array_equal(region, mask == annotation["category_id"])
            packed = coco.annToRLE(annotation)
            assert annotation["area"] == coco_masks.area(packed)
            assert annotation["bbox"] == coco_masks.toBbox(packed).tolist()
            assert annotation["iscrowd"] == 0


def test_pycocotools_scores_the_truth_against_itself(fake_model: FakeModel, tmp_path: Path) -> None:
    """The evaluation takes the file as ground truth and as result: everything is found."""
    from pycocotools.cocoeval import COCOeval

    assert render(tmp_path, "--format", "coco", "--resolution", "160") == 0
    truth = read_coco(tmp_path / "instances.json")
    results = [{**annotation, "score": 1.0, "segmentation": truth.annToRLE(annotation)} for annotation in truth.anns.values()]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_panoptic_pictures_hold_every_segment(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--format", "coco") == 0
    data = json.loads((tmp_path / "panoptic.json").read_text())
    categories = {category["id"]: category for category in data["categories"]}
    assert {k: category["name"] for k, category in categories.items()} == {0: "background", **PARTS}
    assert {k: category["isthing"] for k, category in categories.items()} == {0: 0, 1: 1, 2: 1, 3: 1, 4: 1}
    assert categories[2]["color"] == list(SHAPENET_CAR_LABELS.labels[2].color)
    instances = read_coco(tmp_path / "instances.json")
    assert [image["id"] for image in data["images"]] == [entry["image_id"] for entry in data["annotations"]]
    for image, entry in zip(data["images"], data["annotations"], strict=True):
        assert image["file_name"] == entry["file_name"]
        with Image.open(tmp_path / "panoptic" / entry["file_name"]) as picture:
            assert picture.mode == "RGB"
            ids = segment_ids(np.asarray(picture))
        mask = read_image(tmp_path / "masks" / entry["file_name"])
        segments = {segment["id"]: segment for segment in entry["segments_info"]}
        assert set(np.unique(ids)) - {0} == set(segments)
        np.testing.assert_array_equal(ids == 0, mask == 255)
        things = {a["category_id"]: a for a in instances.loadAnns(instances.getAnnIds([entry["image_id"]]))}
        for number, segment in segments.items():
            np.testing.assert_array_equal(ids == number, mask == segment["category_id"])
            packed = coco_masks.encode(np.asfortranarray(ids == number, dtype=np.uint8))
            assert (segment["area"], segment["bbox"]) == (coco_masks.area(packed), coco_masks.toBbox(packed).tolist())
            if categories[segment["category_id"]]["isthing"]:
                np.testing.assert_array_equal(instances.annToMask(things[segment["category_id"]]), ids == number)


def test_the_highest_label_fits_the_picture() -> None:
    mask = np.array([[0, 254, 255]], np.uint8)
    with Image.open(io.BytesIO(segment_png(mask))) as picture:
        np.testing.assert_array_equal(segment_ids(np.asarray(picture)), [[1, 255, 0]])


def test_annotations_are_finished_and_independent_of_parts(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-5", "--views", "2", "--format", "coco", "--splits", "train=0.7,test=0.3"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for number in (2, 1):
        assert cli.run([*call, "--shard", f"{number}/2", "--workers", "3", "-o", str(tmp_path / "parts")]) == 0
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "parts") == whole
    names = [
        {image["file_name"] for image in read_coco(tmp_path / "whole" / split / "instances.json").imgs.values()}
        for split in ("train", "test")
    ]
    assert len(names[0] | names[1]) == len(names[0]) + len(names[1]) == 12
    train = tmp_path / "parts" / "train"
    (train / "panoptic.json").unlink()
    (train / "panoptic" / "s0000_v00.png").unlink()
    (train / "panoptic" / ".tmp-7-s0000_v00.png").write_bytes(b"half")
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert contents(tmp_path / "parts") == whole
    before = snapshot(tmp_path / "parts")
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert snapshot(tmp_path / "parts") == before


def test_empty_masks_are_images_without_annotations(fake_model: FakeModel, tmp_path: Path) -> None:
    fake_model.empty = True
    assert render(tmp_path, "--format", "coco") == 0
    coco = read_coco(tmp_path / "instances.json")
    assert (len(coco.imgs), len(coco.anns)) == (6, 0)


def test_coco_needs_image_and_mask(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path / "out", "--format", "coco", "--channels", "rgb,depth") == 2
    assert "--format coco: expected rgb and mask among the channels, found no mask" in error_line(capsys)
    fake_model.masks = False
    assert render(tmp_path / "out", "--format", "coco") == 2
    assert "found no mask" in error_line(capsys)
