"""Menus with every operator, in the headers of the 3D view and the Image Editor: F3 finds what menus have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy

from ..scene.clouds import cloud_labels, is_cloud
from ..scene.errors import SceneError
from ..version import WEBSITE


@dataclass(frozen=True)
class Entry:
    """An operator in a menu.

    Attributes:
        operator: its `bl_idname`.
        text: instead of its label.
        settings: its properties.
    """

    operator: str
    text: str = ""
    icon: str = "NONE"
    settings: dict[str, Any] = field(default_factory=dict)


class EntryMenu:
    """A menu of entries, of other menus by their names, and of lines between them (None)."""

    layout: bpy.types.UILayout
    entries: tuple[Entry | str | None, ...] = ()

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for entry in self.entries:
            if entry is None:
                layout.separator()
            elif isinstance(entry, str):
                layout.menu(entry)
            else:
                words = {"text": entry.text} if entry.text else {}
                button = layout.operator(entry.operator, icon=entry.icon, **words)
                for name, value in entry.settings.items():
                    setattr(button, name, value)


class DNERF_MT_model(EntryMenu, bpy.types.Menu):
    bl_label = "Model"
    entries = (
        Entry("dnerf.load_model", icon="IMPORT"),
        Entry("dnerf.choose_model", icon="FILEBROWSER"),
        Entry("dnerf.open_files"),
    )


class DNERF_MT_subject(EntryMenu, bpy.types.Menu):
    bl_label = "Subject"
    entries = (
        Entry("dnerf.step_seed", "Next Subject", "TRIA_RIGHT", {"step": 1}),
        Entry("dnerf.step_seed", "Previous Subject", "TRIA_LEFT", {"step": -1}),
        Entry("dnerf.random_seed", "Random Subject", "FILE_REFRESH"),
        Entry("dnerf.use_seed"),
        None,
        Entry("dnerf.invert_photo", icon="IMAGE_DATA"),
        Entry("dnerf.toggle_preview", icon="HIDE_OFF"),
        None,
        Entry("dnerf.make_asset", icon="ASSET_MANAGER"),
        Entry("dnerf.use_subject"),
    )


class DNERF_MT_pose(EntryMenu, bpy.types.Menu):
    bl_label = "Pose"
    entries = (
        Entry("dnerf.add_person", "Add the Model's Own Armature", "OUTLINER_OB_ARMATURE"),
        Entry("dnerf.match_bones"),
        Entry("dnerf.rest_pose"),
    )


class DNERF_MT_views(EntryMenu, bpy.types.Menu):
    bl_label = "Cameras and Views"
    entries = (
        Entry("dnerf.place_cameras", icon="OUTLINER_OB_CAMERA"),
        Entry("dnerf.animate_camera", icon="CAMERA_DATA"),
        None,
        Entry("dnerf.render_views", icon="RENDER_STILL"),
        Entry("dnerf.render_video", icon="RENDER_ANIMATION"),
        Entry("dnerf.composite", icon="NODE_COMPOSITING"),
        None,
        Entry("dnerf.show_view", "Show View's Image", "IMAGE_DATA", {"kind": "IMAGE"}),
        Entry("dnerf.show_view", "Show View's Labels", settings={"kind": "LABELS"}),
        Entry("dnerf.show_view", "Show View's Overlay", settings={"kind": "OVERLAY"}),
        Entry("dnerf.show_view", "Show View's Depth", settings={"kind": "DEPTH"}),
        Entry("dnerf.remove_view", "Remove View from List"),
        Entry("dnerf.clear_views", "Remove All Views from List"),
    )


class DNERF_MT_data_set(EntryMenu, bpy.types.Menu):
    bl_label = "Data Set"
    entries = (
        Entry("dnerf.render_data_set", icon="RENDER_STILL"),
        Entry("dnerf.show_data_set", icon="IMAGE_DATA"),
        None,
        Entry("dnerf.place_data_set_cameras", "Place Data Set's Cameras", "OUTLINER_OB_CAMERA"),
        Entry("dnerf.write_cameras", "Write transforms.json", "CAMERA_DATA"),
        Entry("dnerf.copy_data_set_command", icon="COPYDOWN"),
    )


class DNERF_MT_clouds(EntryMenu, bpy.types.Menu):
    bl_label = "Clouds and Meshes"
    entries = (
        Entry("dnerf.fuse_cloud", "Fuse and Import Cloud", "POINTCLOUD_DATA"),
        Entry("dnerf.fuse_frames", "Fuse a Cloud Every Frame"),
        Entry("dnerf.import_mesh", "Make and Import Mesh", "MESH_DATA"),
        Entry("dnerf.import_files", "Import Cloud or Mesh Files", "IMPORT"),
        Entry("dnerf.export_cloud", "Export Cloud", "EXPORT"),
        None,
        Entry("dnerf.cloud_colors", "Show Part Colours", settings={"part_colors": True}),
        Entry("dnerf.cloud_colors", "Show Photo Colours", settings={"part_colors": False}),
        Entry("dnerf.separate_parts"),
        "DNERF_MT_parts",
        None,
        Entry("dnerf.segment_selected", icon="MATERIAL"),
    )


class DNERF_MT_parts(bpy.types.Menu):
    """What is done with a part of the active cloud."""

    bl_label = "Parts of the Cloud"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_cloud(context.active_object)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        try:
            labels = cloud_labels(context.active_object)
        except SceneError as error:  # a menu has nobody to raise it to
            layout.label(text=str(error), icon="ERROR")
            return
        for label in () if labels is None else labels.labels[1:]:
            layout.operator("dnerf.select_part", text=f"Select {label.name}", translate=False).part_id = label.id
            layout.operator("dnerf.hide_part", text=f"Hide or Show {label.name}", translate=False).part_id = label.id


class DNERF_MT_edit(EntryMenu, bpy.types.Menu):
    bl_label = "Edit"
    entries = (
        Entry("dnerf.edit_mask", icon="BRUSH_DATA", settings={"anew": False}),
        Entry("dnerf.edit_mask", "Edit Mask Anew", settings={"anew": True}),
        Entry("dnerf.apply_edit", icon="CHECKMARK", settings={"repair": False}),
        Entry("dnerf.apply_edit", "Repair and Apply Edit", settings={"repair": True}),
        Entry("dnerf.step_edit", "Step Back an Edit", "LOOP_BACK", {"step": -1}),
        Entry("dnerf.step_edit", "Step Forward an Edit", "LOOP_FORWARDS", {"step": 1}),
    )


class DNERF_MT_annotate(EntryMenu, bpy.types.Menu):
    bl_label = "Annotate"
    entries = (
        Entry("dnerf.sample_views", "Sample Views to Paint", "ADD"),
        Entry("dnerf.open_annotations", "Open Annotation Folder", "FILE_FOLDER"),
        None,
        Entry("dnerf.paint_view", icon="BRUSH_DATA"),
        Entry("dnerf.next_view", icon="TRIA_RIGHT"),
        Entry("dnerf.save_mask", icon="FILE_TICK", settings={"repair": False}),
        Entry("dnerf.save_mask", "Repair and Save Mask", settings={"repair": True}),
        Entry("dnerf.save_masks", "Save All Masks"),
        Entry("dnerf.read_mask_again", "Read Mask Again", "LOOP_BACK"),
        Entry("dnerf.prefill", icon="MOD_SMOOTH"),
        None,
        Entry("dnerf.train", "Train on Painted Views"),
    )


class DNERF_MT_engine(EntryMenu, bpy.types.Menu):
    bl_label = "Engine"
    entries = (
        Entry("dnerf.cancel", "Cancel What Runs", "CANCEL"),
        Entry("dnerf.stop_early", icon="CHECKMARK"),
        Entry("dnerf.restart_worker", icon="FILE_REFRESH"),
        None,
        Entry("dnerf.open_preferences", icon="PREFERENCES"),
        Entry("dnerf.check_interpreter", "Check Engine", "VIEWZOOM"),
        Entry("dnerf.create_environment", icon="ADD"),
        Entry("dnerf.cancel_environment", "Cancel Creating the Environment"),
    )


class DNERF_MT_main(EntryMenu, bpy.types.Menu):
    bl_label = "DatasetNeRF"
    entries = (
        "DNERF_MT_model",
        "DNERF_MT_subject",
        "DNERF_MT_pose",
        "DNERF_MT_views",
        "DNERF_MT_data_set",
        "DNERF_MT_clouds",
        "DNERF_MT_edit",
        "DNERF_MT_annotate",
        None,
        "DNERF_MT_presets_cameras",
        "DNERF_MT_presets_views",
        "DNERF_MT_presets_annotate",
        None,
        "DNERF_MT_engine",
        Entry("dnerf.show_guide", icon="HELP"),
        Entry("wm.url_open", "Website", "URL", {"url": WEBSITE}),
    )


class DNERF_MT_paint(EntryMenu, bpy.types.Menu):
    """In the Image Editor: what is done with masks."""

    bl_label = "DatasetNeRF"
    entries = ("DNERF_MT_annotate", "DNERF_MT_edit")


def draw_main(header: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In the 3D view's header."""
    header.layout.menu("DNERF_MT_main")


def draw_paint(header: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In the Image Editor's header."""
    header.layout.menu("DNERF_MT_paint")


def register() -> None:
    bpy.types.VIEW3D_MT_editor_menus.append(draw_main)
    bpy.types.IMAGE_MT_editor_menus.append(draw_paint)


def unregister() -> None:
    bpy.types.VIEW3D_MT_editor_menus.remove(draw_main)
    bpy.types.IMAGE_MT_editor_menus.remove(draw_paint)


CLASSES = (
    DNERF_MT_model,
    DNERF_MT_subject,
    DNERF_MT_pose,
    DNERF_MT_views,
    DNERF_MT_data_set,
    DNERF_MT_clouds,
    DNERF_MT_parts,
    DNERF_MT_edit,
    DNERF_MT_annotate,
    DNERF_MT_engine,
    DNERF_MT_main,
    DNERF_MT_paint,
)
