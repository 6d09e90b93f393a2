"""Where an inversion starts: random latents seen from all around the range, at a glance, the likeliest first."""

from __future__ import annotations

import math

import numpy as np
import torch

from dnerf_core.inversion.descent import Guess, Viewpoint
from dnerf_core.inversion.latents import Candidate, LatentSpace
from dnerf_core.inversion.objectives import Objective
from dnerf_core.inversion.settings import (
    POSED_SEARCH_SIDE_PX,
    SEARCH_SHARPNESS,
    SEARCH_SIDE_PX,
    SEARCH_YAW_STEP_DEG,
    SEARCHED_POSES,
)
from dnerf_core.work.interruption import checkpoint


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
    if viewpoint.poses is not None:
        return _posed_starts(viewpoint, space, objective, candidates, yaw_deg, pitch_deg, count)
    model = viewpoint.model
    known = viewpoint.known_angles_rad
    directions = _directions(yaw_deg, pitch_deg) if known is None else [known]
    angles = torch.tensor(directions, dtype=torch.float32, device=model.device)
    side_px = min(SEARCH_SIDE_PX, model.config.rays.neural_resolution)
    guesses = []
    for candidate in candidates:
        checkpoint()
        code = space.code(candidate)
        losses = objective.loss(viewpoint.see(space.ws(code[None]), angles, side_px), full=False)
        best = int(losses.argmin())
        guesses.append(Guess(float(losses[best]), code, angles[best]))
    return sorted(guesses, key=lambda guess: guess.loss)[:count]


def _posed_starts(
    viewpoint: Viewpoint,
    space: LatentSpace,
    objective: Objective,
    candidates: list[Candidate],
    yaw_deg: tuple[float, float],
    pitch_deg: tuple[float, float],
    count: int,
) -> list[Guess]:
    """The same where the pose is not known, either: poses and directions first, by a few latents, then latents by what was found.

    Guesses look from different directions where they can: a person from behind is much like one from the front.
    """
    model, poses = viewpoint.model, viewpoint.poses
    assert poses is not None
    known = viewpoint.known_angles_rad
    directions = _directions(yaw_deg, pitch_deg) if known is None else [known]
    angles = torch.tensor(directions, dtype=torch.float32, device=model.device)
    side_px = min(POSED_SEARCH_SIDE_PX, model.config.rays.neural_resolution)
    codes = torch.cat([torch.zeros_like(poses.draws[:1]), poses.draws[: SEARCHED_POSES - 1]])
    seen_by: list[tuple[float, int, int]] = []
    ws = space.ws(space.code(candidates[0])[None])
    planes = model.generator.planes(ws)
    for number, code in enumerate(codes):
        checkpoint()
        view = viewpoint.see(ws, angles, side_px, code[None], planes=planes, sharpness=SEARCH_SHARPNESS)
        losses = objective.loss(view, full=False).tolist()
        seen_by += [(loss, number, direction) for direction, loss in enumerate(losses)]
    seen_by.sort()
    kept: list[tuple[int, int]] = []
    for _, number, direction in seen_by:
        if all(number != other for other, _ in kept) and sum(direction == other for _, other in kept) < max(1, count // 2):
            kept.append((number, direction))
        if len(kept) == count:
            break
    guesses = []
    pose_codes = torch.stack([codes[number] for number, _ in kept])
    where = torch.stack([angles[direction] for _, direction in kept])
    best: list[Guess | None] = [None] * len(kept)
    for candidate in candidates:
        checkpoint()
        code = space.code(candidate)
        own = space.ws(code[None]).expand(len(kept), -1, -1)
        losses = objective.loss(viewpoint.see(own, where, side_px, pose_codes, sharpness=SEARCH_SHARPNESS), full=False).tolist()
        for index, loss in enumerate(losses):
            found = best[index]
            if found is None or loss < found.loss:
                best[index] = Guess(loss, code, where[index], pose_codes[index])
    guesses = [guess for guess in best if guess is not None]
    return sorted(guesses, key=lambda guess: guess.loss)


def _directions(yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]) -> list[tuple[float, float]]:
    """(yaw, pitch) in radians."""
    yaws, pitches = (
        np.linspace(*span, 1 + math.ceil(abs(span[1] - span[0]) / SEARCH_YAW_STEP_DEG)) for span in (yaw_deg, pitch_deg)
    )
    return [(math.radians(yaw), math.radians(pitch)) for pitch in pitches for yaw in yaws]
