"""Pose: the armature that moves the subject, and which of its bones turns which joint."""

import bpy

from ..model_facts import moves
from ..posing.driver import lost_armature
from ..posing.rows import loose_joints
from .base import SubPanel
from .fitting import draw_text

LISTED_ROWS = 6


class DNERF_UL_joints(bpy.types.UIList):
    """Joints of the model's body, each with the bone that turns it."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flags: int = 0,
    ) -> None:
        split = layout.split(factor=0.42)
        split.label(text=item.name, icon="BLANK1" if item.bone else "UNLINKED", translate=False)
        armature = data.pose_armature
        if armature is not None:
            split.prop_search(item, "bone", armature.data, "bones", text="")


class DNERF_PT_pose(SubPanel, bpy.types.Panel):
    bl_label = "Pose"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return moves(context.scene)

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        armature, lost = settings.pose_armature, lost_armature(context.scene)
        layout.prop(settings, "pose_armature", text="")
        if lost:
            draw_text(layout, context, f"{lost} is in the scene no more: choose another armature", "ERROR")
            layout.operator("dnerf.rest_pose", icon="LOOP_BACK")
        if armature is None or lost:
            layout.operator("dnerf.add_person", text="Add the Model's Own", icon="OUTLINER_OB_ARMATURE")
        else:
            layout.prop(settings, "pose_object_motion")
            draw_map(layout, context, armature)


def draw_map(layout: bpy.types.UILayout, context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """The joints with their bones, and what is missing."""
    settings = context.scene.dnerf
    layout.operator("dnerf.match_bones", icon="FILE_REFRESH")
    layout.template_list(
        "DNERF_UL_joints", "", settings, "pose_rows", settings, "pose_row_index", rows=LISTED_ROWS, maxrows=LISTED_ROWS
    )
    if 0 <= settings.pose_row_index < len(settings.pose_rows):
        item = settings.pose_rows[settings.pose_row_index]
        column = layout.column(align=True)
        column.enabled = bool(item.bone)
        column.prop_search(item, "second", armature.data, "bones", text="with")
        if item.second:
            column.prop(item, "share", slider=True)
    if loose := loose_joints(context.scene):
        draw_text(layout, context, f"{loose}. They follow the joint above.", "INFO")


CLASSES = (DNERF_UL_joints, DNERF_PT_pose)
