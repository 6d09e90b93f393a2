"""Cameras of the engine put into a scene: one object each, or one that moves along them."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import mathutils
import numpy as np

from dnerf_core.camera import BlenderLens, Camera, WorldUp

from .errors import SceneError
from .placed import note_placed, own_collection, placed_before, replace_placed
from .subject import RootTransform, root_transform, subject_root, update


def place_cameras(
    scene: bpy.types.Scene,
    cameras: Sequence[Camera],
    names: Sequence[str],
    collection_name: str,
    size_px: int,
    *,
    world_up: WorldUp,
) -> list[bpy.types.Object]:
    """One camera object each, below the scene's root, in a collection of that name; those placed there before are replaced.

    Those that have been changed since, and duplicates, stay, see `placed`. The scene's render size becomes `size_px` squared, its
    percentage 100, its pixel aspect the cameras'. The first becomes the scene's active camera.

    Raises:
        SceneError: not one name a camera, no cameras, cameras of several pixel aspects, or a root that is no place.
        UsageError: a camera that Blender cannot hold, such as one with skew.
    """
    if len(names) != len(cameras):
        raise SceneError(f"names: expected {len(cameras)}, one a camera, found {len(names)}; give every camera its own")
    lenses = _lenses(cameras, size_px)
    root, place = _root(scene)
    before = placed_before(scene, collection_name)
    collection = own_collection(scene, collection_name)
    placed = []
    for camera, lens, name in zip(cameras, lenses, names, strict=True):
        item = _new_camera(name, root)
        collection.objects.link(item)
        _set_lens(item.data, lens)
        _set_sizes(item.data, camera, place.scale)
        item.matrix_basis = mathutils.Matrix(camera.to_blender_matrix(world_up).tolist())
        placed.append(item)
    replace_placed(before, names, placed)
    _set_render(scene, lenses[0])
    scene.camera = placed[0]
    update(scene)
    note_placed(scene, collection_name, collection, names, placed)
    return placed


def animate_camera(
    scene: bpy.types.Scene,
    cameras: Sequence[Camera],
    first_frame: int,
    name: str,
    size_px: int,
    *,
    world_up: WorldUp,
) -> bpy.types.Object:
    """One camera that is at `cameras` on the frames from `first_frame` on, with a curve along its way that is not rendered.

    Replaces the one of that name made before, unless it has been changed since, see `placed`. The scene's render size, frame range and
    active camera become its own.

    Raises:
        SceneError, UsageError: as `place_cameras`.
    """
    lenses = _lenses(cameras, size_px)
    root, place = _root(scene)
    before = placed_before(scene, name)
    item = _new_camera(name, root)
    scene.collection.objects.link(item)
    _set_sizes(item.data, cameras[0], place.scale)
    item.rotation_mode = "QUATERNION"
    turn: mathutils.Quaternion | None = None
    lens_moves = any(lens != lenses[0] for lens in lenses)
    for frame, (camera, lens) in enumerate(zip(cameras, lenses, strict=True), start=first_frame):
        item.location, rotation, _ = mathutils.Matrix(camera.to_blender_matrix(world_up).tolist()).decompose()
        if turn is not None and turn.dot(rotation) < 0:
            rotation.negate()  # the same turn, on the near side of the last one: between frames the camera takes the short way
        item.rotation_quaternion = turn = rotation
        _set_lens(item.data, lens)
        item.keyframe_insert("location", frame=frame)
        item.keyframe_insert("rotation_quaternion", frame=frame)
        for path in ("lens", "shift_x", "shift_y") if lens_moves else ():
            item.data.keyframe_insert(path, frame=frame)
    names, things = (name, f"{name} path"), (item, _add_path(scene, cameras, name, root, world_up))
    replace_placed(before, names, things)
    _set_render(scene, lenses[0])
    scene.frame_start, scene.frame_end = first_frame, first_frame + len(cameras) - 1
    scene.camera = item
    scene.frame_set(first_frame)
    note_placed(scene, name, scene.collection, names, things)
    return item


def _lenses(cameras: Sequence[Camera], size_px: int) -> list[BlenderLens]:
    lenses = [camera.to_blender_lens(size_px) for camera in cameras]
    if not lenses:
        raise SceneError("cameras: expected one at least, found none; ask for one view or more")
    for index, lens in enumerate(lenses):
        if not np.allclose(lens.pixel_aspect, lenses[0].pixel_aspect, rtol=1e-6):
            raise SceneError(
                f"cameras: expected one pixel aspect, which is the scene's, found {lenses[0].pixel_aspect} and, for camera {index}, "
                f"{lens.pixel_aspect}; place them in scenes of their own"
            )
    return lenses


def _root(scene: bpy.types.Scene) -> tuple[bpy.types.Object, RootTransform]:
    root = subject_root(scene)
    assert root is not None
    update(scene)
    return root, root_transform(root)


def _new_camera(name: str, root: bpy.types.Object) -> bpy.types.Object:
    item = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    item.parent = root
    return item


def _set_lens(data: bpy.types.Camera, lens: BlenderLens) -> None:
    data.lens, data.sensor_fit = lens.lens_mm, lens.sensor_fit
    data.sensor_width, data.sensor_height = lens.sensor_width_mm, lens.sensor_height_mm
    data.shift_x, data.shift_y = lens.shift_x, lens.shift_y


def _set_sizes(data: bpy.types.Camera, camera: Camera, scale: float) -> None:
    """The drawn size and the clipping by how far the camera is from the subject, in Blender's world."""
    distance = scale * float(np.linalg.norm(camera.position))
    data.display_size = 0.15 * distance
    data.clip_start, data.clip_end = 0.001 * distance, 100.0 * distance


def _set_render(scene: bpy.types.Scene, lens: BlenderLens) -> None:
    render = scene.render
    render.resolution_x, render.resolution_y = lens.size_px
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect


def _add_path(
    scene: bpy.types.Scene, cameras: Sequence[Camera], name: str, root: bpy.types.Object, world_up: WorldUp
) -> bpy.types.Object:
    data = bpy.data.curves.new(f"{name} path", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(len(cameras) - 1)
    at = np.ones((len(cameras), 4), np.float32)
    at[:, :3] = [camera.to_blender_matrix(world_up)[:3, 3] for camera in cameras]
    spline.points.foreach_set("co", at.ravel())
    path = bpy.data.objects.new(data.name, data)
    path.parent = root
    path.hide_render = True
    path.hide_select = True
    scene.collection.objects.link(path)
    return path
