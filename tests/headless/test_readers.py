"""Masks and depth of a data set, in every kind, as other programs read them and as this one does."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")

import av
import cv2
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.datasets import LabeledViews
from dnerf_core.errors import UsageError
from dnerf_core.files.pictures import read_depth, write_depth, write_mask
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from headless import cli
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import contents, error_line, render, snapshot

DEPTH_FORMATS = ("exr", "npy", "png16")


def first_view(model: FakeModel) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The true mask and depth of the first view that was made."""
    seed, camera = model.views_made[0]
    view = model.subject(seed).render(camera)
    assert view.mask is not None
    return view.mask, np.asarray(view.depth_planar, np.float32)


# Masks


def test_masks_are_ids_to_every_reader(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path) == 0
    mask, _ = first_view(fake_model)
    assert set(np.unique(mask)) == {0, 1, 2, 3, 4, 255}
    path = tmp_path / "masks" / "s0000_v00.png"
    with Image.open(path) as image:
        assert image.mode == "L"
        readings = [np.asarray(image), np.asarray(image.convert("L"))]
    readings += [imageio.imread(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)]
    for reading in readings:
        np.testing.assert_array_equal(reading, mask)


def test_palettes_are_no_ids_to_some_readers(fake_model: FakeModel, tmp_path: Path) -> None:
    """Why they are no longer the usual kind."""
    assert render(tmp_path, "--masks", "palette") == 0
    mask, _ = first_view(fake_model)
    path = tmp_path / "masks" / "s0000_v00.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)), mask)
    for reading in (imageio.imread(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)):
        assert reading.shape == (*mask.shape, 3)
    assert json.loads((tmp_path / "dataset.json").read_text())["plan"]["mask_format"] == "palette"
    assert "--masks palette" in (tmp_path / "README.md").read_text()


def test_masks_of_another_kind_are_another_call(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path) == 0
    capsys.readouterr()
    assert render(tmp_path, "--masks", "palette") == 1
    assert "--masks was ids and is now palette; choose another --output" in error_line(capsys)


def earlier(folder: Path) -> None:
    """Make a folder what an earlier version left of it, interrupted: palettes, a channel `Z`, a record of neither, a view missing."""
    for path in sorted((folder / "masks").iterdir()):
        write_mask(path, np.asarray(Image.open(path)), SHAPENET_CAR_LABELS.palette())
    for path in sorted((folder / "depth").iterdir()):
        write_depth(path, read_depth(path), "exr", "Z")
    record = json.loads((folder / "dataset.json").read_text())
    del record["plan"]["mask_format"], record["plan"]["exr_channel"], record["masks"], record["depth"]["channel"]
    (folder / "dataset.json").write_text(json.dumps(record, indent=2) + "\n")
    for name in ("id2label.json", "contact-sheet.png", "README.md", "masks/s0001_v01.png", "depth/s0001_v01.exr"):
        (folder / name).unlink()


def test_a_folder_of_an_earlier_version_goes_on_in_its_own_kind(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path) == 0
    earlier(tmp_path)
    kept = {name: data for name, data in contents(tmp_path).items() if name.startswith(("masks", "depth", "dataset"))}
    capsys.readouterr()
    assert render(tmp_path) == 0
    told = capsys.readouterr().err
    assert told == f"warning: {tmp_path}: begun by an earlier version, it goes on with palette masks and depth in a channel Z\n"
    now = contents(tmp_path)
    assert {name: now[name] for name in kept} == kept
    with Image.open(tmp_path / "masks" / "s0001_v01.png") as image:
        assert image.mode == "P"
    assert b"Z\x00" in now["depth/s0001_v01.exr"][:60]
    assert "palette PNG" in (tmp_path / "README.md").read_text()
    before = snapshot(tmp_path)
    assert render(tmp_path) == 0 and render(tmp_path, "--masks", "palette") == 0
    assert snapshot(tmp_path) == before
    assert "warning" not in capsys.readouterr().err
    assert render(tmp_path, "--masks", "ids") == 1
    assert "--masks was palette and is now ids" in error_line(capsys)
    folder = PosedFolder.open(tmp_path)
    assert [len(views) for views in folder.objects.values()] == [2, 2, 2]
    assert len([folder.labelled(view) for views in folder.objects.values() for view in views]) == 6
    assert len(list(LabeledViews(tmp_path))) == 6


# Depth


def test_depth_is_exact_in_opencv_and_ffmpeg(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path) == 0
    _, depth = first_view(fake_model)
    expected = np.where(np.isfinite(depth), depth, 0)
    path = tmp_path / "depth" / "s0000_v00.exr"
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, expected)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert isinstance(frame, av.VideoFrame) and frame.format.name == "grayf32le"
    np.testing.assert_array_equal(frame.to_ndarray(), expected)


def test_depth_is_exact_in_blender(fake_model: FakeModel, tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")
    assert render(tmp_path) == 0
    _, depth = first_view(fake_model)
    image = bpy.data.images.load(str(tmp_path / "depth" / "s0000_v00.exr"))
    read = np.array(image.pixels, np.float32).reshape(image.size[1], image.size[0], image.channels)[::-1, :, 0]
    bpy.data.images.remove(image)
    np.testing.assert_array_equal(read, np.where(np.isfinite(depth), depth, 0))


def test_depth_of_16_bits_is_within_half_a_step(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--depth-format", "png16") == 0
    _, depth = first_view(fake_model)
    path = tmp_path / "depth" / "s0000_v00.png"
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, np.rint(1000 * np.where(np.isfinite(depth), depth, 0).astype(np.float64)))
    ours = read_depth(path)
    np.testing.assert_array_equal(np.isinf(ours), np.isinf(depth))
    seen = np.isfinite(depth)
    assert np.abs(ours[seen] - depth[seen]).max() <= 0.5e-3 + 1e-6
    assert json.loads((tmp_path / "cameras.json").read_text())["integer_depth_scale"] == 1e-3
    assert json.loads((tmp_path / "metadata.jsonl").read_text().splitlines()[0])["integer_depth_scale"] == 1e-3
    assert json.loads((tmp_path / "dataset.json").read_text())["depth"]["integer_depth_scale"] == 1e-3
    assert "a step is 0.001" in (tmp_path / "README.md").read_text()


def test_depth_that_does_not_fit_16_bits_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        Exception, match=r"a\.png: expected depths up to 65\.535 world units for 16-bit pictures, found 70; choose"
    ):
        write_depth(tmp_path / "a.png", np.full((2, 2), 70, np.float32), "png16")
    assert not (tmp_path / "a.png").exists()


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind of depth, the last with palettes: two subjects of the demo, in two splits."""
    top = tmp_path_factory.mktemp("kinds")
    for kind in DEPTH_FORMATS:
        call = ["render", "--seeds", "0,1", "--views", "3", "--yaw", "-20:20", "--resolution", "64", "--depth-format", kind]
        call += ["--splits", "train=0.5,val=0.5", "--masks", "palette" if kind == "png16" else "ids"]
        assert cli.run([*call, "-o", str(top / kind)]) == 0
    return top


def summary_of(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def test_every_kind_is_read_by_every_command(cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agreements, points = [], []
    for kind in DEPTH_FORMATS:
        capsys.readouterr()
        assert cli.run(["evaluate", "--consistency", str(cars / kind), "--json"]) == 0
        agreements.append(summary_of(capsys)["agreement"])
        assert cli.run(["pointcloud", "--from", str(cars / kind), "-o", str(tmp_path / kind), "--json"]) == 0
        points.append(summary_of(capsys)["points"])
        assert sorted(path.name for path in (tmp_path / kind / "ply").iterdir()) == ["s0000.ply", "s0001.ply"]
    assert agreements[0] == agreements[1] == pytest.approx(agreements[2], abs=0.02)
    assert points[0] == points[1] == pytest.approx(points[2], rel=0.05)
    sets = [LabeledViews(cars / kind) for kind in DEPTH_FORMATS]
    for exr, npy, png in zip(*sets, strict=True):
        assert torch.equal(exr["depth"], npy["depth"]) and torch.equal(exr["mask"], png["mask"])
        seen = torch.isfinite(exr["depth"])
        assert torch.equal(seen, torch.isfinite(png["depth"]))
        assert (exr["depth"] - png["depth"])[seen].abs().max() <= 0.5e-3 + 1e-6


def test_one_split_is_read_by_its_folder(cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cars / "exr"
    whole, train, val = (PosedFolder.open(path) for path in (folder, folder / "train", folder / "val"))
    assert sorted([*train.objects, *val.objects]) == sorted(whole.objects) == ["s0000", "s0001"]
    assert (whole.split, train.split) == (None, "train") and len(train.objects) == len(val.objects) == 1
    assert cli.run(["pointcloud", "--from", str(folder / "train"), "-o", str(tmp_path / "a")]) == 0
    assert [path.stem for path in (tmp_path / "a" / "ply").iterdir()] == list(train.objects)
    capsys.readouterr()
    assert cli.run(["pointcloud", "--from", str(folder / "val"), "-o", str(tmp_path / "a")]) == 1
    assert "--from (its split) was train and is now val" in error_line(capsys)
    assert cli.run(["evaluate", "--consistency", str(folder / "val"), "--textures", str(tmp_path / "l.png"), "--json"]) == 0
    assert summary_of(capsys)["objects"] == 1
    named, by_split = LabeledViews(folder / "val"), LabeledViews(folder, "val")
    assert named.split == "val" and [view["name"] for view in named] == [view["name"] for view in by_split]
    with pytest.raises(UsageError, match="split 'train': expected val, whose folder it is"):
        LabeledViews(folder / "val", "train")


def test_a_view_that_lost_its_depth_is_told(cars: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(cars / "exr", tmp_path / "cars")
    (gone,) = (tmp_path / "cars").glob("*/depth/s0001_v01.exr")
    gone.unlink()
    for folder in (tmp_path / "cars", gone.parent.parent):
        with pytest.raises(Exception, match=r"depth/s0001_v01\.exr: expected a file of the view 's0001_v01', found none"):
            found = PosedFolder.open(folder)
            [found.labelled(view) for view in found.objects["s0001"]]


def test_a_scale_of_ones_own_is_used(cars: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(cars / "png16", tmp_path / "cars")
    data = json.loads((tmp_path / "cars" / "cameras.json").read_text())
    for scale, message in ((2e-3, None), (0, "expected world units of a step of depth, found 0"), (True, "found True")):
        (tmp_path / "cars" / "cameras.json").write_text(json.dumps(data | {"integer_depth_scale": scale}))
        if message is None:
            folder, other = PosedFolder.open(tmp_path / "cars"), PosedFolder.open(cars / "png16")
            view = folder.objects["s0001"][0]
            np.testing.assert_allclose(folder.depth(view), 2 * other.depth(other.objects["s0001"][0]), rtol=1e-6)
            continue
        with pytest.raises(UsageError, match=message):
            PosedFolder.open(tmp_path / "cars")


# Lists


def test_labels_are_told_as_transformers_has_them(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path) == 0
    id2label = json.loads((tmp_path / "id2label.json").read_text())
    labels = LabelSet.from_json((tmp_path / "labels.json").read_text())
    assert {int(key): name for key, name in id2label.items()} == dict(enumerate(labels.names))


def test_class_weights_are_worked_by_hand() -> None:
    from headless.datasets.set_statistics import class_weights

    # label 1 in both views, label 2 in one, label 3 in none
    weights = class_weights(np.array([[6, 2, 2, 0], [9, 1, 0, 0]]))
    assert weights["inverse_frequency"] == pytest.approx([20 / (3 * 15), 20 / (3 * 3), 20 / (3 * 2), 0])
    frequency = [15 / 20, 3 / 20, 2 / 10]
    assert weights["median_frequency"] == pytest.approx([*(0.2 / value for value in frequency), 0])
    assert class_weights(np.zeros((2, 2), np.int64)) == {"inverse_frequency": [0, 0], "median_frequency": [0, 0]}


def test_statistics_have_the_weights(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path) == 0
    statistics = json.loads((tmp_path / "statistics.json").read_text())
    weights = torch.tensor(statistics["class_weights"]["inverse_frequency"])
    pixels = torch.tensor([label["pixels"] for label in statistics["labels"]])
    assert float((weights * pixels).sum() / pixels.sum()) == pytest.approx(1)
