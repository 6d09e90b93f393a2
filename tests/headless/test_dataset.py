"""What a data set folder may hold: channels, statistics, splits, view distributions; read by Hugging Face `datasets`."""

from __future__ import annotations

import dataclasses
import errno
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.files.pictures import read_depth, read_gray16, read_image
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.rendering.normals import normals_from_depth
from headless import cli
from headless.datasets.channels import parse_channels
from headless.datasets.splits import parse_splits, split_of
from headless.datasets.view_facts import ViewFacts
from tests.headless.fake_engine import SIZE_PX, STILL_CHANNELS, STILL_FORMATS, FakeModel, fake_facts
from tests.headless.test_render import contents, error_line, refusing_disk, render

ALL = ",".join(STILL_CHANNELS)
SPLITS = "train=0.6,val=0.2,test=0.2"


def rows_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_every_channel_is_written_and_named(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--channels", ALL) == 0
    row = rows_of(tmp_path)[3]
    uncertainty = row.pop("uncertainty")
    assert row == {
        "image_file_name": "images/s0001_v01.png",
        "mask_file_name": "masks/s0001_v01.png",
        "depth_file": "depth/s0001_v01.exr",
        "normal_file_name": "normals/s0001_v01.png",
        "uncertainty_file": "uncertainty/s0001_v01.png",
        "seed": 1,
        "view": 1,
        "parts": ["hood", "roof", "wheels", "other"],
    }
    seed, camera = fake_model.views_made[3]
    seen = fake_model.subject(seed).channels(camera, SIZE_PX, ("depth", "uncertainty"))
    assert seen.depth_planar is not None
    assert seen.uncertainty is not None
    found = read_gray16(tmp_path / "uncertainty" / "s0001_v01.png") / 65535
    np.testing.assert_allclose(found, seen.uncertainty, atol=0.5 / 65535 + 1e-9)
    assert uncertainty == pytest.approx(found.mean(), abs=1e-12)
    normals = (read_image(tmp_path / "normals" / "s0001_v01.png").astype(float) - 128) / 127
    np.testing.assert_allclose(normals, normals_from_depth(seen.depth_planar, camera), atol=0.5 / 127 + 1e-6)
    assert (normals[np.isinf(seen.depth_planar)] == 0).all()
    record = json.loads((tmp_path / "dataset.json").read_text())
    assert record["plan"]["channels"] == list(STILL_CHANNELS)


@pytest.mark.parametrize(
    ("channels", "folders"),
    [
        ("rgb", {"images"}),
        ("mask", {"masks"}),
        ("depth,normal", {"depth", "normals"}),
        ("rgb,normal", {"images", "normals"}),
        ("uncertainty,mask", {"masks", "uncertainty"}),
    ],
)
def test_only_the_channels_asked_for_are_written(
    channels: str, folders: set[str], fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path, "--channels", channels) == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == folders
    assert (tmp_path / "labels.json").exists() == ("mask" in channels)
    assert (tmp_path / "contact-sheet.png").exists()
    assert capsys.readouterr().err == ""
    before = contents(tmp_path)
    assert render(tmp_path, "--channels", channels) == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rgb,masks", "expected channels among rgb, mask, depth, normal, uncertainty, parts, joints, vertices, found 'masks'"),
        ("", "found ''"),
        ("rgb,rgb", "expected each channel once, found rgb twice"),
        ("normal,uncertainty", "expected rgb, mask or depth among them"),
        ("rgb,parts", "expected mask beside parts"),
    ],
)
def test_channels_that_do_not_go_together_are_refused(
    text: str, message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", "--channels", text) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_the_order_of_channels_is_no_difference() -> None:
    assert parse_channels("depth, rgb,mask") == ("rgb", "mask", "depth")


def test_channels_that_need_labels_are_refused_where_there_are_none(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_model.masks = False
    assert render(tmp_path / "out", "--channels", "rgb,mask,uncertainty") == 2
    assert "found mask, uncertainty, which need a semantic branch" in error_line(capsys)
    assert render(tmp_path / "out", "--channels", "rgb,normal") == 0


def test_statistics_count_the_masks(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path, "--channels", ALL) == 0
    statistics = json.loads((tmp_path / "statistics.json").read_text())
    masks = np.stack([read_image(path) for path in sorted((tmp_path / "masks").iterdir())])
    assert (masks == 255).sum() == 6
    counted = masks.size - 6  # what is to be ignored counts nowhere
    for label in statistics["labels"]:
        assert label["name"] == SHAPENET_CAR_LABELS.names[label["id"]]
        assert label["pixels"] == (masks == label["id"]).sum()
        assert label["share"] == label["pixels"] / counted
        assert label["views"] == 6
    assert (statistics["views"], statistics["empty_masks"], statistics["vanished"]) == (6, 0, [])
    rows = [row["uncertainty"] for row in rows_of(tmp_path)]
    assert statistics["uncertainty"] == {"mean": pytest.approx(np.mean(rows)), "lowest": min(rows), "highest": max(rows)}
    assert "labels: background 5" in capsys.readouterr().out


def test_a_class_that_one_view_has_did_not_vanish(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path) == 0
    for index, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        with Image.open(path) as image:
            ids = np.asarray(image).copy()
        ids[ids == 3] = 1
        ids[ids == 2] = 1 if index else 2
        Image.fromarray(ids).save(path)
    (tmp_path / "statistics.json").unlink()
    capsys.readouterr()
    assert render(tmp_path) == 0
    assert capsys.readouterr().err == (
        f"warning: {tmp_path}: a class vanished: no view has a pixel of wheels; "
        "the model, its label set or the cameras may be the reason\n"
    )
    roof = json.loads((tmp_path / "statistics.json").read_text())["labels"][2]
    assert (roof["name"], roof["views"]) == ("roof", 1)


def test_damaged_statistics_are_named(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path) == 0
    for text in ("{", "[]", '{"views": "many"}', "[" * 100_000):
        (tmp_path / "statistics.json").write_text(text)
        capsys.readouterr()
        assert render(tmp_path) == 1
        assert f"{tmp_path}/statistics.json: expected statistics that this command wrote, it " in error_line(capsys)


# --- splits


def test_a_subject_is_in_one_split_whatever_else_is_made() -> None:
    splits = parse_splits(SPLITS)
    names = [split_of(splits, seed) for seed in range(2000)]
    for name, share in splits:
        assert abs(names.count(name) / 2000 - share) < 0.03
    # pinned: another hash would move subjects of data sets that exist between training and test
    assert names[:8] == ["train", "test", "train", "train", "train", "train", "test", "train"]
    assert {split_of((("all", 1.0),), seed) for seed in range(100)} == {"all"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train", "expected splits such as train=0.8,val=0.1,test=0.1"),
        ("train=0.8,val=0.1", "expected shares that make 1 together, found 0.9"),
        ("train=0.5,train=0.5", "expected each split once, found train twice"),
        ("images=0.5,val=0.5", "found images; rename the split"),
        ("train=1,val=0", "expected shares above 0, found val=0"),
        ("../x=1", "expected splits such as"),
        ("train=nan", "expected splits such as"),
    ],
)
def test_splits_that_are_none_are_refused(
    text: str, message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", "--splits", text) == 2
    assert message in error_line(capsys)


def test_splits_have_folders_of_their_own_and_share_no_subject(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-15", "--views", "2", "--splits", SPLITS]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    seeds: dict[str, set[object]] = {}
    for split, _ in parse_splits(SPLITS):
        rows = rows_of(tmp_path / "whole" / split)
        seeds[split] = {row["seed"] for row in rows}
        for row in rows:
            assert (tmp_path / "whole" / split / str(row["image_file_name"])).is_file()
        assert len(list((tmp_path / "whole" / split / "masks").iterdir())) == len(rows) == 2 * len(seeds[split])
    assert sum(map(len, seeds.values())) == len(set.union(*seeds.values())) == 16
    statistics = json.loads((tmp_path / "whole" / "statistics.json").read_text())
    assert [(s["name"], s["subjects"]) for s in statistics["splits"]] == [(name, len(found)) for name, found in seeds.items()]
    for number in (2, 1, 3):
        assert cli.run([*call, "--shard", f"{number}/3", "--workers", "3", "-o", str(tmp_path / "parts")]) == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    (tmp_path / "parts" / "train" / ".tmp-7-metadata.jsonl").write_bytes(b"half")
    (tmp_path / "parts" / "train" / "metadata.jsonl").unlink()
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_an_empty_split_is_told(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "--seeds", "2-5", "--views", "1", "--splits", SPLITS, "-o", str(tmp_path)]) == 0
    lines = [f"warning: {tmp_path}: the split {name} has no views\n" for name in ("val", "test")]
    assert capsys.readouterr().err == "".join(lines)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["train"]


# --- view distributions


def test_gaussian_views_crowd_in_the_middle_of_the_ranges(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--seeds", "0-39", "--views", "10", "--yaw", "10:50", "--pitch", "0:20", "--resolution", "8"]
    assert cli.run([*call, "--view-distribution", "gaussian", "-o", str(tmp_path / "a")]) == 0
    cameras = cameras_from_json((tmp_path / "a" / "cameras.json").read_text())
    x, y, z = np.array([camera.position for camera in cameras.values()]).T
    yaw, pitch = np.degrees(np.arctan2(x, z)), np.degrees(np.arcsin(y / np.sqrt(x**2 + y**2 + z**2)))
    for angles, low, high in ((yaw, 10, 50), (pitch, 0, 20)):
        assert low - 1e-9 <= angles.min() < angles.max() <= high + 1e-9
        assert abs(angles.mean() - (low + high) / 2) < 0.05 * (high - low)
        # clipping at two deviations takes 0.25 of the width down to 0.24; uniform would be 0.29
        assert 0.21 < angles.std() / (high - low) < 0.26
    other = ["render", "--seeds", "7", "--views", "3", "--yaw", "10:50", "--pitch", "0:20", "--view-distribution", "gaussian"]
    assert cli.run([*other, "-o", str(tmp_path / "b")]) == 0
    for name, camera in cameras_from_json((tmp_path / "b" / "cameras.json").read_text()).items():
        np.testing.assert_array_equal(camera.cam2world, cameras[name].cam2world)


def test_random_views_means_uniform(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path / "a", "--random-views") == 0
    assert render(tmp_path / "b", "--view-distribution", "uniform") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert render(tmp_path / "b", "--view-distribution", "uniform", "--random-views") == 0
    capsys.readouterr()
    assert render(tmp_path / "c", "--random-views", "--view-distribution", "gaussian") == 2
    assert "--random-views means uniform, not gaussian" in error_line(capsys)


# --- uncertainty


def test_the_most_uncertain_views_are_in_no_list(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stand-in's uncertainty grows with the seed: of 12 views, 30% are 3.6, so 3 go, all of them of seed 5 and 4."""
    call = ["render", "--seeds", "0-5", "--views", "2", "--channels", ALL, "--reject-uncertain", "30%"]
    call += ["--format", "coco,nerfstudio,webdataset"]
    assert cli.run([*call, "-o", str(tmp_path / "a")]) == 0
    assert "rejected as uncertain: 3 of 12 views\n" in capsys.readouterr().out
    rejected = [json.loads(line) for line in (tmp_path / "a" / "rejected.jsonl").read_text().splitlines()]
    kept = rows_of(tmp_path / "a")
    names = {(row["seed"], row["view"]) for row in rejected}
    assert [row["seed"] for row in rejected] == [5, 5, 4]
    assert len(kept) == 9
    assert not names & {(row["seed"], row["view"]) for row in kept}
    assert min(row["uncertainty"] for row in rejected) >= max(row["uncertainty"] for row in kept)
    assert [row["uncertainty"] for row in rejected] == sorted((row["uncertainty"] for row in rejected), reverse=True)
    for row in rejected:
        assert (tmp_path / "a" / row["image_file_name"]).is_file()
    statistics = json.loads((tmp_path / "a" / "statistics.json").read_text())
    assert (statistics["views"], statistics["rejected"]) == (9, 3)
    assert all(label["views"] == 9 for label in statistics["labels"])
    for name in ("instances.json", "panoptic.json"):
        images = json.loads((tmp_path / "a" / name).read_text())["images"]
        assert {(image["seed"], image["view"]) for image in images} == {(row["seed"], row["view"]) for row in kept}
    scenes = json.loads((tmp_path / "a" / "nerfstudio" / "scenes.json").read_text())["scenes"]
    assert [(scene["seed"], scene["views"]) for scene in scenes] == [(0, 2), (1, 2), (2, 2), (3, 2), (4, 1)]
    assert json.loads((tmp_path / "a" / "webdataset" / "index.json").read_text())["samples"] == 9
    assert "3 more views, the most uncertain ones, are in `rejected.jsonl`" in (tmp_path / "a" / "README.md").read_text()
    for number in (2, 1, 3):
        assert cli.run([*call, "--shard", f"{number}/3", "--workers", "2", "-o", str(tmp_path / "b")]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    whole = contents(tmp_path / "a")
    for name in ("rejected.jsonl", "metadata.jsonl"):
        (tmp_path / "a" / name).unlink()
        assert cli.run([*call, "-o", str(tmp_path / "a")]) == 0
        assert contents(tmp_path / "a") == whole


def test_of_equally_uncertain_views_the_later_go() -> None:
    facts = ViewFacts(None, np.array([0.2, 0.5, 0.2, 0.2, 0.1]))
    assert facts.certain(0.4).tolist() == [True, False, True, False, True]
    assert facts.certain(0.19).tolist() == [True] * 5
    assert facts.certain(0.2).tolist() == [True, False, True, True, True]


@pytest.mark.parametrize("text", ["10", "0%", "100%", "-5%", "x%", "1e1%"])
def test_a_share_that_is_none_is_refused(
    text: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", "--channels", ALL, "--reject-uncertain", text) == 2
    assert "expected a share such as 10%, above 0% and below 100%" in error_line(capsys)


def test_rejecting_needs_the_uncertainty(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path / "out", "--reject-uncertain", "10%") == 2
    assert "expected uncertainty among the channels, found none; add it, such as --channels rgb,mask,depth,uncertainty" in (
        error_line(capsys)
    )


def test_parts_side_by_side_make_the_same_set_in_every_format(fake_model: FakeModel, tmp_path: Path) -> None:
    """Several parts may find that they are the last, and write the same lists and formats at the same time."""
    call = ["render", "--seeds", "0-7", "--views", "2", "--channels", ALL, "--splits", "train=0.7,test=0.3"]
    call += ["--reject-uncertain", "10%", "--format", ",".join(STILL_FORMATS)]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for attempt in range(4):
        parts = tmp_path / f"parts{attempt}"
        with ThreadPoolExecutor(4) as pool:
            codes = pool.map(lambda n, to=parts: cli.run([*call, "--shard", f"{n}/4", "-o", str(to)]), range(1, 5))
            assert list(codes) == [0] * 4
        assert contents(parts) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "victim", ["statistics.json", "README.md", "instances.json", "s0001_v00.png", "transforms.json", "index.json"]
)
def test_a_refusing_disk_leaves_whole_files_and_the_call_can_be_repeated(
    victim: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--channels", ALL, "--format", ",".join(STILL_FORMATS)]
    assert render(tmp_path / "whole", *call) == 0
    assert render(tmp_path / "out", "--channels", ALL) == 0
    for name in ("statistics.json", "README.md"):
        (tmp_path / "out" / name).unlink()
    capsys.readouterr()
    with refusing_disk(victim, errno.ENOSPC):
        assert render(tmp_path / "out", *call) == 1
    assert victim in error_line(capsys)
    assert not list((tmp_path / "out").rglob(".tmp-*"))
    assert render(tmp_path / "out", *call) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_model_without_labels_has_formats_and_a_card(fake_model: FakeModel, tmp_path: Path) -> None:
    fake_model.masks = False
    assert render(tmp_path, "--format", "nerfstudio,webdataset") == 0
    scene = json.loads((tmp_path / "nerfstudio" / "s0001" / "transforms.json").read_text())
    assert set(scene["frames"][0]) == {"file_path", "transform_matrix", "depth_file_path", "depth_path"}
    assert "labels" not in json.loads((tmp_path / "webdataset" / "index.json").read_text())
    assert json.loads((tmp_path / "statistics.json").read_text()) == {"views": 6, "rejected": 0}
    assert "`images/`, `depth/`" in (tmp_path / "README.md").read_text()


# --- the data card


def test_the_card_says_where_the_set_comes_from(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"file": "cars.pkl", "licence": "for research | only"}
    described = dataclasses.replace(fake_facts("demo-cars", masks=True), source=source)
    monkeypatch.setattr(model_facts, "describe_model", lambda name: described)
    assert (
        cli.run(["render", "--subjects", "16", "--views", "2", "--channels", ALL, "--splits", SPLITS, "-o", str(tmp_path)]) == 0
    )
    text = (tmp_path / "README.md").read_text()
    assert "sha256 `demo-cars-hash`" in text
    assert "Licence of the weights: for research \\| only." in text
    assert "made from: cars.pkl" in text
    assert "![views](contact-sheet.png)" in text
    statistics = json.loads((tmp_path / "statistics.json").read_text())
    for label in statistics["labels"]:
        assert f"| {label['id']} | {label['name']} | {100 * label['share']:.2f}% | {label['views']} |" in text
    assert "| val | 1 | 2 |" in text
    assert "Classes that no view shows: none. Masks that are all background: 0." in text


def test_the_command_of_the_card_makes_the_same_set(fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["render", "--subjects", "3", "--yaw", "-12.5:40", "--random-views", "--truncation", "0.7", "--channels", "rgb,mask"]
    assert cli.run([*call, "--splits", SPLITS, "-o", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a" / "README.md").read_text()
    command = shlex.split(text.split("```")[1])
    assert command[:2] == ["dnerf-headless", "render"]
    assert cli.run([*command[1:], "-o", str(tmp_path / "b")]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


# --- Hugging Face


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The `datasets` package without network, its cache in a folder of the test's."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return datasets


def test_hugging_face_reads_two_image_columns(fake_model: FakeModel, tmp_path: Path, hugging_face: object) -> None:
    folder = tmp_path / "set"
    assert render(folder, "--channels", "rgb,mask,depth,parts,uncertainty") == 0
    found = hugging_face.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))["train"]
    assert {name for name, kind in found.features.items() if isinstance(kind, hugging_face.Image)} == {"image", "mask"}
    assert set(found.column_names) == {"image", "mask", "depth_file", "uncertainty_file", "seed", "view", "parts", "uncertainty"}
    assert found.num_rows == 6
    for row in found:
        name = f"s{row['seed']:04d}_v{row['view']:02d}"
        np.testing.assert_array_equal(np.asarray(row["image"]), read_image(folder / "images" / f"{name}.png"))
        np.testing.assert_array_equal(np.asarray(row["mask"]), read_image(folder / "masks" / f"{name}.png"))
        assert row["mask"].mode == "L"
        assert np.isfinite(read_depth(folder / row["depth_file"])).any()
        assert row["parts"] == ["hood", "roof", "wheels", "other"]


def test_hugging_face_reads_the_splits(fake_model: FakeModel, tmp_path: Path, hugging_face: object) -> None:
    folder = tmp_path / "set"
    assert cli.run(["render", "--seeds", "0-15", "--views", "2", "--splits", SPLITS, "-o", str(folder)]) == 0
    found = hugging_face.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "validation", "test"}
    seeds = {name: set(found[name]["seed"]) for name in found}
    assert sum(map(len, seeds.values())) == len(set.union(*seeds.values())) == 16
    for name, ours in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert seeds[name] == {row["seed"] for row in rows_of(folder / ours)}
        assert set(found[name].column_names) == {"image", "mask", "depth_file", "seed", "view"}


@pytest.mark.parametrize("splits", ["", SPLITS])
def test_hugging_face_reads_the_card(splits: str, fake_model: FakeModel, tmp_path: Path, hugging_face: object) -> None:
    """By the folder's name alone, and with all other formats beside it."""
    folder = tmp_path / "set"
    call = ["render", "--subjects", "16", "--views", "1", "--format", "coco,nerfstudio,webdataset", "-o", str(folder)]
    assert cli.run([*call, *(["--splits", splits] if splits else [])]) == 0
    for by_name in (True, False):
        options = {"path": str(folder)} if by_name else {"path": "imagefolder", "data_dir": str(folder)}
        found = hugging_face.load_dataset(**options, cache_dir=str(tmp_path / f"cache{by_name}"))
        names = {"train", "val" if by_name else "validation", "test"} if splits else {"train"}
        assert set(found) == names
        assert sum(part.num_rows for part in found.values()) == 16
        for part in found.values():
            assert {name for name, kind in part.features.items() if isinstance(kind, hugging_face.Image)} == {"image", "mask"}
