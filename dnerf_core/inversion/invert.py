"""Inversion of a picture: search, then descent, coarse to fine (paper section 5.4, figures 6 and 7)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera
from dnerf_core.errors import PoseError, UsageError
from dnerf_core.inversion.descent import Guess, Progress, Viewpoint, Watch, descend, progress_of
from dnerf_core.inversion.latents import LatentSpace, WStatistics, code_in, random_candidates, space_of, w_statistics
from dnerf_core.inversion.objectives import MaskObjective, Perceptual, PictureObjective, SoughtObjective
from dnerf_core.inversion.perceptual import PerceptualLoss
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.inversion.pose_prior import PosePrior
from dnerf_core.inversion.search import best_starts, posed_starts, unlike
from dnerf_core.inversion.settings import InversionSettings, Stage, stages, usual_stages
from dnerf_core.inversion.stand_in import StandIn, stand_in_look, stand_in_of
from dnerf_core.inversion.tuning import tune
from dnerf_core.labels import IGNORE_ID, check_ids
from dnerf_core.metrics import confusion_matrix, psnr_db, segmentation_scores
from dnerf_core.model import Model
from dnerf_core.own_views import view_ranges
from dnerf_core.semantic.training import class_weights
from dnerf_core.shapes import check_shapes
from dnerf_core.subject import Subject

TUNING = "pivotal tuning"
"""Its name as a stage."""


@dataclass(frozen=True)
class StageLosses:
    """The lowest loss of every step of a stage."""

    stage: str
    losses: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Inversion:
    """What was found.

    Attributes:
        subject: the subject; its model has tuned weights after pivotal tuning.
        camera: where it was seen from.
        yaw_deg, pitch_deg: of that camera.
        losses: the curve, stage by stage.
        tuned: the generator's tensors that were tuned; empty: none.
        finished: False where it was ended early.
    """

    subject: Subject
    camera: Camera
    yaw_deg: float
    pitch_deg: float
    losses: tuple[StageLosses, ...]
    tuned: dict[str, Tensor]
    finished: bool

    def psnr_db(self, rgb: NDArray[np.uint8]) -> float:
        """Of the subject's view from its camera against a picture uint8 [S, S, 3]."""
        view = self.subject.channels(self.camera, rgb.shape[0], ("rgb",))
        assert view.rgb is not None
        return psnr_db(rgb, view.rgb)

    def miou(self, mask: NDArray[np.uint8]) -> float:
        """Of the labels seen from its camera, with a mask uint8 [S, S]; the model has a semantic branch."""
        branch, seen = self.subject.model.branch, self.subject.channels(self.camera, mask.shape[0], ("mask",)).mask
        assert branch is not None
        assert seen is not None
        return segmentation_scores(confusion_matrix(mask, seen, branch.config.num_classes)).miou


def invert(
    model: Model,
    seen: NDArray[np.uint8],
    settings: InversionSettings | None = None,
    *,
    camera: Camera | None = None,
    pose: Tensor | None = None,
    perceptual: PerceptualLoss | None = None,
    watch: Watch | None = None,
) -> Inversion:
    """Find the subject of a picture, or one whose labels look like a mask: `invert_picture`, or the first of `invert_mask`.

    Args:
        seen: a picture uint8 [S, S, 3], or a mask uint8 [S, S] of label ids; S is the generator's image size.
        settings: how it goes; None: the usual one.
        camera: where it was taken from, if that is known; None: it is found.
        pose: [1, *pose_shape], of the subject, if that is known; None: it is found, where subjects move.
        perceptual: of pictures only; needed where the settings weigh it.
        watch: called after every step; False ends the inversion with the best so far.

    Raises:
        UsageError: as those two.

    Example:
        >>> found = invert(model, picture)
        >>> found.subject.render(found.camera), found.yaw_deg, found.psnr_db(picture)
    """
    chosen = InversionSettings() if settings is None else settings
    if seen.ndim == 2:
        return invert_mask(model, seen, chosen, camera=camera, pose=pose, watch=watch)[0]
    return invert_picture(model, seen, chosen, camera=camera, pose=pose, perceptual=perceptual, watch=watch)


def invert_picture(
    model: Model,
    rgb: NDArray[np.uint8],
    settings: InversionSettings,
    *,
    camera: Camera | None = None,
    pose: Tensor | None = None,
    perceptual: PerceptualLoss | None = None,
    statistics: WStatistics | None = None,
    watch: Watch | None = None,
) -> Inversion:
    """Find the subject of a picture, and where it was taken from.

    Args:
        rgb: uint8 [S, S, 3], S the generator's image size.
        camera: where it was taken from, if that is known; None: it is found, on the generator's sphere.
        pose: [1, *pose_shape], of the subject, if that is known; None: it is found, where subjects move.
        perceptual: needed where the settings weigh it.
        statistics: of the model, from `w_statistics`, where several pictures are inverted; None: measured here.
        watch: called after every step.

    Raises:
        UsageError: settings that say nothing useful, or a picture of another size.
    """
    settings.check()
    size_px = model.config.image_size
    check_shapes(picture=(rgb, f"uint8 {size_px} {size_px} 3", "resize it first"))
    target = torch.tensor(np.ascontiguousarray(rgb), device=model.device).permute(2, 0, 1).float() / 127.5 - 1
    distance = None
    if settings.perceptual_weight > 0:
        if perceptual is None:
            raise UsageError(
                "perceptual loss: expected its network's weights, found none; name their file, or leave its weight at 0"
            )
        distance = _distance_to(perceptual, target)
    objective = PictureObjective(target, distance, settings.perceptual_weight)
    viewpoint = viewpoint_of(model, camera, pose)
    run = _Run(model, settings, objective, viewpoint, statistics or w_statistics(model, settings.seed), watch)
    return run.results(1)[0]


def viewpoint_of(model: Model, camera: Camera | None, pose: Tensor | None) -> Viewpoint:
    """Where a search looks from, and in which pose: a known one, or any that is likely where subjects are bodies that move.

    Raises:
        UsageError: a body of which nothing tells likely poses.
    """
    family = family_of(model.config)
    if pose is not None or family.poser is None or family.template_mesh is None:
        return Viewpoint(model, camera, pose)
    poser = named(family.poser)(model.header.path)
    try:
        return Viewpoint(model, camera, poses=PosePrior.drawn_by(poser, model.device))
    except PoseError as error:
        raise UsageError(
            f"pose: expected a body whose joints are known by their names, to look for its pose, found {poser.joint_names[0]!r} and "
            f"others in {model.config.name}; tell the pose"
        ) from error


def _distance_to(perceptual: PerceptualLoss, target: Tensor) -> Perceptual:
    goal = perceptual.features(target[None])
    return lambda image: perceptual(image, goal)


def invert_mask(
    model: Model,
    mask: NDArray[np.uint8],
    settings: InversionSettings,
    *,
    variants: int = 1,
    camera: Camera | None = None,
    pose: Tensor | None = None,
    statistics: WStatistics | None = None,
    watch: Watch | None = None,
) -> list[Inversion]:
    """Find subjects whose labels look like a mask, best first: a mask leaves colours and what it does not show open.

    Args:
        mask: uint8 [S, S] of label ids, S the generator's image size; `IGNORE_ID` where it says nothing.
        variants: how many; each starts from another latent and is kept near it.

    Raises:
        UsageError: as `invert_picture`; a model without a semantic branch; ids that it has not; pivotal tuning.
    """
    settings.check()
    size_px = model.config.image_size
    if model.branch is None:
        raise UsageError(f"mask: expected a model with a semantic branch, found none in {model.config.name}; train one first")
    check_shapes(mask=(mask, f"uint8 {size_px} {size_px}", "resize it first"))
    if settings.tuning_steps or settings.perceptual_weight:
        raise UsageError("mask: expected no pivotal tuning and no perceptual loss, which compare colours; leave them out")
    if variants < 1:
        raise UsageError(f"variants: expected at least 1, found {variants}; ask for one or more")
    if variants > settings.starts:
        raise UsageError(f"variants: expected at most the {settings.starts} starts, found {variants}; ask for more starts")
    classes = model.branch.config.num_classes
    check_ids(mask, classes, "mask", "paint with the model's labels", error=UsageError)
    if not ((mask != 0) & (mask != IGNORE_ID)).any():
        raise UsageError("mask: expected some part, found only background; paint the object first")
    target = torch.tensor(np.ascontiguousarray(mask), device=model.device).long()
    objective = MaskObjective(target, class_weights(target, classes, "sqrt").to(model.device))
    measured = statistics or w_statistics(model, settings.seed)
    run = _Run(model, settings, objective, viewpoint_of(model, camera, pose), measured, watch, near_start=variants > 1)
    return run.results(variants)


@dataclass(eq=False)
class _Run:
    """One inversion under way."""

    model: Model
    settings: InversionSettings
    objective: SoughtObjective
    viewpoint: Viewpoint
    statistics: WStatistics
    watch: Watch | None
    near_start: bool = False
    """Whether the prior pulls to where each guess came from, in place of the mean."""

    def results(self, kept: int) -> list[Inversion]:
        """Search, descend, tune."""
        usual = usual_stages(mask=self.objective.by_labels, posed=self.viewpoint.poses is not None)
        plan = stages(usual, self.settings, self.model.config, kept=kept)
        steps = sum(stage.steps for stage in plan) + self.settings.tuning_steps
        space = space_of(self.model, self.statistics, plan[0].space)
        stand_in = None
        if self.viewpoint.poses is not None:
            labels = self.objective.by_labels
            stand_in = stand_in_of(self.model, space, self.statistics, self.settings.seed, labels=labels)
        guesses = self._starts(space, plan[0], stand_in)
        curve: list[StageLosses] = []
        done, go_on = 0, True
        for stage in plan:
            if not go_on:
                break
            space, guesses = self._moved(space, unlike(self.viewpoint, space, guesses, stage.guesses), stage)

            def report(
                step: int, best: Guess, image: Tensor, stage: Stage = stage, space: LatentSpace = space, before: int = done
            ) -> bool:
                nonlocal go_on
                go_on = self.watch is None or self.watch(
                    progress_of(stage, space, self.viewpoint, before + step, steps, best, image)
                )
                return go_on

            prior = self.settings.prior / (3 if stage.space == "w+" else 1)
            look = None
            if stand_in is not None and stage.blur_px:
                near = stand_in.about(torch.stack([guess.code for guess in guesses]))
                look = stand_in_look(near, self.viewpoint, self.objective, stage)
            guesses, losses = descend(self.viewpoint, space, self.objective, guesses, stage, prior, report, look)
            curve.append(StageLosses(stage.name, tuple(losses)))
            done += stage.steps
        return [self._finished(space, guess, curve, go_on) for guess in guesses[:kept]]

    def _moved(self, space: LatentSpace, guesses: list[Guess], stage: Stage) -> tuple[LatentSpace, list[Guess]]:
        """A stage's space, and the guesses in it."""
        plain = space_of(self.model, self.statistics, stage.space)
        moved = [dataclasses.replace(guess, code=code_in(plain, space, guess.code)) for guess in guesses]
        home = torch.stack([guess.code for guess in moved]) if self.near_start else None
        return space_of(self.model, self.statistics, stage.space, home), moved

    def _starts(self, space: LatentSpace, first: Stage, stand_in: StandIn | None) -> list[Guess]:
        cameras = self.model.config.cameras
        settings = self.settings.within(cameras)
        mean = first.space != "z"  # no z is the mean
        candidates = random_candidates(self.model, self.statistics, settings.candidates, settings.seed, mean=mean)
        where = view_ranges(cameras, settings.yaw_deg, settings.pitch_deg)
        if stand_in is not None:
            return posed_starts(self.viewpoint, stand_in, self.objective, candidates, *where, first.guesses)
        return best_starts(self.viewpoint, space, self.objective, candidates, *where, first.guesses)

    def _finished(self, space: LatentSpace, guess: Guess, curve: Sequence[StageLosses], finished: bool) -> Inversion:
        with torch.no_grad():
            ws = space.ws(guess.code[None]).contiguous().clone()
        camera = self.viewpoint.camera
        if camera is None:
            yaw_rad, pitch_rad = (float(angle) for angle in guess.angles_rad)
            camera = camera_at(yaw_rad, pitch_rad, self.model.config.cameras)
        yaw_deg, pitch_deg = sphere_angles_deg(camera.cam2world, self.model.config.cameras)
        pose = self.viewpoint.pose
        if self.viewpoint.poses is not None and guess.pose_code is not None:
            pose = self.viewpoint.poses.poses(guess.pose_code[None])
        inversion = Inversion(Subject(self.model, ws, pose), camera, yaw_deg, pitch_deg, tuple(curve), {}, finished)
        return self._tuned(inversion, guess) if self.settings.tuning_steps and finished else inversion

    def _tuned(self, inversion: Inversion, guess: Guess) -> Inversion:
        """The same after pivotal tuning."""
        assert isinstance(self.objective, PictureObjective)
        steps, go_on = self.settings.tuning_steps, True
        done = sum(len(stage.losses) for stage in inversion.losses)

        def report(step: int, loss: float, image: Tensor) -> bool:
            nonlocal go_on
            progress = Progress(
                TUNING,
                done + step,
                done + steps,
                loss,
                inversion.yaw_deg,
                inversion.pitch_deg,
                image,
                inversion.subject.ws,
                inversion.subject.pose,
            )
            go_on = self.watch is None or self.watch(progress)
            return go_on

        tuned, losses = tune(
            self.model, inversion.subject.ws, inversion.camera, self.objective, steps, report, inversion.subject.pose
        )
        subject = Subject(self.model.with_generator_tensors(tuned), inversion.subject.ws, inversion.subject.pose)
        curve = (*inversion.losses, StageLosses(TUNING, tuple(losses)))
        return dataclasses.replace(inversion, subject=subject, losses=curve, tuned=tuned, finished=go_on)
