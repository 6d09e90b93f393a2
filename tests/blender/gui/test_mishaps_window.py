"""What a user does while a job runs in a real Blender: renames and deletes scenes, undoes, redoes, opens windows; no button stays gray.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import itertools
import time

import pytest

from tests.blender.gui.test_window import MANY_VIEWS, close_error_popup, close_second_window, finish
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

NAMES = """
def operator(call):
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        exec("bpy.ops." + call)
def view():
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)
def in_view(call):
    with view():
        return eval("bpy.ops." + call)
def panel():
    return bpy.context.window_manager.windows[0].scene.dnerf
def alive():
    return bpy.ops.dnerf.render_views.poll() and not bpy.ops.dnerf.cancel.poll() and current().job is None
"""
VIEWS = 30
FOLDERS = itertools.count()


def render(window: Window, views: int) -> str:
    """As its button does; the folder is another each time, since views that are there are not rendered again."""
    folder = f"/job/views-{next(FOLDERS)}"
    window.ask(
        f"s = panel(); s.camera_count, s.seed, s.size_px, s.views_folder, s.pack_views = {views}, 3, 64, {folder!r}, True"
    )  # undo takes them back
    window.ask("operator('dnerf.render_views()')")
    return folder


def begin(window: Window, views: int = VIEWS) -> str:
    """Render some views into the folder that is told, and wait until the first have come."""
    folder = render(window, views)
    window.until("current().job is not None and current().job.done >= 2 and current().job.total", 60)
    return folder


def test_the_scene_is_renamed_at_five_of_thirty(window: Window, root: Root) -> None:
    window.ask(NAMES)
    window.press("dnerf.load_model")
    finish(window)
    begin(window)
    window.ask("bpy.context.scene.name = 'Renamed'")
    assert f"{VIEWS} views in" in finish(window)
    assert window.value("alive()") and window.value("len(module('shown_views').known_shown(bpy.context.scene).poses)") == VIEWS
    window.press("dnerf.load_model")
    finish(window)


def test_undo_and_redo_by_the_keys(window: Window) -> None:
    window.ask("operator('dnerf.random_seed()')")
    window.ask("in_view(\"object.select_all(action='SELECT')\")")
    window.ask("in_view(\"ed.undo_push(message='selected')\")")
    begin(window)
    window.key("ctrl+z", at=(300, 600))
    window.key("ctrl+z", at=(300, 600))
    window.key("ctrl+shift+z", at=(300, 600))
    assert f"{VIEWS} views in" in finish(window)
    assert window.value("alive()")
    window.screenshot("20-undone-in-a-job")


def test_undo_makes_a_scene_anew_that_is_found_again(window: Window) -> None:
    window.ask("in_view(\"ed.undo_push(message='before')\")")
    window.ask("held = module('lasting.identity').hold(bpy.context.scene)")
    window.ask(
        "in_view(\"object.empty_add()\"); item = module('lasting.identity').hold(bpy.context.object); in_view('ed.undo_push()')"
    )
    assert window.value("held.found() == bpy.context.scene and item.found() is not None")
    window.key("ctrl+z", at=(300, 600))
    window.until("item.found() is None", 10)
    assert window.value("held.found() == bpy.context.scene")
    window.key("ctrl+shift+z", at=(300, 600))
    window.until("item.found() is not None", 10)


def test_another_scene_in_another_window(window: Window) -> None:
    """Results land where they were asked for, whatever the windows show."""
    window.ask("first = module('lasting.identity').hold(bpy.context.scene)")
    begin(window)
    window.ask("operator('wm.window_new()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    window.ask("other = bpy.data.scenes.new('Second'); bpy.context.window_manager.windows[0].scene = other")
    time.sleep(0.5)
    assert f"{VIEWS} views in" in finish(window)
    assert window.value("bool(first.found().dnerf.shown_views) and not other.dnerf.shown_views")
    close_second_window(window)
    assert window.value("alive()")


def test_the_live_preview_follows_its_scene_and_ends_with_a_line(window: Window) -> None:
    window.ask("bpy.context.window_manager.windows[0].scene = first.found()")
    window.press_property("live_preview")
    window.until("module('preview')._state.texture is not None", 60)
    window.ask("bpy.context.scene.name = 'Renamed again'; module('preview')._state.arrivals = []")
    window.ask("panel().seed += 1")
    window.until("module('preview')._state.arrivals", 30)
    window.ask("root = module('scene.subject').subject_root(bpy.context.scene); root.scale = (1, 2, 1)")
    line = window.until("not panel().live_preview and current().status", 30)
    assert "expected the same scale along x, y and z, found" in line
    close_error_popup(window)
    window.ask("root.scale = (1, 1, 1)")
    assert window.value("alive()")


def test_the_scene_is_deleted(window: Window) -> None:
    """Of the one that is shown now, by its button: Blender shows the next."""
    folder = begin(window)
    name = window.value("bpy.context.window_manager.windows[0].scene.name")
    window.ask("operator('scene.delete()')")
    line = window.until("current().job is None and current().status", 60)
    assert line == f"scene {name!r}: expected it in this file, found it no more; its views are in {folder}"
    assert window.value("alive()")
    window.screenshot("21-scene-deleted")
    close_error_popup(window)
    window.press("dnerf.load_model")
    finish(window)


def test_an_error_in_the_timer_ends_the_job_and_the_next_click_works(window: Window) -> None:
    window.ask("views = module('operators.views').CollectedViews; take = views.take")
    window.ask("def break_down(self, index, part): raise KeyError('gone')")
    window.ask("views.take = break_down")
    render(window, 3)
    line = window.until("current().job is None and current().status", 60)
    assert "found a fault of the extension (KeyError: 'gone')" in line
    assert "KeyError: 'gone'" in window.log(), "the console has all of it"
    window.screenshot("22-fault")
    close_error_popup(window)
    window.ask("views.take = take")
    window.press("dnerf.load_model")
    finish(window)


def test_a_worker_that_does_not_let_go_is_restarted_by_its_button(window: Window) -> None:
    begin(window, MANY_VIEWS)
    window.ask("import os, signal; os.kill(current().client.pid, signal.SIGSTOP)")
    window.key("Escape", at=(300, 600))
    window.until("current().job.cancelled", 10)
    window.press("dnerf.restart_worker")
    assert "worker ready" in finish(window)
    assert window.value("alive()")


def test_an_editor_closed_while_it_is_being_set_up(window: Window) -> None:
    """Its side panel and its brush are set when it has been drawn, which it may not live to see."""
    window.ask("panel().annotation_folder, panel().annotation_subjects, panel().annotation_views = '/job/cars', 1, 2")
    window.ask("operator('dnerf.sample_views()')")
    finish(window)
    window.ask("operator('dnerf.paint_view()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    close_second_window(window)
    time.sleep(1.0)
    assert "StopIteration" not in window.log() and "ReferenceError" not in window.log()
    assert window.value("alive()")
