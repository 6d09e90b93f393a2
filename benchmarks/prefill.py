"""Painted once, prefilled into the rest: how much of the other views is filled, and how much of that rightly, by the exact truth.

    python benchmarks/prefill.py

Subjects of the demo whose exact masks are known. One view of each is painted by the truth, its depth and the others' are the model's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.truth import true_mask
from dnerf_core.files.annotated_folder import AnnotatedImage
from dnerf_core.files.names import view_name
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.model import Model
from dnerf_core.multiview.prefilling import Prefiller, correct_pixels
from dnerf_core.seeds import parse_seeds
from headless.commands.types import parse_range


def counted(model: Model, seed: int, cameras: list[Camera], painted: int) -> tuple[int, int, int]:
    """Object pixels of a subject's views but the painted one, those filled, and those filled rightly."""
    size_px, subject = model.config.image_size, model.subject(seed)
    mask = true_mask(model, seed, cameras[painted], size_px)
    image = AnnotatedImage(view_name(seed, painted), (seed, 1.0), painted, cameras[painted], mask, Path("truth"))
    prefiller = Prefiller(subject, [image], SHAPENET_CAR_LABELS)
    total = filled = correct = 0
    for number, camera in enumerate(cameras):
        if number != painted:
            depth = prefiller.depth(camera, size_px)
            filled_view = prefiller.fill(view_name(seed, number), camera, depth)
            total, filled = total + filled_view.object_px, filled + filled_view.filled_px
            correct += correct_pixels(model, seed, camera, filled_view, depth)
    return total, filled, correct


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20029", help="subjects that no training has seen")
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--yaw", default="-30:30")
    arguments = parser.parse_args()
    model = Model.load("demo-cars")
    seeds = parse_seeds(arguments.seeds)
    cameras = arc_cameras(model.config.cameras, parse_range(arguments.yaw), count=arguments.views)
    print(
        f"| painted of {len(cameras)} views, {len(seeds)} subjects, yaw {arguments.yaw} | object pixels | filled | of these rightly |"
    )
    print("|---|---|---|---|")
    for name, painted in (("the first", 0), ("the middle one", len(cameras) // 2)):
        total, filled, correct = (
            sum(counts) for counts in zip(*(counted(model, s, cameras, painted) for s in seeds), strict=True)
        )
        print(f"| {name} | {total} | {filled / total:.4f} | {correct / filled:.4f} |", flush=True)


if __name__ == "__main__":
    main()
