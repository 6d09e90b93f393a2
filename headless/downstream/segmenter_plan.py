"""What one call of `train-segmenter` trains: which network on which views, and how. All is checked before any is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core import job_ranges
from dnerf_core.downstream import vision
from dnerf_core.downstream.images.registry import NAMES, NETWORKS, NetworkSpec
from dnerf_core.errors import CheckpointError, UsageError, counted
from dnerf_core.limits import MAX_SEED, MAX_SUBJECTS
from dnerf_core.photographs.strengths import LEVELS, Level
from dnerf_core.ranges import Choice, Flag, Number, Ranged, Share, Whole, ranged
from headless.datasets.set_statistics import class_weights
from headless.downstream.segmenter_backgrounds import BackgroundFile, found_backgrounds

if TYPE_CHECKING:
    from dnerf_core.downstream.images.augment import Augmentation
    from dnerf_core.downstream.images.photographed import Photographs
    from dnerf_core.downstream.images.sets.joined import Division, JoinedSets, ReadSets
    from dnerf_core.downstream.images.training import SegmenterTraining
    from dnerf_core.downstream.processes import Process
    from dnerf_core.labels import LabelSet
    from headless.work.reporting import Reporter

MAX_SIZE_PX = 4096
USUAL_LIMIT_PX = 512
"""Of larger pictures a usual training sees no more."""


@dataclass(frozen=True, kw_only=True)
class TrainSegmenterCall(Ranged):
    """What one call of `train-segmenter` asks for.

    Attributes:
        size_px: None: the longer side of the first picture, 512 at most.
        steps, learning_rate: None: the network's own.
        validation: see `sets.joined.divide`.
        backgrounds: a folder of pictures that subjects are laid on, too, beside drawn ones.
        onnx: where the network goes as ONNX, too.
        gpus: processes, one a GPU of this machine; torchrun starts its own.
        workers: processes that read pictures beside each of these; None: none on a CPU, else up to 8.
    """

    dataset: Path
    output: Path
    also: tuple[Path, ...] = ()
    network: str = ranged(Choice(NAMES, "mini"))
    weights: Path | None = None
    onnx: Path | None = None
    size_px: int | None = ranged(Whole(16, MAX_SIZE_PX, None, "Train on squares of this side; pictures are brought to fit."))
    steps: int | None = ranged(Whole(1, 10_000_000, None, "Let the optimiser take N steps."))
    batch: int = ranged(Whole(2, 4096, 16, "Learn from N pictures in each step, all GPUs together."))
    learning_rate: float | None = ranged(Number(1e-7, 1.0, None, "Let the optimiser learn at this rate at its highest."))
    schedule: Literal["cosine", "poly"] = ranged(
        Choice(("cosine", "poly"), "cosine", "Let the rate fall to 0 along a cosine, or as DeepLab's, (1 - t)^0.9.")
    )
    seed: int = ranged(Whole(0, MAX_SEED, 0, "Draw the first weights, the order of pictures and their changes by this seed."))
    validation: float | None = ranged(Share(MAX_SUBJECTS))
    scale: float = ranged(Number(1.0, 8.0, 1.5, "Scale pictures at random, from 1/F to F."))
    flip: bool = ranged(Flag(True))
    color: float = ranged(
        Number(0.0, 3.0, 1.0, "Change brightness, contrast, saturation and hue at random, this strongly; 0 for none.")
    )
    class_weights: Literal["none", "balanced"] = ranged(
        Choice(("none", "balanced"), "none", "Let every class weigh the same in the loss (balanced), or every pixel (none).")
    )
    precision: Literal["auto", "float32", "bfloat16"] = ranged(
        Choice(
            ("auto", "float32", "bfloat16"),
            "auto",
            "Compute in this number format; auto measures a step in both, on a GPU it is mixed.",
        )
    )
    photographs: Level = ranged(
        Choice(
            LEVELS,
            "none",
            "Lay subjects on drawn backgrounds, with light, shadow, blur, noise and JPEG, anew each time: a good camera's (mild), or a "
            "phone's anywhere (hard).",
        )
    )
    backgrounds: Path | None = None
    skip_unpainted: bool = ranged(job_ranges.OFF)
    allow_missing_classes: bool = ranged(job_ranges.OFF)
    device: str = ranged(job_ranges.DEVICE)
    gpus: int = ranged(Whole(1, 64, 1, "Train on N GPUs of this machine, the batch shared among them."))
    workers: int | None = ranged(Whole(0, 256, None, "Read and change pictures in N processes beside each GPU's."))

    @property
    def spec(self) -> NetworkSpec:
        """The network's entry in the registry."""
        return NETWORKS[self.network]


@dataclass(frozen=True, eq=False)
class SegmenterPlan:
    """A checked call.

    Attributes:
        joined: its data sets.
        division: which views are trained on, and which are scored.
        size_px: the side of the squares that are trained on.
        mirrored_ids: uint8 [256], what ids become where a picture is mirrored.
        weights_sha256: of the file of weights; None: there is none.
        backgrounds: the user's pictures that subjects are laid on, too.
    """

    call: TrainSegmenterCall
    joined: JoinedSets
    division: Division
    size_px: int
    mirrored_ids: NDArray[np.uint8]
    weights_sha256: str | None
    backgrounds: tuple[BackgroundFile, ...] = ()

    @property
    def labels(self) -> LabelSet:
        """What the network's classes mean."""
        return self.joined.labels

    @property
    def steps(self) -> int:
        """Of the optimiser."""
        return self.call.steps or self.call.spec.steps

    def subjects(self, which: Literal["trained", "scored"]) -> int:
        """How many subjects are trained on, or scored."""
        places = self.division.trained if which == "trained" else self.division.scored
        return len({self.joined.facts(place).subject for place in places})

    @cached_property
    def augmentation(self) -> Augmentation:
        """How views are changed."""
        from dnerf_core.downstream.images.augment import Augmentation

        return Augmentation(self.size_px, self.call.scale, self.call.flip, self.call.color)

    def photographs(self, apart: int = 0) -> Photographs | None:
        """What makes photographs of views; None: nothing does.

        Args:
            apart: makes others of the same call.
        """
        from dnerf_core.downstream.images.photographed import Photographs

        if self.call.photographs == "none":
            return None
        return Photographs(self.call.photographs, self.size_px, self.call.seed + apart, [file.path for file in self.backgrounds])

    def training(self, read: ReadSets) -> SegmenterTraining:
        """How the network is trained."""
        from dnerf_core.downstream.images.training import SegmenterTraining

        call = self.call
        weights = None
        if call.class_weights == "balanced":
            weights = tuple(class_weights(read.pixels_a_view)["inverse_frequency"])
        return SegmenterTraining(
            steps=self.steps,
            batch=call.batch,
            learning_rate=call.learning_rate or call.spec.learning_rate,
            schedule=call.schedule,
            seed=call.seed,
            class_weights=weights,
            score_every=max(1, self.steps // 10),
        )

    def _photograph_options(self) -> dict[str, Any]:
        """What decides the photographs; nothing where none are made."""
        if self.call.photographs == "none":
            return {}
        return {"photographs": self.call.photographs, "backgrounds": [file.sha256 for file in self.backgrounds]}

    def message_fields(self) -> dict[str, Any]:
        """What the first and the last message say of the call."""
        return {
            "command": "train-segmenter",
            "output": str(self.call.output),
            "network": self.call.network,
            "sets": [str(one.place) for one in self.joined.sets],
            "views": len(self.division.trained),
            "subjects": self.subjects("trained"),
            "views_validation": len(self.division.scored),
            "subjects_validation": self.subjects("scored"),
            "size_px": self.size_px,
            "steps": self.steps,
        }

    def identity(self, read: ReadSets) -> dict[str, Any]:
        """All that decides the result, by the words in which a message names it."""
        return {
            "the data sets or --validation": list(read.digests),
            "--network": self.call.network,
            "--weights": self.weights_sha256,
            "the pictures' options": {
                "size_px": self.size_px,
                "scale": self.call.scale,
                "flip": self.call.flip,
                "color": self.call.color,
                **self._photograph_options(),
            },
            "the training's options": asdict(self.training(read)),
            "--precision": self.call.precision,
        }


def identity_sha256(identity: Mapping[str, Any]) -> str:
    """A hash of a plan's identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def plan_segmenter(call: TrainSegmenterCall, process: Process) -> SegmenterPlan:
    """Open the data sets of a call and hold its options against them; no picture is read but the first.

    Raises:
        DNeRFError: a data set that cannot be used, labels that differ, or options that do not go together.
    """
    vision.require_installed()
    if call.onnx is not None:
        from dnerf_core.downstream.onnx_writing import require_onnx

        require_onnx()
    _check_processes(call, process)
    _check_output(call)
    if call.backgrounds is not None and call.photographs == "none":
        raise UsageError(
            f"--backgrounds {call.backgrounds}: expected --photographs mild or hard with it, found none; add it, or leave this out"
        )
    from dnerf_core.downstream.images.sets.joined import JoinedSets, divide
    from dnerf_core.downstream.images.sets.opening import open_set
    from dnerf_core.downstream.images.sides import mirrored_ids

    places = [call.dataset, *call.also]
    if len({place.resolve() for place in places}) < len(places):
        raise UsageError("--also: expected each data set once, found one twice; name it once")
    joined = JoinedSets([open_set(place, skip_unpainted=call.skip_unpainted) for place in places])
    mirrored = mirrored_ids(joined.labels) if call.flip else np.arange(256, dtype=np.uint8)
    division = divide(joined, call.validation)
    first, _ = joined.pair(division.trained[0])
    size_px = call.size_px or max(16, min(USUAL_LIMIT_PX, *[max(first.shape[:2])]))
    backgrounds = () if call.backgrounds is None else found_backgrounds(call.backgrounds)
    return SegmenterPlan(call, joined, division, size_px, mirrored, _sum_of(call.weights), backgrounds)


def check_classes(plan: SegmenterPlan, read: ReadSets) -> None:
    """Refuse a class that no view to train on shows, unless the call lets it pass.

    Raises:
        UsageError: there is one.
    """
    from dnerf_core.downstream.images.sets.joined import missing_classes

    missing = missing_classes(read.pixels, plan.labels)
    if missing and not plan.call.allow_missing_classes:
        raise UsageError(
            f"{plan.call.dataset}: expected every class in {counted(len(plan.division.trained), 'view')} to train on, found none of "
            f"{', '.join(missing)}; add a set with --also, or go on without it with --allow-missing-classes"
        )


def _check_processes(call: TrainSegmenterCall, process: Process) -> None:
    count = process.count * call.gpus
    if process.count > 1 and call.gpus > 1:
        raise UsageError(f"--gpus {call.gpus}: expected 1 below torchrun, which starts a process for each GPU; leave it out")
    if call.gpus > 1 and call.device == "cpu":
        raise UsageError(f"--gpus {call.gpus}: expected a CUDA device, found --device cpu; leave one of them out")
    if call.batch % count or call.batch // count < 2:
        raise UsageError(
            f"--batch {call.batch}: expected at least 2 pictures for each of {count} processes, and as many for each; use another"
        )


def _check_output(call: TrainSegmenterCall) -> None:
    for option, path, ending in (("--output", call.output, ".safetensors"), ("--onnx", call.onnx, ".onnx")):
        if path is not None and path.suffix.lower() != ending:
            raise UsageError(f"{option} {path}: expected a name that ends in {ending}, found {path.name!r}; add it")


def _sum_of(path: Path | None) -> str | None:
    if path is None:
        return None
    from dnerf_core.checkpoints.model_file import file_sha256

    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(
            f"--weights {path}: expected a file of weights, cannot read it: {error.strerror}; check the path"
        ) from error


def read_views(plan: SegmenterPlan, reporter: Reporter) -> ReadSets:
    """Read every view once, so that a damaged one is told before any time is spent.

    Raises:
        AnnotationError: a file cannot be used.
    """
    from dnerf_core.downstream.images.sets.joined import read_all

    with reporter.progress("views read", len(plan.division.trained) + len(plan.division.scored)) as advance:
        return read_all(plan.joined, plan.division, advance)
