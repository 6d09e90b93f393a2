"""Where an imported generator is looked at from: the release's trained cameras, a data set's, or the user's own numbers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras
from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.checkpoints.release import ImportOptions, import_release, read_release
from dnerf_core.checkpoints.releases.camera_choice import CameraChoice
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import ORBITS, PRESETS, VIDEO_CAMERAS, CameraConfig
from tests.core import hostile as h

CARS = PRESETS["shapenetcars128-64"].cameras


def release(folder: Path, name: str = "mine.pkl", **options: object) -> Path:
    """A release whose rendering_kwargs have `options` changed; None takes one out."""
    network = h.network(h.NARROW)
    kwargs = network.attributes["rendering_kwargs"]
    for option, value in options.items():
        if value is None:
            del kwargs[option]
        else:
            kwargs[option] = value
    path = folder / name
    path.write_bytes(h.release(network))
    return path


def cameras_of(path: Path, **choice: object) -> tuple[CameraConfig, tuple[str, ...]]:
    found = read_release(path, ImportOptions(cameras=CameraChoice(**choice)))  # type: ignore[arg-type]
    return found.config.cameras, found.remarks


def dataset(folder: Path) -> Path:
    """Labels of 500 cameras at radius 3, focal 2.5, yaw 10 +- 20 and pitch 5 +- 4 degrees, looking at (0, 0.1, 0)."""
    rig = CameraConfig(radius=3.0, pivot=(0.0, 0.1, 0.0), focal=2.5)
    random = np.random.default_rng(0)
    labels = []
    for index, (yaw, pitch) in enumerate(zip(random.normal(10, 20, 500), random.normal(5, 4, 500), strict=True)):
        camera = arc_cameras(rig, (yaw, yaw), (pitch, pitch), count=1)[0]
        labels.append([f"00000/img{index:08d}.png", camera.conditioning().tolist()])
    path = folder / "dataset.json"
    path.write_text(json.dumps({"labels": labels}))
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_a_release_is_known_by_its_orbit_and_gets_its_trained_cameras(tmp_path: Path, name: str) -> None:
    radius, pivot = ORBITS[name]
    path = release(tmp_path, avg_camera_radius=radius, avg_camera_pivot=list(pivot))
    assert cameras_of(path) == (PRESETS[name].cameras, ())
    assert cameras_of(path, is_video=True) == (VIDEO_CAMERAS[name], ())


def test_the_cars_trained_view_is_wider_than_the_videos() -> None:
    """SRN's renders: 525 px of focal length at 512, from radius 1.3; the video script goes closer by 1.7074 at 1.7."""
    assert (CARS.radius, CARS.focal, CARS.world_up) == (1.3, pytest.approx(525 / 512, abs=1e-4), "z")
    assert CARS.pitch_range_deg == (0.0, 90.0)
    video = VIDEO_CAMERAS["shapenetcars128-64"]
    assert (video.radius, video.focal) == (1.7, 1.7074)
    # half the field of view, seen at the origin: world units
    assert 0.5 * CARS.radius / CARS.focal > 0.5 * video.radius / video.focal
    faces = VIDEO_CAMERAS["ffhq512-128"]
    assert faces == PRESETS["ffhq512-128"].cameras


def test_a_strangers_orbit_is_told_until_it_is_given(tmp_path: Path) -> None:
    path = release(tmp_path, avg_camera_radius=2.0)
    cameras, remarks = cameras_of(path)
    assert cameras == CameraConfig(radius=2.0, pivot=(0.0, 0.0, 0.0))
    assert remarks == (
        "no published release orbits at radius 2 round (0.0, 0.0, 0.0): focal length 4.2647 and world up 'y' are assumed; "
        "--cameras-from, --focal and --up tell them",
    )
    cameras, remarks = cameras_of(path, focal=1.5)
    assert (cameras.focal, len(remarks)) == (1.5, 1)
    assert "world up 'y' is assumed" in remarks[0]
    given = cameras_of(path, focal=1.5, world_up="z", radius=2.5, pivot=(0.0, 0.0, 0.5))
    assert given == (CameraConfig(radius=2.5, pivot=(0.0, 0.0, 0.5), focal=1.5, world_up="z"), ())
    with pytest.raises(UsageError, match="--video-cameras: expected a generator with a release's cameras"):
        cameras_of(path, is_video=True)


def test_single_numbers_change_a_releases_cameras(tmp_path: Path) -> None:
    path = release(tmp_path)
    assert cameras_of(path, radius=1.5) == (dataclasses.replace(CARS, radius=1.5), ())
    assert cameras_of(path, focal=2.0, world_up="y") == (dataclasses.replace(CARS, focal=2.0, world_up="y"), ())
    with pytest.raises(UsageError, match=r"generator\.cameras\.pivot: expected a point nearer to the origin than radius 1.3"):
        cameras_of(path, pivot=(0.0, 0.0, 2.0))


def test_a_file_without_cameras_takes_those_that_are_given(tmp_path: Path) -> None:
    path = release(tmp_path, avg_camera_radius=None, avg_camera_pivot=None)
    with pytest.raises(CheckpointError, match="avg_camera_radius: expected a number"):
        read_release(path)
    cameras, remarks = cameras_of(path, radius=2.0, pivot=(0.0, 0.0, 0.0), focal=1.0, world_up="z")
    assert cameras == CameraConfig(radius=2.0, pivot=(0.0, 0.0, 0.0), focal=1.0, world_up="z")
    assert remarks == ()


def test_a_data_sets_cameras_become_the_models_own(tmp_path: Path) -> None:
    path, labels = release(tmp_path), dataset(tmp_path)
    cameras, remarks = cameras_of(path, dataset=labels)
    assert (cameras.radius, cameras.focal, cameras.world_up) == (pytest.approx(3.0), pytest.approx(2.5), "y")
    np.testing.assert_allclose(cameras.pivot, (0.0, 0.1, 0.0), atol=1e-5)
    assert cameras.yaw_range_deg is not None and cameras.pitch_range_deg is not None
    # mean 10 and two deviations of 20 each way; 5 and two of 4
    np.testing.assert_allclose(cameras.yaw_range_deg, (-30, 50), atol=5)
    np.testing.assert_allclose(cameras.pitch_range_deg, (-3, 13), atol=1.5)
    assert cameras.pitch_deg == pytest.approx(5, abs=1)
    assert len(remarks) == 1 and remarks[0].startswith("cameras of dataset.json (500): radius 3, focal 2.5")
    cameras, _ = cameras_of(path, dataset=labels, focal=2.6)
    assert (cameras.radius, cameras.focal) == (pytest.approx(3.0), 2.6)
    # kept in the model file, and what is asked for without ranges
    options = ImportOptions(cameras=CameraChoice(dataset=labels))
    header = import_release(path, tmp_path / "out.safetensors", options)
    assert read_header(tmp_path / "out.safetensors").generator_config == header.generator_config
    assert header.generator_config.cameras == dataclasses.replace(cameras, focal=header.generator_config.cameras.focal)


def test_weights_alone_take_cameras_too(tmp_path: Path) -> None:
    from tests.core import checkpoint_writer
    from tests.core.checkpoint_spec import spec

    pytest.importorskip("torch")
    path = tmp_path / "bare.pth"
    checkpoint_writer.write(spec(), str(path), "bare-zip")
    for choice, expected in (
        (CameraChoice(), CARS),
        (CameraChoice(is_video=True), VIDEO_CAMERAS["shapenetcars128-64"]),
        (CameraChoice(radius=1.9), dataclasses.replace(CARS, radius=1.9)),
    ):
        assert read_release(path, ImportOptions(config="shapenetcars128-64", cameras=choice)).config.cameras == expected
