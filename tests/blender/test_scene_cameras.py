"""Cameras in and out of a scene: lens, frames, the subject's place, squares, and what is refused."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import Camera, SensorFit, WorldUp, sphere_camera
from dnerf_core.errors import UsageError

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")
mathutils: Any = pytest.importorskip("mathutils")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402

from blender_addon.scene.cameras import (  # noqa: E402
    ScenePose,
    animate_camera,
    place_cameras,
    read_camera,
    read_frames,
    square_view,
)
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.subject import engine_to_root, root_transform, subject_root, update  # noqa: E402

POINTS = np.random.default_rng(3).uniform(-0.5, 0.5, (20, 3))


def arc(count: int = 4, world_up: WorldUp = "y", focal: float = 1.7) -> list[Camera]:
    return [
        sphere_camera(yaw, 0.3, radius=1.8, pivot=(0.0, 0.1, 0.0), focal=focal, world_up=world_up)
        for yaw in np.linspace(-0.6, 0.6, count)
    ]


def moved_root(scene: Any, scale: float = 2.5) -> Any:
    root = subject_root(scene)
    root.location, root.rotation_euler, root.scale = (1.0, -2.0, 0.5), (0.3, -0.4, 1.1), (scale,) * 3
    update(scene)
    return root


def seen_by_blender(scene: Any, item: Any, world_up: WorldUp) -> np.ndarray:
    """Where Blender itself sees POINTS of the engine's world, in pixels from the top left."""
    place = root_transform(subject_root(scene, create=False)).matrix @ engine_to_root(world_up)
    size = np.array([scene.render.resolution_x, scene.render.resolution_y]) * scene.render.resolution_percentage / 100
    found = []
    for point in POINTS @ place[:3, :3].T + place[:3, 3]:
        across, upwards, _ = world_to_camera_view(scene, item, mathutils.Vector(point))
        found.append((across, 1.0 - upwards) * size)
    return np.array(found)


def test_placed_cameras_read_back_as_they_were(scene: Any) -> None:
    for world_up in ("y", "z"):
        moved_root(scene)
        cameras = arc(world_up=world_up)
        placed = place_cameras(scene, cameras, [f"view {k}" for k in range(4)], "Arc", 96, world_up=world_up)
        for camera, item in zip(cameras, placed, strict=True):
            pose = read_camera(item, scene, world_up=world_up)
            assert (pose.width_px, pose.height_px, pose.name) == (96, 96, item.name)
            # float32 matrices through a root that is turned and scaled: measured 4e-7
            np.testing.assert_allclose(pose.camera.cam2world, camera.cam2world, rtol=0, atol=3e-6)
            np.testing.assert_allclose(pose.camera.intrinsics, camera.intrinsics, rtol=1e-6)


def test_placing_again_replaces_and_leaves_others_alone(scene: Any) -> None:
    own = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(own)
    place_cameras(scene, arc(4), list("abcd"), "Arc", 96, world_up="y")
    placed = place_cameras(scene, arc(2), list("ab"), "Arc", 96, world_up="y")
    assert sorted(item.name for item in scene.objects if item.type == "CAMERA") == ["a", "b", "mine"]
    assert [item.users_collection[0].name for item in placed] == ["Arc", "Arc"]
    assert len(bpy.data.cameras) == 3
    assert scene.camera == placed[0]


@pytest.mark.parametrize("world_up", ["y", "z"])
def test_any_lens_is_read_as_blender_sees_through_it(scene: Any, world_up: WorldUp) -> None:
    """To a tenth of a pixel, by Blender's own world_to_camera_view."""
    moved_root(scene)
    item = place_cameras(scene, arc(1, world_up), ["a"], "Arc", 100, world_up=world_up)[0]
    fits: tuple[SensorFit, ...] = ("AUTO", "HORIZONTAL", "VERTICAL")
    rng = np.random.default_rng(1)
    worst = 0.0
    for fit, size, aspect in itertools.product(fits, ((640, 480), (480, 640)), ((1.0, 1.0), (1.0, 1.7), (2.0, 1.0))):
        item.data.sensor_fit, item.data.lens = fit, 41.0
        item.data.sensor_width, item.data.sensor_height = 33.0, 21.0
        item.data.shift_x, item.data.shift_y = rng.uniform(-0.3, 0.3, 2).tolist()
        scene.render.resolution_x, scene.render.resolution_y = size
        scene.render.resolution_percentage = 50
        scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
        pose = read_camera(item, scene, world_up=world_up)
        assert (pose.width_px, pose.height_px) == (size[0] // 2, size[1] // 2)
        pixels = pose.camera.project(POINTS)[0] * (pose.width_px, pose.height_px)
        worst = max(worst, float(np.abs(pixels - seen_by_blender(scene, item, world_up)).max()))
    assert worst < 0.1, worst
    other: WorldUp = "z" if world_up == "y" else "y"
    wrong = read_camera(item, scene, world_up=other).camera.project(POINTS)[0] * (pose.width_px, pose.height_px)
    assert not np.abs(wrong - pixels).max() < 10.0  # the wrong axis is not a small error


def test_constraints_and_a_scaled_camera_are_honoured(scene: Any) -> None:
    target = bpy.data.objects.new("target", None)
    item = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
    for made in (target, item):
        scene.collection.objects.link(made)
    item.location, item.scale = (0.0, -3.0, 0.0), (2.0, 0.5, 3.0)
    item.constraints.new("TRACK_TO").target = target
    pose = read_camera(item, scene, world_up="z")
    np.testing.assert_allclose(pose.camera.forward, (0.0, 1.0, 0.0), atol=1e-6)
    assert subject_root(scene, create=False) is None


@pytest.mark.parametrize(("size", "aspect"), [((90, 50), (1.0, 1.0)), ((31, 64), (1.0, 1.0)), ((60, 60), (1.0, 1.5))])
def test_square_view_has_the_pictures_own_rays(size: tuple[int, int], aspect: tuple[float, float]) -> None:
    camera = Camera(arc(1)[0].cam2world, [[1.2, 0, 0.55], [0, 1.2 * size[0] / size[1] * aspect[0] / aspect[1], 0.4], [0, 0, 1]])
    square = square_view(ScenePose(camera, *size, "a"))
    assert square.side_px == max(size)
    rays = square.crop(square.camera.rays(square.side_px).directions)
    np.testing.assert_allclose(rays, camera.rays(size).directions, rtol=0, atol=1e-12)
    with pytest.raises(UsageError, match="pass the square that was rendered"):
        square.crop(np.zeros((3, 3)))


def test_animated_camera_frames_and_path(scene: Any) -> None:
    moved_root(scene)
    cameras = [
        sphere_camera(yaw, 0.2, radius=1.8, focal=focal)
        for yaw, focal in zip(np.linspace(0, 2 * math.pi, 12), np.linspace(1.5, 2.0, 12), strict=True)
    ]
    item = animate_camera(scene, cameras, 5, "Orbit", 64, world_up="y")
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (5, 16, 5)
    scene.frame_set(9)
    poses = read_frames(scene, 5, 16, world_up="y")
    assert scene.frame_current == 9
    assert [pose.name for pose in poses] == [f"f{frame:04d}" for frame in range(5, 17)]
    for pose, camera in zip(poses, cameras, strict=True):
        np.testing.assert_allclose(pose.camera.cam2world, camera.cam2world, rtol=0, atol=3e-6)
        np.testing.assert_allclose(pose.camera.intrinsics, camera.intrinsics, rtol=1e-6)
    turns = []
    for frame in np.linspace(5, 16, 45):
        scene.frame_set(int(frame), subframe=float(frame % 1))
        turns.append(np.array(item.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.to_quaternion()))
    steps = [2 * math.acos(min(1.0, abs(float(a @ b)))) for a, b in itertools.pairwise(turns)]
    assert max(steps) < 0.3  # no flip between keys: twelve keys round a circle are 0.57 radians apart, four steps a key
    path = scene.objects["Orbit path"]
    assert path.hide_render and len(path.data.splines[0].points) == 12
    animate_camera(scene, cameras[:3], 1, "Orbit", 64, world_up="y")
    assert sorted(item.name for item in scene.objects if item.type in ("CAMERA", "CURVE")) == ["Orbit", "Orbit path"]


def test_frames_follow_markers_that_bind_cameras(scene: Any) -> None:
    first, second = place_cameras(scene, arc(2), ["a", "b"], "Arc", 32, world_up="y")
    for frame, item in ((3, second), (6, first)):
        scene.timeline_markers.new("cut", frame=frame).camera = item
    scene.camera = first
    scene.frame_set(1)
    scene.camera = first
    poses = read_frames(scene, 1, 8, world_up="y")
    positions = np.array([pose.camera.position for pose in poses])
    expected = [arc(2)[k].position for k in (1, 1, 1, 1, 1, 0, 0, 0)]  # before the first marker its camera is active, too
    np.testing.assert_allclose(positions, expected, atol=1e-6)
    assert scene.camera == first and scene.frame_current == 1
    assert len(read_frames(scene, 1, 8, 3, world_up="y")) == 3


@pytest.mark.parametrize(("kind", "told"), [("ORTHO", "an orthographic one"), ("PANO", "a panoramic one")])
def test_other_lens_types_are_refused(scene: Any, kind: str, told: str) -> None:
    item = place_cameras(scene, arc(1), ["a"], "Arc", 32, world_up="y")[0]
    item.data.type = kind
    with pytest.raises(SceneError, match=rf"a: expected a perspective camera, found {told}.*Perspective"):
        read_camera(item, scene, world_up="y")
    with pytest.raises(SceneError, match=f"frame 2: a: .*{told}"):
        read_frames(scene, 2, 3, world_up="y")


def test_what_is_no_place_is_refused(scene: Any) -> None:
    item = place_cameras(scene, arc(1), ["a"], "Arc", 32, world_up="y")[0]
    root = subject_root(scene)
    for scale, told in (((1, 2, 1), "same scale"), ((-1, -1, -1), "mirrored"), ((0, 0, 0), "same scale")):
        root.scale = scale
        with pytest.raises(SceneError, match=told):
            read_camera(item, scene, world_up="y")
    root.scale = (1, 1, 1)
    with pytest.raises(SceneError, match="expected a camera object, found 'DatasetNeRF subject'"):
        read_camera(root, scene, world_up="y")
    scene.camera = None
    with pytest.raises(SceneError, match="frame 1: expected an active camera"):
        read_frames(scene, 1, 1, world_up="y")
    with pytest.raises(SceneError, match="expected 1 to 100000 of them, found 0"):
        read_frames(scene, 2, 1, world_up="y")
    with pytest.raises(SceneError, match="expected one at least"):
        place_cameras(scene, [], [], "Arc", 32, world_up="y")
    skewed = Camera(np.eye(4), [[1, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    with pytest.raises(SceneError, match="expected one pixel aspect"):
        place_cameras(scene, [arc(1)[0], skewed], ["a", "b"], "Arc", 32, world_up="y")


def test_reading_makes_nothing(scene: Any) -> None:
    item = place_cameras(scene, arc(1), ["a"], "Arc", 32, world_up="y")[0]
    before = [block.name for block in bpy.data.objects]
    read_camera(item, scene, world_up="y")
    assert [block.name for block in bpy.data.objects] == before
