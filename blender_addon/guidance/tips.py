"""What to do next while nothing has been made: the first steps, one after the other."""

from __future__ import annotations

import bpy

from ..scene.subject import ROOT_PROPERTY

SETUP = "Next: open the preferences, and press Create Environment there, or name a Python with the engine."
LOAD = "Next: choose a model below, and press Load Model."
PLACE = "Next: choose a subject by its seed, open Cameras below, and press Place Cameras."
MAKE = "Next: open Views and press Render Views, or open Point Cloud and press Fuse and Import."


def next_step(scene: bpy.types.Scene, *, has_engine: bool = True) -> str:
    """The tip for a scene; "": something has been made in it, and the user knows the way.

    Args:
        has_engine: whether a Python with the engine is known.
    """
    settings = scene.dnerf
    if settings.shown_views or len(settings.view_items) or len(settings.annotation_items):
        return ""
    placed = {item.type for item in scene.objects if item.parent is not None and ROOT_PROPERTY in item.parent}
    if placed & {"MESH", "ARMATURE"}:
        return ""
    if not settings.model_facts:
        return LOAD if has_engine else SETUP
    return MAKE if "CAMERA" in placed else PLACE
