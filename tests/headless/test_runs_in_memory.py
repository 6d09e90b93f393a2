"""Runs whose results stay in memory: views of one subject, and its cloud, as a program asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras
from dnerf_core.checkpoints.subject_file import record_of, write_subject_file
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.model import Model
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.subject import ALL_CHANNELS, Channel, Subject
from dnerf_core.subject_key import SubjectKey
from dnerf_core.work.interruption import interruptible
from headless import models
from headless.datasets.channels import POSED_CHANNELS
from headless.runs import SubjectCloudCall, ViewsCall, subject_cloud, views
from headless.runs.views import CHANNELS
from headless.work.reporting import Quiet
from tests.headless.tiny_engine import LABELS, TINY

CAMERAS = arc_cameras(TINY.cameras, (-60, 60), count=3)
KEY = SubjectKey(3, 1.0)


class StoppedError(Exception):
    """Ends a run from outside."""


class Counting(Quiet):
    """Counts the steps that it is told, and has had enough after some."""

    def __init__(self, enough: int = 1000) -> None:
        super().__init__()
        self.enough, self.steps = enough, 0

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        assert (description, total) == ("views", len(CAMERAS))

        def advance() -> None:
            self.steps += 1
            if self.steps == self.enough:
                raise StoppedError

        yield advance


@pytest.fixture
def subject(trained_model: Path) -> Subject:
    with models.one_thread_a_view():
        return Model.load(trained_model).subject(3)


@pytest.fixture
def subject_file(trained_model: Path, tmp_path: Path) -> Path:
    model, path = Model.load(trained_model), tmp_path / "three.safetensors"
    write_subject_file(path, record_of(model, model.subject(3).ws, None, {}))
    return path


def asked(model: Path, **more: Any) -> dict[str, Any]:
    return {"model_name": str(model), "subject": KEY, "cameras": CAMERAS, "device": "cpu", **more}


def same(one: Any, other: Any, names: tuple[str, ...]) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


# Views


def test_the_channels_are_the_subjects() -> None:
    of_others = (*POSED_CHANNELS, "coverage")  # what a pose has, and what composites with a scene need
    shown = tuple(channel for channel in get_args(Channel) if channel not in of_others)
    assert (CHANNELS.choices, CHANNELS.default) == (shown, ALL_CHANNELS)


@pytest.mark.usefixtures("several_threads")
@pytest.mark.parametrize("workers", [1, 3])
def test_views_are_the_subjects_own(trained_model: Path, subject: Subject, workers: int) -> None:
    reporter = Counting()
    found = {item.number: item for item in views(ViewsCall(**asked(trained_model, resolution=32, workers=workers)), reporter)}
    assert sorted(found) == [0, 1, 2] and reporter.steps == 3
    with models.one_thread_a_view():
        for number, camera in enumerate(CAMERAS):
            expected = subject.channels(camera, 32)
            assert found[number].size_px == 32 and found[number].view.uncertainty is None
            assert same(found[number].view, expected, ("rgb", "mask", "depth_planar"))


def test_each_view_has_its_size_and_the_channels_that_are_asked_for(trained_model: Path, tiny_model: Path) -> None:
    call = ViewsCall(**asked(trained_model, sizes_px=[32, 48, 64], channels=("uncertainty",)))
    found = {item.number: item for item in views(call)}
    assert {number: item.view.uncertainty.shape for number, item in found.items()} == {0: (32, 32), 1: (48, 48), 2: (64, 64)}  # type: ignore[union-attr]
    assert all(item.view.rgb is None and item.view.depth_planar is None for item in found.values())
    first = next(views(ViewsCall(**asked(tiny_model, channels=("mask",)))))
    assert (first.size_px, first.view.mask) == (TINY.image_size, None)  # a model without a semantic branch


def test_a_subject_file_is_seen_and_whoever_has_the_subject_gives_it(
    trained_model: Path, subject: Subject, subject_file: Path
) -> None:
    by_file = next(views(ViewsCall(**asked(trained_model, subject=subject_file, resolution=32, workers=1))))
    keys: list[tuple[str, SubjectKey]] = []

    def ready(name: str, key: SubjectKey) -> Subject:
        keys.append((name, key))
        return subject

    for chosen in (KEY, subject_file):
        call = ViewsCall(**asked(trained_model, subject=chosen, resolution=32, workers=1))
        assert same(next(views(call, open_subject=ready)).view, by_file.view, ("rgb", "mask", "depth_planar"))
    assert [name for name, _ in keys] == [str(trained_model)] * 2
    assert keys[0][1] == KEY and keys[1][1].file is not None and keys[1][1].file.path == subject_file


def test_a_run_is_ended_by_its_reporter_and_by_what_interrupts_it(trained_model: Path, subject: Subject) -> None:
    call = ViewsCall(**asked(trained_model, resolution=32, workers=1))
    taken: list[int] = []
    with pytest.raises(StoppedError):
        for item in views(call, Counting(enough=1), lambda name, key: subject):
            taken.append(item.number)
    assert len(taken) == 1

    threads: set[str] = set()

    def check() -> None:
        threads.add(threading.current_thread().name)
        raise StoppedError

    with interruptible(check), pytest.raises(StoppedError):
        next(views(call, open_subject=lambda name, key: subject))
    assert threads == {"worker 0"}  # the one that computes the view, in the middle of it
    assert next(views(call, open_subject=lambda name, key: subject)).view.rgb is not None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cameras": []}, "cameras: expected at least one, found none"),
        ({"sizes_px": [32]}, "sizes_px: expected one for each of 3 cameras and no size for all of them, found 1"),
        (
            {"sizes_px": [32, 32, 32], "resolution": 32},
            "sizes_px: expected one for each of 3 cameras and no size for all of them",
        ),
        ({"sizes_px": [32, 32, 3]}, "sizes_px: expected a whole number from .* each, found 3"),
        ({"channels": ("normals",)}, "channels: expected a list of one or more of rgb, mask, depth, uncertainty, found "),
    ],
)
def test_a_wrong_call_is_refused(tiny_model: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ViewsCall(**{**asked(tiny_model), **wrong})


# The cloud


@pytest.mark.usefixtures("several_threads")
def test_a_subjects_cloud_is_what_fusing_gives(trained_model: Path, subject: Subject) -> None:
    reporter = Counting()
    cloud = subject_cloud(SubjectCloudCall(**asked(trained_model, resolution=64, points=300)), reporter)
    with models.one_thread_a_view():
        seen = [subject.render(camera, 64) for camera in CAMERAS]
    expected = fuse_views(seen, options=FusionOptions(points=300), label_set=LABELS)
    assert same(cloud, expected, ("points", "normals", "colors", "labels", "confidence"))
    assert (len(cloud), cloud.label_set, cloud.world_up, reporter.steps) == (300, LABELS, "y", 3)
    with pytest.raises(StoppedError):
        subject_cloud(SubjectCloudCall(**asked(trained_model, resolution=64)), Counting(enough=2))


def test_painted_labels_take_the_models_place(tiny_model: Path, painted_folder: Path) -> None:
    call = asked(tiny_model, resolution=64, annotations=painted_folder)
    plain = subject_cloud(SubjectCloudCall(**asked(tiny_model, resolution=64)))
    cloud = subject_cloud(SubjectCloudCall(**call | {"subject": SubjectKey(0, 1.0)}))
    assert (plain.labels, plain.label_set, cloud.label_set) == (None, None, LABELS)
    assert cloud.labels is not None and {1, 2} <= set(np.unique(cloud.labels))
    with pytest.raises(AnnotationError, match="expected a painted view of the subject with seed 77, found none"):
        subject_cloud(SubjectCloudCall(**call | {"subject": SubjectKey(77, 1.0)}))


def test_a_wrong_cloud_is_refused(trained_model: Path) -> None:
    with pytest.raises(UsageError, match="voxel and points: expected one of them, found both"):
        subject_cloud(SubjectCloudCall(**asked(trained_model, points=5, voxel=0.1)))
    with pytest.raises(UsageError, match=r"^seed 3: points: expected at most "):
        subject_cloud(SubjectCloudCall(**asked(trained_model, resolution=32, points=1_000_000)))
