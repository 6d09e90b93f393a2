"""The panel In the Scene."""

import bpy

from ..panels.base import SubPanel, draw_text


class DNERF_PT_composite(SubPanel, bpy.types.Panel):
    bl_label = "In the Scene"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf.composite
        layout.prop(settings, "cameras")
        layout.prop(settings, "labels_by")
        draw_text(layout, context, f"What has a Pass Index of its {settings.labels_by} gets a label")
        layout.prop(settings, "folder")
        layout.operator("dnerf.composite", icon="NODE_COMPOSITING")


CLASSES = (DNERF_PT_composite,)
