"""Photographs of exact pictures: each effect by its own arithmetic, edges without halos, and masks that stay exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.errors import UsageError
from dnerf_core.photographs import filters
from dnerf_core.photographs.backgrounds.textures import PATTERNS, lattice
from dnerf_core.photographs.cutout import Cutout, cut_out
from dnerf_core.photographs.ground import Stage, ground_points
from dnerf_core.photographs.photograph import background, composed, developed, encoded, photograph, relit
from dnerf_core.photographs.strengths import BACKGROUNDS, LEVELS, Background, Strengths, draw_strengths

SIZE = 48
CAMERA = sphere_camera(0.4, 0.3, radius=4.0, focal=1.7)
COLOR = np.array([0.7, 0.2, 0.1], np.float32)


def ball(
    camera: Camera = CAMERA, size: int = SIZE
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """A ball of radius 0.8 about the origin over white: picture, mask, depth and coverage, of 8 x 8 rays a pixel."""
    fine = 8
    v, u = np.mgrid[0 : size * fine, 0 : size * fine]
    uv = np.stack([(u + 0.5) / (size * fine), (v + 0.5) / (size * fine)], axis=-1)

    def met(uv: NDArray[np.float64]) -> NDArray[np.float64]:
        near, far = camera.unproject(uv, np.ones(uv.shape[:2])), camera.cam2world[:3, 3]
        ray = near - far  # of planar depth 1
        a, b, c = (ray**2).sum(-1), (ray @ far), far @ far - 0.64
        inside = b * b - a * c
        return np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)

    coverage = np.isfinite(met(uv)).reshape(size, fine, size, fine).mean(axis=(1, 3)).astype(np.float32)
    v, u = np.mgrid[0:size, 0:size]
    depth = met(np.stack([(u + 0.5) / size, (v + 0.5) / size], axis=-1)).astype(np.float32)
    picture = COLOR * coverage[..., None] + (1 - coverage[..., None])
    return picture.astype(np.float32), np.isfinite(depth).astype(np.uint8), depth, coverage


def exact_cutout(**more: NDArray[np.float32]) -> Cutout:
    picture, mask, depth, coverage = ball()
    return cut_out(picture, mask, depth, CAMERA, coverage=coverage, **more)


# cutouts


def test_a_known_coverage_gives_the_subjects_own_colour_to_the_edge() -> None:
    cutout = exact_cutout()
    assert np.allclose(cutout.color[cutout.coverage > 0.02], COLOR, atol=2e-3)


def test_a_coverage_that_is_not_told_is_found_at_the_edge() -> None:
    picture, mask, depth, coverage = ball()
    cutout = cut_out(np.rint(255 * picture).astype(np.uint8), mask, depth, CAMERA)
    edge = (coverage > 0) & (coverage < 1)
    assert edge.sum() > 40
    assert np.abs(cutout.coverage - coverage)[edge].mean() < 0.05
    assert np.array_equal(cutout.coverage[~edge], coverage[~edge])


def test_a_soft_edge_is_cut_out_without_a_halo_where_it_is_told() -> None:
    picture, mask, depth, _ = ball()
    soft = filters.gaussian(picture, 1.0)
    brightest = []
    for edge_px in (1, 2):
        cutout = cut_out(soft, mask, depth, CAMERA, edge_px=edge_px)
        brightest.append(composed(cutout.color, cutout.coverage, np.zeros_like(picture))[..., 2].max())
    assert brightest[1] < 0.2 < brightest[0]  # the ball's own blue is 0.1
    with pytest.raises(UsageError, match="edge_px: expected at least 1 pixel, found 0"):
        cut_out(soft, mask, depth, CAMERA, edge_px=0)


def test_a_white_subject_is_cut_out_by_its_mask() -> None:
    picture, mask, depth, _ = ball()
    cutout = cut_out(np.full_like(picture, 1.0), mask, depth, CAMERA)
    assert np.array_equal(cutout.coverage, mask.astype(np.float32))


def test_normals_of_the_depth_are_those_of_the_ball() -> None:
    cutout = exact_cutout()
    inner = cutout.coverage > 0.99
    hit = np.isfinite(cutout.depth_planar)
    expected = np.zeros((SIZE, SIZE, 3))
    expected[hit] = cutout.points / 0.8
    cosine = (cutout.normal * expected).sum(axis=-1)[inner]
    assert np.quantile(cosine, 0.1) > 0.95


def test_arrays_that_do_not_go_together_are_refused() -> None:
    picture, mask, depth, _ = ball()
    with pytest.raises(UsageError, match="mask"):
        cut_out(picture, mask[:-1], depth, CAMERA)
    with pytest.raises(UsageError, match="float32, found float64"):
        cut_out(picture.astype(np.float64), mask, depth, CAMERA)
    with pytest.raises(UsageError, match="depths above 0"):
        cut_out(picture, mask, np.zeros_like(depth), CAMERA)


# the whole


def test_no_strength_leaves_a_picture_as_it_is() -> None:
    picture, *_ = ball()
    assert np.abs(photograph(exact_cutout(), Strengths()).astype(int) - np.rint(255 * picture).astype(int)).max() <= 1


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_photograph_is_a_function_of_its_seed(level: str) -> None:
    strengths = draw_strengths(level, 4, 1)  # type: ignore[arg-type]
    assert strengths == draw_strengths(level, 4, 1) and strengths is not None  # type: ignore[arg-type]
    assert strengths != draw_strengths(level, 4, 2) != draw_strengths(level, 5, 1)  # type: ignore[arg-type]
    one = photograph(exact_cutout(), strengths)
    assert np.array_equal(one, photograph(exact_cutout(), strengths)) and one.dtype == np.uint8
    assert not np.array_equal(one, photograph(exact_cutout(), dataclasses.replace(strengths, seed=strengths.seed + 1)))


def test_all_strengths_that_are_drawn_are_in_range_and_all_backgrounds_come() -> None:
    drawn = [draw_strengths("hard", seed, 0) for seed in range(200)] + [draw_strengths("mild", seed, 0) for seed in range(200)]
    kinds = [one.background for one in drawn if one is not None]
    assert {*kinds} == {*BACKGROUNDS} - {"white"} and min(kinds.count(kind) for kind in {*kinds}) > 25
    assert draw_strengths("none", 1, 1) is None


def test_strengths_out_of_range_and_unknown_levels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"noise: expected a number from 0 to 0.5, found 3"):
        Strengths(noise=3)
    with pytest.raises(UsageError, match=r"background: expected one of white, .*found 'sea'"):
        Strengths(background="sea")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="photograph: expected none, mild or hard, found 'wild'"):
        draw_strengths("wild", 0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_a_background_is_a_picture_of_its_seed(kind: Background) -> None:
    cutout = exact_cutout()
    stage = Stage.under(cutout, "y")
    light = stage.light(30, 50)
    seen = [background(cutout, Strengths(seed=seed, background=kind), stage, light) for seed in (1, 1, 2)]
    assert all(one.shape == (SIZE, SIZE, 3) and np.isfinite(one).all() and one.min() >= 0 and one.max() <= 1 for one in seen)
    assert np.array_equal(seen[0], seen[1])
    if kind != "white":
        assert not np.array_equal(seen[0], seen[2]) and seen[0].std() > 0.005


def test_edges_have_no_halo_of_the_former_white() -> None:
    cutout = exact_cutout()
    dark = np.zeros((SIZE, SIZE, 3), np.float32)
    over_dark = composed(cutout.color, cutout.coverage, dark)
    assert over_dark.max() <= COLOR.max() + 0.01
    assert np.allclose(over_dark, COLOR * cutout.coverage[..., None], atol=0.02)


def test_a_picture_without_a_subject_becomes_one_too() -> None:
    empty = cut_out(
        np.ones((SIZE, SIZE, 3), np.float32), np.zeros((SIZE, SIZE), np.uint8), np.full((SIZE, SIZE), np.inf, np.float32), CAMERA
    )
    for kind in BACKGROUNDS:
        assert photograph(empty, Strengths(background=kind, shadow=0.5, relight=1)).shape == (SIZE, SIZE, 3)


# light


def test_a_known_light_is_divided_out() -> None:
    _, _, _, coverage = ball()
    shade = np.full((SIZE, SIZE), 0.5, np.float32)
    normal = np.broadcast_to(np.array([0, 1, 0], np.float32), (SIZE, SIZE, 3)).copy()
    cutout = exact_cutout(shade=shade, normal=normal)
    found = relit(cutout, Strengths(relight=1, contrast=0.25), np.array([0.0, 1.0, 0.0]))
    inner = coverage == 1
    assert np.allclose(found[inner], np.minimum(COLOR * min(1.8, (0.75 + 0.25 * 1.6) / 0.5), 1), atol=1e-3)
    assert np.array_equal(relit(cutout, Strengths(), np.array([0.0, 1.0, 0.0])), cutout.color)


def test_an_unknown_light_is_laid_over_with_its_mean_kept() -> None:
    cutout = exact_cutout()
    toward = Stage.under(cutout, "y").axes
    found = relit(cutout, Strengths(relight=1, contrast=0.5), toward[0])  # from the right
    inner = cutout.coverage > 0.99
    columns = np.flatnonzero(inner.any(axis=0))
    left, right = found[:, columns[2]][inner[:, columns[2]]].mean(), found[:, columns[-3]][inner[:, columns[-3]]].mean()
    assert right > 1.5 * left


def test_the_shadow_lies_on_the_ground_away_from_the_light() -> None:
    cutout = exact_cutout()
    stage = Stage.under(cutout, "y")
    camera_m, rays = stage.rays(CAMERA, (SIZE, SIZE))
    ground, meets = ground_points(camera_m, rays)
    seen = {}
    for name, yaw in (("right", 90.0), ("left", -90.0)):
        picture = background(cutout, Strengths(shadow=1.0), stage, stage.light(yaw, 40.0))[..., 0]
        darkness = np.where(meets, 1 - picture, 0)
        assert darkness.max() > 0.5 and not darkness[~meets].any()
        seen[name] = float((darkness * ground[..., 0]).sum() / darkness.sum())
    assert seen["right"] < -0.1 < 0.1 < seen["left"]


@pytest.mark.parametrize("up", ["y", "z"])
def test_a_stage_stands_below_its_subject(up: str) -> None:
    camera = sphere_camera(0.4, 0.3, radius=4.0, focal=1.7, world_up=up)  # type: ignore[arg-type]
    picture, mask, depth, coverage = ball(camera)
    stage = Stage.under(cut_out(picture, mask, depth, camera, coverage=coverage), up)  # type: ignore[arg-type]
    axis = 1 if up == "y" else 2
    assert np.allclose(stage.axes @ stage.axes.T, np.eye(3), atol=1e-9) and stage.axes[1][axis] == 1
    assert np.linalg.det(stage.axes) == pytest.approx(-1)  # right, up, away: left-handed, as maps are drawn
    assert -0.85 < stage.origin[axis] < -0.4
    place = stage.placed(camera.cam2world[None, :3, 3])[0]
    assert place[1] > 0 > place[2]


# the camera's own traces


@pytest.mark.parametrize("blur", ["gaussian", "disc", "line"])
def test_a_blur_keeps_light_and_place(blur: str) -> None:
    picture = np.zeros((33, 33), np.float32)
    picture[16, 16] = 1
    spread = {
        "gaussian": filters.gaussian(picture, 2.0),
        "disc": filters.disc(picture, 3.0),
        "line": filters.line(picture, 7.0, 30.0),
    }[blur]
    y, x = np.mgrid[0:33, 0:33]
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert (spread * x).sum() == pytest.approx(16, abs=1e-4) and (spread * y).sum() == pytest.approx(16, abs=1e-4)
    assert 0.01 < spread.max() < 0.3
    flat = np.full((9, 11, 3), 0.4, np.float32)
    assert np.allclose(filters.disc(flat, 20.0), 0.4, atol=1e-5)  # wider than the picture


def test_convolution_is_the_sum_over_neighbours() -> None:
    rng = np.random.default_rng(0)
    picture, kernel = rng.random((7, 8)).astype(np.float32), rng.random((3, 5))
    kernel /= kernel.sum()
    padded = np.pad(picture, ((1, 1), (2, 2)), mode="reflect")
    expected = [[(padded[y : y + 3, x : x + 5] * kernel[::-1, ::-1]).sum() for x in range(8)] for y in range(7)]
    assert np.allclose(filters.convolved(picture, kernel), expected, atol=1e-5)


def test_exposure_warmth_vignette_and_noise_by_their_numbers() -> None:
    gray = np.full((64, 64, 3), 0.5, np.float32)
    assert np.abs(developed(gray, Strengths(exposure_ev=-1)).mean() / 255 - 0.5 * 0.5 ** (1 / 2.2)) < 0.01
    warm = developed(gray, Strengths(warmth=0.2)).mean(axis=(0, 1)) / 255
    assert np.allclose(warm, 0.5 * np.exp(np.array([0.2, 0, -0.2]) / 2.2), atol=0.01)
    dark = developed(gray, Strengths(vignette=1.0)).astype(float)
    assert dark[32, 32, 0] > 125 and dark[0, 0, 0] < 30
    noisy = developed(gray, Strengths(noise=0.05)).astype(float)
    assert noisy.std() / 255 == pytest.approx(0.05, rel=0.1) and abs(noisy.mean() - 127.5) < 1


def test_jpeg_is_a_real_encoder() -> None:
    rng = np.random.default_rng(0)
    picture = filters.gaussian(rng.random((64, 64, 3)).astype(np.float32), 1.5)
    exact = np.rint(255 * picture).astype(np.uint8)
    errors = [np.abs(encoded(exact, quality).astype(int) - exact).mean() for quality in (95, 60, 15)]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert np.array_equal(developed(picture, Strengths(jpeg_quality=60)), encoded(exact, 60))


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_a_share_of_its_place_and_seed(name: str) -> None:
    place = (np.random.default_rng(1).random((4000, 2)) * 20 - 10).astype(np.float32)
    share = PATTERNS[name](place, 5)
    assert share.dtype == np.float32 and share.shape == (4000,) and share.min() >= 0 and share.max() <= 1
    assert share.std() > 0.01 and np.array_equal(share, PATTERNS[name](place, 5))


def test_cells_of_the_lattice_are_even_and_without_neighbours() -> None:
    row, column = np.mgrid[-100:100, -100:100]
    values = lattice(column, row, 3)
    assert abs(values.mean() - 0.5) < 0.01 and abs(values.var() - 1 / 12) < 0.005
    assert abs(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]) < 0.02
