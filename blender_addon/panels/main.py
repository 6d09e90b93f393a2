"""Status line, model, subject, cameras."""

import bpy

from .. import session
from ..guidance.tips import SETUP, next_step
from ..icons import color_icon
from ..library.sources import has_source
from ..model_facts import known_facts
from ..preferences import has_interpreter
from ..presets.operators import draw_presets
from ..subjects import subject_stem
from .base import SidePanel, SubPanel
from .buttons import LEVEL_ICONS, Button, draw_job_buttons, draw_progress
from .fitting import TEXT_LINES, columns_for, draw_rows, draw_text


class DNERF_PT_main(SidePanel, bpy.types.Panel):
    bl_label = "DatasetNeRF"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.emboss = "NONE"
        self.layout.operator("dnerf.show_guide", text="", icon="HELP")

    def draw(self, context: bpy.types.Context) -> None:
        column, tip = self.layout.column(align=True), next_step(context.scene, has_engine=has_interpreter())
        draw_status(column, context, tip=tip)
        if tip == SETUP:
            column.operator("dnerf.open_preferences", icon="PREFERENCES")


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context, tip: str = "") -> None:
    """The status line: what runs, how far it is, and Cancel; or how the last thing ended.

    It stands at the button, too. Here it is seen when that is in a closed panel, in another editor, or was no button, as for what follows
    an undo. It has as many rows whatever it says, so that buttons stay in place.

    Args:
        tip: what to do next, said instead of how something ended well: buttons would move if it had rows of its own, which end with it.
    """
    holder = session.current()
    column = layout.column(align=True)
    if holder.job is not None:
        draw_progress(column, context, holder.job)
    elif holder.worker_state == "lost":
        draw_rows(column, context, holder.status, LEVEL_ICONS[holder.level])
        column.operator("dnerf.restart_worker", icon="FILE_REFRESH")
    elif tip and holder.level == "INFO":
        draw_rows(column, context, tip, "LIGHT", rows=1 + TEXT_LINES)
    else:
        draw_rows(column, context, holder.status or "Ready", LEVEL_ICONS[holder.level], rows=1 + TEXT_LINES)


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
        draw_job_buttons(layout, context, Button("dnerf.load_model", icon="IMPORT"))
        facts = known_facts(context.scene)
        if facts is None:
            return
        draw_text(layout, context, f"{facts.name}, {facts.image_size_px} px")
        if facts.licence:
            draw_text(layout, context, f"Licence: {facts.licence}")
        if facts.labels is None:
            draw_text(layout, context, "No labels: views come without masks. Annotate and train to give it some.", "INFO")
            return
        grid = layout.grid_flow(columns=columns_for(context, facts.labels.names), align=True)
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
            draw_text(layout, context, subject_stem(context.scene), "MESH_MONKEY")
        of_assets = [Button("dnerf.make_asset", icon="ASSET_MANAGER")]
        if has_source(context.active_object):
            of_assets.append(Button("dnerf.use_subject"))
        draw_job_buttons(layout, context, Button("dnerf.invert_photo", icon="IMAGE_DATA"), rows=[of_assets])
        layout.prop(settings, "live_preview", toggle=True, icon="HIDE_OFF" if settings.live_preview else "HIDE_ON")
        if settings.live_preview:
            row = layout.row(align=True)
            row.prop(settings, "preview_here", toggle=True)
            row.prop(settings, "preview_mask", toggle=True)
            layout.prop(settings, "preview_size_px")


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
        placing = Button("dnerf.place_cameras", icon="OUTLINER_OB_CAMERA")
        draw_job_buttons(layout, context, placing, Button("dnerf.animate_camera", icon="CAMERA_DATA"))


CLASSES = (DNERF_PT_main, DNERF_PT_model, DNERF_PT_subject, DNERF_PT_cameras)
