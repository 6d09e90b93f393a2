"""Views, label video, point cloud, and labels of anything."""

import bpy

from ..icons import color_icon
from ..model_facts import moves
from ..presets.operators import draw_presets
from ..scene.cloud_display import draw_shown
from ..scene.clouds import cloud_labels, is_cloud, last_hidden, shows_parts
from ..scene.errors import SceneError
from ..scene.views import IMAGE_PROPERTY
from .base import SubPanel, draw_text

MAX_LISTED = 12


class DNERF_PT_views(SubPanel, bpy.types.Panel):
    bl_label = "Views"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw_presets(self.layout, "views")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "view_source")
        row = layout.row(align=True)
        row.prop(settings, "want_overlay", toggle=True)
        row.prop(settings, "want_depth", toggle=True)
        layout.prop(settings, "views_folder")
        layout.operator("dnerf.render_views", icon="RENDER_STILL")
        images = [image for image in bpy.data.images if image.get(IMAGE_PROPERTY)]
        column = layout.column(align=True)
        for image in images[:MAX_LISTED]:
            column.operator("dnerf.show_image", text=image.name, icon="IMAGE_DATA", translate=False).image = image.name
        if len(images) > MAX_LISTED:
            column.label(text=f"and {len(images) - MAX_LISTED} more images")


class DNERF_PT_video(SubPanel, bpy.types.Panel):
    bl_label = "Label Video"

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        settings = scene.dnerf
        camera = "no active camera" if scene.camera is None else scene.camera.name
        layout.label(text=f"frames {scene.frame_start} to {scene.frame_end}, {camera}", translate=False)
        layout.prop(settings, "video_folder")
        layout.prop(settings, "into_sequencer")
        layout.operator("dnerf.render_video", icon="RENDER_ANIMATION")


class DNERF_PT_cloud(SubPanel, bpy.types.Panel):
    bl_label = "Point Cloud"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "cloud_source")
        if settings.cloud_source == "AROUND":
            layout.prop(settings, "cloud_views")
        layout.prop(settings, "cloud_points")
        layout.prop(settings, "cloud_painted")
        layout.operator("dnerf.fuse_cloud", icon="POINTCLOUD_DATA")
        if settings.pose_armature is not None and moves(context.scene):
            layout.operator("dnerf.fuse_frames", icon="RENDER_ANIMATION")
        draw_cloud_parts(layout, context)


def draw_cloud_parts(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The active cloud's buttons; nothing where the active object is no cloud."""
    item = context.active_object
    if not is_cloud(item):
        return
    box = layout.box()
    box.label(text=item.name, icon="POINTCLOUD_DATA", translate=False)
    try:
        labels, in_parts = cloud_labels(item), shows_parts(item)
    except SceneError as error:  # a panel has nobody to raise it to
        draw_text(box, context, str(error), "ERROR")
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
    box.prop(context.scene.dnerf, "export_path")
    box.operator("dnerf.export_cloud", icon="EXPORT")


class DNERF_PT_mesh(SubPanel, bpy.types.Panel):
    bl_label = "Mesh"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "mesh_color", text="")
        layout.prop(settings, "mesh_separate")
        layout.operator("dnerf.import_mesh", icon="MESH_DATA")


class DNERF_PT_segment(SubPanel, bpy.types.Panel):
    bl_label = "Segment"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "network_file")
        layout.operator("dnerf.segment_selected", icon="MATERIAL")


CLASSES = (DNERF_PT_views, DNERF_PT_video, DNERF_PT_cloud, DNERF_PT_mesh, DNERF_PT_segment)
