"""`annotate import`: each tool's files to the same pixels, what is left alone, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.files.pictures import write_mask
from dnerf_core.labels import LabelSet
from headless import cli
from headless.annotating.importing import sources
from headless.annotating.importing.coco import counts_of
from headless.annotating.importing.label_names import LabelNames
from headless.annotating.importing.voc import voc_color
from headless.runs import annotate
from headless.runs.annotate import AnnotateImportCall
from headless.work.at_work import at_work
from tests.headless.annotation_writers import (
    coco_file,
    cvat_file,
    cvat_masks,
    labelme_file,
    labelme_mask,
    write_labelme,
    write_voc,
)
from tests.headless.test_render import error_line, snapshot
from tests.headless.tiny_engine import LABELS, SIZE_PX, read_ids, sample_folder

NAMES = ["background", "left", "right"]
VIEW = "s0001_v00"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """What `sample` wrote, nothing painted; copy it before changing anything."""
    return sample_folder(tmp_path_factory.mktemp("sampled") / "cloud", tiny_model)


@pytest.fixture
def folder(sampled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sampled, tmp_path / "cloud"))


@pytest.fixture(scope="module")
def masks(painted_folder: Path) -> dict[str, np.ndarray]:
    """The painted masks of all views."""
    return {path.stem: read_ids(path) for path in sorted((painted_folder / "masks").glob("*.png"))}


def bring(folder: Path, tool: str, path: Path, *args: str) -> int:
    return cli.run(["annotate", "import", str(folder), str(path), "--from", tool, *args])


def held(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: read_ids(path) for path in sorted((folder / "masks").glob("*.png"))}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for view, mask in expected.items():
        np.testing.assert_array_equal(found[view], mask, err_msg=view)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def one_shape(tmp_path: Path, shape: dict[str, Any], **more: Any) -> Path:
    """A labelme file of one picture with one shape."""
    path = tmp_path / f"{VIEW}.json"
    path.write_text(json.dumps(labelme_file(VIEW, SIZE_PX, [shape], **more)))
    return path


def square(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


# --- the demo's own masks


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's exact masks, which the files in `inputs_dir` outline."""
    folder = tmp_path_factory.mktemp("demo") / "cars"
    assert cli.run(["sample", "--truth", "--seeds", "0-1", "--views", "2", "-o", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("tool", "name"), [("labelme", "labelme"), ("coco", "instances_default.json"), ("cvat", "annotations.xml")]
)
def test_outlines_of_the_demo_give_its_exact_masks(
    tool: str, name: str, inputs_dir: Path, demo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(demo_folder, tmp_path / "cars"))
    for path in (folder / "masks").iterdir():
        path.unlink()
    assert bring(folder, tool, inputs_dir / name, "--json") == 0
    assert summary(capsys)["views_written"] == 4
    for path in (demo_folder / "masks").iterdir():
        assert (folder / "masks" / path.name).read_bytes() == path.read_bytes()  # as `sample` writes them, to the byte


# --- every tool's files of the same masks


@pytest.mark.parametrize("packed", [False, True])
def test_coco_run_lengths(packed: bool, folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(coco_file(masks, NAMES, packed=packed)))
    assert bring(folder, "coco", path) == 0
    assert_same(held(folder), masks)


def test_labelme_masks_in_boxes(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    assert bring(folder, "labelme", write_labelme(tmp_path / "json", masks, NAMES)) == 0
    assert_same(held(folder), masks)


def test_cvat_masks_in_boxes(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(cvat_file(SIZE_PX, {f"cars/{view}.png": cvat_masks(mask, NAMES) for view, mask in masks.items()}))
    assert bring(folder, "cvat", path) == 0
    assert_same(held(folder), masks)


COLORS = {"background": (0, 0, 0), "left": (250, 50, 83), "right": (51, 221, 255)}


def test_voc_colours(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", masks, COLORS, NAMES)
    assert bring(folder, "voc", voc) == 0
    assert_same(held(folder), masks)


def test_voc_palettes_indices_and_the_border(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    """The published palette with its white border, gray indices, and classes without colours."""
    voc = write_voc(tmp_path / "voc", {}, {}, NAMES)
    (voc / "labelmap.txt").write_text("background:::\nleft:::\nright:::\n")
    views = list(masks)
    expected = {view: mask.copy() for view, mask in masks.items()}
    expected[views[0]][:2] = 255
    for number, (view, mask) in enumerate(expected.items()):
        image = Image.fromarray(mask)
        if number % 2 == 0:
            table = np.array([voc_color(index) for index in range(256)], np.uint8)
            image.putpalette(table.tobytes())
        image.save(voc / "SegmentationClass" / f"{view}.png")
    assert bring(folder, "voc", voc) == 0
    assert_same(held(folder), expected)
    assert [voc_color(index) for index in (0, 1, 2, 8, 20, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (64, 0, 0),
        (0, 64, 128),
        (224, 224, 192),
    ]


def test_what_labelmes_exporter_to_voc_writes(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", masks, {name: voc_color(index) for index, name in enumerate(NAMES)}, NAMES)
    (voc / "labelmap.txt").unlink()
    (voc / "class_names.txt").write_text("_background_\nLeft\nRIGHT")
    assert bring(folder, "voc", voc) == 0
    assert_same(held(folder), masks)


def test_plain_masks(folder: Path, painted_folder: Path, masks: dict[str, np.ndarray]) -> None:
    for path in (painted_folder, painted_folder / "masks"):
        assert bring(folder, "masks", path, "--replace") == 0
        assert_same(held(folder), masks)


def test_an_archive_is_read_as_a_web_tool_gives_it(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", masks, COLORS, NAMES)
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in voc.rglob("*"):
            archive.write(path, path.relative_to(voc))
    assert bring(folder, "voc", tmp_path / "task.zip") == 0
    assert_same(held(folder), masks)


# --- shapes


def test_shapes_of_labelme(folder: Path, tmp_path: Path) -> None:
    shapes = [
        {"label": "left", "points": square(2, 2, 14, 14), "shape_type": "polygon"},
        {"label": "right", "points": [[10, 12], [4, 6]], "shape_type": "rectangle"},  # corners in any order, and on top
        {"label": "left", "points": [[7.5, 9.5], [8.5, 9.5]], "shape_type": "circle"},
        {"label": "_background_", "points": [[2, 3], [3, 2], [4, 3], [3, 4]], "shape_type": "oriented_rectangle"},
    ]
    path = one_shape(tmp_path, shapes[0], imagePath=f"..\\images\\{VIEW}.png")
    data = json.loads(path.read_text())
    data["shapes"] = shapes
    path.write_text(json.dumps(data))
    assert bring(folder, "labelme", path) == 0
    expected = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    expected[2:14, 2:14] = 1
    expected[6:12, 4:10] = 2
    for row, column in ((8, 7), (9, 6), (9, 7), (9, 8), (10, 7)):
        expected[row, column] = 1
    expected[2:4, 2] = 0  # of the four centres on the slanting edges, those with the inside to their right
    found = held(folder)
    np.testing.assert_array_equal(found[VIEW], expected)
    assert not any(mask.any() for view, mask in found.items() if view != VIEW)


def test_shapes_of_cvat_and_their_order(folder: Path, tmp_path: Path) -> None:
    shapes = (
        '<box label="right" xtl="4" ytl="4" xbr="8" ybr="8" z_order="2"/>'
        '<polygon label="left" points="2,2;12,2;12,12;2,12" z_order="-1"><attribute name="a">b</attribute></polygon>'
        '<ellipse label="right" cx="12.5" cy="12.5" rx="2" ry="1" rotation="90" z_order="0"/>'
        '<polygon label="left" points="6,6;10,6;10,10;6,10" z_order="1"/>'
        '<box label="right" xtl="0" ytl="0" xbr="2" ybr="4" rotation="90"/>'
        '<tag label="anything"/>'
    )
    path = tmp_path / "annotations.xml"
    path.write_text(cvat_file(SIZE_PX, {f"{VIEW}.png": shapes, "s0000_v00.png": "", "another.png": "<points/>"}))
    assert bring(folder, "cvat", path) == 0
    expected = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    expected[2:12, 2:12] = 1
    expected[1:3, 0:3] = 2  # a box of 2 x 4 about (1, 2), turned to 4 x 2
    expected[10:15, 12] = expected[12, 11:14] = 2
    expected[11:14, 12] = 2
    expected[6:10, 6:10] = 1
    expected[4:8, 4:8] = 2
    np.testing.assert_array_equal(held(folder)[VIEW], expected)


def test_coco_polygons_with_holes_and_pieces(folder: Path, tmp_path: Path) -> None:
    rings = [square(1, 1, 11, 11), square(3, 3, 9, 9), square(5, 5, 7, 7), square(12, 1, 15, 4)]
    flat = [[value for point in points for value in point] for points in rings]
    data = {
        "images": [{"id": 4, "file_name": f"{VIEW}.png", "width": SIZE_PX, "height": SIZE_PX}],
        "categories": [{"id": 90, "name": "Right"}, {"id": 3, "name": "unused and unknown"}],
        "annotations": [{"id": 1, "image_id": 4, "category_id": 90, "segmentation": flat, "iscrowd": 0}],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_default.json").write_text(json.dumps(data))
    (tmp_path / "annotations" / "captions.json").write_text("not read, since one is called instances")
    assert bring(folder, "coco", tmp_path / "annotations") == 0
    expected = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    expected[1:11, 1:11] = 2
    expected[3:9, 3:9] = 0
    expected[5:7, 5:7] = 2
    expected[1:4, 12:15] = 2
    np.testing.assert_array_equal(held(folder)[VIEW], expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=12, max_size=300))
def test_strings_of_run_lengths_are_read_as_pycocotools_reads_them(pixels: list[bool]) -> None:
    from pycocotools import mask as coco_mask

    column = np.asfortranarray(np.array(pixels, np.uint8)[:, None])
    packed = coco_mask.encode(column)["counts"].decode()
    counts = counts_of(packed, len(pixels))
    assert counts is not None
    np.testing.assert_array_equal(np.repeat(np.arange(len(counts)) % 2, counts), pixels)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_string_is_run_lengths_or_refused(text: str) -> None:
    """pycocotools writes beyond its memory for some of these."""
    counts = counts_of(text, 64)
    assert counts is None or all(0 <= count <= 64 for count in counts)


def test_long_runs_are_read() -> None:
    from pycocotools import mask as coco_mask

    mask = np.zeros((3000, 2000), np.uint8, order="F")
    mask[:, 1500:] = 1
    counts = counts_of(coco_mask.encode(mask)["counts"].decode(), mask.size)
    assert counts == [4_500_000, 1_500_000]
    assert counts_of("o" * 40, mask.size) is None  # no end


# --- what stays, and what is told


def test_views_that_the_files_say_nothing_of_stay(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = {view: masks[view] for view in list(masks)[:3]}
    capsys.readouterr()
    before = snapshot(folder)
    path = write_labelme(tmp_path / "json", some, NAMES)
    (path / "s0002_v01.json").write_text(json.dumps(labelme_file("s0002_v01", SIZE_PX, [])))  # opened and saved, nothing drawn
    assert bring(folder, "labelme", path) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{folder}: 3 views painted, 5 not annotated there and left as they are"
    left = sum(int((mask == 1).sum()) for mask in some.values())
    assert out[2].split() == ["left", f"{left:,}", "px", "in", "3", "views"]
    assert out[-1] == f"next: dnerf-headless train {folder} -o model.safetensors --skip-unpainted"
    after = snapshot(folder)
    assert {name for name in before if before[name] != after[name]} - {"masks"} == {f"masks/{view}.png" for view in some}
    with Image.open(folder / "masks" / f"{VIEW}.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.reshape(image.getpalette(), (-1, 3)), LABELS.palette())


def test_painted_masks_are_overwritten_only_where_it_is_said(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = list(masks)[:3]
    mine = np.full((SIZE_PX, SIZE_PX), 2, np.uint8)
    ignored = np.full((SIZE_PX, SIZE_PX), 255, np.uint8)
    for view, mask in ((first, mine), (second, masks[second]), (third, ignored)):
        write_mask(folder / "masks" / f"{view}.png", mask, LABELS.palette())
    path = write_labelme(tmp_path / "json", masks, NAMES)
    capsys.readouterr()
    assert bring(folder, "labelme", path, "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "warning", "summary"]
    assert events[1]["message"] == (
        f"{folder}: 2 views painted already stay as they are, {first}, {third}; --replace overwrites them"
    )
    numbers = {key: events[2][key] for key in ("views", "views_written", "views_same", "views_kept", "views_not_annotated")}
    assert list(numbers.values()) == [8, 5, 1, 2, 0]
    assert events[2]["labels"][1]["views"] == 6
    assert_same(held(folder), masks | {first: mine, third: ignored})
    assert bring(folder, "labelme", path, "--replace") == 0
    assert_same(held(folder), masks)
    before = snapshot(folder)
    capsys.readouterr()
    assert bring(folder, "labelme", path, "--json") == 0
    done = summary(capsys)
    assert (done["nothing_to_do"], done["views_same"]) == (True, 8)
    assert snapshot(folder) == before


def test_a_second_import_into_the_folder_is_refused_while_one_is_at_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = one_shape(tmp_path, {"label": "left", "shape_type": "polygon", "points": square(0, 0, 9, 9)})
    other = Path(shutil.copy(one, tmp_path / "other.json"))
    codes, told, write = [], [], annotate.write_masks

    def both(*args: Any) -> None:
        for path in (other, one):
            codes.append(bring(folder, "labelme", path))
            told.append(error_line(capsys))
        write(*args)

    monkeypatch.setattr(annotate, "write_masks", both)
    assert bring(folder, "labelme", one) == 0
    assert codes == [1, 1]
    assert told[0] == f"error: {folder}: another call is at work there, process {os.getpid()}; wait for it\n"
    assert told[1] == f"error: {folder}: the same call is at work there, process {os.getpid()}; wait for it\n"
    monkeypatch.undo()
    assert bring(folder, "labelme", other) == 0
    with at_work(folder, "0" * 16, pytest.fail):  # as sample takes it
        assert bring(folder, "labelme", one) == 1
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_pictures_of_another_folder_are_told(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "any.json"
    strange = {"another_v01": masks[VIEW], "s0009_v00": masks[VIEW]}
    path.write_text(json.dumps(coco_file({VIEW: masks[VIEW]} | strange, NAMES, packed=False)))
    capsys.readouterr()
    assert bring(folder, "coco", path) == 0
    assert f"warning: {path}: 2 of its pictures are none of {folder}: " in capsys.readouterr().err
    path.write_text(json.dumps(coco_file(strange, NAMES, packed=False)))
    assert bring(folder, "coco", path) == 1
    assert "expected pictures of the folder, such as s0000_v00, found " in error_line(capsys)


def test_labels_are_matched_by_their_letters(folder: Path, masks: dict[str, np.ndarray], tmp_path: Path) -> None:
    names = ["background", "Le-FT_", " ri ght"]
    path = tmp_path / "any.json"
    path.write_text(json.dumps(coco_file(masks, names, packed=False)))
    assert bring(folder, "coco", path) == 0
    assert_same(held(folder), masks)


def test_unknown_labels_are_named_all_at_once(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(coco_file(masks, ["background", "linke Seite", "rechts"], packed=False)))
    before = snapshot(folder)
    capsys.readouterr()
    assert bring(folder, "coco", path) == 1
    line = error_line(capsys)
    assert f"{path}: expected the labels background, left, right, found 'linke Seite' (8 times), 'rechts' (8 times); say" in line
    assert '--map "linke Seite"=right or --map "linke Seite"=ignore, or add it to labels.json' in line
    assert snapshot(folder) == before
    assert bring(folder, "coco", path, "--map", "Linke_Seite=left", "--map", "rechts=Right", "--map", "wheel=left") == 0
    assert f"warning: --map: wheel: no such name in {path}" in capsys.readouterr().err
    assert_same(held(folder), masks)
    assert bring(folder, "coco", path, "--map", "linke seite=ignore", "--map", "rechts=_background_", "--replace") == 0
    for view, mask in held(folder).items():
        np.testing.assert_array_equal(mask, np.where(masks[view] == 1, 255, 0))


def test_names_that_several_labels_fit_are_ambiguous_unless_exact() -> None:
    names = LabelNames(LabelSet.from_names(["left-eye", "left eye", "nose", "ignored"]))
    assert (names.id_of("left-eye"), names.id_of("left eye"), names.id_of("NOSE")) == (1, 2, 3)
    assert (names.id_of("_background_"), names.id_of("__ignore__"), names.id_of("Ignored")) == (0, 255, 4)
    assert names.id_of("left_eye") is None
    with pytest.raises(AnnotationError, match=r"found 'left_eye' \(1 time\) \('left_eye' fits several\)"):
        names.check("x.json", "labels.json")
    assert names.id_of("noze") is None
    with pytest.raises(AnnotationError, match=r"'noze' \(1 time\) \(did you mean nose\?\)"):
        names.check("x.json", "labels.json")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["wheel"], "--map: expected a name of the file and a label, such as wheel=wheels, found 'wheel'"),
        (["=left"], "--map: expected a name of the file and a label"),
        (["a=middle"], "--map: expected one of the labels background, left, right or ignore, found 'middle'"),
        (["a=left", "A=right"], "--map: expected each name once, found 'A' with two labels"),
    ],
)
def test_a_wrong_map_is_refused(pairs: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        LabelNames(LABELS, pairs)
    assert message in str(caught.value)


def test_a_call_needs_a_tool_that_is_known() -> None:
    with pytest.raises(UsageError, match=r"^from_tool: expected labelme or coco or cvat or voc or masks, found 'paint'"):
        AnnotateImportCall(folder=Path(), path=Path(), from_tool="paint")  # type: ignore[arg-type]


# --- what is refused, in one line, with nothing written


def mask_of(width: int, height: int) -> str:
    return str(labelme_mask("left", np.ones((height, width), np.bool_))["mask"])


BAD_SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"shape_type": "point", "points": [[1, 1]]}, "shapes[0] ('left'): expected an area (polygon, rectangle, "),
    ({"shape_type": "linestrip", "points": [[1, 1], [2, 2]]}, "found a 'linestrip'; draw it as an area, or remove it"),
    ({"points": [[1, 1], [2, 2]]}, "expected at least 3 points, found 2"),
    ({"points": [[1, 1], [2, 2], [3, float("nan")]]}, "expected coordinates within 1e+06 px, found nan"),
    ({"points": [[1, 1], [2, 2], [3, 10**400]]}, "expected coordinates within 1e+06 px, found 1000"),
    ({"points": [[1, 1], [2, 2], [True, 3]]}, "expected coordinates within 1e+06 px, found True"),
    ({"points": [[1, 1], [2, 2], [3]]}, "expected points [[x, y], ..]"),
    ({"points": None}, "expected points [[x, y], ..], found None"),
    ({"label": None, "points": square(1, 1, 2, 2)}, "shapes[0]: label: expected text, found none"),
    ({"shape_type": "rectangle", "points": square(1, 1, 2, 2)}, "expected 2 points of a rectangle, found 4"),
    ({"shape_type": "mask", "points": [[0, 0], [3, 3]], "mask": mask_of(3, 4)}, "mask: expected 4 x 4 px like its box"),
    ({"shape_type": "mask", "points": [[0, 0], [3, 3]], "mask": "no base64"}, "mask: expected a PNG in base64"),
    ({"shape_type": "mask", "points": [[0, 0], [3, 3]], "mask": mask_of(4, 4)[:60]}, "mask: expected a PNG image"),
    ({"shape_type": "mask", "points": [[0, 0], [99999, 0]], "mask": mask_of(100000, 1)}, "no more than the picture"),
]


@pytest.mark.parametrize(("shape", "message"), BAD_SHAPES, ids=[message for _, message in BAD_SHAPES])
def test_a_shape_that_is_no_area_is_refused(
    shape: dict[str, Any], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(folder)
    capsys.readouterr()
    assert bring(folder, "labelme", one_shape(tmp_path, {"label": "left"} | shape)) == 1
    line = error_line(capsys)
    assert f"{VIEW}.json: " in line and message in line
    assert snapshot(folder) == before


def with_entry(**entry: Any) -> str:
    data: dict[str, Any] = {
        "images": [{"id": 1, "file_name": f"{VIEW}.png", "width": SIZE_PX, "height": SIZE_PX}],
        "categories": [{"id": 1, "name": "left"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]]} | entry],
    }
    return json.dumps(data)


def with_runs(size: Any, counts: Any) -> str:
    return with_entry(segmentation={"size": size, "counts": counts})


SIZE = [SIZE_PX, SIZE_PX]
PIXELS = SIZE_PX**2
BAD_FILES: list[tuple[str, str, str]] = [
    ("coco", with_entry(category_id=5), "annotations[0]: category_id: expected one of the categories, found 5"),
    ("coco", with_entry(image_id=None), "annotations[0]: image_id: expected an id, found None"),
    ("coco", with_entry(segmentation=[], bbox=[1, 1, 4, 4]), "a box alone outlines no part"),
    ("coco", with_entry(segmentation=[[1, 1, 5, 1, 5]]), "segmentation[0]: expected x, y, x, y, .."),
    ("coco", with_entry(segmentation=[[1, 1, 5, 1]]), "segmentation[0]: expected at least 3 points, found 2"),
    ("coco", with_entry(segmentation="abc"), "expected up to 10000 polygons, found 'abc'"),
    ("coco", with_runs([1, 1], [1]), f"segmentation: size: expected [{SIZE_PX}, {SIZE_PX}] like the picture, found [1, 1]"),
    ("coco", with_runs(SIZE, [PIXELS - 1]), f"counts: expected run lengths of {PIXELS} pixels, found others"),
    ("coco", with_runs(SIZE, [-1, PIXELS + 1]), "counts: expected run lengths"),
    ("coco", with_runs(SIZE, [10**300]), "counts: expected run lengths"),
    ("coco", with_runs(SIZE, []), "counts: expected run lengths"),
    ("coco", with_runs(SIZE, "Pb`n0"), "counts: expected run lengths"),
    ("coco", "[" * 100_000, "expected JSON, found values nested too deeply"),
    ("coco", '{"images": [', "expected JSON, found Expecting value at line 1"),
    ("coco", "{}", "expected a COCO instances file, found 'any.json'; name what the tool wrote"),
    ("coco", json.dumps(labelme_file(VIEW, SIZE_PX, [])), "found labelme's JSON files; say --from labelme"),
    ("labelme", json.dumps(labelme_file(VIEW, SIZE_PX + 1, [])), f"expected a picture of {SIZE_PX} x {SIZE_PX} px like"),
    ("labelme", json.dumps(labelme_file(VIEW, SIZE_PX, [], imageWidth=None)), "imageWidth: expected a whole number, found none"),
]


@pytest.mark.parametrize(("tool", "text", "message"), BAD_FILES, ids=[message for *_, message in BAD_FILES])
def test_a_bad_json_file_is_refused(
    tool: str, text: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "any.json"
    path.write_text(text)
    before = snapshot(folder)
    capsys.readouterr()
    assert bring(folder, tool, path) == 1
    line = error_line(capsys)
    assert line.startswith(f"error: {path}: ") and message in line
    assert snapshot(folder) == before


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>'
BAD_XML: list[tuple[str, str]] = [
    (LAUGHS, "expected XML without a document type, found one (DOCTYPE)"),
    (OUTSIDE, "expected XML without a document type, found one (DOCTYPE)"),
    ("<annotations>", "expected XML, found no element found"),
    ('<?xml version="1.0" encoding="x-none"?><annotations/>', "expected XML, "),
    ("<annotations>" + "<a>" * 70 + "</a>" * 70 + "</annotations>", "expected elements at most 64 deep"),
    ("<annotations><track id='0'/></annotations>", "found tracks of a video; export it as CVAT for images 1.1"),
    ("<other/>", "expected a file of CVAT for images 1.1, found 'any.xml'"),
    (cvat_file(SIZE_PX + 2, {VIEW: ""}), f"image '{VIEW}': expected a picture of {SIZE_PX} x {SIZE_PX} px"),
    (cvat_file(SIZE_PX, {VIEW: '<points label="left" points="1,1"/>'}), "points 'left': expected an area (polygon, box, "),
    (cvat_file(SIZE_PX, {VIEW: '<polygon label="left" points="1,1;2,x"/>'}), "points: expected x,y;x,y;.."),
    (cvat_file(SIZE_PX, {VIEW: '<polygon label="left"/>'}), "points: expected x,y;x,y;.."),
    (cvat_file(SIZE_PX, {VIEW: '<box label="left" xtl="1" ytl="1" xbr="nan" ybr="2"/>'}), "xbr: expected a number, found 'nan'"),
    (cvat_file(SIZE_PX, {VIEW: '<ellipse label="left" cx="1" cy="1" rx="-1" ry="2"/>'}), "expected half axes of at least 0"),
    (cvat_file(SIZE_PX, {VIEW: '<polygon label="left" points="1,1;2,2;1,2" z_order="a"/>'}), "z_order: expected a number"),
    (cvat_file(SIZE_PX, {VIEW: '<mask label="left" rle="3,2" left="0" top="0" width="2" height="2"/>'}), "rle: expected run"),
    (cvat_file(SIZE_PX, {VIEW: '<mask label="left" rle="x" left="0" top="0" width="2" height="2"/>'}), "rle: expected run"),
    (
        cvat_file(SIZE_PX, {VIEW: '<mask label="left" rle="4" left="0" top="0" width="2" height="9e5"/>'}),
        "no larger than the picture",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_XML, ids=[str(number) for number in range(len(BAD_XML))])
def test_a_bad_xml_file_is_refused(
    text: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "any.xml"
    path.write_text(text)
    before = snapshot(folder)
    capsys.readouterr()
    assert bring(folder, "cvat", path) == 1
    line = error_line(capsys)
    assert line.startswith(f"error: {path}: ") and message in line
    assert snapshot(folder) == before


def test_a_picture_in_two_places_is_refused(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_labelme(tmp_path / "json", {VIEW: masks[VIEW]}, NAMES)
    shutil.copy(path / f"{VIEW}.json", path / "copy.json")
    capsys.readouterr()
    assert bring(folder, "labelme", path) == 1
    assert f"expected {VIEW} in one place, found it in {path / 'copy.json'}, too; keep one of them" in error_line(capsys)


def test_the_picture_that_labelme_shows_counts_and_else_the_files_name(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = write_labelme(tmp_path / "json", {VIEW: masks[VIEW]}, NAMES)
    data = json.loads((path / f"{VIEW}.json").read_text())
    (path / "template.json").write_text(json.dumps(data | {"imagePath": "C:\\cars\\images\\S0003_v01.PNG"}))
    (path / f"{VIEW}.json").write_text(json.dumps(data | {"imagePath": "/mnt/elsewhere/IMG_1.jpg"}))
    assert bring(folder, "labelme", path) == 0
    found = held(folder)
    for view in (VIEW, "s0003_v01"):
        np.testing.assert_array_equal(found[view], masks[VIEW])
    assert sum(mask.any() for mask in found.values()) == 2


def test_voc_without_its_classes_or_with_others_is_refused(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voc = write_voc(tmp_path / "voc", masks, COLORS, NAMES)
    capsys.readouterr()
    assert bring(folder, "voc", voc / "SegmentationClass") == 1
    assert "expected a folder SegmentationClass with its labelmap.txt" in error_line(capsys)
    (voc / "labelmap.txt").write_text("background:0,0,0::\nleft:250,50,83::\n")
    assert bring(folder, "voc", voc) == 1
    assert "found (51, 221, 255) at column " in error_line(capsys)
    for text, message in (
        ("left:1,2::", "'left': expected a colour such as 128,0,0, found '1,2'"),
        ("left:1,2,256::", "expected a colour such as 128,0,0"),
        ("left:1,2,3::\nright:1,2,3::", "expected each colour once, found one twice"),
    ):
        (voc / "labelmap.txt").write_text(text)
        assert bring(folder, "voc", voc) == 1
        assert message in error_line(capsys)
    (voc / "labelmap.txt").unlink()
    assert bring(folder, "voc", voc) == 1
    assert f"{voc}: expected one labelmap.txt or class_names.txt, which says what the colours mean, found none" in error_line(
        capsys
    )


def test_a_damaged_class_picture_is_refused(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voc = write_voc(tmp_path / "voc", {VIEW: masks[VIEW]}, COLORS, NAMES)
    path = voc / "SegmentationClass" / f"{VIEW}.png"
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 12] ^= 1
    path.write_bytes(bytes(data))
    capsys.readouterr()
    assert bring(folder, "voc", voc) == 1
    assert f"{path}: expected a PNG image, it cannot be read: " in error_line(capsys)


# --- nothing outside is opened


def test_links_out_of_the_folder_are_refused(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = write_labelme(tmp_path / "outside", {VIEW: masks[VIEW]}, NAMES)
    inside = tmp_path / "json"
    inside.mkdir()
    (inside / f"{VIEW}.json").symlink_to(outside / f"{VIEW}.json")
    capsys.readouterr()
    assert bring(folder, "labelme", inside) == 1
    assert f"{inside / VIEW}.json: expected a file within {inside}, found a link out of it; copy" in error_line(capsys)
    (inside / f"{VIEW}.json").unlink()
    (inside / "deeper").symlink_to(outside)
    assert bring(folder, "labelme", inside) == 1
    assert "expected labelme's JSON files, found no file" in error_line(capsys)


def test_masks_that_lie_elsewhere_are_refused(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_labelme(tmp_path / "json", {VIEW: masks[VIEW]}, NAMES)
    target = tmp_path / "elsewhere.png"
    write_mask(target, masks[VIEW], LABELS.palette())
    mask = folder / "masks" / f"{VIEW}.png"
    mask.unlink()
    mask.symlink_to(target)
    before = target.read_bytes()
    capsys.readouterr()
    assert bring(folder, "labelme", path) == 1
    assert f"{mask}: expected a file within {folder}, found a link out of it" in error_line(capsys)
    assert bring(folder, "labelme", path, "--replace") == 0
    assert target.read_bytes() == before and not mask.is_symlink()
    shutil.move(folder / "masks", tmp_path / "moved")
    (folder / "masks").symlink_to(tmp_path / "moved")
    assert bring(folder, "labelme", path, "--replace") == 1
    assert "found a link out of it; move the masks there" in error_line(capsys)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "any.json")
    capsys.readouterr()
    assert bring(folder, "coco", tmp_path / "any.json") == 2
    assert "a named pipe (FIFO)" in error_line(capsys)
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "any.json")
    assert bring(folder, "coco", tmp_path / "in") == 1
    assert "a named pipe (FIFO)" in error_line(capsys)


def test_files_that_are_too_large_are_refused_unread(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 2**20)
    (tmp_path / "any.json").write_bytes(b" " * (2**20 + 1))
    capsys.readouterr()
    assert bring(folder, "coco", tmp_path / "any.json") == 1
    assert "any.json: expected at most 1 MB, found more; export fewer pictures a file" in error_line(capsys)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "any.json", "any.json")
    assert bring(folder, "coco", tmp_path / "bomb.zip") == 1
    assert "expected at most 1 MB, found more" in error_line(capsys)
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    assert bring(folder, "coco", tmp_path) == 1
    assert "expected at most 3 files, found more; name the folder that the tool wrote" in error_line(capsys)


def test_a_damaged_archive_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", cvat_file(SIZE_PX, {VIEW: ""}))
    data = bytearray((tmp_path / "task.zip").read_bytes())
    data[data.index(b"version") + 2] ^= 1
    (tmp_path / "task.zip").write_bytes(bytes(data))
    capsys.readouterr()
    assert bring(folder, "cvat", tmp_path / "task.zip") == 1
    assert "Bad CRC-32" in error_line(capsys)
    (tmp_path / "task.zip").write_bytes(bytes(data)[:40])
    assert bring(folder, "cvat", tmp_path / "task.zip") == 1
    assert "task.zip: expected annotations, they cannot be read: File is not a zip file" in error_line(capsys)


def test_a_folder_of_another_command_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "any.json").write_text(with_entry())
    capsys.readouterr()
    assert bring(tmp_path, "coco", tmp_path / "any.json") == 1
    assert f"{tmp_path}: expected a folder made by `sample`, found no dataset.json" in error_line(capsys)


def test_a_labelme_mask_of_one_pixel(folder: Path, tmp_path: Path) -> None:
    shape = labelme_mask("right", np.pad(np.ones((1, 1), np.bool_), ((3, SIZE_PX - 4), (5, SIZE_PX - 6))))
    assert bring(folder, "labelme", one_shape(tmp_path, shape)) == 0
    assert np.argwhere(held(folder)[VIEW]).tolist() == [[3, 5]]


# --- what `train` and `evaluate` say of files that nobody has read


def drop_files(tool: str, folder: Path, masks: dict[str, np.ndarray]) -> Path:
    """Let a tool's files of the masks lie in the folder; gives what to name of them."""
    if tool == "labelme":
        return write_labelme(folder / "images", masks, NAMES)
    if tool == "coco":
        path = folder / "annotations" / "instances_default.json"
        path.parent.mkdir()
        path.write_text(json.dumps(coco_file(masks, NAMES, packed=True)))
        return path
    if tool == "cvat":
        path = folder / "masks" / "annotations.xml"
        path.write_text(cvat_file(SIZE_PX, {f"{view}.png": cvat_masks(mask, NAMES) for view, mask in masks.items()}))
        return path
    voc = write_voc(folder / "my voc", masks, COLORS, NAMES)
    if tool == "voc":
        return voc
    with zipfile.ZipFile(folder / "task.zip", "w") as archive:
        for path in voc.rglob("*"):
            archive.write(path, path.relative_to(voc))
    shutil.rmtree(voc)
    return folder / "task.zip"


@pytest.mark.parametrize("kept", [True, False], ids=["empty masks", "no masks"])
@pytest.mark.parametrize("tool", ["labelme", "coco", "cvat", "voc", "zip"])
def test_files_that_nobody_has_read_are_told_with_the_command_that_reads_them(
    tool: str, kept: bool, folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drop_files(tool, folder, masks)
    if not kept:
        for mask in (folder / "masks").glob("*.png"):
            mask.unlink()
    for call in (["train", str(folder), "-o", str(tmp_path / "x.safetensors")], ["evaluate", str(folder)]):
        capsys.readouterr()
        assert cli.run(call) == 1
        line = error_line(capsys)
        assert "expected painted masks, found " in line and f" in {path}; read that first: " in line
    command = shlex.split(line.rpartition(": ")[2])
    assert command[:3] == ["dnerf-headless", "annotate", "import"]
    assert cli.run(command[1:]) == 0
    assert_same(held(folder), masks)


def test_an_unpainted_folder_without_such_files_is_told_as_ever(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images" / "notes.json").write_text("{")
    (folder / "images" / "other.xml").write_text("<other/>")
    (folder / "notes.zip").write_bytes(b"PK no archive")
    capsys.readouterr()
    assert cli.run(["train", str(folder), "-o", str(tmp_path / "x.safetensors")]) == 1
    assert f"{folder}: expected painted masks, found only background; paint some first" in error_line(capsys)


def test_a_folder_painted_in_part_tells_of_files_too(
    folder: Path, masks: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mask(folder / "masks" / f"{VIEW}.png", masks[VIEW], LABELS.palette())
    path = drop_files("labelme", folder, masks)
    capsys.readouterr()
    assert cli.run(["train", str(folder), "-o", str(tmp_path / "x.safetensors")]) == 1
    assert f"found only background in 7 of 8, and labelme's JSON files in {path}; read that first: " in error_line(capsys)
