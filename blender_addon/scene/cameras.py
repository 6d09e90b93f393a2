"""Blender's cameras as the engine's, and the engine's as Blender's.

Convention: poses are those of the subject's own world, see `subject`. A camera read at a moved, turned or uniformly scaled root
sees the subject as the engine's camera sees its world.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import BlenderLens, Camera, Float64Array, WorldUp
from dnerf_core.errors import UsageError

from .errors import SceneError
from .frames import read_at_frames
from .rigs import animate_camera, place_cameras
from .subject import root_transform, subject_root, update

__all__ = [
    "ScenePose",
    "SquareView",
    "animate_camera",
    "place_cameras",
    "read_camera",
    "read_frame",
    "read_frames",
    "square_view",
]


@dataclass(frozen=True, eq=False)
class ScenePose:
    """What a Blender camera sees the subject with.

    Attributes:
        camera: in the model's world; its intrinsics are normalised by `width_px` and `height_px`.
        width_px, height_px: the scene's render size, percentage applied.
        name: the camera object's, or the frame's, such as `f0012`.
    """

    camera: Camera
    width_px: int
    height_px: int
    name: str


@dataclass(frozen=True, eq=False)
class SquareView:
    """The square that the engine renders for a picture of any shape, and where in it the picture lies.

    Attributes:
        camera: the same pose; intrinsics normalised by `side_px`.
        side_px: the picture's longer side.
        left_px, top_px, width_px, height_px: the picture, in pixels of the square.
    """

    camera: Camera
    side_px: int
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def crop(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The picture [height, width, ..] of a channel [side, side, ..]."""
        if array.shape[:2] != (self.side_px, self.side_px):
            raise UsageError(
                f"view: expected {self.side_px} x {self.side_px} pixels, found {list(array.shape[:2])}; pass the square that was rendered"
            )
        return array[self.top_px : self.top_px + self.height_px, self.left_px : self.left_px + self.width_px]


def square_view(pose: ScenePose) -> SquareView:
    """The enclosing square of a picture: pixel (left + i, top + j) of the square is pixel (i, j) of the picture, ray for ray.

    A pixel keeps its shape: with a pixel aspect other than 1 the square's focal lengths differ too.
    """
    side = max(pose.width_px, pose.height_px)
    left, top = (side - pose.width_px) // 2, (side - pose.height_px) // 2
    pixels = pose.camera.pixel_intrinsics((pose.width_px, pose.height_px))
    pixels[0, 2] += left
    pixels[1, 2] += top
    intrinsics = np.diag([1.0 / side, 1.0 / side, 1.0]) @ pixels
    return SquareView(Camera(pose.camera.cam2world, intrinsics), side, left, top, pose.width_px, pose.height_px)


def read_camera(
    camera_object: bpy.types.Object,
    scene: bpy.types.Scene,
    *,
    world_up: WorldUp,
    root: bpy.types.Object | None = None,
) -> ScenePose:
    """What a camera sees the subject with, at the scene's current frame.

    Args:
        camera_object: a perspective camera: lens, sensor, sensor fit, shift; scale on it is dropped, as Blender drops it.
        scene: its render size, percentage and pixel aspect, and its subject.
        world_up: the model's (`CameraConfig.world_up`).
        root: the subject's place; None: the scene's own, or the world's origin where it has none.

    Raises:
        SceneError: no camera, one that is not perspective, a place that is no place, or a camera sheared by its parents.
    """
    update(scene)
    return _read(camera_object, scene, world_up, root)


def read_frames(
    scene: bpy.types.Scene,
    first: int,
    last: int,
    step: int = 1,
    *,
    world_up: WorldUp,
    root: bpy.types.Object | None = None,
) -> list[ScenePose]:
    """The active camera at every `step`-th frame, with all motion, and with markers that bind cameras. The scene's frame is restored.

    Raises:
        SceneError: as `read_camera`, with the frame named; no frames, or too many.
    """
    return read_at_frames(scene, first, last, step, lambda frame: read_frame(scene, frame, world_up=world_up, root=root))


def read_frame(scene: bpy.types.Scene, frame: int, *, world_up: WorldUp, root: bpy.types.Object | None = None) -> ScenePose:
    """The active camera at a frame that the scene has been set to.

    Raises:
        SceneError: as `read_camera`.
    """
    if scene.camera is None:  # which the frame's marker, if any, has set
        raise SceneError(f"expected an active camera in the scene {scene.name!r}, found none; set one")
    pose = _read(scene.camera, scene, world_up, root)
    return ScenePose(pose.camera, pose.width_px, pose.height_px, f"f{frame:04d}")


def _read(camera_object: bpy.types.Object, scene: bpy.types.Scene, world_up: WorldUp, root: bpy.types.Object | None) -> ScenePose:
    if camera_object is None or camera_object.type != "CAMERA":
        found = "none" if camera_object is None else f"{camera_object.name!r}, a {camera_object.type.lower()}"
        raise SceneError(f"camera: expected a camera object, found {found}; choose a camera")
    graph = scene.view_layers[0].depsgraph
    data = camera_object.data if graph is None else camera_object.evaluated_get(graph).data
    if data.type != "PERSP":
        raise SceneError(
            f"{camera_object.name}: expected a perspective camera, found {_TYPES.get(data.type, data.type.lower())}, which the "
            "engine cannot see through; set its lens type to Perspective"
        )
    render = scene.render
    width_px = max(1, render.resolution_x * render.resolution_percentage // 100)
    height_px = max(1, render.resolution_y * render.resolution_percentage // 100)
    place = root_transform(subject_root(scene, create=False) if root is None else root)
    local = np.linalg.inv(place.matrix) @ _world_matrix(camera_object, graph)
    try:
        lens = BlenderLens(
            data.lens,
            data.sensor_width,
            data.sensor_height,
            data.sensor_fit,
            data.shift_x,
            data.shift_y,
            (width_px, height_px),
            (render.pixel_aspect_x, render.pixel_aspect_y),
        )
        camera = Camera.from_blender(local, lens, world_up)
    except UsageError as error:
        raise SceneError(f"{camera_object.name}: {error}") from None
    return ScenePose(camera, width_px, height_px, camera_object.name)


_TYPES = {"ORTHO": "an orthographic one", "PANO": "a panoramic one", "CUSTOM": "one with a custom lens"}


def _world_matrix(item: bpy.types.Object, graph: bpy.types.Depsgraph | None) -> Float64Array:
    return np.array((item if graph is None else item.evaluated_get(graph)).matrix_world, dtype=np.float64)
