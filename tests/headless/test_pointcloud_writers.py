"""Clouds written, and read back by the programs that will read them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import plyfile
import pytest
import trimesh

from dnerf_core.errors import UsageError
from dnerf_core.files.cloud_formats import CloudFormat, glb_bytes, write_cloud
from dnerf_core.files.clouds import Category, CloudStyle, cloud_bytes, npz_bytes, ply_bytes, shown_colors
from dnerf_core.files.shapenetpart import category_folders, part_numbers, shapenetpart_lists
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

RNG = np.random.default_rng(3)
COUNT = 40
CAR = CloudStyle(SHAPENET_CAR_LABELS, "rgb", "y", Category.named("Car"))


def make_cloud(labels: bool = True) -> PointCloud:
    normals = RNG.normal(size=(COUNT, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointCloud(
        RNG.normal(size=(COUNT, 3)).astype(np.float32),
        normals.astype(np.float32),
        RNG.integers(0, 256, (COUNT, 3)).astype(np.uint8),
        (np.arange(COUNT) % 5).astype(np.uint8) if labels else None,
        RNG.random(COUNT).astype(np.float32) if labels else None,
    )


CLOUD = make_cloud()
PYG_FOLDERS = [
    *("02691156", "02773838", "02954340", "02958343", "03001627", "03261776", "03467517", "03624134"),
    *("03636649", "03642806", "03790512", "03797390", "03948459", "04099429", "04225987", "04379243"),
]


def test_ply_by_plyfile(tmp_path: Path) -> None:
    write_cloud(tmp_path / "a.ply", CLOUD, "ply", CAR)
    read = plyfile.PlyData.read(tmp_path / "a.ply")
    assert (read.text, read.byte_order) == (False, "<")
    assert read.comments == [
        "world frame of the cameras, y up",
        *(f"label {k} {n}" for k, n in enumerate(SHAPENET_CAR_LABELS.names)),
    ]
    vertex = read["vertex"]
    names = ("x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "label", "scalar_label", "confidence")
    assert tuple(p.name for p in vertex.properties) == names
    assert [p.val_dtype for p in vertex.properties] == ["f4"] * 6 + ["u1"] * 3 + ["i4", "f4", "f4"]
    np.testing.assert_array_equal(np.stack([vertex[n] for n in "xyz"], axis=1), CLOUD.points)
    np.testing.assert_array_equal(np.stack([vertex[n] for n in ("nx", "ny", "nz")], axis=1), CLOUD.normals)
    np.testing.assert_array_equal(np.stack([vertex[n] for n in ("red", "green", "blue")], axis=1), CLOUD.colors)
    np.testing.assert_array_equal(vertex["label"], CLOUD.labels)
    np.testing.assert_array_equal(vertex["confidence"], CLOUD.confidence)


def test_ply_by_trimesh_shows_the_colours() -> None:
    read = trimesh.load(io.BytesIO(ply_bytes(CLOUD, CAR)), file_type="ply")
    assert isinstance(read, trimesh.PointCloud)
    np.testing.assert_array_equal(read.vertices.astype(np.float32), CLOUD.points)
    np.testing.assert_array_equal(read.colors[:, :3], CLOUD.colors)


def test_label_colours_by_option() -> None:
    style = CloudStyle(SHAPENET_CAR_LABELS, "label", "y", Category.named("Car"))
    assert CLOUD.labels is not None
    expected = np.array([label.color for label in SHAPENET_CAR_LABELS.labels], np.uint8)[CLOUD.labels]
    np.testing.assert_array_equal(shown_colors(CLOUD, style), expected)
    read = trimesh.load(io.BytesIO(ply_bytes(CLOUD, style)), file_type="ply")
    np.testing.assert_array_equal(read.colors[:, :3], expected)
    np.testing.assert_array_equal(shown_colors(make_cloud(labels=False), style).shape, (COUNT, 3))


def test_npz_by_numpy(tmp_path: Path) -> None:
    write_cloud(tmp_path / "a.npz", CLOUD, "npz", CAR)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert set(read) == {"points", "normals", "colors", "labels", "confidence", "label_names", "label_colors"}
        for name in ("points", "normals", "colors", "labels", "confidence"):
            np.testing.assert_array_equal(read[name], getattr(CLOUD, name))
            assert read[name].dtype == getattr(CLOUD, name).dtype
        assert tuple(read["label_names"]) == SHAPENET_CAR_LABELS.names
        assert tuple(read["label_colors"][2]) == SHAPENET_CAR_LABELS.labels[2].color


def test_glb_by_trimesh() -> None:
    scene = trimesh.load(io.BytesIO(glb_bytes(CLOUD, CAR)), file_type="glb")
    (read,) = scene.geometry.values()
    assert isinstance(read, trimesh.PointCloud)
    np.testing.assert_array_equal(read.vertices.astype(np.float32), CLOUD.points)
    linear = read.colors[:, :3] / 255
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    error = np.abs(255 * srgb - CLOUD.colors)
    assert error[CLOUD.colors > 60].max() <= 1.5
    assert error.max() <= 7  # half a step of 8-bit linear, at black: 255 * 12.92 / 510
    assert (read.colors[:, 3] == 255).all()


def test_a_z_up_cloud_stands_upright_in_glb() -> None:
    style = CloudStyle(None, "rgb", "z", Category.named("Car"))
    (read,) = trimesh.load(io.BytesIO(glb_bytes(CLOUD, style)), file_type="glb").geometry.values()
    x, y, z = CLOUD.points.T
    np.testing.assert_array_equal(read.vertices.astype(np.float32), np.stack([x, z, -y], axis=1))


def pointnet_loader(root: Path, split: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """As the usual PointNet part-segmentation loaders find and read their clouds: category, points and normals, part ids."""
    categories = dict(line.split() for line in (root / "synsetoffset2category.txt").read_text().splitlines())
    wanted = {
        str(entry.split("/")[2]) for entry in json.loads((root / f"train_test_split/shuffled_{split}_file_list.json").read_text())
    }
    items = []
    for category, synset in categories.items():
        for path in sorted((root / synset).iterdir()):
            if path.stem in wanted:
                data = np.loadtxt(path).astype(np.float32)
                items.append((category, data[:, 0:6], data[:, -1].astype(np.int32)))
    return items


def test_shapenetpart_by_a_pointnet_loader(tmp_path: Path) -> None:
    names = [f"s{k:04d}" for k in range(12)]
    for folder in (*category_folders(CAR.category), "train_test_split"):
        (tmp_path / folder).mkdir()
    for name in names:
        write_cloud(tmp_path / "02958343" / f"{name}.txt", CLOUD, "shapenetpart", CAR)
    for name, data in shapenetpart_lists(names, CAR.category).items():
        (tmp_path / name).write_bytes(data)
    splits = {split: pointnet_loader(tmp_path, split) for split in ("train", "val", "test")}
    assert {split: len(items) for split, items in splits.items()} == {"train": 9, "val": 1, "test": 2}
    category, values, parts = splits["test"][0]
    assert category == "Car"
    assert CLOUD.labels is not None
    kept = CLOUD.labels > 0
    np.testing.assert_allclose(values, np.concatenate([CLOUD.points, CLOUD.normals], axis=1)[kept], atol=1e-6)
    # hood, roof, wheels, other are the benchmark's 9, 8, 10, 11
    np.testing.assert_array_equal(parts, np.array([0, 9, 8, 10, 11])[CLOUD.labels[kept]])


def test_parts_of_a_car_are_numbered_by_name() -> None:
    """Whatever their order in the label set; ten public tables have roof, hood, wheel, body."""
    labels = LabelSet.from_names(["Body", "wheel", "hood", "roof"])
    assert part_numbers(labels, CAR.category)[1:5].tolist() == [11, 10, 9, 8]
    with pytest.raises(UsageError, match=r"--category Car: expected labels among roof, hood, .*, found door; give --category"):
        part_numbers(LabelSet.from_names(["roof", "door"]), CAR.category)
    assert part_numbers(LabelSet.from_names(["roof", "door"]), Category.named("Van"))[1:3].tolist() == [0, 1]


def test_the_layout_passes_the_rules_of_pytorch_geometric(tmp_path: Path) -> None:
    """`torch_geometric.datasets.ShapeNet` (2.8): a folder of each category must be there, lists name files below the first folder."""
    names = [f"s{k:04d}" for k in range(12)]
    for folder in (*category_folders(CAR.category), "train_test_split"):
        (tmp_path / folder).mkdir()
    for name in names:
        write_cloud(tmp_path / "02958343" / f"{name}.txt", CLOUD, "shapenetpart", CAR)
    for name, data in shapenetpart_lists(names, CAR.category).items():
        (tmp_path / name).write_bytes(data)
    assert all((tmp_path / folder).is_dir() for folder in PYG_FOLDERS) and len(set(PYG_FOLDERS)) == 16
    lines = (tmp_path / "synsetoffset2category.txt").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines] == PYG_FOLDERS and lines[3] == "Car\t02958343"
    for split, count in (("train", 9), ("val", 1), ("test", 2)):
        listed = json.loads((tmp_path / f"train_test_split/shuffled_{split}_file_list.json").read_text())
        files = ["/".join(name.split("/")[1:]) + ".txt" for name in listed]
        rows = [
            [[float(value) for value in line.split()] for line in (tmp_path / file).read_text().split("\n")[:-1]]
            for file in files
        ]
        assert len(rows) == count and all(len(row) == 7 for cloud in rows for row in cloud)
        assert {int(row[-1]) for cloud in rows for row in cloud} == {8, 9, 10, 11}


def test_lists_follow_the_splits_of_subjects() -> None:
    lists = shapenetpart_lists(["s0000", "s0001"], CAR.category, {"s0000": "fold_1", "s0001": "test"})
    found = {name: json.loads(data) for name, data in lists.items() if name.endswith(".json")}
    assert found == {
        "train_test_split/shuffled_train_file_list.json": [],
        "train_test_split/shuffled_val_file_list.json": [],
        "train_test_split/shuffled_test_file_list.json": ["shape_data/02958343/s0001"],
        "train_test_split/shuffled_fold_1_file_list.json": ["shape_data/02958343/s0000"],
    }


def test_other_categories_number_their_parts_from_zero() -> None:
    assert Category.named("Face") == Category("Face", "face", 0)
    lists = shapenetpart_lists(["a"], Category.named("Face"))
    assert lists["synsetoffset2category.txt"] == b"Face\tface\n"
    assert json.loads(lists["train_test_split/shuffled_train_file_list.json"]) == ["shape_data/face/a"]
    assert json.loads(lists["train_test_split/shuffled_test_file_list.json"]) == []


@pytest.mark.parametrize("cloud_format", ["ply", "npz", "glb"])
def test_clouds_without_labels(cloud_format: CloudFormat, tmp_path: Path) -> None:
    plain = make_cloud(labels=False)
    style = CloudStyle(None, "label", "y", Category.named("Car"))
    write_cloud(tmp_path / "a", plain, cloud_format, style)
    if cloud_format == "npz":
        assert set(np.load(tmp_path / "a")) == {"points", "normals", "colors"}
    if cloud_format == "ply":
        assert [p.name for p in plyfile.PlyData.read(tmp_path / "a")["vertex"].properties][-1] == "blue"


@pytest.mark.parametrize("encode", [ply_bytes, npz_bytes, glb_bytes])
def test_equal_clouds_give_equal_bytes(encode: object, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encode(CLOUD, CAR)  # type: ignore[operator]
    import time

    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert encode(CLOUD, CAR) == first  # type: ignore[operator]


def test_label_names_outside_ascii_do_not_break_a_ply() -> None:
    style = CloudStyle(LabelSet.from_names(["Tür", "b", "c", "d"]), "rgb", "y", Category.named("Car"))
    data = ply_bytes(CLOUD, style)
    assert b"comment label 1 T?r\n" in data
    assert len(plyfile.PlyData.read(io.BytesIO(data))["vertex"]) == COUNT


@pytest.mark.parametrize("labels", [True, False])
def test_an_npz_is_read_back(tmp_path: Path, labels: bool) -> None:
    cloud = make_cloud(labels)
    write_cloud(tmp_path / "a.npz", cloud, "npz", CAR)
    back = PointCloud.load(tmp_path / "a.npz")
    assert back.label_set == (SHAPENET_CAR_LABELS if labels else None)
    for name in ("points", "normals", "colors", "labels", "confidence"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cloud, name), err_msg=name)
    assert cloud_bytes(back, ".npz", CAR, "a") == npz_bytes(cloud, CAR) == (tmp_path / "a.npz").read_bytes()
    assert cloud_bytes(back, ".ply", CAR, "a") == ply_bytes(cloud, CAR)


def test_what_is_no_cloud_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "short.npz", points=CLOUD.points, normals=CLOUD.normals[:1], colors=CLOUD.colors)
    for name in ("bad.npz", "short.npz", "none.npz"):
        with pytest.raises(UsageError, match=rf"{name}: (expected a )?point cloud"):
            PointCloud.load(tmp_path / name)
    with pytest.raises(UsageError, match=r"a: expected a name that ends in \.ply or \.npz, found no ending"):
        cloud_bytes(CLOUD, "", CAR, "a")
