"""The generator of people against the exact truth: unseen people, at rest and in unseen poses, from all around.

    python -m dnerf_core.demo.people.training.score (--state FOLDER | --model FILE) [--clips FOLDER] [--people 100] [--sheet FILE.png]

Every sample of both passes is read, as in training; silhouettes and depths at neural resolution, pictures at full size.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.demo.people.framing import intrinsics, random_cameras
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.trace import render_people
from dnerf_core.demo.people.training.clips import HELD_OUT, read_clips
from dnerf_core.demo.people.training.export import plain_generator
from dnerf_core.demo.people.training.poses import people_poser
from dnerf_core.demo.people.world import Z_DIM, People
from dnerf_core.demo.trace import TruthView
from dnerf_core.files.pictures import write_image
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.metrics import depth_error, psnr_db, silhouette_iou
from dnerf_core.model import Model
from dnerf_core.rendering.guided_view import VALUE_EPSILON
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import render_view

FIRST_SEED = 20_000
"""Unseen people begin here; training draws its latents from other generators."""
ELEVATION_DEG = (-10.0, 35.0)
"""Of the random views."""
_SEEN = 0.5
"""Opacity past which a pixel shows the person."""


@dataclass(frozen=True, eq=False)
class PersonView:
    """One person in one pose from one camera: rgb uint8 [S, S, 3]; depth_planar float32 [R, R], +inf where nothing is seen."""

    rgb: NDArray[np.uint8]
    depth_planar: NDArray[np.float32]


@dataclass(frozen=True)
class PersonScores:
    """Of one view: silhouette IoU, depth error as a share of the height at rest, PSNR of the picture and of the person's pixels alone."""

    silhouette_iou: float
    depth_error: float
    psnr_db: float
    body_psnr_db: float


@torch.no_grad()
def render_person(generator: Gnarf, ws: Tensor, pose: Tensor, cam2world: Tensor) -> PersonView:
    """A view [1, 4, 4] of one subject ws [1, num_ws, w_dim] of a plain generator in a pose [K + 1, 3]."""
    side = generator.config.rays.neural_resolution
    planes = generator.planes(ws, pose[None], noise_mode="none")
    rendered = render_view(generator, planes, cam2world, intrinsics(1), epsilon=VALUE_EPSILON)
    forward = ViewRays.from_cameras(cam2world, intrinsics(1), side).directions[0] @ cam2world[0, :3, 2]
    depth = torch.where(rendered.opacity[0] > _SEEN, rendered.distance[0] * forward.reshape(side, side), torch.inf)
    image = generator.superresolve(rendered.raw, ws)
    rgb = ((image[0].permute(1, 2, 0) * 0.5 + 0.5) * 255).round().clamp(0, 255).to(torch.uint8)
    return PersonView(rgb.numpy(), depth.numpy())


@dataclass(frozen=True, eq=False)
class Trial:
    """One person z [1, Z_DIM] in a pose [K + 1, 3] from a camera [1, 4, 4]."""

    z: Tensor
    pose: Tensor
    cam2world: Tensor


def trials(kind: str, count: int, clips: Path | None) -> Iterator[Trial]:
    """Unseen people in poses of a kind, from random views.

    Args:
        kind: "rest" (the canonical pose), "prior", or "clips" (of captured motion that training left out).
    """
    unseen = [] if clips is None else [read_clips(clips)[name] for name in HELD_OUT]
    poser = people_poser()
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        draws, rng = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        z = torch.randn(1, Z_DIM, generator=rng)
        pose = canonical_pose() if kind == "rest" else poser.drawn(draws, 1)[0]
        if kind == "clips":
            clip = unseen[draws.integers(len(unseen))]
            pose = clip[draws.integers(len(clip))]
        posed = torch.from_numpy(pose.copy())
        vertices = People.from_latent(z).posed_vertices(posed[None])
        yield Trial(z, posed, random_cameras(vertices, rng, ELEVATION_DEG))


def score(generator: Gnarf, trial: Trial) -> tuple[PersonScores, PersonView, TruthView]:
    """Render a trial and compare."""
    config, person = generator.config, People.from_latent(trial.z)
    pose, matrix = trial.pose[None], intrinsics(1)
    full = render_people(person, pose, trial.cam2world, matrix, config.image_size)
    small = render_people(person, pose, trial.cam2world, matrix, config.rays.neural_resolution, samples_per_pixel=1)
    view = render_person(generator, generator.mapping(trial.z), trial.pose, trial.cam2world)
    truth, depth = (full.rgb[0] * 255).round().to(torch.uint8).numpy(), small.depth_planar[0].numpy()
    seen = full.mask[0].numpy() > 0
    scores = PersonScores(
        silhouette_iou(np.isfinite(depth), np.isfinite(view.depth_planar)),
        depth_error(depth, view.depth_planar, float(person.heights[0])),
        psnr_db(truth, view.rgb),
        psnr_db(truth[seen][None], view.rgb[seen][None]),
    )
    return scores, view, full


def trained_generator(state: Path) -> Gnarf:
    """The plain generator of a training's folder, its running average."""
    saved = torch.load(state / "training-state.pt", weights_only=True)
    return plain_generator(saved["average"], saved["recipe"]["seed"])


def main() -> None:
    """Print a table of means, and the worst silhouette."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, help="folder of a training")
    parser.add_argument("--model", type=Path, help="model file")
    parser.add_argument("--clips", type=Path, help="folder of captured motion (pybullet_data/data/motions)")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--sheet", type=Path, help="write truth and picture of the first people side by side")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if (arguments.state is None) == (arguments.model is None):
        parser.error("pass either --state or --model")
    generator = trained_generator(arguments.state) if arguments.state else Model.load(arguments.model).generator
    assert isinstance(generator, Gnarf)
    rows: list[NDArray[np.uint8]] = []
    print(f"{'poses':6} {'IoU':>6} {'worst':>6} {'depth %':>8} {'PSNR':>6} {'on body':>7}")
    for kind in ("rest", "prior") + (("clips",) if arguments.clips else ()):
        scored: list[PersonScores] = []
        pictures: list[NDArray[np.uint8]] = []
        for trial in trials(kind, arguments.people, arguments.clips):
            scores, view, truth = score(generator, trial)
            scored.append(scores)
            if len(pictures) < 12:
                pictures += [(truth.rgb[0] * 255).round().to(torch.uint8).numpy(), view.rgb]
        table = np.array([[s.silhouette_iou, s.depth_error, s.psnr_db, s.body_psnr_db] for s in scored])
        iou, depth, psnr, body = table.mean(axis=0)
        print(f"{kind:6} {iou:6.4f} {table[:, 0].min():6.4f} {100 * depth:8.3f} {psnr:6.2f} {body:7.2f}", flush=True)
        rows.append(np.concatenate(pictures, axis=1))
    if arguments.sheet:
        width = min(row.shape[1] for row in rows)
        write_image(arguments.sheet, np.concatenate([row[:, :width] for row in rows], axis=0))


if __name__ == "__main__":
    main()
