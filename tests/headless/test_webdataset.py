"""Shards read by the `webdataset` package, and their bytes."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.files.pictures import read_depth, read_gray16, read_image
from headless import cli
from headless.datasets.formats import webdataset as writer
from tests.headless.fake_engine import STILL_CHANNELS, FakeModel
from tests.headless.test_render import contents, render, snapshot

ALL = ",".join(STILL_CHANNELS)
IN_ONE = ("--format", "webdataset", "--shard-views", "100")


def read_samples(*shards: Path, decode: str = "pil") -> list[dict[str, Any]]:
    """Every sample as a training loop would get it."""
    return list(webdataset.WebDataset([str(path) for path in shards], shardshuffle=False).decode(decode))


def test_webdataset_reads_every_channel(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, *IN_ONE, "--channels", ALL, "--depth-format", "npy") == 0
    [shard] = sorted((tmp_path / "webdataset").glob("*.tar"))
    assert shard.name == "views-000000.tar"
    samples = read_samples(shard)
    assert [sample["__key__"] for sample in samples] == [f"s{seed:04d}_v{view:02d}" for seed in range(3) for view in range(2)]
    cameras = cameras_from_json((tmp_path / "cameras.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    for sample, row in zip(samples, rows, strict=True):
        name = sample["__key__"]
        members = {"image.png", "mask.png", "depth.npy", "normal.png", "uncertainty.npy", "json"}
        assert {key for key in sample if not key.startswith("__")} == members
        np.testing.assert_array_equal(np.asarray(sample["image.png"]), read_image(tmp_path / "images" / f"{name}.png"))
        # ids survive a reader that makes every picture RGB
        mask = np.asarray(sample["mask.png"])
        np.testing.assert_array_equal(mask, np.repeat(read_image(tmp_path / "masks" / f"{name}.png")[..., None], 3, axis=2))
        np.testing.assert_array_equal(sample["depth.npy"], read_depth(tmp_path / "depth" / f"{name}.npy"))
        doubt = read_gray16(tmp_path / "uncertainty" / f"{name}.png") / 65535
        np.testing.assert_allclose(sample["uncertainty.npy"], doubt, atol=2.5e-4)
        told = sample["json"]
        camera = Camera.from_json(told)
        np.testing.assert_array_equal(camera.cam2world, cameras[name].cam2world)
        assert {key: told[key] for key in ("seed", "view", "parts", "uncertainty")} == {
            key: row[key] for key in ("seed", "view", "parts", "uncertainty")
        }
        assert not any(key.endswith(("file", "file_name")) for key in told)
    index = json.loads((tmp_path / "webdataset" / "index.json").read_text())
    size = shard.stat().st_size
    assert (index["samples"], index["shards"]) == (6, [{"file": "views-000000.tar", "samples": 6, "bytes": size}])
    assert index["labels"]["labels"][1]["name"] == "hood"


def test_loaders_batch_the_pairs(fake_model: FakeModel, tmp_path: Path) -> None:
    """The way of a training script: image and mask as arrays, in batches."""
    assert render(tmp_path, *IN_ONE) == 0
    pairs = webdataset.WebDataset(str(tmp_path / "webdataset" / "views-000000.tar"), shardshuffle=False)
    batches = list(pairs.decode("l8").to_tuple("image.png", "mask.png").batched(4))
    assert [len(images) for images, _ in batches] == [4, 2]
    masks = np.concatenate([masks for _, masks in batches])
    np.testing.assert_array_equal(masks[3], read_image(tmp_path / "masks" / "s0001_v01.png"))


def test_depth_as_exr_is_read_by_a_handler(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--format", "webdataset") == 0
    sample = read_samples(tmp_path / "webdataset" / "views-000000.tar")[0]
    copy = tmp_path / "copy.exr"
    copy.write_bytes(sample["depth.exr"])
    np.testing.assert_array_equal(read_depth(copy), read_depth(tmp_path / "depth" / "s0000_v00.exr"))


def numbers_of_views(folder: Path) -> list[list[tuple[int, int]]]:
    """(seed, view) of each sample, shard by shard."""
    shards = sorted(folder.glob("*.tar"))
    return [[(sample["json"]["seed"], sample["json"]["view"]) for sample in read_samples(shard)] for shard in shards]


def test_shards_are_near_their_size_and_divide_no_subject(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert render(tmp_path / "one", "--format", "webdataset") == 0
    a_subject = sum(path.stat().st_size for path in (tmp_path / "one").glob("*/s0000*") if path.is_file())
    monkeypatch.setattr(writer, "SHARD_BYTES", int(2.5 * a_subject))
    assert cli.run(["render", "--seeds", "0-16", "--views", "2", "--format", "webdataset", "-o", str(tmp_path / "many")]) == 0
    shards = sorted((tmp_path / "many" / "webdataset").glob("*.tar"))
    assert [path.name for path in shards] == [f"views-{k:06d}.tar" for k in range(9)]
    seeds = [[seed for seed, _ in shard] for shard in numbers_of_views(tmp_path / "many" / "webdataset")]
    assert seeds == [[k, k, k + 1, k + 1] for k in range(0, 16, 2)] + [[16, 16]]
    # a subject larger than a shard gets one of its own
    monkeypatch.setattr(writer, "SHARD_BYTES", 1)
    call = ["render", "--seeds", "0-8", "--views", "2", "--format", "webdataset"]
    assert cli.run([*call, "-o", str(tmp_path / "large")]) == 0
    assert numbers_of_views(tmp_path / "large" / "webdataset") == [[(seed, 0), (seed, 1)] for seed in range(9)]


def test_there_are_as_many_shards_as_workers_want(fake_model: FakeModel, tmp_path: Path) -> None:
    """Eight where there are views for it; subjects are kept together where there are eight of them."""
    assert render(tmp_path / "few", "--format", "webdataset") == 0
    assert numbers_of_views(tmp_path / "few" / "webdataset") == [[(seed, view)] for seed in range(3) for view in range(2)]
    for name, seeds, views, expected in (
        ("views", "0-2", "5", [2, 2, 2, 2, 2, 2, 2, 1]),
        ("subjects", "0-9", "2", [2, 2, 2, 4, 2, 2, 2, 4]),
    ):
        call = ["render", "--seeds", seeds, "--views", views, "--format", "webdataset", "-o", str(tmp_path / name)]
        assert cli.run(call) == 0
        found = numbers_of_views(tmp_path / name / "webdataset")
        assert sorted(map(len, found)) == sorted(expected)
        assert len(found) == 8 and (flat := list(itertools.chain(*found))) == sorted(flat)
        if name == "subjects":
            assert all(view in shard for shard in found for view in [(shard[0][0], 0), (shard[-1][0], 1)])


def test_shards_have_as_many_views_as_asked_for(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path, "--format", "webdataset", "--shard-views", "4") == 0
    assert numbers_of_views(tmp_path / "webdataset") == [[(0, 0), (0, 1), (1, 0), (1, 1)], [(2, 0), (2, 1)]]
    before = snapshot(tmp_path)
    assert render(tmp_path, "--format", "webdataset", "--shard-views", "4") == 0
    assert snapshot(tmp_path) == before
    capsys.readouterr()
    assert render(tmp_path, "--format", "webdataset", "--shard-views", "3") == 1
    error = capsys.readouterr().err
    assert "expected shards of 3 views, as --shard-views says, found others; delete" in error and error.count("\n") == 1
    assert render(tmp_path, "--shard-views", "3") == 2
    assert "--shard-views 3: expected --format webdataset beside it, found folder; add it" in capsys.readouterr().err


def test_two_workers_read_every_view_once(fake_model: FakeModel, tmp_path: Path) -> None:
    """The line of docs/datasets.md; one shard for two workers is an error of the reader."""
    assert render(tmp_path, "--format", "webdataset") == 0
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    (program,) = [part.split("```")[0] for part in page.split("```python\n")[1:] if "webdataset" in part.split("```")[0]]
    found: dict[str, Any] = {}
    exec(
        program.replace("dnerf-out/webdataset", str(tmp_path / "webdataset")).replace("{000000..000007}", "{000000..000005}"),
        found,
    )
    batches = list(found["loader"])
    assert sum(len(images) for images, _ in batches) == 6
    masks = sorted(np.asarray(mask).tobytes() for _, masks in batches for mask in masks)
    assert masks == sorted(read_image(path).tobytes() for path in (tmp_path / "masks").iterdir())


def test_depth_of_16_bits_is_an_array_in_shards(fake_model: FakeModel, tmp_path: Path) -> None:
    """Decoders would make 8-bit RGB of it."""
    assert render(tmp_path, *IN_ONE, "--depth-format", "png16") == 0
    sample = read_samples(tmp_path / "webdataset" / "views-000000.tar")[0]
    np.testing.assert_array_equal(sample["depth.npy"], read_depth(tmp_path / "depth" / "s0000_v00.png"))


def test_headers_carry_no_time_and_owner(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--format", "webdataset") == 0
    with tarfile.open(tmp_path / "webdataset" / "views-000000.tar") as tar:
        for member in tar.getmembers():
            found = (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode, member.isreg())
            assert found == (0, 0, 0, "", "", 0o644, True)
        assert not tar.pax_headers


def test_shards_are_finished_and_independent_of_parts(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-5", "--views", "2", "--format", "webdataset", "--splits", "train=0.7,test=0.3"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for number in (2, 1):
        assert cli.run([*call, "--shard", f"{number}/2", "--workers", "3", "-o", str(tmp_path / "parts")]) == 0
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "parts") == whole
    keys = [
        {sample["json"]["seed"] for sample in read_samples(*(tmp_path / "whole" / split / "webdataset").glob(f"{split}-*.tar"))}
        for split in ("train", "test")
    ]
    assert not keys[0] & keys[1]
    assert keys[0] | keys[1] == set(range(6))
    train = tmp_path / "parts" / "train" / "webdataset"
    (train / "index.json").unlink()
    (train / "train-000000.tar").unlink()
    (train / ".tmp-7-train-000000.tar").write_bytes(b"half")
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert contents(tmp_path / "parts") == whole
    before = snapshot(tmp_path / "parts")
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert snapshot(tmp_path / "parts") == before


def test_a_shard_is_whole_or_not_there(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = writer._members, []

    def members(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_members", members)
        assert render(tmp_path / "half", *IN_ONE) == 130
    assert list((tmp_path / "half" / "webdataset").iterdir()) == []
    assert render(tmp_path / "half", *IN_ONE) == 0
    assert render(tmp_path / "whole", *IN_ONE) == 0
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")
    assert io.BytesIO(contents(tmp_path / "half")["webdataset/views-000000.tar"]).getbuffer().nbytes % 512 == 0


def test_a_view_that_went_away_meanwhile_is_named(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path) == 0
    path = tmp_path / "depth" / "s0001_v00.exr"

    def vanish(*args: Any) -> Any:
        path.unlink()
        return real(*args)

    real = writer.shards
    monkeypatch.setattr(writer, "shards", vanish)
    capsys.readouterr()
    assert render(tmp_path, "--format", "webdataset") == 1
    assert f"{path}: expected a file of s0001_v00, found none" in capsys.readouterr().err


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def longer(data: bytes) -> bytes:
    return data + bytes(512)


def scrambled(data: bytes) -> bytes:
    """The first member's header does not add up."""
    return b"x" * 100 + data[100:]


def without_end(data: bytes) -> bytes:
    """Every member whole, but what marks the end gone."""
    end = max(index for index in range(0, len(data), 512) if any(data[index : index + 512])) + 512
    return data[:end]


@pytest.mark.parametrize("damage", [truncated, longer])
def test_a_complete_set_with_a_damaged_shard_is_not_called_done(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    assert render(tmp_path, "--format", "webdataset") == 0
    before = contents(tmp_path)
    shard, index = tmp_path / "webdataset" / "views-000000.tar", tmp_path / "webdataset" / "index.json"
    whole = shard.read_bytes()
    shard.write_bytes(damage(whole))
    capsys.readouterr()
    assert render(tmp_path, "--format", "webdataset") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {shard}: expected {len(whole)} bytes, found {len(damage(whole))} bytes; delete it")
    assert error.count("\n") == 1
    shard.unlink()
    assert render(tmp_path, "--format", "webdataset") == 1
    assert f"{shard}: expected {len(whole)} bytes, found none" in capsys.readouterr().err
    index.unlink()
    assert render(tmp_path, "--format", "webdataset") == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize("damage", [truncated, scrambled, without_end])
def test_a_damaged_shard_of_an_earlier_run_is_found_before_it_is_listed(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    assert render(tmp_path, "--format", "webdataset") == 0
    before = contents(tmp_path)
    shard, index = tmp_path / "webdataset" / "views-000000.tar", tmp_path / "webdataset" / "index.json"
    shard.write_bytes(damage(shard.read_bytes()))
    index.unlink()
    capsys.readouterr()
    assert render(tmp_path, "--format", "webdataset") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {shard}: expected ")
    assert error.count("\n") == 1
    assert not index.exists()
    shard.unlink()
    assert render(tmp_path, "--format", "webdataset") == 0
    assert contents(tmp_path) == before


def test_shards_of_any_split_are_recognised(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-5", "--views", "1", "--format", "webdataset", "--splits", "fold_1=0.5,fold_2=0.5"]
    assert cli.run([*call, "-o", str(tmp_path)]) == 0
    before = snapshot(tmp_path)
    assert cli.run([*call, "-o", str(tmp_path)]) == 0
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[", "expected the index"),
        ('{"shards": [{}]}', "expected the index"),
        ('{"shards": [{"file": "../a.tar", "bytes": 1}]}', "../a.tar"),
    ],
)
def test_a_damaged_index_is_named(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, found: str
) -> None:
    assert render(tmp_path, "--format", "webdataset") == 0
    index = tmp_path / "webdataset" / "index.json"
    index.write_text(text)
    capsys.readouterr()
    assert render(tmp_path, "--format", "webdataset") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {index}: ")
    assert found in error
