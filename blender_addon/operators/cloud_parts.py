"""What is done with an imported cloud: its colours, its parts, its file."""

import bpy

from dnerf_core.errors import counted
from dnerf_core.files.whole import make_folder
from dnerf_core.labels import LabelSet

from ..interchange.axes import AXIS_ITEMS, export_frame_property
from ..interchange.exported_clouds import export_cloud
from ..places import PATH_OPTIONS, absolute_path, file_stem
from ..scene.clouds import (
    cloud_labels,
    hidden_parts,
    hide_part,
    is_cloud,
    select_part,
    separate_parts,
    set_shown,
)
from ..scene.errors import SceneError
from ..scene.subject import update
from ..scripting.parts import PartByName, part_id_named
from .base import LineOperator


class CloudOperator(LineOperator):
    """A `LineOperator` on the active object, which is a cloud."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_cloud(context.active_object):
            cls.poll_message_set("Select a fused point cloud")
            return False
        return True


class PartOperator(PartByName, CloudOperator):
    """A `CloudOperator` on one of its parts."""

    part_id: bpy.props.IntProperty(name="Part", min=0, max=254)

    def part_of(self, item: bpy.types.Object) -> int:
        """The id of the part that is meant.

        Raises:
            SceneError: the cloud has no labels.
            UsageError: no part of the name that was given.
        """
        return self.chosen_part(_labels_of(item), self.part_id)

    def report_count(self, item: bpy.types.Object, part_id: int, done: str, count: int) -> None:
        """Say how many points of which part."""
        self.report({"INFO"}, f"{_labels_of(item).names[part_id]}: {count:,} points {done}")


class DNERF_OT_select_part(PartOperator, bpy.types.Operator):
    """Select the points of the part, in edit mode"""

    bl_idname = "dnerf.select_part"
    bl_label = "Select Part"

    def act(self, context: bpy.types.Context) -> None:
        item = _in_object_mode(context)
        part_id = self.part_of(item)
        count = select_part(item, part_id)
        context.tool_settings.mesh_select_mode = (True, False, False)
        bpy.ops.object.mode_set(mode="EDIT")
        self.report_count(item, part_id, "selected", count)


class DNERF_OT_hide_part(PartOperator, bpy.types.Operator):
    """Hide the part, or show it again"""

    bl_idname = "dnerf.hide_part"
    bl_label = "Hide Part"

    def act(self, context: bpy.types.Context) -> None:
        item = _in_object_mode(context)
        part_id = self.part_of(item)
        hide = part_id not in hidden_parts(item)
        self.report_count(item, part_id, "hidden" if hide else "shown", hide_part(item, part_id, hide))


class DNERF_OT_separate_parts(CloudOperator, bpy.types.Operator):
    """Make an object of each part"""

    bl_idname = "dnerf.separate_parts"
    bl_label = "Separate by Part"

    def act(self, context: bpy.types.Context) -> None:
        parts = separate_parts(context.scene, _in_object_mode(context))
        for part in parts:
            part.select_set(True)
        context.view_layer.objects.active = parts[0]
        self.report({"INFO"}, counted(len(parts), "part"))


class DNERF_OT_cloud_colors(CloudOperator, bpy.types.Operator):
    """Show the cloud in its parts' colours, or in the pictures'"""

    bl_idname = "dnerf.cloud_colors"
    bl_label = "Part or Photo Colours"

    part_colors: bpy.props.BoolProperty(name="Part colours", default=True)

    def act(self, context: bpy.types.Context) -> None:
        set_shown(context.active_object, part_colors=self.part_colors)


class DNERF_OT_export_cloud(PartByName, CloudOperator, bpy.types.Operator):
    """Write the cloud to the file named above"""

    bl_idname = "dnerf.export_cloud"
    bl_label = "Export"
    bl_options = {"REGISTER"}

    frame: export_frame_property()
    forward_axis: bpy.props.EnumProperty(name="Forward", items=AXIS_ITEMS, default="Y")
    up_axis: bpy.props.EnumProperty(name="Up", items=AXIS_ITEMS, default="Z")
    output: bpy.props.StringProperty(
        name="File",
        description="A .ply or .npz file; left out: what the panel says",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE", *PATH_OPTIONS},
    )

    def act(self, context: bpy.types.Context) -> None:
        item = _in_object_mode(context)
        part_id = part_id_named(_labels_of(item), self.part) if self.part else None
        text = (self.output or context.scene.dnerf.export_path).replace("{cloud}", file_stem(item.name))
        path = absolute_path(text, "point cloud: export to")
        make_folder(path.parent)
        update(context.scene)
        axes = (self.forward_axis, self.up_axis) if self.frame == "SCENE" else None
        count = export_cloud(item, path, axes, part_id=part_id)
        self.report({"INFO"}, f"{count:,} points written to {path}")


def _labels_of(item: bpy.types.Object) -> LabelSet:
    labels = cloud_labels(item)
    if labels is None:
        raise SceneError(f"{item.name}: expected a cloud with labels, found one without; fuse views that have masks")
    return labels


def _in_object_mode(context: bpy.types.Context) -> bpy.types.Object:
    """The active object, out of the edit mode that Select Part leaves it in."""
    if context.active_object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    return context.active_object


CLASSES = (DNERF_OT_select_part, DNERF_OT_hide_part, DNERF_OT_separate_parts, DNERF_OT_cloud_colors, DNERF_OT_export_cloud)
