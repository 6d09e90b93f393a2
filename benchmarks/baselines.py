"""Baselines beside the segmenter, on the same painted pictures and the same test sets.

    dnerf-headless sample --truth --seeds 100000-100008 --views 1 --view-distribution uniform --yaw=-180:180 --pitch 5:30 -o painted
    dnerf-headless world --seeds 20000-20089 --views 1 --resolution 128 -o test
    python benchmarks/baselines.py painted --test test --work work [--only NAME ...] [--seeds 3] [--own own-views]

- *transfer, last layer* and *all strides*: frozen EfficientNet-Lite0, and *resnet101* of a file (`--resnet101`);
- *foundation, linear* and *small head*: frozen DINOv2 of a file (`--dinov2`);
- *painted alone*, *datasetgan*, *branch*, *exact*: the same segmenter on the painted pictures, on `--generated` views that DatasetGAN's
  vote or a trained branch labelled, and on as many exact ones of `--world`;
- *datasetgan, own views* and *branch, own views*: no segmenter, but the labels themselves, on views of `--own` (`sample --truth` of
  other subjects).

Views that are labelled for a segmenter are drawn from the ranges of yaw and pitch that the painted ones were.

Rows are kept in `--rows`, so that an interrupted run goes on; the table is printed from them, at once with `--report`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.downstream.baselines import foundation, transfer
from dnerf_core.downstream.baselines.frozen import HeadTraining
from dnerf_core.downstream.baselines.scoring import Labeller, TestScores, score
from dnerf_core.errors import UsageError
from dnerf_core.files.annotated_folder import Annotations, read_annotations
from dnerf_core.files.annotated_record import FolderPlan, read_plan
from dnerf_core.metrics import confusion_matrix
from dnerf_core.model import Model
from headless.downstream.baselines.gan_set import GanSetCall, trained_labeller, write_gan_set
from headless.downstream.baselines.same_segmenter import SegmenterOptions, learned
from headless.work.reporting import Quiet

GENERATED_FROM = 200_000
"""Seed of the first subject that is labelled for a segmenter; each seed of chance has subjects of its own."""
SEEDS_APART = 20_000


@dataclass(frozen=True)
class Trial:
    """One seed of chance of a comparison.

    Attributes:
        painted: a folder of `sample`, painted.
        tests: sets to be scored.
        work: where data sets and networks go.
    """

    painted: Path
    tests: tuple[Path, ...]
    work: Path
    chance: int
    options: argparse.Namespace

    @cached_property
    def annotations(self) -> Annotations:
        """What is painted."""
        return read_annotations([self.painted], skip_unpainted=True)

    @cached_property
    def plan(self) -> FolderPlan:
        """How the painted views were planned."""
        return read_plan(self.painted)

    @property
    def size_px(self) -> int:
        """Side of the pictures that segmenters learn from."""
        return int(self.options.size)

    def place(self, name: str) -> Path:
        """A name of this trial's own."""
        return self.work / f"{self.painted.name}-{name}-{self.chance}"

    @property
    def seeds(self) -> tuple[int, ...]:
        """The subjects whose views are labelled."""
        first = GENERATED_FROM + self.chance * SEEDS_APART
        return tuple(range(first, first + self.options.generated))

    def segmenter(self, dataset: Path, name: str) -> Labeller:
        """The same segmenter on a data set."""
        chosen = SegmenterOptions(
            network=self.options.network, size_px=self.size_px, steps=self.options.steps, seed=self.chance, device="cpu"
        )
        return learned(dataset, self.place(f"{name}.segmenter").with_suffix(".safetensors"), chosen)

    def head(self, size_px: int, hidden: int | None = None) -> HeadTraining:
        """How heads are trained."""
        return HeadTraining(size_px, self.options.inputs, self.options.head_steps, hidden=hidden, seed=self.chance)

    def transferred(self, kind: transfer.TransferKind) -> Iterator[tuple[str, TestScores]]:
        """A frozen network of ImageNet."""
        weights = self.options.resnet101 if kind == "resnet101-last" else None
        config = transfer.TransferConfig(kind, weights, self.head(self.options.transfer_size))
        yield from self.scored(transfer.train_head(self.painted, transfer.transferred(config), config.training))

    def founded(self, hidden: int | None) -> Iterator[tuple[str, TestScores]]:
        """A frozen foundation model."""
        if self.options.dinov2 is None:
            raise UsageError("--dinov2: expected a file of weights, found none named; leave foundation out by --only")
        config = foundation.FoundationConfig(self.options.dinov2, self.head(foundation.SIZE_PX, hidden))
        yield from self.scored(foundation.train_head(self.painted, foundation.foundation(config), config.training))

    def on_painted(self) -> Iterator[tuple[str, TestScores]]:
        """The segmenter on the painted pictures alone."""
        yield from self.scored(self.segmenter(self.painted, "painted"))

    def on_gan(self) -> Iterator[tuple[str, TestScores]]:
        """The segmenter on what DatasetGAN labelled."""
        call = GanSetCall(
            painted=(self.painted,),
            seeds=self.seeds,
            yaw=self.plan.yaw_deg,
            pitch=self.plan.pitch_deg,
            output=self.place("gan"),
            resolution=self.size_px,
            seed=self.chance,
            skip_unpainted=True,
            device="cpu",
            workers=1,
        )
        write_gan_set(call, Quiet())
        yield from self.scored(self.segmenter(call.output, "gan"))

    @cached_property
    def branch(self) -> Path:
        """The file of a model with a branch trained on the painted pictures."""
        from headless.annotating.training_plan import TrainCall
        from headless.runs.train import train

        output = self.place("branch").with_suffix(".safetensors")
        steps = {} if self.options.branch_steps is None else {"steps": self.options.branch_steps}
        train(
            TrainCall(
                folders=(self.painted,),
                output=output,
                seed=self.chance,
                holdout=0,
                skip_unpainted=True,
                allow_missing_classes=True,
                device="cpu",
                **steps,
            ),
            Quiet(),
        )
        return output

    def on_branch(self) -> Iterator[tuple[str, TestScores]]:
        """The segmenter on what a branch labelled."""
        from headless.runs.render import RenderCall, render

        call = RenderCall(
            model_name=str(self.branch),
            seeds=self.seeds,
            views=1,
            yaw=self.plan.yaw_deg,
            pitch=self.plan.pitch_deg,
            view_distribution="uniform",
            resolution=self.size_px,
            channels=("rgb", "mask"),
            output=self.place("nerf"),
            device="cpu",
            workers=1,
        )
        render(call)
        yield from self.scored(self.segmenter(call.output, "nerf"))

    def on_exact(self) -> Iterator[tuple[str, TestScores]]:
        """The reference: the segmenter on exact truth."""
        from headless.runs.downstream.world import WorldCall, world

        call = WorldCall(
            world=self.options.world,
            seeds=self.seeds,
            views=1,
            resolution=self.size_px,
            output=self.work / f"exact-{self.chance}",
            workers=1,
        )
        world(call)
        yield from self.scored(self.segmenter(call.output, "exact"))

    def own_gan(self) -> Iterator[tuple[str, TestScores]]:
        """DatasetGAN's labels on the generator's own views."""
        from dnerf_core.downstream.baselines.datasetgan import opened

        own, model = self._own(), Model.load(self.annotations.model)
        call = GanSetCall(painted=(self.painted,), seeds=(0,), output=self.work, seed=self.chance)
        labeller = trained_labeller(call, model, self.annotations, model.config.image_size, Quiet())
        confusions = []
        for image in own.images:
            mask, _ = labeller.label(opened(image, model), image.camera)
            confusions.append(confusion_matrix(image.mask, mask, labeller.labels.num_classes))
        yield own.folders[0].name, TestScores(labeller.labels, tuple(confusions))

    def own_branch(self) -> Iterator[tuple[str, TestScores]]:
        """A branch's labels on the generator's own views."""
        own, model = self._own(), Model.load(self.branch)
        assert model.labels is not None
        confusions = []
        for image in own.images:
            mask = image.subject.open(model).channels(image.camera, None, ("mask",)).mask
            assert mask is not None
            confusions.append(confusion_matrix(image.mask, mask, model.labels.num_classes))
        yield own.folders[0].name, TestScores(model.labels, tuple(confusions))

    def _own(self) -> Annotations:
        if self.options.own is None:
            raise UsageError("--own: expected a folder of sample --truth, found none named; leave own views out by --only")
        return read_annotations([self.options.own])

    def scored(self, labeller: Labeller) -> Iterator[tuple[str, TestScores]]:
        """The scores of a labeller on each test set."""
        for test in self.tests:
            yield test.name, score(labeller, test)


ROWS: dict[str, Callable[[Trial], Iterator[tuple[str, TestScores]]]] = {
    "transfer, last layer": lambda trial: trial.transferred("efficientnet-last"),
    "transfer, all strides": lambda trial: trial.transferred("efficientnet-stages"),
    "resnet101, last layer": lambda trial: trial.transferred("resnet101-last"),
    "foundation, linear": lambda trial: trial.founded(None),
    "foundation, small head": lambda trial: trial.founded(foundation.SMALL_HEAD_CHANNELS),
    "painted alone": Trial.on_painted,
    "datasetgan": Trial.on_gan,
    "branch": Trial.on_branch,
    "exact": Trial.on_exact,
    "datasetgan, own views": Trial.own_gan,
    "branch, own views": Trial.own_branch,
}
"""What is compared, by name."""


def usual_rows(options: argparse.Namespace) -> list[str]:
    """The rows whose files are named."""
    lacking = {"resnet101": options.resnet101, "foundation": options.dinov2, "own views": options.own}
    return [name for name in ROWS if not any(part in name and given is None for part, given in lacking.items())]


def kept_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of earlier runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Mean and spread over the seeds of chance."""
    yield "| painted | row | test | mIoU | spread | seeds | IoU of each label | s |"
    yield "|---|---|---|---|---|---|---|---|"
    keys = dict.fromkeys((row["painted"], row["name"], row["test"]) for row in rows)
    for key in keys:
        found = [row for row in rows if (row["painted"], row["name"], row["test"]) == key]
        mious = [row["miou"] for row in found]
        spread = f"{statistics.stdev(mious):.4f}" if len(mious) > 1 else ""
        iou = ", ".join(
            f"{name} {np.mean([row['iou_per_class'][name] or 0 for row in found]):.3f}" for name in found[0]["iou_per_class"]
        )
        seconds = statistics.mean(row["seconds"] for row in found)
        yield f"| {' | '.join(key)} | {statistics.mean(mious):.4f} | {spread} | {len(mious)} | {iou} | {seconds:.0f} |"


def main() -> None:
    """Run what is missing, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("painted", nargs="+", type=Path)
    parser.add_argument("--test", nargs="+", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("baselines"))
    parser.add_argument("--rows", type=Path, default=Path("baselines.jsonl"))
    parser.add_argument("--only", nargs="+", choices=list(ROWS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--own", type=Path, help="a folder of sample --truth, of other subjects")
    parser.add_argument("--dinov2", type=Path)
    parser.add_argument("--resnet101", type=Path)
    parser.add_argument("--world", default="demo-cars")
    parser.add_argument("--generated", type=int, default=300, help="views that a segmenter learns from")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures that segmenters learn from")
    parser.add_argument("--network", default="mini")
    parser.add_argument("--steps", type=int, default=1000, help="of a segmenter")
    parser.add_argument("--branch-steps", type=int)
    parser.add_argument("--inputs", type=int, default=360, help="changed pictures that a frozen network sees")
    parser.add_argument("--head-steps", type=int, default=600)
    parser.add_argument("--transfer-size", type=int, default=256, help="side of the pictures that ImageNet's networks see")
    parser.add_argument("--report", action="store_true", help="only print what is there")
    options = parser.parse_args()
    names = options.only or usual_rows(options)
    plain = {
        key: value for key, value in vars(options).items() if isinstance(value, (int, str)) and key not in ("seeds", "report")
    }
    rows = [row for row in kept_rows(options.rows) if row["settings"] == plain]
    options.work.mkdir(parents=True, exist_ok=True)
    for chance in range(0 if options.report else options.seeds):
        for painted in options.painted:
            trial = Trial(painted, tuple(options.test), options.work, chance, options)
            for name in names:
                if any((row["painted"], row["name"], row["seed"]) == (painted.name, name, chance) for row in rows):
                    continue
                began = time.perf_counter()
                scores = list(ROWS[name](trial))
                seconds = round(time.perf_counter() - began, 1)
                for test, found in scores:
                    row = {"painted": painted.name, "name": name, "test": test, "seed": chance, "settings": plain}
                    rows.append(row | found.to_json() | {"seconds": seconds})
                    with options.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
                    print(f"seed {chance}, {painted.name}, {name}, {test}: {rows[-1]['miou']:.4f} in {seconds:.0f} s", flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
