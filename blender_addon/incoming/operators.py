"""Import clouds and meshes, and choose a model, a subject or a network by its file: from menus, and by dropping files onto Blender."""

from pathlib import Path

import bpy

from dnerf_core.checkpoints.safetensors_layout import MODEL, NETWORK, SUBJECT, FileKind, file_kind
from dnerf_core.errors import UsageError, counted

from .. import session
from ..model_facts import known_facts, with_facts
from ..operators.base import JobOperator, LineOperator, WaitingOperator
from ..operators.cloud import make_active, show_colors
from ..operators.model import model_loaded
from ..operators.pose import leave_modes
from ..places import kept_path
from ..scene.clouds import is_cloud
from ..subjects import choose_subject
from .chosen_files import ChosenFiles
from .importing import ENDINGS, import_file

_KINDS = (MODEL, SUBJECT, NETWORK)


class DNERF_OT_import_files(ChosenFiles, LineOperator, bpy.types.Operator):
    """Import clouds and meshes that dnerf-headless pointcloud and mesh wrote, with their parts"""

    bl_idname = "dnerf.import_files"
    bl_label = "Import DatasetNeRF Cloud or Mesh"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default=";".join(f"*{ending}" for ending in ENDINGS), options={"HIDDEN"})
    up: bpy.props.EnumProperty(
        name="Up",
        description="The axis that points up in a .ply or .npz",
        items=[
            ("FILE", "As the file says", "A .ply tells it; an .npz does not, and has y up"),
            ("y", "Y", "Turned, so that y points up in Blender"),
            ("z", "Z", "As it is"),
        ],
    )
    separate: bpy.props.BoolProperty(name="An object a part", description="Each part of a mesh becomes an object of its own")

    def act(self, context: bpy.types.Context) -> None:
        scene, paths = context.scene, self.chosen_paths()
        leave_modes()
        facts = known_facts(scene)
        known, up = None if facts is None else facts.labels, None if self.up == "FILE" else self.up
        items: list[bpy.types.Object] = []
        faults: list[UsageError] = []
        for path in paths:  # a file that cannot be read keeps no other back
            try:
                items += import_file(scene, path, known, up=up, separate=self.separate)
            except UsageError as error:
                faults.append(error)
        if not items:
            raise faults[0]
        _show(scene, items)
        line = f"{counted(len(items), 'object')} of {counted(len(paths) - len(faults), 'file')} imported"
        if faults:
            self.report({"WARNING"}, f"{line}; not {counted(len(faults), 'file')}: {faults[0]}")
        session.current().say(line)


def _show(scene: bpy.types.Scene, items: list[bpy.types.Object]) -> None:
    """Select what has come, and let Solid views show its parts."""
    make_active(scene, items[0])
    for item in items:
        item.select_set(True)
    show_colors("VERTEX" if any(map(is_cloud, items)) else "MATERIAL")


class DNERF_OT_open_files(ChosenFiles, WaitingOperator, bpy.types.Operator):
    """Choose a model, a subject or a network by its file; which it is, the file itself tells"""

    bl_idname = "dnerf.open_files"
    bl_label = "Open Model, Subject or Network"
    bl_options = {"UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.safetensors", options={"HIDDEN"})

    def act(self, context: bpy.types.Context) -> None:
        scene, chosen = context.scene, by_kind(self.chosen_paths())
        settings = scene.dnerf
        if MODEL in chosen:
            settings.model_path, settings.model_kind = kept_path(chosen[MODEL]), "FILE"
        if SUBJECT in chosen:
            settings.edit_scores = ""
            choose_subject(scene, chosen[SUBJECT])
        if NETWORK in chosen:
            settings.network_file = kept_path(chosen[NETWORK])
        if MODEL in chosen:
            with_facts(scene, "Loading the model", model_loaded)
        else:
            words = {SUBJECT: "the scene's subject", NETWORK: "the network of Segment"}
            session.current().say("; ".join(f"{path.name}: {words[kind]} now" for kind, path in chosen.items()))


def by_kind(paths: list[Path]) -> dict[FileKind, Path]:
    """The files by what their headers say that they are, one of a kind.

    Raises:
        UsageError: one is none of these kinds, or there are two of one.
    """
    chosen: dict[FileKind, Path] = {}
    for path in paths:
        kind = file_kind(path)
        if kind is None or kind not in _KINDS:
            raise UsageError(
                f"{path.name}: expected a model, subject or network file, found {'none of them' if kind is None else kind.name}; "
                "convert a checkpoint with 'dnerf-headless import'"
            )
        if kind in chosen:
            raise UsageError(f"{path.name}: expected {kind.name} alone, found {chosen[kind].name}, too; choose one of them")
        chosen[kind] = path
    return chosen


class DNERF_OT_drop_photo(ChosenFiles, JobOperator, bpy.types.Operator):
    """Find the subject of the dropped photo"""

    bl_idname = "dnerf.drop_photo"
    bl_label = "DatasetNeRF: Invert Photo"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        paths = self.chosen_paths()
        if len(paths) > 1:
            raise UsageError(f"photo: expected one, found {len(paths)}; drop one at a time: each is searched for by itself")
        bpy.ops.dnerf.invert_photo("INVOKE_DEFAULT", filepath=str(paths[0]))


def draw_import(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In File > Import."""
    menu.layout.operator("dnerf.import_files", text="DatasetNeRF Cloud or Mesh (.ply/.npz/.glb)")


def register() -> None:
    bpy.types.TOPBAR_MT_file_import.append(draw_import)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(draw_import)


CLASSES = (DNERF_OT_import_files, DNERF_OT_open_files, DNERF_OT_drop_photo)
