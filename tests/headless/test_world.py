"""`world`: exact test sets that the readers of data sets read, whatever is done to the pictures, and exact clouds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from dnerf_core.datasets import LabeledViews
from dnerf_core.demo.exact_worlds import exact_world
from headless import cli
from tests.headless.test_render import error_line

SIZE = 40
CALL = ("world", "--world", "harder-cars", "--seeds", "0,1", "--views", "2", "--resolution", str(SIZE))


def run(*args: object) -> int:
    return cli.run([*map(str, args)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same views plain and as photographs."""
    top = tmp_path_factory.mktemp("worlds")
    assert run(*CALL, "-o", top / "plain") == 0
    assert run(*CALL, "--photograph", "hard", "-o", top / "hard") == 0
    return {"plain": top / "plain", "hard": top / "hard"}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_set_is_read_as_any_other_and_is_the_worlds_truth(folders: dict[str, Path]) -> None:
    views, world = LabeledViews(folders["plain"]), exact_world("harder-cars")
    assert len(views) == 4 and views.labels == world.labels
    for index, sample in enumerate(views):
        view = world.view(sample["seed"], views.camera(index), SIZE)
        assert np.array_equal(sample["mask"].numpy(), view.mask)
        assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), view.rgb)
        assert np.array_equal(sample["depth"].numpy(), view.depth_planar)
    yaws = [np.degrees(np.arctan2(*views.camera(index).cam2world[[0, 2], 3])) for index in range(4)]
    assert len({round(float(yaw)) for yaw in yaws}) == 4  # drawn by seed and view
    record = json.loads((folders["plain"] / "dataset.json").read_text())
    assert record["command"] == "world" and record["plan"]["world"] == "harder-cars" and "model_sha256" not in record["plan"]


def test_photographs_change_pictures_alone(folders: dict[str, Path]) -> None:
    plain, hard = files(folders["plain"]), files(folders["hard"])
    assert plain.keys() == hard.keys()
    differ = {name.split("/")[0] for name in plain if plain[name] != hard[name]}
    assert differ == {"images", "dataset.json", "checksums.sha256", "contact-sheet.png"}
    corner = np.asarray(Image.open(folders["hard"] / "images" / "s0000_v00.png"))[:4, :4]
    assert corner.mean() < 250


def test_what_is_missing_is_made_again_and_nothing_else(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*CALL, "--photograph", "hard", "-o", tmp_path / "set") == 0
    (tmp_path / "set" / "images" / "s0001_v01.png").unlink()
    (tmp_path / "set" / "masks" / "s0000_v00.png").unlink()
    capsys.readouterr()
    assert run(*CALL, "--photograph", "hard", "-o", tmp_path / "set", "--json") == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["views_written"] == 2 and not summary["nothing_to_do"]
    assert files(tmp_path / "set") == files(folders["hard"])
    assert run(*CALL, "--photograph", "mild", "-o", tmp_path / "set") == 1
    assert "--photograph" in error_line(capsys)
    assert run(*CALL, "-o", tmp_path / "set", "--world", "demo-cars", "--photograph", "hard") == 1
    assert "--world" in error_line(capsys)


def test_a_set_grows_by_subjects_and_views(folders: dict[str, Path], tmp_path: Path) -> None:
    call = ("world", "--world", "harder-cars", "--resolution", SIZE, "--photograph", "hard", "-o", tmp_path / "set")
    assert run(*call, "--seeds", "0", "--views", "1") == 0
    first = (tmp_path / "set" / "images" / "s0000_v00.png").stat().st_mtime_ns
    assert run(*call, "--seeds", "0,1", "--views", "2", "--extend") == 0
    assert (tmp_path / "set" / "images" / "s0000_v00.png").stat().st_mtime_ns == first
    assert files(tmp_path / "set") == files(folders["hard"])


def test_predictions_are_scored_against_it_and_its_views_agree(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run("evaluate", "--predictions", folders["hard"], "--against", folders["plain"], "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["miou"] == 1
    assert run("evaluate", "--consistency", folders["plain"], "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "done"


def test_splits_deal_subjects_out(tmp_path: Path) -> None:
    call = (
        "world",
        "--seeds",
        "0-5",
        "--views",
        "1",
        "--resolution",
        16,
        "--splits",
        "train=0.5,test=0.5",
        "-o",
        tmp_path / "set",
    )
    assert run(*call) == 0
    assert sum(len(LabeledViews(tmp_path / "set", split=split)) for split in ("train", "test")) == 6


# clouds


def test_scanned_clouds_lie_where_pointcloud_puts_its_own(tmp_path: Path) -> None:
    call = ("world", "--seeds", "0,1", "--clouds", "--resolution", 64, "--points", 300, "--format", "ply,npz,shapenetpart")
    assert run(*call, "-o", tmp_path / "clouds") == 0
    vertices = PlyData.read(tmp_path / "clouds" / "ply" / "s0001.ply")["vertex"]
    assert len(vertices) == 300 and {*vertices["label"]} == {1, 2, 3, 4}
    lines = (tmp_path / "clouds" / "shapenetpart" / "02958343" / "s0000.txt").read_text().splitlines()
    assert {line.split()[-1] for line in lines} == {"8.000000", "9.000000", "10.000000", "11.000000"}
    points = np.load(tmp_path / "clouds" / "npz" / "s0000.npz")["points"]
    assert points[:, 1].min() > -0.35  # no view is from below, but wheels stand on the ground
    first = files(tmp_path / "clouds")
    (tmp_path / "clouds" / "npz" / "s0000.npz").unlink()
    assert run(*call, "-o", tmp_path / "clouds") == 0
    assert files(tmp_path / "clouds") == first


@pytest.mark.parametrize("name", ["harder-cars", "demo-people"])
def test_uniform_clouds_are_of_the_whole_surface(name: str, tmp_path: Path) -> None:
    call = ("world", "--world", name, "--seeds", "2", "--uniform-clouds", "--points", 600, "--format", "npz,shapenetpart")
    assert run(*call, "-o", tmp_path / "clouds") == 0
    cloud = np.load(tmp_path / "clouds" / "npz" / "s0002.npz")
    assert len(cloud["points"]) == 600 and (cloud["confidence"] == 1).all()
    assert (cloud["normals"][:, 1] < -0.9).any()  # the underside
    assert (tmp_path / "clouds" / "shapenetpart" / ("02958343" if name == "harder-cars" else "person") / "s0002.txt").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--clouds", "--uniform-clouds"), "--clouds and --uniform-clouds: expected one of them, found both"),
        (("--clouds", "--photograph", "mild"), "--photograph: expected views, found clouds"),
        (("--uniform-clouds", "--views", "3"), "--views: expected views or --clouds, found uniform clouds"),
        (("--points", "30"), "--points: expected --clouds or --uniform-clouds, found views"),
        (("--clouds", "--points", "30", "--voxel", "0.1"), "--voxel and --points: expected one of them, found both"),
        (("--format", "npz"), "--format: expected --clouds or --uniform-clouds, found views"),
        (("--clouds", "--category", "a/b"), "--category: expected a word of letters"),
        (("--clouds", "--splits", "ply=1"), "--splits: expected other names than ply"),
        (
            ("--world", "demo-people", "--clouds", "--format", "shapenetpart", "--category", "Car"),
            "--category Car: expected labels among",
        ),
        (("--yaw", "10", "--pitch", "5", "--views", "4"), "--views 4: expected 1 for the single direction"),
        (("--world", "demo-dogs"), "'demo-dogs' is not one of"),
        (("--photograph", "wild"), "'wild' is not one of"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    args: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("world", *args, "-o", tmp_path / "set") == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "set").exists()
