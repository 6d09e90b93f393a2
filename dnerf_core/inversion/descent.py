"""One stage of an inversion: codes and cameras of several guesses descend together (Adam, Kingma and Ba 2015)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.inversion.latents import LatentSpace
from dnerf_core.inversion.objectives import Objective
from dnerf_core.inversion.pose import sphere_angles_deg, sphere_cam2world
from dnerf_core.inversion.pose_prior import PosePrior
from dnerf_core.inversion.settings import Stage
from dnerf_core.inversion.view import SeenView, degrees_of, intrinsics_of, see
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.work.compaction import Room
from dnerf_core.work.interruption import checkpoint

T = TypeVar("T")

BETAS = (0.9, 0.95)
WARM_UP_STEPS = 5
POSE_WEIGHT = 0.5
"""Of how unlikely an unknown pose is, in shares of the loss: what stays unlike is noise, and the more of it, the less a picture tells."""
LAST_RATE = 0.03
"""The learning rates fall along a cosine to this share."""


@dataclass(frozen=True, eq=False)
class Guess:
    """A latent and a camera, and how far off they were when last seen.

    Attributes:
        loss: of the objective, without the prior.
        code: of the stage's space.
        angles_rad: yaw and pitch [2].
        pose_code: [D], of an unknown pose, see `PosePrior`; None: the viewpoint's pose is known, or there is none.
    """

    loss: float
    code: Tensor
    angles_rad: Tensor
    pose_code: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Progress:
    """Reported after each step.

    Attributes:
        stage: its name.
        step, steps: done so far, and of all stages.
        loss: of the best guess.
        yaw_deg, pitch_deg: of the best guess's camera.
        image: [3, R, R], about [-1, 1], what was seen in this step of the guess that did best in it.
        ws: [1, num_ws, w_dim], latents of the best guess so far.
        pose: [1, *pose_shape], its pose; None: the family's usual one, or it has none.
    """

    stage: str
    step: int
    steps: int
    loss: float
    yaw_deg: float
    pitch_deg: float
    image: Tensor
    ws: Tensor
    pose: Tensor | None = None


Watch = Callable[[Progress], bool]
"""Called after every step; False ends the inversion with the best so far."""


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Where pictures are taken from: on the model's sphere by two angles, or one fixed camera, which the angles do not move."""

    model: LoadedModel
    camera: Camera | None = None
    pose: Tensor | None = None
    """[1, *pose_shape], of every subject; None: the family's usual one, or it has none."""
    shape: Tensor | None = None
    """[1, shape_size], of every subject; None: that of its latents, or it has none."""
    poses: PosePrior | None = None
    """Among which every subject's pose is looked for; None: it is `pose`."""

    @property
    def known_angles_rad(self) -> tuple[float, float] | None:
        """Yaw and pitch of the fixed camera, to be reported; None without one."""
        if self.camera is None:
            return None
        yaw_deg, pitch_deg = sphere_angles_deg(self.camera.cam2world, self.model.config.cameras)
        return math.radians(yaw_deg), math.radians(pitch_deg)

    def tensors(self, angles_rad: Tensor) -> tuple[Tensor, Tensor]:
        """cam2world [B, 4, 4] and intrinsics [1, 3, 3] of angles [B, 2]."""
        if self.camera is None:
            return sphere_cam2world(angles_rad, self.model.config.cameras), intrinsics_of(self.model)
        cam2world, intrinsics = camera_tensors(self.camera, angles_rad.device)
        return cam2world.expand(len(angles_rad), -1, -1), intrinsics

    def pose_of(self, pose_codes: Tensor | None) -> Tensor | None:
        """The poses [B, *pose_shape] of codes [B, D], or the known one; None: the family's usual one, or it has none."""
        if pose_codes is None:
            return self.pose
        assert self.poses is not None
        return self.poses.poses(pose_codes)

    def see(
        self,
        ws: Tensor,
        angles_rad: Tensor,
        side_px: int,
        pose_codes: Tensor | None = None,
        *,
        until: int | None = None,
        room: Room | None = None,
    ) -> SeenView:
        """See latents ws [B or 1, num_ws, w_dim] from the cameras of angles [B, 2].

        Args:
            pose_codes: [B or 1, D], of unknown poses.
            until, room: see `view.see`.
        """
        pose = self.pose_of(pose_codes)
        pose = None if pose is None else pose.expand(len(ws), *pose.shape[1:])
        where = self.tensors(angles_rad)
        return see(self.model, ws, *where, side_px, pose, self.shape, until=until, room=room)


Look = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor, list[float]]]
"""Codes [B, ..], angles [B, 2] and pose codes [B, D] -> losses [B], to be followed, images [B, 3, R, R], about [-1, 1], and the losses as
numbers, which is the only time that the host waits for a device in a step."""


def room_on(device: torch.device) -> Room | None:
    """A room for the samples of a search's views on a device that should not be waited for; None elsewhere: as many as are seen."""
    return Room() if device.type == "cuda" else None


def numbers_in_room(room: Room | None, make: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T, list[float]]:
    """Losses [B], what else a look gives, and the losses as numbers; made once more where there was not room for all samples."""
    loss, other = make()
    if room is None:
        return loss, other, loss.tolist()
    while True:
        *values, found = torch.cat([loss.detach().double(), room.found.double()[None]]).tolist()
        if not room.was_short(int(found)):
            return loss, other, values
        loss, other = make()


def field_look(viewpoint: Viewpoint, space: LatentSpace, objective: Objective, stage: Stage) -> Look:
    """A stage's look at the subjects' own fields."""

    enough = (scale for scale in viewpoint.model.config.source.scales if stage.planes_px and scale >= stage.planes_px)
    until = min(enough, default=None)
    room = room_on(viewpoint.model.device)

    def look(codes: Tensor, angles: Tensor, pose_codes: Tensor | None) -> tuple[Tensor, Tensor, list[float]]:
        def make() -> tuple[Tensor, Tensor]:
            seen = viewpoint.see(space.ws(codes), angles, stage.side_px, pose_codes, until=until, room=room)
            return objective.loss(seen, full=stage.full), seen.raw_image

        return numbers_in_room(room, make)

    return look


def descend(
    viewpoint: Viewpoint,
    space: LatentSpace,
    objective: Objective,
    guesses: list[Guess],
    stage: Stage,
    prior: float,
    report: Callable[[int, Guess, Tensor], bool],
    look: Look | None = None,
) -> tuple[list[Guess], list[float]]:
    """Improve guesses; each keeps the best that it has passed.

    Args:
        prior: weight of `LatentSpace.prior`.
        report: called with (steps done, best guess so far, this step's best image [3, R, R]); False ends the stage.
        look: at what the subjects look like and how far that is off; None: at their fields.

    Returns:
        The guesses, best first, and the lowest loss of every step.
    """
    look = look or field_look(viewpoint, space, objective, stage)
    codes = torch.stack([guess.code for guess in guesses]).requires_grad_()
    angles = torch.stack([guess.angles_rad for guess in guesses]).requires_grad_()
    groups, rates = [{"params": [codes]}, {"params": [angles]}], [stage.latent_rate, stage.camera_rate]
    pose_codes = None
    if viewpoint.poses is not None:
        pose_codes = torch.stack([_pose_code(guess) for guess in guesses]).requires_grad_()
        groups.append({"params": [pose_codes]})
        rates.append(stage.pose_rate)
    optimizer = torch.optim.Adam(groups, lr=stage.latent_rate, betas=BETAS)
    best = [dataclasses.replace(guess, loss=math.inf) for guess in guesses]
    losses: list[float] = []
    for step in range(stage.steps):
        checkpoint()
        share = min(1.0, (step + 1) / WARM_UP_STEPS) * _cosine(step / stage.steps)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share
        loss, images, values = look(codes, angles, pose_codes)
        for index, value in enumerate(values):
            if value < best[index].loss:
                pose_code = None if pose_codes is None else pose_codes[index].detach().clone()
                best[index] = Guess(value, codes[index].detach().clone(), angles[index].detach().clone(), pose_code)
        lowest = min(range(len(values)), key=values.__getitem__)
        losses.append(values[lowest])
        go_on = report(step + 1, min(best, key=lambda guess: guess.loss), images[lowest].detach())
        if not go_on:
            break
        optimizer.zero_grad(set_to_none=True)
        total = loss + prior * space.prior(codes)
        if viewpoint.poses is not None and pose_codes is not None:
            total = total + POSE_WEIGHT * loss.detach() * viewpoint.poses.penalty(pose_codes)
        total.sum().backward()
        if viewpoint.camera is not None:
            angles.grad = None
        optimizer.step()
    return sorted(best, key=lambda guess: guess.loss), losses


def _pose_code(guess: Guess) -> Tensor:
    assert guess.pose_code is not None
    return guess.pose_code


def _cosine(share_done: float) -> float:
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share_done))


@torch.no_grad()
def progress_of(
    stage: Stage, space: LatentSpace, viewpoint: Viewpoint, step: int, steps: int, guess: Guess, image: Tensor
) -> Progress:
    """What is reported of a step."""
    yaw_deg, pitch_deg = degrees_of(guess.angles_rad)
    pose = viewpoint.pose_of(None if guess.pose_code is None else guess.pose_code[None])
    return Progress(stage.name, step, steps, guess.loss, yaw_deg, pitch_deg, image, space.ws(guess.code[None]), pose)
