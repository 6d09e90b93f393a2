"""Buttons that begin with a menu, a search or a file browser, pressed by mouse and keyboard in a real Blender to their end.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.blender.gui.searching import search, until_changed
from tests.blender.gui.test_edit_window import PIXELS, do
from tests.blender.gui.test_first_hour_window import BROWSER
from tests.blender.gui.test_window import finish
from tests.blender.gui.window import REPOSITORY, Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

VIEW = (300, 600)
"""A place in the 3D view."""
MENU_FROM_RIGHT_PX, HEADER_UP_PX = 66, 8
"""Where the icon of the presets' menu is in a panel's header."""
NAME_DOWN_PX, OK_DOWN_PX = 5, 37
"""From the mouse down to the field and to OK of the dialog that asks for a preset's name."""
OWN_PRESETS = "module('presets.store').preset_names(module('presets.groups').GROUPS['cameras'])"


@pytest.fixture(scope="module")
def files(root: Root) -> None:
    """A small model of a person, and a network of points, in the job folder."""
    for module in ("tests.blender.small_person", "tests.blender.small_network"):
        subprocess.run([sys.executable, "-m", module, str(root.job)], cwd=REPOSITORY, check=True, timeout=120)


def choose_in_browser(window: Window, folder: str, name: str, options: str = "") -> None:
    """In the file browser that a button has opened: a file, what else it asks for, and its button."""
    window.ask(BROWSER)
    window.until("browser() and browser().spaces.active.params", 20)
    window.ask(f"browser().spaces.active.params.directory = {folder.encode()!r}")
    window.ask(f"browser().spaces.active.params.filename = {name!r}")
    if options:
        window.ask(f"asked = browser().spaces.active.active_operator; {options}")
    window.press("file.execute", region="execute_region()", columns=(0.9, 0.8, 0.7))
    window.until("len(bpy.context.window_manager.windows) == 1", 20)


def open_presets(window: Window, top: int, name: str) -> tuple[int, int]:
    """Returns where the mouse is."""
    x, y = place = window.box()[2] - MENU_FROM_RIGHT_PX, top - HEADER_UP_PX
    window.hover(x, y)
    before = window.screenshot("91-before")
    window.click(x, y)
    until_changed(window, before, f"91-presets-{name}", (x, y + 20, x + 100, y + 80))
    return place


def press_keys(window: Window, *names: str) -> None:
    for name in names:
        window._xdotool("key", name)
        window.settle()


def test_a_preset_of_ones_own_is_saved_applied_and_removed(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask(PIXELS)
    window.ask(
        "s = panel(); s.camera_count, s.camera_path, s.views_folder, s.subjects_folder = 5, 'ARC', '/job/views', '/job/subjects'"
    )
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_cameras") as top:
        x, y = open_presets(window, top, "save")
        press_keys(window, "Up", "Return")  # the last: Save Preset
        without = window.root.job / "91-before.png"
        until_changed(window, without, "92-save-dialog", (x - 190, y - 20, x - 60, y + 50))
        window.click(x, y + NAME_DOWN_PX)
        window._xdotool("type", "Mine")
        press_keys(window, "Return")
        window.screenshot("93-named")
        window.click(x, y + OK_DOWN_PX)
        window.until(f"{OWN_PRESETS} == ['Mine']", 10)
        window.ask("panel().camera_count = 9")
        open_presets(window, top, "apply")
        press_keys(window, "Up", "Up", "Up", "Return")  # above Remove Mine and Save Preset
        window.until("panel().camera_count == 5", 10)
        open_presets(window, top, "remove")
        press_keys(window, "Up", "Return")
        window.until(f"{OWN_PRESETS} == []", 10)


def test_a_data_sets_preset_is_chosen_in_its_header(window: Window) -> None:
    with window.panel("DNERF_PT_data_set") as top:
        open_presets(window, top, "data-set")
        press_keys(window, "Up", "Up", "Return")  # above Save Preset
        window.until("panel().data_set.cameras == 'SPHERE' and panel().data_set.count == 100", 10)
        window.screenshot("91-data-set-chosen")
    assert window.value("[sorted(panel().data_set.formats), panel().data_set.test_cameras, panel().data_set.with_cloud]") == [
        ["nerfstudio"],
        "RANDOM",
        True,
    ]


def test_the_guide(window: Window) -> None:
    window.press("dnerf.show_guide", columns=(0.97, 0.93, 0.9, 0.87))
    window.ask("import os")
    window.until("os.path.getsize(os.path.join(bpy.app.tempdir, 'datasetnerf-guide.html')) > 10000", 10)


def test_a_photo_is_inverted_to_its_end(window: Window, root: Root) -> None:
    window.ask("panel().seed, panel().camera_count = 3, 1")
    do(window, "place_cameras()")
    do(window, "render_views()")
    window.press("dnerf.invert_photo")
    choose_in_browser(window, "/job/views/images/", "s0003_v00.png", "asked.steps = 10")
    line = finish(window, 300)
    assert line.startswith("s0003_v00-001.safetensors: ") and " dB, yaw " in line and "stopped early" not in line
    assert (root.job / "subjects" / "s0003_v00-001.safetensors").is_file()
    window.until("panel().subject_file == '/job/subjects/s0003_v00-001.safetensors'", 10)
    window.screenshot("94-inverted")


def test_an_assets_subject_is_used_again(window: Window) -> None:
    window.ask("panel().subject_file, panel().seed, panel().cloud_views, panel().cloud_points = '', 7, 3, 500")
    do(window, "make_asset()")
    window.ask(
        "asset = next(o for o in bpy.data.objects if o.asset_data); mine = asset.copy(); "
        "bpy.context.scene.collection.objects.link(mine); bpy.context.view_layer.objects.active = mine; panel().seed = 1"
    )
    window.press("dnerf.use_subject")
    window.until("panel().seed == 7 and current().job is None", 60)
    window.ask("bpy.data.objects.remove(mine)")


def test_a_mesh_gets_the_labels_of_a_network(window: Window, files: None) -> None:
    with window.panel("DNERF_PT_mesh") as top:
        window.press("dnerf.import_mesh", top=top)
        assert " triangles in 4 parts" in finish(window, 200)
    search(window, "Open Model, Subject or Network", VIEW, "90-search")
    choose_in_browser(window, "/job/", "points.safetensors")
    assert finish(window) == "points.safetensors: the network of Segment now"
    window.ask(
        "mesh = bpy.context.view_layer.objects.active; before = [m.name for m in mesh.data.materials]; mesh.select_set(True)"
    )
    with window.panel("DNERF_PT_segment") as top:
        window.press("dnerf.segment_selected", top=top)
        assert finish(window, 200).startswith("1 object labelled, mean confidence ")
    assert window.value("mesh.name.startswith('mesh s0007') and [m.name for m in mesh.data.materials] != before")
    window.screenshot("95-segmented")


def test_a_cloud_file_is_imported(window: Window) -> None:
    do(window, "fuse_cloud()")
    window.ask("panel().export_path = '/job/cloud.ply'; operator('export_cloud()')")
    before = window.value("len(bpy.context.scene.objects)")
    search(window, "Import Cloud or Mesh Files", VIEW, "90-search")
    choose_in_browser(window, "/job/", "cloud.ply")
    assert finish(window) == "1 object of 1 file imported"
    assert window.value("len(bpy.context.scene.objects)") == before + 1
    assert window.value("len(bpy.context.view_layer.objects.active.data.vertices)") == 500


def test_a_cloud_for_every_frame(window: Window, files: None) -> None:
    window.ask("for item in list(bpy.context.scene.objects): bpy.data.objects.remove(item)")
    window.ask("s = panel(); s.model_kind, s.model_path, s.subject_file, s.seed = 'FILE', '/job/person.safetensors', '', 3")
    window.press("dnerf.load_model")
    finish(window)
    do(window, "add_person()")
    window.ask("e = bpy.context.scene; e.frame_start, e.frame_end, e.frame_step = 1, 5, 4")
    search(window, "Fuse a Cloud Every Frame", VIEW, "90-search")
    assert finish(window, 200).startswith("2 clouds, ")
    seen = "sorted(o.name for o in bpy.data.collections['cloud s0003 frames'].objects if not o.hide_viewport)"
    window.ask("e.frame_set(1)")
    assert window.value(seen) == ["cloud s0003 f0001"]
    window.ask("e.frame_set(5)")
    assert window.value(seen) == ["cloud s0003 f0005"]
    window.screenshot("96-frames")
    assert "Traceback" not in window.log(), window.log()
