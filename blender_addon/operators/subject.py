"""The subject's seed: next, previous, random; and its live preview."""

import random

import bpy

from dnerf_core.job_ranges import SEED

from ..ranged import MAX_INT

MAX_SEED = min(SEED.high or MAX_INT, MAX_INT)
RANDOM_BELOW = 100_000  # short enough to be written down


class DNERF_OT_step_seed(bpy.types.Operator):
    """Another subject"""

    bl_idname = "dnerf.step_seed"
    bl_label = "Step Seed"
    bl_options = {"REGISTER", "UNDO"}

    step: bpy.props.IntProperty(name="Step", default=1)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "The next subject" if properties.step > 0 else "The subject before"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.dnerf
        settings.seed = min(max(settings.seed + self.step, 0), MAX_SEED)
        return {"FINISHED"}


class DNERF_OT_random_seed(bpy.types.Operator):
    """Any subject"""

    bl_idname = "dnerf.random_seed"
    bl_label = "Random"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.dnerf.seed = random.randrange(RANDOM_BELOW)
        return {"FINISHED"}


class DNERF_OT_use_seed(bpy.types.Operator):
    """Go back from the subject file to the seed"""

    bl_idname = "dnerf.use_seed"
    bl_label = "Use the Seed"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.dnerf.subject_file = ""
        return {"FINISHED"}


class DNERF_OT_toggle_preview(bpy.types.Operator):
    """Show the subject over the viewport, from where you look, or no longer"""

    bl_idname = "dnerf.toggle_preview"
    bl_label = "Live Preview"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.dnerf
        settings.live_preview = not settings.live_preview
        return {"FINISHED"}


CLASSES = (DNERF_OT_step_seed, DNERF_OT_random_seed, DNERF_OT_use_seed, DNERF_OT_toggle_preview)
