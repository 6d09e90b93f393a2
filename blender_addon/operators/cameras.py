"""Cameras on arcs and orbits about the subject."""

from collections.abc import Callable

import bpy

from dnerf_core.errors import counted

from .. import session
from ..model_facts import ModelFacts, known_facts, with_facts
from ..scene.rigs import animate_camera, place_cameras
from ..viewpoints import path_cameras, path_names, path_size_px
from .base import JobOperator, results_arrived

COLLECTION_NAME = "DatasetNeRF cameras"
MOVING_NAME = "DatasetNeRF camera"


class DNERF_OT_place_cameras(JobOperator, bpy.types.Operator):
    """Place one camera for each view of the path; those placed before are replaced, but not those that you have changed since"""

    bl_idname = "dnerf.place_cameras"
    bl_label = "Place Cameras"

    def act(self, context: bpy.types.Context) -> None:
        _with_known_or_loaded_facts(context.scene, place)


class DNERF_OT_animate_camera(JobOperator, bpy.types.Operator):
    """One camera that moves along the path, with a keyframe a view and a visible path"""

    bl_idname = "dnerf.animate_camera"
    bl_label = "Animate Camera"

    def act(self, context: bpy.types.Context) -> None:
        _with_known_or_loaded_facts(context.scene, animate)


def _with_known_or_loaded_facts(scene: bpy.types.Scene, then: Callable[[bpy.types.Scene, ModelFacts], None]) -> None:
    """The worker is asked only where nothing is known of the model yet."""
    facts = known_facts(scene)
    if facts is None:
        with_facts(scene, "Loading the model", then)
    else:
        then(scene, facts)


def place(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The path's cameras, one object each."""
    cameras = path_cameras(scene, facts)
    names = [f"dnerf {name}" for name in path_names(len(cameras))]
    size = path_size_px(scene, facts)
    placed = place_cameras(scene, cameras, names, COLLECTION_NAME, size, world_up=facts.cameras.world_up)
    results_arrived("Place Cameras")
    session.current().finish(f"{counted(len(cameras), 'camera')} placed in {placed[0].users_collection[0].name!r}")


def animate(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The path's cameras as one that moves, from the scene's first frame on."""
    cameras = path_cameras(scene, facts)
    size = path_size_px(scene, facts)
    item = animate_camera(scene, cameras, scene.frame_start, MOVING_NAME, size, world_up=facts.cameras.world_up)
    results_arrived("Animate Camera")
    session.current().finish(f"{item.name!r} moves over frames {scene.frame_start} to {scene.frame_end}")


CLASSES = (DNERF_OT_place_cameras, DNERF_OT_animate_camera)
