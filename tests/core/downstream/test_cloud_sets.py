"""Folders of labelled clouds read back: what the writers wrote, the benchmark's own layout, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.downstream.points.sets.labelled_clouds import read_cloud_sets
from dnerf_core.errors import DNeRFError
from dnerf_core.files.cloud_formats import write_cloud
from dnerf_core.files.clouds import CAR, Category, CloudStyle
from dnerf_core.files.names import labels_json
from dnerf_core.files.shapenetpart import shapenetpart_lists
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

CARS = SHAPENET_CAR_LABELS


def cloud(seed: int, labels: LabelSet = CARS, count: int = 40) -> PointCloud:
    numbers = np.random.default_rng(seed)
    points = numbers.normal(size=(count, 3)).astype(np.float32)
    ids = (np.arange(count) % (labels.num_classes - 1) + 1).astype(np.uint8)
    return PointCloud(points, points, np.zeros((count, 3), np.uint8), ids, np.ones(count, np.float32), labels)


def write(folder: Path, kind: str, names: list[str], labels: LabelSet = CARS, category: Category = CAR, top: bool = True) -> Path:
    """A folder as `pointcloud` lays it out."""
    suffix, below = (".txt", Path("shapenetpart", category.synset)) if kind == "shapenetpart" else (f".{kind}", Path(kind))
    (folder / below).mkdir(parents=True)
    for seed, name in enumerate(names):
        write_cloud(folder / below / f"{name}{suffix}", cloud(seed, labels), kind, CloudStyle(labels, "rgb", "y", category))
    if kind == "shapenetpart":
        (folder / "shapenetpart/train_test_split").mkdir()
        for name, data in shapenetpart_lists(names, category).items():
            (folder / "shapenetpart" / name).write_bytes(data)
    if top:
        (folder / "labels.json").write_bytes(labels_json(labels))
    return folder


@pytest.mark.parametrize("kind", ["npz", "ply", "shapenetpart"])
def test_every_format_gives_the_same_points_and_labels(kind: str, tmp_path: Path) -> None:
    names = [f"s{seed:04d}" for seed in range(10)]
    sets = read_cloud_sets([write(tmp_path / "a", kind, names)])
    assert sets.labels == CARS and [found.name for found in sets.clouds] == names
    for seed, found in enumerate(sets.clouds):
        np.testing.assert_allclose(found.points, cloud(seed).points, atol=1e-5)
        assert found.labels.tolist() == cloud(seed).labels.tolist()
    splits = [found.split for found in sets.clouds]
    assert splits == (["train"] * 7 + ["validation"] + ["test"] * 2 if kind == "shapenetpart" else [None] * 10)
    assert sets.folder_sha256(0) != read_cloud_sets([write(tmp_path / "b", kind, names[:9])]).folder_sha256(0)


def test_a_users_benchmark_folder_takes_the_names_of_generated_clouds(tmp_path: Path) -> None:
    generated = write(tmp_path / "generated", "npz", ["s0000"])
    real = write(tmp_path / "real", "shapenetpart", ["a1b2", "c3d4"], top=False) / "shapenetpart"
    sets = read_cloud_sets([real, generated])
    assert sets.labels.names == CARS.names
    assert sets.clouds[0].labels.tolist() == cloud(0).labels.tolist() and sets.clouds[0].folder == 0
    alone = read_cloud_sets([real])
    assert alone.labels.names[1:] == ("roof", "hood", "wheel", "body")
    first = alone.clouds[0].labels
    assert [alone.labels.names[label] for label in first[:4]] == ["hood", "roof", "wheel", "body"]


def test_labels_go_by_name_whatever_their_numbers(tmp_path: Path) -> None:
    other = LabelSet.from_names(["other", "wheels", "hood", "roof"])
    sets = read_cloud_sets([write(tmp_path / "a", "ply", ["s0000"]), write(tmp_path / "b", "ply", ["s0001"], other)])
    assert [CARS.names[label] for label in sets.clouds[1].labels[:4]] == ["other", "wheels", "hood", "roof"]


def test_poses_and_equal_names_are_one_subject(tmp_path: Path) -> None:
    sets = read_cloud_sets(
        [write(tmp_path / "a", "npz", ["s0003_p00", "s0003_f0001", "car"]), write(tmp_path / "b", "npz", ["s0003"])]
    )
    assert [found.subject for found in sets.clouds] == ["car", "s0003", "s0003", "s0003"]


def test_folders_of_splits_tell_theirs(tmp_path: Path) -> None:
    for name, split in (("train", "s0000"), ("val", "s0001"), ("test", "s0002")):
        write(tmp_path / "a" / name, "npz", [split], top=False)
    assert [found.split for found in read_cloud_sets([tmp_path / "a"]).clouds] == ["train", "validation", "test"]
    assert [found.split for found in read_cloud_sets([tmp_path / "a" / "val"]).clouds] == ["validation"]


def test_other_categories_are_numbered_as_the_benchmark_does(tmp_path: Path) -> None:
    folder = tmp_path / "benchmark"
    for synset, number in (("03001627", 12), ("04379243", 47)):
        (folder / synset).mkdir(parents=True)
        rows = [f"{k} 0 0 0 1 0 {number + k % 3}.000000" for k in range(6)]
        (folder / synset / "x.txt").write_text("\n".join(rows))
    with pytest.raises(DNeRFError, match="expected clouds of one category, found Chair, Table; choose one with --category"):
        read_cloud_sets([folder])
    chairs = read_cloud_sets([folder], "Chair")
    assert chairs.labels.names[1:] == ("part 12", "part 13", "part 14", "part 15")
    assert chairs.clouds[0].labels.tolist() == [1, 2, 3, 1, 2, 3]
    assert read_cloud_sets([folder], "04379243").labels.names[1] == "part 47"


def spoiled(tmp_path: Path, case: str) -> list[Path]:
    folder = write(
        tmp_path / "a", "shapenetpart" if case in ("number", "word", "ragged", "list", "no list") else "npz", ["s0000", "s0001"]
    )
    text = folder / "shapenetpart/02958343/s0000.txt"
    split = folder / "shapenetpart/train_test_split/shuffled_train_file_list.json"
    if case == "empty":
        (tmp_path / "empty").mkdir()
        return [tmp_path / "empty"]
    if case == "names":
        return [folder, write(tmp_path / "b", "npz", ["s0000"], LabelSet.from_names(["hood", "roof", "doors"]))]
    if case == "number":
        text.write_text("0 0 0 0 0 1 12.0\n")
    if case == "word":
        text.write_text("0 0 0 0 0 1 roof\n")
    if case == "ragged":
        text.write_text("0 0 0 0 0 1 8\n0 0\n")
    if case == "list":
        split.write_text(json.dumps(["shape_data/02958343/gone"]))
    if case == "no list":
        split.write_text("{}")
    if case == "damaged":
        (folder / "npz/s0000.npz").write_bytes(b"PK nothing")
    if case == "unlabelled":
        write_cloud(
            folder / "npz/s0000.npz", PointCloud(*[cloud(0).points] * 2, cloud(0).colors), "npz", CloudStyle(None, "rgb", "y")
        )
    if case in ("nan", "background"):
        bad = cloud(0)
        (bad.points if case == "nan" else bad.labels)[:] = np.nan if case == "nan" else 0
        write_cloud(folder / "npz/s0000.npz", bad, "npz", CloudStyle(CARS, "rgb", "y"))
    return [folder]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("empty", "expected clouds with labels, .* found none; make some with 'dnerf-headless pointcloud'"),
        ("names", "found hood, roof, doors, where doors, wheels, other differ; rename or merge them"),
        ("number", "expected parts among 8, 9, 10, 11, found 12; is it of another category"),
        ("word", "expected lines of numbers"),
        ("ragged", "expected lines of 7 numbers"),
        ("list", r"expected the clouds of its list, found no .*gone.txt; correct the list"),
        ("no list", "expected a JSON list of texts"),
        ("damaged", "expected a point cloud, it cannot be read"),
        ("unlabelled", "expected a cloud with labels, found none; leave it out"),
        ("nan", "found 40 points without finite coordinates"),
        ("background", "found no point with a label of a part"),
    ],
)
def test_what_does_not_go_together_is_refused(case: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DNeRFError, match=message) as error:
        read_cloud_sets(spoiled(tmp_path, case))
    assert "\n" not in str(error.value)
