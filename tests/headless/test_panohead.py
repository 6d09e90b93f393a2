"""A PanoHead checkpoint through the commands: imported, sampled, painted, trained on, seen all around, fused to clouds, inverted to."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import Camera
from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.model import Model
from headless import cli
from tests.core import hostile as h
from tests.core import panohead_cases as cases
from tests.core.panohead_models import TINY, tiny_generator

PARTS = ("left", "right")


def paint(model: Model, folder: Path) -> None:
    """Masks of the folder's views by geometry: 0 where nothing is met, else the side of the world that a pixel's point lies on."""
    views = json.loads((folder / "cameras.json").read_text())["views"]
    for view in views:
        camera = Camera(np.array(view["cam2world"]), np.array(view["intrinsics"]))
        depth = model.subject(view["seed"]).channels(camera, channels=("depth",)).depth_planar
        assert depth is not None
        side = len(depth)
        v, u = np.mgrid[:side, :side]
        pixel = np.stack([u + 0.5, v + 0.5, np.full_like(u, side, float)], axis=-1) / side
        with np.errstate(invalid="ignore"):
            points = (pixel @ np.linalg.inv(camera.intrinsics).T * depth[..., None]) @ camera.cam2world[:3, :3].T
            mask = np.where(np.isfinite(depth), 1 + (points[..., 0] + camera.cam2world[0, 3] > 0), 0)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{view['name']}.png")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a tiny generator, out of a pickle that would end the process if any of its source were executed."""
    folder = tmp_path_factory.mktemp("panohead")
    config = dataclasses.replace(TINY, superresolution=dataclasses.replace(TINY.superresolution, channels=None))
    filters = {key: array for key, array in cases.weights(config).items() if key.endswith("resample_filter")}
    arrays = {**filters, **{key: tensor.numpy() for key, tensor in tiny_generator(config).state_dict().items()}}
    (folder / "head.pkl").write_bytes(h.release(cases.network(config, arrays)))
    assert cli.run(["import", str(folder / "head.pkl"), "--output", str(folder / "head.safetensors"), "--json"]) == 0
    assert read_header(folder / "head.safetensors").generator_config == dataclasses.replace(config, name="head")
    return folder / "head.safetensors"


@pytest.fixture(scope="module")
def trained(imported: Path) -> Path:
    """The same with a branch, trained on 9 views of 3 subjects."""
    folder, model = imported.with_name("views"), imported.with_name("labelled.safetensors")
    call = [
        "sample",
        "--model",
        str(imported),
        "--seeds",
        "0-2",
        "--views",
        "3",
        "--labels",
        ",".join(PARTS),
        "--output",
        str(folder),
    ]
    assert cli.run([*call, "--json"]) == 0
    paint(Model.load(imported), folder)
    assert cli.run(["train", str(folder), "--steps", "60", "--output", str(model), "--holdout", "1", "--json"]) == 0
    return model


def test_info_tells_its_field(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(imported)]) == 0
    out = capsys.readouterr().out
    assert "3 slices, axes xyz xzy yzx, painted background" in out
    assert "family             PanoHead" in out
    assert cli.run(["info", str(imported), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["family"] == "panohead"


def test_views_all_around_are_labelled(trained: Path, tmp_path: Path) -> None:
    """Views all round: where nothing is met the label is 0, else mostly the right side's."""
    call = ["render", "--model", str(trained), "--seeds", "0", "--views", "4", "--yaw", "-180:90", "--pitch", "0"]
    assert (
        cli.run([*call, "--output", str(tmp_path / "orbit"), "--channels", "rgb,mask,depth", "--depth-format", "npy", "--json"])
        == 0
    )
    masks = sorted((tmp_path / "orbit").rglob("masks/*.png"))
    assert len(masks) == 4
    model = Model.load(trained)
    expected = tmp_path / "expected"
    (expected / "masks").mkdir(parents=True)
    (expected / "cameras.json").write_bytes(next((tmp_path / "orbit").rglob("cameras.json")).read_bytes())
    paint(model, expected)
    right, apart, seen = [], [], 0
    for path in masks:
        found, wanted = np.array(Image.open(path)), np.array(Image.open(expected / "masks" / path.name))
        right.append((found == wanted)[wanted > 0].mean())
        apart.append(((found == 0) == (wanted == 0)).mean())
        seen += int((wanted > 0).any())
    assert seen == 4
    assert np.mean(apart) > 0.97, apart
    assert np.mean(right) > 0.8, right


def test_a_clip_goes_once_round(trained: Path, tmp_path: Path) -> None:
    call = ["video", "--model", str(trained), "--seeds", "0", "--path", "orbit", "--frames", "6", "--resolution", "64"]
    assert cli.run([*call, "--output", str(tmp_path), "--json"]) == 0
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".mp4"]


def test_a_cloud_of_the_parts(trained: Path, tmp_path: Path) -> None:
    call = ["pointcloud", "--model", str(trained), "--seeds", "0", "--views", "8", "--format", "npz", "--output", str(tmp_path)]
    assert cli.run([*call, "--json"]) == 0
    cloud = np.load(next(tmp_path.rglob("*.npz")))
    points, labels = cloud["points"], cloud["labels"]
    assert len(points) > 500
    assert np.abs(points[:, [0, 2]]).max() < 0.45  # pictures are cropped at 0.4
    assert ((labels == 2) == (points[:, 0] > 0)).mean() > 0.75


def test_a_picture_is_inverted_and_its_subject_seen_from_behind(trained: Path, tmp_path: Path) -> None:
    model = Model.load(trained)
    Image.fromarray(model.subject(7).render(model.front_camera()).rgb).save(tmp_path / "photo.png")
    call = ["invert", str(tmp_path / "photo.png"), "--model", str(trained), "--steps", "40", "--starts", "2", "--candidates", "8"]
    assert cli.run([*call, "--yaw", "0", "--output", str(tmp_path / "found"), "--json"]) == 0
    subject = next((tmp_path / "found").rglob("*.safetensors"))
    call = ["render", "--model", str(trained), "--subject", str(subject), "--yaw", "180", "--pitch", "0", "--views", "1"]
    assert cli.run([*call, "--output", str(tmp_path / "behind"), "--json"]) == 0
    assert len(list((tmp_path / "behind").rglob("masks/*.png"))) == 1
