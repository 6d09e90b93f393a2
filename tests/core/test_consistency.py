"""Re-projection agreement by hand and against plain loops, line textures, and masks made consistent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dnerf_core.camera import Camera
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.multiview.carrying import covisible_pixels
from dnerf_core.multiview.consistency import Agreement, line_texture, pairs_apart, reprojection_agreement
from dnerf_core.pointcloud.consistent import consistent_masks, fused_votes, relabelled, votes_at
from dnerf_core.pointcloud.voxels import VoxelSums
from dnerf_core.rendering.labeled_view import LabeledView
from tests.core.pointcloud_scenes import BACK, FRONT, RADIUS, SEAM_X, WALL, camera_at, ring, view_of

CLASSES = 4


def flat_camera(shift: float) -> Camera:
    """Looks along +z from x = shift, focal length 1: at depth 4 a pixel of a 4 x 4 picture is 1 wide."""
    pose = np.eye(4)
    pose[0, 3] = shift
    return Camera(pose, np.array([[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]]))


def test_a_shifted_camera_by_hand() -> None:
    """A wall at depth 4 and a camera one pixel to the right: column k is seen in column k - 1, the first one not at all."""
    depth = np.full((4, 4), 4.0)
    first = np.tile(np.array([1, 1, 2, 2], np.uint8), (4, 1))
    second = np.tile(np.array([1, 2, 1, 2], np.uint8), (4, 1))
    here, there = covisible_pixels(flat_camera(0), depth, flat_camera(1), depth, 0.01)
    np.testing.assert_array_equal(here.reshape(4, 3) % 4, np.tile([1, 2, 3], (4, 1)))
    np.testing.assert_array_equal(there.reshape(4, 3) % 4, np.tile([0, 1, 2], (4, 1)))
    found = reprojection_agreement([flat_camera(0), flat_camera(1)], [depth, depth], [first, second], CLASSES, [(0, 1)])
    # carried 1, 2, 2 onto 1, 2, 1, four rows: class 1 agrees in 4 of 8, class 2 in 4 of 8
    assert found.confusion[1:3, 1:3].tolist() == [[4, 0], [4, 4]]
    assert found.miou == pytest.approx((4 / 8 + 4 / 8) / 2)
    assert found.accuracy == pytest.approx(8 / 12)
    assert found.covisible == pytest.approx(12 / 16)


def test_what_is_hidden_looked_past_ignored_or_empty_is_not_compared() -> None:
    depth, cameras = np.full((4, 4), 4.0), [flat_camera(0), flat_camera(0)]
    mask = np.ones((4, 4), np.uint8)
    nearer, farther, nothing = (np.full((4, 4), value) for value in (3.0, 5.0, np.inf))
    for other in (nearer, farther, nothing):
        found = reprojection_agreement(cameras, [depth, other], [mask, mask], CLASSES, [(0, 1)])
        assert found.covisible == 0
        assert math.isnan(found.miou)
        assert math.isnan(found.accuracy)
    ignored = mask.copy()
    ignored[:2] = 255
    for masks in ([mask, ignored], [ignored, mask]):
        assert reprojection_agreement(cameras, [depth, depth], masks, CLASSES, [(0, 1)]).confusion.sum() == 8


def test_background_counts_against_the_parts_and_is_none() -> None:
    depth, cameras = np.full((4, 4), 4.0), [flat_camera(0), flat_camera(0)]
    mask = np.ones((4, 4), np.uint8)
    frayed = mask.copy()
    frayed[0] = 0
    assert reprojection_agreement(cameras, [depth, depth], [mask, frayed], CLASSES, [(0, 1)]).miou == pytest.approx(12 / 16)


def test_against_plain_loops() -> None:
    cameras = [camera_at(0.5, 0.3, 3.0), camera_at(-0.8, -0.2, 2.8)]
    views = [view_of(camera, 40, wall=True) for camera in cameras]
    masks = list(np.random.default_rng(4).integers(0, CLASSES, (2, 40, 40)).astype(np.uint8))
    found = reprojection_agreement(cameras, [v.depth_planar for v in views], masks, CLASSES, [(0, 1)])
    points = np.concatenate([view.points_of(np.isfinite(view.depth_planar)) for view in views])
    tolerance = 0.01 * (points.max(axis=0) - points.min(axis=0)).max()
    expected = np.zeros((CLASSES, CLASSES), dtype=int)
    for row, column in np.ndindex(40, 40):
        depth = views[0].depth_planar[row, column]
        if not np.isfinite(depth):
            continue
        point = cameras[0].unproject(np.array([(column + 0.5) / 40, (row + 0.5) / 40]), depth)
        (u, v), distance = cameras[1].project(point)
        if not (0 <= u < 1 and 0 <= v < 1):
            continue
        there = (int(v * 40), int(u * 40))
        between = depth_between(views[1].depth_planar, u * 40 - 0.5, v * 40 - 0.5)
        if min(abs(views[1].depth_planar[there] - distance), abs(between - distance)) <= tolerance:
            expected[masks[0][row, column], masks[1][there]] += 1
    np.testing.assert_array_equal(found.confusion, expected)
    assert expected.sum() > 500


def depth_between(depth: np.ndarray, x: float, y: float) -> float:
    """At a place counted in pixels from the first one's centre: bilinear in the inverse, level beyond the outermost centres."""
    size = depth.shape[0] - 1
    x, y = min(max(x, 0), size), min(max(y, 0), size)
    left, top = min(int(x), size - 1), min(int(y), size - 1)
    corners = 1 / depth[top : top + 2, left : left + 2].astype(float)
    if (corners == 0).any():
        return math.inf
    upper, lower = (row[0] * (left + 1 - x) + row[1] * (x - left) for row in corners)
    return float(1 / (upper * (top + 1 - y) + lower * (y - top)))


def test_a_slant_is_compared_although_its_depth_changes_within_a_pixel() -> None:
    """The plane z = 4 + 3 (x - 0.25), steep across both pictures: places of the one fall between the columns of the other."""

    def slope(camera: Camera) -> np.ndarray:
        # along the ray x = x0 + z (u - 0.5): z = (4 + 3 (x0 - 0.25)) / (1 - 3 (u - 0.5))
        u = (np.arange(16) + 0.5) / 16
        inverse = (1 - 3 * (u - 0.5)) / (4 + 3 * (camera.position[0] - 0.25))
        return np.tile(np.where(inverse > 0.05, 1 / np.maximum(inverse, 0.05), np.inf), (16, 1))

    cameras = [flat_camera(0.0), flat_camera(0.1)]
    depths = [slope(camera) for camera in cameras]
    here, there = covisible_pixels(cameras[0], depths[0], cameras[1], depths[1], 0.05)
    seen = np.unique(here % 16)
    surface = np.flatnonzero(np.isfinite(depths[0][0]))
    assert len(seen) >= len(surface) - 2  # but for what lies beside the picture or the other's last column
    points = cameras[0].unproject(
        np.stack([(here % 16 + 0.5) / 16, (here // 16 + 0.5) / 16], axis=-1), depths[0].reshape(-1)[here]
    )
    nearest_alone = np.abs(depths[1].reshape(-1)[there] - cameras[1].project(points)[1]) <= 0.05
    assert nearest_alone.mean() < 0.5


def test_true_masks_agree_but_for_the_seams_pixels() -> None:
    cameras = ring(8)
    views = [view_of(camera, 64) for camera in cameras]
    depths, masks = [view.depth_planar for view in views], [view.mask for view in views if view.mask is not None]
    found = reprojection_agreement(cameras, depths, masks, CLASSES, pairs_apart(8, 1))
    assert found.miou > 0.98
    swapped = [masks[0], np.where(masks[1] == FRONT, BACK, masks[1]).astype(np.uint8), *masks[2:]]
    assert reprojection_agreement(cameras, depths, swapped, CLASSES, pairs_apart(8, 1)).miou < found.miou - 0.05


def test_agreements_are_pooled_by_their_pixels() -> None:
    one = Agreement(np.array([[0, 0], [0, 3]]), 10)
    other = Agreement(np.array([[0, 1], [0, 0]]), 10)
    both = Agreement.pooled([one, other])
    assert (both.miou, both.accuracy, both.covisible) == (3 / 4, 3 / 4, 4 / 20)


def test_pairs_apart() -> None:
    assert pairs_apart(4, 2) == [(0, 2), (2, 0), (1, 3), (3, 1)]
    assert pairs_apart(2, 2) == []


def test_wrong_calls_are_told() -> None:
    depth, mask, camera = np.ones((4, 4)), np.ones((4, 4), np.uint8), flat_camera(0)
    with pytest.raises(UsageError, match="expected one depth and one mask a camera, found 1 cameras, 2 depths and 1 masks"):
        reprojection_agreement([camera], [depth, depth], [mask], CLASSES, [])
    with pytest.raises(UsageError, match=r"view 0: mask: expected shape \[4, 4\] to go with depth, found \[4, 5\]; resize"):
        reprojection_agreement([camera], [depth], [np.ones((4, 5), np.uint8)], CLASSES, [])
    with pytest.raises(UsageError, match=r"pairs: expected views 0 to 0, found \(0, 1\)"):
        reprojection_agreement([camera], [depth], [mask], CLASSES, [(0, 1)])
    with pytest.raises(AnnotationError, match="expected ids 0 to 0, found 1"):
        reprojection_agreement([camera], [depth], [mask], 1, [(0, 0)])


def test_a_line_texture_stacks_a_row_of_each_frame() -> None:
    frames = [np.full((3, 5, 3), 10 * k, np.uint8) for k in range(4)]
    frames[2][1] = 99
    texture = line_texture(frames, 1)
    assert texture.shape == (4, 5, 3)
    assert texture[:, 0, 0].tolist() == [0, 10, 99, 30]
    assert line_texture([frame[..., 0] for frame in frames], 0)[:, 4].tolist() == [0, 10, 20, 30]
    with pytest.raises(UsageError, match="row: expected 0 to 2, found 3"):
        line_texture(frames, 3)
    with pytest.raises(UsageError, match="frames: expected at least one"):
        line_texture([], 0)


def test_votes_between_two_voxels_by_hand() -> None:
    """Centres at x = 0.5 and 1.5, 255 votes each: a quarter of the way, three quarters are the first's."""
    centres = np.array([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]])
    labels, normals = np.array([1, 2], np.uint8), np.tile([0.0, 0, 1], (2, 1))
    sums = VoxelSums.from_points(centres, normals, np.zeros((2, 3), np.uint8), labels, np.ones(2), voxel=1.0, num_classes=3)
    points = np.array([[0.75, 0.5, 0.5], [0.5, 0.5, 0.5], [2.0, 0.5, 1.0], [9.0, 9, 9]])
    expected = 255 * np.array([[0, 0.75, 0.25], [0, 1, 0], [0, 0, 0.25], [0, 0, 0]])
    np.testing.assert_allclose(votes_at(points, sums), expected, atol=1e-9)


def noisy_ring() -> tuple[list[LabeledView], list[np.ndarray]]:
    """Views whose labels are wrong in blocks, each view's elsewhere, and their true masks."""
    rng = np.random.default_rng(5)
    views, truths = [], []
    for camera in ring(16):
        view = view_of(camera, 64)
        assert view.mask is not None
        wrong = (rng.random((16, 16)) < 0.15).repeat(4, 0).repeat(4, 1) & (view.mask > 0)
        mask = np.where(wrong, WALL, view.mask).astype(np.uint8)
        views.append(LabeledView(camera, view.rgb, mask, view.depth_planar))
        truths.append(view.mask)
    return views, truths


def test_consistent_masks_agree_more_and_are_nearer_the_truth() -> None:
    views, truths = noisy_ring()
    made = consistent_masks(views, CLASSES)

    def agreement(masks: list[np.ndarray]) -> float:
        cameras = [view.camera for view in views]
        return reprojection_agreement(cameras, [v.depth_planar for v in views], masks, CLASSES, pairs_apart(16, 1)).miou

    def right(masks: list[np.ndarray]) -> float:
        return float(np.mean([(mask == truth)[truth > 0].mean() for mask, truth in zip(masks, truths, strict=True)]))

    painted = [view.mask for view in views if view.mask is not None]
    assert right(painted) < 0.88
    assert right(made) > 0.93
    assert agreement(made) > agreement(painted) + 0.1
    for mask, truth in zip(made, truths, strict=True):
        np.testing.assert_array_equal(mask > 0, truth > 0)  # silhouettes stay
        assert mask.dtype == np.uint8


def test_consistent_masks_of_true_masks_are_the_true_masks_but_for_the_seam() -> None:
    views = [view_of(camera, 64) for camera in ring(8)]
    for view, mask in zip(views, consistent_masks(views, CLASSES), strict=True):
        points = view.points_of(view.has_surface())
        clear = np.abs(points[:, 0] - SEAM_X) > 0.1 * RADIUS
        assert view.mask is not None
        np.testing.assert_array_equal(mask[view.has_surface()][clear], view.mask[view.has_surface()][clear])


def test_pixels_where_nothing_was_fused_keep_their_label() -> None:
    view = view_of(camera_at(0, 0, 3), 64)
    assert view.mask is not None
    depth, mask = view.depth_planar.copy(), view.mask.copy()
    depth[2, 2], mask[2, 2] = 2.0, WALL
    (made,) = consistent_masks([LabeledView(view.camera, view.rgb, mask, depth)], CLASSES)
    assert made[2, 2] == WALL
    np.testing.assert_array_equal(made > 0, mask > 0)
    with pytest.raises(UsageError, match="views: expected masks in all of them, found one without"):
        consistent_masks([view_of(camera_at(0, 0, 3), mask=False)], CLASSES)


@pytest.mark.filterwarnings("error")
def test_views_without_a_surface_have_no_votes() -> None:
    nothing = LabeledView.without_picture(camera_at(0, 0, 3), np.zeros((8, 8), np.uint8), np.full((8, 8), np.inf))
    votes = fused_votes([nothing, nothing], CLASSES)
    assert votes.votes.shape == (0, CLASSES)
    assert not relabelled(nothing, votes).any()
    ball = view_of(camera_at(0, 0, 3), 64)
    np.testing.assert_array_equal(relabelled(ball, votes), ball.mask)


def test_votes_relabel_views_that_gave_none() -> None:
    """A view of wrong labels, none of them fused, takes what the others say wherever they saw its place."""
    views, truths = noisy_ring()
    assert truths[0] is not None
    wrong = np.where(truths[0] > 0, WALL, 0).astype(np.uint8)
    stranger = LabeledView(views[0].camera, views[0].rgb, wrong, views[0].depth_planar)
    made = relabelled(stranger, fused_votes(views[1:], CLASSES))
    assert (made == truths[0])[truths[0] > 0].mean() > 0.9
    for bad in (
        lambda: relabelled(view_of(camera_at(0, 0, 3), mask=False), fused_votes(views, CLASSES)),
        lambda: fused_votes([], 4),
    ):
        with pytest.raises(UsageError, match="views: expected"):
            bad()


def test_consistent_masks_do_not_depend_on_the_views_order() -> None:
    views, _ = noisy_ring()
    forwards, backwards = consistent_masks(views, CLASSES), consistent_masks(views[::-1], CLASSES)[::-1]
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
