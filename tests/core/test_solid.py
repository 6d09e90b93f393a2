"""A subject as a thing in space: its fused cloud, and its mesh, against shapes whose surface is known."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from dnerf_core.camera import arc_cameras, orbit_cameras
from dnerf_core.errors import AnnotationError, DNeRFError, UsageError
from dnerf_core.labels import LabelSet
from dnerf_core.mesh.options import MeshOptions, needed
from dnerf_core.mesh.painting import painted
from dnerf_core.mesh.pieces import decimated, kept_pieces
from dnerf_core.mesh.surface import Surface, is_closed, marched_surface
from dnerf_core.model import Model
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.pointcloud.own_cameras import CLOUD_VIEWS, own_cloud_cameras
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


def ball(nodes: int = 48, radius: float = 0.6, centre: tuple[float, float, float] = (0.2, -0.1, 0.05)) -> Surface:
    return marched_surface(ball_grid(nodes, radius, centre), nodes, 2.0, 0.0)


def test_a_ball_is_marched_where_it_is() -> None:
    surface = ball()
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and surface.is_closed()
    np.testing.assert_allclose(mesh.center_mass, [0.2, -0.1, 0.05], atol=1e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.01)  # above 0: faces turn their outside out
    outward = surface.vertices - [0.2, -0.1, 0.05]
    assert np.abs(np.linalg.norm(outward, axis=1) - 0.6).max() < 0.005
    assert ((outward * surface.normals()).sum(axis=1) / 0.6).min() > 0.98
    with pytest.raises(DNeRFError, match="mesh: expected a raw density above 10 somewhere, found at most"):
        marched_surface(ball_grid(8, 0.5, (0, 0, 0)), 8, 2.0, 10.0)


def test_a_surface_through_nodes_is_closed_also_when_places_are_merged() -> None:
    values = np.rint(16 * ball_grid(32, 0.53, (0, 0, 0)))  # many nodes lie on the level itself
    surface = marched_surface(values, 32, 2.0, 0.0)
    assert (values == 0).sum() > 100
    assert trimesh.Trimesh(surface.vertices.astype(np.float32), surface.faces).is_watertight


def test_what_reaches_out_of_the_box_is_closed_at_its_faces() -> None:
    surface = marched_surface(ball_grid(32, 1.3, (0, 0, 0)), 32, 2.0, 0.0)
    assert trimesh.Trimesh(surface.vertices, surface.faces).is_watertight
    assert np.abs(surface.vertices).max() <= 1 + 1 / 32


def test_an_open_or_turned_surface_is_not_closed() -> None:
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    assert is_closed(tetrahedron)
    assert not is_closed(tetrahedron[:3]) and not is_closed(tetrahedron[:0])
    assert not is_closed(np.concatenate([tetrahedron[:3], tetrahedron[3:, ::-1]]))
    assert not is_closed(np.concatenate([tetrahedron, tetrahedron]))


def test_pieces_are_kept_by_their_share_of_the_largest() -> None:
    grid = np.maximum(ball_grid(48, 0.5, (-0.4, 0, 0)), ball_grid(48, 0.25, (0.6, 0, 0)))
    surface = marched_surface(grid, 48, 2.0, 0.0)
    areas = {share: kept_pieces(surface, share).face_areas().sum() for share in (0.0, 0.2, 0.3, 1.0)}
    both, one = 4 * np.pi * (0.25 + 0.0625), np.pi
    assert areas[0.0] == areas[0.2] == pytest.approx(both, rel=0.02)
    assert areas[0.3] == areas[1.0] == pytest.approx(one, rel=0.02)
    assert kept_pieces(surface, 1.0).is_closed()


@pytest.mark.parametrize("faces", [2000, 200, 20])
def test_a_decimated_surface_is_closed_and_has_so_many_faces(faces: int) -> None:
    surface = ball()
    smaller, nearest = decimated(surface, faces)
    assert len(smaller.faces) == faces and smaller.is_closed()
    assert np.linalg.norm(surface.vertices[nearest] - smaller.vertices, axis=1).max() < 0.05 if faces > 100 else True
    same, every = decimated(surface, 10**6)
    assert same is surface and np.array_equal(every, np.arange(len(surface.vertices)))


def test_a_ring_cannot_be_told_in_too_few_faces() -> None:
    along = ((np.arange(-1, 33) + 0.5) / 32 - 0.5) * 2
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    ring_shape = marched_surface(0.2 - np.hypot(np.hypot(x, y) - 0.6, z), 32, 2.0, 0.0)
    with pytest.raises(DNeRFError, match="faces: expected a surface that 8 triangles can tell, found one that needs "):
        decimated(ring_shape, 8)


def test_vertices_take_labels_by_vote_and_carry_them_where_no_view_looks() -> None:
    surface = marched_surface(ball_grid(64, RADIUS / 0.8, (0, 0, 0)) * 0.8, 64, 2.0 * 0.8, 0.0) if RADIUS < 0.7 else ball()
    views = [view_of(camera) for camera in ring(8)]
    all_around = painted(surface, views, BALL.num_classes)
    one = painted(surface, views[:1], BALL.num_classes)
    assert all_around.labels is not None and one.labels is not None and one.confidence is not None
    assert set(np.unique(one.labels)) <= {1, 2, 3}
    assert 0.1 < (one.confidence > 0).mean() < 0.6
    same_order = painted(surface, views[::-1], BALL.num_classes)
    np.testing.assert_array_equal(same_order.labels, all_around.labels)
    np.testing.assert_array_equal(same_order.colors, all_around.colors)
    nothing = painted(surface, [], BALL.num_classes)
    assert nothing.labels is None and not nothing.colors.any()


def test_a_subjects_mesh_lies_on_its_cloud(model: Model) -> None:
    spatial = pytest.importorskip("scipy.spatial")
    subject = model.subject(3)
    mesh, cloud = subject.mesh(MeshOptions(nodes=96), size_px=128), subject.point_cloud(size_px=128)
    assert mesh.is_watertight and mesh.to_trimesh().volume > 0 and mesh.world_up == "y"
    longest = float(np.ptp(cloud.points, axis=0).max())
    apart, nearest = spatial.cKDTree(mesh.vertices).query(cloud.points)
    assert np.median(apart) < 0.01 * longest
    assert mesh.labels is not None and mesh.labels.min() >= 1 and mesh.label_set == model.labels
    assert (mesh.labels[nearest] == cloud.labels).mean() > 0.95
    assert np.median(np.abs(mesh.colors[nearest].astype(int) - cloud.colors.astype(int))) < 12
    assert repr(mesh).startswith(f"Mesh({len(mesh.vertices)} vertices, {len(mesh.faces)} faces, labels background, hood")


def test_a_mesh_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for values, message in (
        ({"nodes": 4}, "nodes: expected 8 to 512 an axis, found 4"),
        ({"level": float("nan")}, "level: expected a finite raw density, found nan; the usual one is 10"),
        ({"faces": 3}, "faces: expected at least 4, which close a surface, found 3"),
        ({"min_piece": 1.5}, "min_piece: expected a share from 0 to 1, found 1.5"),
    ):
        with pytest.raises(UsageError, match=message):
            MeshOptions(**values)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "igl", None)
    message = r"^mesh: expected the package libigl, found none; install it: pip install 'datasetnerf\[mesh\]'$"
    MeshOptions().check_packages()
    with pytest.raises(UsageError, match=message):
        MeshOptions(faces=100).check_packages()
    monkeypatch.setitem(sys.modules, "pxr.UsdGeom", None)
    with pytest.raises(UsageError, match=r"^usd: expected the package usd-core, found none; install it: pip install"):
        needed("pxr.UsdGeom", "usd-core", "usd")
