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
from ..model_facts import ModelFacts, chosen_model, facts_from_result, keep_facts, with_facts
from ..painting.file_versions import note_version
from ..painting.mask_files import image_of_mask, listed_folder, need_saved, not_saved_line, save_paintings
from ..places import absolute_path, kept_path, output_folder
from ..scene.annotation import refill_mask, save_mask
from ..scene.painted import is_painted
from .base import JobOperator, results_arrived


class DNERF_OT_sample_views(JobOperator, bpy.types.Operator):
    """Render views of the first subjects into the folder, with empty masks to paint"""

    bl_idname = "dnerf.sample_views"
    bl_label = "Sample Views"

    def act(self, context: bpy.types.Context) -> None:
        output_folder(context.scene.dnerf.annotation_folder, "annotate: folder")
        save_paintings()
        with_facts(context.scene, "Sampling views to annotate", sample_views)


def sample_views(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The step of the job after the model is known: ask for the views."""
    settings = scene.dnerf
    names = [name.strip() for name in settings.annotation_labels.split(",") if name.strip()]
    if not names and facts.labels is None:
        raise UsageError(
            f"annotate: labels: expected names, since {facts.name} has no labels of its own; write such as hair, face"
        )
    params = {
        "model": chosen_model(scene),
        "seeds": list(range(settings.annotation_subjects)),
        "views": settings.annotation_views,
        "truncation": round(settings.truncation, 6),
        "output": str(annotation_folder(scene)),
        **({"labels": names} if names else {}),
    }
    session.current().continue_job("sample", params, _listed(hold(scene)), title="Sampling views to annotate")


class DNERF_OT_open_annotations(JobOperator, bpy.types.Operator):
    """List the views of the folder, and which of them are painted"""

    bl_idname = "dnerf.open_annotations"
    bl_label = "Open Folder"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        params = {"folder": str(annotation_folder(scene))}
        save_paintings()
        session.current().start_job("Opening the annotations", "open_annotations", params, _listed(hold(scene)))


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


class DNERF_OT_prefill(JobOperator, bpy.types.Operator):
    """Carry the painted mask of the chosen view through depth into the subject's other views that are not painted yet"""

    bl_idname = "dnerf.prefill"
    bl_label = "Prefill Other Views"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        folder, labels, view = annotation_folder(scene), annotation_labels(scene), chosen_view(scene).name
        need_saved(folder)
        held = hold(scene)

        def done(result: dict[str, Any]) -> None:
            line = keep_prefilled(held.needed(), folder, labels, result)
            results_arrived("Prefill Other Views")
            session.current().finish(line)

        session.current().start_job("Prefilling", "prefill", {"folder": str(folder), "view": view}, done)


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


class DNERF_OT_train(JobOperator, bpy.types.Operator):
    """Train the labels on the painted views; the new model is chosen when it is done"""

    bl_idname = "dnerf.train"
    bl_label = "Train"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        settings = scene.dnerf
        path = absolute_path(settings.trained_path, "annotate: new model")
        if path.suffix != ".safetensors":
            raise UsageError(f"annotate: new model: expected a name that ends in .safetensors, found {path.name!r}; rename it")
        output_folder(str(path.parent), "annotate: new model")
        folder = annotation_folder(scene)
        need_saved(folder)
        if settings.annotation_items and views_to_do(scene) == len(settings.annotation_items):
            raise UsageError("annotate: expected painted views, found none; paint and save some masks first")
        params = {
            "folders": [str(folder)],
            "output": str(path),
            "skip_unpainted": True,
            "allow_missing_classes": settings.allow_missing_labels,
            "steps": settings.training_steps,
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
