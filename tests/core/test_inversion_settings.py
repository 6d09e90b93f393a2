"""The plan of an inversion, and the settings that are refused."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from dnerf_core.errors import UsageError
from dnerf_core.generator.config import PRESETS
from dnerf_core.inversion.settings import MASK_STAGES, PICTURE_STAGES, InversionSettings, stages
from tests.core.inversion_cases import tiny_config

BIG = dataclasses.replace(tiny_config(), rays=dataclasses.replace(tiny_config().rays, neural_resolution=128))


@pytest.mark.parametrize("steps", [*range(4, 40), 219, 220, 221, 1000])
def test_steps_are_those_asked_for(steps: int) -> None:
    for usual in (PICTURE_STAGES, MASK_STAGES):
        plan = stages(usual, InversionSettings(steps=steps), BIG)
        assert sum(stage.steps for stage in plan) == steps
        assert min(stage.steps for stage in plan) >= 1


def test_the_usual_plan_goes_from_coarse_to_full() -> None:
    plan = stages(PICTURE_STAGES, InversionSettings(), BIG)
    assert [stage.name for stage in plan] == ["32 px z", "64 px z", "64 px w+", "full size w+"]
    assert [stage.side_px for stage in plan] == [32, 64, 64, 128]
    assert [stage.full for stage in plan] == [False, False, False, True]
    assert [stage.steps for stage in plan] == [80, 50, 50, 40]
    assert [stage.guesses for stage in plan] == [4, 2, 1, 1]
    assert [stage.steps for stage in stages(MASK_STAGES, InversionSettings(), BIG)] == [60, 40, 30, 20]


def test_few_starts_and_many_variants() -> None:
    def guesses(kept: int = 1, **settings: Any) -> list[int]:
        return [stage.guesses for stage in stages(PICTURE_STAGES, InversionSettings(**settings), BIG, kept=kept)]

    assert guesses(starts=1) == [1, 1, 1, 1]
    assert guesses(starts=8) == [8, 2, 1, 1]
    assert guesses(starts=4, kept=3) == [4, 3, 3, 3]


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_narrow_space_is_kept_to_the_end(space: Any) -> None:
    assert {stage.space for stage in stages(PICTURE_STAGES, InversionSettings(space=space), BIG)} == {space}


def test_a_generator_of_64_px_rays_is_never_asked_for_more() -> None:
    plan = stages(PICTURE_STAGES, InversionSettings(), PRESETS["shapenetcars128-64"])
    assert [stage.side_px for stage in plan] == [32, 64, 64, 64]
    assert [stage.side_px for stage in stages(PICTURE_STAGES, InversionSettings(), tiny_config(neural_resolution=24))] == [24] * 4


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"candidates": 0}, "candidates: expected at least 1, found 0; choose another"),
    ({"starts": 0}, "starts: expected at least 1, found 0; choose another"),
    ({"tuning_steps": -1}, "tuning_steps: expected at least 0, found -1; choose another"),
    ({"seed": -1}, "seed: expected at least 0, found -1; choose another"),
    ({"seed": 2**32}, "seed: expected at most 4294967295, found 4294967296; choose another"),
    ({"space": "w++"}, "space: expected one of z, w, w+, found 'w++'; choose one of these"),
    ({"candidates": 3, "starts": 4}, "starts: expected at most the 3 candidates, found 4; ask for more candidates"),
    ({"steps": 3}, "steps: expected at least 4, one a stage, found 3; choose more"),
    ({"steps": 0}, "steps: expected at least 4, one a stage, found 0; choose more"),
    ({"prior": -1e-4}, "prior: expected a weight of at least 0, found -0.0001; choose another"),
    ({"perceptual_weight": math.nan}, "perceptual_weight: expected a weight of at least 0, found nan; choose another"),
    ({"yaw_deg": (0.0, math.inf)}, "yaw_deg: expected two angles from -360 to 360, found (0.0, inf); choose another range"),
    (
        {"yaw_deg": (-1e6, 1e6)},
        "yaw_deg: expected two angles from -360 to 360, found (-1000000.0, 1000000.0); choose another range",
    ),
    ({"pitch_deg": (0.0, 91.0)}, "pitch_deg: expected two angles from -90 to 90, found (0.0, 91.0); choose another range"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_say_nothing_useful_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        InversionSettings(**settings).check()


@pytest.mark.parametrize(
    "settings", [{}, {"steps": 4}, {"candidates": 1, "starts": 1}, {"pitch_deg": (-90.0, 90.0)}, {"seed": 2**32 - 1}]
)
def test_settings_at_the_edge_are_taken(settings: dict[str, Any]) -> None:
    InversionSettings(**settings).check()
