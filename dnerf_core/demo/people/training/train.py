"""Train the demo's generator of people: `python -m dnerf_core.demo.people.training.train --state FOLDER`.

First points of the canonical space alone are learned, on coarse planes and then on the full ones; then patches of posed pictures join,
through the renderer and the super-resolution. The schedule goes by time worked on each of the threads, so that a budget in minutes is
kept on any machine, however busy; every few minutes everything is saved, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.car_parameters import normalized_latent
from dnerf_core.demo.people.body import people_generator
from dnerf_core.demo.people.clothing import palette
from dnerf_core.demo.people.config import DEMO_PEOPLE
from dnerf_core.demo.people.training.losses import point_batch, point_losses
from dnerf_core.demo.people.training.pictures import Patch, patch_losses, random_patch, shaped_body
from dnerf_core.demo.people.training.pool import PointPool, box_points, near_points
from dnerf_core.demo.people.training.poses import PoseDraws
from dnerf_core.demo.people.world import Z_DIM, People, body_tensors
from dnerf_core.files.whole import whole_file
from dnerf_core.gnarf.body.posed import PosedBody

STATE_NAME = "training-state.pt"


@dataclass(frozen=True)
class Recipe:
    """How the generator is trained. Fractions are of the time budget; learning rates are Adam's."""

    stages: tuple[tuple[float, int, int, int], ...] = (
        (0.06, 32, 6, 2000),
        (0.27, 64, 3, 4000),
        (0.68, 128, 3, 5000),
        (1.0, 256, 3, 5000),
    )
    """Until which fraction, on planes of which resolution, with how many people a step, and points of each."""
    box_points: int = 400
    guided_people: int = 256
    near_pool: int = 1_200_000
    box_pool: int = 200_000
    learning_rate: float = 3e-3
    final_learning_rate: float = 1e-4
    patch_from: float = 0.5
    patch_every: int = 2
    join_from: float = 0.56
    patch_people: int = 2
    patch_px: int = 40
    decay_from: float = 0.35
    mapping_steps: int = 8000
    mapping_rate: float = 1e-2
    mapping_rate_gain: float = 100.0
    float32_from: float = 0.92
    ema: float = 0.998
    color_weight: float = 2.0
    border_weight: float = 0.5
    guide_weight: float = 0.5
    seed: int = 0


class Training:
    """A run: generator, its running average, optimiser, step and seconds worked."""

    def __init__(self, recipe: Recipe, clips: Path | None = None) -> None:
        """clips: a folder of captured motion, see `clips`; None: poses of the prior alone."""
        self.recipe = recipe
        self.poses = PoseDraws(clips)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = people_generator()
            self.guide = torch.nn.Linear(DEMO_PEOPLE.mapping.w_dim, Z_DIM + 3 * 5)
        self.parts = (self.generator.backbone.synthesis, self.generator.decoder, self.generator.superresolution)
        for _, resolution, _, _ in recipe.stages[1:]:
            later = getattr(self.generator.backbone.synthesis, f"b{resolution}")
            torch.nn.init.zeros_(later.torgb.weight)
        self.optimizer = torch.optim.Adam([p for part in self.parts for p in part.parameters()], betas=(0.9, 0.99))
        self.average = {name: value.detach().clone() for name, value in self.weights().items()}
        self.step, self.seconds = 0, 0.0
        self.log: list[dict[str, float]] = []
        rng = torch.Generator().manual_seed(recipe.seed + 1)
        stretch, side = DEMO_PEOPLE.triplane.axis_stretch, DEMO_PEOPLE.triplane.box_warp
        x, y, z = (side / 2 / factor for factor in stretch)
        self.near = PointPool(near_points(recipe.near_pool, rng))
        self.box = PointPool(box_points(recipe.box_pool, (x, y, z), rng))
        body = body_tensors()
        # each direction of shape counts by how far it moves the body, in the mean
        self.shape_scale = body.shape_vertices.square().sum(dim=-1).mean(dim=-1).sqrt() / 0.01

    def weights(self) -> dict[str, Tensor]:
        """What is learned: the generator's state without the body."""
        return {name: value for name, value in self.generator.state_dict().items() if not name.startswith("body.")}

    def state(self) -> dict[str, Any]:
        """Everything that going on needs."""
        return {
            "recipe": asdict(self.recipe),
            "generator": self.weights(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "log": self.log,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        body = {name: value for name, value in self.generator.state_dict().items() if name.startswith("body.")}
        self.generator.load_state_dict({**state["generator"], **body})
        self.average = dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.log = state["step"], state["seconds"], state["log"]

    def rate(self, progress: float) -> float:
        """Learning rate at a fraction of the budget: warm-up, constant, cosine decay."""
        recipe = self.recipe
        past = max(0.0, (progress - recipe.decay_from) / (1 - recipe.decay_from))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
        rate = recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * cosine
        return rate * min(1.0, (self.step + 1) / 100)

    def settle(self) -> dict[str, float]:
        """Train mapping and shape head alone, before all else, and keep them; errors of the last steps, see `_guided`.

        Nothing of it depends on planes, so many people are cheap. The shape must be right to millimetres, for which the mapping needs
        large steps; planes, which need small ones, then learn on a w that stands still.
        """
        recipe, head = self.recipe, self.generator.shape_head
        assert head is not None
        mapping = list(self.generator.backbone.mapping.parameters())
        groups = [
            {"params": mapping, "gain": recipe.mapping_rate_gain},
            {"params": [*head.parameters(), *self.guide.parameters()], "gain": 1.0},
        ]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        means: dict[str, float] = {}
        for step in range(recipe.mapping_steps):
            rng = torch.Generator().manual_seed((1 << 40) + recipe.seed * 1_000_003 + step)
            rate = recipe.mapping_rate * 0.5 * (1 + math.cos(math.pi * step / recipe.mapping_steps)) * min(1.0, (step + 1) / 100)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["gain"]
            guide, shape = self._guided(rng)
            optimizer.zero_grad(set_to_none=True)
            (shape + recipe.guide_weight * guide).backward()
            optimizer.step()
            for name, value in (("guide", guide), ("shape_cm", shape)):
                means[name] = means.get(name, float(value.detach())) * 0.98 + float(value.detach()) * 0.02
        self.average = {name: value.detach().clone() for name, value in self.weights().items()}
        return means

    def _guided(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """How badly w says what its person is like, by one linear layer, and the error of the shape head, centimetres of the body."""
        z = torch.randn(self.recipe.guided_people, Z_DIM, generator=rng)
        people, ws = People.from_latent(z), self.generator.mapping(z)
        shares = torch.special.ndtr(normalized_latent(z)) - 0.5
        target = torch.cat([4 * shares, 4 * (palette(people.parameters) - 0.5).flatten(1)], dim=1)
        shape = F.smooth_l1_loss(self.shape_scale * self.generator.shape(ws), self.shape_scale * people.shape, beta=0.1)
        return F.mse_loss(self.guide(ws[:, 0]), target), shape

    def one_step(self, progress: float) -> dict[str, float]:
        """One optimiser step; random numbers depend on (seed, step) alone."""
        recipe = self.recipe
        rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(progress)
        loss, shown = self._loss(progress, rng)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for part in self.parts:
            torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.weights().items():
                self.average[name].lerp_(value, 1 - decay)
        return {name: float(value.detach()) for name, value in shown.items()}

    def _loss(self, progress: float, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        recipe, generator = self.recipe, self.generator
        _, resolution, count, points = next(stage for stage in recipe.stages if progress < stage[0] or stage is recipe.stages[-1])
        z = torch.randn(count, Z_DIM, generator=rng)
        people = People.from_latent(z)
        batch = point_batch(people, self.near, self.box, rng, count=points, in_box=recipe.box_points)
        with torch.no_grad():
            ws = generator.mapping(z)
        with torch.autocast("cpu", torch.bfloat16, enabled=progress < recipe.float32_from):
            # the world's coarse shape is learned on coarse planes, at a fraction of the cost; finer blocks then start from nothing
            image, _, _ = generator.backbone.synthesis(ws, "none", resolution)
        planes = image.float().reshape(len(z), -1, DEMO_PEOPLE.backbone.plane_channels, *image.shape[-2:])
        losses = point_losses(generator.canonical_field(planes), batch)
        loss = 2 * losses.f + recipe.color_weight * losses.color + recipe.border_weight * losses.borders
        shown = {"f": losses.f, "color": losses.color, "borders": losses.borders}
        if progress >= recipe.patch_from and self.step % recipe.patch_every == 0:
            number = recipe.patch_people
            patches = [self._patch(people[index : index + 1], rng) for index in range(number)]
            # a fresh super-resolution would pull the colours away from what they know: it learns alone first, and the rest fades in
            share = min(1.0, (progress - recipe.patch_from) / (recipe.join_from - recipe.patch_from))
            join = progress >= recipe.join_from
            image = patch_losses(generator, planes[:number], ws[:number], patches, rng, join=join)
            loss = loss + 10 * image.final + image.final_l1 + share * 4 * image.raw
            shown |= {"raw": image.raw, "final": image.final}
        return loss, shown

    def _patch(self, person: People, rng: torch.Generator) -> tuple[PosedBody, Patch]:
        """A patch of one person in a random pose."""
        posed = self.poses.draw(rng)
        body = shaped_body(self.generator, posed, person.shape[0])
        return body, random_patch(person, posed, body, self.generator, self.recipe.patch_px, rng)


def save_state(training: Training, folder: Path) -> None:
    """Write the state whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / STATE_NAME) as temporary:
        torch.save(training.state(), temporary)


def main() -> None:
    """Command line of the demo's training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the run; holds everything to go on")
    parser.add_argument("--minutes", type=float, default=120.0, help="time budget of the whole run, worked on each thread")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clips", type=Path, help="folder of captured motion (pybullet_data/data/motions)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    training = Training(Recipe(), arguments.clips)
    state_file = arguments.state / STATE_NAME
    if state_file.exists():
        training.load(torch.load(state_file, weights_only=True))
    else:
        began = time.process_time()
        print(json.dumps({name: round(value, 5) for name, value in training.settle().items()}), flush=True)
        training.seconds += (time.process_time() - began) / arguments.threads
    budget, saved = arguments.minutes * 60, time.monotonic()
    means: dict[str, float] = {}
    while training.seconds < budget:
        began = time.process_time()
        for name, value in training.one_step(training.seconds / budget).items():
            means[name] = means.get(name, value) * 0.98 + value * 0.02
        training.seconds += (time.process_time() - began) / arguments.threads
        if training.step % 50 == 0:
            line = {
                "step": training.step,
                "minutes": round(training.seconds / 60, 2),
                **{k: round(v, 5) for k, v in means.items()},
            }
            training.log.append(line)
            print(json.dumps(line), flush=True)
        if time.monotonic() - saved > 180:
            save_state(training, arguments.state)
            saved = time.monotonic()
    save_state(training, arguments.state)


if __name__ == "__main__":
    main()
