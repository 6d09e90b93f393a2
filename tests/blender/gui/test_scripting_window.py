"""Scripts in a real Blender with a window: calls that wait, and those that do not.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time

import pytest

from tests.blender.gui.test_window import finish
from tests.blender.gui.window import Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]
CLOUDS = "[item.name for item in bpy.context.scene.objects if item.name.startswith('cloud')]"
CALL = "bpy.ops.dnerf.fuse_cloud(model='demo-cars', seeds='3', views=3, resolution=64, points=300"

LISTEN = """
lines, main_draw = [], bpy.types.DNERF_PT_main.draw
def listened(self, context):
    lines.append(current().status)
    main_draw(self, context)
bpy.types.DNERF_PT_main.draw = listened
"""
"""Which status line each drawing of the panel shows."""


def ask_script(window: Window, line: str) -> None:
    """Run a line as a script does that is started in the window; `raised` is what it raises."""
    window.ask(
        "raised = ''\n"
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):\n"
        f"    try: result = {line}\n"
        "    except RuntimeError as error: raised = str(error)"
    )


def test_a_call_that_waits_is_over_when_it_returns(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask("session = module('session')")
    window.ask(LISTEN)
    ask_script(window, f"({CALL}, wait=True), session.busy(), current().status)")
    outcome, busy, line = window.value("[sorted(result[0]), result[1], result[2]]")
    assert outcome == ["FINISHED"] and not busy and line.startswith("300 points in ") and window.value(CLOUDS) == ["cloud s0003"]
    window.until(f"lines and lines[-1] == {line!r}")
    time.sleep(0.5)  # the timer has looked once more, and has found nothing to do
    assert window.value(CLOUDS) == ["cloud s0003"] and window.value("current().status") == line
    assert not window.value("session._timer.runs")
    assert window.value("current().outcomes.latest(['dnerf.fuse_cloud']).line") == line
    window.screenshot("60-waited")


def test_what_goes_wrong_is_raised_and_no_popup_comes(window: Window) -> None:
    window.ask("alerts = module('feedback.alerts')")
    ask_script(window, f"{CALL.replace('points=300', 'points=9999999')}, wait=True)")
    assert "points: expected at most" in window.value("raised")
    assert not window.value("alerts._waiting") and not window.value("alerts._timer.runs")
    ask_script(window, f"{CALL.replace('views=3', 'views=0')}, wait=True)")
    assert "views: expected a whole number from 1 to" in window.value("raised")
    assert window.value(CLOUDS) == ["cloud s0003"]


def test_a_call_that_does_not_wait_returns_at_once(window: Window) -> None:
    ask_script(window, f"({CALL}), session.busy())")
    assert window.value("[sorted(result[0]), result[1]]") == [["FINISHED"], True]
    assert finish(window).startswith("300 points in ")
    assert window.value(CLOUDS) == ["cloud s0003", "cloud s0003.001"]


def test_a_press_after_a_script_has_the_panels_options(window: Window) -> None:
    """What a script gave does not stay for the next press."""
    window.ask("s = bpy.context.scene.dnerf; s.seed, s.cloud_views, s.cloud_points = 5, 3, 200")
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_cloud") as top:
        window.press("dnerf.fuse_cloud", top=top + 20)
        assert finish(window).startswith("200 points in ")
    assert "cloud s0005" in window.value(CLOUDS)
    window.screenshot("61-pressed")
