"""3D-aware semantic editing: a subject's latent is changed until its labels agree with a repainted mask (paper section 5.4, figure 8).

    L(w; r) = l1 L_label(G_semantic(w); M_edit) + l2 L_rgb(~r * G_rgb(w); ~r * I) + l3 L_vgg(~r * G_rgb(w); ~r * I)

M_edit is the repainted mask, I the view before the edit, r the region of the edited labels, before and after, and ~r all else. L_label is
the cross-entropy, L_rgb the mean squared error. We move w+ from where the subject is, and keep it near. Where r holds pixels far from
what was repainted, L_rgb counts them with a small weight, too: with the paper's loss a car whose roof is lowered loses its paint.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import CameraConfig
from dnerf_core.inversion.descent import Guess, Viewpoint, Watch, descend, progress_of
from dnerf_core.inversion.latents import WPlusSpace, WStatistics, w_statistics
from dnerf_core.inversion.objectives import MaskObjective
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.inversion.settings import Stage
from dnerf_core.inversion.view import SeenView, see
from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import psnr_db
from dnerf_core.perceptual import Features, PerceptualLoss
from dnerf_core.subject import LabeledView, Subject

BACKGROUND_ID = 0
TURNS_DEG = (-45.0, 45.0, 180.0)
"""From the painted view to the three others that an edit is looked at from."""


@dataclass(frozen=True)
class EditSettings:
    """What a call of an edit chooses.

    Attributes:
        label_weight, rgb_weight, perceptual_weight: the loss's l1, l2 and l3; the last one needs a network.
        keep_inside: L_rgb's weight of r's pixels that lie further than `margin_px` from what was repainted; 0: the paper's loss.
        edited_weight: how much more a repainted pixel counts than another one in L_label: there are few of them.
        prior: weight of the distance from the subject as it was, in standard deviations of w.
        margin_px: how far r reaches beyond its labels, pixels of the full picture.
        steps: of the optimiser.
        statistics_seed: of the latents that w's statistics are measured on.
    """

    label_weight: float = 1.0
    rgb_weight: float = 10.0
    perceptual_weight: float = 0.0
    keep_inside: float = 0.5
    edited_weight: float = 10.0
    prior: float = 3e-3
    margin_px: int = 4
    steps: int = 80
    statistics_seed: int = 0

    def check(self) -> None:
        """Refuse settings that say nothing useful.

        Raises:
            UsageError: one that is out of range.
        """
        if min(self.label_weight, self.rgb_weight, self.perceptual_weight, self.keep_inside, self.prior) < 0:
            raise UsageError("edit: expected weights of at least 0, found a negative one; choose another")
        if self.label_weight == 0:
            raise UsageError("edit: expected a weight of the labels above 0, found 0: nothing would change; choose another")
        for name, low in (("edited_weight", 1), ("margin_px", 0), ("steps", 2)):
            if getattr(self, name) < low:
                raise UsageError(f"edit: {name}: expected at least {low}, found {getattr(self, name)}; choose another")


@dataclass(frozen=True, eq=False)
class Region:
    """What an edit may change, at the picture's size.

    Attributes:
        edited: bool [S, S], the pixels that were repainted.
        near: bool [S, S], these and a margin round them.
        inside: bool [S, S], r: where an edited label lies before or after, and what is near.
        labels: the edited labels.
    """

    edited: NDArray[np.bool_]
    near: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    labels: tuple[int, ...]


def region_of(before: NDArray[np.uint8], after: NDArray[np.uint8], margin_px: int) -> Region:
    """The region r of an edit (section 5.4: "the union region of the label region before and after the edit").

    Args:
        before, after: uint8 [S, S] of label ids; where `after` is `IGNORE_ID` nothing is asked for.

    Raises:
        UsageError: nothing was repainted.
    """
    edited = (before != after) & (after != IGNORE_ID)
    if not edited.any():
        raise UsageError("edited mask: expected some pixels that differ from the subject's own mask, found none; paint something")
    labels = edited_labels(before, after, edited)
    near = _grown(edited, margin_px)
    return Region(edited, near, near | np.isin(before, labels) | np.isin(after, labels), labels)


def edited_labels(before: NDArray[np.uint8], after: NDArray[np.uint8], edited: NDArray[np.bool_]) -> tuple[int, ...]:
    """Which labels an edit is about: of all sets that each repainted pixel has its old or its new label of, the one that covers least.

    A hood drawn longer over the body is about the hood, not about the body. Background, which is everything round the object, is in
    no such set.
    """
    pairs = np.unique(np.stack([before[edited], after[edited]], axis=1), axis=0).tolist()
    changes = frozenset(frozenset(pair) - {BACKGROUND_ID} for pair in pairs)
    area = {label: int(((before == label) | (after == label)).sum()) for label in frozenset[int]().union(*changes)}
    return tuple(sorted(_least_choice(changes, area)))


def _least_choice(changes: frozenset[frozenset[int]], area: Mapping[int, int]) -> frozenset[int]:
    """The set of least area with a label of each change; of equals the smallest, then the one of the lowest labels.

    Either the label of most changes is in it, or all that it changes with: noise between many labels is soon settled.
    """
    if not changes:
        return frozenset()
    counts = Counter(label for change in changes for label in change)
    label = min(counts, key=lambda one: (-counts[one], one))
    partners = frozenset[int]().union(*(change - {label} for change in changes if label in change))
    choices = [
        chosen | _least_choice(frozenset(change for change in changes if not change & chosen), area)
        for chosen in (frozenset({label}), partners)
        if all(change & chosen for change in changes if label in change)
    ]
    return min(choices, key=lambda chosen: (sum(area[one] for one in chosen), len(chosen), sorted(chosen)))


def _grown(where: NDArray[np.bool_], margin_px: int) -> NDArray[np.bool_]:
    """True also up to `margin_px` beside and above, pixels."""
    if not margin_px:
        return where
    image = torch.from_numpy(where)[None, None].float()
    return F.max_pool2d(image, 2 * margin_px + 1, stride=1, padding=margin_px)[0, 0].numpy() > 0


@dataclass(frozen=True)
class OtherView:
    """How much of an edit is seen from another direction.

    Attributes:
        yaw_deg: turn from the edited view.
        labels_changed: share of the pixels that show the object, before or after, whose label changed.
        color_change: mean absolute difference of these pixels' colours, of 255.
    """

    yaw_deg: float
    labels_changed: float
    color_change: float


@dataclass(frozen=True)
class EditScores:
    """How well an edit went, by the view that was painted.

    Attributes:
        edited_taken: share of the repainted pixels that show the asked label.
        agreement_inside: share of r's pixels that show the edited mask's label.
        agreement_outside: the same outside r.
        psnr_outside_db: of the image outside r against the view before.
        psnr_kept_db: the same over the object's pixels that are not near what was repainted, in r or not: whether it kept its texture.
    """

    edited_taken: float
    agreement_inside: float
    agreement_outside: float
    psnr_outside_db: float
    psnr_kept_db: float


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
        loss = self.settings.label_weight * self.mask.of_scores(scores)
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


def edit_stages(settings: EditSettings, neural_px: int) -> tuple[Stage, ...]:
    """A coarse stage, then one at full size."""
    coarse = settings.steps * 2 // 3
    return (
        Stage(min(64, neural_px), False, coarse, 1, "w+", 0.05, 0.0),
        Stage(neural_px, True, settings.steps - coarse, 1, "w+", 0.03, 0.0),
    )


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
    if edited_mask.shape != (size_px, size_px):
        raise UsageError(f"edited mask: expected shape {[size_px, size_px]}, found {list(edited_mask.shape)}; resize it first")
    foreign = sorted({int(value) for value in np.unique(edited_mask)} - {*range(model.branch.config.num_classes), IGNORE_ID})
    if foreign:
        raise UsageError(f"edited mask: expected the model's label ids, found {foreign[:5]}; paint with the model's labels")
    if settings.perceptual_weight > 0 and perceptual is None:
        raise UsageError("edit: expected the perceptual network's weights, found none; name their file, or leave its weight at 0")
    before = subject.render(camera)
    assert before.mask is not None
    region = region_of(before.mask, edited_mask, settings.margin_px)
    viewpoint = Viewpoint(model, camera)
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
            go_on = watch is None or watch(progress_of(stage, space, before + step, steps, best, image))
            return go_on

        found, curve = descend(viewpoint, space, objective, [guess], stage, settings.prior, report)
        guess, done, losses = found[0], done + stage.steps, losses + curve
    with torch.no_grad():
        edited = Subject(model, space.ws(guess.code[None]).clone())
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
    place = viewpoint.tensors(torch.zeros(1, 2, device=model.device))
    before = {}
    for stage in plan:
        seen = see(model, subject.ws, *place, stage.side_px)
        image = seen.image() if stage.full else seen.raw_image
        before[image.shape[-1]] = image
    shares = np.where(region.near, 0.0, np.where(region.inside, settings.keep_inside, 1.0)).astype(np.float32)
    kept, outside = (torch.from_numpy(a).to(model.device)[None, None] for a in (shares, (~region.inside).astype(np.float32)))
    target = torch.tensor(np.ascontiguousarray(edited_mask), device=model.device).long()
    pixels = torch.where(torch.from_numpy(region.edited).to(model.device), settings.edited_weight, 1.0)
    mask = MaskObjective(target, torch.ones(model.branch.config.num_classes, device=model.device), pixels)
    goal = None if perceptual is None else perceptual.features(before[model.config.image_size], outside)
    return EditObjective(settings, mask, kept, before, perceptual, goal)


def edit_scores(before: LabeledView, after: LabeledView, edited_mask: NDArray[np.uint8], region: Region) -> EditScores:
    """Scores of an edit by the painted view; pixels of `IGNORE_ID` do not count."""
    assert before.mask is not None
    assert after.mask is not None
    right, asked = after.mask == edited_mask, edited_mask != IGNORE_ID
    outside = ~region.inside
    return EditScores(
        edited_taken=float(right[region.edited].mean()),
        agreement_inside=_share(right, region.inside & asked),
        agreement_outside=_share(right, outside & asked),
        psnr_outside_db=_psnr_where(before, after, outside),
        psnr_kept_db=_psnr_where(before, after, (before.mask != BACKGROUND_ID) & ~region.near),
    )


def _share(right: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(right[where].mean()) if where.any() else float("nan")


def _psnr_where(before: LabeledView, after: LabeledView, where: NDArray[np.bool_]) -> float:
    return psnr_db(before.rgb[where], after.rgb[where]) if where.any() else float("nan")


def change_seen(before: LabeledView, after: LabeledView, yaw_deg: float) -> OtherView:
    """How much two views of one camera differ; `yaw_deg` is only noted."""
    assert before.mask is not None
    assert after.mask is not None
    shown = (before.mask != BACKGROUND_ID) | (after.mask != BACKGROUND_ID)
    if not shown.any():
        return OtherView(yaw_deg, 0.0, 0.0)
    change = np.abs(before.rgb.astype(np.int16) - after.rgb.astype(np.int16))[shown].mean()
    return OtherView(yaw_deg, float((before.mask != after.mask)[shown].mean()), float(change))


def turned_cameras(camera: Camera, cameras: CameraConfig) -> list[Camera]:
    """The other views' cameras: on the generator's sphere, `TURNS_DEG` from where the painted view was taken."""
    yaw_deg, pitch_deg = sphere_angles_deg(camera.cam2world, cameras)
    return [camera_at(math.radians(yaw_deg + turn), math.radians(pitch_deg), cameras) for turn in TURNS_DEG]
