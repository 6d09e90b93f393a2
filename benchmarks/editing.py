"""Semantic edits of the demo's cars: a longer hood, a lower roof, larger wheels.

    python benchmarks/editing.py

Each edit is asked for in two ways. "expressible": the mask of the car that differs from this one by the one parameter of the demo's world,
as the generator sees it, so that the generator can express what is asked. "painted": pixels moved by hand, as a user would, whether or
not any car looks so: the hood grown 4 px over the body, the wheels grown 2 px, the roof's silhouette cut 4 px lower.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.demo.car_parameters import CarParameters, normalized_latent
from dnerf_core.editing.edit import Edit, edit_subject
from dnerf_core.editing.scores import change_seen
from dnerf_core.editing.settings import EditSettings
from dnerf_core.files.pictures import write_image
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.pose import camera_at
from dnerf_core.model import Model
from dnerf_core.seeds import parse_seeds
from dnerf_core.subject import Subject

HOOD, ROOF, WHEELS, OTHER = 1, 2, 3, 4
EDITS = {
    "longer hood": ("hood_share", 1.5, HOOD),
    "lower roof": ("cabin_height", -1.5, ROOF),
    "larger wheels": ("wheel_share", 1.8, WHEELS),
}
"""The world's parameter, how far its latent moves, and the label."""
TURNS_DEG = (-45.0, 45.0, 180.0)
PITCH_DEG = 18.0


def yaw_deg_of(seed: int) -> float:
    """25 to 50 degrees to one side or the other: hood, roof and wheels are seen."""
    return float(np.random.default_rng(seed).uniform(25, 50)) * (-1) ** seed


def camera_deg(model: Model, yaw_deg: float) -> Camera:
    return camera_at(math.radians(yaw_deg), math.radians(PITCH_DEG), model.config.cameras)


def expressible(model: Model, seed: int, kind: str, camera: Camera, before: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask with the label as the changed car has it."""
    parameter, by, label = EDITS[kind]
    z = normalized_latent(torch.from_numpy(model.latent(seed))[None])
    z[0, [field.name for field in fields(CarParameters)].index(parameter)] += by
    with torch.no_grad():
        other = Subject(model, model.ws(z)).channels(camera, None, ("mask",)).mask
    assert other is not None
    background = kind == "lower roof"
    about = (before == label) | (other == label) | (background & ((before == 0) | (other == 0)))
    return np.where(about, other, before)


def painted(kind: str, before: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask repainted by hand, so to say."""
    after = before.copy()
    if kind == "longer hood":
        after[_grown(before == HOOD, 4) & (before == OTHER)] = HOOD
    elif kind == "larger wheels":
        after[_grown(before == WHEELS, 2) & (before != 0)] = WHEELS
    else:
        lowered, roof = np.zeros_like(before, bool), before == ROOF
        lowered[4:] = (before != 0)[:-4]
        above = np.arange(len(before))[:, None] < np.where(roof)[0].max()
        after[(before != 0) & ~lowered & roof.any(axis=0)[None] & above] = 0
        moved = np.zeros_like(roof)
        moved[4:] = roof[:-4]
        after[moved & (before == OTHER)] = ROOF
    return after


def _grown(where: NDArray[np.bool_], px: int) -> NDArray[np.bool_]:
    image = torch.from_numpy(where)[None, None].float()
    return F.max_pool2d(image, 2 * px + 1, stride=1, padding=px)[0, 0].numpy() > 0


def sheet(model: Model, edit: Edit, requested: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Before, after, and the masks before, asked for and after, side by side."""
    labels = model.labels
    assert labels is not None
    masks = [labels.colorize(mask) for mask in (edit.before.mask, requested, edit.after.mask) if mask is not None]
    return np.concatenate([edit.before.rgb, edit.after.rgb, *masks], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="20000-20009", help="cars that no training has seen")
    parser.add_argument("--ask", choices=["expressible", "painted"], default="expressible")
    parser.add_argument("--pictures", type=Path, help="write a picture of each edit to this folder, which exists")
    arguments = parser.parse_args()
    model, settings = Model.load("demo-cars"), EditSettings()
    statistics = w_statistics(model, settings.statistics_seed)
    print(
        "| asked for | cars | repainted px | taken | agreement in r | PSNR outside r | PSNR kept | labels changed elsewhere | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in EDITS:
        rows = []
        for seed in parse_seeds(arguments.seeds):
            subject, camera = model.subject(seed), camera_deg(model, yaw_deg_of(seed))
            before = subject.channels(camera, None, ("mask",)).mask
            assert before is not None
            ask = painted(kind, before) if arguments.ask == "painted" else expressible(model, seed, kind, camera, before)
            started = time.perf_counter()
            edit = edit_subject(subject, camera, ask, settings, statistics=statistics)
            seconds = time.perf_counter() - started
            elsewhere = [camera_deg(model, yaw_deg_of(seed) + turn) for turn in TURNS_DEG]
            changes = [
                change_seen(subject.render(c), edit.subject.render(c), t).labels_changed
                for c, t in zip(elsewhere, TURNS_DEG, strict=True)
            ]
            s = edit.scores
            values = [
                edit.region.edited.sum(),
                s.edited_taken,
                s.agreement_inside,
                s.psnr_outside_db,
                s.psnr_kept_db,
                np.mean(changes),
                seconds,
            ]
            rows.append([float(value) for value in values])
            if arguments.pictures is not None:
                write_image(arguments.pictures / f"{arguments.ask}-{kind.replace(' ', '-')}-{seed}.png", sheet(model, edit, ask))
        px, taken, inside, outside, kept, changed, seconds = np.array(rows).T
        worst = f"{taken.mean():.3f} (worst {taken.min():.3f}) | {inside.mean():.3f} | {outside.mean():.1f} (worst {outside.min():.1f})"
        print(
            f"| {kind} | {len(rows)} | {px.mean():.0f} | {worst} | {kept.mean():.1f} | {changed.mean():.3f} | {seconds.mean():.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
