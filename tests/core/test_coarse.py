"""The quick look at a subject against its whole view, and leaving a view half-way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.metrics import psnr_db
from dnerf_core.model import Model
from dnerf_core.work.interruption import checkpoint, interruptible


@pytest.fixture(scope="module")
def demo() -> Model:
    return Model.load("demo-cars")


def mean_pooled(rgb: np.ndarray, side_px: int) -> np.ndarray:
    step = rgb.shape[0] // side_px
    return rgb.reshape(side_px, step, side_px, step, 3).mean(axis=(1, 3)).round().astype(np.uint8)


def test_a_coarse_view_is_the_whole_one_made_small(demo: Model) -> None:
    subject = demo.subject(7)
    camera, other = arc_cameras(demo.config.cameras, count=2)
    coarse, fine = subject.coarse(camera), subject.render(camera)
    assert coarse.rgb is not None
    assert coarse.mask is not None
    assert fine.mask is not None
    assert (coarse.rgb.shape, coarse.mask.shape, coarse.depth_planar) == ((64, 64, 3), (64, 64), None)
    # measured: 28.1 dB and 98.5% of labels; from the other camera 13 dB
    assert psnr_db(mean_pooled(fine.rgb, 64), coarse.rgb) > 26
    assert (fine.mask[2::4, 2::4] == coarse.mask).mean() > 0.975
    assert psnr_db(mean_pooled(subject.render(other).rgb, 64), coarse.rgb) < 20
    assert subject.coarse(camera, 32).rgb.shape == (32, 32, 3)  # type: ignore[union-attr]


def test_preparing_leaves_nothing_to_make(demo: Model) -> None:
    subject = demo.subject(8)
    subject.prepare()
    made = set(subject.__dict__)
    subject.render(arc_cameras(demo.config.cameras, count=1)[0])
    assert set(subject.__dict__) == made


def test_a_view_that_is_left_can_be_asked_again(demo: Model) -> None:
    camera = arc_cameras(demo.config.cameras, count=1)[0]
    expected, subject = demo.subject(9).render(camera), demo.subject(9)
    calls = 0

    def stop_at(limit: int) -> None:
        nonlocal calls
        calls += 1
        if calls == limit:
            raise KeyboardInterrupt

    limit = 1
    while True:
        calls = 0
        try:
            with interruptible(lambda limit=limit: stop_at(limit)):  # type: ignore[misc]
                view = subject.render(camera)
        except KeyboardInterrupt:
            limit += 1
            continue
        break
    assert limit > 3  # a check or more in the rendering, and one before each super-resolution
    assert np.array_equal(view.rgb, expected.rgb)
    checkpoint()  # outside of `interruptible` nothing happens
    assert torch.is_grad_enabled()
