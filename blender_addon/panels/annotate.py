"""Annotate: in the 3D view's side panel, and what painting needs of it in the Image Editor's."""

import bpy

from dnerf_core.errors import DNeRFError

from ..annotation_list import annotation_labels, views_to_do
from ..edit_view import is_edited_image
from ..painting.mask_files import image_of_mask, listed_folder, unsaved_masks
from ..presets.operators import draw_presets
from ..scene.painted import seems_painted
from .base import SubPanel
from .buttons import Button, draw_job_buttons
from .edit import draw_palette
from .fitting import draw_text
from .main import draw_status


class DNERF_UL_views(bpy.types.UIList):
    """Views by name, and whether they are painted, and saved."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flags: int = 0,
    ) -> None:
        state = "prefilled" if item.prefilled else "painted" if item.painted else "to do"
        mark = "BRUSH_DATA" if item.prefilled else "CHECKMARK" if item.painted else "BLANK1"
        if _is_unsaved(context.scene, item.name):
            state, mark = "not saved", "FILE_TICK"
        layout.label(text=item.name, icon=mark, translate=False)
        layout.label(text=state)


def _is_unsaved(scene: bpy.types.Scene, name: str) -> bool:
    """Whether a view's mask has been painted since it was saved, whether or not the .blend file has it."""
    image = image_of_mask(listed_folder(scene) / "masks" / f"{name}.png")
    return image is not None and seems_painted(image)


class DNERF_PT_annotate(SubPanel, bpy.types.Panel):
    bl_label = "Annotate"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw_presets(self.layout, "annotate")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.prop(settings, "annotation_folder")
        layout.prop(settings, "annotation_labels")
        row = layout.row(align=True)
        row.prop(settings, "annotation_subjects")
        row.prop(settings, "annotation_views")
        sampling = Button("dnerf.sample_views", icon="ADD")
        draw_job_buttons(layout, context, sampling, Button("dnerf.open_annotations", icon="FILE_FOLDER"))
        if settings.annotation_items:
            draw_views(layout, context, rows=5)
        layout.separator()
        layout.prop(settings, "trained_path")
        layout.prop(settings, "training_steps")
        layout.prop(settings, "allow_missing_labels")
        draw_job_buttons(layout, context, Button("dnerf.train", icon="OUTLINER_OB_FORCE_FIELD"))


class DNERF_PT_paint(bpy.types.Panel):
    """The same list, and the labels to paint with."""

    bl_label = "DatasetNeRF"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "DatasetNeRF"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not is_edited_image(context.scene, context.space_data.image)

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        draw_status(layout, context)
        if not settings.annotation_items:
            draw_text(layout, context, "Sample views, or open a folder, in the 3D view's panel: Annotate.", "INFO")
            return
        try:
            labels = annotation_labels(context.scene)
        except DNeRFError as error:  # a panel has nobody to raise it to
            draw_text(layout, context, str(error), "ERROR")
            return
        draw_palette(layout, labels, "dnerf.paint_label", settings.painted_label_id)
        layout.prop(settings, "picture_share", slider=True)
        draw_views(layout, context, rows=8)


def draw_views(layout: bpy.types.UILayout, context: bpy.types.Context, rows: int) -> None:
    """The list, how many are to do, and what is done with the chosen one."""
    settings = context.scene.dnerf
    layout.template_list("DNERF_UL_views", "", settings, "annotation_items", settings, "annotation_index", rows=rows)
    row = layout.row()
    row.label(text=f"{views_to_do(context.scene)} of {len(settings.annotation_items)} views to do")
    count = len(unsaved_masks())
    part = row.row()
    part.enabled = count > 0
    part.operator("dnerf.save_masks", text=f"Save All ({count})" if count else "Save All")
    opening = [
        Button("dnerf.paint_view", icon="BRUSH_DATA", needs_worker=False),
        Button("dnerf.next_view", icon="TRIA_RIGHT", needs_worker=False),
    ]
    saving = [
        Button("dnerf.save_mask", icon="FILE_TICK", fields={"repair": False}, needs_worker=False),
        Button("dnerf.save_mask", text="Repair and Save", fields={"repair": True}, needs_worker=False),
        Button("dnerf.read_mask_again", icon="LOOP_BACK", needs_worker=False, icon_only=True),
    ]
    prefilling = Button("dnerf.prefill", icon="MOD_SMOOTH")
    draw_job_buttons(layout, context, prefilling, rows=(opening, saving), also=["dnerf.save_masks"])


CLASSES = (DNERF_UL_views, DNERF_PT_annotate, DNERF_PT_paint)
