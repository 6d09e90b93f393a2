"""`dnerf-headless train`: a semantic branch from a few painted views, and the model file that holds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnerf_core.errors import AnnotationError, CheckpointError, OutputError, UsageError
from dnerf_core.semantic.config import BranchTrainingConfig, FeatureKind, GuideKind, RefinerConfig, SemanticConfig
from headless import options
from headless.reporting import Reporter

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.checkpoints.model_file import ModelHeader, StoredFloat
    from dnerf_core.labels import LabelSet
    from dnerf_core.metrics import SegmentationScores
    from dnerf_core.model import Model
    from dnerf_core.semantic.training import TrainedBranch, TrainingProgress
    from headless.annotations import AnnotatedImage, Annotations, Subject
    from headless.models import ModelFacts
    from headless.training_state import KeptState

_DEFAULT_BRANCH, _DEFAULT_TRAINING = SemanticConfig(), BranchTrainingConfig()
_CHECKPOINT_EVERY = 25
_STEPS_AN_EVENT = 10


@dataclass(frozen=True)
class TrainCall:
    """The options of one call, as click gives them."""

    folders: tuple[Path, ...]
    output: Path
    model_name: str | None
    steps: int
    feature_kind: FeatureKind
    scales: str
    density_prior: bool
    guide: GuideKind
    learning_rate: float
    seed: int
    holdout: float | None
    skip_unpainted: bool
    allow_missing_classes: bool
    device: str


class HoldoutType(click.ParamType[float]):
    """A whole number of subjects, or a share of them between 0 and 1, as a float; `0.5` is a share and `1` is one subject."""

    name = "holdout"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not math.isfinite(number) or number < 0 or (number > 1 and number != int(number)):
            self.fail(f"expected a number of subjects such as 3, or a share such as 0.1, found {value!r}", param, ctx)
        return number


@click.command("train", epilog="\b\nExample:\n  dnerf-headless train dnerf-annotate -o my-cars.safetensors")
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER..."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), required=True, metavar="X.safetensors", help="The model file to write."
)
@click.option("--model", "model_name", metavar="NAME|FILE", help="The generator.  [default: the one the folder was sampled from]")
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=_DEFAULT_TRAINING.steps, show_default=True)
@click.option(
    "--feature-kind",
    type=click.Choice(["features", "planes"]),
    default=_DEFAULT_BRANCH.feature_kind,
    show_default=True,
    help="What is read of each block of the generator: its hidden features, or its output.",
)
@click.option(
    "--scales",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="Blocks that are read; last is the ablation without multi-scale features.",
)
@click.option(
    "--density-prior/--no-density-prior",
    default=_DEFAULT_BRANCH.density_prior,
    show_default=True,
    help="Composite with the generator's density, or learn one.",
)
@click.option(
    "--guide",
    type=click.Choice(["none", "rendered", "rgb"]),
    default=_DEFAULT_BRANCH.refiner.guide,
    show_default=True,
    help="What the semantic super-resolution sees beside the semantic maps.",
)
@click.option("--learning-rate", type=options.FiniteFloat(1e-7, 1.0), default=_DEFAULT_TRAINING.learning_rate, show_default=True)
@click.option("--seed", type=click.IntRange(0, options.MAX_SEED), default=_DEFAULT_TRAINING.seed, show_default=True)
@click.option(
    "--holdout",
    type=HoldoutType(),
    metavar="N|SHARE",
    help="The last subjects, kept out of the training and scored; 0 for none.  [default: a tenth of 3 or more subjects]",
)
@click.option("--skip-unpainted", is_flag=True, help="Leave out masks that are all background instead of refusing them.")
@click.option("--allow-missing-classes", is_flag=True, help="Train though a class of the label set occurs in no mask.")
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Train a semantic branch on painted views and write a model file.

    FOLDER is what sample wrote, with its masks painted; several folders of one generator count as one. Everything is checked
    first. The same call again goes on where it was interrupted.
    """
    train(TrainCall(**values), Reporter(as_json))  # type: ignore[arg-type]


def train(call: TrainCall, reporter: Reporter) -> None:
    """Run one call of `train`.

    Raises:
        DNeRFError: a wrong call, an annotated folder or a model that cannot be used, or a result that cannot be written.
    """
    from headless.annotations import read_annotations

    annotations = read_annotations(call.folders, skip_unpainted=call.skip_unpainted)
    held_out = held_out_subjects(annotations.subjects, call.holdout)
    job = _Job(call, annotations, held_out, reporter)
    job.check_classes()
    job.check_model()
    told = job.told()
    reporter.event("start", **told)
    if annotations.skipped:
        reporter.warning(f"{annotations.skipped} masks with nothing painted are left out")
    finished = job.finished()
    if finished is not None:
        reporter.summary(
            [f"{call.output}: nothing to do, this training is there"], **told, **_result_json(finished), nothing_to_do=True
        )
        return
    record = job.run()
    reporter.summary(job.lines(record), **told, **_result_json(record), nothing_to_do=False)


def held_out_subjects(subjects: Sequence[Subject], holdout: float | None) -> tuple[Subject, ...]:
    """The last subjects, which are scored and not trained on.

    Args:
        holdout: below 1 a share of the subjects (at least one of them, unless it is 0), else a number; None: a tenth, rounded,
            and at least one, of 3 or more subjects.

    Raises:
        UsageError: none would be left to train on.
    """
    count = len(subjects)
    if holdout is None:
        chosen = max(1, round(count / 10)) if count >= 3 else 0
    elif holdout < 1:
        chosen = max(1, round(count * holdout)) if holdout else 0
    else:
        chosen = int(holdout)
    if chosen >= count:
        raise UsageError(f"--holdout: expected at least one of {count} subjects left to train on, found none; hold out fewer")
    return tuple(subjects[count - chosen :])


class _Job:
    """One training on its way into one model file."""

    def __init__(self, call: TrainCall, annotations: Annotations, held_out: Sequence[Subject], reporter: Reporter) -> None:
        self.call, self.annotations, self.held_out, self.reporter = call, annotations, tuple(held_out), reporter
        self.labels: LabelSet = annotations.labels
        self.trained_images = [image for image in annotations.images if image.subject not in set(held_out)]
        self.scored_images = [image for image in annotations.images if image.subject in set(held_out)]
        self.model_name = annotations.model if call.model_name is None else call.model_name
        self.grid_path = call.output.with_name(f"{call.output.stem}-grid.png")
        self.training = BranchTrainingConfig(
            steps=call.steps, learning_rate=call.learning_rate, seed=call.seed, checkpoint_every=_CHECKPOINT_EVERY
        )
        self._facts: ModelFacts | None = None

    @property
    def facts(self) -> ModelFacts:
        """What the model file says, once it has been checked."""
        assert self._facts is not None
        return self._facts

    @property
    def semantic(self) -> SemanticConfig:
        """The branch to train."""
        call = self.call
        return SemanticConfig(
            num_classes=self.labels.num_classes,
            feature_kind=call.feature_kind,
            scales=(self.facts.config.backbone.resolution,) if call.scales == "last" else None,
            density_prior=call.density_prior,
            refiner=RefinerConfig(guide=call.guide),
        )

    def told(self) -> dict[str, Any]:
        """What the first and the last message say of the call."""
        return {
            "command": "train",
            "output": str(self.call.output),
            "subjects": len(self.annotations.subjects) - len(self.held_out),
            "views": len(self.trained_images),
            "subjects_held_out": len(self.held_out),
            "views_held_out": len(self.scored_images),
            "steps": self.call.steps,
        }

    def check_classes(self) -> None:
        """Refuse a class that nobody painted, or only in held-out views."""
        from headless.annotations import missing_classes

        if self.call.allow_missing_classes:
            return
        where = ", ".join(map(str, self.annotations.folders))
        nowhere = missing_classes(self.annotations.images, self.labels)
        if nowhere:
            raise AnnotationError(
                f"{where}: expected every class in some mask, found none of {', '.join(nowhere)}; paint it, or go on "
                "without it with --allow-missing-classes"
            )
        untrained = missing_classes(self.trained_images, self.labels)
        if untrained:
            raise AnnotationError(
                f"{where}: expected every class in a mask to train on, found {', '.join(untrained)} only in the "
                f"{len(self.held_out)} held-out subjects; choose another --holdout, or add --allow-missing-classes"
            )

    def check_model(self) -> None:
        """Find the model, and refuse one whose generator did not make the folders' images."""
        from dnerf_core.embedded import model_path
        from headless import models

        path = model_path(self.model_name)
        if self.call.model_name is None and not path.exists():
            raise CheckpointError(
                f"{path}: expected the model that {self.annotations.folders[0]} was sampled from, found no file; "
                "say where it is with --model"
            )
        self._facts = models.describe_model(self.model_name)
        found = models.generator_sha256(self.facts.path)
        if found != self.annotations.generator_sha256:
            raise CheckpointError(
                f"{self.facts.path}: expected the generator that {self.annotations.folders[0]} was sampled from "
                f"({self.annotations.generator_sha256[:12]}), found another ({found[:12]}); name the right one with --model"
            )

    def identity(self) -> dict[str, Any]:
        """All that decides the result, by the words in which a message names it."""
        from dnerf_core.generator.config import config_to_json

        training = config_to_json(self.training)
        del training["checkpoint_every"]
        return {
            "the annotations or the generator": self.annotations.sha256(),
            "--holdout": [list(subject) for subject in self.held_out],
            "the branch's options": config_to_json(self.semantic),
            "the training's options": training,
        }

    def finished(self) -> dict[str, Any] | None:
        """The record of this very training if the output holds its result already; None if there is no output.

        Raises:
            OutputError: the output is something else.
        """
        from dnerf_core.checkpoints.model_file import read_header
        from headless.training_state import state_path
        from headless.writers.files import make_folder, output_error

        output = self.call.output
        try:
            there = output.exists()
        except OSError as error:
            raise output_error(output, error) from error
        if not there:
            make_folder(output.parent)
            return None
        try:
            record = (read_header(output).training or {}).get("semantic")
        except CheckpointError:
            record = None
        if not isinstance(record, dict) or record.get("call_sha256") != _json_sha256(self.identity()):
            raise OutputError(f"{output}: expected a new file, it holds something else; remove it, or choose another --output")
        state_path(output).unlink(missing_ok=True)
        return record

    def run(self) -> dict[str, Any]:
        """Train, score, and write the picture grid and the model file; returns the training record."""
        from headless import models
        from headless.training_state import read_state, state_path

        started = time.monotonic()
        state_file = state_path(self.call.output)
        kept = read_state(state_file, self.identity())
        model = models.load_model(self.model_name, self.call.device)
        seconds_before = 0.0 if kept is None else kept.seconds
        trained = self._train(model, kept, lambda: seconds_before + time.monotonic() - started)
        labelled, stored = self._with_branch(model, trained)
        scores = self._score_and_draw(labelled)
        record = self._record(trained, scores, seconds_before + time.monotonic() - started)
        self._save(labelled, record, stored)
        state_file.unlink(missing_ok=True)
        return record

    def _train(self, model: Model, kept: KeptState | None, seconds: Callable[[], float]) -> TrainedBranch:
        import torch

        from dnerf_core.semantic.kept_views import AnnotatedView
        from dnerf_core.semantic.training import train_branch
        from headless.training_state import KeptState, state_path, write_state

        identity, state_file = self.identity(), state_path(self.call.output)
        subjects = list(dict.fromkeys(image.subject for image in self.trained_images))
        index = {subject: position for position, subject in enumerate(subjects)}
        ws = torch.cat([model.subject(seed, truncation).ws for seed, truncation in subjects])
        views = [
            AnnotatedView(index[image.subject], image.camera.cam2world, image.camera.intrinsics, image.mask)
            for image in self.trained_images
        ]
        with contextlib.ExitStack() as bars:
            follower = _Follower(self.reporter, bars, self.call.learning_rate)
            return train_branch(
                model.generator,
                ws,
                views,
                self.semantic,
                self.training,
                progress=follower.progress,
                preparing=follower.preparing,
                checkpoint=lambda state: write_state(state_file, identity, KeptState(state, seconds())),
                resume=None if kept is None else kept.state,
            )

    def _with_branch(self, model: Model, trained: TrainedBranch) -> tuple[Model, StoredFloat]:
        """The model with its new branch, rounded to what the file will hold, so that the scores are the file's."""
        import torch

        from dnerf_core.generator.config import config_to_json
        from dnerf_core.model import Model

        stored = stored_float(model.header)
        state = trained.branch.state_dict()
        if stored == "float16" and not all(_survives_float16(name, tensor) for name, tensor in state.items()):
            stored = "float32"
        if stored == "float16":
            with torch.no_grad():
                for tensor in state.values():
                    tensor.copy_(tensor.half())
        header = replace(model.header, semantic_config=config_to_json(self.semantic), labels=self.labels)
        return Model(model.generator, trained.branch, header, model.sha256, model.device), stored

    def _score_and_draw(self, model: Model) -> SegmentationScores | None:
        """Score the held-out views, and draw them, or where there are none the first views that were trained on."""
        from headless import scoring
        from headless.writers.files import write_bytes_whole

        shown = self.scored_images or self.trained_images[: scoring.GRID_ROWS]
        scored = []
        with self.reporter.progress("views scored", len(shown)) as advance:
            for item in scoring.score_images(model, shown, self.labels):
                scored.append(item)
                advance()
        kind = "held out" if self.scored_images else "trained on"
        picked = [
            (f"{item.image.name}\nmIoU {item.miou:.3f}\n{which}", item)
            for which, item in ((which, scored[i]) for which, i in scoring.worst_and_typical([item.miou for item in scored]))
        ]
        title = f"{self.call.output.name}: views {kind}"
        write_bytes_whole(self.grid_path, scoring.mask_grid(title, model, picked, self.labels))
        return scoring.pooled(scored) if self.scored_images else None

    def _record(self, trained: TrainedBranch, scores: SegmentationScores | None, seconds: float) -> dict[str, Any]:
        """What the model file will say of the training."""
        from dnerf_core import __version__
        from headless.scoring import segmentation_json

        last = trained.losses[-50:]
        return {
            "written_by": f"datasetnerf {__version__}",
            "call_sha256": _json_sha256(self.identity()),
            "trained_from_sha256": self.facts.sha256,
            "generator_sha256": self.annotations.generator_sha256,
            "annotations_sha256": self.annotations.sha256(),
            "seed": self.call.seed,
            "label_count": self.labels.num_classes - 1,
            "subjects": len({image.subject for image in self.trained_images}),
            "views": len(self.trained_images),
            "seeds": options.format_seeds(_seeds(self.trained_images)),
            "seeds_held_out": options.format_seeds(_seeds(self.scored_images)),
            "steps": len(trained.losses),
            "learning_rate": self.call.learning_rate,
            "feature_kind": self.call.feature_kind,
            "scales": self.call.scales,
            "density_prior": self.call.density_prior,
            "guide": self.call.guide,
            "loss_first": round(trained.losses[0], 6),
            "loss_last_50": round(sum(last) / len(last), 6),
            "held_out": None if scores is None else segmentation_json(scores, self.labels),
            "kept_bytes": trained.kept_bytes,
            "seconds": round(seconds, 1),
        }

    def _save(self, model: Model, record: dict[str, Any], stored: StoredFloat) -> None:
        from dnerf_core.checkpoints.model_file import save_model

        assert model.branch is not None
        save_model(
            self.call.output,
            model.config,
            model.generator.state_dict(),
            semantic_config=model.header.semantic_config,
            semantic_state=model.branch.state_dict(),
            labels=self.labels,
            source=model.header.source,
            training={**(model.header.training or {}), "semantic": record},
            stored=stored,
        )

    def lines(self, record: dict[str, Any]) -> list[str]:
        """The summary for people."""
        from headless.scoring import score_table

        output, scores = self.call.output, record["held_out"]
        lines = [
            f"{output}: {record['steps']} steps on {record['views']} views of {record['subjects']} subjects "
            f"in {record['seconds']:.0f} s, loss {record['loss_last_50']:.4f}"
        ]
        if scores is not None:
            lines += [f"held out: {len(self.scored_images)} views of {len(self.held_out)} subjects"]
            lines += score_table({"mIoU": scores["miou"], "accuracy": scores["accuracy"]}, scores["iou_per_class"])
        return [*lines, f"look at {self.grid_path}", f"next: dnerf-headless render --model {output}"]


class _Follower:
    """Tells how a training gets on: a bar for the views it prepares, then one for the steps, or events."""

    def __init__(self, reporter: Reporter, bars: contextlib.ExitStack, learning_rate: float) -> None:
        self.reporter, self.bars, self.learning_rate = reporter, bars, learning_rate
        self._advance: Callable[[], None] | None = None
        self._stepping = False

    def preparing(self, done: int, total: int) -> None:
        if self._advance is None:
            self._advance = self.bars.enter_context(self.reporter.progress("views prepared", total))
        self._advance()

    def progress(self, now: TrainingProgress) -> None:
        if not math.isfinite(now.loss):
            raise UsageError(
                f"--learning-rate {self.learning_rate:g}: expected a loss that falls, found {now.loss} at step {now.step}; "
                "use a lower one"
            )
        if not self._stepping:
            self.bars.close()  # one bar at a time
            self._advance = self.bars.enter_context(self.reporter.progress("steps", now.steps - now.step + 1))
            self._stepping = True
        if now.step % _STEPS_AN_EVENT == 0 or now.step == now.steps:
            self.reporter.event("step", step=now.step, steps=now.steps, loss=round(now.loss, 6))
        assert self._advance is not None
        self._advance()


def stored_float(header: ModelHeader) -> StoredFloat:
    """How a model's generator is stored, which is how a file made from it is stored: float16 if all of it is."""
    sizes = {info.dtype.itemsize for name, info in header.tensors.items() if name.startswith("generator.")}
    return "float16" if sizes == {2} else "float32"


def _survives_float16(name: str, tensor: Tensor) -> bool:
    """Whether a branch works with this tensor in half precision: nothing overflows, and no deviation to divide by becomes 0."""
    half = tensor.half()
    return bool(half.isfinite().all()) and not (".std_" in name and bool((half == 0).any()))


def _result_json(record: dict[str, Any]) -> dict[str, Any]:
    """A record's entries that the summary holds, with the held-out scores by their own names."""
    scores = record["held_out"] or {"miou": None, "accuracy": None, "iou_per_class": None}
    names = ("loss_first", "loss_last_50", "kept_bytes", "seconds", "feature_kind")
    return {**scores, **{name: record[name] for name in names}}


def _seeds(images: Sequence[AnnotatedImage]) -> tuple[int, ...]:
    """Every seed once, in order."""
    return tuple(sorted({image.subject[0] for image in images}))


def _json_sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
