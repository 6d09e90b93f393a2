"""Training of a network of points: every step's chances come from the seed and the step's number alone, so that it resumes bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.points.recipes import RECIPES, RecipeName
from dnerf_core.downstream.precision import Precision
from dnerf_core.labels import IGNORE_ID
from dnerf_core.work.interruption import checkpoint as may_leave

FLOAT32 = Precision("float32")
Cloud = tuple[Tensor, Tensor]
"""Points float32 `[N, 3]`, y up, and label ids int64 `[N]`; 0 and 255 are not learned from."""

_UNLABELLED = -100
_STEP_CHANCE, _ORDER_CHANCE = 0, 1
"""What a random stream is for."""


@dataclass(frozen=True)
class PointTraining:
    """How a network of points is trained.

    Attributes:
        points: of each cloud.
        batch: clouds a step.
        learning_rate: at the start; it falls to 0 along a cosine.
        checkpoint_every: steps between two states that are kept.
        validate_every: steps between two scores on the way; 0: none.
    """

    recipe: RecipeName
    points: int
    batch: int
    steps: int
    learning_rate: float
    seed: int
    checkpoint_every: int = 50
    validate_every: int = 0


@dataclass
class TrainingState:
    """How far a training is.

    Attributes:
        network, optimizer: theirs.
        losses: of every step so far.
        validated: (steps, score) on the way.
    """

    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    losses: list[float] = field(default_factory=list)
    validated: list[tuple[int, float]] = field(default_factory=list)


class Order:
    """Which clouds each step sees: groups take turns in a batch, and in each group every cloud comes once before any comes again."""

    def __init__(self, sizes: Sequence[int], batch: int, seed: int) -> None:
        self.sizes, self.batch, self.seed = tuple(sizes), batch, seed
        self._shuffled: dict[tuple[int, int], list[int]] = {}

    def of_step(self, step: int) -> list[tuple[int, int]]:
        """(group, cloud) of each of a batch's places."""
        groups = len(self.sizes)
        places = range(step * self.batch, (step + 1) * self.batch)
        return [(place % groups, self._cloud(place % groups, place // groups)) for place in places]

    def _cloud(self, group: int, place: int) -> int:
        size = self.sizes[group]
        turn = place // size
        if (group, turn) not in self._shuffled:
            self._shuffled = {key: order for key, order in self._shuffled.items() if key[0] != group or key[1] >= turn - 1}
            self._shuffled[group, turn] = torch.randperm(size, generator=_chance(self.seed, _ORDER_CHANCE, group, turn)).tolist()
        return self._shuffled[group, turn][place % size]


def train_network(
    network: nn.Module,
    groups: Sequence[Sequence[Cloud]],
    training: PointTraining,
    precision: Precision = FLOAT32,
    *,
    progress: Callable[[int, float], None] = lambda step, loss: None,
    validate: Callable[[nn.Module], float] | None = None,
    keep: Callable[[TrainingState], None] = lambda state: None,
    resume: TrainingState | None = None,
) -> TrainingState:
    """Train a network where it is.

    Args:
        network: fresh, or the same fresh one that `resume` began with; its device is where it is trained.
        precision: float32 or bfloat16.
        groups: clouds that are drawn from evenly: each group fills as many of a batch's places, however many clouds it has.
        progress: hears of every step, counted from 1, and its loss.
        validate: a score of the network, in the mode for prediction.
        keep: given the state every `checkpoint_every` steps.
        resume: a state that was kept; the result is that of one training without a break, bit for bit on one thread of the same machine.

    Returns:
        The last state; the network itself has its weights.
    """
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    order = Order([len(group) for group in groups], training.batch, training.seed)

    def batch_of(step: int) -> tuple[Tensor, Tensor]:
        clouds = [groups[group][cloud] for group, cloud in order.of_step(step)]
        points, labels = RECIPES[training.recipe].batch(clouds, training.points, _chance(training.seed, _STEP_CHANCE, step))
        return points.to(device), _targets(labels).to(device)

    if resume is None:
        state = TrainingState(network.state_dict(), optimizer.state_dict())
    else:
        network.load_state_dict(resume.network)
        optimizer.load_state_dict(resume.optimizer)
        state = resume
    network.train()
    for step in range(len(state.losses), training.steps):
        may_leave()
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * 0.5 * (1 + math.cos(math.pi * step / training.steps))
        points, targets = batch_of(step)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_seed_of(training.seed, _STEP_CHANCE, step))  # of dropout
            with precision.autocast(device):
                loss = _loss(network, points, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        state.losses.append(float(loss.detach()))
        done = step + 1
        progress(done, state.losses[-1])
        if validate is not None and training.validate_every and (done % training.validate_every == 0 or done == training.steps):
            network.eval()
            state.validated.append((done, validate(network)))
            network.train()
        state.network, state.optimizer = network.state_dict(), optimizer.state_dict()
        if done % training.checkpoint_every == 0 and done < training.steps:
            keep(state)
    network.eval()
    return state


def training_loss(network: nn.Module, points: Tensor) -> Tensor:
    """A loss whose gradients cost what those of a training step do, to measure a step by."""
    return _loss(network, points, torch.zeros(points.shape[:2], dtype=torch.int64, device=points.device))


def _loss(network: nn.Module, points: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the labelled points, and the network's own penalty."""
    logits, penalty = network.with_penalty(points)  # type: ignore[operator]  # of every network in `networks.BUILDERS`
    flat = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=_UNLABELLED, reduction="sum")
    labelled = (targets != _UNLABELLED).sum().clamp_min(1)
    return flat / labelled + penalty.float()


def _targets(labels: Tensor) -> Tensor:
    """Columns of the network's output by label ids: parts are numbered from 1, and neither background nor 255 is learned from."""
    return torch.where((labels == 0) | (labels == IGNORE_ID), _UNLABELLED, labels - 1)


def _seed_of(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _chance(*parts: int) -> torch.Generator:
    return torch.Generator().manual_seed(_seed_of(*parts))
