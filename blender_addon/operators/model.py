"""The model: what it is, and choosing a file."""

from pathlib import Path

import bpy

from dnerf_core.errors import counted

from .. import session
from ..model_facts import EMBEDDED_MODELS, ModelFacts, with_facts
from ..places import kept_path
from ..preferences import preferences
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.subject_options import ModelOption
from ..scripting.which import own_model
from .base import WaitingOperator


class DNERF_OT_load_model(scripted(ModelOption), WaitingOperator, bpy.types.Operator):
    """Ask the engine what the model is: its labels, cameras and licence"""

    bl_idname = "dnerf.load_model"
    bl_label = "Load Model"

    def act(self, context: bpy.types.Context) -> None:
        """A model that a script gives is the panel's from now on."""
        if model := own_model(Given(self, context.scene.dnerf)):
            choose_model(context.scene, model)
        with_facts(context.scene, "Loading the model", model_loaded)


def choose_model(scene: bpy.types.Scene, model: str) -> None:
    """Make a model, as requests have it, the scene's."""
    settings = scene.dnerf
    if model in EMBEDDED_MODELS:
        settings.model_kind, settings.embedded_model = "EMBEDDED", model
    else:
        settings.model_path, settings.model_kind = kept_path(Path(model)), "FILE"


def model_loaded(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The end of the job that has asked what the model is."""
    parts = "no labels" if facts.labels is None else counted(facts.labels.num_classes - 1, "label")
    session.current().finish(f"{facts.name}: {facts.image_size_px} px, {parts}")


class DNERF_OT_choose_model(bpy.types.Operator):
    """Choose a model file"""

    bl_idname = "dnerf.choose_model"
    bl_label = "Choose Model File"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default="*.safetensors", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        folder = preferences().model_folder
        if folder and not self.filepath:
            self.filepath = bpy.path.abspath(folder).rstrip("/\\") + "/"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.dnerf
        settings.model_path = kept_path(Path(bpy.path.abspath(self.filepath)))
        settings.model_kind = "FILE"
        return {"FINISHED"}


CLASSES = (DNERF_OT_load_model, DNERF_OT_choose_model)
