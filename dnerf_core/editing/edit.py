"""3D-aware semantic editing: a subject's latent is changed until its labels agree with a repainted mask (paper section 5.4, figure 8).

    L(w; r) = l1 L_label(G_semantic(w); M_edit) + l2 L_rgb(~r * G_rgb(w); ~r * I) + l3 L_vgg(~r * G_rgb(w); ~r * I)

M_edit is the repainted mask, I the view before the edit, r the region of the edited labels, before and after, and ~r all else. L_label is
the cross-entropy, L_rgb the mean squared error. We move w+ from where the subject is, and keep it near. Where r holds pixels far from
what was repainted, L_rgb counts them with a small weight, too: with the paper's loss a car whose roof is lowered loses its paint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.editing.region import Region, region_of
from dnerf_core.editing.scores import EditScores, edit_scores
from dnerf_core.editing.settings import EditSettings, edit_stages
from dnerf_core.errors import UsageError
from dnerf_core.inversion.descent import Guess, Viewpoint, Watch, descend, progress_of
from dnerf_core.inversion.latents import WPlusSpace, WStatistics, w_statistics
from dnerf_core.inversion.objectives import MaskObjective
from dnerf_core.inversion.perceptual import Features, PerceptualLoss
from dnerf_core.inversion.settings import Stage
from dnerf_core.inversion.view import SeenView
from dnerf_core.labels import check_ids
from dnerf_core.shapes import check_shapes
from dnerf_core.subject import LabeledView, Subject


@dataclass(frozen=True, eq=False)
class Edit:
    """An edited subject.

    Attributes:
        subject: after the edit; its model is the one of the subject before.
        before, after: the painted view, before and after.
        region: see `Region`.
        losses: of every step.
        finished: False where it was ended early.
    """

    subject: Subject
    before: LabeledView
    after: LabeledView
    region: Region
    scores: EditScores
    losses: tuple[float, ...]
    finished: bool


@dataclass(frozen=True, eq=False)
class EditObjective:
    """The loss above.

    Attributes:
        kept: [1, 1, S, S], L_rgb's weight of each pixel.
        before: the view before the edit by its side, [1, 3, S, S] or [1, 3, R, R].
    """

    settings: EditSettings
    mask: MaskObjective
    kept: Tensor
    before: dict[int, Tensor]
    perceptual: PerceptualLoss | None
    goal: Features | None
    _kept_at: dict[int, Tensor] = field(default_factory=dict)

    def loss(self, seen: SeenView, *, full: bool) -> Tensor:
        """See `inversion.objectives.Objective`."""
        image = seen.image() if full else seen.raw_image
        scores = seen.scores(image) if full else seen.maps().scores
        loss = self.settings.label_weight * self.mask.loss_from_scores(scores)
        kept = self._kept(image.shape[-1])
        apart = (image - self.before[image.shape[-1]]).square().mean(dim=1, keepdim=True) * kept
        loss = loss + self.settings.rgb_weight * apart.sum(dim=(1, 2, 3)) / kept.sum().clamp_min(1)
        if full and self.perceptual is not None and self.goal is not None:
            loss = loss + self.settings.perceptual_weight * self.perceptual(image, self.goal)
        return loss

    def _kept(self, side_px: int) -> Tensor:
        """Weights at a side, [1, 1, side, side]: a pixel counts as the one within it that counts least."""
        if side_px not in self._kept_at:
            self._kept_at[side_px] = -F.adaptive_max_pool2d(-self.kept, side_px)
        return self._kept_at[side_px]


def edit_subject(
    subject: Subject,
    camera: Camera,
    edited_mask: NDArray[np.uint8],
    settings: EditSettings,
    *,
    perceptual: PerceptualLoss | None = None,
    statistics: WStatistics | None = None,
    watch: Watch | None = None,
) -> Edit:
    """Change a subject so that its labels agree with a repainted mask.

    Args:
        camera: where the mask was painted from.
        edited_mask: uint8 [S, S] of label ids, S the generator's image size; `IGNORE_ID` where nothing is asked for.
        perceptual: needed where the settings weigh it.
        statistics: of the model, from `w_statistics`; None: measured here.
        watch: called after every step; False ends the edit with the best so far.

    Raises:
        UsageError: settings that say nothing useful, a mask of another size or of other labels, one in which nothing was repainted,
            or a model without a semantic branch.
    """
    settings.check()
    model = subject.model
    size_px = model.config.image_size
    if model.branch is None:
        raise UsageError(f"edit: expected a model with a semantic branch, found none in {model.config.name}; train one first")
    check_shapes(**{"edited mask": (edited_mask, f"uint8 {size_px} {size_px}", "resize it first")})
    check_ids(edited_mask, model.branch.config.num_classes, "edited mask", "paint with the model's labels", error=UsageError)
    if settings.perceptual_weight > 0 and perceptual is None:
        raise UsageError("edit: expected the perceptual network's weights, found none; name their file, or leave its weight at 0")
    before = subject.render(camera)
    assert before.mask is not None
    region = region_of(before.mask, edited_mask, settings.margin_px)
    viewpoint = Viewpoint(model, camera, subject.pose, subject.shape)
    plan = edit_stages(settings, model.config.rays.neural_resolution)
    objective = _objective(
        subject, viewpoint, edited_mask, region, settings, perceptual if settings.perceptual_weight else None, plan
    )
    space = _space_about(subject.ws[0], statistics or w_statistics(model, settings.statistics_seed))
    assert space.home is not None
    guess = Guess(0.0, space.home, torch.tensor(viewpoint.known_angles_rad, device=model.device))
    steps, done, go_on, losses = sum(stage.steps for stage in plan), 0, True, list[float]()
    for stage in plan:
        if not go_on:
            break

        def report(step: int, best: Guess, image: Tensor, stage: Stage = stage, before: int = done) -> bool:
            nonlocal go_on
            go_on = watch is None or watch(progress_of(stage, space, viewpoint, before + step, steps, best, image))
            return go_on

        guesses, curve = descend(viewpoint, space, objective, [guess], stage, settings.prior, report)
        guess, done, losses = guesses[0], done + stage.steps, losses + curve
    with torch.no_grad():
        edited = Subject(model, space.ws(guess.code[None]).clone(), subject.pose, subject.shape)
    after = edited.render(camera)
    return Edit(edited, before, after, region, edit_scores(before, after, edited_mask, region), tuple(losses), go_on)


def _space_about(ws: Tensor, statistics: WStatistics) -> WPlusSpace:
    """w+ about a subject's ws [num_ws, w_dim], which is its home."""
    plain = WPlusSpace(statistics, len(ws))
    home = plain.code_of_ws(ws)
    return WPlusSpace(statistics, len(ws), home, ws - plain.ws(home[None])[0])


@torch.no_grad()
def _objective(
    subject: Subject,
    viewpoint: Viewpoint,
    edited_mask: NDArray[np.uint8],
    region: Region,
    settings: EditSettings,
    perceptual: PerceptualLoss | None,
    plan: Sequence[Stage],
) -> EditObjective:
    model = subject.model
    assert model.branch is not None
    angles = torch.zeros(1, 2, device=model.device)
    before = {}
    for stage in plan:
        seen = viewpoint.see(subject.ws, angles, stage.side_px)
        image = seen.image() if stage.full else seen.raw_image
        before[image.shape[-1]] = image
    shares = np.where(region.near, 0.0, np.where(region.inside, settings.keep_inside, 1.0)).astype(np.float32)
    kept, outside = (torch.from_numpy(a).to(model.device)[None, None] for a in (shares, (~region.inside).astype(np.float32)))
    target = torch.tensor(np.ascontiguousarray(edited_mask), device=model.device).long()
    pixels = torch.where(torch.from_numpy(region.edited).to(model.device), settings.edited_weight, 1.0)
    mask = MaskObjective(target, torch.ones(model.branch.config.num_classes, device=model.device), pixels)
    goal = None if perceptual is None else perceptual.features(before[model.config.image_size], outside)
    return EditObjective(settings, mask, kept, before, perceptual, goal)
