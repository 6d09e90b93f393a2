"""Train the demo generator: `python -m dnerf_core.demo.train --state FOLDER --minutes 120`, then `--export FILE`.

First points of the world alone are learned, on coarse planes and then on the full ones; then patches of its pictures
join, through the renderer and the super-resolution. The schedule goes by time spent, so that a budget in minutes is kept
on any machine; every few minutes everything is saved, and the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnerf_core.demo.budget import BudgetedTraining, BudgetRecipe, resume, train, training_parser
from dnerf_core.demo.config import DEMO_CARS
from dnerf_core.demo.export import export_demo
from dnerf_core.demo.losses import (
    ScaledDensityField,
    fold_density_scale,
    patch_losses,
    point_batch,
    point_loss,
    truth_patch,
)
from dnerf_core.demo.refine import RefineRecipe, keep_views, refine_superresolution
from dnerf_core.demo.world import Z_DIM, Cars
from dnerf_core.generator.eg3d import Generator


@dataclass(frozen=True)
class Recipe(BudgetRecipe):
    """How the demo generator is trained. Fractions are of the time budget."""

    cars_per_step: int = 6
    near_points: int = 2500
    box_points: int = 700
    colored_points: int = 1200
    coarse_until: float = 0.4
    coarse_resolution: int = 64
    patch_from: float = 0.55
    patch_every: int = 3
    join_from: float = 0.6
    patch_cars: int = 2
    patch_px: int = 40
    mapping_rate_gain: float = 40.0
    float32_from: float = 0.88


class Training(BudgetedTraining[Recipe]):
    """A run of the cars' training."""

    def __init__(self, recipe: Recipe, device: str) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = Generator(DEMO_CARS)
        last = getattr(self.generator.backbone.synthesis, f"b{DEMO_CARS.backbone.resolution}")
        torch.nn.init.zeros_(last.torgb.weight)
        self.generator.to(torch.device(device))
        mapping = list(self.generator.backbone.mapping.parameters())
        in_mapping = {id(p) for p in mapping}
        rest = [p for p in self.generator.parameters() if id(p) not in in_mapping]
        optimizer = torch.optim.Adam(
            [{"params": rest, "gain": 1.0}, {"params": mapping, "gain": recipe.mapping_rate_gain}], betas=(0.9, 0.99)
        )
        parts = (self.generator.backbone, self.generator.decoder, self.generator.superresolution)
        super().__init__(recipe, self.generator, parts, optimizer)

    def loss(self, progress: float, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Of points of the world, and of patches of its pictures."""
        recipe, generator = self.recipe, self.generator
        z = torch.randn(recipe.cars_per_step, Z_DIM, generator=rng)
        cars = Cars.from_latent(z)
        batch = point_batch(
            cars,
            generator.config.triplane.box_warp,
            rng,
            near=recipe.near_points,
            box=recipe.box_points,
            colored=recipe.colored_points,
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=progress < recipe.float32_from):
            ws = generator.mapping(z)
            # the world's coarse shape is learned on coarse planes, at half the cost; the last block then starts from nothing
            coarse = recipe.coarse_resolution if progress < recipe.coarse_until else None
            planes = generator.planes(ws, noise_mode="none", until=coarse).triplane
        planes, ws = planes.float(), ws.float()
        f_loss, color_loss = point_loss(ScaledDensityField(planes, generator.decoder, generator.config.triplane), batch)
        loss = 2 * f_loss + color_loss
        shown = {"f": f_loss, "color": color_loss}
        if progress >= recipe.patch_from and self.step % recipe.patch_every == 0:
            some = slice(0, recipe.patch_cars)
            patch = truth_patch(cars[some], generator, rng, recipe.patch_px)
            # a fresh super-resolution would pull the field away from what it knows: it learns alone first, and the rest fades in
            share = min(1.0, (progress - recipe.patch_from) / (recipe.join_from - recipe.patch_from))
            image = patch_losses(generator, planes[some], ws[some], patch, rng, join=progress >= recipe.join_from)
            loss = loss + 10 * image.final + image.final_l1 + share * 4 * image.raw
            shown |= {"raw": image.raw, "final": image.final, "opacity": image.opacity, "distance": image.distance}
        return loss, shown

    def released_state(self) -> dict[str, Tensor]:
        """The averaged weights as a plain generator: density scale folded in, mean w measured."""
        generator = Generator(DEMO_CARS)
        # trained without noise: a strength of 0 makes the published default, constant noise, the same function
        state = {n: torch.zeros_like(v) if n.endswith("noise_strength") else v for n, v in self.average.items()}
        generator.load_state_dict({name: value.cpu() for name, value in state.items()})
        rng = torch.Generator().manual_seed(self.recipe.seed)
        with torch.no_grad():
            mean_w = generator.mapping(torch.randn(16384, Z_DIM, generator=rng))[:, 0].mean(dim=0)
        state = {**generator.state_dict(), "backbone.mapping.w_avg": mean_w}
        return fold_density_scale(state)

    def record(self) -> dict[str, Any]:
        """What the model file's header says of the training."""
        return {"recipe": asdict(self.recipe), "steps": self.step, "minutes": round(self.seconds / 60, 1), "losses": self.log[-1]}


def export(training: Training, path: Path) -> None:
    """Refine the super-resolution on the averaged field and write the model file."""
    recipe = RefineRecipe()
    generator = Generator(DEMO_CARS)
    generator.load_published(training.released_state())
    generator.eval().requires_grad_(False)
    views = keep_views(
        generator, recipe, lambda done: print(f"view {done}/{recipe.views}", flush=True) if done % 50 == 0 else None
    )

    def report(step: int, error: float) -> None:
        if step % 100 == 0:
            print(json.dumps({"refine_step": step, "psnr_db": round(-10 * math.log10(error), 2)}), flush=True)

    refine_superresolution(generator, views, recipe, report)
    export_demo(generator.state_dict(), {**training.record(), "refine": asdict(recipe)}, path)


def main() -> None:
    """Command line of the demo's training."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--export", type=Path, help="finish the super-resolution, write the model file of the run so far, and stop"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    training = Training(Recipe(), "cpu")
    resume(training, arguments.state)
    if arguments.export:
        export(training, arguments.export)
        return
    train(training, arguments.state, arguments.minutes, time.monotonic)


if __name__ == "__main__":
    main()
