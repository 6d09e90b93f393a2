"""Subjects cut out of plain pictures and laid on other backgrounds: no fringe of the old one, the same by the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.errors import PhotoError
from dnerf_core.photographs import backdrops
from dnerf_core.photographs.backdrops import Backdrops, drawn_background
from dnerf_core.photographs.pasting import cut_for_pasting, pasted, plain_color
from dnerf_core.photographs.strengths import Level, Strengths, draw_strengths

RED = np.array([0.8, 0.1, 0.1], np.float32)


def soft_disc(behind: tuple[float, float, float], side: int = 48) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A red disc with a soft edge, three pixels wide, before one colour, and its hard mask."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    covers = np.clip((side / 3 - np.hypot(x - side / 2, y - side / 2)) / 3 + 0.5, 0, 1)[..., None]
    picture = covers * RED + (1 - covers) * np.array(behind)
    return np.rint(255 * picture).astype(np.uint8), (covers[..., 0] >= 0.5).astype(np.uint8)


@pytest.mark.parametrize("behind", [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.2, 0.4, 0.9)])
def test_nothing_of_the_old_background_is_left(behind: tuple[float, float, float]) -> None:
    image, mask = soft_disc(behind)
    assert plain_color(image, mask) == pytest.approx(behind, abs=0.01)
    subject = cut_for_pasting(image, mask)
    green = np.zeros((48, 48, 3), np.uint8)
    green[..., 1] = 160
    found = pasted(subject, green, Strengths()).astype(int)
    share = found[..., 0] / (255 * RED[0])  # every pixel is of red and green alone
    wanted = share[..., None] * 255 * RED + (1 - share[..., None]) * green
    assert np.abs(found - wanted).max() < 30 and np.abs(found - wanted).mean() < 1.5
    assert np.array_equal(found[mask == 0][share[mask == 0] < 0.01], green[mask == 0][share[mask == 0] < 0.01])


def test_the_mask_alone_cuts_where_the_background_is_not_plain() -> None:
    image, mask = soft_disc((1.0, 1.0, 1.0))
    image = np.where(mask[..., None] != 0, image, np.random.default_rng(0).integers(0, 256, image.shape)).astype(np.uint8)
    assert plain_color(image, mask) is None
    subject = cut_for_pasting(image, mask)
    assert (subject[mask == 0] == 0).all() and (subject[mask != 0][:, 3] > 80).all() and subject[24, 24].tolist()[3] == 255


def test_of_a_picture_without_background_all_is_the_subject() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 20, 3)).astype(np.uint8)
    subject = cut_for_pasting(image, np.full((16, 20), 255, np.uint8))
    assert (subject[..., 3] == 255).all() and np.array_equal(subject[..., :3], image)
    nothing = cut_for_pasting(image, np.zeros((16, 20), np.uint8))
    assert (nothing == 0).all()


def test_a_white_subject_before_white_is_cut_by_its_mask() -> None:
    image, mask = np.full((32, 32, 3), 255, np.uint8), np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 1
    subject = cut_for_pasting(image, mask)
    assert np.array_equal(subject[..., 3] == 255, mask == 1)


@pytest.mark.parametrize("level", ["mild", "hard"])
def test_a_photograph_is_told_by_its_arguments(level: Level) -> None:
    image, mask = soft_disc((1.0, 1.0, 1.0))
    subject, seen = cut_for_pasting(image, mask), set()
    behind = np.random.default_rng(1).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    for seed in range(6):
        strengths = draw_strengths(level, seed, 0)
        assert strengths is not None
        found = pasted(subject, behind, strengths)
        assert found.dtype == np.uint8 and found.shape == (48, 48, 3)
        assert np.array_equal(found, pasted(subject, behind, strengths))
        seen.add(found.tobytes())
        # the subject has not moved: it is redder than what is behind it
        red = found[..., 0].astype(int) - found[..., 1:].mean(axis=-1)
        assert red[20:28, 20:28].mean() > red[mask == 0].mean() + 15
    assert len(seen) == 6


def test_a_shadow_darkens_the_ground_alone_and_a_light_has_a_side() -> None:
    image, mask = soft_disc((1.0, 1.0, 1.0))
    subject, behind = cut_for_pasting(image, mask), np.full((48, 48, 3), 200, np.uint8)
    plain = pasted(subject, behind, Strengths())
    shaded = pasted(subject, behind, Strengths(shadow=0.9, light_yaw_deg=60, light_pitch_deg=40))
    inside = subject[..., 3] == 255
    assert np.array_equal(shaded[inside], plain[inside])
    assert shaded[36:44, 10:38].mean() < plain[36:44, 10:38].mean() - 5 and (shaded <= plain).all()
    for yaw in (-90, 90):
        lit = pasted(subject, behind, Strengths(relight=1.0, contrast=0.6, light_yaw_deg=yaw, light_pitch_deg=20)).astype(int)
        assert np.sign(lit[24, 32:36, 0].mean() - lit[24, 12:16, 0].mean()) == np.sign(yaw)


@pytest.mark.parametrize("level", ["mild", "hard"])
def test_drawn_backgrounds_differ_and_repeat(level: Level) -> None:
    found = [drawn_background(level, seed, 24) for seed in (1, 2, 1)]
    assert np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[1])
    assert found[0].shape == (24, 24, 3) and found[0].std() > 1


def test_backdrops_are_replaced_and_come_of_the_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (90, 60), (10, 200, 30)).save(tmp_path / "green.png")
    monkeypatch.setattr(backdrops, "drawn_background", lambda level, seed, side_px: np.full((side_px, side_px, 3), 77, np.uint8))
    row = Backdrops("hard", 3, 32, [tmp_path / "green.png"])

    def colors(numbers: range) -> list[tuple[int, ...]]:
        found = [row.behind(number, np.random.default_rng(number)) for number in numbers]
        assert all(picture.shape == (32, 32, 3) for picture in found)
        return [tuple(picture[5, 5].tolist()) for picture in found]

    first = colors(range(40))
    assert set(first) == {(77, 77, 77), (10, 200, 30)} and 8 < first.count((10, 200, 30)) < 32
    colors(range(100_000, 100_040))
    assert len(row._kept) <= 40 and colors(range(40)) == first
    (tmp_path / "green.png").unlink()
    with pytest.raises(PhotoError):
        [Backdrops("hard", 3, 32, [tmp_path / "green.png"]).behind(n, np.random.default_rng(n)) for n in range(20)]


def test_strengths_of_every_kind_are_followed() -> None:
    subject, behind = np.zeros((32, 32, 4), np.uint8), np.full((32, 32, 3), 120, np.uint8)
    behind[:, 16:] = 60
    plain = Strengths()
    assert np.array_equal(pasted(subject, behind, plain), behind)
    for change in (
        {"background_blur": 0.1},
        {"warmth": 0.3},
        {"exposure_ev": 1.0},
        {"vignette": 0.8},
        {"defocus": 0.05},
        {"motion": 0.2},
        {"noise": 0.1},
        {"noise": 0.1, "grain_px": 2.5},
        {"jpeg_quality": 20},
    ):
        assert not np.array_equal(pasted(subject, behind, replace(plain, **change)), behind), change
    warm = pasted(subject, behind, Strengths(warmth=0.3))[4, 4]
    assert warm[0] > 120 > warm[2]
