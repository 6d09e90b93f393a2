"""Which of many candidate views to paint next: an ensemble of small branches, how far it disagrees about each, and a greedy choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.protocols import Backbone, Planes, PosablePlanes
from dnerf_core.errors import AnnotationError
from dnerf_core.rendering.camera_tensors import Posed, camera_tensors
from dnerf_core.semantic.choosing.ensemble import (
    Ensemble,
    EnsembleConfig,
    class_weights,
    disagreement,
    train_ensemble,
)
from dnerf_core.semantic.choosing.greedy import Choice, FloatArray, GreedyConfig, choose_greedily
from dnerf_core.semantic.choosing.rays import RaySketch, ViewRays, label_shares
from dnerf_core.semantic.guided_visibility import GuidedPlanes


@dataclass(frozen=True)
class ChoosingConfig:
    """How views are chosen.

    Attributes:
        resolution: rays a side that a view is looked at with.
        statistics_subjects: painted subjects that the sketch's inputs are normalised by.
        ensemble, greedy: of the members, and of the choice.
    """

    resolution: int = 48
    statistics_subjects: int = 8
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)
    greedy: GreedyConfig = field(default_factory=GreedyConfig)


@dataclass(frozen=True, eq=False)
class SeenView:
    """A view that is painted, or may be.

    Attributes:
        subject: a number, the same for all views of a subject; they come one after the other.
        planes: gives the subject's, in the pose it has in this view; called when the view is looked at, so that nobody holds those of all.
        latent: float64 [F], what the subject's ws come to.
        camera: where it is seen from.
        pose: its numbers; empty: subjects have none.
        mask: uint8 [S, S], of a painted view; None: of a candidate.
    """

    subject: int
    planes: Callable[[], Planes]
    latent: FloatArray
    camera: Posed
    pose: tuple[float, ...] = ()
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class NextView:
    """A chosen candidate.

    Attributes:
        choice: which one, its uncertainty (see `uncertainty_of`) and how far it lies from what is painted or chosen.
        uncertainty_rank: 1 of the most uncertain of all candidates.
        class_shares: of its uncertainty, the share of each class, by what the ensemble takes rays for.
    """

    choice: Choice
    uncertainty_rank: int
    class_shares: tuple[float, ...]


def choose_next(
    generator: Backbone[Any],
    painted: Sequence[SeenView],
    candidates: Sequence[SeenView],
    *,
    num_classes: int,
    subjects: int,
    views_each: int = 1,
    config: ChoosingConfig | None = None,
    progress: Callable[[], None] | None = None,
) -> list[NextView]:
    """Choose `subjects` x `views_each` of the candidates, the best first; equal arguments give equal choices on a CPU.

    Args:
        num_classes: with background.
        progress: called after each view that was looked at, painted ones and candidates.

    Raises:
        AnnotationError: no ray of a painted view is labelled.
        UsageError: too few candidates, see `choose_greedily`.
    """
    settings = config or ChoosingConfig()
    first = {view.subject: view.planes for view in reversed(painted)}
    chosen_first = [first[number] for number in sorted(first)[: settings.statistics_subjects]]
    sketch = RaySketch(generator, (planes() for planes in chosen_first))
    features, shares, number = [], [], []
    for index, rays in enumerate(_looked_at(sketch, painted, settings.resolution, progress)):
        mask = painted[index].mask
        assert mask is not None
        share = torch.from_numpy(label_shares(mask, num_classes, settings.resolution)).to(rays.pixel.device)[rays.pixel]
        labelled = share.sum(dim=1) > 0
        features.append(rays.features[labelled])
        shares.append(share[labelled])
        number.append(torch.full((int(labelled.sum()),), index, device=rays.pixel.device))
    if not sum(map(len, features)):
        raise AnnotationError("painted views: expected labels on what the generator shows, found none; paint the subject")
    ensemble = train_ensemble(torch.cat(features), torch.cat(shares), torch.cat(number), settings.ensemble)
    weights = class_weights(torch.cat(shares))
    uncertain = [
        uncertainty_of(ensemble, rays.features, weights).cpu().double().numpy() / settings.resolution**2
        for rays in _looked_at(sketch, candidates, settings.resolution, progress)
    ]
    level = np.array([float(by_class.sum()) for by_class in uncertain])
    pose_size = max(len(view.pose) for view in (*painted, *candidates))
    choices = choose_greedily(
        level,
        np.array([view.subject for view in candidates], np.int64),
        _blocks(candidates, pose_size),
        _blocks(painted, pose_size),
        subjects=subjects,
        views_each=views_each,
        config=settings.greedy,
    )
    ranks = np.argsort(np.argsort(-level, kind="stable"), kind="stable") + 1
    return [
        NextView(
            choice, int(ranks[choice.candidate]), tuple((uncertain[choice.candidate] / max(choice.uncertainty, 1e-12)).tolist())
        )
        for choice in choices
    ]


def uncertainty_of(ensemble: Ensemble, features: Tensor, weights: Tensor) -> Tensor:
    """How uncertain rays [M, D] of a view are together, [C] by the class that members take them for.

    Sum over rays of their disagreement, each weighted by the classes that it is taken for: `weights` [C] are those of the branch's
    loss, so that a rare class counts for more than its few pixels.
    """
    probabilities = ensemble.probabilities(features)
    return (disagreement(probabilities)[:, None] * probabilities.mean(dim=0) * weights).sum(dim=0)


def _looked_at(
    sketch: RaySketch, views: Sequence[SeenView], resolution: int, progress: Callable[[], None] | None
) -> Iterator[ViewRays]:
    """The rays of views; what the views of one subject share is made once where they come one after the other."""
    subject: int | None = None
    planes: Planes | None = None
    guided: GuidedPlanes | None = None
    table: Tensor | None = None
    for view in views:
        other = view.subject != subject
        if planes is None or guided is None or other or view.pose:
            planes = view.planes()
            guided = sketch.guided(planes)
        if table is None or other or (view.pose and not isinstance(planes, PosablePlanes)):
            table = sketch.table(planes)
        subject = view.subject
        yield sketch.view(guided, table, *camera_tensors(view.camera, table.device), resolution)
        if progress is not None:
            progress()


def _blocks(views: Sequence[SeenView], pose_size: int) -> list[FloatArray]:
    """What coverage is measured in: latents [V, F], directions of sight [V, 3], and where subjects move, poses [V, pose_size]."""
    directions = np.array([np.asarray(view.camera.cam2world, np.float64)[:3, 2] for view in views])
    blocks = [np.stack([view.latent for view in views]), directions]
    poses = [view.pose or (0.0,) * pose_size for view in views]  # the usual pose of a body is that of its joints unturned
    return [*blocks, np.array(poses, np.float64)] if pose_size else blocks
