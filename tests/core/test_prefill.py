"""Painted masks carried through depth: a wall, a box before it, and a floor seen at a slant, all worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dnerf_core.camera import Camera, pixel_centers_uv
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.multiview.prefill import prefill
from dnerf_core.rendering.labeled_view import LabeledView

SIZE_PX = 8
TOLERANCE = 0.05


def camera_at(x: float, y: float = 0.0) -> Camera:
    """Looks along +z; a point at depth 4 that is 1 to the right appears half a picture to the right."""
    pose = np.eye(4)
    pose[:2, 3] = x, y
    return Camera(pose, np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]]))


def wall(depth: float = 4.0) -> np.ndarray:
    return np.full((SIZE_PX, SIZE_PX), depth, np.float32)


def columns() -> np.ndarray:
    """A mask whose pixels of column k are k % 4 + 1."""
    return np.tile(np.arange(SIZE_PX) % 4 + 1, (SIZE_PX, 1)).astype(np.uint8)


def test_a_wall_seen_from_the_side() -> None:
    # 0.5 to the right at depth 4 is 2 pixels of 8: what the other camera has in column k is the painted one's column k + 2
    filled = prefill(camera_at(0.5), wall(), [LabeledView.without_picture(camera_at(0.0), columns(), wall())], 5, TOLERANCE)
    expected = np.full((SIZE_PX, SIZE_PX), 255)
    expected[:, :6] = columns()[:, 2:]
    assert filled.dtype == np.uint8
    assert np.array_equal(filled, expected)
    # the wrong reading: a camera to the left
    assert not np.array_equal(
        prefill(camera_at(-0.5), wall(), [LabeledView.without_picture(camera_at(0.0), columns(), wall())], 5, TOLERANCE), expected
    )


def test_background_ignored_and_hidden_pixels() -> None:
    depth, painted_depth, mask = wall(), wall(), columns()
    depth[0] = np.inf
    painted_depth[1] = 2.0  # something stands before the wall there
    mask[2] = 255
    mask[3] = 0
    filled = prefill(camera_at(0.0), depth, [LabeledView.without_picture(camera_at(0.0), mask, painted_depth)], 5, TOLERANCE)
    assert (filled[0] == 0).all()
    assert (filled[1] == 255).all()
    assert (filled[2] == 255).all()
    assert (filled[3] == 0).all()
    assert np.array_equal(filled[4:], columns()[4:])


def test_the_tolerance_decides_what_is_the_same_surface() -> None:
    for offset, filled_share in ((0.04, 1.0), (0.06, 0.0)):
        views = [LabeledView.without_picture(camera_at(0.0), columns(), wall(4.0 + offset))]
        assert (prefill(camera_at(0.0), wall(), views, 5, TOLERANCE) != 255).mean() == filled_share


def test_all_painted_views_vote_and_the_nearest_decides_ties() -> None:
    here = camera_at(0.0)
    turned = np.eye(4)
    turned[:3, :3] = [[np.cos(0.1), 0, np.sin(0.1)], [0, 1, 0], [-np.sin(0.1), 0, np.cos(0.1)]]
    one, two = (np.full((SIZE_PX, SIZE_PX), label, np.uint8) for label in (1, 2))

    def from_turned(mask: np.ndarray) -> LabeledView:
        camera = Camera(turned, here.intrinsics)
        uv = pixel_centers_uv(SIZE_PX)
        directions = (np.concatenate([(uv - 0.5) / 2, np.ones((SIZE_PX, SIZE_PX, 1))], -1) @ camera.cam2world[:3, :3].T)[..., 2]
        return LabeledView.without_picture(camera, mask, (4.0 / directions).astype(np.float32))

    middle = np.s_[3:5, 3:5]
    assert (
        prefill(here, wall(), [from_turned(one), LabeledView.without_picture(here, two, wall())], 3, TOLERANCE)[middle] == 2
    ).all()
    assert (
        prefill(here, wall(), [from_turned(two), LabeledView.without_picture(here, one, wall())], 3, TOLERANCE)[middle] == 1
    ).all()
    outvoted = [from_turned(one), from_turned(one), LabeledView.without_picture(here, two, wall())]
    assert (prefill(here, wall(), outvoted, 3, TOLERANCE)[middle] == 1).all()


def test_a_floor_at_a_slant_is_filled_although_its_depth_changes_within_a_pixel() -> None:
    def floor(camera: Camera) -> np.ndarray:
        # y = 1 below: depth (1 - y) 2 / (v - 0.5), +inf above the horizon
        v = pixel_centers_uv(SIZE_PX)[..., 1]
        return np.where(v > 0.5, (1 - camera.position[1]) * 2 / np.maximum(v - 0.5, 1e-9), np.inf).astype(np.float32)

    here, above = camera_at(0.0), camera_at(0.0, -0.3)
    painted = LabeledView.without_picture(above, np.where(np.isfinite(floor(above)), 1, 0).astype(np.uint8), floor(above))
    filled = prefill(here, floor(here), [painted], 2, TOLERANCE)
    # rows 4 to 7 see the floor at depths 32, 10.7, 6.4 and 4.57, which lie in the other's picture at 4.65, 5.95, 7.25 and, below it,
    # 8.55 rows; the nearest rows' depths there are off by 9.6, 3.2 and 0.46: far more than the tolerance
    assert [row for row in range(SIZE_PX) if (filled[row] == 1).all()] == [4, 5, 6]
    assert (filled[7] == 255).all()
    assert (filled[:4] == 0).all()


def test_errors() -> None:
    with pytest.raises(UsageError, match="expected at least one, found none"):
        prefill(camera_at(0.0), wall(), [], 3, TOLERANCE)
    with pytest.raises(AnnotationError, match="mask: expected ids 0 to 2 or 255, found 3"):
        prefill(camera_at(0.0), wall(), [LabeledView.without_picture(camera_at(0.0), columns(), wall())], 3, TOLERANCE)
    for mask in (columns()[:4], columns().astype(np.int64)):
        with pytest.raises(UsageError, match=r"mask: expected uint8 \[(8, 8|H, W)\]"):
            LabeledView.without_picture(camera_at(0.0), mask, wall())
    without = LabeledView(camera_at(0.0), np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8), None, wall())
    with pytest.raises(UsageError, match="expected masks in all of them"):
        prefill(camera_at(0.0), wall(), [without], 3, TOLERANCE)
