"""Views, label video, point cloud."""

import bpy

from ..scene.views import IMAGE_PROPERTY
from .base import SubPanel

MOST_LISTED = 12


class DNERF_PT_views(SubPanel, bpy.types.Panel):
    bl_label = "Views"

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
        for image in images[:MOST_LISTED]:
            column.operator("dnerf.show_image", text=image.name, icon="IMAGE_DATA", translate=False).image = image.name
        if len(images) > MOST_LISTED:
            column.label(text=f"and {len(images) - MOST_LISTED} more images")


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
        layout.operator("dnerf.fuse_cloud", icon="POINTCLOUD_DATA")
        draw_cloud_parts(layout, context)


CLASSES = (DNERF_PT_views, DNERF_PT_video)
