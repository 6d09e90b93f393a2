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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.trace import render_truth
from dnerf_core.demo.truth import TRUTH_PITCH_DEG, TRUTH_YAW_DEG, random_view
from dnerf_core.demo.world import PART_NAMES, Cars
from dnerf_core.generator.eg3d import Planes
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch, label_mask
from dnerf_core.semantic.config import BranchTrainingConfig, RefinerConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from dnerf_core.semantic.visibility import VisibleSamples, density_pass

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


def true_mask(model: Model, seed: int, camera: Camera) -> NDArray[np.uint8]:
    """The exact label mask uint8 [S, S] of a seed's car."""
    cars = Cars.from_latent(torch.from_numpy(model.latent(seed))[None])
    truth = render_truth(cars, *camera_tensors(camera), model.config.image_size, samples_per_pixel=1)
    mask: NDArray[np.uint8] = truth.mask[0].numpy()
    return mask


def labelled_views(model: Model) -> list[AnnotatedView]:
    """The 90 labelled views, ordered so that the first 30 and 45 take as many subjects as they can."""
    views = []
    for number in range(VIEWS_PER_SUBJECT):
        for index, seed in enumerate(TRAIN_SEEDS):
            camera = random_view(model.config.cameras, seed, number, TRUTH_YAW_DEG, TRUTH_PITCH_DEG)
            views.append(AnnotatedView(index, camera.cam2world, camera.intrinsics, true_mask(model, seed, camera)))
    return views


def test_views(model: Model) -> tuple[list[TestView], list[TestView]]:
    """Single views of the unseen cars, and the frames of the videos."""
    single, video = [], []
    for seed in TEST_SEEDS:
        camera = random_view(model.config.cameras, seed, 0, TRUTH_YAW_DEG, TRUTH_PITCH_DEG)
        single.append(TestView(seed, camera, true_mask(model, seed, camera)))
    for seed in VIDEO_SEEDS:
        for camera in arc_cameras(model.config.cameras, (-30.0, 30.0), count=61):
            video.append(TestView(seed, camera, true_mask(model, seed, camera)))
    return single, video


class DensityPasses:
    """The test views' visible samples, found once for all settings that see with the generator's density."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.found: dict[int, VisibleSamples] = {}

    def of(self, view: TestView, planes: Planes, config: SemanticConfig) -> VisibleSamples:
        """What a branch of `config` reads in a view."""
        key = id(view)
        if config.density_prior and key in self.found:
            return self.found[key]
        pose, intrinsics = camera_tensors(view.camera)
        resolution = self.model.config.rays.neural_resolution
        visible = density_pass(self.model.generator, planes.planes, pose, intrinsics, resolution, config)
        if config.density_prior:
            self.found[key] = visible
        return visible


def camera_tensors(camera: Camera) -> tuple[torch.Tensor, torch.Tensor]:
    """cam2world [1, 4, 4] and intrinsics [1, 3, 3], float32."""
    pose, intrinsics = (torch.tensor(a, dtype=torch.float32)[None] for a in (camera.cam2world, camera.intrinsics))
    return pose, intrinsics


@torch.no_grad()
def score(
    model: Model, branch: SemanticBranch, views: list[TestView], passes: DensityPasses
) -> tuple[float, float, tuple[float, ...]]:
    """mIoU, accuracy and IoU of each class, pooled over the views."""
    total = np.zeros((len(PART_NAMES), len(PART_NAMES)), np.int64)
    guide_kind = branch.config.refiner.guide
    for seed in dict.fromkeys(view.subject for view in views):
        subject = model.subject(seed)
        projected = branch.project(subject.planes)
        for view in (v for v in views if v.subject == seed):
            guide = None
            if guide_kind != "none":
                rendering = model.generator.render(subject.planes.planes, *camera_tensors(view.camera), epsilon=1e-4)
                guide = rendering.features
                guide = model.generator.superresolve(guide, subject.ws) if guide_kind == "rgb" else guide
            visible = passes.of(view, subject.planes, branch.config)
            scores = branch.refine(branch.maps(projected, visible), guide)
            total += confusion_matrix(view.mask, label_mask(scores)[0].numpy(), len(PART_NAMES))
    result = segmentation_scores(total)
    return result.miou, result.accuracy, result.iou_per_class


def main() -> None:
    """Run the settings asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-cars")
    parser.add_argument("--only", nargs="*", help="names of settings; all without it")
    parser.add_argument("--steps", type=int, default=BranchTrainingConfig().steps)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    views, (single, video) = labelled_views(model), test_views(model)
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
        (miou, accuracy, classes), (video_miou, video_accuracy, _) = (
            score(model, trained.branch, v, passes) for v in (single, video)
        )
        row = {
            "setting": setting.name,
            "miou": round(miou, 4),
            "accuracy": round(accuracy, 4),
            "video_miou": round(video_miou, 4),
            "video_accuracy": round(video_accuracy, 4),
            "train_s": round(seconds, 1),
            "iou_per_class": {name: round(value, 4) for name, value in zip(PART_NAMES, classes, strict=True)},
        }
        rows.append(row)
        print(
            f"{setting.name:32s} {miou:7.4f} {accuracy:7.4f} {video_miou:7.4f} {video_accuracy:7.4f} {seconds:8.1f}", flush=True
        )
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
