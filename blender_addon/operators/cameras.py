"""Cameras on arcs and orbits about the subject."""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy

from dnerf_core.errors import counted

from .. import session
from ..model_facts import ModelFacts, with_known_facts
from ..scene.frames import frames_between
from ..scene.rigs import animate_camera, place_cameras
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.path_options import CountOption, PathOptions
from ..scripting.subject_options import ModelOption
from ..scripting.which import own_model
from ..viewpoints import CameraPath, path_names
from .base import WaitingOperator, results_arrived

COLLECTION_NAME = "DatasetNeRF cameras"
MOVING_NAME = "DatasetNeRF camera"
LOADING = "Loading the model"


class DNERF_OT_place_cameras(scripted(ModelOption, PathOptions, CountOption), WaitingOperator, bpy.types.Operator):
    """Place one camera for each view of the path; those placed before are replaced, but not those that you have changed since"""

    bl_idname = "dnerf.place_cameras"
    bl_label = "Place Cameras"

    def act(self, context: bpy.types.Context) -> None:
        given = Given(self, context.scene.dnerf)
        path = path_given(context.scene, given)
        if given.has("views"):
            path = replace(path, count=given["views"])
        with_known_facts(context.scene, LOADING, lambda scene, facts: place(scene, facts, path), own_model(given))


class DNERF_OT_animate_camera(scripted(ModelOption, PathOptions), WaitingOperator, bpy.types.Operator):
    """One camera that moves along the path over the scene's frames, with a keyframe a frame and a visible path"""

    bl_idname = "dnerf.animate_camera"
    bl_label = "Animate Camera"

    def act(self, context: bpy.types.Context) -> None:
        given = Given(self, context.scene.dnerf)
        path = path_given(context.scene, given)
        with_known_facts(context.scene, LOADING, lambda scene, facts: animate(scene, facts, path), own_model(given))


def path_given(scene: bpy.types.Scene, given: Given) -> CameraPath:
    """The panel's path, or what a call with `PathOptions` gives of it."""
    path = CameraPath.of_panel(scene)
    return replace(
        path,
        kind=given["path"].upper() if given.has("path") else path.kind,
        yaw_deg=given["yaw"] if given.has("yaw") else path.yaw_deg,
        pitch_deg=given["pitch"] if given.has("pitch") else path.pitch_deg,
        size_px=given["resolution"] if given.has("resolution") else path.size_px,
    )


def place(scene: bpy.types.Scene, facts: ModelFacts, path: CameraPath) -> None:
    """The path's cameras, one object each."""
    cameras, before = path.cameras(facts), SceneState.read(scene)
    names = [f"dnerf {name}" for name in path_names(len(cameras))]
    size = path.side_px(facts)
    placed = place_cameras(scene, cameras, names, COLLECTION_NAME, size, world_up=facts.cameras.world_up)
    results_arrived("Place Cameras")
    where = placed[0].users_collection[0].name
    session.current().finish(f"{counted(len(cameras), 'camera')} placed in {where!r}{before.changes(SceneState.read(scene))}")


def animate(scene: bpy.types.Scene, facts: ModelFacts, path: CameraPath) -> None:
    """The path, from its beginning at the scene's first frame to its end at the last, as one camera that moves.

    Raises:
        SceneError: the scene has no frames, or too many.
    """
    first, last, shown = scene.frame_start, scene.frame_end, scene.frame_current
    before = SceneState.read(scene)
    cameras = replace(path, count=len(frames_between(first, last))).cameras(facts)
    item = animate_camera(scene, cameras, first, MOVING_NAME, path.side_px(facts), world_up=facts.cameras.world_up)
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
