"""The paper's Tables 4 and 5 on the demo, scored against the exact truth.

    python benchmarks/ablations.py [--only NAME ...] [--steps 600] [--json FILE]

Each setting trains a semantic branch on views of cars labelled from the exact truth (30 subjects x 3 views unless it says
otherwise) and is scored on 90 views of 90 unseen cars and on 61-frame videos of 2 unseen cars. All settings share the
generator, the labelled views and the test views. Prints a line a setting; `--json` also writes them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.backbone.protocols import Planes
from dnerf_core.camera import Camera
from dnerf_core.demo.car_world import CARS
from dnerf_core.demo.truth import random_view, true_mask
from dnerf_core.demo.world import PART_NAMES
from dnerf_core.metrics import SegmentationScores, confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.view import render_view
from dnerf_core.semantic.branch import SemanticBranch, label_mask
from dnerf_core.semantic.config import BranchTrainingConfig, RefinerConfig, SemanticConfig
from dnerf_core.semantic.kept_views import GUIDE_EPSILON, AnnotatedView
from dnerf_core.semantic.training import train_branch
from dnerf_core.semantic.visibility import VisibleSamples, density_pass
from headless.scores.truth_scoring import TruthViews

TRAIN_SEEDS = range(10_000, 10_030)
TEST_SEEDS = range(20_000, 20_090)
VIDEO_SEEDS = range(30_000, 30_002)
VIEWS_PER_SUBJECT = 3


@dataclass(frozen=True)
class Setting:
    """One row of a table: a branch configuration and how many of the labelled views it gets."""

    name: str
    semantic: SemanticConfig
    views: int = 90


def settings(last_block: int) -> list[Setting]:
    """The rows: feature kinds, Table 4 (multi-scale, density prior), Table 5 (number of views), super-resolution guides."""
    features = SemanticConfig(num_classes=len(PART_NAMES), feature_kind="features")
    planes = replace(features, feature_kind="planes")
    return [
        Setting("features, 90 views", features),
        Setting("planes, 90 views", planes),
        Setting("planes, last scale only", replace(planes, scales=(last_block,))),
        Setting("features, last scale only", replace(features, scales=(last_block,))),
        Setting("features, no density prior", replace(features, density_prior=False)),
        Setting("features, 45 views", features, 45),
        Setting("features, 30 views", features, 30),
        Setting("features, guide rendered", replace(features, refiner=RefinerConfig(guide="rendered"))),
        Setting("features, guide rgb", replace(features, refiner=RefinerConfig(guide="rgb"))),
        Setting("features, no super-resolution", replace(features, refiner=RefinerConfig(kind="bilinear"))),
    ]


@dataclass(frozen=True, eq=False)
class TestView:
    """A view to be scored: which of the subjects, from where, and its true mask."""

    __test__ = False
    subject: int
    camera: Camera
    mask: NDArray[np.uint8]


def labelled_views(model: Model) -> list[AnnotatedView]:
    """The 90 labelled views, ordered so that the first 30 and 45 take as many subjects as they can."""
    views = []
    for number in range(VIEWS_PER_SUBJECT):
        for index, seed in enumerate(TRAIN_SEEDS):
            camera = random_view(model.config.cameras, seed, number, CARS.yaw_deg, CARS.pitch_deg)
            mask = true_mask(model, seed, camera, model.config.image_size)
            views.append(AnnotatedView(index, camera.cam2world, camera.intrinsics, mask))
    return views


def test_views(model: Model, seeds: Sequence[int], *, video: bool) -> list[TestView]:
    """What `evaluate --truth` looks at: a single view of each car, or with `video` the frames of its arc."""
    config = model.config
    chosen = TruthViews.chosen(config, CARS, video=video, count=None, yaw_deg=None, pitch_deg=None)
    return [
        TestView(seed, camera, true_mask(model, seed, camera, config.image_size))
        for seed in seeds
        for camera in chosen.cameras(config.cameras, seed)
    ]


class DensityPasses:
    """The test views' visible samples, found once for all settings that see with the generator's density."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.visible_by_view: dict[int, VisibleSamples] = {}

    def visible_samples(self, view: TestView, planes: Planes, config: SemanticConfig) -> VisibleSamples:
        """What a branch of `config` reads in a view."""
        key = id(view)
        if config.density_prior and key in self.visible_by_view:
            return self.visible_by_view[key]
        pose, intrinsics = camera_tensors(view.camera)
        resolution = self.model.config.rays.neural_resolution
        visible = density_pass(self.model.generator, planes, pose, intrinsics, resolution, config)
        if config.density_prior:
            self.visible_by_view[key] = visible
        return visible


@torch.no_grad()
def score(model: Model, branch: SemanticBranch, views: list[TestView], passes: DensityPasses) -> SegmentationScores:
    """Label scores, pooled over the views."""
    confusions = []
    guide_kind = branch.config.refiner.guide
    for seed in dict.fromkeys(view.subject for view in views):
        subject = model.subject(seed)
        projected = branch.project(model.generator.source(subject.planes))
        for view in (v for v in views if v.subject == seed):
            guide_image = None
            if guide_kind != "none":
                raw = render_view(model.generator, subject.planes, *camera_tensors(view.camera), epsilon=GUIDE_EPSILON).raw
                guide_image = model.generator.superresolve(raw, subject.ws) if guide_kind == "rgb" else raw.features
            visible = passes.visible_samples(view, subject.planes, branch.config)
            scores = branch.refine(branch.maps(projected, visible), guide_image)
            confusions.append(confusion_matrix(view.mask, label_mask(scores)[0].numpy(), len(PART_NAMES)))
    return pooled_scores(confusions)


def main() -> None:
    """Run the settings asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-cars")
    parser.add_argument("--only", nargs="*", help="names of settings; all without it")
    parser.add_argument("--steps", type=int, default=BranchTrainingConfig().steps)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    views = labelled_views(model)
    single, video = test_views(model, TEST_SEEDS, video=False), test_views(model, VIDEO_SEEDS, video=True)
    passes = DensityPasses(model)
    ws = torch.cat([model.subject(seed).ws for seed in TRAIN_SEEDS])
    rows = []
    print(f"{'setting':32s} {'mIoU':>7s} {'acc.':>7s} {'video':>7s} {'acc.':>7s} {'train s':>8s}", flush=True)
    for setting in settings(model.config.backbone.resolution):
        if arguments.only and setting.name not in arguments.only:
            continue
        began = time.perf_counter()
        chosen = views[: setting.views]
        trained = train_branch(model.generator, ws, chosen, setting.semantic, BranchTrainingConfig(steps=arguments.steps))
        seconds = time.perf_counter() - began
        scores, frames = (score(model, trained.branch, v, passes) for v in (single, video))
        row = {
            "setting": setting.name,
            "miou": round(scores.miou, 4),
            "accuracy": round(scores.accuracy, 4),
            "video_miou": round(frames.miou, 4),
            "video_accuracy": round(frames.accuracy, 4),
            "train_s": round(seconds, 1),
            "iou_per_class": {name: round(value, 4) for name, value in zip(PART_NAMES, scores.iou_per_class, strict=True)},
        }
        rows.append(row)
        print(
            f"{setting.name:32s} {scores.miou:7.4f} {scores.accuracy:7.4f} {frames.miou:7.4f} {frames.accuracy:7.4f} {seconds:8.1f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
