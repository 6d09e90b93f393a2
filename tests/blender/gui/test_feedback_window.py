"""What the side panel shows of jobs, in a real Blender: buttons stay in place and serve again, errors are told once, views are listed.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.blender.gui.searching import share_changed
from tests.blender.gui.test_window import MANY_VIEWS, close_error_popup, close_second_window, finish
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

NAMES = """
def operator(call):
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        eval("bpy.ops." + call)
def panel():
    return bpy.context.window_manager.windows[0].scene.dnerf
def count_of(button):
    outcome = current().outcomes.latest([button])
    return -1 if outcome is None else outcome.number
def info_log():
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "DOPESHEET_EDITOR")
    area.type = "INFO"
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.info.select_all(action="SELECT")
        bpy.ops.info.report_copy()
    area.type = "DOPESHEET_EDITOR"
    return " ".join(bpy.context.window_manager.clipboard.split())
def start_moving():
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.transform.translate("INVOKE_DEFAULT")
def image_shown():
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == "IMAGE_EDITOR"]
    return areas[0].spaces.active.image.name
def waiting():
    return list(module("feedback.alerts")._waiting)
"""
ENABLED, GRAY = 200.0, 170.0
"""How bright the text of buttons is, in the dark theme: more, and less."""
NO_CAMERA = "expected selected cameras, found none selected"
OPEN_PANELS = """
opened = []
for cls in [cls for cls in bpy.types.Panel.__subclasses__() if cls.__name__.startswith("DNERF_PT_") and cls.bl_space_type == "VIEW_3D"]:
    fields = {"bl_idname": "OPEN_PT_" + cls.__name__[9:], "bl_category": "Open", "bl_options": set(), "bl_parent_id": ""}
    one = type(fields["bl_idname"], (cls,), fields)
    bpy.utils.register_class(one)
    opened.append(one)
view_area().tag_redraw()
"""


def test_a_pressed_button_is_not_gray_when_its_job_has_ended(window: Window) -> None:
    window.ask(NAMES)
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    x, y = window.find("dnerf.load_model")
    window.click(x, y)
    assert finish(window) == "demo-cars: 256 px, 4 labels"
    time.sleep(0.8)
    assert text_brightness(window.screenshot("30-pressed"), x, y) > ENABLED
    window.hover(x + 2, y)
    before = window.value("count_of('dnerf.load_model')")
    window.click_again()
    window.until(f"current().job is None and count_of('dnerf.load_model') > {before}", 15)


def test_a_button_that_waits_under_the_mouse_is_gray_as_long_as_it_waits(window: Window) -> None:
    x, y = window.find("dnerf.load_model")
    window.hover(400, 600)
    window.ask("s = panel(); s.camera_count, s.seed, s.size_px, s.views_folder = 60, 3, 128, '/job/many'")
    window.ask("operator('dnerf.render_views()')")
    window.until("current().job is not None and current().job.done > 2")
    window.hover(x, y)
    time.sleep(0.5)
    assert window.value("current().job is not None")
    assert text_brightness(window.screenshot("30-waits"), x, y) < GRAY
    assert "60 views in" in finish(window)
    time.sleep(0.8)
    assert text_brightness(window.screenshot("30-waited"), x, y) > ENABLED


def text_brightness(shot: Path, x: int, y: int) -> float:
    """How bright the text of the button at a place is, 0 to 255."""
    pixels = np.asarray(Image.open(shot).convert("L").crop((x - 50, y - 6, x + 60, y + 10)))
    return float(np.percentile(pixels, 99))


def test_nothing_moves_under_the_mouse(window: Window) -> None:
    text = "step_seed(step=1)"
    x, y = window.find(text, columns=(0.97, 0.93))
    while text in window.probe(x, y - 1):
        y -= 1

    def stays() -> bool:
        return text in window.probe(x, y) and text not in window.probe(x, y - 2)

    assert stays()
    window.ask(f"s = panel(); s.camera_count, s.size_px, s.views_folder = {MANY_VIEWS}, 256, '/job/moves'")
    window.ask("operator('dnerf.render_views()')")
    window.until("current().job is not None and current().job.done > 2")
    assert stays()
    window.screenshot("30-running")
    window.ask("operator('dnerf.cancel()')")
    window.until("current().level == 'CANCELLED'", 20)
    assert stays()
    window.ask("current().say('Camera: expected a perspective camera, found an orthographic one; set its lens type. ' * 4)")
    assert stays()
    window.screenshot("31-long-line")


def test_progress_and_cancel_stand_at_the_button(window: Window) -> None:
    window.learn_headers("live_preview")
    window.ask(f"s = panel(); s.camera_count, s.views_folder = {MANY_VIEWS}, '/job/at-the-button'")
    with window.panel("DNERF_PT_views") as top:
        render = window.find("dnerf.render_views", top=top + 40)
        window.click(*render)
        window.until("current().job is not None and current().job.done > 2")
        window.screenshot("32-at-the-button")
        window.press("dnerf.cancel", columns=(0.92, 0.9), top=render[1] - 8)
        window.until("current().level == 'CANCELLED'", 20)
        assert window.find("dnerf.render_views", top=top + 40) == render


def test_an_error_is_in_the_info_log_and_in_a_popup_once(window: Window) -> None:
    window.hover(400, 600)
    time.sleep(0.5)
    before = window.screenshot("33-before-the-error")
    window.ask("s = panel(); s.view_source, s.views_folder = 'SELECTED', '/job/none'")
    window.ask("operator('dnerf.render_views()')")
    window.until("current().job is None and current().level == 'ERROR'")
    window.until("not waiting()", 5)
    time.sleep(0.7)
    after = window.screenshot("34-error-popup")
    assert share_changed(before, after, (350, 500, 800, 700)) > 0.05, "the popup is at the mouse"
    close_error_popup(window)
    assert window.value("info_log()").count(NO_CAMERA) == 1


def test_an_error_waits_for_the_end_of_a_stroke(window: Window) -> None:
    window.ask('operator("object.empty_add()")')
    window.hover(400, 600)
    window.ask("start_moving()")
    window.until("len(bpy.context.window_manager.windows[0].modal_operators) == 1")
    window.ask("operator('dnerf.render_views()')")
    window.until("current().job is None and current().level == 'ERROR'")
    time.sleep(1.0)
    assert window.value("len(waiting())") == 1
    assert window.value("len(bpy.context.window_manager.windows[0].modal_operators)") == 1
    window.key("Escape", at=(410, 610))
    window.until("not waiting()", 5)
    close_error_popup(window)
    assert window.value("info_log()").count(NO_CAMERA) == 2


def test_views_are_chosen_in_the_list_and_shown(window: Window, root: Root) -> None:
    window.ask("s = panel(); s.view_source, s.camera_count, s.size_px, s.seed, s.views_folder = 'ARC', 2, 0, 3, '/job/listed'")
    window.ask("operator('dnerf.clear_views()')")
    if not window.headers:
        window.learn_headers("live_preview")
    with window.panel("DNERF_PT_views") as top:
        window.press("dnerf.render_views", top=top + 40)
        assert "2 views in" in finish(window)
        assert window.value("sorted(item.name for item in panel().view_items)") == ["s0003_v00", "s0003_v01"]
        assert window.value("[i.name for i in bpy.data.images if i.get('dnerf_image')]") == []
        window.scroll(15)
        x, y = window.find("dnerf.remove_view", columns=(0.97, 0.95, 0.93), top=300)
        while "dnerf.remove_view" in window.probe(x, y - 1):
            y -= 1
        y += 9  # the first row lies beside the button's middle
        for row, name in ((1, "s0003_v01"), (0, "s0003_v00")):
            window.click(x - 150, y + 21 * row)
            window.until(f"panel().view_items[panel().view_index].name == {name!r}", 5)
            time.sleep(0.6)
        time.sleep(1.0)
        window.screenshot("35-list")
        window.press("show_view(kind='LABELS')", columns=(0.35,), top=y + 60)
        window.until("len(bpy.context.window_manager.windows) == 2")
        assert window.value("image_shown()") == "s0003_v00 labels"
        time.sleep(0.5)
        window.screenshot("36-labels-shown")
        close_second_window(window)  # it may lie over the panel
        window.press("show_view(kind='IMAGE')", columns=(0.12,), top=y + 60)
        window.until("len(bpy.context.window_manager.windows) == 2")
        window.until("image_shown() == 's0003_v00'", 5)
        time.sleep(0.5)
        window.screenshot("36-shown")
        assert window.value("bpy.data.images['s0003_v00'].packed_file is None")
        close_second_window(window)
        window.press("dnerf.remove_view", columns=(0.97, 0.95, 0.93), top=y - 20)
        window.until("len(panel().view_items) == 1", 5)
    assert len(list((root.job / "listed" / "images").iterdir())) == 2


def test_all_panels_at_the_usual_size_and_larger(window: Window) -> None:
    """Screenshots, to look at."""
    window.ask("panel().own_yaw = panel().own_pitch = False")
    window.ask(OPEN_PANELS)
    time.sleep(0.5)
    window.ask("side_region().active_panel_category = 'Open'; view_area().tag_redraw()")
    for scale in (1.0, 1.5):
        window.ask(f"bpy.context.preferences.view.ui_scale = {scale}")
        time.sleep(1.0)
        assert window.value("bpy.context.preferences.system.ui_scale") == pytest.approx(scale, abs=0.1)
        window.scroll(-60)
        for page in range(4 if scale == 1.0 else 6):
            window.screenshot(f"37-panels-{scale}-{page}")
            window.scroll(9)
    window.ask("bpy.context.preferences.view.ui_scale = 1.0")
