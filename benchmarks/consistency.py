"""3D consistency of the demo's masks: re-projection agreement, line textures, and what consistent masks gain and cost.

    python benchmarks/consistency.py [--seeds 20000-20004] [--frames 61] [--textures FILE.png]

Each subject is seen along the paper's arc, yaw -30 to 30 degrees. Three kinds of masks are compared: the exact truth's with the exact depth
(what pixels allow: a boundary falls between their centres), the model's, and the model's re-rendered from the labels that all frames fuse
to (`consistent_masks`). Agreement is between frames 1, 5, 15, 30 and 60 apart, both ways, pooled over the subjects; mIoU and accuracy are
against the exact truth, pooled over all frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.truth import true_view
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.metrics import confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.multiview.consistency import Agreement, line_texture, pairs_apart, reprojection_agreement
from dnerf_core.pointcloud.consistent import consistent_masks
from dnerf_core.seeds import parse_seeds

STEPS = (1, 5, 15, 30, 60)
TEXTURE_ROW = 0.56
"""At the height of hood and wheels, as a share of the picture's."""
CLASSES = SHAPENET_CAR_LABELS.num_classes


@dataclass(frozen=True)
class Arc:
    """One subject's frames, by kind of mask: depths and masks."""

    cameras: list[Camera]
    rgb: list[NDArray[np.uint8]]
    kinds: dict[str, tuple[Sequence[NDArray[np.floating]], Sequence[NDArray[np.uint8]]]]


def see(model: Model, seed: int, frames: int) -> Arc:
    """Render a subject and its truth along the arc."""
    cameras = arc_cameras(model.config.cameras, (-30.0, 30.0), count=frames)
    subject, size = model.subject(seed), model.config.image_size
    views = [subject.render(camera) for camera in cameras]
    truths = [true_view(model, seed, camera, size, samples_per_pixel=1)[0] for camera in cameras]
    depths = [view.depth_planar for view in views]
    return Arc(
        cameras,
        [view.rgb for view in views],
        {
            "exact truth": ([t.depth_planar[0].numpy() for t in truths], [t.mask[0].numpy() for t in truths]),
            "model": (depths, [view.mask for view in views if view.mask is not None]),
            "consistent": (depths, consistent_masks(views, CLASSES)),
        },
    )


def pooled_agreement(arcs: Sequence[Arc], kind: str, step: int) -> Agreement:
    """Agreement between frames so far apart, of all subjects."""
    return Agreement.pooled(
        [reprojection_agreement(arc.cameras, *arc.kinds[kind], CLASSES, pairs_apart(len(arc.cameras), step)) for arc in arcs]
    )


def write_textures(path: Path, arc: Arc) -> None:
    """Textures of one row: the images, the true labels, the model's and the consistent ones, side by side, each frame four pixels high."""
    row = int(TEXTURE_ROW * arc.rgb[0].shape[0])
    colors = [
        [SHAPENET_CAR_LABELS.colorize(mask) for mask in arc.kinds[kind][1]] for kind in ("exact truth", "model", "consistent")
    ]
    strips = [line_texture(frames, row).repeat(4, axis=0) for frames in (arc.rgb, *colors)]
    Image.fromarray(np.concatenate(strips, axis=1)).save(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20004")
    parser.add_argument("--frames", type=int, default=61)
    parser.add_argument("--textures", type=Path)
    arguments = parser.parse_args()
    model = Model.load("demo-cars")
    arcs = [see(model, seed, arguments.frames) for seed in parse_seeds(arguments.seeds)]
    steps = [step for step in STEPS if step < arguments.frames]
    degrees = [60.0 * step / (arguments.frames - 1) for step in steps]
    print(f"| agreement mIoU (accuracy), {len(arcs)} subjects | {' | '.join(f'{d:g} degrees apart' for d in degrees)} |")
    print(f"|---|{'---|' * len(steps)}")
    for kind in arcs[0].kinds:
        cells = [pooled_agreement(arcs, kind, step) for step in steps]
        print(f"| {kind} | {' | '.join(f'{one.miou:.4f} ({one.accuracy:.4f})' for one in cells)} |", flush=True)
    covisible = [pooled_agreement(arcs, "model", step).covisible for step in steps]
    print(f"| covisible share | {' | '.join(f'{share:.3f}' for share in covisible)} |")
    print("\n| against the exact truth | mIoU | accuracy | IoU by class |\n|---|---|---|---|")
    for kind in ("model", "consistent"):
        confusions = [
            confusion_matrix(truth, mask, CLASSES)
            for arc in arcs
            for truth, mask in zip(arc.kinds["exact truth"][1], arc.kinds[kind][1], strict=True)
        ]
        scores = pooled_scores(confusions)
        print(
            f"| {kind} | {scores.miou:.4f} | {scores.accuracy:.4f} | {' '.join(f'{iou:.4f}' for iou in scores.iou_per_class)} |"
        )
    if arguments.textures:
        write_textures(arguments.textures, arcs[0])


if __name__ == "__main__":
    main()
