"""The pictures of README.md and docs/blender.md, driven to by the mouse: what they show is what the extension shows.

The tests of this file go on from one another: run the whole file. `DNERF_PICTURES=1` writes the pictures anew; look at them then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.blender.gui.pictures import keep_picture, record_panels
from tests.blender.gui.test_window import close_second_window, finish, paint_a_stroke
from tests.blender.gui.window import Root, Window

SMOOTH_VIEWPORTS = True
pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

VIEW_BOX = (0, 0, 1056, 1010)
"""Of the 3D view with its side panel."""
PANELS = ("DNERF_PT_views", "DNERF_PT_cloud", "DNERF_PT_annotate", "DNERF_PT_paint")
_HEADER_PX = 26
"""From the upper part of a panel's first button up to the middle of its header."""


@contextmanager
def model_and_subject_closed(window: Window) -> Iterator[None]:
    """By a click on their headers, so that a panel below them is seen whole."""
    window.scroll(-40)
    left, _, right, _ = window.box()
    x, clicked = left + int(0.4 * (right - left)), []
    for name, top in (("model_kind", 80), ("seed", 160)):
        y = window.find(f"dnerf.{name}", what="property", top=top)[1] - _HEADER_PX
        window.click(x, y)
        time.sleep(0.7)
        clicked.append(y)
    window.hover(500, 1200)
    time.sleep(1.0)
    yield
    window.scroll(-40)
    for y in reversed(clicked):
        window.click(x, y)
        time.sleep(0.7)


def test_views_and_their_labels(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    record_panels(window, PANELS)
    window.ask("s = bpy.context.scene.dnerf; s.seed, s.camera_count, s.views_folder = 3, 5, '/job/views'")
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_cameras") as top:
        window.press("dnerf.place_cameras", top=top + 60)
        window.until("len(bpy.data.collections['DatasetNeRF cameras'].objects) == 5")
    window.ask("view_area().spaces.active.region_3d.view_distance = 9")
    with window.panel("DNERF_PT_views") as top:
        window.press("dnerf.render_views", top=top + 60)
        assert "5 views in" in finish(window)
        window.press_property("live_preview")
        window.until("module('preview')._state.texture is not None", 90)
        with model_and_subject_closed(window):
            time.sleep(2.0)  # the whole view comes after the coarse one
            keep_picture(window, "blender-views", VIEW_BOX, ["DNERF_PT_views"])
        window.press_property("live_preview")


def test_a_cloud_in_its_parts_colours(window: Window) -> None:
    with window.panel("DNERF_PT_cloud") as top:
        window.press("dnerf.fuse_cloud", top=top + 60)
        assert "points in" in finish(window)
        window.ask("view_area().spaces.active.region_3d.view_distance = 4")
        with model_and_subject_closed(window):
            keep_picture(window, "blender-cloud", VIEW_BOX, ["DNERF_PT_cloud"])


def test_a_mask_being_painted(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.annotation_folder, s.annotation_subjects = '/job/cars', 2")
    with window.panel("DNERF_PT_annotate") as top:
        window.press("dnerf.sample_views", columns=(0.25,), top=top + 40)
        finish(window)
        window.scroll(15)
        window.press("dnerf.next_view", columns=(0.75,), top=450)
        window.until("len(bpy.context.window_manager.windows) == 2")
        window.until("bpy.context.scene.tool_settings.image_paint.brush")
        time.sleep(1.0)
        window.press("paint_label(label_id=2)", region="paint_region()")
        window.ask("t = bpy.context.scene.tool_settings")
        window.ask("(getattr(t.image_paint, 'unified_paint_settings', None) or t.unified_paint_settings).size = 25")
        paint_a_stroke(window)
        time.sleep(1.0)
        left, top_px, _, _ = window.box("paint_region('WINDOW')")
        _, _, right, bottom = window.box("paint_region()")
        window.hover(right - 20, bottom - 10)
        time.sleep(1.0)
        keep_picture(window, "blender-paint", (left, top_px, right, top_px + 1060), ["DNERF_PT_paint"])
        close_second_window(window)
    assert "Traceback" not in window.log(), window.log()
