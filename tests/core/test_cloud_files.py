"""Clouds saved and read back: each ending, whole or not at all, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.clouds import Category, CloudStyle, npz_bytes, ply_bytes
from dnerf_core.labels import LabelSet, default_colors
from dnerf_core.pointcloud.cloud import PointCloud

LABELS = LabelSet.from_names(["left", "right side"])
COUNT = 50


def make_cloud(labels: LabelSet | None = LABELS, world_up: str = "y") -> PointCloud:
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(COUNT, 3))
    return PointCloud(
        rng.normal(size=(COUNT, 3)).astype(np.float32),
        (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        rng.integers(0, 256, (COUNT, 3)).astype(np.uint8),
        None if labels is None else (np.arange(COUNT) % 3).astype(np.uint8),
        None if labels is None else rng.random(COUNT).astype(np.float32),
        labels,
        world_up,  # type: ignore[arg-type]
    )


def same(one: PointCloud, other: PointCloud) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("points", "normals", "colors", "labels", "confidence")]
    return all(np.array_equal(a, b) if a is not None and b is not None else a is b for a, b in pairs)


@pytest.mark.parametrize("suffix", [".ply", ".npz", ".PLY"])
@pytest.mark.parametrize("labels", [LABELS, None])
def test_a_cloud_comes_back_as_it_was(tmp_path: Path, suffix: str, labels: LabelSet | None) -> None:
    cloud = make_cloud(labels)
    cloud.save(tmp_path / f"a{suffix}")
    read = PointCloud.load(tmp_path / f"a{suffix}")
    assert same(cloud, read)
    assert (read.label_set, read.world_up) == (labels, "y")


def test_the_axis_that_points_up_comes_back_from_ply(tmp_path: Path) -> None:
    make_cloud(world_up="z").save(tmp_path / "a.ply")
    assert PointCloud.load(tmp_path / "a.ply").world_up == "z"


def test_ply_names_labels_without_colours(tmp_path: Path) -> None:
    painted = LabelSet((LABELS.labels[0], type(LABELS.labels[1])(1, "left", (9, 8, 7)), LABELS.labels[2]))
    make_cloud(painted).save(tmp_path / "a.ply")
    read = PointCloud.load(tmp_path / "a.ply").label_set
    assert read is not None and read.names == painted.names
    assert [label.color for label in read.labels[1:]] == list(default_colors(2))


def test_files_are_those_of_the_command(tmp_path: Path) -> None:
    cloud, style = make_cloud(), CloudStyle(LABELS, "rgb", "y", Category.named("Car"))
    cloud.save(tmp_path / "a.ply")
    cloud.save(str(tmp_path / "a.npz"))
    assert (tmp_path / "a.ply").read_bytes() == ply_bytes(cloud, style)
    assert (tmp_path / "a.npz").read_bytes() == npz_bytes(cloud, style)


def test_glb_and_the_labels_colours(tmp_path: Path) -> None:
    cloud = make_cloud()
    cloud.save(tmp_path / "a.glb")
    assert len(trimesh.load(tmp_path / "a.glb").geometry["geometry_0"].vertices) == COUNT
    cloud.save(tmp_path / "a.ply", color="label")
    assert np.array_equal(PointCloud.load(tmp_path / "a.ply").colors, LABELS.palette()[cloud.labels])


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    cloud = make_cloud()
    with pytest.raises(
        UsageError, match=r"a\.obj: expected a name that ends in \.ply, \.npz, \.glb or \.usd, found \.obj; rename it$"
    ):
        cloud.save(tmp_path / "a.obj")
    with pytest.raises(UsageError, match=r"found no ending; rename it$"):
        cloud.save(tmp_path / "a")
    with pytest.raises(UsageError, match=r"found no labels; choose rgb$"):
        make_cloud(None).save(tmp_path / "a.ply", color="label")
    with pytest.raises(OutputError, match="expected to write this file"):
        cloud.save(tmp_path / "nowhere" / "a.ply")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", b""),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float x\nend_header\n0\n"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nend_header\n0000"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty list uchar int x\nend_header\n0000"),
        ("a.ply", b"ply\nend_header\n"),
        ("a.npz", b"not a zip"),
        ("a.npz", b""),
    ],
)
def test_files_that_are_no_clouds_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=r"^[^\n]*: expected a point cloud, it cannot be read: [^\n]+; save it again$"):
        PointCloud.load(tmp_path / name)


def test_missing_files_other_endings_and_other_arrays_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.ply: expected a point cloud, it cannot be read: No such file"):
        PointCloud.load(tmp_path / "a.ply")
    with pytest.raises(UsageError, match=r"a\.glb: expected a point cloud that ends in \.ply or \.npz, found \.glb"):
        PointCloud.load(tmp_path / "a.glb")
    np.savez(tmp_path / "a.npz", points=np.zeros((2, 3)), normals=np.zeros((2, 3)), colors=np.zeros((2, 3)))
    with pytest.raises(UsageError, match=r"a\.npz: point cloud: points: expected float32 \[N, 3\], found float64 \[2, 3\]"):
        PointCloud.load(tmp_path / "a.npz")
