"""Views, label video, point cloud, and labels of anything."""

import bpy

from ..icons import color_icon
from ..model_facts import moves
from ..presets.operators import draw_presets
from ..scene.cloud_display import draw_shown
from ..scene.clouds import cloud_labels, is_cloud, last_hidden, shows_parts
from ..scene.errors import SceneError
from .base import SubPanel
from .buttons import Button, draw_job_buttons
from .fitting import BOX_MARGIN_PX, draw_text
from .view_list import DNERF_UL_shown_views, draw_view_list


class DNERF_PT_views(SubPanel, bpy.types.Panel):
    bl_label = "Views"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw_presets(self.layout, "views")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "view_source")
        layout.prop(settings, "want_depth")
        layout.prop(settings, "views_folder")
        row = layout.row(align=True)
        row.prop(settings, "pack_views", toggle=True)
        part = row.row(align=True)
        part.enabled = settings.pack_views
        part.prop(settings, "want_overlay", toggle=True)
        draw_job_buttons(layout, context, Button("dnerf.render_views", icon="RENDER_STILL"))
        draw_view_list(layout, context)


class DNERF_PT_video(SubPanel, bpy.types.Panel):
    bl_label = "Label Video"

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        settings = scene.dnerf
        camera = "no active camera" if scene.camera is None else scene.camera.name
        draw_text(layout, context, f"frames {scene.frame_start} to {scene.frame_end}, {camera}")
        layout.prop(settings, "video_folder")
        layout.prop(settings, "into_sequencer")
        if settings.into_sequencer:
            layout.row().prop(settings, "edit_place", expand=True)
            if settings.edit_place == "SCENE":
                layout.prop(settings, "edit_renders")
        draw_job_buttons(layout, context, Button("dnerf.render_video", icon="RENDER_ANIMATION"))


class DNERF_PT_cloud(SubPanel, bpy.types.Panel):
    bl_label = "Point Cloud"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "cloud_source")
        if settings.cloud_source == "AROUND":
            layout.prop(settings, "cloud_views")
        layout.prop(settings, "cloud_points")
        layout.prop(settings, "cloud_painted")
        buttons = [Button("dnerf.fuse_cloud", icon="POINTCLOUD_DATA")]
        if settings.pose_armature is not None and moves(context.scene):
            buttons.append(Button("dnerf.fuse_frames", icon="RENDER_ANIMATION"))
        draw_job_buttons(layout, context, *buttons)
        draw_cloud_parts(layout, context)


def draw_cloud_parts(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The active cloud's buttons; nothing where the active object is no cloud."""
    item = context.active_object
    if not is_cloud(item):
        return
    box = layout.box()
    draw_text(box, context, item.name, "POINTCLOUD_DATA", BOX_MARGIN_PX)
    try:
        labels, in_parts = cloud_labels(item), shows_parts(item)
    except SceneError as error:  # a panel has nobody to raise it to
        draw_text(box, context, str(error), "ERROR", BOX_MARGIN_PX)
        return
    if labels is not None:
        row = box.row(align=True)
        row.operator("dnerf.cloud_colors", text="Part colours", depress=in_parts).part_colors = True
        row.operator("dnerf.cloud_colors", text="Photo colours", depress=not in_parts).part_colors = False
        column, hidden = box.column(align=True), last_hidden(item)
        for label in labels.labels[1:]:
            row = column.row(align=True)
            row.label(text=label.name, icon_value=color_icon(label.color), translate=False)
            row.operator("dnerf.select_part", text="", icon="RESTRICT_SELECT_OFF").part_id = label.id
            row.operator("dnerf.hide_part", text="", icon="HIDE_ON" if label.id in hidden else "HIDE_OFF").part_id = label.id
        box.operator("dnerf.separate_parts", icon="OUTLINER_OB_GROUP_INSTANCE")
    draw_shown(box.column(align=True), item)
    draw_export(box, context.scene.dnerf)


def draw_export(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Where the cloud is written, and in which axes."""
    layout.prop(settings, "export_path")
    layout.prop(settings, "export_frame")
    if settings.export_frame == "SCENE":
        layout.prop(settings, "export_forward")
        layout.prop(settings, "export_up")
    button = layout.operator("dnerf.export_cloud", icon="EXPORT")
    button.frame, button.forward_axis, button.up_axis = settings.export_frame, settings.export_forward, settings.export_up


class DNERF_PT_mesh(SubPanel, bpy.types.Panel):
    bl_label = "Mesh"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "mesh_color", text="")
        layout.prop(settings, "mesh_separate")
        draw_job_buttons(layout, context, Button("dnerf.import_mesh", icon="MESH_DATA"))


class DNERF_PT_segment(SubPanel, bpy.types.Panel):
    bl_label = "Segment"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "network_file")
        draw_job_buttons(layout, context, Button("dnerf.segment_selected", icon="MATERIAL"))


CLASSES = (DNERF_UL_shown_views, DNERF_PT_views, DNERF_PT_video, DNERF_PT_cloud, DNERF_PT_mesh, DNERF_PT_segment)
