"""A subject as a thing in space: its fused cloud, and its mesh, against shapes whose surface is known."""

from __future__ import annotations

import builtins
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from dnerf_core.camera import arc_cameras, orbit_cameras
from dnerf_core.errors import AnnotationError, DNeRFError, UsageError
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.pointcloud.own_cameras import CLOUD_VIEWS, own_cloud_cameras
from dnerf_core.pointcloud.surface import check_mesh, marched_surface
from headless import cli
from tests.core.pointcloud_scenes import RADIUS, distance_to_surface, ring, view_of

SCENE = [view_of(camera) for camera in ring(8)]
BALL = LabelSet.from_names(["front", "back", "wall"])


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("demo-cars")


def same(one: PointCloud, other: PointCloud) -> bool:
    names = ("points", "normals", "colors", "labels", "confidence")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


# Fusion of labelled views


def test_labeled_views_are_fused_as_they_are() -> None:
    plain = fuse_views(SCENE, BALL.num_classes)
    told = fuse_views(SCENE, label_set=BALL, world_up="z")
    assert same(plain, told)
    assert (plain.label_set, plain.world_up, told.label_set, told.world_up) == (None, "y", BALL, "z")
    assert same(plain, fuse_views(SCENE))  # the classes are those of the masks
    assert distance_to_surface(told.points, wall=False).max() < 0.05 * RADIUS


def test_views_that_were_upsampled_say_so(model: Model) -> None:
    neural = model.config.rays.neural_resolution
    camera = model.front_camera()
    assert model.subject(3).render(camera, neural).sample_px == 1
    assert model.subject(3).render(camera, 2 * neural).sample_px == 2


def test_masks_of_other_labels_are_refused() -> None:
    with pytest.raises(AnnotationError, match=r"view 0: mask: expected ids 0 to 1 or 255, found 2"):
        fuse_views(SCENE, label_set=LabelSet.from_names(["front"]))


# A subject's cloud


@pytest.mark.usefixtures("several_threads")
def test_a_subjects_cloud_is_the_commands(model: Model, tmp_path: Path) -> None:
    call = ["pointcloud", "--seeds", "3", "--resolution", "64", "--format", "ply,npz", "--workers", "1", "-o", str(tmp_path)]
    assert cli.run(call) == 0
    cloud = model.subject(3).point_cloud(size_px=64)
    cloud.save(tmp_path / "own.ply")
    own, made = PointCloud.load(tmp_path / "own.ply"), PointCloud.load(tmp_path / "ply" / "s0003.ply")
    assert own.label_set == made.label_set and own.label_set is not None
    # threads round sums differently, so that a pixel in a thousand may fall on the other side of a cut
    assert abs(len(own) - len(made)) <= 0.01 * len(made)
    np.testing.assert_allclose(own.points.min(axis=0), made.points.min(axis=0), atol=0.01)
    np.testing.assert_allclose(own.points.max(axis=0), made.points.max(axis=0), atol=0.01)
    assert own.labels is not None and made.labels is not None
    shares = [np.bincount(labels, minlength=5) / len(labels) for labels in (own.labels, made.labels)]
    np.testing.assert_allclose(*shares, atol=0.01)


def test_cameras_and_options_are_the_callers(model: Model) -> None:
    cameras = arc_cameras(model.config.cameras, (0, 90), count=2)
    cloud = model.subject(3).point_cloud(cameras, size_px=64, options=FusionOptions(points=300))
    assert len(cloud) == 300 and cloud.label_set == model.labels and cloud.world_up == "y"


def test_a_generator_that_tells_one_direction_is_seen_from_it_alone(model: Model) -> None:
    rig = model.config.cameras
    assert len(own_cloud_cameras(rig)) == CLOUD_VIEWS
    around = orbit_cameras(dataclasses.replace(rig, yaw_range_deg=None), count=CLOUD_VIEWS)
    found = own_cloud_cameras(dataclasses.replace(rig, yaw_range_deg=None))
    assert {tuple(np.round(camera.position, 6)) for camera in found} == {tuple(np.round(camera.position, 6)) for camera in around}
    assert len(own_cloud_cameras(dataclasses.replace(rig, yaw_range_deg=(0.0, 0.0)))) == 1


# The mesh


def ball_grid(nodes: int, radius: float, centre: tuple[float, float, float]) -> np.ndarray:
    """How far inside a ball every node of a grid over a box of side 2 is, [z, y, x], ring included."""
    along = ((np.arange(-1, nodes + 1) + 0.5) / nodes - 0.5) * 2
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    return np.asarray(radius - np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2))


def test_a_ball_is_marched_where_it_is() -> None:
    pytest.importorskip("skimage")
    surface = marched_surface(ball_grid(48, 0.6, (0.2, -0.1, 0.05)), 48, 2.0, 0.0)
    mesh = surface.textured(np.full((len(surface.vertices), 3), 7, np.uint8), None, None)
    assert mesh.is_watertight and mesh.is_winding_consistent
    np.testing.assert_allclose(mesh.center_mass, [0.2, -0.1, 0.05], atol=1e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.01)  # above 0: faces turn their outside out
    assert np.abs(np.linalg.norm(mesh.vertices - [0.2, -0.1, 0.05], axis=1) - 0.6).max() < 0.005
    with pytest.raises(DNeRFError, match="mesh: expected a raw density above 10 somewhere, found at most"):
        marched_surface(ball_grid(8, 0.5, (0, 0, 0)), 8, 2.0, 10.0)
    assert "label" not in mesh.vertex_attributes and np.array_equal(mesh.visual.vertex_colors[0], [7, 7, 7, 255])


def test_what_reaches_out_of_the_box_is_closed_at_its_faces() -> None:
    pytest.importorskip("skimage")
    surface = marched_surface(ball_grid(32, 1.3, (0, 0, 0)), 32, 2.0, 0.0)
    assert trimesh.Trimesh(surface.vertices, surface.faces).is_watertight
    assert np.abs(surface.vertices).max() <= 1 + 1 / 32


def test_a_subjects_mesh_lies_on_its_cloud(model: Model) -> None:
    pytest.importorskip("skimage")
    spatial = pytest.importorskip("scipy.spatial")
    subject = model.subject(3)
    mesh, cloud = subject.mesh(nodes=96), subject.point_cloud(size_px=128)
    assert mesh.is_watertight and mesh.volume > 0
    longest = float(np.ptp(cloud.points, axis=0).max())
    apart, nearest = spatial.cKDTree(mesh.vertices).query(cloud.points)
    assert np.median(apart) < 0.01 * longest
    labels = mesh.vertex_attributes["label"]
    assert labels.dtype == np.uint8 and labels.min() >= 1 and mesh.metadata["labels"] == list(model.labels.names)  # type: ignore[union-attr]
    assert (labels[nearest] == cloud.labels).mean() > 0.85
    colors = mesh.visual.vertex_colors[nearest, :3].astype(int)
    assert np.median(np.abs(colors - cloud.colors.astype(int))) < 12


def test_a_mesh_that_cannot_be_made_is_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="nodes: expected 8 to 512 an axis, found 4"):
        check_mesh(4, 10.0)
    with pytest.raises(UsageError, match="level: expected a finite raw density, found nan; the usual one is 10"):
        check_mesh(64, float("nan"))
    grid = ball_grid(8, 0.5, (0, 0, 0))
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("skimage"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    message = r"^mesh: expected the package scikit-image, found none; install it: pip install 'datasetnerf\[mesh\]'$"
    with pytest.raises(UsageError, match=message):
        marched_surface(grid, 8, 2.0, 0.0)
