"""A subject edited by the mouse in a real Blender: a mask is painted, the edit applied, and Ctrl+Z takes it back.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.blender.gui.test_window import close_second_window, finish
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

PIXELS = """
import hashlib
def digest(name):
    image = bpy.data.images.get(name)
    return None if image is None else hashlib.sha256(module("scene.views").image_to_array(image).tobytes()).hexdigest()
def cloud():
    item = next(o for o in bpy.context.scene.objects if o.name.startswith("cloud"))
    return [item.name, hashlib.sha256(repr([tuple(v.co) for v in item.data.vertices]).encode()).hexdigest()]
def operator(call):
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        eval("bpy.ops.dnerf." + call)
def panel():
    return bpy.context.scene.dnerf  # asked for anew each time: undo makes it another one
"""


def digest(window: Window, name: str) -> str | None:
    found = window.value(f"digest({name!r})")
    return None if found is None else str(found)


def do(window: Window, call: str, timeout_s: float = 200.0) -> str:
    window.ask(f"operator({call!r})")
    return finish(window, timeout_s)


def test_painting_applying_and_undoing(window: Window, root: Root) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask(PIXELS)
    window.ask("s = panel(); s.seed, s.camera_count, s.views_folder, s.subjects_folder = 3, 1, '/job/views', '/job/subjects'")
    window.ask("panel().pack_views = True")
    window.ask("s = panel(); s.yaw_first_deg = s.yaw_last_deg = 60; s.edit_steps, s.cloud_views, s.cloud_points = 6, 3, 3000")
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    assert "DNERF_PT_edit" in window.headers
    for call in ("place_cameras()", "render_views()", "fuse_cloud()"):
        do(window, call)
    views, cloud = digest(window, "s0003_v00"), window.value("cloud()")
    with window.panel("DNERF_PT_edit") as top:
        window.press("dnerf.edit_mask", top=top)
        assert "paint on its mask" in finish(window)
        painted = paint_and_apply(window)
        close_second_window(window)
    assert window.value("panel().subject_file") == "/job/subjects/s0003-edit-001.safetensors"
    assert digest(window, "s0003-edit-001_v00") not in (None, views)
    assert digest(window, "s0003_v00") is None
    edited = window.value("[panel().edit_scores, digest('s0003-edit-001_v00'), cloud()]")
    assert edited[2] != cloud
    json.loads(edited[0])
    undo_and_redo(window, views, cloud, painted, edited)
    step_back_and_forward(window, views, cloud, edited)
    assert [path.name for path in (root.job / "subjects").iterdir()] == ["s0003-edit-001.safetensors"]


def paint_and_apply(window: Window) -> str | None:
    """In the Image Editor that Edit Mask has opened; returns what the painted mask is."""
    window.until("len(bpy.context.window_manager.windows) == 2")
    time.sleep(1.5)
    window.press("edit_label(label_id=2)", region="paint_region()")
    window.until("panel().painted_label_id == 2")
    window.ask("t = bpy.context.scene.tool_settings")
    window.ask("(getattr(t.image_paint, 'unified_paint_settings', None) or t.unified_paint_settings).size = 30")
    untouched = digest(window, "s0003 edit mask")
    raise_the_roof(window)
    window.until(f"digest('s0003 edit mask') != {untouched!r}", 10)
    time.sleep(1.0)  # or the stroke is still going on
    painted = digest(window, "s0003 edit mask")
    window.screenshot("10-edit-painted")
    window.press("apply_edit(repair=False)", region="paint_region()", columns=(0.25,))
    window.until("module('icons').has_picture()", 60)
    time.sleep(0.5)
    window.screenshot("11-edit-running")
    assert "of the painted pixels taken" in finish(window, 300)
    assert digest(window, "s0003 edit mask") == painted
    window.screenshot("12-edit-result")
    return painted


def raise_the_roof(window: Window) -> None:
    """A stroke of the roof's label along its upper edge, by the mouse."""
    left, top, right, bottom = window.box("paint_region('WINDOW')")
    middle_x, side = (left + right) // 2, min(right - left, bottom - top)
    y = (top + bottom) // 2 - int(0.15 * side)
    window.drag([(middle_x - 50 + 4 * step, y + (step % 3)) for step in range(26)])


def undo_and_redo(window: Window, views: str | None, cloud: list[str], painted: str | None, edited: list) -> None:
    """Blender's own: one step takes back the subject, its clouds and its views; the painted mask stays to be painted further."""
    window.key("ctrl+z", at=(300, 600))
    window.until("panel().subject_file == ''", 20)
    assert window.value("panel().edit_scores") == ""
    assert window.value("cloud()") == cloud
    window.until(f"current().job is None and digest('s0003_v00') == {views!r}", 60)
    assert digest(window, "s0003 edit mask") == painted
    window.screenshot("13-edit-undone")
    window.key("ctrl+shift+z", at=(300, 600))
    window.until("panel().subject_file", 20)
    assert window.value("cloud()") == edited[2]
    window.until(f"current().job is None and digest('s0003-edit-001_v00') == {edited[1]!r}", 60)
    assert window.value("panel().edit_scores") == edited[0]


def step_back_and_forward(window: Window, views: str | None, cloud: list[str], edited: list) -> None:
    with window.panel("DNERF_PT_edit") as top:
        window.press("step_edit(step=-1)", top=top, columns=(0.25,))
        assert finish(window) == "s0003: as it was before the edit"
        assert window.value("[panel().subject_file, digest('s0003_v00'), cloud()]") == ["", views, cloud]
        window.press("step_edit(step=1)", top=top, columns=(0.75,))
        finish(window)
        assert window.value("[panel().edit_scores, digest('s0003-edit-001_v00'), cloud()]") == edited


def test_a_photo_is_inverted_and_stopped(window: Window, root: Root) -> None:
    window.ask("operator(\"invert_photo(filepath='/job/views/images/s0003_v00.png', steps=100000)\")")
    window.until("module('icons').has_picture()", 240)
    time.sleep(0.5)
    window.screenshot("14-invert-running")
    window.press("dnerf.stop_early", columns=(0.86, 0.84, 0.82, 0.88))
    assert "stopped early" in finish(window)
    assert window.value("bpy.context.scene.camera.name") == "Recovered camera"
    assert (root.job / "subjects" / "s0003_v00-001.safetensors").is_file()
