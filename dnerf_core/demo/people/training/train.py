"""Train the demo's generator of people: `python -m dnerf_core.demo.people.training.train --state FOLDER`.

First points of the canonical space alone are learned, on coarse planes and then on the full ones; then patches of posed pictures join,
through the renderer and the super-resolution. The schedule goes by time worked on each of the threads, so that a budget in minutes is
kept on any machine, however busy; every few minutes everything is saved, and the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.budget import BudgetedTraining, BudgetRecipe, resume, train, training_parser
from dnerf_core.demo.car_parameters import normalized_latent
from dnerf_core.demo.people.body import people_generator
from dnerf_core.demo.people.clothing import palette
from dnerf_core.demo.people.config import DEMO_PEOPLE
from dnerf_core.demo.people.training.losses import point_batch, point_losses
from dnerf_core.demo.people.training.pictures import Patch, patch_losses, random_patch, shaped_body
from dnerf_core.demo.people.training.pool import PointPool, box_points, near_points
from dnerf_core.demo.people.training.poses import PoseDraws
from dnerf_core.demo.people.world import Z_DIM, People, body_tensors
from dnerf_core.gnarf.body.posed import PosedBody


@dataclass(frozen=True)
class Recipe(BudgetRecipe):
    """How the generator is trained. Fractions are of the time budget."""

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
    patch_from: float = 0.5
    patch_every: int = 2
    join_from: float = 0.56
    patch_people: int = 2
    patch_px: int = 40
    mapping_steps: int = 8000
    mapping_rate: float = 1e-2
    mapping_rate_gain: float = 100.0
    float32_from: float = 0.92
    color_weight: float = 2.0
    border_weight: float = 0.5
    guide_weight: float = 0.5


class Training(BudgetedTraining[Recipe]):
    """A run of the people's training."""

    def __init__(self, recipe: Recipe, clips: Path | None = None) -> None:
        """clips: a folder of captured motion, see `clips`; None: poses of the prior alone."""
        self.poses = PoseDraws(clips)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = people_generator()
            self.guide = torch.nn.Linear(DEMO_PEOPLE.mapping.w_dim, Z_DIM + 3 * 5)
        parts = (self.generator.backbone.synthesis, self.generator.decoder, self.generator.superresolution)
        for _, resolution, _, _ in recipe.stages[1:]:
            later = getattr(self.generator.backbone.synthesis, f"b{resolution}")
            torch.nn.init.zeros_(later.torgb.weight)
        optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], betas=(0.9, 0.99))
        super().__init__(recipe, self.generator, parts, optimizer)
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
        self.start_average()
        return means

    def _guided(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """How badly w says what its person is like, by one linear layer, and the error of the shape head, centimetres of the body."""
        z = torch.randn(self.recipe.guided_people, Z_DIM, generator=rng)
        people, ws = People.from_latent(z), self.generator.mapping(z)
        shares = torch.special.ndtr(normalized_latent(z)) - 0.5
        target = torch.cat([4 * shares, 4 * (palette(people.parameters) - 0.5).flatten(1)], dim=1)
        shape = F.smooth_l1_loss(self.shape_scale * self.generator.shape(ws), self.shape_scale * people.shape, beta=0.1)
        return F.mse_loss(self.guide(ws[:, 0]), target), shape

    def loss(self, progress: float, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Of points of the canonical space, and of patches of posed pictures."""
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


def main() -> None:
    """Command line of the demo's training."""
    parser = training_parser(__doc__)
    parser.add_argument("--clips", type=Path, help="folder of captured motion (pybullet_data/data/motions)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    training = Training(Recipe(), arguments.clips)

    def worked_s() -> float:
        return time.process_time() / float(arguments.threads)

    if not resume(training, arguments.state):
        began = worked_s()
        print(json.dumps({name: round(value, 5) for name, value in training.settle().items()}), flush=True)
        training.seconds += worked_s() - began
    train(training, arguments.state, arguments.minutes, worked_s)


if __name__ == "__main__":
    main()
