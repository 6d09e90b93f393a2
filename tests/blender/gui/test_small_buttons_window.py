"""Small buttons that the days of the other window tests pass by, pressed by the mouse in a real Blender.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.blender.gui.test_edit_window import PIXELS, digest, do
from tests.blender.gui.test_first_hour_window import HOST_PYTHON, PLACE_PREFERENCES, PREFERENCES, create
from tests.blender.gui.test_painting_window import HELD, mask_file, stroke
from tests.blender.gui.test_window import close_second_window, finish, palette_ids
from tests.blender.gui.window import Root, Window
from tests.blender.package_index import stand_in_wheel

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

LONG = "Camera: expected a perspective camera, found an orthographic one; set its lens type. " * 4


def test_the_cross_goes_back_to_the_seed(window: Window) -> None:
    window.ask(PIXELS + HELD)
    window.press("dnerf.load_model")
    finish(window)
    window.ask("panel().subject_file = '/job/s.safetensors'")
    time.sleep(0.5)
    window.press("dnerf.use_seed", columns=(0.97, 0.95), top=300)
    window.until("panel().subject_file == ''", 5)


def test_a_long_line_is_shown_in_full(window: Window) -> None:
    window.ask(f"current().say({LONG!r}, 'CANCELLED')")  # what ended well is said after the tip of what comes next
    time.sleep(0.5)
    window.press("dnerf.show_line", columns=(0.97, 0.95))
    time.sleep(0.7)
    window.screenshot("80-whole-line")
    window.key("Escape", at=(300, 600))


def test_save_all_and_read_again(window: Window, root: Root) -> None:
    window.ask("s = panel(); s.annotation_folder, s.annotation_subjects, s.annotation_views = '/job/cars', 1, 2")
    assert do(window, "sample_views()") == "2 views, 2 still to paint"
    window.ask("operator('paint_view()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    time.sleep(1.5)
    saved = stroke(window, "s0000_v00 mask", 2)
    window.press("dnerf.save_masks", region="paint_region()", columns=(0.75,), top=520)
    window.until("unsaved() == []", 10)
    assert (palette_ids(mask_file(root, "s0000_v00")) == 2).sum() > 200
    assert stroke(window, "s0000_v00 mask", 3) != saved
    window.press("dnerf.read_mask_again", region="paint_region()", columns=(0.97, 0.95), top=560)
    time.sleep(0.7)  # it asks, with OK under the mouse
    window.screenshot("81-asks")
    window.click_again()
    window.until("unsaved() == []", 10)
    assert digest(window, "s0000_v00 mask") == saved
    assert set(np.unique(palette_ids(mask_file(root, "s0000_v00")))) == {0, 2}
    close_second_window(window)


def test_cancel_stands_in_the_place_of_create_environment(window: Window, root: Root) -> None:
    """While an engine starts that never will."""
    (root.job / "wheels").mkdir()
    stand_in_wheel(root.job / "wheels", engine="import time\ntime.sleep(300)\n")
    window.ask(PREFERENCES)
    before = window.value("addon.interpreter")
    window.ask(f"addon.environment_folder, addon.base_python = '/job/env', {str(HOST_PYTHON)!r}")
    window.ask("addon.package, addon.wheel_source, addon.wheel_folder = 'datasetnerf', 'FOLDER', '/job/wheels'")
    window.ask("operator('open_preferences()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    time.sleep(1.0)
    window.place_window("Preferences", PLACE_PREFERENCES)
    time.sleep(1.0)
    x, y = create(window)
    window.until("making().progress.text == 'starting the engine once'", 90)
    window.press("dnerf.cancel_environment", region="preferences_region()", columns=(0.985, 0.97), top=y - 20)
    window.until("not making().running", 30)
    window.hover(x, y + 300)
    time.sleep(0.5)
    window.screenshot("82-cancelled")
    assert window.value("making().line") == "/job/env: cancelled, nothing was kept of it"
    assert not (root.job / "env").exists() and window.value("addon.interpreter") == before
    assert window.find("dnerf.create_environment", region="preferences_region()", columns=(0.5,), top=500)[1] == y
    assert "Traceback" not in window.log(), window.log()
