"""Cameras: frames, angles, rays and lenses worked by hand, against slow references, and against EG3D's published numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnerf_core.camera import (
    CONVENTION,
    BlenderLens,
    Camera,
    arc_cameras,
    cameras_from_json,
    cameras_to_json,
    eg3d_focal,
    eg3d_pitch_from_elevation,
    eg3d_sphere_camera,
    elevation_from_eg3d_pitch,
    focal_from_fov,
    intrinsics_from_focal,
    look_at,
    orbit_cameras,
    pixel_centers_uv,
    sphere_camera,
)
from dnerf_core.camera_arcs import arc_angles, sphere_angles
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import CameraConfig, preset

IDENTITY = Camera(np.eye(4), intrinsics_from_focal(1.0))
SKEWED = Camera(
    look_at((1.0, 2.0, 3.0), (0.1, -0.2, 0.3)),
    np.array([[1.5, 0.1, 0.45], [0.0, 2.0, 0.55], [0.0, 0.0, 1.0]]),
)
WORLD_UPS = ("y", "z")

yaws = st.floats(-7.0, 7.0)
pitches = st.floats(-math.pi / 2, math.pi / 2)


@st.composite
def cameras(draw: st.DrawFn, skew: bool = True) -> Camera:
    pose = sphere_camera(draw(yaws), draw(pitches), radius=draw(st.floats(0.5, 5.0)), pivot=(0.1, 0.2, 0.05), focal=1.0).cam2world
    focals, centers = st.floats(0.3, 8.0), st.floats(-0.3, 1.3)
    slant = draw(st.floats(-0.5, 0.5)) if skew else 0.0
    intrinsics = [[draw(focals), slant, draw(centers)], [0.0, draw(focals), draw(centers)], [0.0, 0.0, 1.0]]
    return Camera(pose, np.array(intrinsics))


# --- the published cameras


@pytest.fixture
def published(parity_dir: Path) -> list[dict[str, Any]]:
    """Poses and intrinsics that the released code printed."""
    entries: list[dict[str, Any]] = json.loads((parity_dir / "cameras.json").read_text("utf-8"))
    return entries


def test_sphere_camera_equals_the_published_one(published: list[dict[str, Any]]) -> None:
    assert len(published) == 15
    for entry in published:
        focal = eg3d_focal(entry["fov_deg"])
        camera = eg3d_sphere_camera(entry["yaw"], entry["pitch"], radius=entry["radius"], pivot=entry["pivot"], focal=focal)
        np.testing.assert_allclose(camera.cam2world.ravel(), entry["cam2world"], rtol=0.0, atol=1e-6)
        np.testing.assert_allclose(camera.intrinsics.ravel(), entry["intrinsics"], rtol=0.0, atol=1e-6)


@given(yaws, st.floats(-1.5, 1.5), st.floats(0.5, 5.0), st.sampled_from(WORLD_UPS))
def test_a_positions_angles_undo_the_sphere_camera(yaw_rad: float, pitch_rad: float, radius: float, world_up: Any) -> None:
    position = sphere_camera(yaw_rad, pitch_rad, radius=radius, focal=1.0, world_up=world_up).position
    yaw, pitch, distance = sphere_angles(position, world_up=world_up)
    assert math.isclose(math.remainder(yaw - yaw_rad, 2 * math.pi), 0.0, abs_tol=1e-9)
    assert math.isclose(pitch, pitch_rad, abs_tol=1e-9) and math.isclose(distance, radius)


def test_a_positions_angles_by_hand_and_without_a_direction() -> None:
    assert sphere_angles((2.0, 0.0, 0.0)) == (math.pi / 2, 0.0, 2.0)
    assert sphere_angles((0.0, -1.0, 0.0), world_up="z") == (0.0, 0.0, 1.0)
    assert sphere_angles((0.0, 3.0, 0.0)) == (0.0, math.pi / 2, 3.0)
    with pytest.raises(UsageError, match="position: expected a place off the world origin"):
        sphere_angles((0.0, 0.0, 0.0))


def test_published_pitch_read_as_an_angle_fails(published: list[dict[str, Any]]) -> None:
    entry = next(entry for entry in published if entry["pitch"] == -0.2)
    rig = {"radius": entry["radius"], "pivot": entry["pivot"], "focal": eg3d_focal(entry["fov_deg"])}
    truth = np.array(entry["cam2world"]).reshape(4, 4)
    for wrong_elevation in (entry["pitch"], -entry["pitch"]):
        wrong = sphere_camera(entry["yaw"], wrong_elevation, **rig)
        assert np.abs(wrong.cam2world - truth).max() > 0.05
    right = sphere_camera(entry["yaw"], elevation_from_eg3d_pitch(entry["pitch"]), **rig)
    assert np.abs(right.cam2world - truth).max() < 1e-6


def test_geometric_focal_is_not_the_published_one(published: list[dict[str, Any]]) -> None:
    entry = published[0]
    geometric = focal_from_fov(math.radians(entry["fov_deg"]))
    assert abs(geometric - entry["intrinsics"][0]) > 1.0
    assert abs(geometric / entry["intrinsics"][0] - 1.414 / 2) < 1e-5


def test_elevation_and_published_pitch_by_hand() -> None:
    assert elevation_from_eg3d_pitch(0.0) == 0.0
    assert elevation_from_eg3d_pitch(-math.pi / 4) == pytest.approx(math.pi / 6)  # asin(1/2): above
    assert elevation_from_eg3d_pitch(math.pi / 2) == pytest.approx(-math.pi / 2)
    assert eg3d_pitch_from_elevation(math.pi / 6) == pytest.approx(-math.pi / 4)


@given(pitches)
def test_elevation_round_trip(elevation: float) -> None:
    # asin loses half the digits near the poles.
    assert elevation_from_eg3d_pitch(eg3d_pitch_from_elevation(elevation)) == pytest.approx(elevation, abs=3e-8)


def test_focals_by_hand() -> None:
    assert focal_from_fov(math.pi / 2) == pytest.approx(0.5)  # tan 45 degrees = 1
    assert eg3d_focal(90.0) == pytest.approx(1 / 1.414, rel=1e-5)
    assert eg3d_focal(18.837) == pytest.approx(4.26339, abs=1e-5)
    for wrong in (0.0, -1.0, 180.0, math.nan):
        with pytest.raises(UsageError, match="between 0 and 180 degrees"):
            eg3d_focal(wrong)
        with pytest.raises(UsageError, match="between 0 and 180 degrees"):
            focal_from_fov(math.radians(wrong))


# --- what a camera is


def _pose(**changes: Any) -> Any:
    pose = np.eye(4)
    for place, value in changes.items():
        pose[int(place[1]), int(place[2])] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.eye(3), "cam2world: expected shape [4, 4], found [3, 3]"),
        ([[1, 2], [3]], "cam2world: expected numbers in shape [4, 4]"),
        ([["1"] * 4] * 4, "cam2world: expected numbers in shape [4, 4]"),
        (_pose(m03=math.nan), "cam2world: expected finite numbers, found nan at [0, 3]"),
        (_pose(m11=math.inf), "cam2world: expected finite numbers, found inf at [1, 1]"),
        (_pose(m30=1.0), "cam2world: expected last row [0, 0, 0, 1]"),
        (_pose(m33=2.0), "cam2world: expected last row [0, 0, 0, 1]"),
        (_pose(m00=1.001), "cam2world: expected orthonormal axes within 0.0001, found an error of 0.002"),
        (_pose(m01=0.01), "cam2world: expected orthonormal axes"),
        (_pose(m22=-1.0), "cam2world: expected a right-handed rotation"),
    ],
)
def test_bad_poses_are_refused_in_one_line(pose: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Camera(pose, np.eye(3))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("intrinsics", "message"),
    [
        (np.eye(4), "intrinsics: expected shape [3, 3], found [4, 4]"),
        (np.eye(3).T * math.nan, "intrinsics: expected finite numbers"),
        ([[1, 0, 0.5], [0, 0, 0.5], [0, 0, 1]], "intrinsics: expected focal lengths above 0, found fx 1 and fy 0"),
        ([[-1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], "intrinsics: expected focal lengths above 0, found fx -1"),
        ([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 1]], "intrinsics: expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]"),
        ([[1, 0, 0], [0.1, 1, 0], [0, 0, 1]], "intrinsics: expected [[fx, skew, cx]"),
    ],
)
def test_bad_intrinsics_are_refused_in_one_line(intrinsics: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Camera(np.eye(4), intrinsics)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_camera_keeps_its_own_read_only_copy() -> None:
    pose = np.eye(4)
    camera = Camera(pose, np.eye(3))
    pose[0, 3] = 5.0
    assert camera.position[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        camera.cam2world[0, 3] = 1.0
    with pytest.raises(AttributeError):
        camera.cam2world = pose  # type: ignore[misc]


def test_float32_poses_count_as_rotations() -> None:
    Camera(SKEWED.cam2world.astype(np.float32), SKEWED.intrinsics.astype(np.float32))


@given(cameras())
def test_json_keeps_every_bit(camera: Camera) -> None:
    back = Camera.from_json(json.loads(json.dumps(camera.to_json())))
    assert back.cam2world.tobytes() == camera.cam2world.tobytes()
    assert back.intrinsics.tobytes() == camera.intrinsics.tobytes()


def test_conditioning_is_row_major() -> None:
    numbers = SKEWED.conditioning()
    assert numbers.dtype == np.float32 and numbers.shape == (25,)
    np.testing.assert_array_equal(numbers[[3, 7, 11]], np.array([1.0, 2.0, 3.0], np.float32))  # the position: last column
    np.testing.assert_array_equal(numbers[16:], np.array([1.5, 0.1, 0.45, 0, 2, 0.55, 0, 0, 1], np.float32))
    np.testing.assert_array_equal(Camera.from_conditioning(numbers).conditioning(), numbers)
    with pytest.raises(UsageError, match=r"conditioning: expected shape \[25\], found \[24\]"):
        Camera.from_conditioning(numbers[:24])


# --- pixels, rays, points


def test_pixel_centres_and_intrinsics_by_hand() -> None:
    uv = pixel_centers_uv((4, 2))
    assert uv.shape == (2, 4, 2)
    assert uv[0, 0].tolist() == [0.125, 0.25] and uv[1, 3].tolist() == [0.875, 0.75]
    pixels = SKEWED.pixel_intrinsics((200, 100))
    np.testing.assert_allclose(pixels, [[300.0, 20.0, 90.0], [0.0, 200.0, 55.0], [0.0, 0.0, 1.0]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, (4,), (4, 0), "4"])
def test_bad_sizes_are_refused(size: Any) -> None:
    with pytest.raises(UsageError, match="size_px: expected a whole number above 0"):
        IDENTITY.rays(size)


def test_rays_by_hand() -> None:
    origins, directions = IDENTITY.rays(2)
    assert origins.shape == directions.shape == (2, 2, 3)
    corner = np.array([-0.25, -0.25, 1.0])  # centre (0.25, 0.25): left and up, and y points down
    np.testing.assert_allclose(directions[0, 0], corner / np.linalg.norm(corner), rtol=0, atol=1e-15)
    assert directions[0, 1, 0] > 0 and directions[1, 0, 1] > 0
    assert (origins == 0.0).all()


def test_rays_equal_the_skewed_formula_pixel_by_pixel() -> None:
    width, height = 5, 3
    (fx, s, cx), (_, fy, cy), _ = SKEWED.intrinsics.tolist()
    origins, directions = SKEWED.rays((width, height))
    for row in range(height):
        for column in range(width):
            u, v = (column + 0.5) / width, (row + 0.5) / height
            y = (v - cy) / fy
            in_camera = np.array([(u - cx) / fx - s * y / fx, y, 1.0])
            in_world = SKEWED.cam2world[:3, :3] @ in_camera
            np.testing.assert_allclose(directions[row, column], in_world / np.linalg.norm(in_world), rtol=0, atol=1e-14)
            np.testing.assert_array_equal(origins[row, column], SKEWED.position)


def test_projection_by_hand() -> None:
    uv, depth = IDENTITY.project([[0.0, 0.0, 2.0], [1.0, 0.5, 2.0], [1.0, 0.5, -2.0], [1.0, 0.5, 0.0]])
    assert uv[:2].tolist() == [[0.5, 0.5], [1.0, 0.75]]  # 0.5 + 1/2, 0.5 + 0.5/2
    assert depth.tolist() == [2.0, 2.0, -2.0, 0.0]
    assert np.isnan(uv[2:]).all()


@given(cameras(), st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5), st.floats(0.05, 20.0)), min_size=1, max_size=6))
def test_project_undoes_unproject(camera: Camera, seen: list[tuple[float, float, float]]) -> None:
    table = np.array(seen)
    uv, depth = camera.project(camera.unproject(table[:, :2], table[:, 2]))
    np.testing.assert_allclose(depth, table[:, 2], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(uv, table[:, :2], rtol=0, atol=1e-8)


def test_project_undoes_unproject_for_a_float32_pose() -> None:
    rough = Camera.from_conditioning(SKEWED.conditioning())
    uv, depth = rough.project(rough.unproject([[0.2, 0.9]], [3.0]))
    np.testing.assert_allclose(uv, [[0.2, 0.9]], rtol=0, atol=1e-13)
    np.testing.assert_allclose(depth, [3.0], rtol=1e-14)


def test_walking_along_rays_equals_unprojecting_planar_depth() -> None:
    distance = np.linspace(0.5, 4.0, 12).reshape(3, 4)
    origins, directions = SKEWED.rays((4, 3))
    planar = SKEWED.planar_from_ray_distance(distance)
    walked = origins + directions * distance[..., None]
    np.testing.assert_allclose(SKEWED.unproject(pixel_centers_uv((4, 3)), planar), walked, rtol=0, atol=1e-13)
    np.testing.assert_allclose(SKEWED.ray_distance_from_planar(planar), distance, rtol=1e-14)
    # The wrong reading, distance taken for depth, misses by more than rounding.
    assert np.abs(SKEWED.unproject(pixel_centers_uv((4, 3)), distance) - walked).max() > 0.05


def test_depth_conversion_by_hand() -> None:
    # The centre of a 1 x 1 image is the axis; of 2 x 2 with focal 1 it is (0.25, 0.25, 1) away from it.
    assert IDENTITY.planar_from_ray_distance(np.array([[3.0]])).tolist() == [[3.0]]
    far = np.full((2, 2), np.inf, dtype=np.float32)
    far[0, 0] = math.sqrt(1 + 2 * 0.25**2)
    planar = IDENTITY.planar_from_ray_distance(far)
    assert planar.dtype == np.float32 and planar[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert np.isposinf(planar.ravel()[1:]).all() and np.isposinf(IDENTITY.ray_distance_from_planar(far).ravel()[1:]).all()


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match=r"points_world: expected shape \[\.\.\., 3\], found \[4, 2\]"):
        IDENTITY.project(np.zeros((4, 2)))
    with pytest.raises(UsageError, match=r"depth_planar: expected shape \[4\] to go with uv, found \[3\]"):
        IDENTITY.unproject(np.zeros((4, 2)), np.ones(3))
    with pytest.raises(UsageError, match=r"select numpy\.isfinite\(depth_planar\) first"):
        IDENTITY.unproject(np.zeros((1, 2)), [math.inf])
    with pytest.raises(UsageError, match=r"ray_distance: expected floats \[H, W\], found int64 \[2, 2\]"):
        IDENTITY.planar_from_ray_distance(np.ones((2, 2), dtype=np.int64))


# --- OpenGL and Blender


def test_opengl_axes_by_hand() -> None:
    opengl = IDENTITY.to_opengl()
    assert opengl[:3, 0].tolist() == [1, 0, 0]  # right is right
    assert opengl[:3, 1].tolist() == [0, -1, 0]  # its up is the engine camera's -down
    assert opengl[:3, 2].tolist() == [0, 0, -1]  # its z points backwards


def test_engine_front_view_is_blenders_front_view() -> None:
    matrix = sphere_camera(0.0, 0.0, radius=2.0, focal=1.0).to_blender_matrix("y")
    # Blender's numpad-1 view: from -y, x right, z up; the camera looks down its -z, so its z axis points to -y.
    expected = [[1, 0, 0, 0], [0, 0, -1, -2], [0, 1, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-15)
    # The wrong reading, no world conversion, leaves the camera above the scene instead of in front of it.
    assert np.abs(sphere_camera(0.0, 0.0, radius=2.0, focal=1.0).to_blender_matrix("z") - expected).max() > 1.0


@given(yaws, pitches)
def test_the_same_angles_give_the_same_blender_camera_for_both_world_ups(yaw: float, pitch: float) -> None:
    in_y = sphere_camera(yaw, pitch, radius=1.7, pivot=(0.1, 0.2, 0.3), focal=1.0, world_up="y").to_blender_matrix("y")
    in_z = sphere_camera(yaw, pitch, radius=1.7, pivot=(0.1, -0.3, 0.2), focal=1.0, world_up="z").to_blender_matrix("z")
    np.testing.assert_allclose(in_y, in_z, rtol=0, atol=1e-12)


@given(cameras())
def test_opengl_round_trip(camera: Camera) -> None:
    back = Camera.from_opengl(camera.to_opengl(), camera.intrinsics)
    np.testing.assert_array_equal(back.cam2world, camera.cam2world)


@given(cameras(skew=False), st.sampled_from(WORLD_UPS), st.floats(0.1, 10.0))
def test_blender_round_trip_drops_object_scale(camera: Camera, world_up: Any, scale: float) -> None:
    lens = camera.to_blender_lens((300, 300))
    matrix = camera.to_blender_matrix(world_up)
    matrix[:3, :3] *= scale
    back = Camera.from_blender(matrix, lens, world_up)
    np.testing.assert_allclose(back.cam2world, camera.cam2world, rtol=0, atol=1e-12)
    np.testing.assert_allclose(back.intrinsics, camera.intrinsics, rtol=1e-12, atol=1e-12)


def test_matrices_that_are_no_cameras_are_refused() -> None:
    lens = BlenderLens(50.0)
    with pytest.raises(UsageError, match="matrix_world: expected a right-handed rotation"):
        Camera.from_blender(np.diag([-1.0, 1.0, 1.0, 1.0]), lens)
    with pytest.raises(UsageError, match="matrix_world: expected three axes"):
        Camera.from_blender(np.diag([0.0, 1.0, 1.0, 1.0]), lens)
    with pytest.raises(UsageError, match="world_up: expected 'y' or 'z', found 'x'"):
        Camera.from_blender(np.eye(4), lens, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lens", "fx", "fy", "cx", "cy"),
    [
        (BlenderLens(50.0, size_px=(512, 512)), 50 / 36, 50 / 36, 0.5, 0.5),
        # AUTO spans the longer side: the width of a wide image, the height of a tall one, with the sensor's width both times.
        (BlenderLens(50.0, size_px=(640, 480)), 50 / 36, 50 / 36 * 640 / 480, 0.5, 0.5),
        (BlenderLens(50.0, size_px=(480, 640)), 50 / 36 * 640 / 480, 50 / 36, 0.5, 0.5),
        (BlenderLens(50.0, sensor_fit="HORIZONTAL", size_px=(480, 640)), 50 / 36, 50 / 36 * 480 / 640, 0.5, 0.5),
        # VERTICAL alone reads the sensor's height.
        (BlenderLens(50.0, sensor_fit="VERTICAL", size_px=(640, 480)), 50 / 24 * 480 / 640, 50 / 24, 0.5, 0.5),
        # Shift moves the view right and up, so the axis falls left and down; both in units of the spanned width.
        (BlenderLens(36.0, shift_x=0.1, shift_y=0.2, size_px=(200, 100)), 1.0, 2.0, 0.4, 0.5 + 0.2 * 2),
        # Pixels twice as tall as wide make a square image tall: AUTO spans its height.
        (BlenderLens(36.0, size_px=(100, 100), pixel_aspect=(1.0, 2.0)), 2.0, 1.0, 0.5, 0.5),
    ],
)
def test_blender_lens_by_hand(lens: BlenderLens, fx: float, fy: float, cx: float, cy: float) -> None:
    expected = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(lens.intrinsics(), expected, rtol=1e-15, atol=1e-15)


sensors, shifts, sides = st.floats(5.0, 60.0), st.floats(-1.0, 1.0), st.integers(1, 4096)
aspects = st.one_of(
    st.just((1.0, 1.0)), st.tuples(st.floats(1.0, 20.0), st.just(1.0)), st.tuples(st.just(1.0), st.floats(1.0, 20.0))
)


def is_within_focal_limits(lens: BlenderLens) -> bool:
    """Whether a camera may have the lens: that of a picture of one pixel by a thousand may be out of any use, which is refused."""
    try:
        lens.intrinsics()
    except UsageError as error:
        assert "expected focal lengths from" in str(error)
        return False
    return True


@given(
    st.builds(
        BlenderLens,
        lens_mm=st.floats(1.01, 500.0),
        sensor_width_mm=sensors,
        sensor_height_mm=sensors,
        sensor_fit=st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"]),
        shift_x=shifts,
        shift_y=shifts,
        size_px=st.tuples(sides, sides),
        pixel_aspect=aspects,
    ).filter(is_within_focal_limits)
)
def test_blender_lens_round_trip(lens: BlenderLens) -> None:
    intrinsics = lens.intrinsics()
    camera = Camera(np.eye(4), intrinsics)
    back = camera.to_blender_lens(
        lens.size_px,
        sensor_fit=lens.sensor_fit,
        sensor_width_mm=lens.sensor_width_mm,
        sensor_height_mm=lens.sensor_height_mm,
    )
    np.testing.assert_allclose(back.intrinsics(), intrinsics, rtol=1e-12, atol=1e-12)
    numbers = np.array([(side.lens_mm, side.shift_x, side.shift_y, *side.pixel_aspect) for side in (lens, back)])
    np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-9, atol=1e-9)


def test_what_blender_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected no skew for Blender, found 0\.1"):
        SKEWED.to_blender_lens(64)
    with pytest.raises(UsageError, match="expected a lens of at least 1 mm"):
        IDENTITY.to_blender_lens(64, sensor_width_mm=0.5)
    with pytest.raises(UsageError, match="expected lens, sensor and pixel aspect above 0"):
        BlenderLens(0.0)
    with pytest.raises(UsageError, match="sensor_fit: expected AUTO, HORIZONTAL or VERTICAL, found 'FILL'"):
        BlenderLens(50.0, sensor_fit="FILL")  # type: ignore[arg-type]


# --- look-at and the sphere


def test_look_at_by_hand() -> None:
    pose = look_at((0.0, 0.0, 5.0), (0.0, 0.0, 0.0))
    assert pose.tolist() == [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]]


def test_look_at_refuses_what_has_no_answer() -> None:
    with pytest.raises(UsageError, match="expected a target away from the camera"):
        look_at((1, 2, 3), (1, 2, 3))
    with pytest.raises(UsageError, match="expected up across the line of sight"):
        look_at((0, 3, 0), (0, 0, 0))
    with pytest.raises(UsageError, match="expected an up direction"):
        look_at((0, 3, 0), (0, 0, 0), (0, 0, 0))


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "world_up", "position"),
    [
        (0, 0, "y", (0, 0, 1)),
        (90, 0, "y", (1, 0, 0)),
        (180, 0, "y", (0, 0, -1)),
        (0, 30, "y", (0, 0.5, math.sqrt(0.75))),
        (0, 90, "y", (0, 1, 0)),
        (0, 0, "z", (0, -1, 0)),
        (90, 0, "z", (1, 0, 0)),
        (0, 30, "z", (0, -math.sqrt(0.75), 0.5)),
        (0, -90, "z", (0, 0, -1)),
    ],
)
def test_sphere_positions_by_hand(yaw_deg: float, pitch_deg: float, world_up: Any, position: tuple[float, ...]) -> None:
    camera = sphere_camera(math.radians(yaw_deg), math.radians(pitch_deg), radius=1.0, focal=1.0, world_up=world_up)
    np.testing.assert_allclose(camera.position, position, rtol=0, atol=1e-12)


@given(yaws, pitches, st.sampled_from(WORLD_UPS))
def test_the_pivot_lands_in_the_middle_and_up_is_up(yaw: float, pitch: float, world_up: Any) -> None:
    pivot = np.array([0.05, -0.06, 0.2])
    camera = sphere_camera(yaw, pitch, radius=2.7, pivot=pivot, focal=4.2647, world_up=world_up)
    uv, depth = camera.project(pivot)
    np.testing.assert_allclose(uv, [0.5, 0.5], rtol=0, atol=1e-9)
    assert depth == pytest.approx(float(np.linalg.norm(camera.position - pivot)))
    assert np.linalg.norm(camera.position) == pytest.approx(2.7)
    up = np.eye(3)[1 if world_up == "y" else 2]
    assert camera.cam2world[:3, 1] @ up <= 1e-9  # the camera's down axis


@pytest.mark.parametrize("pole_deg", [90.0, -90.0])
@pytest.mark.parametrize("world_up", WORLD_UPS)
@pytest.mark.parametrize("height", [0.0, 0.3, 5.0])
def test_an_arc_reaches_a_pole_without_a_jump(pole_deg: float, world_up: Any, height: float) -> None:
    pivot = (0.0, height, 0.0) if world_up == "y" else (0.0, 0.0, height)
    rig: dict[str, Any] = {"radius": 1.7, "pivot": pivot, "focal": 1.0, "world_up": world_up}
    at_pole = sphere_camera(0.7, math.radians(pole_deg), **rig)
    near = sphere_camera(0.7, math.radians(pole_deg * (1 - 1e-6)), **rig)
    np.testing.assert_allclose(at_pole.cam2world, near.cam2world, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("angles", "changes", "message"),
    [
        ((0.0, 1.6), {}, "pitch_rad: expected an elevation of -90 to 90 degrees, found 91.6732"),
        ((0.0, math.nan), {}, "pitch_rad: expected an elevation of -90 to 90 degrees, found nan"),
        ((math.inf, 0.0), {}, "yaw_rad, radius: expected finite numbers, found inf"),
        ((0.0, 0.0), {"radius": 0.0}, "radius: expected a distance above 0, found 0.0"),
        ((0.0, 0.0), {"pivot": (0.0, 0.0, 1.0)}, "look_at: expected a target away from the camera"),
        ((0.0, 0.0), {"pivot": (0.0, 0.0)}, "pivot: expected shape [3], found [2]"),
        ((0.0, 0.0), {"focal": -1.0}, "intrinsics: expected focal lengths above 0"),
        ((0.0, 0.0), {"world_up": "Y"}, "world_up: expected 'y' or 'z', found 'Y'"),
    ],
)
def test_bad_rigs_are_refused(angles: tuple[float, float], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        sphere_camera(*angles, **{"radius": 1.0, "focal": 1.0, **changes})
    assert str(caught.value).startswith(message)


def test_published_pitch_has_limits() -> None:
    with pytest.raises(UsageError, match="expected -pi/2 to pi/2, found 2"):
        elevation_from_eg3d_pitch(2)


# --- arcs and orbits

FFHQ = preset("ffhq512-128").cameras
CARS = preset("shapenetcars128-64").cameras


def _yaws_deg(arc: list[Camera], up: str = "y") -> list[float]:
    front = [-camera.position[1] if up == "z" else camera.position[2] for camera in arc]
    return [math.degrees(math.atan2(camera.position[0], z)) for camera, z in zip(arc, front, strict=True)]


def _pitches_deg(arc: list[Camera], up: str = "y") -> list[float]:
    axis = 2 if up == "z" else 1
    return [math.degrees(math.asin(camera.position[axis] / float(np.linalg.norm(camera.position)))) for camera in arc]


def test_an_even_arc_includes_its_ends() -> None:
    arc = arc_cameras(FFHQ, yaw_deg=(-30, 30), pitch_deg=(0, 20), count=5)
    np.testing.assert_allclose(_yaws_deg(arc), [-30, -15, 0, 15, 30], rtol=0, atol=1e-9)
    np.testing.assert_allclose(_pitches_deg(arc), [0, 5, 10, 15, 20], rtol=0, atol=1e-9)
    assert [float(np.linalg.norm(camera.position)) for camera in arc] == pytest.approx([FFHQ.radius] * 5)
    assert arc[0].intrinsics[0, 0] == FFHQ.focal
    np.testing.assert_allclose(arc[2].project(FFHQ.pivot)[0], [0.5, 0.5], rtol=0, atol=1e-9)


def test_one_view_is_the_middle_of_the_arc() -> None:
    (only,) = arc_cameras(FFHQ, yaw_deg=(10, 30), pitch_deg=(-10, 20), count=1)
    assert _yaws_deg([only]) == pytest.approx([20]) and _pitches_deg([only]) == pytest.approx([5])


@pytest.mark.parametrize(("span", "step"), [((-180, 180), 90.0), ((0, 360), 90.0), ((360, 0), -90.0), ((0, 359), 359 / 3)])
def test_a_full_turn_does_not_repeat_its_start(span: tuple[float, float], step: float) -> None:
    turned = np.unwrap(_yaws_deg(arc_cameras(FFHQ, yaw_deg=span, count=4)), period=360)
    np.testing.assert_allclose(np.diff(turned), [step] * 3, rtol=0, atol=1e-9)


def test_the_configs_pitch_and_up_are_the_default() -> None:
    tilted = CameraConfig(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7, world_up="z", pitch_deg=25.0)
    arc = arc_cameras(tilted, count=3)
    assert _pitches_deg(arc, "z") == pytest.approx([25, 25, 25])
    assert _yaws_deg(arc, "z") == pytest.approx([-30, 0, 30])
    assert _pitches_deg(orbit_cameras(tilted, count=3), "z") == pytest.approx([25, 25, 25])


def test_gaussian_views_are_normal_about_the_middle_and_clipped() -> None:
    angles = arc_angles((10, 50), (0, 8), count=4000, mode="gaussian", rng=np.random.default_rng(0))
    draws = np.random.default_rng(0).standard_normal((4000, 2))
    np.testing.assert_allclose(angles, np.clip([30, 4] + draws * [40 / 4, 8 / 4], [10, 0], [50, 8]))
    assert (angles[:, 0] == 10).any()
    assert (angles[:, 0] == 50).any()


def test_random_views_lie_in_range_and_do_not_depend_on_the_count() -> None:
    ranges: dict[str, Any] = {"yaw_deg": (-40, 10), "pitch_deg": (5, 15), "mode": "random"}
    long = arc_cameras(CARS, count=200, rng=np.random.default_rng(3), **ranges)
    short = arc_cameras(CARS, count=7, rng=np.random.default_rng(3), **ranges)
    for one, other in zip(long, short, strict=False):
        np.testing.assert_array_equal(one.cam2world, other.cam2world)
    yaw, pitch = np.array(_yaws_deg(long, "z")), np.array(_pitches_deg(long, "z"))
    assert yaw.min() > -40 and yaw.max() < 10 and pitch.min() > 5 and pitch.max() < 15
    # Means of 200 uniform draws: 4 standard errors are 4 * 50 / sqrt(12 * 200) and a fifth of that.
    assert abs(yaw.mean() + 15) < 4.1 and abs(pitch.mean() - 10) < 0.82
    assert abs(np.corrcoef(yaw, pitch)[0, 1]) < 0.3


def test_an_orbit_starts_in_front_and_turns_towards_x() -> None:
    orbit = orbit_cameras(CARS, count=4, pitch_deg=10)
    np.testing.assert_allclose(np.unwrap(_yaws_deg(orbit, "z"), period=360), [0, 90, 180, 270], rtol=0, atol=1e-9)
    assert _pitches_deg(orbit, "z") == pytest.approx([10] * 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count: expected a whole number of views above 0, found 0"),
        ({"count": 2.0}, "count: expected a whole number of views above 0, found 2.0"),
        ({"count": 2, "yaw_deg": (0, math.nan)}, "yaw_deg: expected finite numbers, found nan"),
        ({"count": 2, "yaw_deg": 30}, "yaw_deg: expected shape [2], found []"),
        ({"count": 2, "pitch_deg": (0, 91)}, "pitch_deg: expected an elevation of -90 to 90 degrees, found 91"),
        ({"count": 2, "mode": "random"}, "rng: expected a numpy Generator for mode 'random', found None"),
        ({"count": 2, "mode": "spiral"}, "mode: expected 'even', 'random' or 'gaussian', found 'spiral'"),
    ],
)
def test_bad_arcs_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        arc_cameras(FFHQ, **options)
    assert str(caught.value).startswith(message)


def test_bad_orbits_are_refused() -> None:
    with pytest.raises(UsageError, match="count: expected a whole number of views above 0, found -1"):
        orbit_cameras(FFHQ, count=-1)


# --- the cameras file


def test_cameras_file_round_trip() -> None:
    arc = arc_cameras(FFHQ, count=3)
    data = cameras_to_json(arc)
    assert data["version"] == 1 and data["convention"] == CONVENTION
    back = cameras_from_json(json.dumps(data))
    assert list(back) == ["view_0000", "view_0001", "view_0002"]
    for camera, other in zip(arc, back.values(), strict=True):
        assert camera.cam2world.tobytes() == other.cam2world.tobytes()
    named = cameras_to_json(arc[:1], ["seed 3"])
    named["views"][0]["image"] = "images/3.png"  # a writer's own key
    assert list(cameras_from_json(named)) == ["seed 3"]


@pytest.mark.parametrize("names", [["a"], ["a", "a", "b"]])
def test_every_camera_needs_its_own_name(names: list[str]) -> None:
    with pytest.raises(UsageError, match="names: expected 3 different names"):
        cameras_to_json(arc_cameras(FFHQ, count=3), names)


def _file(*views: Any, **changes: Any) -> dict[str, Any]:
    return {"version": 1, "views": list(views), **changes}


GOOD = {"name": "a", **IDENTITY.to_json()}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{\n'", "c.json: expected JSON, found Expecting property name enclosed in double quotes at line 2"),
        ("[]", "c.json: expected a JSON object with views, found list"),
        ("{}", "c.json: version: expected 1, found None"),
        (_file(GOOD, version=2), "c.json: version: expected 1, found 2"),
        (_file(), "c.json: views: expected a list of at least one camera"),
        (_file(views="x"), "c.json: views: expected a list of at least one camera, found str"),
        (_file(3), "c.json: views[0]: expected an object with a name, found int"),
        (_file(GOOD, IDENTITY.to_json()), "c.json: views[1]: expected an object with a name, found dict"),
        (_file(GOOD, GOOD), "c.json: views[1]: expected a new name, found 'a' again"),
        (
            _file({"name": "a", "cam2world": []}),
            "c.json: views[0] 'a': expected the keys cam2world and intrinsics, missing intrinsics",
        ),
        (_file({**GOOD, "cam2world": [[1, 0], [0, 1]]}), "c.json: views[0] 'a': cam2world: expected shape [4, 4], found [2, 2]"),
        (_file({**GOOD, "intrinsics": None}), "c.json: views[0] 'a': intrinsics: expected numbers in shape [3, 3], found None"),
        (json.dumps(_file({**GOOD, "cam2world": [[math.nan] * 4] * 4})), "c.json: views[0] 'a': cam2world: expected finite"),
    ],
)
def test_bad_camera_files_are_refused_in_one_line(source: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        cameras_from_json(source, "c.json")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_camera_needs_an_object() -> None:
    with pytest.raises(UsageError, match="camera: expected a JSON object, found list"):
        Camera.from_json([])
