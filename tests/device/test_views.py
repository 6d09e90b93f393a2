"""Labelled views on a device: how often the host waits, what it copies, and that they are the CPU's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras, look_at
from dnerf_core.convolutions.forms import FLOAT32
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.metrics import psnr_db
from dnerf_core.model import Model
from dnerf_core.rendering.labeled_view import PartialView
from dnerf_core.subject import Channel, Subject
from tests.device.audit import DEVICE, Log, no_device
from tests.device.models import FAMILIES, bent_worm, moved, worm

MOST_WAITS = 3
"""Of a labelled view: samples to read, edges, and the view itself."""

PUBLISHED_CLIP_WAITS = 60
"""Of one of a published body besides: its clip mesh is drawn as was published, triangles of one size at a time."""

EVERY: tuple[Channel, ...] = ("rgb", "mask", "depth", "uncertainty", "coverage")

pytestmark = pytest.mark.usefixtures("one_thread")


def check_alike(expected: PartialView, found: PartialView, box_side: float) -> None:
    """Two views of one subject by two orders of summation."""
    assert expected.rgb is not None and found.rgb is not None
    assert expected.mask is not None and found.mask is not None
    assert expected.depth_planar is not None and found.depth_planar is not None
    assert np.mean(expected.mask == found.mask) >= 0.999
    assert psnr_db(expected.rgb, found.rgb) >= 55
    seen = np.isfinite(expected.depth_planar) & np.isfinite(found.depth_planar)
    # a pixel half-way between a full ray and an empty one is as much object as not
    assert np.mean(np.isfinite(expected.depth_planar) == np.isfinite(found.depth_planar)) >= 0.998
    assert seen.any() and np.median(np.abs(expected.depth_planar[seen] - found.depth_planar[seen])) < 1e-5 * box_side
    for one, other in ((expected.uncertainty, found.uncertainty), (expected.coverage, found.coverage)):
        assert one is not None and other is not None
        assert np.quantile(np.abs(one - other), 0.99) < 1e-3


def check_quiet(log: Log, waits: int) -> None:
    """One copy each way, nothing mixed, and so many waits at most."""
    assert log.of("mixed", "numpy") == [], log.table()
    assert len(log.of("upload")) == len(log.of("download")) == 1, log.table()
    assert len(log.of("wait")) <= waits, log.table("wait")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_labelled_view_waits_three_times_at_most(name: str) -> None:
    model = FAMILIES[name]()
    model.convolutions = FLOAT32
    camera, size_px = arc_cameras(model.config.cameras, (25, 25), (10, 10), count=1)[0], model.config.image_size
    expected = [model.subject(1).channels(camera, side, EVERY) for side in (size_px, 96)]
    found = []
    with no_device() as log:
        there = moved(model)
        published = isinstance(there.config, GnarfConfig) and there.config.warp.is_published
        subject = there.subject(1)
        subject.prepare()
        assert log.of("mixed", "numpy") == [], log.table()
        for side in (size_px, 96):
            log.events.clear()
            found.append(subject.channels(camera, side, EVERY))
            check_quiet(log, MOST_WAITS + published * PUBLISHED_CLIP_WAITS)
    for one, other in zip(expected, found, strict=True):
        check_alike(one, other, model.config.box_side)


@pytest.mark.parametrize("name", ["cars", "fog", "head"])
def test_a_subject_is_made_without_a_wait(name: str) -> None:
    with no_device() as log:
        model = moved(FAMILIES[name]())
        model.subject(0)  # the camera that latents are made for is brought over once a model
        log.events.clear()
        model.subject(1).prepare()
    assert log.of("wait", "mixed", "numpy", "download") == [], log.table()
    assert len(log.of("upload")) == 1, log.table()


@pytest.mark.parametrize("projector", ["closest", "surface_field", "skinning"])
def test_a_new_pose_is_waited_for_once(projector: str) -> None:
    """The box round the body; its numbers come from the device."""
    with no_device() as log:
        subject = moved(worm(projector)).subject(1)
        subject.prepare()  # what no pose changes of a body is measured once
        pose = bent_worm().to(DEVICE)
        log.events.clear()
        subject.posed(pose).prepare()
    assert log.of("mixed", "numpy") == [], log.table()
    assert len(log.of("wait")) == len(log.of("upload")) == len(log.of("download")) == 1, log.table()


def test_a_quick_look_waits_twice() -> None:
    with no_device() as log:
        model = moved(FAMILIES["cloud"]())
        subject = model.subject(1)
        subject.prepare()
        log.events.clear()
        subject.coarse(arc_cameras(model.config.cameras, (25, 25), count=1)[0])
    check_quiet(log, 2)


def test_the_exact_view_and_a_density_of_its_own_mix_nothing() -> None:
    """They wait as often as they have pieces of rays; only that nothing is refused is asked."""
    with no_device() as log:
        model = moved(FAMILIES["cloud"]())
        view = model.subject(1).channels(arc_cameras(model.config.cameras, (25, 25), count=1)[0], exact=True)
    assert view.rgb is not None
    assert log.of("mixed", "numpy") == [], log.table()
    assert len(log.of("wait")) > MOST_WAITS  # the guard itself: what is no fast path is noticed


@pytest.mark.parametrize("name", ["cloud", "worm, closest, edges"])
def test_a_view_past_the_subject_is_background(name: str) -> None:
    model = FAMILIES[name]()
    model.convolutions = FLOAT32
    [front] = arc_cameras(model.config.cameras, (0, 0), count=1)
    away = dataclasses.replace(front, cam2world=look_at((0.0, 0.0, 3.0), (0.0, 0.0, 9.0)))
    expected = model.subject(1).channels(away, channels=EVERY)
    with no_device() as log:
        subject = moved(model).subject(1)
        subject.prepare()
        log.events.clear()
        found = subject.channels(away, channels=EVERY)
    check_quiet(log, MOST_WAITS)
    assert found.depth_planar is not None and not np.isfinite(found.depth_planar).any()
    assert found.coverage is not None and not found.coverage.any()
    assert np.array_equal(expected.mask, found.mask) and np.array_equal(expected.rgb, found.rgb)  # type: ignore[arg-type]


@contextmanager
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Views cut into pieces of a few rays."""
    with ExitStack() as stack, monkeypatch.context() as patch:
        stack.enter_context(no_device())
        patch.setattr("dnerf_core.seeing.device_view.RAYS_PER_PIECE", 100)
        yield


def seen_by(model: Model) -> Subject:
    return moved(model).subject(1)


@pytest.mark.parametrize("name", ["fog", "cloud"])
def test_pieces_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = arc_cameras(FAMILIES[name]().config.cameras, (25, 25), count=1)[0]
    with no_device():
        whole = seen_by(FAMILIES[name]()).channels(camera, channels=EVERY)
    with many_pieces(monkeypatch):
        cut = seen_by(FAMILIES[name]()).channels(camera, channels=EVERY)
    assert np.array_equal(whole.mask, cut.mask)  # type: ignore[arg-type]
    assert psnr_db(whole.rgb, cut.rgb) > 60  # type: ignore[arg-type]


def test_a_view_that_was_left_short_is_made_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid that is wrong nearly everywhere, so that more rays lack light than are read once more at first."""
    camera = arc_cameras(FAMILIES["cloud"]().config.cameras, (25, 25), count=1)[0]
    model = FAMILIES["cloud"]()
    model.convolutions = FLOAT32
    monkeypatch.setattr("dnerf_core.rendering.guided.HIDDEN_LIGHT", 0.6)
    expected = model.subject(1).channels(camera, channels=EVERY)
    with no_device() as log:
        subject = seen_by(model)
        subject.prepare()
        log.events.clear()
        found = subject.channels(camera, channels=EVERY)
    assert len(log.of("download")) == 2, log.table()
    check_alike(expected, found, model.config.box_side)
