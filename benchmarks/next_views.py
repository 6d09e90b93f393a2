"""Views chosen by `sample --next` against random ones: what branches trained on as many exact masks of the demo score on unseen cars.

    python benchmarks/next_views.py [--reader small|branch] [--rows FILE] [--seeds 5] [--only NAME ...] [--steps 300] [--size 128]

Each seed of chance has a pool of its own: random views, one a car, from all around. Random rows train on the first of them; chosen rows
start from the same first views, and grow in rounds by what `choose_next` picks among 64 other cars x 4 views, whose exact masks are then
"painted". All are scored alike on 60 views of 60 unseen cars from all around, against the exact truth:

- `--reader small`: two of the chooser's own small branches, trained on all that is painted, at 48 x 48 rays; seconds a row.
- `--reader branch`: a semantic branch as `train` makes it, at `--size` pixels, half of the demo's own: 4 times fewer pixels, of the same
  generator; some two minutes a row.

Rows are kept in a file, so that an interrupted run goes on; the table is printed from it at the end, or with `--report` at once.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.demo.car_world import CARS
from dnerf_core.demo.truth import random_view, true_mask
from dnerf_core.demo.world import PART_NAMES
from dnerf_core.metrics import SegmentationScores, confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.semantic.branch import SemanticBranch, label_mask
from dnerf_core.semantic.choosing.ensemble import EnsembleConfig, train_ensemble
from dnerf_core.semantic.choosing.greedy import GreedyConfig
from dnerf_core.semantic.choosing.rays import RaySketch, ViewRays, label_shares
from dnerf_core.semantic.choosing.views import ChoosingConfig, SeenView, choose_next
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from dnerf_core.semantic.visibility import density_pass

POOL_SEEDS = 100_000
"""Of the first car of the first seed's pool; each seed of chance has cars of its own."""
SEEDS_APART = 10_000
CANDIDATES_FROM = 1000
"""Cars to choose among begin so far behind the random ones, and each round so far behind the last."""
CANDIDATE_CARS, CANDIDATE_VIEWS = 64, 4
TEST_SEEDS = range(20_000, 20_060)


@dataclass(frozen=True)
class Row:
    """One row of the table: views by rounds, the first of them random; of a random row all at once."""

    name: str
    rounds: tuple[int, ...]
    greedy: GreedyConfig | None = None

    @property
    def views(self) -> int:
        """All of them."""
        return sum(self.rounds)


BOTH, UNCERTAIN, COVERING = GreedyConfig(), GreedyConfig(distance_power=0.0), GreedyConfig(uncertainty_power=0.0)
ROWS = (
    Row("random 9", (9,)),
    Row("chosen 9", (6, 3), BOTH),
    Row("random 15", (15,)),
    Row("chosen 15", (6, 3, 6), BOTH),
    Row("random 45", (45,)),
    Row("chosen 45", (15, 15, 15), BOTH),
    Row("chosen 60", (15, 15, 15, 15), BOTH),
    Row("random 90", (90,)),
    Row("uncertain 15", (6, 3, 6), UNCERTAIN),
    Row("covering 15", (6, 3, 6), COVERING),
    Row("random 30", (30,)),
    Row("chosen 30", (15, 15), BOTH),
)


@dataclass(frozen=True, eq=False)
class PaintedView:
    """View number `number` of a car, and its exact mask."""

    seed: int
    number: int
    camera: Camera
    mask: NDArray[np.uint8]


class Trial:
    """The demo at a side of `size` pixels, what is painted of it, and the views that are scored."""

    def __init__(self, size: int, steps: int) -> None:
        self.model, self.steps, self.rays_a_side = Model.load("demo-cars"), steps, ChoosingConfig().resolution
        config = self.model.config
        share = config.image_size // size
        rays = replace(config.rays, neural_resolution=config.rays.neural_resolution // share)
        # the same weights; of its configuration the branch and its trainer read these two sides
        self.generator = copy.copy(self.model.generator)
        self.generator.config = replace(config, image_size=size, rays=rays)
        self.size = size
        self._grown: dict[tuple[Any, ...], list[PaintedView]] = {}

    @functools.cache  # noqa: B019  # one trial a process
    def view(self, seed: int, view: int = 0) -> PaintedView:
        """A random view of a car from all around, a function of (seed, view), and its mask."""
        camera = self.camera(seed, view)
        return PaintedView(seed, view, camera, true_mask(self.model, seed, camera, self.size))

    def camera(self, seed: int, view: int) -> Camera:
        """Where that view is seen from."""
        return random_view(self.model.config.cameras, seed, view, CARS.yaw_deg, CARS.pitch_deg)

    def seen(self, seed: int, camera: Camera, mask: NDArray[np.uint8] | None = None) -> SeenView:
        """A view as the chooser takes it."""
        latent = self.model.subject(seed).ws[0].mean(dim=0).double().numpy()
        return SeenView(seed, lambda: self.model.subject(seed).planes, latent, camera, (), mask)

    def grown(self, painted: Sequence[PaintedView], count: int, first_candidate: int, greedy: GreedyConfig) -> list[PaintedView]:
        """The painted views and `count` more, chosen."""
        cars = [
            (seed, view) for seed in range(first_candidate, first_candidate + CANDIDATE_CARS) for view in range(CANDIDATE_VIEWS)
        ]
        by_car: dict[int, Any] = {}

        def candidate(seed: int, view: int) -> SeenView:
            seen = by_car.setdefault(seed, self.seen(seed, self.camera(seed, view)))
            return replace(seen, camera=self.camera(seed, view))

        found = choose_next(
            self.model.generator,
            [self.seen(view.seed, view.camera, view.mask) for view in painted],
            [candidate(seed, view) for seed, view in cars],
            num_classes=len(PART_NAMES),
            subjects=count,
            config=ChoosingConfig(ensemble=EnsembleConfig(seed=first_candidate), greedy=greedy),
        )
        return [*painted, *(self.view(*cars[one.choice.candidate]) for one in found)]

    def views_of(self, row: Row, chance: int) -> list[PaintedView]:
        """What a row trains on."""
        start = POOL_SEEDS + chance * SEEDS_APART
        painted = [self.view(seed) for seed in range(start, start + row.rounds[0])]
        for number, count in enumerate(row.rounds[1:], 1):
            assert row.greedy is not None
            key = (chance, row.rounds[: number + 1], row.greedy)  # rows grow from each other's rounds
            if key not in self._grown:
                self._grown[key] = self.grown(painted, count, start + CANDIDATES_FROM * number, row.greedy)
            painted = self._grown[key]
        return painted

    @cached_property
    def sketch(self) -> RaySketch:
        """Of the small branches that score: the same for all rows."""
        return RaySketch(self.model.generator, (self.model.subject(seed).planes for seed in range(POOL_SEEDS, POOL_SEEDS + 8)))

    @functools.cache  # noqa: B019
    def rays(self, seed: int, view: int) -> tuple[ViewRays, torch.Tensor]:
        """The rays of a random view of a car, and the shares of classes [R*R, C] in all rays of the picture."""
        painted, planes = self.view(seed, view), self.model.subject(seed).planes
        cameras = camera_tensors(painted.camera)
        seen = self.sketch.view(self.sketch.guided(planes), self.sketch.table(planes), *cameras, self.rays_a_side)
        return seen, torch.from_numpy(label_shares(painted.mask, len(PART_NAMES), self.rays_a_side))

    def small_score(self, views: Sequence[PaintedView], seed: int) -> dict[str, Any]:
        """Scores of small branches trained on all of the views."""
        seen = [self.rays(view.seed, view.number) for view in views]
        features = torch.cat([rays.features for rays, _ in seen])
        shares = torch.cat([shares[rays.pixel] for rays, shares in seen])
        config = EnsembleConfig(members=2, steps=250, seed=seed)
        members = train_ensemble(features, shares, torch.zeros(len(features), dtype=torch.long), config)
        confusions = []
        for test_seed in TEST_SEEDS:
            rays, truth = self.rays(test_seed, 0)
            found = torch.zeros(len(truth), dtype=torch.long)
            found[rays.pixel] = members.probabilities(rays.features).mean(dim=0).argmax(dim=1)
            masks = (labels.numpy().astype(np.uint8)[None] for labels in (truth.argmax(dim=1), found))
            confusions.append(confusion_matrix(*masks, len(PART_NAMES)))
        return scores_json(pooled_scores(confusions))

    def trained(self, views: Sequence[PaintedView], seed: int) -> SemanticBranch:
        """A branch of them."""
        cars = list(dict.fromkeys(view.seed for view in views))
        labelled = [AnnotatedView(cars.index(v.seed), v.camera.cam2world, v.camera.intrinsics, v.mask) for v in views]
        ws = torch.cat([self.model.subject(car).ws for car in cars])
        config = BranchTrainingConfig(steps=self.steps, seed=seed)
        return train_branch(self.generator, ws, labelled, SemanticConfig(num_classes=len(PART_NAMES)), config).branch

    @cached_property
    def tests(self) -> list[tuple[PaintedView, Any]]:
        """The views to be scored, with their visible samples."""
        config = SemanticConfig(num_classes=len(PART_NAMES))
        side = self.generator.config.rays.neural_resolution
        out = []
        for seed in TEST_SEEDS:
            view, planes = self.view(seed), self.model.subject(seed).planes
            out.append((view, density_pass(self.generator, planes, *camera_tensors(view.camera), side, config)))
        return out

    @torch.no_grad()
    def score(self, branch: SemanticBranch) -> dict[str, Any]:
        """Scores pooled over the test views."""
        confusions = []
        for view, visible in self.tests:
            projected = branch.project(self.generator.source(self.model.subject(view.seed).planes))
            mask = label_mask(branch.refine(branch.maps(projected, visible)))[0].numpy()
            confusions.append(confusion_matrix(view.mask, mask, len(PART_NAMES)))
        return scores_json(pooled_scores(confusions))


def scores_json(scores: SegmentationScores) -> dict[str, Any]:
    """What a row keeps of scores."""
    parts = {name: round(value, 4) for name, value in zip(PART_NAMES, scores.iou_per_class, strict=True)}
    return {"miou": round(scores.miou, 5), "iou": parts}


def pixels_of(views: Sequence[PaintedView]) -> dict[str, float]:
    """Share of each class in what was painted."""
    counts = np.sum([np.bincount(view.mask.ravel(), minlength=len(PART_NAMES)) for view in views], axis=0)
    return {name: round(float(share), 4) for name, share in zip(PART_NAMES, counts / counts.sum(), strict=True)}


def settings_of(row: Row, reader: str, steps: int, size: int) -> dict[str, Any]:
    """What decides a row besides its views of chance."""
    powers = {} if row.greedy is None else {"powers": [row.greedy.uncertainty_power, row.greedy.distance_power]}
    trained = {"steps": steps} if reader == "branch" else {}
    return {"reader": reader, "rounds": list(row.rounds), "size": size, **trained, **powers}


def kept_rows(path: Path, reader: str, steps: int, size: int) -> list[dict[str, Any]]:
    """The rows of an earlier run with the same settings."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    settings = {row.name: settings_of(row, reader, steps, size) for row in ROWS}
    return [row for row in rows if row["settings"] == settings.get(row["name"])]


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Mean and spread of each row over the seeds of chance."""
    yield "| views | mIoU, mean | standard deviation | seeds | roof | hood | wheels |"
    yield "|---|---|---|---|---|---|---|"
    for row in ROWS:
        scores = [found for found in rows if found["name"] == row.name]
        if scores:
            values = [found["miou"] for found in scores]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            parts = [statistics.mean(found["iou"][name] for found in scores) for name in ("roof", "hood", "wheels")]
            yield (
                f"| {row.name} | {statistics.mean(values):.4f} | {spread:.4f} | {len(values)} | "
                + " | ".join(f"{value:.3f}" for value in parts)
                + " |"
            )


def main() -> None:
    """Run what is missing, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", choices=["small", "branch"], default="small")
    parser.add_argument("--rows", type=Path, default=Path("next-views.jsonl"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], default=[row.name for row in ROWS])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--report", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    rows = kept_rows(arguments.rows, arguments.reader, arguments.steps, arguments.size)
    trial = None
    for chance in range(0 if arguments.report else arguments.seeds):
        for row in ROWS:
            if row.name not in arguments.only or any(r["name"] == row.name and r["seed"] == chance for r in rows):
                continue
            trial = trial or Trial(arguments.size, arguments.steps)
            began = time.perf_counter()
            views = trial.views_of(row, chance)
            chose = time.perf_counter() - began
            small = arguments.reader == "small"
            scores = trial.small_score(views, chance) if small else trial.score(trial.trained(views, chance))
            found = {
                "name": row.name,
                "seed": chance,
                "settings": settings_of(row, arguments.reader, arguments.steps, arguments.size),
                **scores,
                "painted": pixels_of(views),
                "views_s": round(chose, 1),
                "seconds": round(time.perf_counter() - began, 1),
            }
            rows.append(found)
            with arguments.rows.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(f"seed {chance}, {row.name}: {found['miou']:.4f} in {found['seconds']:.0f} s", flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
