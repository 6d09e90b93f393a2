"""A subject laid into a scene: who is nearer is seen, right at the pixel's centre, with colours that neither halo nor bleed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dnerf_core.compositing.in_scene import SceneView, in_scene
from dnerf_core.errors import UsageError
from dnerf_core.rendering.labeled_view import PartialView

SIDE = 16
INF = np.float32(np.inf)


def flat(value: float) -> NDArray[np.float32]:
    return np.full((SIDE, SIDE), value, np.float32)


def gray(value: int) -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def subject(
    depth: NDArray[np.float32], label: int = 2, color: int = 200, coverage: NDArray[np.float32] | None = None
) -> PartialView:
    """A subject of one colour on white."""
    mask = np.where(np.isfinite(depth), label, 0).astype(np.uint8)
    a = np.isfinite(depth).astype(np.float64) if coverage is None else coverage
    rgb = np.rint(a * color + (1 - a) * 255).astype(np.uint8)
    return PartialView(np.repeat(rgb[..., None], 3, axis=2), mask, depth, coverage=coverage)


def scene(depth: NDArray[np.float32], label: int = 5, color: int = 40, alpha: int = 255, rays: int = 1) -> SceneView:
    fine = np.kron(depth, np.ones((rays, rays), np.float32))
    picture = np.concatenate([gray(color), np.full((SIDE, SIDE, 1), alpha, np.uint8)], axis=2)
    return SceneView(picture, fine, np.where(np.isfinite(fine), label, 0).astype(np.uint8))


def test_the_nearer_is_seen_and_a_tie_is_the_subjects() -> None:
    depth = flat(2.0)
    depth[:4] = INF
    around = flat(3.0)
    around[:, :5], around[:, 5:8], around[:, 12:] = 1.0, 2.0, INF
    seen = in_scene(subject(depth), scene(around), 1.0)
    expected = np.full((SIDE, SIDE), 2)
    expected[:4] = 5
    expected[:, :5] = 5
    expected[:4, 12:] = 0
    np.testing.assert_array_equal(seen.mask, expected)
    np.testing.assert_array_equal(seen.depth_planar, np.minimum(depth, around))
    np.testing.assert_array_equal(seen.rgb[..., 0], np.where(expected == 2, 200, 40))


def test_what_has_no_label_hides_all_the_same() -> None:
    around = flat(1.0)
    unlabelled = SceneView(scene(around).picture, around, np.zeros((SIDE, SIDE), np.uint8))
    seen = in_scene(subject(flat(2.0)), unlabelled, 1.0)
    assert not seen.mask.any()
    np.testing.assert_array_equal(seen.depth_planar, around)


def test_only_the_ray_through_the_centre_decides_of_label_and_depth() -> None:
    fine = np.kron(flat(3.0), np.ones((3, 3), np.float32))
    fine[:, 0::3] = fine[:, 2::3] = 1.0  # before the subject everywhere but in the middle of each pixel
    around = SceneView(scene(flat(3.0)).picture, fine, np.full_like(fine, 5, np.uint8))
    seen = in_scene(subject(flat(2.0)), around, 1.0)
    np.testing.assert_array_equal(seen.mask, 2)
    np.testing.assert_array_equal(seen.depth_planar, 2.0)
    # a third of the subject, two of the scene
    np.testing.assert_array_equal(seen.rgb, round(200 / 3 + 40 * 2 / 3))


def test_a_soft_edge_takes_the_scene_for_the_white_behind_it() -> None:
    coverage = flat(1.0)
    coverage[:, 6], coverage[:, 7], coverage[:, 8:] = 0.6, 0.3, 0.0
    depth = np.where(coverage >= 0.5, flat(2.0), INF)
    seen = in_scene(subject(depth, coverage=coverage), scene(flat(3.0)), 1.0)
    np.testing.assert_allclose(seen.rgb[0, :, 0], [200] * 6 + [0.6 * 200 + 0.4 * 40, 0.3 * 200 + 0.7 * 40] + [40] * 8, atol=1)
    np.testing.assert_array_equal(seen.mask[0], [2] * 7 + [5] * 9)
    hidden = in_scene(subject(depth, coverage=coverage), scene(flat(1.0)), 1.0)
    np.testing.assert_array_equal(hidden.rgb, 40)


def test_an_edge_that_rays_of_several_pixels_blur_is_a_pixel_wide_again_and_has_no_halo() -> None:
    """The picture, sharper than the rays, turns white within a pixel where the coverage takes four."""
    ramp = np.array([1, 1, 1, 1, 0.95, 0.875, 0.625, 0.375, 0.125, 0, 0, 0, 0, 0, 0, 0], np.float32)
    coverage = np.repeat(ramp[None], SIDE, axis=0)
    depth = np.where(coverage >= 0.5, flat(2.0), INF)
    rgb = np.where(coverage >= 0.5, 200, 255).astype(np.uint8)
    rgb[:, 6] = 228  # half white
    view = PartialView(
        np.repeat(rgb[..., None], 3, axis=2), np.where(coverage >= 0.5, 2, 0).astype(np.uint8), depth, coverage=coverage
    )
    seen = in_scene(view, scene(flat(3.0)), 1.0, ray_px=4.0).rgb[0, :, 0]
    np.testing.assert_allclose(seen, [200] * 7 + [40] * 9, atol=1)
    coarse = in_scene(view, scene(flat(3.0)), 1.0, ray_px=2.0).rgb[0, :, 0]
    np.testing.assert_allclose(coarse[5:9], [200, 0.75 * 200 + 0.25 * 40, 0.25 * 200 + 0.75 * 40, 40], atol=1)


def test_a_black_and_a_painted_background() -> None:
    coverage = flat(0.5)
    on_black = PartialView(gray(100), np.full((SIDE, SIDE), 1, np.uint8), flat(2.0), coverage=coverage)
    np.testing.assert_array_equal(in_scene(on_black, scene(flat(3.0)), 0.0).rgb, 100 + 20)
    np.testing.assert_array_equal(in_scene(on_black, scene(flat(3.0)), None).rgb, (100 + 40) // 2)


def test_the_edge_of_what_is_before_the_subject_shows_nothing_of_what_is_behind_it() -> None:
    """A dark prop before a light wall: a pixel that it half covers is half prop, half subject, without wall."""
    fine = np.full((3 * SIDE, 3 * SIDE), 3.0, np.float32)
    fine[:, : 3 * 8 + 1] = 1.0  # a third of column 8
    picture = np.full((SIDE, SIDE, 4), 255, np.uint8)
    picture[:, :8, :3] = 30
    picture[:, 8, :3] = round(30 / 3 + 255 * 2 / 3)
    around = SceneView(picture, fine, np.where(fine == 1.0, 5, 6).astype(np.uint8))
    seen = in_scene(subject(flat(2.0), color=120), around, 1.0)
    np.testing.assert_allclose(seen.rgb[0, :, 0], [30] * 8 + [round(30 / 3 + 120 * 2 / 3)] + [120] * 7, atol=1)


def test_where_the_subject_is_not_the_picture_is_the_scenes_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    picture[..., 3] = 255
    depth = flat(2.0)
    depth[:, 4:] = INF
    around = SceneView(picture, flat(3.0), np.zeros((SIDE, SIDE), np.uint8))
    seen = in_scene(subject(depth), around, 1.0)
    np.testing.assert_array_equal(seen.rgb[:, 4:], picture[:, 4:, :3])
    np.testing.assert_array_equal(seen.rgb[:, :4], 200)


def test_holes_of_the_picture_show_what_is_behind_the_subject() -> None:
    seen = in_scene(subject(flat(INF)), scene(flat(INF), alpha=0), 1.0)
    np.testing.assert_array_equal(seen.rgb, 255)


def test_a_fields_own_background_is_no_subject() -> None:
    """Of a field that is matter all over: what its mask calls background gives way to the scene, though it has a depth."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:] = 1
    view = PartialView(gray(100), mask, flat(2.0), coverage=flat(1.0))
    seen = in_scene(view, scene(flat(3.0)), 0.0)
    np.testing.assert_array_equal(seen.mask[:, 0], [5] * 4 + [1] * 12)
    np.testing.assert_array_equal(seen.rgb[:, 0, 0], [40] * 4 + [100] * 12)
    np.testing.assert_array_equal(seen.depth_planar[:, 0], [3] * 4 + [2] * 12)


def test_a_label_at_the_outline_that_has_no_depth_gives_way_to_the_scene_alone() -> None:
    mask = np.full((SIDE, SIDE), 2, np.uint8)
    depth, around = flat(2.0), flat(3.0)
    depth[:, 8], around[8:] = INF, INF
    seen = in_scene(PartialView(gray(9), mask, depth), scene(around), 1.0)
    np.testing.assert_array_equal(seen.mask[:, 8], [5] * 8 + [2] * 8)
    np.testing.assert_array_equal(seen.depth_planar, np.minimum(depth, around))


def test_a_subject_without_labels_has_one() -> None:
    depth = flat(2.0)
    depth[0] = INF
    seen = in_scene(PartialView(gray(9), None, depth), scene(flat(3.0), label=2), 1.0)
    np.testing.assert_array_equal(seen.mask[:2, 0], [2, 1])


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match=r"scene: expected an odd number of rays a pixel of 16 px, found 32 px of rays"):
        scene(flat(1.0), rays=2)
    with pytest.raises(UsageError, match="view: expected rgb and depth to lay it into a scene, found one missing"):
        in_scene(PartialView(None, None, flat(1.0)), scene(flat(1.0)), 1.0)
    with pytest.raises(UsageError, match="scene"):
        in_scene(PartialView(np.zeros((8, 8, 3), np.uint8), None, np.ones((8, 8), np.float32)), scene(flat(1.0)), 1.0)
