"""Cameras of EG3D data sets: from spheres by our formula and by the published one, and every file that holds none, in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import Camera, arc_cameras, sphere_camera
from dnerf_core.camera_frames import FLIP_YZ
from dnerf_core.checkpoints.config_ranges import check_ranges
from dnerf_core.errors import UsageError
from dnerf_core.files.camera_files.dataset_cameras import (
    DatasetCameras,
    cameras_of_dataset,
    describe_cameras,
    read_dataset_cameras,
)
from dnerf_core.generator.config import CameraConfig, GeneratorConfig, preset

FACES = preset("ffhq512-128").cameras


def write(path: Path, labels: Any) -> Path:
    path.write_text(json.dumps({"labels": labels}))
    return path


def label(camera: Camera) -> list[float]:
    return [float(value) for value in camera.conditioning()]


def written(path: Path, cameras: Sequence[Camera]) -> Path:
    return write(path, [[f"00000/img{index:08d}.png", label(camera)] for index, camera in enumerate(cameras)])


def config_of(path: Path, cameras: Sequence[Camera], start: CameraConfig = FACES, **changes: Any) -> CameraConfig:
    found = cameras_of_dataset(read_dataset_cameras(written(path / "dataset.json", cameras)), start, **changes)
    check_ranges(GeneratorConfig(cameras=found), "data set", "not good")
    return found


def sphere(rig: CameraConfig, angles_deg: np.ndarray) -> list[Camera]:
    how: dict[str, Any] = {"radius": rig.radius, "pivot": rig.pivot, "focal": rig.focal, "world_up": rig.world_up}
    return [sphere_camera(yaw, pitch, **how) for yaw, pitch in np.radians(angles_deg)]


def eg3d_pose(yaw: float, pitch: float, radius: float, pivot: Sequence[float]) -> np.ndarray:
    """cam2world by the published formula, written out by hand from its description and from nothing of ours."""
    h, v = math.pi / 2 + yaw, math.pi / 2 + pitch
    phi = math.acos(1 - 2 * v / math.pi)
    position = radius * np.array([math.sin(phi) * math.cos(math.pi - h), math.cos(phi), math.sin(phi) * math.sin(math.pi - h)])
    forward = (np.asarray(pivot) - position) / np.linalg.norm(np.asarray(pivot) - position)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(forward, right), forward, position], axis=1)
    return pose


def test_gaussian_faces_come_back_with_their_mean_and_deviation(tmp_path: Path) -> None:
    """And "gaussian" views of the ranges that were found repeat the data set's own distribution."""
    angles = np.random.default_rng(0).normal((4.0, -3.0), (16.0, 8.0), (4000, 2))
    found = config_of(tmp_path, sphere(FACES, angles), CameraConfig(radius=1.0, pivot=(0.0, 0.0, 0.0)))
    assert (found.radius, found.focal, found.pivot, found.world_up) == (2.7, 4.2647, (0.0, 0.0, 0.2), "y")
    assert found.yaw_range_deg is not None and found.pitch_range_deg is not None
    for span, column in ((found.yaw_range_deg, 0), (found.pitch_range_deg, 1)):
        assert sum(span) / 2 == pytest.approx(angles[:, column].mean(), abs=0.6)
        assert (span[1] - span[0]) / 4 == pytest.approx(angles[:, column].std(), rel=0.05)
        assert span == pytest.approx(np.percentile(angles[:, column], (2.5, 97.5)), abs=1e-3)
    assert found.pitch_deg == pytest.approx(np.median(angles[:, 1]), abs=1e-3)
    drawn = arc_cameras(
        found, found.yaw_range_deg, found.pitch_range_deg, count=4000, mode="gaussian", rng=np.random.default_rng(1)
    )
    again = config_of(tmp_path, drawn)
    assert again.yaw_range_deg == pytest.approx(found.yaw_range_deg, abs=1.5)
    assert again.pitch_range_deg == pytest.approx(found.pitch_range_deg, abs=0.8)


def test_the_published_formulas_sphere_is_read_by_true_angles(tmp_path: Path) -> None:
    """Its pitch is linear in height and positive below: elevation = asin(-2 pitch / pi)."""
    generator = np.random.default_rng(2)
    yaw, pitch = generator.uniform(-0.7, 0.5, 500), generator.uniform(-0.3, 0.2, 500)
    labels = [
        [f"{index}.png", [*eg3d_pose(*angles, 2.7, (0.0, 0.0, -0.06)).ravel(), 4.2634, 0, 0.5, 0, 4.2634, 0.5, 0, 0, 1]]
        for index, angles in enumerate(zip(yaw, pitch, strict=True))
    ]
    found = cameras_of_dataset(read_dataset_cameras(write(tmp_path / "dataset.json", labels)), FACES)
    assert (found.radius, found.focal, found.pivot, found.world_up) == (2.7, 4.2634, (0.0, 0.0, -0.06), "y")
    elevation = np.degrees(np.arcsin(-2 * pitch / math.pi))
    assert found.yaw_range_deg == pytest.approx(np.percentile(np.degrees(yaw), (2.5, 97.5)), abs=1e-3)
    assert found.pitch_range_deg == pytest.approx(np.percentile(elevation, (2.5, 97.5)), abs=1e-3)
    assert found.pitch_deg == pytest.approx(np.median(elevation), abs=1e-3)


def test_poses_that_the_published_code_printed_are_read(tmp_path: Path, parity_dir: Path) -> None:
    printed = [
        one
        for one in json.loads((parity_dir / "cameras.json").read_text())
        if one["pivot"] == [0, 0, 0.2] and one["fov_deg"] != 45.0
    ]
    labels = [[f"{index}.png", one["cam2world"] + one["intrinsics"]] for index, one in enumerate(printed)]
    found = cameras_of_dataset(read_dataset_cameras(write(tmp_path / "dataset.json", labels)), FACES)
    assert (found.radius, found.world_up, found.focal) == (2.7, "y", 4.26339)
    assert found.pivot == pytest.approx((0.0, 0.0, 0.2), abs=2e-6)
    yaws = np.percentile(np.degrees([one["yaw"] for one in printed]), (2.5, 97.5))
    assert found.yaw_range_deg == pytest.approx(yaws, abs=1e-3)


def test_an_upper_half_sphere_with_z_up_is_the_cars(tmp_path: Path) -> None:
    """As SRN's renders have it: all round, uniform in area, at the radius and focal length of the cars' preset."""
    cars = preset("shapenetcars128-64").cameras
    generator = np.random.default_rng(3)
    yaw, pitch = generator.uniform(-180, 180, 2500), np.degrees(np.arcsin(generator.uniform(0, 1, 2500)))
    found = config_of(tmp_path, sphere(cars, np.stack([yaw, pitch], axis=1)))
    assert (found.radius, found.focal, found.pivot, found.world_up) == (cars.radius, cars.focal, cars.pivot, "z")
    assert found.yaw_range_deg == (-180.0, 180.0)
    assert found.pitch_range_deg == pytest.approx(np.percentile(pitch, (2.5, 97.5)), abs=1e-3)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("middle", [180.0, -170.0, 100.0, 0.0])
def test_yaws_across_the_back_are_one_range(tmp_path: Path, middle: float, up: Any) -> None:
    rig = CameraConfig(radius=2.0, pivot=(0.1, 0.05, -0.1), focal=1.5, world_up=up)
    yaw = middle + np.linspace(-60, 60, 401)
    pitch = np.random.default_rng(0).permutation(np.linspace(-10, 30, 401))
    found = config_of(tmp_path, sphere(rig, np.stack([yaw, pitch], axis=1)))
    assert found.yaw_range_deg is not None
    assert found.yaw_range_deg[1] - found.yaw_range_deg[0] == pytest.approx(0.95 * 120, abs=1e-2)
    assert (sum(found.yaw_range_deg) / 2 - middle + 180) % 360 - 180 == pytest.approx(0, abs=1e-2)
    assert found.pivot == pytest.approx(rig.pivot, abs=1e-6)
    assert found.world_up == up


@pytest.mark.parametrize(("gap", "width"), [(29.0, 360.0), (31.0, 0.95 * 329.0)])
def test_a_gap_decides_whether_it_goes_all_the_way_round(tmp_path: Path, gap: float, width: float) -> None:
    yaw = np.linspace(gap / 2, 360 - gap / 2, 2000)
    found = config_of(tmp_path, sphere(FACES, np.stack([yaw, yaw * 0], axis=1)))
    assert found.yaw_range_deg is not None
    low, high = found.yaw_range_deg
    assert high - low == pytest.approx(width, abs=0.02)


def test_outliers_do_not_move_the_pivot(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    cameras = sphere(FACES, generator.normal(0, (20, 8), (500, 2)))
    aside = CameraConfig(radius=2.7, pivot=(1.0, -0.5, 0.3), focal=4.2647)
    strays = sphere(aside, generator.normal(0, (20, 8), (25, 2)))
    assert config_of(tmp_path, [*cameras, *strays]).pivot == pytest.approx((0.0, 0.0, 0.2), abs=1e-4)


@pytest.mark.parametrize("count", [1, 40])
def test_axes_that_tell_no_pivot_keep_the_starts(tmp_path: Path, count: int) -> None:
    angles = np.stack([np.linspace(0, 0.5, count), np.zeros(count)], axis=1)
    path = tmp_path / "dataset.json"
    found = read_dataset_cameras(written(path, sphere(FACES, angles)))
    start = CameraConfig(pivot=(0.0, 0.1, 0.3))
    config = cameras_of_dataset(found, start)
    assert config.pivot == (0.0, 0.1, 0.3)
    assert "pivot 0 0.1 0.3 (kept, the cameras tell none)" in describe_cameras(found, config)
    assert cameras_of_dataset(found, dataclasses.replace(start, pivot=(0.0, 5.0, 0.0))).pivot == (0.0, 0.0, 0.0)


def test_labels_by_name_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    cameras = arc_cameras(FACES, (-20, 20), (0, 10), count=5)
    path = tmp_path / "dataset.json"
    text = json.dumps({"labels": {f"{index}.png": label(camera) for index, camera in enumerate(cameras)}})
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = read_dataset_cameras(path)
    assert found.cam2world.shape == (5, 4, 4) and found.intrinsics.shape == (5, 3, 3)
    np.testing.assert_array_equal(found.cam2world[2], cameras[2].cam2world.astype(np.float32))


def test_the_remark_names_what_was_found(tmp_path: Path) -> None:
    found = read_dataset_cameras(written(tmp_path / "dataset.json", arc_cameras(FACES, (-20, 20), (0, 10), count=2000)))
    assert describe_cameras(found, cameras_of_dataset(found, FACES)) == (
        "cameras of dataset.json (2,000): radius 2.7, focal 4.2647, pivot 0 0 0.2, y up, yaw -19 to 19, pitch 0.25 to 9.75 degrees"
    )


# --- what is refused

GOOD = [[f"{index}.png", label(camera)] for index, camera in enumerate(arc_cameras(FACES, (-30, 30), (0, 20), count=6))]


def changed(change: Callable[[np.ndarray, np.ndarray], None], *, index: int = 3) -> list[Any]:
    """Good labels with one of them changed: its pose [4, 4] and intrinsics [3, 3]."""
    labels = json.loads(json.dumps(GOOD))
    values = np.array(labels[index][1])
    change(values[:16].reshape(4, 4), values[16:].reshape(3, 3))
    labels[index][1] = values.tolist()
    return labels


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        cameras_of_dataset(read_dataset_cameras(path), FACES)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ") or message.startswith(f"{path}: labels")
    assert "\n" not in message and len(message) < 400 + len(str(path))
    return message


def scale_axes(pose: np.ndarray, intrinsics: np.ndarray) -> None:
    pose[:3, :3] *= 1.002


def mirror(pose: np.ndarray, intrinsics: np.ndarray) -> None:
    pose[:3, 0] *= -1


def to_origin(pose: np.ndarray, intrinsics: np.ndarray) -> None:
    pose[:3, 3] = 0


def put(row: int, column: int, value: float, *, pose: bool = False) -> Callable[[np.ndarray, np.ndarray], None]:
    def change(cam2world: np.ndarray, intrinsics: np.ndarray) -> None:
        (cam2world if pose else intrinsics)[row, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (scale_axes, "expected orthonormal axes within 0.001, found an error of 0.004"),
        (put(1, 2, 1e200, pose=True), "expected orthonormal axes within 0.001"),
        (mirror, "expected a right-handed rotation, found a mirrored one"),
        (to_origin, "expected a camera off the world origin, found it at [0., 0., 0.]"),
        (put(0, 3, 1e300, pose=True), "expected a camera within 1e+06 of the origin"),
        (put(3, 0, 0.5, pose=True), "the last row [0, 0, 0, 1], found [0.5, 0. , 0. , 1. ]; is the matrix transposed?"),
        (put(0, 0, 2183.5), "intrinsics normalised by the image size, found focal lengths [2183.5"),
        (put(1, 2, 256.0), "intrinsics normalised by the image size, found the centre [  0.5, 256. ]"),
        (put(1, 1, -4.2), "expected focal lengths of at least 0.01, found fx and fy"),
        (put(0, 0, 0.0), "expected focal lengths of at least 0.01"),
        (put(0, 0, 1e-300), "expected focal lengths of at least 0.01"),
        (put(2, 0, 0.5), "expected intrinsics [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], found"),
        (put(2, 2, math.nan), "expected 25 finite numbers"),
        (put(0, 1, math.inf, pose=True), "expected 25 finite numbers"),
    ],
)
def test_a_label_that_is_no_camera_is_named(tmp_path: Path, change: Any, expected: str) -> None:
    message = refused(write(tmp_path / "dataset.json", changed(change)))
    assert f"labels: '3.png': {expected}" in message or (expected in message and "labels: '3.png': " in message)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, "labels: expected cameras, found null; the data set was made without cameras"),
        ([], "labels: expected a name and a camera a picture, found none"),
        ({}, "labels: expected a name and a camera a picture, found none"),
        ("text", "labels: expected a name and a camera a picture, found 'text'"),
        ([*GOOD, ["7.png", 3]], "labels: '7.png': expected 25 numbers, cam2world and intrinsics, found 3.0"),
        ([*GOOD, ["7.png", GOOD[0][1][:24]]], "labels: '7.png': expected 25 numbers, cam2world and intrinsics, found 24 values"),
        ([*GOOD, ["7.png", [*GOOD[0][1][:24], "1"]]], "labels: '7.png': expected 25 numbers"),
        ([*GOOD, ["7.png", [*GOOD[0][1][:24], True]]], "labels: '7.png': expected 25 numbers"),
        ([*GOOD, ["7.png", [*GOOD[0][1][:24], 10**400]]], "labels: '7.png': expected 25 finite numbers"),
        ([*GOOD, ["7.png", None]], "labels: '7.png': expected 25 numbers, cam2world and intrinsics, found None"),
        ([*GOOD, "7.png"], "labels[6]: expected a name and 25 numbers, found '7.png'"),
        ([*GOOD, ["7.png"]], "labels[6]: expected a name and 25 numbers"),
        ([*GOOD, [7, GOOD[0][1]]], "labels[6]: expected a name and 25 numbers"),
        ([*GOOD, ["x" * 10**6, []]], "expected 25 numbers, cam2world and intrinsics, found 0 values"),
    ],
)
def test_labels_of_another_form_are_named(tmp_path: Path, labels: Any, expected: str) -> None:
    assert expected in refused(write(tmp_path / "dataset.json", labels))


def test_cameras_of_another_convention_are_refused_by_what_they_look_at(tmp_path: Path) -> None:
    arc = arc_cameras(FACES, (-40, 40), (0, 10), count=9)

    def posed(pose: Callable[[np.ndarray], np.ndarray]) -> Path:
        return written(tmp_path / "dataset.json", [Camera(pose(camera.cam2world), camera.intrinsics) for camera in arc])

    assert "OpenCV axes: x right, y down, z forward), found most looking away" in refused(posed(lambda pose: pose @ FLIP_YZ))
    assert "found it to lean to -y; give --up y or --up z" in refused(posed(lambda pose: FLIP_YZ @ pose))
    on_its_side = np.array([[0.0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert "found it to lean to +x" in refused(posed(lambda pose: on_its_side @ pose))
    assert "found it to lean to -x" in refused(posed(lambda pose: on_its_side.T @ pose))
    given = cameras_of_dataset(read_dataset_cameras(posed(lambda pose: on_its_side @ pose)), FACES, "z")
    assert given.world_up == "z"
    with pytest.raises(UsageError, match="world_up: expected 'y' or 'z', found 'x'"):
        cameras_of_dataset(read_dataset_cameras(tmp_path / "dataset.json"), FACES, "x")  # type: ignore[arg-type]


def test_other_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    assert "found no such file; correct the path" in refused(path)
    assert "found a folder; name the file in it" in refused(tmp_path)
    long = Path("x" * 300)
    with pytest.raises(UsageError, match="it cannot be read: File name too long; correct it"):
        read_dataset_cameras(long)
    for data, expected in (
        (b"\x89PNG\r\n\x1a\n\xff", "found bytes that are no text"),
        (b"labels", "expected JSON, found Expecting value at line 1"),
        (b"[" * 10**5, "expected JSON, found values nested too deeply"),
        (b"[1]", "expected a JSON object with labels, found [1.0]"),
        (b"{}", "expected labels, found none among []"),
        (b'{"views": []}', "expected labels, found none among ['views']"),
    ):
        path.write_bytes(data)
        assert expected in refused(path)
    with path.open("wb") as file:
        file.truncate(2 * 2**30 + 1)  # takes no place on the disk
    assert "of up to 2 GiB, found 2.0 GiB" in refused(path)
    path.unlink()
    os.mkfifo(path)
    assert "found no plain file" in refused(path)


def test_a_large_set_is_read_in_seconds(tmp_path: Path) -> None:
    one = json.dumps(GOOD[1][1])
    entries = ", ".join(f'["{index // 1000:05d}/img{index:08d}.png", {one}]' for index in range(50_000))
    path = tmp_path / "dataset.json"
    path.write_text(f'{{"labels": [{entries}]}}')
    started = time.monotonic()
    found = read_dataset_cameras(path)
    cameras_of_dataset(found, FACES)
    assert found.cam2world.shape == (50_000, 4, 4)
    assert time.monotonic() - started < 15  # 1 on one quiet core


def test_it_needs_no_torch() -> None:
    program = "import sys, dnerf_core.files.camera_files.dataset_cameras\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_is_read_stays(tmp_path: Path) -> None:
    found: DatasetCameras = read_dataset_cameras(write(tmp_path / "dataset.json", GOOD))
    with pytest.raises(ValueError, match="read-only"):
        found.cam2world[0] = 0
