"""Clouds dealt out to splits by the rule of data sets, and the layout that PointNet code loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headless import cli
from headless.datasets.splits import parse_splits, split_of
from tests.headless.test_render import error_line

SPLITS = "train=0.5,val=0.25,test=0.25"
CALL = ["pointcloud", "--views", "2", "--resolution", "48", "--points", "64", "--splits", SPLITS]


def test_clouds_are_in_the_splits_of_their_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render = ["render", "--seeds", "0-3", "--views", "3", "--resolution", "48", "--splits", SPLITS, "-o", str(tmp_path / "set")]
    assert cli.run(render) == 0
    expected = {seed: split_of(parse_splits(SPLITS), seed) for seed in range(4)}
    assert len(set(expected.values())) > 1
    made = [*CALL, "--seeds", "0-3", "--format", "ply,shapenetpart", "-o", str(tmp_path / "made")]
    assert cli.run(made) == 0
    fused = ["pointcloud", "--from", str(tmp_path / "set"), "--splits", SPLITS, "--points", "64", "-o", str(tmp_path / "fused")]
    assert cli.run(fused) == 0
    for seed, split in expected.items():
        assert list((tmp_path / "set" / split / "images").glob(f"s{seed:04d}_*"))
        for name in ("made", "fused"):
            assert (tmp_path / name / split / "ply" / f"s{seed:04d}.ply").is_file()
    layout = tmp_path / "made" / "shapenetpart"
    for split in ("train", "val", "test"):
        listed = json.loads((layout / f"train_test_split/shuffled_{split}_file_list.json").read_text())
        assert listed == [f"shape_data/02958343/s{seed:04d}" for seed in range(4) if expected[seed] == split]
    assert sum(path.is_dir() and path.name.isdigit() for path in layout.iterdir()) == 16
    capsys.readouterr()
    assert cli.run(made) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert cli.run([*made, "--splits", "train=0.5,test=0.5"]) == 1
    assert f"--splits was {SPLITS} and is now train=0.5,test=0.5" in error_line(capsys)


def test_parts_numbered_by_position_are_another_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As earlier versions did: their clouds and today's would not go together."""
    call = ["pointcloud", "--seeds", "0", "--views", "2", "--resolution", "48", "--format", "shapenetpart", "-o", str(tmp_path)]
    assert cli.run(call) == 0
    record = json.loads((tmp_path / "dataset.json").read_text())
    del record["plan"]["part_numbers"]
    (tmp_path / "dataset.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert cli.run(call) == 1
    assert "the numbering of the parts was the label set's and is now the benchmark's" in error_line(capsys)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--splits", "ply=1"],
            "--splits: expected other names than ply, npz, glb, shapenetpart, usd, found ply; rename the split",
        ),
        (["-o", "cars.blend"], "--splits: expected an --output folder, found cars.blend, one file for all; leave it out"),
    ],
)
def test_splits_that_clouds_cannot_have(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*CALL, "--seeds", "0", "-o", str(tmp_path / "a"), *args]) == 2
    assert message in error_line(capsys)


def test_views_of_no_subject_have_no_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "--seeds", "0", "--views", "2", "--resolution", "48", "-o", str(tmp_path / "set")]) == 0
    path = tmp_path / "set" / "cameras.json"
    data = json.loads(path.read_text())
    for view in data["views"]:
        del view["seed"]
    path.write_text(json.dumps(data))
    capsys.readouterr()
    assert cli.run(["pointcloud", "--from", str(tmp_path / "set"), "--splits", SPLITS, "-o", str(tmp_path / "a")]) == 2
    assert "--splits: expected views that say which subject they show" in error_line(capsys)
