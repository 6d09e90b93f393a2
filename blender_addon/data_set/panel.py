"""Data Set: subjects, cameras, files, and the command that makes the same."""

from typing import Any

import bpy

from .. import session
from ..model_facts import known_facts, moves
from ..panels.base import SubPanel
from ..panels.buttons import Button, draw_job_buttons
from ..panels.fitting import draw_text
from ..presets.operators import draw_presets
from .chosen import chosen
from .options import CHANNEL_WORDS, FORMAT_WORDS, RULES, flag_name
from .requests import commands, shown_request

_ON_SPHERES = ("SPHERE", "RANDOM")
_OF_MOVING = ("joints", "vertices")
_FORMAT_OPTIONS = (
    ("coco", "coco_instances", "COCO"),
    ("nerfstudio", "nerfstudio_images", "Images"),
    ("nerfstudio", "aabb_scale", "AABB scale"),
    ("webdataset", "shard_views", "Views a shard"),
)
"""Of each format, under labels that the panel's usual width has room for."""


class DNERF_PT_data_set(SubPanel, bpy.types.Panel):
    bl_label = "Data Set"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw_presets(self.layout, "data_set")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf.data_set
        layout.row().prop(settings, "subjects_from", expand=True)
        if settings.subjects_from == "SEEDS":
            layout.prop(settings, "seeds")
        elif settings.subjects_from == "FIRST":
            layout.prop(settings, "subjects")
        layout.prop(settings, "cameras")
        draw_cameras(layout, settings, settings.cameras, "")
        layout.prop(settings, "test_cameras", text="Test on")
        draw_cameras(layout, settings, settings.test_cameras, "test_")
        if {settings.cameras, settings.test_cameras} & {*RULES}:
            draw_rule(layout, settings)
        if settings.cameras in (*RULES, "PATH"):
            row = layout.row(align=True)
            row.prop(settings, "show_cameras", toggle=True, icon="HIDE_OFF" if settings.show_cameras else "HIDE_ON")
            if settings.cameras in RULES:
                row.operator("dnerf.place_data_set_cameras", icon="OUTLINER_OB_CAMERA")
            if settings.show_cameras and known_facts(context.scene) is None:
                draw_text(layout, context, "Load Model first: the sphere is the model's.", "INFO")
        layout.prop(settings, "resolution")
        draw_flags(layout, context, settings)
        layout.prop(settings, "splits")
        layout.prop(settings, "output")
        row = layout.row(align=True)
        row.prop(settings, "extend", toggle=True)
        row.prop(settings, "verify", toggle=True)
        render = Button("dnerf.render_data_set", icon="RENDER_STILL")
        draw_job_buttons(layout, context, render, also=("dnerf.place_data_set_cameras", "dnerf.show_data_set"))
        layout.operator("dnerf.show_data_set", icon="IMAGE_DATA")


class DNERF_PT_data_set_files(SubPanel, bpy.types.Panel):
    """How the files are written, for those who want them otherwise."""

    bl_label = "Files"
    bl_parent_id = "DNERF_PT_data_set"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf.data_set
        layout.prop(settings, "masks")
        layout.prop(settings, "depth_format")
        for name, option, text in _FORMAT_OPTIONS:
            if name in settings.formats:
                layout.prop(settings, option, text=text)
        row = layout.row(align=True)
        row.prop(settings, "consistent", toggle=True)
        row.prop(settings, "exact", toggle=True)
        if "uncertainty" in settings.channels:
            layout.prop(settings, "reject_uncertain")
        if moves(context.scene):
            layout.prop(settings, "pose")
            layout.prop(settings, "random_poses")


class DNERF_PT_data_set_cameras_only(SubPanel, bpy.types.Panel):
    """Cameras for NeRF programs, without rendering."""

    bl_label = "Cameras Only"
    bl_parent_id = "DNERF_PT_data_set"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.dnerf.data_set
        layout.prop(settings, "aabb_scale")
        layout.prop(settings, "with_cloud")
        draw_job_buttons(layout, context, Button("dnerf.write_cameras", text="Write transforms.json", icon="CAMERA_DATA"))


class DNERF_PT_data_set_command(SubPanel, bpy.types.Panel):
    """The same data set by the command line."""

    bl_label = "Command"
    bl_parent_id = "DNERF_PT_data_set"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        try:
            text = commands([shown_request(context.scene, chosen(context))], "auto")
        except session.EXPECTED as error:  # a panel has nobody to raise it to
            draw_text(layout, context, str(error), "ERROR")
            return
        draw_text(layout.box(), context, text)
        draw_job_buttons(layout, context, Button("dnerf.copy_data_set_command", icon="COPYDOWN"))


def draw_cameras(layout: bpy.types.UILayout, settings: Any, source: str, start: str) -> None:
    """What a choice of cameras, or of test cameras, has of its own; their names begin with `start`."""
    if source in RULES:
        row = layout.row(align=True)
        row.prop(settings, f"{start}count")
        if source == "RANDOM":
            row.prop(settings, f"{start}camera_seed")
    elif source in ("ACTIVE", "ANIMATION"):
        layout.prop(settings, f"{start}camera")
        if source == "ANIMATION":
            layout.prop(settings, f"{start}frame_step")


def draw_rule(layout: bpy.types.UILayout, settings: Any) -> None:
    """The measures of a rule."""
    box = layout.box()
    sources = {settings.cameras, settings.test_cameras}
    if sources & {*_ON_SPHERES}:
        box.prop(settings, "upper")
    if sources & {"ARC", "ORBIT"}:
        box.prop(settings, "own_angles")
        if not settings.own_angles:
            if "ARC" in sources:
                box.row(align=True).prop(settings, "yaw")
            box.row(align=True).prop(settings, "pitch")
    box.prop(settings, "radius")
    box.prop(settings, "fov_deg")
    box.row(align=True).prop(settings, "center", expand=True)
    if settings.center == "OBJECT":
        box.prop(settings, "center_object", text="")
    elif settings.center == "POINT":
        box.prop(settings, "center_point", text="")
    box.prop(settings, "outwards")


def draw_flags(layout: bpy.types.UILayout, context: bpy.types.Context, settings: Any) -> None:
    """A button a channel that the model may have, and one a format."""
    shown = [name for name in CHANNEL_WORDS if name not in _OF_MOVING or moves(context.scene)]
    grid = layout.grid_flow(columns=2, align=True, even_columns=True)
    for name in shown:
        grid.prop(settings, flag_name("channels", name), toggle=True)
    grid = layout.grid_flow(columns=2, align=True, even_columns=True)
    for name in FORMAT_WORDS:
        if name != "coco-keypoints" or moves(context.scene):
            grid.prop(settings, flag_name("formats", name), toggle=True)


CLASSES = (DNERF_PT_data_set, DNERF_PT_data_set_files, DNERF_PT_data_set_cameras_only, DNERF_PT_data_set_command)
