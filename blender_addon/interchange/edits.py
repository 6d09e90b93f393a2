"""Which scene's edit gets a video's strips, so that colours are exact and what F12 renders stays the same unless that is asked for."""

from __future__ import annotations

from uuid import uuid4

import bpy

from ..scene.frames import frame_rate
from .strips import strips_of

EDIT_PROPERTY = "dnerf_edit_of"
"""On a scene that was made for an edit: the `edit_key` of the scene whose videos it has."""


def own_edit(scene: bpy.types.Scene, size_px: tuple[int, int]) -> bpy.types.Scene:
    """The scene that has the edit of a scene's videos, whatever both are called by now; made where there is none.

    It shows colours as the files have them (view transform Standard), while the scene's own view transform, such as AgX, would change them.

    Args:
        size_px: of the videos, width and height.
    """
    settings = scene.dnerf
    found = next((edit for edit in bpy.data.scenes if settings.edit_key and edit.get(EDIT_PROPERTY) == settings.edit_key), None)
    if found is not None and found != scene:
        found.frame_start, found.frame_end = min(found.frame_start, scene.frame_start), max(found.frame_end, scene.frame_end)
        return found
    settings.edit_key = uuid4().hex
    edit = bpy.data.scenes.new(f"{scene.name} edit")
    edit[EDIT_PROPERTY] = settings.edit_key
    render = edit.render
    render.fps, render.fps_base = scene.render.fps, scene.render.fps_base
    render.resolution_x, render.resolution_y = size_px
    render.dither_intensity = 0.0  # or what is rendered of the edit has other colours, by one
    edit.frame_start, edit.frame_end, edit.frame_current = scene.frame_start, scene.frame_end, scene.frame_start
    edit.view_settings.view_transform = "Standard"
    return edit


def takes_rate(edit: bpy.types.Scene, scene: bpy.types.Scene) -> bool:
    """Whether frames of both last as long: a strip of another rate would be longer or shorter than its frames."""
    return frame_rate(edit) == frame_rate(scene)


def keep_render(scene: bpy.types.Scene) -> bool:
    """Let the scene render what it renders now also with further strips; returns whether that is its edit, so that they have to be muted.

    An edit without pictures is not rendered by Blender, and one whose strips are all muted not by every version: one that has none yet is
    kept from being rendered by switching that off.
    """
    if not scene.render.use_sequencer:
        return False
    if any(strip.type != "SOUND" for strip in strips_of(scene)):
        return True
    scene.render.use_sequencer = False
    return False
