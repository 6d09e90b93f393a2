"""The last phase of the training of people: the super-resolution alone, on whole posed views of the field that will be released.

    python -m dnerf_core.demo.people.training.refine --state FOLDER [--clips FOLDER] [--export FILE]

The field is the training's running average, frozen. Each step renders one view of a new person in a new pose and learns from it and a few
of those before: no person is seen often, since w, which modulates the convolutions, is easily learned by heart. Whole views, not
patches: background and the picture's rim, where the convolutions see zeros, are learned too. The state is saved every few minutes, and
the same command goes on where it stopped (with new views in place of the kept ones).
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
from torch import Tensor

from dnerf_core.demo.budget import STATE_NAME
from dnerf_core.demo.people.framing import intrinsics, random_cameras
from dnerf_core.demo.people.trace import render_people
from dnerf_core.demo.people.training.export import export_people, plain_generator
from dnerf_core.demo.people.training.pictures import ELEVATION_DEG
from dnerf_core.demo.people.training.poses import PoseDraws
from dnerf_core.demo.people.world import Z_DIM, People
from dnerf_core.files.whole import whole_file
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.rendering.guided_view import VALUE_EPSILON
from dnerf_core.rendering.view import render_view

REFINE_STATE_NAME = "refine-state.pt"


@dataclass(frozen=True)
class RefineRecipe:
    """How the super-resolution is refined: Adam steps, views a step and how many are kept, first learning rate (cosine to 0), seed."""

    steps: int = 1500
    views_per_step: int = 4
    kept_views: int = 150
    learning_rate: float = 1.5e-3
    frame: tuple[float, float] = (1.08, 1.4)
    seed: int = 7


@dataclass(frozen=True, eq=False)
class RefineView:
    """A view: features float16 [1, C, R, R] in [-1, 1], ws [1, num_ws, w_dim], truth uint8 [1, 3, S, S]."""

    features: Tensor
    ws: Tensor
    truth: Tensor


class Refinement:
    """A run: the plain generator, whose super-resolution is trained in place, optimiser and step."""

    def __init__(self, generator: Gnarf, recipe: RefineRecipe, clips: Path | None = None) -> None:
        self.generator, self.recipe, self.poses = generator, recipe, PoseDraws(clips)
        generator.superresolution.requires_grad_(True)
        self.optimizer = torch.optim.Adam(generator.superresolution.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
        self.kept: list[RefineView] = []
        self.step = 0

    def state(self) -> dict[str, Any]:
        """Everything that going on needs, but the kept views."""
        module = self.generator.superresolution
        return {"superresolution": module.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self.generator.superresolution.load_state_dict(state["superresolution"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    @torch.no_grad()
    def new_view(self, rng: torch.Generator) -> RefineView:
        """A view of a new person in a new pose."""
        generator, config = self.generator, self.generator.config
        z = torch.randn(1, Z_DIM, generator=rng)
        person, pose = People.from_latent(z), self.poses.draw(rng)[None]
        cam2world = random_cameras(person.posed_vertices(pose), rng, ELEVATION_DEG, self.recipe.frame)
        ws = generator.mapping(z)
        planes = generator.planes(ws, pose, noise_mode="none")
        picture = render_view(generator, planes, cam2world, intrinsics(1), epsilon=VALUE_EPSILON).raw
        truth = render_people(person, pose, cam2world, intrinsics(1), config.image_size)
        return RefineView(picture.features.half(), ws, (truth.rgb * 255).round().to(torch.uint8).permute(0, 3, 1, 2))

    def one_step(self) -> float:
        """One optimiser step; squared error of its views, in [0, 1]."""
        recipe, module = self.recipe, self.generator.superresolution
        rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        self.kept = [*self.kept[1 - recipe.kept_views :], self.new_view(rng)]
        chosen = [*torch.randint(len(self.kept), (recipe.views_per_step - 1,), generator=rng).tolist(), -1]
        views = [self.kept[index] for index in chosen]
        rate = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * self.step / recipe.steps)) * min(1, (self.step + 1) / 20)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        image = module(torch.cat([view.features for view in views]).float(), torch.cat([view.ws for view in views]))
        difference = image * 0.5 + 0.5 - torch.cat([view.truth for view in views]).float() / 255
        loss = difference.square().mean() + 0.1 * difference.abs().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return float(difference.detach().square().mean())

    def save(self, folder: Path) -> None:
        """Write the state whole or not at all."""
        with whole_file(folder / REFINE_STATE_NAME) as temporary:
            torch.save(self.state(), temporary)


def main() -> None:
    """Command line of the last phase, and of the export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="folder of the training")
    parser.add_argument("--clips", type=Path, help="folder of captured motion (pybullet_data/data/motions)")
    parser.add_argument("--steps", type=int, default=RefineRecipe.steps)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--export", type=Path, help="write the model file at the end")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trained = torch.load(arguments.state / STATE_NAME, weights_only=True)
    run = Refinement(
        plain_generator(trained["average"], trained["recipe"]["seed"]), RefineRecipe(arguments.steps), arguments.clips
    )
    if (arguments.state / REFINE_STATE_NAME).exists():
        run.load(torch.load(arguments.state / REFINE_STATE_NAME, weights_only=True))
    saved, mean = time.monotonic(), 0.0
    while run.step < run.recipe.steps:
        error = run.one_step()
        mean = error if mean == 0 else mean * 0.98 + error * 0.02
        if run.step % 50 == 0:
            print(json.dumps({"refine_step": run.step, "psnr_db": round(-10 * math.log10(mean), 2)}), flush=True)
        if time.monotonic() - saved > 180:
            run.save(arguments.state)
            saved = time.monotonic()
    run.save(arguments.state)
    if arguments.export:
        record = {
            "recipe": trained["recipe"],
            "steps": trained["step"],
            "minutes": round(trained["seconds"] / 60, 1),
            "losses": trained["log"][-1],
            "refine": asdict(run.recipe),
        }
        run.generator.requires_grad_(False)
        export_people(run.generator, record, arguments.export)


if __name__ == "__main__":
    main()
