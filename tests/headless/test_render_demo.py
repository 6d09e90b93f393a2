"""The whole way with the embedded model: one command to a folder of labelled views, in time, and the same bytes each time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.embedded import model_path
from dnerf_core.files.pictures import read_depth, read_image
from headless import cli
from tests.headless.fake_engine import STILL_CHANNELS, STILL_FORMATS
from tests.headless.test_render import snapshot

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def demo_model() -> Path:
    """The embedded model's file. Missing is a failure, except in a working tree whose git has never held the file."""
    path = model_path("demo-cars")
    if not path.is_file():
        tracked = subprocess.run(["git", "ls-files", "--error-unmatch", path], cwd=REPOSITORY, capture_output=True, check=False)
        if tracked.returncode == 1:
            pytest.skip(f"{path}: not in the repository yet; dnerf_core/demo/train.py makes it")
        pytest.fail(f"{path}: the embedded model is missing; check it out again")
    return path


def test_no_argument_at_all_is_done_within_60_seconds_of_process_time(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "headless.cli", "render"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=500, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert done.stderr in {
        "",
        "dnerf-out: 24 views of 8 subjects, 24 of them to be made\n",
    }  # on a fast machine it is done before
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 60
    output = tmp_path / "dnerf-out"
    assert len(list((output / "images").iterdir())) == 24
    for mask_path in sorted((output / "masks").iterdir()):
        mask = read_image(mask_path)
        depth = read_depth(output / "depth" / f"{mask_path.stem}.exr")
        rgb = read_image(output / "images" / mask_path.name)
        assert 0.05 < (mask > 0).mean() < 0.95, f"{mask_path}: nearly empty or nearly full"
        assert np.unique(mask).size >= 3, f"{mask_path}: fewer than two parts"
        agree = ((mask > 0) == np.isfinite(depth)).mean()
        assert agree > 0.95, f"{mask_path}: mask and depth disagree about what is background"
        assert rgb.std() > 5, f"{mask_path}: a flat picture"


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    """The real engine, one subject's views side by side included."""
    for seeds in ("0-2", "3"):
        call = ["render", "--seeds", seeds, "--views", "3", "--resolution", "64", "--channels", ",".join(STILL_CHANNELS)]
        call += ["--format", ",".join(STILL_FORMATS), "--reject-uncertain", "34%"]
        for count in ("1", "3"):
            assert cli.run([*call, "--workers", count, "-o", str(tmp_path / seeds / count)]) == 0
        files = [path for path in (tmp_path / seeds / "1").rglob("*") if path.is_file()]
        assert len(files) >= 5 * 3 + 10
        for path in files:
            twin = tmp_path / seeds / "3" / path.relative_to(tmp_path / seeds / "1")
            assert path.read_bytes() == twin.read_bytes(), path


def test_subjects_do_not_depend_on_their_company(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--views", "1", "--resolution", "64"]
    assert cli.run(["render", "--seeds", "5,3", *common, "-o", str(tmp_path / "both")]) == 0
    assert cli.run(["render", "--seeds", "3", *common, "-o", str(tmp_path / "one"), "--json"]) == 0
    for kind, suffix in (("images", "png"), ("masks", "png"), ("depth", "exr")):
        one = (tmp_path / "one" / kind / f"s0003_v00.{suffix}").read_bytes()
        assert one == (tmp_path / "both" / kind / f"s0003_v00.{suffix}").read_bytes()
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "done"
    before = snapshot(tmp_path / "one")
    assert cli.run(["render", "--seeds", "3", *common, "-o", str(tmp_path / "one")]) == 0
    assert snapshot(tmp_path / "one") == before
    with Image.open(tmp_path / "one" / "images" / "s0003_v00.png") as image:
        assert image.size == (64, 64)


def test_doctor_finds_the_embedded_model_and_renders_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--self-test", "--device", "cpu"]) == 0
    output = capsys.readouterr().out
    assert "self-test" in output
    assert output.splitlines()[-1].startswith("ready: ")
