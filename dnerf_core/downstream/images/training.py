"""Training a segmenter: AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on weighted cross-entropy, one step like the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.images.augment import normalized
from dnerf_core.downstream.images.registry import logits
from dnerf_core.downstream.images.stream import BatchNumbers, ChangedViews, batches
from dnerf_core.downstream.precision import Precision
from dnerf_core.downstream.processes import ALONE, Process
from dnerf_core.downstream.sharing import loss_of_all, shared, with_synced_norms
from dnerf_core.errors import OutputError
from dnerf_core.labels import IGNORE_ID

Schedule = Literal["cosine", "poly"]

POLY_POWER = 0.9
"""DeepLab's (Chen et al. 2017, arXiv 1706.05587, section 4.1)."""
WARM_UP = 0.03
"""Share of the steps over which the rate rises to its highest."""
WEIGHT_DECAY = 1e-4
SAVE_SECONDS = 30.0
"""Between two states that are kept; up to ten times as long, so that saving takes a twentieth of the time."""


@dataclass(frozen=True)
class SegmenterTraining:
    """How a segmenter is trained.

    Attributes:
        batch: inputs of a step, all processes together.
        learning_rate: the highest.
        seed: of the order and the changes of views.
        class_weights: of each class in the loss; None: all weigh 1.
        score_every: steps between two scores.
    """

    steps: int
    batch: int
    learning_rate: float
    schedule: Schedule = "cosine"
    seed: int = 0
    class_weights: tuple[float, ...] | None = None
    score_every: int = 100


@dataclass(frozen=True)
class Step:
    """What a step tells: its number from 1, how many there are, and the loss before it."""

    step: int
    steps: int
    loss: float


@dataclass(eq=False)
class TrainedSegmenter:
    """A training so far.

    Attributes:
        losses: of each step.
        scores: (after how many steps, mIoU).
    """

    losses: list[float] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Watch:
    """Who follows a training; each is called in the first process alone.

    Attributes:
        step: hears of every step.
        save: keeps the state of a training, which `resume` takes again.
        score: the mIoU of the network, which is in evaluation mode; None: it is not scored.
        save_seconds: between two states.
    """

    step: Callable[[Step], None] = lambda step: None
    save: Callable[[dict[str, Any]], None] | None = None
    score: Callable[[nn.Module], float] | None = None
    save_seconds: float = SAVE_SECONDS


def learning_rate_at(training: SegmenterTraining, step: int) -> float:
    """The rate of a step counted from 0: it rises evenly over the first steps, and falls to 0 along a cosine or (1 - t)^0.9."""
    rising = max(1, round(WARM_UP * training.steps))
    if step < rising:
        return training.learning_rate * (step + 1) / rising
    t = (step - rising) / max(1, training.steps - rising)
    share = 0.5 * (1 + math.cos(math.pi * t)) if training.schedule == "cosine" else (1 - t) ** POLY_POWER
    return training.learning_rate * share


def train_segmenter(
    network: nn.Module,
    views: ChangedViews,
    training: SegmenterTraining,
    *,
    precision: Precision,
    process: Process = ALONE,
    workers: int = 0,
    watch: Watch | None = None,
    resume: Mapping[str, Any] | None = None,
) -> TrainedSegmenter:
    """Train a network in place; on one thread of a CPU the same bits come out whether it was interrupted or not.

    Args:
        network: on its device, the same in all processes.
        resume: what `watch.save` was given.

    Raises:
        AnnotationError: a file of a view cannot be read any more.
        OutputError: `resume` is the state of another training.
    """
    watch = Watch() if watch is None else watch
    device = next(network.parameters()).device
    nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    network = with_synced_norms(network, process, device)
    optimizer = _adamw(network, training.learning_rate, device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision.scales_loss)
    trained = TrainedSegmenter()
    if resume is not None:
        trained = _resumed(resume, network, optimizer, scaler, training.steps)
    called = shared(network, process, device)
    weights = None if training.class_weights is None else torch.tensor(training.class_weights, device=device)
    numbers = BatchNumbers(range(len(trained.losses), training.steps), training.batch, process.rank, process.count)
    saved_at, saving = time.monotonic(), 0.0
    network.train()
    for images, masks in batches(views, numbers, workers, pinned=device.type == "cuda"):
        step = len(trained.losses)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(training, step)
        inputs = normalized(images.to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        truth = masks.to(device, non_blocking=True).long()
        with precision.autocast(device):
            scores = logits(called, inputs)
        share, loss = loss_of_all(scores, truth, weights, IGNORE_ID, process)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(share).backward()
        scaler.step(optimizer)
        scaler.update()
        trained.losses.append(float(loss))
        if not process.is_first:
            continue
        watch.step(Step(step + 1, training.steps, trained.losses[-1]))
        done = step + 1
        if watch.score is not None and (done % training.score_every == 0 or done == training.steps):
            network.eval()
            trained.scores.append((done, watch.score(network)))
            network.train()
        if watch.save is not None and time.monotonic() - saved_at >= max(
            watch.save_seconds, min(20 * saving, 10 * watch.save_seconds)
        ):
            begun = time.monotonic()
            watch.save(_state(network, optimizer, scaler, trained))
            saved_at, saving = time.monotonic(), time.monotonic() - begun
    network.eval()
    return trained


def _adamw(network: nn.Module, learning_rate: float, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer; small networks on a CPU spend more time on calls than on numbers unless all of a step is one call."""
    fused = device.type == "cpu"
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY, fused=fused)


def training_loss(network: nn.Module, inputs: Tensor) -> Tensor:
    """A loss whose gradients cost what those of a training step do, to measure a step by."""
    scores = logits(network, inputs)
    truth = torch.zeros(inputs.shape[0], *inputs.shape[2:], dtype=torch.long, device=inputs.device)
    return F.cross_entropy(scores, truth)


def _state(network: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any, trained: TrainedSegmenter) -> dict[str, Any]:
    return {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "losses": list(trained.losses),
        "scores": [list(score) for score in trained.scores],
    }


def _resumed(
    state: Mapping[str, Any], network: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any, steps: int
) -> TrainedSegmenter:
    try:
        losses, scores = [float(loss) for loss in state["losses"]], [(int(done), float(miou)) for done, miou in state["scores"]]
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            scaler.load_state_dict(state["scaler"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise OutputError(
            "state of an interrupted training: expected that of this network, found another; remove the file to start anew"
        ) from error
    if len(losses) > steps:
        raise OutputError(
            f"state of an interrupted training: expected at most {steps} steps, found {len(losses)}; remove the file to start anew"
        )
    return TrainedSegmenter(losses, scores)
