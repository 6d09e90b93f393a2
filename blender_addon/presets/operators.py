"""Presets in menus: choose one, keep the settings as one, remove one."""

import bpy

from .. import session
from ..operators.base import LineOperator
from .groups import GROUPS
from .store import apply_preset, group_named, preset_names, remove_preset, save_preset

DIALOG_WIDTH_PX = 260


class PresetOperator(LineOperator):
    """A `LineOperator` on the presets of one group."""

    group: bpy.props.StringProperty(name="Settings", options={"HIDDEN"})
    name: bpy.props.StringProperty(name="Name")


class DNERF_OT_apply_preset(PresetOperator, bpy.types.Operator):
    """Set the settings as this preset says"""

    bl_idname = "dnerf.apply_preset"
    bl_label = "Apply Preset"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        apply_preset(context.scene.dnerf, group_named(self.group), self.name)
        session.redraw()


class DNERF_OT_save_preset(PresetOperator, bpy.types.Operator):
    """Keep these settings as a preset of your own; one of the same name is replaced"""

    bl_idname = "dnerf.save_preset"
    bl_label = "Save Preset"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH_PX)

    def act(self, context: bpy.types.Context) -> None:
        path = save_preset(context.scene.dnerf, group_named(self.group), self.name)
        self.report({"INFO"}, f"preset {path.stem!r} saved")


class DNERF_OT_remove_preset(PresetOperator, bpy.types.Operator):
    """Delete this preset of your own"""

    bl_idname = "dnerf.remove_preset"
    bl_label = "Remove Preset"

    def act(self, context: bpy.types.Context) -> None:
        remove_preset(group_named(self.group), self.name)
        self.report({"INFO"}, f"preset {self.name!r} removed")


class PresetMenu:
    """A group's presets: those that come with the extension, the user's, and what is done with these."""

    layout: bpy.types.UILayout
    group = ""

    def draw(self, context: bpy.types.Context) -> None:
        layout, group = self.layout, GROUPS[self.group]
        own = preset_names(group)
        for names in (list(group.brought), own):
            for name in names:
                button = layout.operator("dnerf.apply_preset", text=name, translate=False)
                button.group, button.name = group.name, name
            layout.separator()
        layout.operator("dnerf.save_preset", text="Save Preset...", icon="ADD").group = group.name
        for name in own:
            button = layout.operator("dnerf.remove_preset", text=f"Remove {name}", icon="REMOVE", translate=False)
            button.group, button.name = group.name, name


class DNERF_MT_presets_cameras(PresetMenu, bpy.types.Menu):
    bl_label = "Camera Presets"
    group = "cameras"


class DNERF_MT_presets_views(PresetMenu, bpy.types.Menu):
    bl_label = "View Presets"
    group = "views"


class DNERF_MT_presets_annotate(PresetMenu, bpy.types.Menu):
    bl_label = "Annotation Presets"
    group = "annotate"


class DNERF_MT_presets_data_set(PresetMenu, bpy.types.Menu):
    bl_label = "Data Set Presets"
    group = "data_set"


def draw_presets(layout: bpy.types.UILayout, group: str) -> None:
    """In a panel's header: the group's menu."""
    layout.emboss = "NONE"
    layout.menu(f"DNERF_MT_presets_{group}", text="", icon="PRESET")
    layout.separator(factor=0.5)


CLASSES = (
    DNERF_OT_apply_preset,
    DNERF_OT_save_preset,
    DNERF_OT_remove_preset,
    DNERF_MT_presets_cameras,
    DNERF_MT_presets_views,
    DNERF_MT_presets_annotate,
    DNERF_MT_presets_data_set,
)
