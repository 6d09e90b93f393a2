"""Views fused to one cloud, on a ball whose surface, normals and labels are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dnerf_core.errors import AnnotationError, DNeRFError, UsageError
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views, surface_points
from dnerf_core.rendering.labeled_view import LabeledView
from tests.core.pointcloud_scenes import BACK, FRONT, RADIUS, SEAM_X, WALL, camera_at, distance_to_surface, ring, view_of

CLASSES = 4
VIEWS = [view_of(camera, 96) for camera in ring(8)]
CLOUD = fuse_views(VIEWS, CLASSES)


def equal(a: PointCloud, b: PointCloud) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(PointCloud)]
    return all((x is None and y is None) or (x is not None and np.array_equal(x, y)) for x, y in pairs)


def test_points_lie_on_the_ball_and_face_outwards() -> None:
    assert len(CLOUD) > 2000
    assert distance_to_surface(CLOUD.points, wall=False).max() < 0.005 * 2 * RADIUS
    outward = CLOUD.points / np.linalg.norm(CLOUD.points, axis=1, keepdims=True)
    cosine = (CLOUD.normals * outward).sum(axis=1)
    assert np.quantile(cosine, 0.05) > np.cos(np.radians(10))
    np.testing.assert_allclose(np.linalg.norm(CLOUD.normals, axis=1), 1, atol=1e-6)
    # all round the equator, in the voxel size that was chosen
    angles = np.degrees(np.arctan2(CLOUD.points[:, 0], CLOUD.points[:, 2]))
    assert (np.histogram(angles, bins=36, range=(-180, 180))[0] > 0).all()
    assert CLOUD.points.dtype == np.float32


def test_labels_and_colours_are_those_of_the_place() -> None:
    assert CLOUD.labels is not None
    assert CLOUD.confidence is not None
    clear = np.abs(CLOUD.points[:, 0] - SEAM_X) > 0.02
    np.testing.assert_array_equal(CLOUD.labels[clear], np.where(CLOUD.points[clear, 0] > SEAM_X, FRONT, BACK))
    assert (CLOUD.confidence[clear] == 1).all()
    assert CLOUD.confidence.min() >= 0.5
    assert (CLOUD.confidence < 1).any()
    colors = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0]], np.uint8)
    np.testing.assert_array_equal(CLOUD.colors[clear], colors[CLOUD.labels[clear]])


def test_a_wrong_view_is_outvoted() -> None:
    wrong = LabeledView(
        VIEWS[0].camera, VIEWS[0].rgb, np.where(VIEWS[0].mask > 0, WALL, 0).astype(np.uint8), VIEWS[0].depth_planar
    )
    labels = fuse_views([wrong, *VIEWS[1:]], CLASSES).labels
    alone = fuse_views([wrong], CLASSES).labels
    assert labels is not None
    assert alone is not None
    assert (alone == WALL).all()
    assert (labels == WALL).sum() < 0.4 * len(alone)


def test_the_order_of_views_does_not_change_a_bit() -> None:
    order = np.random.default_rng(2).permutation(len(VIEWS))
    assert equal(CLOUD, fuse_views([VIEWS[k] for k in order], CLASSES))
    options = FusionOptions(points=500)
    assert equal(fuse_views(VIEWS, CLASSES, options), fuse_views([VIEWS[k] for k in order], CLASSES, options))


@pytest.mark.parametrize("count", [1, 512, 9000])
def test_a_count_is_met_exactly_and_evenly(count: int) -> None:
    views = VIEWS if count < 9000 else [view_of(camera, 160) for camera in ring(8)]
    cloud = fuse_views(views, CLASSES, FusionOptions(points=count))
    assert len(cloud) == count
    assert cloud.labels is not None
    assert len(cloud.labels) == count
    if count == 512:
        # the ball's area over the points: each has about 0.08 x 0.08 to itself
        spacing = np.sqrt(4 * np.pi * RADIUS**2 / count)
        gaps = np.linalg.norm(cloud.points[:, None] - cloud.points[None], axis=2) + 9 * np.eye(count)
        assert gaps.min() > 0.5 * spacing


def test_voxels_set_the_spacing() -> None:
    coarse, fine = (fuse_views(VIEWS, CLASSES, FusionOptions(voxel=size)) for size in (0.1, 0.05))
    assert 3 < len(fine) / len(coarse) < 5
    keys = np.floor(coarse.points / 0.1)
    assert len(np.unique(keys, axis=0)) == len(coarse)


def test_without_masks_there_are_no_labels() -> None:
    cloud = fuse_views([view_of(camera, 48, mask=False) for camera in ring(4)], 0)
    assert cloud.labels is None
    assert cloud.confidence is None
    assert cloud.select(np.arange(3)).labels is None
    assert len(cloud) > 100


def test_what_flies_over_an_edge_does_not_reach_the_cloud() -> None:
    cameras = [camera_at(x, 0.5 * (-1) ** k, 3.0) for k, x in enumerate(np.linspace(-1, 1, 6))]
    views = [view_of(camera, 128, wall=True, subpixels=8) for camera in cameras]
    loose = FusionOptions(slack_steps=1e6, max_incidence_deg=89.9, tolerance_share=10.0)

    def flying(options: FusionOptions) -> int:
        points = np.concatenate([piece.points for piece in surface_points(views, options)])
        return int((distance_to_surface(points, wall=True) > 0.02).sum())

    assert flying(loose) > 500
    assert flying(FusionOptions()) <= 0.01 * flying(loose)


def test_a_ghost_in_the_air_does_not_reach_the_cloud() -> None:
    """A wide smooth patch that its own view cannot tell from a surface; the others look through it."""
    depth, mask = VIEWS[0].depth_planar.copy(), VIEWS[0].mask
    assert mask is not None
    ghostly = mask.copy()
    depth[8:20, 8:20], ghostly[8:20, 8:20] = 3.0, WALL
    ghost = LabeledView(VIEWS[0].camera, VIEWS[0].rgb, ghostly, depth)
    alone = fuse_views([ghost], CLASSES)
    assert distance_to_surface(alone.points, wall=False).max() > 0.2
    assert equal(fuse_views([ghost, *VIEWS[1:]], CLASSES), CLOUD)


def test_a_surface_seen_too_obliquely_is_left_to_other_views() -> None:
    """A wide wall under 85 degrees."""
    camera = camera_at(0, 0, 3)
    rays = camera.rays((40, 40))
    normal = np.array([np.sin(np.radians(85)), 0, np.cos(np.radians(85))])
    distance = -(rays.origins @ normal) / (rays.directions @ normal)
    depth = np.where((distance > 2) & (distance < 4), distance * (rays.directions @ camera.forward), np.inf)
    view = LabeledView(camera, np.zeros((40, 40, 3), np.uint8), None, depth)
    assert len(surface_points([view], FusionOptions(max_incidence_deg=88.0))[0].points) > 0
    assert len(surface_points([view], FusionOptions())[0].points) == 0


def test_wrong_calls_are_told() -> None:
    with pytest.raises(UsageError, match="voxel and points: expected one of them, found both"):
        FusionOptions(voxel=0.1, points=10)
    for options in (
        {"voxel": 0.0},
        {"points": 0},
        {"max_incidence_deg": 90.0},
        {"slack_steps": -1.0},
        {"tolerance_share": np.nan},
    ):
        with pytest.raises(UsageError, match=f"{next(iter(options))}: expected a number above 0 and below"):
            FusionOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="views: expected at least one, found none"):
        fuse_views([], CLASSES)
    with pytest.raises(UsageError, match="views: expected masks in all of them or in none, found both"):
        fuse_views([VIEWS[0], view_of(VIEWS[1].camera, mask=False)], CLASSES)
    with pytest.raises(AnnotationError, match="view 0: mask: expected ids 0 to 1 or 255, found 2"):
        fuse_views(VIEWS, 2)
    with pytest.raises(UsageError, match=r"points: expected at most \d+, which the views hold, found 1000000; add views"):
        fuse_views(VIEWS, CLASSES, FusionOptions(points=1_000_000))
    empty = LabeledView(VIEWS[0].camera, np.zeros((8, 8, 3), np.uint8), None, np.full((8, 8), np.inf, np.float32))
    with pytest.raises(DNeRFError, match="point cloud: expected a surface in the 2 views, found none that all views agree on"):
        fuse_views([empty, empty], CLASSES)


def test_a_cloud_that_does_not_fit_together_is_refused() -> None:
    points, colors = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8)
    with pytest.raises(
        UsageError, match=r"point cloud: normals: expected float32 \[2, 3\] to go with points, found float32 \[1, 3\]"
    ):
        PointCloud(points, points[:1], colors)
    with pytest.raises(UsageError, match=r"point cloud: points: expected float32 \[N, 3\], found float64 \[2, 3\]"):
        PointCloud(points.astype(np.float64), points, colors)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected labels and confidence, found one without the other"):
        PointCloud(points, points, colors, np.zeros(2, np.uint8))
