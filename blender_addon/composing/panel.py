"""The panel In the Scene."""

import bpy

from ..panels.base import SubPanel
from ..panels.buttons import Button, draw_job_buttons
from ..panels.fitting import draw_text


class DNERF_PT_composite(SubPanel, bpy.types.Panel):
    bl_label = "In the Scene"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf.composite
        layout.prop(settings, "cameras")
        layout.row().prop(settings, "labels_by", expand=True)
        draw_text(layout, context, f"What has a Pass Index of its {settings.labels_by} gets a label")
        layout.prop(settings, "folder")
        draw_job_buttons(layout, context, Button("dnerf.composite", icon="NODE_COMPOSITING"))


CLASSES = (DNERF_PT_composite,)
