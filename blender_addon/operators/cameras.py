"""Cameras on arcs and orbits about the subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from dnerf_core.errors import counted

from .. import session
from ..model_facts import ModelFacts, known_facts, with_facts
from ..scene.frames import frames_between
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
    """One camera that moves along the path over the scene's frames, with a keyframe a frame and a visible path"""

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
    cameras, before = path_cameras(scene, facts), SceneState.read(scene)
    names = [f"dnerf {name}" for name in path_names(len(cameras))]
    size = path_size_px(scene, facts)
    placed = place_cameras(scene, cameras, names, COLLECTION_NAME, size, world_up=facts.cameras.world_up)
    results_arrived("Place Cameras")
    where = placed[0].users_collection[0].name
    session.current().finish(f"{counted(len(cameras), 'camera')} placed in {where!r}{before.changes(SceneState.read(scene))}")


def animate(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The path, from its beginning at the scene's first frame to its end at the last, as one camera that moves.

    Raises:
        SceneError: the scene has no frames, or too many.
    """
    first, last, shown = scene.frame_start, scene.frame_end, scene.frame_current
    before = SceneState.read(scene)
    cameras = path_cameras(scene, facts, len(frames_between(first, last)))
    item = animate_camera(scene, cameras, first, MOVING_NAME, path_size_px(scene, facts), world_up=facts.cameras.world_up)
    scene.frame_set(shown)
    results_arrived("Animate Camera")
    session.current().finish(f"{item.name!r} moves over frames {first} to {last}{before.changes(SceneState.read(scene))}")


@dataclass(frozen=True)
class SceneState:
    """What of a scene placing cameras changes, as texts by what it is."""

    facts: dict[str, str]

    @classmethod
    def read(cls, scene: bpy.types.Scene) -> SceneState:
        """As the scene is now."""
        render = scene.render
        return cls(
            {
                "render size": f"{render.resolution_x} x {render.resolution_y} px at {render.resolution_percentage}%",
                "pixel aspect": f"{render.pixel_aspect_x:g} : {render.pixel_aspect_y:g}",
                "active camera": "none" if scene.camera is None else repr(scene.camera.name),
            }
        )

    def changes(self, after: SceneState) -> str:
        """What the status line goes on with: what was changed, and from what."""
        changed = [f"{name} {after.facts[name]}, was {was}" for name, was in self.facts.items() if after.facts[name] != was]
        return f"; changed: {'; '.join(changed)}" if changed else ""


CLASSES = (DNERF_OT_place_cameras, DNERF_OT_animate_camera)
