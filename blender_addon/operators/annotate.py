"""Annotating: views to paint, painted masks saved and carried on to other views, and training."""

from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError, counted
from dnerf_core.labels import LabelSet

from .. import session
from ..annotation_list import (
    annotation_folder,
    annotation_labels,
    chosen_view,
    list_views,
    read_mask,
    views_to_do,
)
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts, facts_from_result, keep_facts, with_facts
from ..painting.file_versions import note_version
from ..painting.mask_files import image_of_mask, listed_folder, need_saved, not_saved_line, save_paintings
from ..places import absolute_path, kept_path, output_folder
from ..scene.annotation import refill_mask, save_mask
from ..scene.painted import is_painted
from ..scripting.annotate_options import FolderOption, PrefillOptions, SampleOptions, TrainOptions
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.which import check_ways, first_seeds, model_given, own_model, seeds_of
from .base import WaitingOperator, results_arrived

SAMPLING = "Sampling views to annotate"
OF_TRAINING = (
    *("feature_kind", "scales", "density_prior", "patch", "guide", "learning_rate", "seed", "holdout"),
    *("snap_colors", "strict"),
)
"""Options of a training that a script alone gives."""


class DNERF_OT_sample_views(scripted(SampleOptions), WaitingOperator, bpy.types.Operator):
    """Render views of the first subjects into the folder, with empty masks to paint"""

    bl_idname = "dnerf.sample_views"
    bl_label = "Sample Views"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = Given(
            self,
            scene.dnerf,
            output="annotation_folder",
            labels="annotation_labels",
            subjects="annotation_subjects",
            views="annotation_views",
        )
        folder = output_folder(given["output"], "annotate: folder")
        params = {**sample_params(given), "model": model_given(scene, given), "output": str(folder)}
        save_paintings()
        with_facts(scene, SAMPLING, lambda scene, facts: sample_views(scene, facts, params), params["model"])


def sample_params(given: Given) -> dict[str, Any]:
    """The part of a request for views that says which, and with which labels.

    Raises:
        UsageError: options that do not go together, or files that are not there.
    """
    check_ways(given)
    names = [name.strip() for name in given["labels"].split(",") if name.strip()]
    params = {
        "views": given["views"],
        **({"labels": names} if names else {}),
        **given.alone("yaw", "pitch", "random_views", "view_distribution", "random_poses", "truth"),
    }
    if given.has("pose"):
        params["pose"] = str(given.file("pose"))
    if given.has("subject_files"):
        return {**params, "subject_files": [str(path) for path in given.files("subject_files")]}
    seeds = seeds_of(given["seeds"]) if given.has("seeds") else first_seeds(given["subjects"])
    return {**params, "seeds": list(seeds), "truncation": given["truncation"]}


def sample_views(scene: bpy.types.Scene, facts: ModelFacts, params: dict[str, Any]) -> None:
    """The step of the job after the model is known: ask for the views. They are listed where the folder is the panel's."""
    if "labels" not in params and facts.labels is None:
        raise UsageError(
            f"annotate: labels: expected names, since {facts.name} has no labels of its own; write such as hair, face"
        )
    held = hold(scene)

    def done(result: dict[str, Any]) -> None:
        if _is_panels_folder(held.needed(), Path(params["output"])):
            _listed(held)(result)
        else:
            session.current().finish(f"{counted(len(result['views']), 'view')} to paint in {params['output']}")

    session.current().continue_job("sample", params, done, title=SAMPLING)


def _is_panels_folder(scene: bpy.types.Scene, folder: Path) -> bool:
    try:
        return annotation_folder(scene) == folder
    except UsageError:  # the panel's is beside a .blend file that has not been saved
        return False


class DNERF_OT_open_annotations(scripted(FolderOption), WaitingOperator, bpy.types.Operator):
    """List the views of the folder, and which of them are painted"""

    bl_idname = "dnerf.open_annotations"
    bl_label = "Open Folder"

    def act(self, context: bpy.types.Context) -> None:
        """A folder that a script gives is the panel's from now on."""
        scene = context.scene
        folder = absolute_path(Given(self, scene.dnerf, folder="annotation_folder")["folder"], "annotate: folder")
        save_paintings()
        held, chooses = hold(scene), self.properties.is_property_set("folder")

        def done(result: dict[str, Any]) -> None:
            if chooses:
                held.needed().dnerf.annotation_folder = kept_path(folder)
            _listed(held)(result)

        session.current().start_job("Opening the annotations", "open_annotations", {"folder": str(folder)}, done)


def _listed(held: Held) -> Any:
    def done(result: dict[str, Any]) -> None:
        left = list_views(held.needed(), result)
        results_arrived("List Views")
        session.current().finish(f"{counted(len(result['views']), 'view')}, {left} still to paint{_left_out()}")

    return done


def _left_out() -> str:
    """What a line says at its end of painted masks that cannot be written; "" where there are none."""
    lines = save_paintings()
    return f"; {not_saved_line(lines)}" if lines else ""


class DNERF_OT_prefill(scripted(PrefillOptions), WaitingOperator, bpy.types.Operator):
    """Carry the painted mask of the chosen view through depth into the subject's other views that are not painted yet"""

    bl_idname = "dnerf.prefill"
    bl_label = "Prefill Other Views"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = Given(self, scene.dnerf, folder="annotation_folder")
        folder = absolute_path(given["folder"], "annotate: folder")
        if not given.has("folder"):
            annotation_labels(scene)  # a folder is open
        view = given["view"] if given.has("view") else chosen_view(scene).name
        params = {"folder": str(folder), "view": view, **({"model": own_model(given)} if given.has("model") else {})}
        need_saved(folder)
        held = hold(scene)

        def opened(facts: dict[str, Any]) -> None:
            labels = LabelSet.from_json(facts["labels"], "the folder's labels")

            def done(result: dict[str, Any]) -> None:
                line = keep_prefilled(held.needed(), folder, labels, result)
                results_arrived("Prefill Other Views")
                session.current().finish(line)

            session.current().continue_job("prefill", params, done)

        session.current().start_job("Prefilling", "open_annotations", {"folder": str(folder)}, opened)


def keep_prefilled(scene: bpy.types.Scene, folder: Path, labels: LabelSet, result: dict[str, Any]) -> str:
    """Save the masks that came, and say how much of the object they fill and, where the truth is known, how much of it rightly.

    What has been painted by now, here or by another program, stays as it is.
    """
    kept = [view for view in result["views"] if _is_empty(_mask_file(folder, view), labels)]
    for view in kept:
        path = _mask_file(folder, view)
        ids, image = session.current().array(view["mask"]), image_of_mask(path)
        save_mask(path, ids, labels)
        note_version(path)
        if image is not None and tuple(image.size) == ids.shape[::-1]:
            refill_mask(image, ids, labels)
        item = scene.dnerf.annotation_items.get(view["name"])
        if item is not None and listed_folder(scene) == folder:
            item.painted = item.prefilled = True
    filled, whole = (sum(view[key] for view in kept) for key in ("filled_px", "object_px"))
    line = f"{counted(len(kept), 'view')} prefilled: {filled:,} of {whole:,} object pixels ({filled / max(whole, 1):.1%})"
    if result["truth"]:
        right = sum(view["right_px"] for view in kept)
        line += f", {right / max(filled, 1):.1%} of them rightly"
    painted = len(result["views"]) - len(kept)
    stayed = f"; {counted(painted, 'view')} painted meanwhile stayed" if painted else ""
    return f"{line}; paint what is white{stayed}"


def _mask_file(folder: Path, view: dict[str, Any]) -> Path:
    return folder / "masks" / f"{view['name']}.png"


def _is_empty(path: Path, labels: LabelSet) -> bool:
    """Whether nothing is painted on a mask, neither in its file nor in its image."""
    image = image_of_mask(path)
    return not (image is not None and is_painted(image)) and not read_mask(path, labels).any()


class DNERF_OT_train(scripted(TrainOptions), WaitingOperator, bpy.types.Operator):
    """Train the labels on the painted views; the new model is chosen when it is done"""

    bl_idname = "dnerf.train"
    bl_label = "Train"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        settings = scene.dnerf
        given = Given(
            self,
            settings,
            output="trained_path",
            steps="training_steps",
            allow_missing_classes="allow_missing_labels",
        )
        path = absolute_path(given["output"], "annotate: new model")
        if path.suffix != ".safetensors":
            raise UsageError(f"annotate: new model: expected a name that ends in .safetensors, found {path.name!r}; rename it")
        output_folder(str(path.parent), "annotate: new model")
        folders = given.paths("folders") if given.has("folders") else [annotation_folder(scene)]
        for folder in folders:
            need_saved(folder)
        views = settings.annotation_items
        if not given.has("folders") and views and views_to_do(scene) == len(views):
            raise UsageError("annotate: expected painted views, found none; paint and save some masks first")
        params = {
            "folders": [str(folder) for folder in folders],
            "output": str(path),
            "skip_unpainted": given["skip_unpainted"] if given.has("skip_unpainted") else True,
            "allow_missing_classes": given["allow_missing_classes"],
            "steps": given["steps"],
            **given.alone(*OF_TRAINING),
            **({"model": own_model(given)} if given.has("model") else {}),
        }
        held = hold(scene)
        session.current().start_job("Training", "train", params, lambda result: _trained(held, result))


def _trained(held: Held, result: dict[str, Any]) -> None:
    """Choose the new model, and ask what it is."""
    remedy = f"the new model is {result['model']}"
    scene = held.needed(remedy)
    settings = scene.dnerf
    settings.model_path = kept_path(Path(result["model"]))
    settings.model_kind = "FILE"
    miou = result["scores"]["miou"]
    warnings = result["warnings"]
    score = "no view was held out to score it" if miou is None else f"mIoU {miou:.3f} on held-out subjects"

    def known(facts: dict[str, Any]) -> None:
        keep_facts(held.needed(remedy), facts)
        results_arrived("Train")
        session.current().finish(f"{facts_from_result(facts).name} trained: {score}; it is the model now{warned_text(warnings)}")

    session.current().continue_job("model", {"model": result["model"]}, known)


def warned_text(warnings: list[str]) -> str:
    """What a line says at its end of a job's warnings: the first, and how many more there are; "" where there are none."""
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    return f"; warning: {warnings[0]}{more}" if warnings else ""


CLASSES = (DNERF_OT_sample_views, DNERF_OT_open_annotations, DNERF_OT_prefill, DNERF_OT_train)
