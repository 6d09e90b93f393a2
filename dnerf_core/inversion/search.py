"""Where an inversion starts: random latents seen from all around the range, at a glance, the likeliest first."""

from __future__ import annotations

import math

import numpy as np
import torch

from dnerf_core.inversion.descent import Guess, Viewpoint
from dnerf_core.inversion.latents import Candidate, LatentSpace
from dnerf_core.inversion.objectives import Objective
from dnerf_core.inversion.settings import SEARCH_SIDE_PX, SEARCH_YAW_STEP_DEG
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


def _directions(yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]) -> list[tuple[float, float]]:
    """(yaw, pitch) in radians."""
    yaws, pitches = (
        np.linspace(*span, 1 + math.ceil(abs(span[1] - span[0]) / SEARCH_YAW_STEP_DEG)) for span in (yaw_deg, pitch_deg)
    )
    return [(math.radians(yaw), math.radians(pitch)) for pitch in pitches for yaw in yaws]
