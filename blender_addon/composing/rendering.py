"""The artist's scene as one camera sees it, rendered by Blender in a copy of the scene, so that nothing of the scene's own is changed.

Two renders: the picture as the scene is set up, by its engine and through its view transform; and depth and indices by Cycles, one ray
a pixel through its centre, `RAYS_A_SIDE` times as wide and high. Both are without motion blur and depth of field, since the subject has
neither, and without the compositor and the sequencer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..scene.cameras import SquareView
from ..scene.clouds import is_cloud
from ..scene.errors import SceneError

RAYS_A_SIDE = 3
"""Rays a pixel, along each side, that tell how much of it the scene hides; odd, so that one goes through the centre."""
FINE_UP_TO_PX = 1024
"""Larger pictures have one ray a pixel: their edges are fine as they are."""
COPY_NAME = "DatasetNeRF composite"
_VISIBLE_TO = tuple(f"visible_{rays}" for rays in ("camera", "diffuse", "glossy", "transmission", "volume_scatter", "shadow"))


@dataclass(frozen=True)
class SceneFiles:
    """What has been rendered of the scene: the picture as PNG, and its passes as multilayer EXR."""

    picture: Path
    passes: Path


def check_renderable(scene: bpy.types.Scene) -> None:
    """Refuse a scene that cannot be rendered here.

    Raises:
        SceneError: Cycles is missing, no view layer is rendered, or Blender renders something else just now.
    """
    if not hasattr(scene, "cycles"):
        raise SceneError(
            "scene: expected Cycles for depth and labels, found it disabled; enable Cycles Render Engine in Preferences > Add-ons"
        )
    if not any(layer.use for layer in scene.view_layers):
        raise SceneError(f"scene {scene.name!r}: expected a view layer that is used for rendering, found none; switch one on")
    if bpy.app.is_job_running("RENDER"):
        raise SceneError("scene: expected Blender to have time for it, found it rendering; wait for that, or end it")


def render_scene(scene: bpy.types.Scene, camera: bpy.types.Object, square: SquareView, files: SceneFiles) -> None:
    """Render what a camera sees of the scene at its current frame, in the square that the engine renders. Blender hears no key meanwhile.

    Args:
        camera: gives the place and the clipping.
        square: gives the lens.

    Raises:
        SceneError: Blender cannot render it.
    """
    with _left_out(scene), _scene_copy(scene) as copy, _camera_copy(scene, copy, camera, square):
        _set_up(copy, square)
        _render_picture(copy, files.picture)
        _render_passes(copy, square.side_px, files.passes)


@contextmanager
def _left_out(scene: bpy.types.Scene) -> Iterator[None]:
    """Clouds that the extension has made stand for the subject, and are no part of the scene."""
    before = {
        item: {name: getattr(item, name) for name in ("hide_render", *_VISIBLE_TO)} for item in scene.objects if is_cloud(item)
    }
    try:
        for item in before:
            item.hide_render = True
            for name in _VISIBLE_TO:  # of clouds of every frame the other is animated
                setattr(item, name, False)
        yield
    finally:
        for item, values in before.items():
            for name, value in values.items():
                setattr(item, name, value)


@contextmanager
def _scene_copy(scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """A scene of the same objects, with settings and view layers of its own, which goes in the end."""
    copy = scene.copy()
    try:
        copy.name = COPY_NAME
        copy.animation_data_clear()  # or an animated setting would come back while it is rendered
        copy.timeline_markers.clear()  # which may name another camera
        yield copy
    finally:
        bpy.data.scenes.remove(copy)


@contextmanager
def _camera_copy(scene: bpy.types.Scene, copy: bpy.types.Scene, camera: bpy.types.Object, square: SquareView) -> Iterator[None]:
    """A camera at the same place whose picture is the square, as that of the copy."""
    graph = scene.view_layers[0].depsgraph
    seen = camera if graph is None else camera.evaluated_get(graph)
    data = bpy.data.cameras.new(COPY_NAME)
    try:
        lens = square.camera.to_blender_lens(square.side_px)
        data.lens, data.sensor_fit = lens.lens_mm, lens.sensor_fit
        data.sensor_width, data.sensor_height = lens.sensor_width_mm, lens.sensor_height_mm
        data.shift_x, data.shift_y = lens.shift_x, lens.shift_y
        data.clip_start, data.clip_end = seen.data.clip_start, seen.data.clip_end
        item = bpy.data.objects.new(COPY_NAME, data)
        item.matrix_world = seen.matrix_world
        copy.collection.objects.link(item)
        copy.camera = item
        copy.render.pixel_aspect_x, copy.render.pixel_aspect_y = lens.pixel_aspect
        yield
    finally:
        bpy.data.cameras.remove(data)  # and the object with it


def _set_up(copy: bpy.types.Scene, square: SquareView) -> None:
    """What both renders have."""
    render = copy.render
    render.resolution_x = render.resolution_y = square.side_px
    render.resolution_percentage = 100
    render.use_border = render.use_multiview = render.use_motion_blur = render.use_stamp = False
    render.use_compositing = render.use_sequencer = False
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = False
    first = next(layer for layer in copy.view_layers if layer.use)
    for layer in copy.view_layers:
        layer.use = layer == first


def _render_picture(copy: bpy.types.Scene, path: Path) -> None:
    image = copy.render.image_settings
    _set_format(image, "IMAGE", "PNG")
    image.color_mode, image.color_depth, image.color_management = "RGBA", "8", "FOLLOW_SCENE"
    _render(copy, path)


def _render_passes(copy: bpy.types.Scene, side_px: int, path: Path) -> None:
    render, cycles = copy.render, copy.cycles
    rays = RAYS_A_SIDE if side_px <= FINE_UP_TO_PX else 1
    render.resolution_x = render.resolution_y = rays * side_px
    render.engine = "CYCLES"
    render.use_freestyle = False
    cycles.device, cycles.samples, cycles.time_limit, cycles.max_bounces = "CPU", 1, 0.0, 0
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 0.01
    (layer,) = (layer for layer in copy.view_layers if layer.use)
    layer.samples = 0  # none of its own
    for name in (setting.identifier for setting in layer.bl_rna.properties):
        if name.startswith("use_pass_") and not layer.is_property_readonly(name):
            setattr(layer, name, name in ("use_pass_z", "use_pass_object_index", "use_pass_material_index"))
    image = render.image_settings
    _set_format(image, "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")
    image.color_depth, image.exr_codec = "32", "ZIP"
    _render(copy, path)


def _set_format(image: Any, media_type: str, file_format: str) -> None:
    if hasattr(image, "media_type"):  # from 5.0 on, where it decides which formats there are
        image.media_type = media_type
    image.file_format = file_format


def _render(copy: bpy.types.Scene, path: Path) -> None:
    """Render into a file."""
    copy.render.filepath = str(path)
    try:
        if bpy.app.background:
            bpy.ops.render.render(write_still=True, scene=copy.name)
        else:  # called by a timer, where no window is the current one
            with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
                bpy.ops.render.render(write_still=True, scene=copy.name)
    except RuntimeError as error:
        text = " ".join(str(error).split()).removeprefix("Error: ")
        raise SceneError(f"scene: expected Blender to render it, it says: {text}; see that F12 works") from error
    if not path.is_file():
        raise SceneError(f"scene: expected Blender's render in {path}, found none; see that F12 works, and repeat the step")
