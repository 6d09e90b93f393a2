"""Training the semantic branch on a few labelled views of a frozen generator (paper section 3.2, equation 2)."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.backbone.protocols import Backbone
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import BranchTrainingConfig, ClassBalance, SemanticConfig, check_patch
from dnerf_core.semantic.kept_views import AnnotatedView, KeptView, KeptViews, Patch, keep_views

MAX_CLASS_WEIGHT = 10.0
"""A class's weight is at most this times the most frequent class's."""

TrainingState = dict[str, Any]
"""Everything that a training is at one step: weights, optimiser, step, losses so far and what it was started with."""


@dataclass(frozen=True)
class TrainingProgress:
    """Reported after each step: `step` of `steps` done, and the step's `loss`."""

    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class TrainedBranch:
    """A trained branch, the loss of every step, and the memory that the kept views took."""

    branch: SemanticBranch
    losses: list[float]
    kept_bytes: int


def train_branch(
    generator: Backbone[Any],
    ws: Tensor,
    views: Sequence[AnnotatedView],
    semantic: SemanticConfig,
    training: BranchTrainingConfig,
    *,
    poses: Sequence[Tensor | None] | None = None,
    progress: Callable[[TrainingProgress], None] | None = None,
    preparing: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[TrainingState], None] | None = None,
    resume: TrainingState | None = None,
) -> TrainedBranch:
    """Train a fresh branch; the generator is only read.

    The same arguments give the same weights on a CPU with the same number of threads, in one go or resumed.

    Args:
        ws: [N, num_ws, w_dim], the subjects', on the generator's device.
        views: labelled views of them.
        poses: the N subjects', each [1, *pose_shape] or, as the family makes them, None; None: all are.
        progress: called after every step.
        preparing: called with (views done, views) while the views are prepared.
        checkpoint: called with a state (tensors on the CPU, safe to save) every `checkpoint_every` steps and at the end.
        resume: a state to go on from.
    Raises:
        AnnotationError: views that cannot be trained on, see `check_views`.
        UsageError: `resume` comes from another training, or patches that the generator's views do not have, see `check_patch`.
    """
    if training.patch is not None:
        check_patch(training.patch, generator.config)
    fingerprint = _fingerprint(generator, ws, poses, views, semantic, training)
    if resume is not None and resume.get("fingerprint") != fingerprint:
        raise UsageError(
            f"training state: expected one of this training ({fingerprint[:12]}), found {str(resume.get('fingerprint'))[:12]}; "
            "resume with the same model, annotations and settings, or start anew"
        )
    branch = SemanticBranch(semantic, generator.config, training.seed)
    branch.to(ws.device)
    kept = keep_views(
        branch, generator, ws, views, training.statistics_subjects, preparing, poses, keep_taps=training.patch is None
    )
    optimizer = torch.optim.Adam(branch.parameters(), lr=training.learning_rate, betas=(0.9, 0.99))
    losses: list[float] = []
    if resume is not None:
        try:
            branch.load_state_dict(resume["branch"])
            optimizer.load_state_dict(copy.deepcopy(resume["optimizer"]))
        except (
            RuntimeError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ) as error:  # torch's ways to say that it does not fit
            raise UsageError(f"training state: expected one of this branch, it does not fit: {error}; start anew") from error
        losses = list(resume["losses"])
    weights = class_weights(torch.stack([view.mask for view in kept.views]), semantic.num_classes, training.class_balance)
    for step in range(len(losses), training.steps):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * 0.5 * (1 + math.cos(math.pi * step / training.steps))
        chosen = views_of_step(step, len(views), training.views_per_step, training.seed)
        optimizer.zero_grad(set_to_none=True)
        patches = None
        if training.patch is not None:
            patches = patches_of_step(step, len(chosen), training.patch, generator.config.rays.neural_resolution, training.seed)
        losses.append(backward_views(branch, kept, chosen, weights, patches))
        optimizer.step()
        if progress is not None:
            progress(TrainingProgress(step + 1, training.steps, losses[-1]))
        if checkpoint is not None and ((step + 1) % training.checkpoint_every == 0 or step + 1 == training.steps):
            checkpoint(_state(fingerprint, branch, optimizer, losses))
    branch.shift_scores(-log_weights(weights))
    return TrainedBranch(branch.eval().requires_grad_(False), losses, kept.num_bytes)


def views_of_step(step: int, num_views: int, views_per_step: int, seed: int) -> list[int]:
    """Which views a step sees: a new permutation of all of them every epoch, a function of (seed, step) alone."""
    views_per_step = min(views_per_step, num_views)
    chosen = []
    for position in range(step * views_per_step, (step + 1) * views_per_step):
        epoch, place = divmod(position, num_views)
        rng = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        chosen.append(int(torch.randperm(num_views, generator=rng)[place]))
    return chosen


def patches_of_step(step: int, count: int, side: int, resolution: int, seed: int) -> list[Patch]:
    """Which parts of its views a step sees: uniform over all places within them, a function of (seed, step) alone."""
    rng = torch.Generator().manual_seed(seed * 1_000_033 + step)
    places = torch.randint(resolution - side + 1, (count, 2), generator=rng).tolist()
    return [Patch(top, left, side) for top, left in places]


def backward_views(
    branch: SemanticBranch, kept: KeptViews, chosen: Sequence[int], weights: Tensor, patches: Sequence[Patch] | None = None
) -> float:
    """Add to the branch's gradients those of the cross-entropy at full size over the chosen views, weighted by class (paper equation 2).

    One view after the other, so that only one view's activations are held.

    Args:
        patches: the part of each view that is seen; None: all of it.

    Returns:
        The loss.
    """
    views = [kept.views[index] for index in chosen]
    if patches is not None:
        views = [view.part(patch) for view, patch in zip(views, patches, strict=True)]
    tables = _tables(branch, kept, views)
    leaves = {subject: table.detach().requires_grad_() for subject, table in tables.items()}
    total = _total_weight(views, weights)
    parts = []
    for view in views:
        part = _view_loss(branch, view, leaves[view.subject], weights) / total
        part.backward()
        parts.append(part.detach())
    torch.autograd.backward(list(tables.values()), [leaf.grad for leaf in leaves.values()])
    return float(sum(torch.stack(parts).tolist()))  # a device is waited for once


def _tables(branch: SemanticBranch, kept: KeptViews, views: Sequence[KeptView]) -> dict[int, Tensor]:
    """The projected planes of the views' subjects."""
    subjects = sorted({view.subject for view in views})
    inputs = [torch.cat(scales).float() for scales in zip(*(kept.inputs[s] for s in subjects), strict=True)]
    return dict(zip(subjects, branch.triplane.project(inputs, normalized=True).unbind(0), strict=True))


def _view_loss(branch: SemanticBranch, view: KeptView, table: Tensor, weights: Tensor) -> Tensor:
    """Sum over pixels of a view's weighted cross-entropy."""
    guide_image = None if view.guide_image is None else view.guide_image.float()
    scores = branch.refine(view.maps(branch, table), guide_image, len(view.mask))
    return F.cross_entropy(scores, view.mask[None].long(), weight=weights, ignore_index=IGNORE_ID, reduction="sum")


def _total_weight(views: Sequence[KeptView], weights: Tensor) -> Tensor:
    """Sum of all pixels' weights."""
    if weights.is_cuda:  # where to count the labelled pixels is to wait for it
        every = torch.cat([weights, weights.new_zeros(IGNORE_ID + 1 - len(weights))])
        counted = torch.cat([every[view.mask.long()].flatten() for view in views])
    else:
        counted = weights[torch.cat([view.mask[view.mask != IGNORE_ID] for view in views]).long()]
    return counted.sum().clamp(min=torch.finfo(weights.dtype).tiny)  # patches may lie where all is ignored


def class_weights(masks: Tensor, num_classes: int, balance: ClassBalance) -> Tensor:
    """Weight [C] of each class in the loss, at most `MAX_CLASS_WEIGHT` times the smallest; a class without pixels gets 0.

    Args:
        masks: uint8 [V, S, S].
    """
    counts = torch.bincount(masks.flatten().long(), minlength=IGNORE_ID + 1)[:num_classes].float()
    present = counts > 0
    share = counts / counts.sum()
    power = {"none": 0.0, "sqrt": 0.5, "full": 1.0}[balance]
    weights = (share.max() / torch.where(present, share, torch.ones_like(share))) ** power
    return torch.where(present, weights.clamp(max=MAX_CLASS_WEIGHT), torch.zeros_like(weights))


def log_weights(weights: Tensor) -> Tensor:
    """By how much a class's score [C] rises through its weight in the loss; a class of weight 0 counts as the one that weighs most.

    Softmax that learned with weights w is w_c p_c / sum w p: it gives rare parts pixels that are likelier their neighbours', a rim of the
    background's above all. Without log w it is p again (Menon et al. 2021, arXiv 2007.07314, section 4).
    """
    return torch.where(weights > 0, weights, weights.max()).log()


def _state(fingerprint: str, branch: SemanticBranch, optimizer: torch.optim.Optimizer, losses: list[float]) -> TrainingState:
    return {
        "fingerprint": fingerprint,
        "step": len(losses),
        "losses": list(losses),
        "branch": {name: tensor.detach().cpu().clone() for name, tensor in branch.state_dict().items()},
        "optimizer": _to_cpu(optimizer.state_dict()),
    }


def _to_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: _to_cpu(item) for key, item in value.items()}
    return [_to_cpu(item) for item in value] if isinstance(value, list) else value


def _fingerprint(
    generator: Backbone[Any],
    ws: Tensor,
    poses: Sequence[Tensor | None] | None,
    views: Sequence[AnnotatedView],
    semantic: SemanticConfig,
    training: BranchTrainingConfig,
) -> str:
    """sha256 of all that decides the result; how often a state is saved does not."""
    settings = config_to_json(training)
    del settings["checkpoint_every"]
    if training.patch is None:
        del settings["patch"]  # states of before there were patches go on
    digest = hashlib.sha256(json.dumps([config_to_json(generator.config), config_to_json(semantic), settings]).encode())
    for index, pose in enumerate(poses or ()):
        if pose is not None:
            digest.update(f"pose {index}".encode() + pose.detach().float().cpu().contiguous().numpy().tobytes())
    for tensor in (ws, *generator.state_dict().values()):
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    for view in views:
        digest.update(np.int64(view.subject).tobytes())
        digest.update(np.ascontiguousarray(view.cam2world, np.float64).tobytes())
        digest.update(np.ascontiguousarray(view.intrinsics, np.float64).tobytes())
        digest.update(np.ascontiguousarray(view.mask).tobytes())
    return digest.hexdigest()
