"""What a segmenter's training leaves: the network file with its record, its picture grid and its curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from dnerf_core import __version__
from dnerf_core.downstream.images.segmenter import Segmenter, settings_of
from dnerf_core.downstream.network_file import read_network_header, save_network
from dnerf_core.downstream.vision import torchvision
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.metrics import confusion_matrix, pooled_scores, segmentation_scores
from headless.annotating import training_files
from headless.annotating.training_files import CURVE, GRID, TABLE, file_beside
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.pictures.picture_grid import picture_grid
from headless.pictures.wrong_pixels import WRONG_COLUMN, wrong_pixels
from headless.scores.scoring import GRID_ROWS, rounded, segmentation_json, worst_and_typical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from dnerf_core.downstream.images.calibration import Calibration
    from dnerf_core.downstream.images.sets.joined import Place, ReadSets
    from dnerf_core.downstream.images.training import TrainedSegmenter
    from dnerf_core.downstream.images.weights import StartWeights
    from dnerf_core.downstream.precision import Precision
    from dnerf_core.metrics import SegmentationScores
    from headless.downstream.segmenter_plan import SegmenterPlan

SCORED_MEANWHILE = 64
"""Views that a training is scored by while it goes on; at its end all are."""


def finished_record(plan: SegmenterPlan, call_sha256: str) -> dict[str, Any] | None:
    """The record of this very training if the output holds its result already, see `training_files.finished_record`."""
    return training_files.finished_record(plan.call.output, call_sha256, lambda path: read_network_header(path).training)


def check_places(plan: SegmenterPlan, call_sha256: str) -> None:
    """See `training_files.check_network_places`."""
    training_files.check_network_places(plan.call.output, call_sha256, plan.call.onnx)


def scored_meanwhile(plan: SegmenterPlan) -> list[Place]:
    """Some of the views to score, spread evenly."""
    scored = plan.division.scored
    count = min(SCORED_MEANWHILE, len(scored))
    return [scored[number * len(scored) // count] for number in range(count)]


def confusions(
    plan: SegmenterPlan, network: nn.Module, places: list[Place], advance: Callable[[], None] = lambda: None
) -> list[NDArray[np.int64]]:
    """The confusion of each view, int64 [C, C]."""
    found = []
    for _, truth, predicted in _predicted(plan, network, places):
        found.append(confusion_matrix(truth, predicted, plan.labels.num_classes))
        advance()
    return found


def draw(
    plan: SegmenterPlan, network: nn.Module, confusion: list[NDArray[np.int64]], losses: list[float], call_sha256: str
) -> None:
    """Write the picture grid, of scored views or where there are none of those trained on, and the curve of the loss.

    Raises:
        OutputError: one cannot be written.
    """
    places = list(plan.division.scored)
    mious = [segmentation_scores(one).miou for one in confusion]
    picked = worst_and_typical(mious)
    if not places:
        places = list(plan.division.trained[:GRID_ROWS])
        picked = [("trained on", index) for index in range(len(places))]
    rows = []
    for (which, index), (image, truth, predicted) in zip(
        picked, _predicted(plan, network, [places[index] for _, index in picked]), strict=True
    ):
        pictures = [
            image,
            plan.labels.overlay(image, truth),
            plan.labels.overlay(image, predicted),
            wrong_pixels(truth, predicted),
        ]
        score = f"\nmIoU {mious[index]:.3f}" if mious else ""
        rows.append((f"{plan.joined.facts(places[index]).name}{score}\n{which}", pictures))
    title = f"{plan.call.output.name}: views {'for validation' if mious else 'trained on'}"
    columns = ("image", "truth", plan.call.network, WRONG_COLUMN)
    write_bytes_whole(
        file_beside(plan.call.output, GRID), picture_grid(title, columns, rows, plan.labels, call_sha256=call_sha256)
    )
    stages = [LossStage("cross-entropy", tuple(losses))]
    output = plan.call.output
    write_loss_curve(file_beside(output, CURVE), file_beside(output, TABLE), output.name, stages)


def record_of(
    plan: SegmenterPlan,
    read: ReadSets,
    trained: TrainedSegmenter,
    confusion: list[NDArray[np.int64]],
    *,
    call_sha256: str,
    start: StartWeights | None,
    precision: Precision,
    device: str,
    processes: int,
    seconds: float,
) -> dict[str, Any]:
    """What the network file will say of the training."""
    call, last, training = plan.call, trained.losses[-50:], plan.training(read)
    scores: SegmentationScores | None = pooled_scores(confusion) if confusion else None
    sets = [
        {
            "place": str(one.place),
            "kind": one.kind,
            "sha256": digest,
            "views": sum(place.set_index == index for place in plan.division.trained),
            "views_validation": sum(place.set_index == index for place in plan.division.scored),
        }
        for index, (one, digest) in enumerate(zip(plan.joined.sets, read.digests, strict=True))
    ]
    begun = None
    if start is not None and call.weights is not None:
        begun = {"file": call.weights.name, "sha256": plan.weights_sha256, "taken": start.part, "tensors": start.taken}
    return {
        "written_by": f"datasetnerf {__version__}",
        "call_sha256": call_sha256,
        "sets": sets,
        "views": len(plan.division.trained),
        "subjects": plan.subjects("trained"),
        "views_validation": len(plan.division.scored),
        "subjects_validation": plan.subjects("scored"),
        "weights": begun,
        "seed": call.seed,
        "steps": len(trained.losses),
        "batch": call.batch,
        "learning_rate": training.learning_rate,
        "schedule": call.schedule,
        "scale": call.scale,
        "flip": call.flip,
        "color": call.color,
        "photographs": call.photographs,
        "backgrounds": len(plan.backgrounds),
        "class_weights": None if training.class_weights is None else [rounded(weight) for weight in training.class_weights],
        "loss_first": rounded(trained.losses[0]),
        "loss_last_50": rounded(sum(last) / len(last)),
        "scores": [{"step": step, "miou": rounded(miou)} for step, miou in trained.scores],
        "validation": None if scores is None else segmentation_json(scores, plan.labels),
        "precision": precision.name,
        "seconds_a_step": {name: rounded(value) for name, value in precision.seconds},
        "device": device,
        "processes": processes,
        "torch": torch.__version__,
        "torchvision": torchvision().__version__,
        "seconds": round(seconds, 1),
    }


def save(plan: SegmenterPlan, network: nn.Module, record: dict[str, Any], calibration: Calibration) -> None:
    """Write the network file.

    Raises:
        OutputError: it cannot be written.
    """
    save_network(
        plan.call.output,
        kind="image",
        network=plan.call.network,
        labels=plan.labels,
        settings=settings_of(plan.size_px, calibration),
        state=network.state_dict(),
        training=record,
    )


def write_onnx_of(plan: SegmenterPlan) -> None:
    """See `training_files.write_onnx_once`.

    Raises:
        OutputError: it cannot be written.
    """
    from dnerf_core.downstream.images.onnx_file import write_onnx

    training_files.write_onnx_once(plan.call.onnx, lambda path: write_onnx(path, Segmenter.load(plan.call.output)))


def _predicted(
    plan: SegmenterPlan, network: nn.Module, places: list[Place]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]:
    """Image, truth and the network's labels of each view."""
    segmenter = Segmenter(network.eval(), plan.labels, plan.size_px)
    for place in places:
        image, truth = plan.joined.pair(place)
        yield image, truth, segmenter.predict(image)[0]
