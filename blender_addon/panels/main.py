"""Status line, model, subject, cameras."""

import bpy

from .. import session
from ..guidance.tips import next_step
from ..icons import color_icon, has_picture, picture_icon
from ..library.sources import has_source
from ..model_facts import known_facts
from ..presets.operators import draw_presets
from ..subjects import subject_stem
from .base import SidePanel, SubPanel, draw_text

PICTURE_SCALE = 7.0
_ICONS = {"INFO": "INFO", "ERROR": "ERROR", "CANCELLED": "CANCEL"}


class DNERF_PT_main(SidePanel, bpy.types.Panel):
    bl_label = "DatasetNeRF"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.emboss = "NONE"
        self.layout.operator("dnerf.show_guide", text="", icon="HELP")

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        draw_status(column, context)
        if tip := next_step(context.scene):
            draw_text(column, context, tip, "LIGHT")


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The status line: what runs, how far it is, and Cancel; or how the last thing ended. Two rows, so that buttons stay in place."""
    holder = session.current()
    job = holder.job
    if job is not None:
        column = layout.column(align=True)
        row = column.row(align=True)
        row.progress(factor=job.share, text=job.title)
        if job.keeps_best:
            row.operator("dnerf.stop_early", text="", icon="CHECKMARK")
        row.operator("dnerf.cancel", text="", icon="CANCEL")
        column.label(text=_step_text(job, holder.worker_state), translate=False)
        if has_picture():
            layout.template_icon(icon_value=picture_icon(), scale=PICTURE_SCALE)
        if job.cancelled:  # and where the engine does not let go of it
            layout.operator("dnerf.restart_worker", icon="FILE_REFRESH")
        return
    draw_text(layout, context, holder.status or "Ready", _ICONS[holder.level], least_lines=2)
    if holder.worker_state == "lost":
        layout.operator("dnerf.restart_worker", icon="FILE_REFRESH")


def _step_text(job: session.Job, worker_state: str) -> str:
    if job.cancelled:
        return "cancelling"
    if job.stopping:
        return "ending with the best so far"
    if worker_state == "starting":
        return "the engine is starting"
    return f"{job.done} of {job.total} {job.text}" if job.total else job.text or "working"


class DNERF_PT_model(SubPanel, bpy.types.Panel):
    bl_label = "Model"
    bl_options = set()

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.row().prop(settings, "model_kind", expand=True)
        if settings.model_kind == "EMBEDDED":
            layout.prop(settings, "embedded_model", text="")
        else:
            row = layout.row(align=True)
            row.prop(settings, "model_path", text="")
            row.operator("dnerf.choose_model", text="", icon="FILEBROWSER")
        layout.operator("dnerf.load_model", icon="IMPORT")
        facts = known_facts(context.scene)
        if facts is None:
            return
        layout.label(text=f"{facts.name}, {facts.image_size_px} px", translate=False)
        if facts.licence:
            draw_text(layout, context, f"Licence: {facts.licence}")
        if facts.labels is None:
            draw_text(layout, context, "No labels: views come without masks. Annotate and train to give it some.", "INFO")
            return
        grid = layout.grid_flow(columns=2, align=True)
        for label in facts.labels.labels:
            grid.label(text=label.name, icon_value=color_icon(label.color), translate=False)


class DNERF_PT_subject(SubPanel, bpy.types.Panel):
    bl_label = "Subject"
    bl_options = set()

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        column = layout.column()
        column.enabled = not settings.subject_file
        row = column.row(align=True)
        row.operator("dnerf.step_seed", text="", icon="TRIA_LEFT").step = -1
        row.prop(settings, "seed")
        row.operator("dnerf.step_seed", text="", icon="TRIA_RIGHT").step = 1
        column.operator("dnerf.random_seed", icon="FILE_REFRESH")
        column.prop(settings, "truncation", slider=True)
        row = layout.row(align=True)
        row.prop(settings, "subject_file", text="File")
        if settings.subject_file:
            row.operator("dnerf.use_seed", text="", icon="X")
            layout.label(text=subject_stem(context.scene), icon="MESH_MONKEY", translate=False)
        row = layout.row(align=True)
        row.operator("dnerf.make_asset", icon="ASSET_MANAGER")
        if has_source(context.active_object):
            row.operator("dnerf.use_subject")
        layout.operator("dnerf.invert_photo", icon="IMAGE_DATA")
        layout.prop(settings, "live_preview", toggle=True, icon="HIDE_OFF" if settings.live_preview else "HIDE_ON")
        if settings.live_preview:
            row = layout.row(align=True)
            row.prop(settings, "preview_mask", toggle=True)
            row.prop(settings, "preview_size_px")


class DNERF_PT_cameras(SubPanel, bpy.types.Panel):
    bl_label = "Cameras"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw_presets(self.layout, "cameras")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf
        layout.row().prop(settings, "camera_path", expand=True)
        layout.prop(settings, "camera_count")
        if settings.camera_path == "ARC":
            layout.prop(settings, "own_yaw")
            if not settings.own_yaw:
                row = layout.row(align=True)
                row.prop(settings, "yaw_first_deg")
                row.prop(settings, "yaw_last_deg")
        layout.prop(settings, "own_pitch")
        if not settings.own_pitch:
            row = layout.row(align=True)
            row.prop(settings, "pitch_first_deg")
            if settings.camera_path == "ARC":
                row.prop(settings, "pitch_last_deg")
        layout.prop(settings, "size_px")
        layout.operator("dnerf.place_cameras", icon="OUTLINER_OB_CAMERA")
        layout.operator("dnerf.animate_camera", icon="CAMERA_DATA")


CLASSES = (DNERF_PT_main, DNERF_PT_model, DNERF_PT_subject, DNERF_PT_cameras)
