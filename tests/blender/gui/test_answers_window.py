"""How soon Blender's window answers while a job runs, and how often the live preview comes: printed, with what else the machine does.

The tests of this file go on from one another: run the whole file, with `-s` to see the figures. `DNERF_BUSY=1` has a busy process beside.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from headless.bench.busy import busy_processes
from tests.blender.gui.test_window import LEAST_UPDATES, MANY_VIEWS, finish, preview_of_new_subjects, previews_while_orbiting
from tests.blender.gui.window import HEIGHT_PX, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

BUSY = int(os.environ.get("DNERF_BUSY", "0"))
LATEST_S = 1.0
"""Of the median: what a window that hangs does not keep. On a quiet machine it is a tenth of that, see docs/performance.md."""
LISTEN = """
import time
heard = []
class DNERFTEST_OT_listen(bpy.types.Operator):
    bl_idname, bl_label = "dnerftest.listen", "Listen"
    def invoke(self, context, event):
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}
    def modal(self, context, event):
        if event.type == "MOUSEMOVE":
            heard.append((event.mouse_x, event.mouse_y, time.monotonic()))
        return {"PASS_THROUGH"}
bpy.utils.register_class(DNERFTEST_OT_listen)
scenes_drawn = []
bpy.types.SpaceView3D.draw_handler_add(lambda: scenes_drawn.append(1), (), "WINDOW", "POST_PIXEL")
with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
    bpy.ops.dnerftest.listen("INVOKE_DEFAULT")
"""


def others() -> str:
    """What else the machine does, for the line with a figure."""
    return f"{BUSY} busy processes beside, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def answer_times_s(window: Window, moves: int) -> np.ndarray:
    """From each move of the mouse over the panel's buttons until Blender has dealt with it."""
    left, top, right, _ = window.box()
    window.hover(left + 20, top + 20)
    window.ask("heard.clear()")
    places = [(left + 20 + (7 * step) % (right - left - 60), top + 60 + 4 * step) for step in range(moves)]
    words: list[str] = []
    for x, y in places:
        words += ["mousemove", str(x), str(y), "sleep", "0.037"]
    sent = window._xdotool(*words)[::2]
    window.settle()
    heard = {(x, HEIGHT_PX - 1 - y): at for x, y, at in window.value("heard")}
    took = [
        heard[place] - at for place, at in zip(places, sent, strict=True) if place in heard
    ]  # of two in one round, one is heard
    assert len(took) > moves // 4, heard
    return np.array(took)


def test_a_move_of_the_mouse_is_answered_while_a_job_runs(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.press("dnerf.load_model")
    finish(window)
    window.ask(LISTEN)
    with busy_processes(BUSY):
        say("nothing runs", answer_times_s(window, 120))
        window.ask(f"s = bpy.context.scene.dnerf; s.camera_count, s.size_px, s.views_folder = {MANY_VIEWS}, 256, '/job/many'")
        window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.render_views()")
        window.until("current().job is not None and current().job.done > 2")
        window.ask("drawn.clear(); scenes_drawn.clear()")
        took = answer_times_s(window, 240)
        assert window.value("current().job is not None")
        panels, scenes = window.value("[drawn['DNERF_PT_main'], len(scenes_drawn)]")
        say("Render Views runs", took)
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.cancel()")
    window.until("current().job is None")
    assert panels > 10 and scenes < panels / 4, "progress is shown without drawing the scene, which takes several times as long"
    assert np.median(took) < LATEST_S


def say(what: str, took_s: np.ndarray) -> None:
    median, most, worst = (1000 * value for value in (np.median(took_s), np.quantile(took_s, 0.95), took_s.max()))
    print(
        f"mouse answered while {what}: median {median:.0f} ms, 95% within {most:.0f}, slowest {worst:.0f} of {len(took_s)}; {others()}"
    )


def test_the_preview_follows(window: Window) -> None:
    window.press_property("live_preview")
    window.until("module('preview')._state.texture is not None", 60)
    with busy_processes(BUSY):
        updates = previews_while_orbiting(window)
        subjects = preview_of_new_subjects(window)
        print(f"with {others()}")
    window.press_property("live_preview")
    assert min(updates, subjects) >= LEAST_UPDATES
