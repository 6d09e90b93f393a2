"""A channel is one entry, and so is a format: what is added in one place reaches options, files, records, metadata and shards."""

from __future__ import annotations

import json
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.files.pictures import read_image, read_normals, write_normals
from dnerf_core.labels import LabelSet
from headless import cli
from headless.datasets import channels
from headless.datasets.channels import BY_FOLDER, ENTRIES, Written, seen_channels
from headless.datasets.formats import registry
from headless.datasets.formats.export import Export, exports
from headless.datasets.listed import Listed
from tests.headless.fake_engine import FakeModel


def _write_gray(path: Path, view: Written) -> None:
    Image.fromarray(view.required(view.seen.rgb, "an image").mean(axis=2).astype(np.uint8)).save(path)


def _read_gray(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


GRAY = channels.Entry(
    "gray",
    "grays",
    "gray_file_name",
    _write_gray,
    _read_gray,
    sees=("rgb",),
    member="gray",
    record=lambda plan: {"mean": "of R, G, B"},
)


@pytest.fixture
def gray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENTRIES, GRAY.name, GRAY)
    monkeypatch.setitem(BY_FOLDER, GRAY.folder, GRAY)


def test_a_channel_is_one_entry(gray: None, fake_model: FakeModel, tmp_path: Path) -> None:
    output = tmp_path / "set"
    call = ["render", "--seeds", "3", "--views", "2", "--channels", "rgb,gray", "--format", "webdataset", "--output", str(output)]
    assert cli.run(call) == 0
    rgb = read_image(output / "images" / "s0003_v00.png")
    with Image.open(output / "grays" / "s0003_v00.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), rgb.mean(axis=2).astype(np.uint8))
    assert json.loads((output / "dataset.json").read_text())["grays"] == {"mean": "of R, G, B"}
    row = json.loads((output / "metadata.jsonl").read_text().splitlines()[0])
    assert row["gray_file_name"] == "grays/s0003_v00.png"
    with tarfile.open(output / "webdataset" / "views-000000.tar") as shard:
        assert "s0003_v00.gray.png" in shard.getnames()


def test_a_format_is_one_entry(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(listed: Listed, split: str) -> None:
        names = [view.name for _, view in listed.views(split)]
        listed.folder.write_once("names.txt", "\n".join(names).encode())

    module = types.ModuleType("a_format_of_names")
    module.EXPORT = Export(("names.txt",), write)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.ENTRIES, "names", registry.Entry(module.__name__, ("rgb",), ()))
    from headless.datasets.channels import parse_channels
    from headless.datasets.spacing import check_formats

    assert exports(("folder", "names")) == [module.EXPORT]
    check_formats(("names",), parse_channels("rgb"))
    with pytest.raises(Exception, match="--format names: expected rgb among the channels"):
        check_formats(("names",), parse_channels("depth"))


@pytest.mark.parametrize("name", ENTRIES)
def test_each_entry_says_all_that_is_asked_of_it(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.name == name
    if entry.folder:
        assert entry.write is not None and entry.read is not None and entry.row_key and entry.member and entry.sees
        assert (entry.packed is None) == (entry.packed_suffix is None)
    else:
        assert entry.needs


def test_what_the_engine_must_see() -> None:
    assert seen_channels(("rgb", "normal"), consistent=False) == ("rgb", "depth")
    assert seen_channels(("mask",), consistent=True) == ("mask", "depth")
    assert seen_channels(("mask", "parts", "uncertainty"), consistent=False) == ("mask", "uncertainty")


def test_normals_come_back_within_a_step(tmp_path: Path) -> None:
    random = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
    normals = random / np.linalg.norm(random, axis=2, keepdims=True)
    normals[0, 0] = 0
    write_normals(tmp_path / "n.png", normals)
    back = read_normals(tmp_path / "n.png")
    assert np.abs(back - normals).max() <= 0.5 / 127 + 1e-6
    assert (back[0, 0] == 0).all()


def test_every_channel_is_read_back(fake_model: FakeModel, tmp_path: Path) -> None:
    """As the folder's own readers give it, which readers of data sets go by."""
    output = tmp_path / "set"
    names = ",".join(name for name, entry in ENTRIES.items() if entry.folder and not entry.needs_pose)  # of those, test_poses.py
    assert cli.run(["render", "--seeds", "3", "--views", "1", "--channels", names, "--output", str(output)]) == 0
    labels = LabelSet.from_json(json.loads((output / "labels.json").read_text()), "labels")
    size_px = int(json.loads((output / "dataset.json").read_text())["plan"]["resolution_px"])
    for entry in ENTRIES.values():
        if entry.folder and entry.read is not None and not entry.needs_pose:
            (path,) = (output / entry.folder).glob("s0003_v00.*")
            values = entry.read(path, labels, size_px)
            assert values.shape[:2] == (size_px, size_px), entry.name
