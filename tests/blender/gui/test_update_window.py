"""The extension is updated in a real Blender, its panel open, a job and the live preview running."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.blender.gui.conftest import _NAMES
from tests.blender.gui.test_window import MANY_VIEWS, finish
from tests.blender.gui.window import Root, Window
from tests.blender.versions import extension_of_version

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

INSTALL = """
with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
    bpy.ops.extensions.package_install_files(filepath={archive!r}, repo="user_default", enable_on_install=True)
"""
NEWER = "0.1.1"


def test_a_newer_version_takes_over_with_the_panel_open(window: Window, root: Root) -> None:
    archive = f"/job/{extension_of_version(root.job, NEWER).name}"
    window.ask("addon.model_folder, addon.package = '/models', 'a.whl'")
    window.ask(f"s = bpy.context.scene.dnerf; s.seed, s.camera_count, s.views_folder = 5, {MANY_VIEWS}, '/job/views'")
    older = window.value("sys.modules['bl_ext.user_default.datasetnerf'].ADDON_VERSION")
    assert older != NEWER
    window.press("dnerf.load_model")
    finish(window)
    window.press_property("live_preview")
    window.until("module('preview')._state.texture is not None", 60)
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.render_views()")
    window.until("current().job is not None and current().job.done > 0")
    window.screenshot("30-before-update")
    pid = window.value("current().client.pid")
    update(window, archive, NEWER)
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists(), "the older version's worker lives on"
    assert window.value("[addon.interpreter, addon.device, addon.model_folder, addon.package]") == [
        root.interpreter,
        "cpu",
        "/models",
        "a.whl",
    ]
    assert window.value("[bpy.context.scene.dnerf.seed, bpy.context.scene.dnerf.views_folder]") == [5, "/job/views"]
    use(window, root)
    window.screenshot("31-after-update")
    update(window, f"/job/datasetnerf-{older}.zip", older)
    use(window, root)
    assert "Traceback" not in window.log(), window.log()
    assert window.quit() == 0


def update(window: Window, archive: str, version: str) -> None:
    """Install it over the one that runs; the panel stays open, and is drawn by the new one."""
    window.ask(INSTALL.format(archive=archive))
    window.ask(_NAMES)
    window.open_side_panel()
    assert window.value(
        "[sys.modules['bl_ext.user_default.datasetnerf'].ADDON_VERSION, sys.modules['dnerf_core'].__version__]"
    ) == [
        version,
        version,
    ]


def use(window: Window, root: Root) -> None:
    """Buttons of the panel work, by the mouse: the model, the live preview, a view."""
    window.press("dnerf.load_model")
    assert finish(window) == "demo-cars: 256 px, 4 labels"
    window.press_property("live_preview")
    window.until("module('preview')._state.texture is not None", 60)
    window.ask("bpy.context.scene.dnerf.camera_count = 1")
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.render_views()")
    assert "1 view in" in finish(window)
    assert (root.job / "views" / "images" / "s0005_v00.png").is_file()
