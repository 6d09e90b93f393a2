"""From where a generator is seen when nobody says: its own directions where it tells them, the usual ones where it does not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras, orbit_cameras
from dnerf_core.generator.config import CameraConfig
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.own_views import ALL_AROUND_YAW_DEG, SEARCH_YAW_DEG, view_ranges, yaw_text

SILENT = CameraConfig(pitch_deg=15.0)
TOLD = dataclasses.replace(SILENT, yaw_range_deg=(-100.0, 20.0), pitch_range_deg=(-5.0, 40.0))


def test_a_generator_that_tells_none_is_seen_as_before_there_was_anything_to_tell() -> None:
    for drawn in (False, True):
        assert view_ranges(SILENT, drawn=drawn) == ((-30.0, 30.0), (15.0, 15.0))
        assert view_ranges(SILENT, (1.0, 2.0), (3.0, 4.0), drawn=drawn) == ((1.0, 2.0), (3.0, 4.0))
    assert view_ranges(SILENT, default_yaw_deg=ALL_AROUND_YAW_DEG) == ((-180.0, 180.0), (15.0, 15.0))
    assert yaw_text() == "the model's own, -30:30 where it tells none"


def test_one_that_tells_is_seen_from_there_and_drawn_views_take_all_its_pitches() -> None:
    assert view_ranges(TOLD) == ((-100.0, 20.0), (15.0, 15.0))
    assert view_ranges(TOLD, drawn=True) == ((-100.0, 20.0), (-5.0, 40.0))
    assert view_ranges(TOLD, default_yaw_deg=ALL_AROUND_YAW_DEG)[0] == (-100.0, 20.0)
    assert view_ranges(TOLD, (0.0, 0.0), drawn=True) == ((0.0, 0.0), (-5.0, 40.0))
    assert view_ranges(TOLD, pitch_deg=(7.0, 7.0), drawn=True) == ((-100.0, 20.0), (7.0, 7.0))
    yaw_alone = dataclasses.replace(TOLD, pitch_range_deg=None)
    assert view_ranges(yaw_alone, drawn=True) == ((-100.0, 20.0), (15.0, 15.0))
    pitch_alone = dataclasses.replace(TOLD, yaw_range_deg=None)
    assert view_ranges(pitch_alone, drawn=True) == ((-30.0, 30.0), (-5.0, 40.0))


def test_arcs_are_the_configs_own_and_an_orbit_still_goes_round() -> None:
    for mode, pitches in (("even", (15.0, 15.0)), ("random", (-5.0, 40.0)), ("gaussian", (-5.0, 40.0))):
        found, expected = (
            arc_cameras(TOLD, *ranges, count=5, mode=mode, rng=np.random.default_rng(1))  # type: ignore[arg-type]
            for ranges in ((), ((-100.0, 20.0), pitches))
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.cam2world, other.cam2world)
    for one, other in zip(orbit_cameras(TOLD, count=4), orbit_cameras(SILENT, count=4), strict=True):
        np.testing.assert_array_equal(one.cam2world, other.cam2world)


def test_an_inversion_looks_where_the_generator_was_trained() -> None:
    """Its record keeps a pitch of None where none is told, as files made before have it; the pole is out of reach of a search."""
    usual = InversionSettings()
    assert usual.within(SILENT) == dataclasses.replace(usual, yaw_deg=SEARCH_YAW_DEG, pitch_deg=None)
    assert usual.within(TOLD) == dataclasses.replace(usual, yaw_deg=(-100.0, 20.0), pitch_deg=(-5.0, 40.0))
    half = dataclasses.replace(TOLD, pitch_range_deg=(0.0, 90.0))
    assert usual.within(half).pitch_deg == (0.0, 85.0)
    chosen = InversionSettings(yaw_deg=(0.0, 10.0), pitch_deg=(1.0, 2.0))
    assert chosen.within(TOLD) == chosen
    assert InversionSettings(pitch_deg=(1.0, 2.0)).within(TOLD).yaw_deg == (-100.0, 20.0)


@pytest.mark.parametrize("module", ["torch", "numpy", "click"])
def test_it_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, dnerf_core.own_views\nassert {module!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
