"""Files dropped, presets, menus, keys, assets and tips in a real Blender, by the mouse and the keyboard.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time

import pytest

from tests.blender.gui.searching import search
from tests.blender.gui.test_window import finish
from tests.blender.gui.window import GUI, Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

NAMES = """
def view():
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)
def drop(operator, *paths):
    import os
    files = [{"name": os.path.basename(path)} for path in paths]
    with view():
        getattr(bpy.ops.dnerf, operator)("INVOKE_DEFAULT", filepath=paths[0], directory=os.path.dirname(paths[0]), files=files)
def panel():
    return bpy.context.window_manager.windows[0].scene.dnerf
def tip():
    return module("guidance.tips").next_step(bpy.context.scene)
def put(path, key):
    import json
    header = json.dumps({"__metadata__": {key: "{}"}}).encode()
    open(path, "wb").write(len(header).to_bytes(8, "little") + header)
"""
VIEW = (300, 600)
"""A place in the 3D view."""


def drag_in(window: Window, x: int, y: int, *paths: str) -> None:
    """Drop files onto a place, out of another program."""
    window._xdotool("mousemove", str(x), str(y))
    answer = window._agent_does({"run": ["python3", str(GUI / "drag_source.py"), str(x), str(y), *paths]})
    assert answer["code"] == 0, answer["output"]


def test_the_tips_lead_from_button_to_button(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask(NAMES)
    assert "Load Model" in window.value("tip()")
    window.screenshot("50-first-tip")
    window.press("dnerf.load_model")
    finish(window)
    assert "Place Cameras" in window.value("tip()")
    window.screenshot("51-second-tip")


def test_a_preset_is_chosen_in_the_panels_header(window: Window) -> None:
    """By a click on the icon, and the letter that the menu underlines."""
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_cameras") as top:
        right = window.box()[2]
        for from_right in (66, 72, 60, 78, 54):
            window.click(right - from_right, top - 8)
            time.sleep(0.5)
            window.screenshot("52-presets")
            window._xdotool("key", "f")
            time.sleep(0.5)
            if window.value("[panel().camera_path, panel().camera_count]") == ["ORBIT", 4]:
                break
            window.key("Escape", at=VIEW)
            window.click(right - 150, top - 14)  # the header was pressed, and the panel closed
            window.settle()
        else:
            raise AssertionError("no menu of presets in the header; see 52-presets.png")


def test_f3_finds_an_operator(window: Window) -> None:
    seed = window.value("panel().seed")
    search(window, "random subject", VIEW, "53-search")
    window.until(f"panel().seed != {seed}", 10)


def test_the_keys_of_the_3d_view(window: Window) -> None:
    window.ask("s = panel(); s.camera_count, s.size_px, s.views_folder, s.seed = 2, 64, '/job/views', 3")
    window.key("shift+alt+v", at=VIEW)
    window.until("panel().live_preview", 10)
    window.key("shift+alt+v", at=VIEW)
    window.until("not panel().live_preview", 10)
    window.key("ctrl+alt+v", at=VIEW)
    assert "2 views in" in finish(window)
    assert window.value("tip()") == ""
    window.screenshot("54-tip-gone")


def test_files_are_dropped(window: Window, root: Root) -> None:
    window.ask("put('/job/a.safetensors', 'datasetnerf_subject'); put('/job/n.safetensors', 'datasetnerf_network')")
    drag_in(window, *VIEW, "/job/a.safetensors", "/job/n.safetensors")
    window.until("panel().subject_file == '/job/a.safetensors' and panel().network_file == '/job/n.safetensors'", 10)
    window.ask("panel().subject_file = ''")
    left, _, right, bottom = window.box()
    drag_in(window, (left + right) // 2, bottom - 40, "/job/a.safetensors")
    window.until("panel().subject_file == '/job/a.safetensors'", 10)
    window.ask("panel().subject_file = ''")
    drag_in(window, *VIEW, "/job/views/images/s0003_v00.png")
    time.sleep(0.6)
    window.screenshot("55-drop-menu")
    window._xdotool("key", "Escape")
    window.ask("drop('drop_photo', '/job/views/images/s0003_v00.png')")
    time.sleep(0.6)
    window.screenshot("55-dropped-photo")
    window._xdotool("key", "Return")
    window.until("current().job is not None", 20)
    window.key("Escape", at=VIEW)
    window.until("current().job is None", 60)


def test_the_clouds_inputs_are_in_the_panel(window: Window) -> None:
    window.ask("s = panel(); s.cloud_views, s.cloud_points = 4, 8000")
    with window.panel("DNERF_PT_cloud") as top:
        window.press("dnerf.fuse_cloud", top=top + 60)
        assert "points in" in finish(window)
        window.ask("view_area().spaces.active.region_3d.view_distance = 4")
        window.scroll(15)
        window.ask("item = bpy.context.view_layer.objects.active")
        window.click(*window.find("DatasetNeRF points", what="property", top=500, columns=(0.7,)))
        time.sleep(0.4)
        window.screenshot("56-part-menu")
        window._xdotool("key", "w")  # of wheels
        counts = "[len(item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.polygons)"
        counts += ", sum(value.value == 3 for value in item.data.attributes['label'].data)]"
        window.until(f"len(set({counts})) == 1", 10)
        assert 0 < window.value(counts)[0] < 8000
        time.sleep(1.0)
        window.screenshot("57-one-part")
    with window.panel("DNERF_PT_mesh"):
        time.sleep(0.5)
        window.screenshot("57-mesh")
        assert window.find("dnerf.import_mesh")


def test_an_asset_in_the_asset_browser(window: Window) -> None:
    window.press("dnerf.make_asset", columns=(0.3, 0.5))
    assert finish(window).startswith("asset subject s0003: ")
    window.ask("area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'PROPERTIES')")
    window.ask("was = area.type; area.ui_type = 'ASSETS'")
    time.sleep(1.5)
    window.ask("area.spaces.active.params.asset_library_reference = 'LOCAL'")
    time.sleep(1.5)
    window.screenshot("58-asset-browser")
    window.ask("area.type = was")


def test_the_keys_are_in_the_preferences(window: Window) -> None:
    window.ask("drawn_keys = []; page = module('preferences'); draw = page.draw_keys")
    window.ask("page.draw_keys = lambda layout, context: drawn_keys.append(draw(layout, context))")
    window.ask("with view(): bpy.ops.preferences.addon_show(module='bl_ext.user_default.datasetnerf')")
    window.until("drawn_keys", 10)
    time.sleep(1.0)
    window.screenshot("59-preferences")
    window._xdotool("mousemove", "930", "700", *["click", "5", "sleep", "0.02"] * 20)
    time.sleep(0.5)
    window.screenshot("60-preferences-keys")
    window.ask("page.draw_keys = draw")
    users = "bpy.context.window_manager.keyconfigs.user.keymaps['3D View'].keymap_items"
    assert window.value(f"[{users}[name].to_string() for name in ('dnerf.render_views', 'dnerf.toggle_preview')]") == [
        "Ctrl Alt V",
        "Shift Alt V",
    ]
    assert "Traceback" not in window.log()
