"""`--extend`: a folder that grows is, byte for byte, that of one call for all, and what was in it is not written again."""

from __future__ import annotations

from pathlib import Path

import pytest

from headless import cli
from tests.headless.fake_engine import FakeModel

FULL = ["--channels", "rgb,mask,depth,uncertainty,parts", "--format", "coco,nerfstudio,webdataset"]
SPLITS = ["--splits", "train=0.6,val=0.2,test=0.2"]
REJECT = ["--reject-uncertain", "20%"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file it is and when it was written, of the views' own files."""
    kinds = ("images", "masks", "depth", "uncertainty")
    paths = [path for kind in kinds for path in folder.rglob(f"{kind}/s*_v*") if "nerfstudio" not in path.parts]
    return {path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def render(output: Path, *options: str) -> int:
    return cli.run(["render", "--views", "2", *options, "-o", str(output)])


@pytest.mark.parametrize(
    "options",
    [[], FULL, [*FULL, *SPLITS], [*FULL, *REJECT], [*FULL, *SPLITS, *REJECT], [*FULL, "--nerfstudio-images", "rgba", *REJECT]],
    ids=["plain", "formats", "splits", "rejected", "all", "rgba"],
)
def test_more_subjects_make_the_folder_of_one_call(options: list[str], fake_model: FakeModel, tmp_path: Path) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    assert render(grown, "--seeds", "0-3", *options) == 0
    before, made = stamps(grown), len(fake_model.views_made)
    assert before
    assert render(grown, "--seeds", "0-9", "--extend", *options) == 0
    assert len(fake_model.views_made) == made + 2 * 6
    assert {name: stamp for name, stamp in stamps(grown).items() if name in before} == before
    assert render(whole, "--seeds", "0-9", *options) == 0
    assert contents(grown) == contents(whole)
    assert render(grown, "--seeds", "0-9", "--extend", "--verify", *options) == 0
    assert render(grown, "--seeds", "0-9", *options) == 0
    assert contents(grown) == contents(whole)


@pytest.mark.parametrize("spacing", ["uniform", "gaussian"])
def test_more_drawn_views_make_the_folder_of_one_call(spacing: str, fake_model: FakeModel, tmp_path: Path) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    call = ["render", "--seeds", "0-2", "--view-distribution", spacing, *FULL]
    assert cli.run([*call, "--views", "2", "-o", str(grown)]) == 0
    before = stamps(grown)
    assert cli.run([*call, "--views", "5", "--extend", "-o", str(grown)]) == 0
    assert {name: stamp for name, stamp in stamps(grown).items() if name in before} == before
    assert cli.run([*call, "--views", "5", "-o", str(whole)]) == 0
    assert contents(grown) == contents(whole)


def test_more_given_views(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a cameras.json whose first views are those that are there; other first views are refused."""
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    for views in (2, 5):
        drawn = ["render", "--seeds", "7", "--random-views", "--views", str(views), "-o", str(tmp_path / str(views))]
        assert cli.run(drawn) == 0
    call = ["render", "--seeds", "0-1", "--cameras"]
    few, many = (str(tmp_path / str(views) / "cameras.json") for views in (2, 5))
    assert cli.run([*call, few, "-o", str(grown)]) == 0
    assert cli.run([*call, many, "--extend", "-o", str(grown)]) == 0
    assert cli.run([*call, many, "-o", str(whole)]) == 0
    assert contents(grown) == contents(whole)
    assert render(tmp_path / "others", "--seeds", "7", "--views", "6") == 0
    assert cli.run([*call, str(tmp_path / "others" / "cameras.json"), "--extend", "-o", str(grown)]) == 1
    assert "expected --cameras whose first 5 views are those that are there" in capsys.readouterr().err
    assert contents(grown) == contents(whole)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "0-9", "--views", "3"], "views in even steps all move when there are more of them"),
        (["--seeds", "0-9", "--views", "1"], "expected --views 2 at least, which are there, found 1"),
        (["--seeds", "1-9"], "expected --seeds with those that are there, found 1-9 without 0; there are 0-3"),
        (["--seeds", "0-9", "--yaw", "-40:40"], "found --yaw which was -30:30 and is now -40:40"),
        (["--seeds", "0-9", "--splits", "a=0.5,b=0.5"], "found --splits which was None and is now a=0.5,b=0.5"),
        (["--seeds", "0-9", "--format", "folder"], "expected --format with coco"),
        (["--seeds", "0-9", "--coco-instances", "connected"], "expected connected, as --coco-instances says"),
    ],
)
def test_what_cannot_grow_is_refused_and_stays(
    options: list[str], told: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path, "--seeds", "0-3", "--format", "coco") == 0
    before = contents(tmp_path)
    capsys.readouterr()
    coco = [] if "--format" in options else ["--format", "coco"]
    assert render(tmp_path, "--extend", *coco, *options) == 1
    assert f"{tmp_path}" in (error := capsys.readouterr().err) and told in error
    assert contents(tmp_path) == before
    assert render(tmp_path, "--seeds", "0-3", "--format", "coco") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_without_the_option_a_larger_call_is_refused(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path, "--seeds", "0-3") == 0
    assert render(tmp_path, "--seeds", "0-4") == 1
    assert "--seeds was 0-3 and is now 0-4" in capsys.readouterr().err


def test_an_interrupted_extension_goes_on(fake_model: FakeModel, tmp_path: Path) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    assert render(grown, "--seeds", "0-3", *FULL) == 0

    def stop() -> None:
        raise KeyboardInterrupt

    fake_model.before_view = stop
    assert render(grown, "--seeds", "0-9", "--extend", *FULL) == 130
    fake_model.before_view = lambda: None
    for part in ("1/2", "2/2"):
        assert render(grown, "--seeds", "0-9", "--extend", "--shard", part, *FULL) == 0
    assert render(whole, "--seeds", "0-9", *FULL) == 0
    assert contents(grown) == contents(whole)


def test_clips(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["video", "--frames", "3", *SPLITS, "-o"]
    assert cli.run([*call, str(tmp_path / "grown"), "--seeds", "1"]) == 0
    assert cli.run([*call, str(tmp_path / "grown"), "--seeds", "0-2", "--extend"]) == 0
    assert cli.run([*call, str(tmp_path / "whole"), "--seeds", "0-2"]) == 0
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_clouds_and_samples(tiny_model: Path, tmp_path: Path) -> None:
    clouds = ["pointcloud", "--model", str(tiny_model), "--views", "3", "--category", "Blob", "--format", "ply"]
    sample = ["sample", "--model", str(tiny_model), "--views", "1", "--labels", "hood,roof"]
    for name, call in (("clouds", clouds), ("sample", sample)):
        grown, whole = tmp_path / f"{name}-grown", tmp_path / f"{name}-whole"
        assert cli.run([*call, "--seeds", "0", "-o", str(grown)]) == 0
        assert cli.run([*call, "--seeds", "0-1", "--extend", "-o", str(grown)]) == 0
        assert cli.run([*call, "--seeds", "0-1", "-o", str(whole)]) == 0
        assert contents(grown) == contents(whole)
