"""What the trainings of embedded models share: a schedule that goes by a budget of time, a running average, and a state to go on from."""

from __future__ import annotations

import argparse
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from dnerf_core.files.whole import whole_file

STATE_NAME = "training-state.pt"
SAVE_EVERY_S = 180
SHOW_EVERY = 50
"""Steps."""


@dataclass(frozen=True)
class BudgetRecipe:
    """What every recipe has. Fractions are of the time budget; learning rates are Adam's."""

    learning_rate: float = 3e-3
    final_learning_rate: float = 1e-4
    decay_from: float = 0.35
    ema: float = 0.998
    seed: int = 0


R = TypeVar("R", bound=BudgetRecipe)


class BudgetedTraining(ABC, Generic[R]):
    """A run: generator, its running average, optimiser, step and seconds worked."""

    def __init__(self, recipe: R, generator: nn.Module, parts: Sequence[nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """A fresh run.

        Args:
            parts: of the generator, each with gradients clipped by itself.
            optimizer: a group's `gain`, 1 without, multiplies the learning rate.
        """
        self.recipe, self.parts, self.optimizer = recipe, tuple(parts), optimizer
        self._module = generator
        self.step, self.seconds = 0, 0.0
        self.log: list[dict[str, float]] = []
        self.start_average()

    @abstractmethod
    def loss(self, progress: float, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """What a step lowers at a fraction of the budget, and the parts of it that are shown."""

    def weights(self) -> dict[str, Tensor]:
        """What is learned, of the generator's state."""
        state: dict[str, Tensor] = self._module.state_dict()
        return state

    def start_average(self) -> None:
        """Begin the running average with the weights as they are."""
        self.average = {name: value.detach().clone() for name, value in self.weights().items()}

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
        own = self._module.state_dict()
        self._module.load_state_dict(own | state["generator"])
        self.average = {name: value.to(own[name].device) for name, value in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.log = state["step"], state["seconds"], state["log"]

    def rate(self, progress: float) -> float:
        """Learning rate at a fraction of the budget: warm-up, constant, cosine decay."""
        recipe = self.recipe
        past = max(0.0, (progress - recipe.decay_from) / (1 - recipe.decay_from))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
        rate = recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * cosine
        return rate * min(1.0, (self.step + 1) / 100)

    def one_step(self, progress: float) -> dict[str, float]:
        """One optimiser step; random numbers depend on (seed, step) alone."""
        recipe = self.recipe
        rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(progress) * group.get("gain", 1.0)
        loss, shown = self.loss(progress, rng)
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


def save_state(training: BudgetedTraining[Any], folder: Path) -> None:
    """Write the state whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / STATE_NAME) as temporary:
        torch.save(training.state(), temporary)


def resume(training: BudgetedTraining[Any], folder: Path) -> bool:
    """Go on from the state in a folder; False: there is none."""
    path = folder / STATE_NAME
    if not path.exists():
        return False
    training.load(torch.load(path, weights_only=True))
    return True


def train(training: BudgetedTraining[Any], folder: Path, minutes: float, clock: Callable[[], float]) -> None:
    """Train until the budget is spent; the state is saved every few minutes and at the end, and losses are printed.

    Args:
        minutes: the budget of the whole run.
        clock: seconds, from any beginning, that the budget is spent by.
    """
    budget, saved = minutes * 60, time.monotonic()
    means: dict[str, float] = {}
    while training.seconds < budget:
        began = clock()
        for name, value in training.one_step(training.seconds / budget).items():
            means[name] = means.get(name, value) * 0.98 + value * 0.02
        training.seconds += clock() - began
        if training.step % SHOW_EVERY == 0:
            shown = {name: round(value, 5) for name, value in means.items()}
            line = {"step": training.step, "minutes": round(training.seconds / 60, 2), **shown}
            training.log.append(line)
            print(json.dumps(line), flush=True)
        if time.monotonic() - saved > SAVE_EVERY_S:
            save_state(training, folder)
            saved = time.monotonic()
    save_state(training, folder)


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every training's command line has: `--state`, `--minutes`, `--threads`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--state", type=Path, required=True, help="folder of the run; holds everything to go on")
    parser.add_argument("--minutes", type=float, default=120.0, help="time budget of the whole run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser
