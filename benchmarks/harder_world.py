"""How far the harder world lies from the one that `demo-cars` learned from, and what its pictures cost.

    python benchmarks/harder_world.py [--seeds 0-199] [--pictures 12] [--size 128]

Of `--seeds`: the share of the cars' numbers outside of the training's ranges, of cars by how many of their numbers are, of cars with racks,
boxes, spoilers and two tones. Of `--pictures` seen from all around: the mean and spread of the subject's and the whole picture's colours in
both worlds, plain and as photographs, the shares of the labels, and processor seconds a picture.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
import torch

from dnerf_core.demo.car_parameters import RANGES
from dnerf_core.demo.exact_worlds import exact_world
from dnerf_core.demo.harder.cars import HarderCars
from dnerf_core.demo.harder.equipment import CARGO, MIRROR, RACK, SPOILER
from dnerf_core.demo.truth import random_view
from dnerf_core.photographs.photograph import photograph
from dnerf_core.photographs.strengths import draw_strengths
from dnerf_core.seeds import parse_seeds


def print_numbers(seeds: tuple[int, ...]) -> None:
    """What the cars are, against the training's ranges."""
    cars = HarderCars.from_seeds(seeds)
    outside = {}
    for name, (low, high) in RANGES.items():
        column = getattr(cars.parameters, name)[:, 0]
        outside[name] = (column < low) | (column > high)
    table = torch.stack(list(outside.values())).float()
    print(
        f"numbers outside of the training's ranges: {100 * table.mean():.1f}%; of a car {table.sum(dim=0).mean():.1f} of {len(RANGES)},"
    )
    print(f"  from {int(table.sum(dim=0).min())} to {int(table.sum(dim=0).max())}")
    print("  " + ", ".join(f"{name} {100 * column.float().mean():.0f}%" for name, column in outside.items()))
    for kind, name in ((RACK, "rack"), (CARGO, "box"), (SPOILER, "spoiler"), (MIRROR, "mirrors")):
        share = np.mean([any(piece.kind == kind for piece in one.pieces) for one in cars.equipment])
        print(f"  with {name}: {100 * share:.0f}%")
    print("  tones:", dict(Counter(paint.two_tone for paint in cars.paints)), "styles:", dict(Counter(cars.styles)))


def print_pictures(name: str, count: int, size_px: int) -> None:
    """Colours, labels and seconds of a world's pictures."""
    world = exact_world(name)
    plain, subjects, photographs, pixels = [], [], [], np.zeros(world.labels.num_classes)
    seconds = {"exact": 0.0, "mild": 0.0, "hard": 0.0}
    for seed in range(count):
        camera = random_view(world.cameras, seed, 0, world.yaw_deg, world.pitch_deg)
        began = time.process_time()
        view = world.view(seed, camera, size_px)
        seconds["exact"] += time.process_time() - began
        plain.append(view.rgb.reshape(-1, 3) / 255)
        subjects.append(view.rgb[view.mask > 0] / 255)
        pixels += np.bincount(view.mask.ravel(), minlength=len(pixels))
        for level in ("mild", "hard"):
            strengths = draw_strengths(level, seed, 0)
            assert strengths is not None
            began = time.process_time()
            made_picture = photograph(view.cutout, strengths, world.cameras.world_up)
            seconds[level] += time.process_time() - began
            if level == "hard":
                photographs.append(made_picture.reshape(-1, 3) / 255)
    print(f"\n{name}: {count} pictures, {size_px} px")
    for what, values in (("pictures", plain), ("subjects", subjects), ("hard photographs", photographs)):
        every = np.concatenate(values)
        print(f"  {what}: mean {every.mean(axis=0).round(3)}, spread {every.std(axis=0).round(3)}")
    print(
        "  labels: "
        + ", ".join(f"{label} {100 * share:.2f}%" for label, share in zip(world.labels.names, pixels / pixels.sum(), strict=True))
    )
    print("  processor seconds: " + ", ".join(f"{what} {spent / count:.3f}" for what, spent in seconds.items()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-199")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--size", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_numbers(parse_seeds(arguments.seeds))
    for name in ("demo-cars", "harder-cars"):
        print_pictures(name, arguments.pictures, arguments.size)


if __name__ == "__main__":
    main()
