"""The armature that moves the subject: its map, and the model's own skeleton as one."""

from pathlib import Path

import bpy
import numpy as np

from dnerf_core.errors import UsageError, counted

from .. import session
from ..lasting.identity import hold, window_showing
from ..model_facts import ModelFacts, is_panels, known_facts, with_facts
from ..places import pose_text
from ..posing.driver import driving_armature, lost_armature
from ..posing.rows import fill_rows
from ..scene.errors import SceneError
from ..scene.person import add_armature, key_motion
from ..scene.subject import engine_to_root, subject_root, update
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.shape_options import MotionOptions
from ..scripting.subject_options import ModelOption
from ..scripting.which import model_given
from .base import LineOperator, WaitingOperator, results_arrived

PERSON_NAME = "DatasetNeRF Person"
MOTION = "walk"
ADDING = "Adding the model's skeleton"


class DNERF_OT_match_bones(LineOperator, bpy.types.Operator):
    """Find a bone for each joint of the model's body, by the bones' names and what they are for"""

    bl_idname = "dnerf.match_bones"
    bl_label = "Match Bones"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        facts = known_facts(scene)
        if facts is None or facts.skeleton is None:
            raise UsageError("pose: expected a model whose subjects move, found none; choose one, and press Load Model")
        armature = driving_armature(scene, facts)
        if armature is None:
            raise UsageError("pose: expected an armature, found none; choose one in the panel Pose")
        session.current().say(fill_rows(scene, facts.skeleton, armature))


class DNERF_OT_rest_pose(bpy.types.Operator):
    """No armature moves the subject any more: it keeps its own pose"""

    bl_idname = "dnerf.rest_pose"
    bl_label = "Rest Pose"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.dnerf
        settings.pose_armature, settings.pose_armature_name = None, ""
        return {"FINISHED"}


class DNERF_OT_add_person(scripted(ModelOption, MotionOptions), WaitingOperator, bpy.types.Operator):
    """Add the skeleton of the chosen model's subjects as an armature that walks; it moves the subject if nothing else does"""

    bl_idname = "dnerf.add_person"
    bl_label = PERSON_NAME

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = Given(self, scene.dnerf)
        params = {"model": model_given(scene, given), "motion": pose_text(self.pose) if self.pose else MOTION}
        with_facts(scene, ADDING, lambda scene, facts: add_person(scene, facts, params), params["model"])


def add_person(scene: bpy.types.Scene, facts: ModelFacts, params: dict[str, str]) -> None:
    """The step of the job after the model is known: ask for the motion.

    Args:
        params: of the request.
    """
    if facts.skeleton is None:
        raise SceneError(f"model {facts.name}: expected one whose subjects move, found one whose do not; choose another model")
    held, skeleton = hold(scene), facts.skeleton
    turn = engine_to_root(facts.cameras.world_up)[:3, :3]

    def done(result: dict) -> None:
        found = held.needed()
        poses = session.current().array(result["poses"]).astype(np.float64).reshape(-1, len(skeleton.names) + 1, 3)
        root = subject_root(found)
        assert root is not None  # made where there was none
        heads = skeleton.scale * np.array(skeleton.joints) @ turn.T
        if not bpy.app.background and window_showing(found) is None:
            raise SceneError(f"{found.name}: expected the scene in a window, found others; show it, and add the person again")
        leave_modes()
        item, bones = add_armature(found, PERSON_NAME, skeleton.names, skeleton.parents, heads, root)
        poses = np.concatenate([poses, poses[:1]]) @ turn.T
        rate = found.render.fps / found.render.fps_base / result["fps"]
        frames = [found.frame_start + index * rate for index in range(len(poses))]
        key_motion(
            item, bones, poses[:, :-1], skeleton.scale * poses[:, -1], frames, f"{PERSON_NAME} {Path(params['motion']).stem}"
        )
        update(found)
        settings = found.dnerf
        moves = "walking" if params["motion"] == MOTION else f"moved by {Path(params['motion']).name}"
        line = f"{item.name}: {counted(len(bones), 'bone')}, {moves}"
        if is_panels(found, params["model"]) and (settings.pose_armature is None or lost_armature(found)):
            settings.pose_armature = item
            line += "; it moves the subject"
        results_arrived("Add Person")
        session.current().finish(line)

    session.current().continue_job("motion", params, done, title=ADDING)


def leave_modes() -> None:
    """Bones can be made only where nothing else is being edited."""
    if bpy.context.mode != "OBJECT":
        raise SceneError("Blender: expected Object Mode, found another; leave it, and repeat the step")


def draw_add_person(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In Add > Armature."""
    menu.layout.operator("dnerf.add_person", icon="OUTLINER_OB_ARMATURE")


def register() -> None:
    bpy.types.VIEW3D_MT_armature_add.append(draw_add_person)


def unregister() -> None:
    bpy.types.VIEW3D_MT_armature_add.remove(draw_add_person)


CLASSES = (DNERF_OT_match_bones, DNERF_OT_rest_pose, DNERF_OT_add_person)
