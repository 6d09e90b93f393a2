"""Inversion of photos and masks of cars that no training has seen, against their exact truth.

    python benchmarks/inversion.py
    python benchmarks/inversion.py --kind mask

The photo is the truth's own picture of a car of the demo's world, not the generator's, from a camera that is drawn by its seed. What is
found is scored by the exact truth: the re-render's PSNR, the camera's angles, the labels of the photo's view, and those of five
other views, which are turned from the found camera as the truth's are from the real one. Rows are kept in a file, so that a run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np

from dnerf_core.camera import Camera
from dnerf_core.demo.truth import true_mask, true_rgb, true_view
from dnerf_core.inversion.invert import Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.settings import SPACES, InversionSettings
from dnerf_core.metrics import confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.seeds import parse_seeds

TURNS_DEG = (-180.0, -90.0, -45.0, 45.0, 90.0)
"""Of the five other views."""
YAW_DEG, PITCH_DEG = (-60.0, 60.0), (5.0, 30.0)


def drawn_angles(seed: int) -> tuple[float, float]:
    """Yaw and pitch in degrees of a car's photo."""
    rng = np.random.default_rng(seed)
    return float(rng.uniform(*YAW_DEG)), float(rng.uniform(*PITCH_DEG))


def camera_deg(model: Model, yaw_deg: float, pitch_deg: float) -> Camera:
    return camera_at(math.radians(yaw_deg), math.radians(pitch_deg), model.config.cameras)


def row_of(model: Model, seed: int, inversion: Inversion, seconds: float) -> dict[str, float]:
    """The scores of one inversion."""
    yaw_deg, pitch_deg = drawn_angles(seed)
    size_px, classes = model.config.image_size, 5
    camera = camera_deg(model, yaw_deg, pitch_deg)
    truth, _ = true_view(model, seed, camera, size_px)
    others = []
    for turn in TURNS_DEG:
        seen = inversion.subject.channels(
            camera_deg(model, inversion.yaw_deg + turn, inversion.pitch_deg), size_px, ("mask",)
        ).mask
        assert seen is not None
        others.append(
            confusion_matrix(true_mask(model, seed, camera_deg(model, yaw_deg + turn, pitch_deg), size_px), seen, classes)
        )
    return {
        "seed": seed,
        "yaw_deg": yaw_deg,
        "pitch_deg": pitch_deg,
        "yaw_error_deg": inversion.yaw_deg - yaw_deg,
        "pitch_error_deg": inversion.pitch_deg - pitch_deg,
        "psnr_db": inversion.psnr_db(true_rgb(truth)),
        "miou": inversion.miou(truth.mask[0].numpy()),
        "miou_other_views": pooled_scores(others).miou,
        "seconds": seconds,
    }


def inverted(model: Model, seed: int, kind: str, settings: InversionSettings) -> tuple[Inversion, float]:
    """One inversion, and what it took, statistics of the model included."""
    camera = camera_deg(model, *drawn_angles(seed))
    truth, _ = true_view(model, seed, camera, model.config.image_size)
    started = time.perf_counter()
    statistics = w_statistics(model, settings.seed)
    if kind == "mask":
        inversion = invert_mask(model, truth.mask[0].numpy(), settings, statistics=statistics)[0]
    else:
        inversion = invert_picture(model, true_rgb(truth), settings, statistics=statistics)
    return inversion, time.perf_counter() - started


def print_table(rows: list[dict[str, float]], kind: str) -> None:
    """The table of docs/results.md."""
    yaw = np.abs([row["yaw_error_deg"] for row in rows])
    print(f"| {kind}, {len(rows)} cars | mean | worst |\n|---|---|---|")
    names = ["psnr_db"] if kind == "image" else []
    for name in (*names, "miou", "miou_other_views"):
        values = [row[name] for row in rows]
        print(f"| {name} | {np.mean(values):.4g} | {np.min(values):.4g} |")
    print(f"| yaw error, degrees | {yaw.mean():.3g} | {yaw.max():.3g} |")
    print(f"| cars with a yaw error under 3 degrees | {(yaw < 3).mean():.1%} | |")
    seconds = [row["seconds"] for row in rows]
    print(f"| seconds each | {np.mean(seconds):.3g} | {np.max(seconds):.3g} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20029", help="cars that no training has seen")
    parser.add_argument("--kind", choices=["image", "mask"], default="image")
    parser.add_argument("--space", choices=SPACES, default="w+")
    parser.add_argument("--tuning-steps", type=int, default=0)
    parser.add_argument("--search-seed", type=int, default=0)
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--rows", type=Path, help="keep the rows in this file, and go on from it")
    arguments = parser.parse_args()
    settings = InversionSettings(
        space=arguments.space,
        candidates=arguments.candidates,
        starts=arguments.starts,
        tuning_steps=arguments.tuning_steps,
        seed=arguments.search_seed,
    )
    model = Model.load("demo-cars")
    kept = [] if arguments.rows is None or not arguments.rows.exists() else arguments.rows.read_text().splitlines()
    rows = [json.loads(line) for line in kept]
    for seed in parse_seeds(arguments.seeds):
        if any(row["seed"] == seed for row in rows):
            continue
        rows.append(row_of(model, seed, *inverted(model, seed, arguments.kind, settings)))
        print(json.dumps(rows[-1]), flush=True)
        if arguments.rows is not None:
            with arguments.rows.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print_table(rows, arguments.kind)


if __name__ == "__main__":
    main()
