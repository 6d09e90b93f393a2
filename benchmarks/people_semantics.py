"""Labels of people that move: how much multi-scale features, the density prior and the number of painted views matter.

    python benchmarks/people_semantics.py --json rows.json [--only NAME ...] [--model demo-people] [--steps 600] [--tests 100]

Each setting trains a semantic branch on views labelled from the exact truth (30 people, each view in one of 60 poses) and is scored
on unseen people in unseen poses: label scores on one random view each, and pose consistency. For that half of them are seen in a second
pose from a second side; places spread over the body that the exact world says both views see are to get the same label in both. The
first figure is of all such places: one at a silhouette, which a view calls background by a pixel, counts against it. The second is of
those that both views show. All settings share generator, labelled views and tests. Rows already in FILE are kept, so that a run that was
stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.demo.people.training.consistency import PoseConsistency, pose_consistency
from dnerf_core.demo.people.world import People
from dnerf_core.demo.truth import random_view, require_truth, true_mask
from dnerf_core.gnarf.poser import poser_of_model
from dnerf_core.metrics import confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch

PAINTED_SEEDS = range(10_000, 10_030)
VIEWS_A_PERSON = 5
POSES = 60
UNSEEN_SEED = 20_000
YAW_DEG, PITCH_DEG = (-180.0, 180.0), (-10.0, 35.0)


@dataclass(frozen=True)
class Setting:
    """A row: a branch's configuration, and how many of the painted views it gets."""

    name: str
    semantic: SemanticConfig
    views: int = len(PAINTED_SEEDS) * VIEWS_A_PERSON


def settings(classes: int, last_block: int) -> list[Setting]:
    """The rows."""
    usual = SemanticConfig(num_classes=classes)
    return [
        Setting("150 views", usual),
        Setting("90 views", usual, 90),
        Setting("45 views", usual, 45),
        Setting("last scale only, 150 views", replace(usual, scales=(last_block,))),
        Setting("no density prior, 150 views", replace(usual, density_prior=False)),
    ]


@dataclass(frozen=True, eq=False)
class PosedView:
    """One person in a pose [K + 1, 3] from a camera, with the exact mask."""

    seed: int
    pose: Tensor
    camera: Camera
    mask: NDArray[np.uint8]


class World:
    """Painted and test views, exact."""

    def __init__(self, model: Model) -> None:
        self.model, self.poser = model, poser_of_model(model.header.path)

    def view(self, seed: int, number: int, pose: NDArray[np.float32]) -> PosedView:
        """View `number` of a person, in a pose."""
        camera = random_view(self.model.config.cameras, seed, number, YAW_DEG, PITCH_DEG)
        mask = true_mask(self.model, seed, camera, self.model.config.image_size, tuple(pose.flatten().tolist()))
        return PosedView(seed, torch.from_numpy(pose.copy()), camera, mask)

    def painted(self) -> list[PosedView]:
        """150 views, each person's one after the other's, so that fewer take as many people as they can."""
        rng = np.random.default_rng(1)
        poses = self.poser.drawn(rng, POSES)
        return [self.view(seed, number, poses[rng.integers(POSES)]) for number in range(VIEWS_A_PERSON) for seed in PAINTED_SEEDS]

    def tests(self, count: int) -> list[tuple[PosedView, ...]]:
        """Unseen people in poses of their own, every second in two."""
        tests = []
        for seed in range(UNSEEN_SEED, UNSEEN_SEED + count):
            poses = self.poser.drawn(np.random.default_rng(seed), 2)
            tests.append(tuple(self.view(seed, number, poses[number]) for number in range(1 + seed % 2)))
        return tests


def consistent(views: Sequence[PosedView], masks: Sequence[NDArray[np.uint8]], person: People) -> PoseConsistency:
    """Of the masks of two views."""
    rng = torch.Generator().manual_seed(views[0].seed)
    poses = torch.stack([view.pose for view in views])
    cam2world = torch.cat([camera_tensors(view.camera)[0] for view in views])
    return pose_consistency(person, poses, cam2world, torch.from_numpy(np.stack(masks)), rng)


def score(model: Model, tests: Sequence[tuple[PosedView, ...]]) -> dict[str, Any]:
    """Label scores of the first views, pooled, and pose consistency of those that have a second, also of the exact masks."""
    labels = require_truth(model).labels
    confusions, found, exact = [], PoseConsistency(0, 0, 0), PoseConsistency(0, 0, 0)
    for views in tests:
        subject = model.subject(views[0].seed)
        masks = []
        for view in views:
            mask = subject.posed(view.pose[None]).channels(view.camera, channels=("mask",)).mask
            assert mask is not None
            masks.append(mask)
        confusions.append(confusion_matrix(views[0].mask, masks[0], labels.num_classes))
        if len(views) > 1:
            person = People.from_latent(torch.from_numpy(model.latent(views[0].seed))[None])
            found += consistent(views, masks, person)
            exact += consistent(views, [view.mask for view in views], person)
    pooled = pooled_scores(confusions)
    return {
        "miou": round(pooled.miou, 4),
        "accuracy": round(pooled.accuracy, 4),
        "pose_consistency": round(found.same / found.seen, 4) if found.seen else None,
        "pose_consistency_shown": round(found.same / found.shown, 4) if found.shown else None,
        "pose_consistency_exact": round(exact.same / exact.seen, 4) if exact.seen else None,
        "places": found.seen,
        "iou": {name: round(iou, 4) for name, iou in zip(labels.names, pooled.iou_per_class, strict=True)},
    }


def main() -> None:
    """Run the settings asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-people")
    parser.add_argument("--only", nargs="*", help="names of settings; all without it")
    parser.add_argument("--steps", type=int, default=BranchTrainingConfig().steps)
    parser.add_argument("--tests", type=int, default=100, help="unseen people")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    world = World(model)
    painted, tests = world.painted(), world.tests(arguments.tests)
    key = {"model": model.sha256, "steps": arguments.steps, "tests": arguments.tests}
    rows = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
    labels = require_truth(model).labels
    chosen = settings(labels.num_classes, model.config.backbone.resolution)
    for setting in chosen:
        if arguments.only and setting.name not in arguments.only:
            continue
        row = next((row for row in rows if row["setting"] == setting.name and all(row[k] == v for k, v in key.items())), None)
        if row is None:
            views = painted[: setting.views]
            ws = torch.cat([model.subject(view.seed).ws for view in views])
            annotated = [
                AnnotatedView(index, view.camera.cam2world, view.camera.intrinsics, view.mask) for index, view in enumerate(views)
            ]
            began = time.perf_counter()
            trained = train_branch(
                model.generator,
                ws,
                annotated,
                setting.semantic,
                BranchTrainingConfig(steps=arguments.steps),
                poses=[view.pose[None] for view in views],
            )
            seconds = time.perf_counter() - began
            scores = score(model.with_branch(trained.branch, labels), tests)
            row = {"setting": setting.name, **key, "train_s": round(seconds), **scores}
            rows.append(row)
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
        print(
            f"{row['setting']:28s} mIoU {row['miou']:.4f}  accuracy {row['accuracy']:.4f}  pose consistency {row['pose_consistency']}"
            f", where shown {row['pose_consistency_shown']} (exact masks {row['pose_consistency_exact']}, {row['places']} places)"
            f"  trained in {row['train_s']} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
