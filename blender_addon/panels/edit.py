"""Edit: in the 3D view's side panel, and what painting needs of it in the Image Editor's."""

import json
from typing import Any

import bpy

from dnerf_core.labels import IGNORE_COLOR, IGNORE_ID, LabelSet

from ..edit_view import is_edited_image, noted_mask
from ..icons import color_icon
from ..model_facts import known_facts
from ..scene.painted import seems_painted
from ..subjects import can_step
from .base import SubPanel
from .buttons import Button, draw_job_buttons
from .fitting import BOX_MARGIN_PX, draw_text
from .main import draw_status


class DNERF_PT_edit(SubPanel, bpy.types.Panel):
    bl_label = "Edit"

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        camera = "no active camera" if scene.camera is None else scene.camera.name
        draw_text(layout, context, f"seen by {camera}", "CAMERA_DATA")
        buttons, mask = [Button("dnerf.edit_mask", icon="BRUSH_DATA", fields={"anew": False})], noted_mask(scene)
        if mask is not None and seems_painted(mask):
            buttons.append(Button("dnerf.edit_mask", text="Anew", fields={"anew": True}))
        draw_job_buttons(layout, context, *buttons)
        draw_apply(layout, context)
        draw_settings(layout, context)
        draw_scores(layout, context)


class DNERF_PT_paint_edit(bpy.types.Panel):
    """The labels to paint an edit with, beside its mask."""

    bl_label = "DatasetNeRF Edit"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "DatasetNeRF"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_edited_image(context.scene, context.space_data.image)

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        draw_status(layout, context)
        facts = known_facts(context.scene)
        if facts is None or facts.labels is None:
            draw_text(layout, context, "The model has no labels: press Edit Mask again.", "ERROR")
            return
        draw_palette(layout, facts.labels, "dnerf.edit_label", settings.painted_label_id)
        layout.prop(settings, "picture_share", slider=True)
        draw_apply(layout, context)
        draw_scores(layout, context)


def draw_palette(layout: bpy.types.UILayout, labels: LabelSet, operator: str, painted_id: int) -> None:
    """A button a label, and one for pixels to ignore."""
    column = layout.column(align=True)
    colors = [(label.id, label.name, label.color) for label in labels.labels] + [(IGNORE_ID, "ignore", IGNORE_COLOR)]
    for label_id, name, color in colors:
        button = column.operator(operator, text=name, icon_value=color_icon(color), depress=painted_id == label_id)
        button.label_id = label_id


def draw_apply(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is done with the painted mask, and the way back."""
    applying = Button("dnerf.apply_edit", icon="CHECKMARK", fields={"repair": False})
    draw_job_buttons(layout, context, applying, Button("dnerf.apply_edit", text="Repair and Apply", fields={"repair": True}))
    steps = [
        Button("dnerf.step_edit", text=text, icon=icon, fields={"step": step}, enabled=can_step(context.scene, step))
        for step, text, icon in ((-1, "Step Back", "LOOP_BACK"), (1, "Step Forward", "LOOP_FORWARDS"))
    ]
    draw_job_buttons(layout, context, *steps)


def draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """How the subject is edited."""
    settings = context.scene.dnerf
    row = layout.row(align=True)
    row.prop(settings, "edit_steps")
    row.prop(settings, "edit_margin_px")
    layout.prop(settings, "edit_keep_inside")
    row = layout.row(align=True)
    row.prop(settings, "edit_label_weight")
    row.prop(settings, "edit_rgb_weight")
    layout.prop(settings, "edit_perceptual_weight")
    if settings.edit_perceptual_weight > 0:
        layout.prop(settings, "edit_perceptual_file")
    layout.prop(settings, "subjects_folder")


def draw_scores(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """How well the edit went that the subject came of; nothing of another subject."""
    text = context.scene.dnerf.edit_scores
    if not text:
        return
    box = layout.box()
    for line in score_lines(json.loads(text)):
        draw_text(box, context, line, margin_px=BOX_MARGIN_PX)


def score_lines(result: dict[str, Any]) -> list[str]:
    """The scores of an answer to `edit`, for people."""
    scores = result["scores"]

    def share(name: str) -> str:
        return "none" if scores[name] is None else f"{scores[name]:.1%}"

    def decibels(name: str) -> str:
        return "none" if scores[name] is None else f"{scores[name]:.1f} dB"

    return [
        *result["warnings"],
        f"Painted pixels that took their label: {share('edited_taken')}",
        f"Labels as asked: {share('agreement_inside')} in the edited parts, {share('agreement_outside')} elsewhere",
        f"Picture kept: {decibels('psnr_outside_db')} elsewhere, {decibels('psnr_kept_db')} on the object away from the paint",
        *(
            f"From {view['yaw_deg']:+.0f} degrees: {view['labels_changed']:.1%} of labels changed, colours by {view['color_change']:.1f}"
            for view in result["other_views"]
        ),
    ]


CLASSES = (DNERF_PT_edit, DNERF_PT_paint_edit)
