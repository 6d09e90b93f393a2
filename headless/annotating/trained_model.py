"""The model file that a training writes: its branch as it will be stored, its record, and whether it is there already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from dnerf_core import __version__
from dnerf_core.backbone.registry import family_of
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import check_writable
from dnerf_core.model import Model
from dnerf_core.seeds import format_seeds
from headless.annotating import training_files
from headless.annotating.training_state import state_path
from headless.pictures.picture_grid import drawn_by
from headless.scores.scoring import segmentation_json

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.checkpoints.model_file import ModelHeader, StoredFloat
    from dnerf_core.files.annotated_folder import AnnotatedImage
    from dnerf_core.metrics import SegmentationScores
    from dnerf_core.semantic.branch import SemanticBranch
    from dnerf_core.semantic.training import TrainedBranch
    from headless.annotating.training_plan import TrainingPlan


def finished_record(plan: TrainingPlan) -> dict[str, Any] | None:
    """The record of this very training if the output holds its result already, see `training_files.finished_record`."""
    return training_files.finished_record(
        plan.call.output, plan.identity_sha256(), lambda path: (read_header(path).training or {}).get("semantic")
    )


def check_places(plan: TrainingPlan) -> None:
    """Make sure that everything a training writes has a place to go, before it costs any time.

    Raises:
        OutputError: a file cannot be written, the disk is too full for the model, or a picture that this training did not draw is
            in the way.
    """
    grid = plan.grid_path
    if os.path.lexists(grid) and drawn_by(grid) != plan.identity_sha256():
        raise OutputError(
            f"{grid}: expected no file where this training's picture grid goes, found another; remove it, or choose another --output"
        )
    check_writable(plan.call.output, plan.facts.path.stat().st_size)
    check_writable(grid)
    check_writable(state_path(plan.call.output))


def with_branch(plan: TrainingPlan, model: Model, branch: SemanticBranch) -> tuple[Model, StoredFloat]:
    """The model with its new branch, rounded to what the file will hold, so that the scores are the file's."""
    stored = stored_float(model.header)
    state = branch.state_dict()
    if stored == "float16" and not all(_survives_float16(name, tensor) for name, tensor in state.items()):
        stored = "float32"
    if stored == "float16":
        with torch.no_grad():
            for tensor in state.values():
                tensor.copy_(tensor.half())
    return model.with_branch(branch, plan.labels), stored


def training_record(
    plan: TrainingPlan, trained: TrainedBranch, scores: SegmentationScores | None, seconds: float
) -> dict[str, Any]:
    """What the model file will say of the training."""
    call, last = plan.call, trained.losses[-50:]
    return {
        "written_by": f"datasetnerf {__version__}",
        "call_sha256": plan.identity_sha256(),
        "trained_from_sha256": plan.facts.sha256,
        "generator_sha256": plan.annotations.generator_sha256,
        "annotations_sha256": plan.annotations.sha256(),
        "seed": call.seed,
        "label_count": plan.labels.num_classes - 1,
        "subjects": len({image.subject for image in plan.trained_images}),
        "views": len(plan.trained_images),
        "seeds": format_seeds(_seeds(plan.trained_images)),
        "seeds_held_out": format_seeds(_seeds(plan.scored_images)),
        **({"subject_files": files} if (files := _file_names(plan.annotations.images)) else {}),
        "steps": len(trained.losses),
        "learning_rate": call.learning_rate,
        "feature_kind": call.feature_kind,
        "scales": call.scales,
        "density_prior": call.density_prior,
        "guide": call.guide,
        "loss_first": round(trained.losses[0], 6),
        "loss_last_50": round(sum(last) / len(last), 6),
        "held_out": None if scores is None else segmentation_json(scores, plan.labels),
        "kept_bytes": trained.kept_bytes,
        "seconds": round(seconds, 1),
    }


def save_trained(plan: TrainingPlan, model: Model, record: dict[str, Any], stored: StoredFloat) -> None:
    """Write the model file.

    Raises:
        OutputError: it cannot be written.
    """
    assert model.branch is not None
    save_model(
        plan.call.output,
        model.config,
        model.generator.state_dict(),
        semantic_config=model.header.semantic_config,
        semantic_state=model.branch.state_dict(),
        labels=plan.labels,
        source=model.header.source,
        training={**(model.header.training or {}), "semantic": record},
        stored=stored,
    )


def stored_float(header: ModelHeader) -> StoredFloat:
    """How a model's generator is stored, which is how a file made from it is stored: float16 if all of it is that ever is."""
    exact = tuple(f"generator.{prefix}" for prefix in family_of(header.generator_config).exact_tensors)
    names = (name for name in header.tensors if name.startswith("generator.") and not name.startswith(exact))
    sizes = {header.tensors[name].dtype.itemsize for name in names}
    return "float16" if sizes == {2} else "float32"


def _survives_float16(name: str, tensor: Tensor) -> bool:
    """Whether a branch works with this tensor in half precision: nothing overflows, and no deviation to divide by becomes 0."""
    half = tensor.half()
    return bool(half.isfinite().all()) and not (".std_" in name and bool((half == 0).any()))


def _seeds(images: Sequence[AnnotatedImage]) -> tuple[int, ...]:
    """Every seed once, in order."""
    return tuple(sorted({image.subject.seed for image in images if image.subject.file is None}))


def _file_names(images: Sequence[AnnotatedImage]) -> list[str]:
    """Every subject file's name, in order."""
    return sorted({image.subject.file.name for image in images if image.subject.file is not None})
