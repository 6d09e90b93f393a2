"""Where an inversion starts: random latents seen from all around the range, at a glance, the likeliest first."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dnerf_core.inversion.descent import Guess, Viewpoint
from dnerf_core.inversion.latents import Candidate, LatentSpace
from dnerf_core.inversion.objectives import Objective, SoughtObjective
from dnerf_core.inversion.settings import (
    POSED_SEARCH_BLUR_PX,
    POSED_SEARCH_SIDE_PX,
    SEARCH_SIDE_PX,
    SEARCH_YAW_STEP_DEG,
    SEARCHED_POSES,
)
from dnerf_core.inversion.stand_in import StandIn
from dnerf_core.work.interruption import checkpoint

_POSED_VERTICES = 700_000
"""All that are posed before the first guesses are chosen: a body of many vertices is tried in fewer poses."""
_OF_ONE_POSE = 2
_DIRECTIONS_AT_LEAST = 8
_UNLIKE = 0.15
"""Guesses whose vertices lie this far apart in the camera's axes, shares of the body's mean radius, are different answers."""


@torch.no_grad()
def best_starts(
    viewpoint: Viewpoint,
    space: LatentSpace,
    objective: Objective,
    candidates: list[Candidate],
    yaw_deg: tuple[float, float],
    pitch_deg: tuple[float, float],
    count: int,
) -> list[Guess]:
    """The `count` best candidates, each from the direction that suits it best.

    Args:
        yaw_deg, pitch_deg: ranges that are looked over, `SEARCH_YAW_STEP_DEG` apart; both ends are looked at.
    """
    angles = _looked_from(viewpoint, yaw_deg, pitch_deg)
    side_px = min(SEARCH_SIDE_PX, viewpoint.model.config.rays.neural_resolution)
    guesses = []
    for candidate in candidates:
        checkpoint()
        code = space.code(candidate)
        losses = objective.loss(viewpoint.see(space.ws(code[None]), angles, side_px), full=False)
        best = int(losses.argmin())
        guesses.append(Guess(float(losses[best]), code, angles[best]))
    return sorted(guesses, key=lambda guess: guess.loss)[:count]


@torch.no_grad()
def posed_starts(
    viewpoint: Viewpoint,
    stand_in: StandIn,
    objective: SoughtObjective,
    candidates: list[Candidate],
    yaw_deg: tuple[float, float],
    pitch_deg: tuple[float, float],
    count: int,
) -> list[Guess]:
    """`count` starts where the pose is not known, either: poses and directions by the mean looks, then the candidate that suits each.

    Each pose is compared where it fits best: likely poses differ in how limbs stand, not in where on the floor.

    Args:
        yaw_deg, pitch_deg: as of `best_starts`.
    """
    poses = viewpoint.poses
    assert poses is not None
    angles = _looked_from(viewpoint, yaw_deg, pitch_deg)
    blur_px = POSED_SEARCH_BLUR_PX
    side_px = min(POSED_SEARCH_SIDE_PX, viewpoint.model.config.rays.neural_resolution)

    pose_codes = torch.cat([torch.zeros_like(poses.draws[:1]), poses.draws[: max(1, _POSED_VERTICES // stand_in.num_vertices)]])
    pose_codes = pose_codes[:SEARCHED_POSES]
    aim, where = objective.sought(side_px, blur_px), viewpoint.tensors(angles)
    losses, shifts = [], []
    for pose_code in pose_codes:
        checkpoint()
        body = stand_in.bodies(stand_in.home, viewpoint.pose_of(pose_code[None])).times(len(angles))
        seen = objective.compared(stand_in.see(body, where, side_px, blur_px), body.behind)
        loss, shift_px = best_shifts(*seen, *aim)
        losses.append(loss)
        shifts.append(_in_world(shift_px / side_px, body.points, *where))
    guesses = []
    codes = torch.stack([stand_in.space.code(candidate) for candidate in candidates])
    for number, direction in _spread(torch.stack(losses), count):
        pose_code, angle = poses.moved(pose_codes[number], shifts[number][direction]), angles[direction]
        bodies = stand_in.bodies(codes, viewpoint.pose_of(pose_code[None].expand(len(codes), -1)))
        there = viewpoint.tensors(angle.expand(len(codes), -1))
        fits = objective.stand_in_loss(stand_in.see(bodies, there, side_px, blur_px), blur_px)
        best = int(fits.argmin())
        guesses.append(Guess(float(fits[best]), codes[best], angle, pose_code))
    return sorted(guesses, key=lambda guess: guess.loss)


def best_shifts(pictures: Tensor, behind: Tensor, aim: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """By which shift, up to half a side, each of pictures [B, C, R, R] comes nearest to another one [1, C, R, R], by correlation (FFT).

    Args:
        behind: [B or 1, C], what there is beyond borders; what a shift leaves there counts as wrong, or it would pay to hide a limb.
        counts: [1, 1, R, R], how much a pixel of the other one counts.

    Returns:
        The mean squared difference that whole pixels leave [B], and the shifts [B, 2], pixels to the right and down, to a part of a pixel.
    """
    side_px = pictures.shape[-1]
    reach, wide_px = side_px // 2, side_px + side_px // 2

    def correlated(fixed: Tensor, moved: Tensor) -> Tensor:
        product = torch.fft.rfft2(fixed, s=(wide_px, wide_px)) * torch.fft.rfft2(moved, s=(wide_px, wide_px)).conj()
        return torch.fft.irfft2(product, s=(wide_px, wide_px)).sum(dim=1).roll((reach, reach), (1, 2))

    nothing = behind[:, :, None, None]
    shown, wanted = pictures - nothing, aim - nothing
    energy, beyond = shown.square().sum(dim=1, keepdim=True), counts.mean()
    apart = correlated(counts - beyond, energy) - 2 * correlated(counts * wanted, shown)
    near = apart[:, : 2 * reach + 1, : 2 * reach + 1]
    least, place = near.flatten(1).min(dim=1)
    row, column = place.div(near.shape[2], rounding_mode="floor"), place % near.shape[2]
    every = torch.arange(len(near), device=near.device)
    shift = torch.stack([column + _finer(near[every, row], column), row + _finer(near[every, :, column], row)], dim=1) - reach
    left = least + beyond * energy.sum(dim=(1, 2, 3)) + (counts * wanted.square()).sum(dim=(1, 2, 3))
    return left / (counts.sum() * aim.shape[1]), shift


def _finer(lines: Tensor, least: Tensor) -> Tensor:
    """How far from the least [B] of lines [B, N] a parabola through it and its neighbours has its own, in [-0.5, 0.5]; 0 at an end."""
    inside = least.clamp(1, lines.shape[1] - 2)
    before, here, after = (lines.gather(1, (inside + step)[:, None])[:, 0] for step in (-1, 0, 1))
    bend = before + after - 2 * here
    return torch.where((inside == least) & (bend > 0), (before - after) / (2 * bend), 0.0).clamp(-0.5, 0.5)


def _in_world(shift: Tensor, points: Tensor, cam2world: Tensor, intrinsics: Tensor) -> Tensor:
    """World vectors [B, 3] that move bodies of points [B, V, 3] across pictures by shifts [B, 2], shares of their side."""
    sight = (points - cam2world[:, None, :3, 3]).mean(dim=1)
    depth = (sight * cam2world[:, :3, 2]).sum(dim=1, keepdim=True)
    lens = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], dim=1)
    return (cam2world[:, :3, :2] @ (shift * depth / lens)[:, :, None])[..., 0]


def _spread(losses: Tensor, count: int) -> list[tuple[int, int]]:
    """The best `count` pairs (pose, direction) by losses [P, D], not all of one: a body from behind is much as one from the front."""
    kept: list[tuple[int, int]] = []
    poses, directions = losses.shape
    of_pose, of_direction = [0] * poses, [0] * directions
    for place in losses.flatten().argsort().tolist():
        pose, direction = divmod(place, directions)
        if of_pose[pose] < _OF_ONE_POSE and of_direction[direction] < max(1, count // min(directions, _DIRECTIONS_AT_LEAST)):
            kept.append((pose, direction))
            of_pose[pose] += 1
            of_direction[direction] += 1
            if len(kept) == count:
                break
    return kept


@torch.no_grad()
def unlike(viewpoint: Viewpoint, space: LatentSpace, guesses: list[Guess], count: int) -> list[Guess]:
    """`count` of guesses that are sorted by loss: the best one, then each that its camera sees otherwise than those before; then the rest.

    A wrong guess is found out when it is seen sharply, if there is a right one beside it.
    """
    if viewpoint.poses is None or len(guesses) <= count:
        return guesses[:count]
    ws = space.ws(torch.stack([guess.code for guess in guesses]))
    pose_codes = torch.stack([guess.pose_code for guess in guesses if guess.pose_code is not None])
    pose = viewpoint.pose_of(pose_codes)
    assert pose is not None
    vertices = viewpoint.model.generator.vertices_in(ws, pose)
    assert vertices is not None
    cam2world, _ = viewpoint.tensors(torch.stack([guess.angles_rad for guess in guesses]))
    seen = (vertices - vertices.mean(dim=1, keepdim=True)) @ cam2world[:, :3, :3]
    size = float(seen.norm(dim=2).mean())
    chosen: list[int] = [0]
    left: list[int] = []
    for index in range(1, len(guesses)):
        nearest = min(float((seen[index] - seen[other]).norm(dim=1).mean()) for other in chosen)
        (chosen if len(chosen) < count and nearest > _UNLIKE * size else left).append(index)
    return [guesses[index] for index in sorted([*chosen, *left[: count - len(chosen)]])]


def _looked_from(viewpoint: Viewpoint, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]) -> Tensor:
    """Angles [B, 2] over the ranges, or those of the known camera alone."""
    known = viewpoint.known_angles_rad
    directions = _directions(yaw_deg, pitch_deg) if known is None else [known]
    return torch.tensor(directions, dtype=torch.float32, device=viewpoint.model.device)


def _directions(yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]) -> list[tuple[float, float]]:
    """(yaw, pitch) in radians."""
    yaws, pitches = (
        np.linspace(*span, 1 + math.ceil(abs(span[1] - span[0]) / SEARCH_YAW_STEP_DEG)) for span in (yaw_deg, pitch_deg)
    )
    return [(math.radians(yaw), math.radians(pitch)) for pitch in pitches for yaw in yaws]
