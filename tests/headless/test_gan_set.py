"""The data set that DatasetGAN's vote makes: written as `render` writes, resumed, refused to another call, and learned from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.downstream.baselines.scoring import score
from dnerf_core.downstream.images.sets.opening import open_set
from dnerf_core.errors import OutputError, UsageError
from headless import cli
from headless.downstream.baselines.gan_set import GanSetCall, write_gan_set
from headless.downstream.baselines.same_segmenter import SegmenterOptions, learned
from tests.headless.tiny_engine import LABELS


def call_of(painted: Path, output: Path, **options: object) -> GanSetCall:
    usual = {"seeds": tuple(range(20, 25)), "views": 2, "resolution": 64, "members": 3, "steps": 60, "reject_uncertain": 0.2}
    return GanSetCall(painted=(painted,), output=output, device="cpu", workers=1, **(usual | options))


def test_the_vote_makes_a_set_that_a_segmenter_learns_from(painted_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "gan"
    write_gan_set(call_of(painted_folder, output))
    record = json.loads((output / "dataset.json").read_text())
    assert record["command"] == "datasetgan"
    assert record["plan"]["classifiers"]["members"] == 3
    masks = sorted((output / "masks").iterdir())
    assert len(masks) == 10
    found = open_set(output)
    assert found.labels == LABELS
    assert len(found.views) == 8  # a fifth is listed nowhere
    image, mask = found.pair(0)
    assert image.shape == (64, 64, 3)
    assert set(np.unique(mask)) <= {0, 1, 2}
    assert (mask > 0).any()
    listed = [json.loads(line)["uncertainty"] for line in (output / "metadata.jsonl").read_text().splitlines()]
    rejected = [json.loads(line)["uncertainty"] for line in (output / "rejected.jsonl").read_text().splitlines()]
    assert min(rejected) >= max(listed)
    options = SegmenterOptions(size_px=32, steps=2, batch=2, device="cpu")
    segmenter = learned(output, tmp_path / "net.safetensors", options)
    assert len(score(segmenter, output).confusions) == 8
    written = (tmp_path / "net.safetensors").stat().st_mtime_ns
    learned(output, tmp_path / "net.safetensors", options)
    assert (tmp_path / "net.safetensors").stat().st_mtime_ns == written


def test_the_vote_finds_the_painted_sides(painted_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "gan"
    write_gan_set(
        call_of(painted_folder, output, seeds=(0,), views=1, yaw=(0.0, 0.0), pitch=(12.0, 12.0), resolution=128, steps=200)
    )
    with Image.open(next((output / "masks").iterdir())) as image:
        mask = np.asarray(image)
    columns = np.arange(128)
    left, right = ((mask == label).sum(axis=0) for label in (1, 2))
    assert (left * columns).sum() / left.sum() != pytest.approx((right * columns).sum() / right.sum(), abs=15)


def test_an_interrupted_set_goes_on_and_another_call_is_refused(painted_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "gan"
    call = call_of(painted_folder, output, seeds=(20, 21), views=1)
    write_gan_set(call)
    kept = {path: path.read_bytes() for path in sorted(output.rglob("*.png"))}
    lost = output / "masks" / "s0021_v00.png"
    lost.unlink()
    write_gan_set(call)
    assert {path: path.read_bytes() for path in sorted(output.rglob("*.png"))} == kept
    with pytest.raises(OutputError, match="how the classifiers are trained was"):
        write_gan_set(call_of(painted_folder, output, seeds=(20, 21), views=1, members=4))
    with pytest.raises(UsageError, match="seeds: expected each one once, and at least one, found 2"):
        write_gan_set(call_of(painted_folder, tmp_path / "other", seeds=(1, 1)))


def test_posed_people_are_labelled_in_poses_of_their_own(painted_folder: Path, tmp_path: Path) -> None:
    painted, output = tmp_path / "people", tmp_path / "gan"
    sample = ["sample", "--model", "demo-people", "--truth", "--seeds", "0", "--views", "1", "--random-poses"]
    assert cli.run([*sample, "-o", str(painted)]) == 0
    write_gan_set(call_of(painted, output, seeds=(5,), views=2, resolution=48, members=2, steps=30, random_poses=True))
    poses = [view["pose"] for view in json.loads((output / "cameras.json").read_text())["views"]]
    assert poses[0] != poses[1]
    assert open_set(output).pair(0)[1].any()
    with pytest.raises(UsageError, match="--random-poses: expected a model whose subjects move"):
        write_gan_set(call_of(painted_folder, tmp_path / "cars", random_poses=True))
