"""Strokes painted by the mouse in a real Blender outlast undo, saving, quitting and opening; the picture lies over the mask again.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.blender.gui.test_edit_window import PIXELS, digest, do
from tests.blender.gui.test_window import close_second_window, finish, paint_a_stroke, palette_ids
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

FIRST = "s0000_v00 mask"
HELD = """
def unsaved():
    return sorted(image.name for image in module("painting.mask_files").unsaved_masks())
def painted(name):
    return module("scene.painted").is_painted(bpy.data.images[name])
def lies_over():
    return module("picture_overlay")._textures and module("picture_overlay")._pictures.get(bpy.data.images[shown()].session_uid) is not None
def editor():
    return [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == "IMAGE_EDITOR"][0].spaces.active
def shown():
    return editor().image.name
"""


def ready(window: Window) -> None:
    window.ask(PIXELS)
    window.ask(HELD)


def stroke(window: Window, name: str, label_id: int = 2) -> str:
    """A stroke by the mouse over the middle; returns what the mask is then."""
    window.press(f"paint_label(label_id={label_id})", region="paint_region()")
    window.until(f"panel().painted_label_id == {label_id}")
    untouched = digest(window, name)
    paint_a_stroke(window)
    window.until(f"digest({name!r}) != {untouched!r}", 10)
    time.sleep(1.0)  # or the stroke is still going on
    found = digest(window, name)
    assert found is not None
    return found


def mask_file(root: Root, name: str) -> Path:
    return root.job / "cars" / "masks" / f"{name}.png"


def test_the_next_view_saves_the_one_before(window: Window, root: Root) -> None:
    ready(window)
    window.ask("s = panel(); s.annotation_folder, s.trained_path = '/job/cars', '/job/cars.safetensors'")
    window.ask("s.annotation_subjects, s.annotation_views = 1, 3")
    assert do(window, "sample_views()") == "3 views, 3 still to paint"
    window.ask("panel().annotation_index = 0")
    window.ask("operator('paint_view()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    time.sleep(1.5)
    stroke(window, FIRST)
    assert window.value("unsaved()") == [FIRST]
    window.screenshot("20-not-saved")
    window.press("dnerf.next_view", columns=(0.75,), region="paint_region()")
    window.until("shown() == 's0000_v01 mask'")
    assert window.value("unsaved()") == []
    assert (palette_ids(mask_file(root, "s0000_v00")) == 2).sum() > 200


def test_undoing_and_repeating_strokes_keeps_them_known(window: Window, root: Root) -> None:
    """Also across a step that is undone by Blender's own way, which reads the images' datablocks again."""
    time.sleep(0.5)
    painted = stroke(window, "s0000_v01 mask")
    window.press("dnerf.save_mask(repair=False)", columns=(0.25,), region="paint_region()")
    window.until("'mask saved; 1 view still to paint' in current().status")
    saved = palette_ids(mask_file(root, "s0000_v01"))
    left, top, right, bottom = window.box("paint_region('WINDOW')")
    at = ((left + right) // 2, (top + bottom) // 2)
    window.key("ctrl+z", at=at)
    window.until(f"digest('s0000_v01 mask') != {painted!r}", 10)
    assert window.value("unsaved()") == ["s0000_v01 mask"], "the file has a stroke that has been undone since"
    window.key("ctrl+shift+z", at=at)
    window.until(f"digest('s0000_v01 mask') == {painted!r}", 10)
    assert not window.value("painted('s0000_v01 mask')")
    window.ask("bpy.context.scene.dnerf.seed = 5")
    window.ask(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.ed.undo_push(message='seed')"
    )
    again = stroke(window, "s0000_v01 mask", 3)
    window.ask("bpy.context.scene.dnerf.seed = 6")
    window.ask(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.ed.undo_push(message='seed')"
    )
    window.ask("bpy.ops.wm.save_as_mainfile(filepath='/job/undo.blend', copy=True)")
    assert window.value("unsaved()") == ["s0000_v01 mask"], "packed is not saved"
    window.key("ctrl+z", at=at)
    window.until("panel().seed == 5", 10)
    assert digest(window, "s0000_v01 mask") == again
    assert window.value("painted('s0000_v01 mask')") and window.value("unsaved()") == ["s0000_v01 mask"]
    window.press("dnerf.paint_view", columns=(0.25,), region="paint_region()")
    window.until("unsaved() == []")
    assert digest(window, "s0000_v01 mask") == again
    assert (palette_ids(mask_file(root, "s0000_v01")) != saved).any()
    assert window.value("bpy.data.images['s0000_v01 mask'].packed_file is not None"), "Blender 4.3 unpacks what it packs again"


def test_blender_asks_before_it_quits_with_strokes_that_no_file_has(window: Window, root: Root) -> None:
    window.ask("bpy.ops.wm.save_as_mainfile(filepath='/job/strokes.blend')")
    stroke(window, "s0000_v01 mask", 1)
    window.ask("bpy.context.preferences.view.use_save_prompt = True")
    window._xdotool("mousemove", "400", "500", "key", "ctrl+q")
    assert window.ended(3.0) is None, "it has not asked"
    window.screenshot("21-asks")
    window._xdotool("key", "Escape")
    time.sleep(0.5)


def test_a_saved_file_brings_strokes_and_picture_back(window: Window, root: Root) -> None:
    before = digest(window, "s0000_v01 mask")
    file = palette_ids(mask_file(root, "s0000_v01"))
    window.ask("bpy.ops.wm.save_mainfile()")
    assert window.value("unsaved()") == ["s0000_v01 mask"]
    window._xdotool("mousemove", "400", "500", "key", "ctrl+q")
    assert window.ended(20.0) == 0, "all is in the .blend file: there is nothing to ask"
    assert "Traceback" not in window.log()
    window.start("/job/strokes.blend")
    window.prepare()
    ready(window)
    assert digest(window, "s0000_v01 mask") == before
    assert window.value("unsaved()") == ["s0000_v01 mask"]
    window.until("lies_over()", 10)
    window.screenshot("22-opened-again")
    assert (palette_ids(mask_file(root, "s0000_v01")) == file).all()
    window.ask("operator('paint_view()')")
    window.until("unsaved() == []")
    assert digest(window, "s0000_v01 mask") == before
    assert (palette_ids(mask_file(root, "s0000_v01")) != file).any()


def test_the_picture_lies_over_after_the_extension_was_enabled_again(window: Window) -> None:
    name = "bl_ext.user_default.datasetnerf"
    window.ask(f"import addon_utils; addon_utils.disable({name!r}); addon_utils.enable({name!r})")
    window.prepare()
    ready(window)
    window.ask("[a.tag_redraw() for w in bpy.context.window_manager.windows for a in w.screen.areas]")
    window.until("lies_over()", 10)
    close_second_window(window)


def test_a_painted_edit_goes_on_after_its_file_was_opened_again(window: Window, root: Root) -> None:
    window.ask("s = panel(); s.seed, s.camera_count, s.subjects_folder, s.edit_steps = 3, 1, '/job/subjects', 4")
    do(window, "place_cameras()")
    do(window, "edit_mask()")
    window.until("len(bpy.context.window_manager.windows) == 2")
    time.sleep(1.5)
    window.press("edit_label(label_id=2)", region="paint_region()")
    untouched = digest(window, "s0003 edit mask")
    paint_a_stroke(window)
    window.until(f"digest('s0003 edit mask') != {untouched!r}", 10)
    time.sleep(1.0)
    painted = digest(window, "s0003 edit mask")
    window.ask("bpy.ops.wm.save_mainfile()")
    assert window.quit() == 0
    window.start("/job/strokes.blend")
    window.prepare()
    ready(window)
    window.until("lies_over()", 10)
    assert window.value("shown()") == "s0003 edit mask"
    assert do(window, "edit_mask()").startswith("s0003 edit mask: it goes on as it was painted")
    assert digest(window, "s0003 edit mask") == painted
    window.screenshot("23-edit-goes-on")
    window.press("apply_edit(repair=False)", region="paint_region()", columns=(0.25,))
    window.until("current().job is not None or 'taken' in current().status", 20)
    assert "of the painted pixels taken" in finish(window, 300)
    assert np.array_equal(digest(window, "s0003 edit mask"), painted)
