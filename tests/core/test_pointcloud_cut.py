"""Back-projection, planes and the cut of flying pixels."""

from __future__ import annotations

import numpy as np
import pytest

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import UsageError
from dnerf_core.pointcloud.cutting import FreeSpace, breaks_off, seen_through
from dnerf_core.pointcloud.planes import REACH, fit_planes
from dnerf_core.rendering.labeled_view import LabeledView
from tests.core.pointcloud_scenes import WALL_Z, camera_at, distance_to_surface, ring, view_of

RNG = np.random.default_rng(0)


def flat_view(depth: np.ndarray, camera: Camera | None = None, sample_px: int = 1) -> LabeledView:
    camera = camera or Camera(np.eye(4), np.array([[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]]))
    return LabeledView(camera, np.zeros((*depth.shape, 3), np.uint8), None, depth, sample_px)


def tilted_view(normal: np.ndarray, shape: tuple[int, int] = (12, 20)) -> LabeledView:
    """A plane through the origin, seen with skew and unequal focal lengths by a camera that is turned, too."""
    skewed = Camera(camera_at(1.0, 0.7, 3.0).cam2world, np.array([[1.3, 0.2, 0.45], [0, 1.9, 0.55], [0, 0, 1]]))
    rays = skewed.rays((shape[1], shape[0]))
    distance = -(rays.origins @ normal) / (rays.directions @ normal)
    return flat_view(distance * (rays.directions @ skewed.forward), skewed)


def test_a_pixel_goes_where_its_centre_points() -> None:
    view = flat_view(np.array([[2.0, np.inf], [4.0, 3.0]]))
    points = view.points_of(np.array([[True, False], [True, True]]))
    # centres at u = 0.25 and 0.75: x = (u - 0.5) / focal * depth
    np.testing.assert_allclose(points, [[-0.25 * 2, -0.25 * 2, 2], [-0.25 * 4, 0.25 * 4, 4], [0.25 * 3, 0.25 * 3, 3]])
    corner = view.camera.unproject(np.array([0.0, 0.0]), np.array(2.0))
    assert np.linalg.norm(points[0] - corner) > 0.5, "a reading with pixel corners would not be noticed"


def test_a_pixel_gives_a_point_where_it_has_depth_and_a_part() -> None:
    depth = np.array([[1.0, 1.0, np.inf], [1.0, np.inf, 1.0]])
    mask = np.array([[0, 1, 1], [255, 0, 2]], np.uint8)
    view = LabeledView(camera_at(0, 0, 3), np.zeros((2, 3, 3), np.uint8), mask, depth)
    np.testing.assert_array_equal(view.has_surface(), [[False, True, False], [True, False, True]])
    np.testing.assert_array_equal(flat_view(depth).has_surface(), np.isfinite(depth))


def test_a_view_that_does_not_fit_together_is_refused() -> None:
    depth, rgb = np.ones((4, 6), np.float32), np.zeros((4, 6, 3), np.uint8)
    camera = camera_at(0, 0, 3)
    with pytest.raises(UsageError, match=r"depth_planar: expected floats \[H, W\], found int64 \[4, 6\]"):
        LabeledView(camera, rgb, None, np.ones((4, 6), np.int64))  # type: ignore[arg-type]
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(UsageError, match=r"depth_planar: expected depths above 0, \+inf at background"):
            LabeledView(camera, rgb, None, np.where(np.eye(4, 6) > 0, bad, depth))
    with pytest.raises(UsageError, match=r"rgb: expected uint8 \[4, 6, 3\] to go with depth_planar, found uint8 \[6, 4, 3\]"):
        LabeledView(camera, rgb.reshape(6, 4, 3), None, depth)
    with pytest.raises(UsageError, match=r"mask: expected uint8 \[H, W\], found int64 \[4, 6\]"):
        LabeledView(camera, rgb, np.zeros((4, 6), np.int64), depth)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="sample_px: expected at least 1 pixel, found 0"):
        LabeledView(camera, rgb, None, depth, 0)


@pytest.mark.parametrize("normal", [[0.0, 0.0, 1.0], [0.5, 0.5, 0.7], [-0.5, 0.1, 0.8]])
def test_a_planes_normal_is_exact(normal: list[float]) -> None:
    unit = np.array(normal) / np.linalg.norm(normal)
    view = tilted_view(unit)
    fit = fit_planes(view, 80.0)
    np.testing.assert_allclose(fit.normals, np.broadcast_to(unit, fit.normals.shape), atol=1e-6)
    back = -view.camera.rays(view.size_px).directions
    np.testing.assert_allclose(fit.cosine, back @ unit, atol=1e-6)
    assert not breaks_off(view).any()


def test_the_fit_is_least_squares_over_the_pixels_own_surface() -> None:
    """Against lstsq at every pixel, on depth with grain, a step and background, round it too."""
    depth = 2.0 + 0.02 * RNG.random((9, 11))
    depth[:, 6:] += 1.5
    depth[7:, 2:4] = np.inf
    depth = np.pad(depth, ((3, 1), (0, 4)), constant_values=np.inf)
    view = flat_view(depth)
    fit = fit_planes(view, 70.0)
    height, width = depth.shape
    for row, column in np.ndindex(depth.shape):
        if not np.isfinite(depth[row, column]):
            assert fit.cosine[row, column] == 0
            assert not fit.normals[row, column].any()
            continue
        rows, values = [], []
        for r in range(max(0, row - REACH), min(height, row + REACH + 1)):
            for c in range(max(0, column - REACH), min(width, column + REACH + 1)):
                sideways = np.hypot((c - column) / width, (r - row) / height)
                if abs(depth[r, c] - depth[row, column]) <= np.tan(np.radians(70)) * sideways * depth[row, column] + 1e-12:
                    rows.append([1.0, c - column, r - row])
                    values.append(1 / depth[r, c])
        own, across, down = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
        x, y = pixel_centers_uv((width, height))[row, column] - 0.5
        away = np.array([across * width, down * height, own - across * width * x - down * height * y])
        np.testing.assert_allclose(fit.normals[row, column], -away / np.linalg.norm(away), atol=1e-9)


def test_a_lone_pixel_and_a_row_of_pixels_have_no_plane() -> None:
    depth = np.full((9, 9), np.inf)
    depth[2, 2] = 2.0
    depth[6, :] = 2.0
    for seen in (depth, np.full((9, 7), np.inf)):
        fit = fit_planes(flat_view(seen), 80.0)
        assert fit.normals.shape == (*seen.shape, 3)
        assert not fit.normals.any()
        assert not fit.cosine.any()


def test_continuation_by_hand() -> None:
    """One row over a step: level, a value half-way, level again. Only the value half-way continues neither side."""
    depth = np.tile(np.array([2.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0]), (7, 1))
    np.testing.assert_array_equal(breaks_off(flat_view(depth)), np.tile(np.arange(7) == 3, (7, 1)))
    np.testing.assert_array_equal(breaks_off(flat_view(depth.T)), np.tile(np.arange(7) == 3, (7, 1)).T)
    # 2.2 is 0.2 off the left side, and a step sideways is 2.2 / 7 = 0.31
    near = depth.copy()
    near[:, 3] = 2.2
    assert not breaks_off(flat_view(near)).any()
    assert breaks_off(flat_view(near), slack_steps=0.5)[:, 3].all()
    # beside background: a second neighbour that shows nothing lets its side go on level
    narrow = np.full((7, 7), np.inf)
    narrow[:, 2:4] = 2.0
    np.testing.assert_array_equal(breaks_off(flat_view(narrow)), ~np.isfinite(narrow))
    alone = np.full((7, 7), np.inf)
    alone[:, 3] = 2.0
    assert breaks_off(flat_view(alone)).all()
    # level from 2.0, 1.5 is (1 / 1.5 - 1 / 2) / (1 / 1.5 / 7) = 1.75 steps off
    bent = narrow.copy()
    bent[:, 3] = 1.5
    assert breaks_off(flat_view(bent)).all()


def test_upsampled_depth_is_judged_by_its_samples() -> None:
    """A flying sample enlarged to 2 x 2 pixels hides among its own copies unless the view says what a sample covers."""
    depth = np.tile(np.array([2.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0]), (7, 1)).repeat(2, 0).repeat(2, 1)
    assert not breaks_off(flat_view(depth))[:, 6:8].any()
    assert breaks_off(flat_view(depth, sample_px=2))[:, 6:8].all()


def test_flying_pixels_before_a_wall_are_cut_by_each_view_alone() -> None:
    """A ball's edge over a wall, each depth the mean of 8 x 8 rays; what flies lies more than 2% of the scene from any surface."""
    camera = camera_at(0.3, 0.4, 3.0)
    view = view_of(camera, 128, wall=True, subpixels=8)
    flies = distance_to_surface(view.points_of(view.has_surface()), wall=True).reshape(128, 128) > 0.02
    assert flies.sum() > 100
    cut = breaks_off(view) | (fit_planes(view, 80.0).cosine < np.cos(np.radians(80.0)))
    assert (flies & ~cut).sum() == 0
    assert (~flies & cut).sum() < 0.005 * (~flies).sum()


def test_free_space_by_hand() -> None:
    """A camera on +z sees the ball before a wall; it looks through what stands before them, not through what they hide."""
    view = view_of(camera_at(0, 0, 3), wall=True)
    space = FreeSpace.from_view(view)
    before_the_ball, on_it, inside, before_the_wall, on_the_wall = np.array(
        [[0, 0, 0.6], [0, 0, 0.5], [0, 0, 0.0], [0.9, 0, WALL_Z + 0.1], [0.9, 0, WALL_Z]]
    )
    behind_the_camera, out_of_view = np.array([[0, 0, 3.5], [5.0, 0, 0]])
    points = np.array([before_the_ball, on_it, inside, before_the_wall, on_the_wall, behind_the_camera, out_of_view])
    np.testing.assert_array_equal(space.looks_through(points, 0.05), [True, False, False, True, False, False, False])
    assert not space.looks_through(points, 0.2).any()
    # beside the ball nothing is behind: all of it is free
    assert FreeSpace.from_view(view_of(camera_at(0, 0, 3))).looks_through(before_the_wall[None], 0.05).all()
    np.testing.assert_array_equal(seen_through(points, [space, space], 0.05), [2, 0, 0, 2, 0, 0, 0])


def test_a_ghost_that_its_own_view_cannot_tell_is_seen_through_by_others() -> None:
    """A wide smooth patch in the air passes a view's own measures; the views beside it see past it."""
    cameras = ring(6)
    views = [view_of(camera) for camera in cameras]
    depth = views[0].depth_planar.copy()
    depth[5:14, 5:14] = 3.0
    ghost = LabeledView(cameras[0], views[0].rgb, views[0].mask, depth)
    patch = np.zeros(depth.shape, bool)
    patch[5:14, 5:14] = True
    assert not breaks_off(ghost)[patch].any()
    spaces = [FreeSpace.from_view(view) for view in views[1:]]
    assert (seen_through(ghost.points_of(patch), spaces, 0.02) > 0).all()
    assert not seen_through(views[0].points_of(views[0].has_surface()), spaces, 0.02).any()
