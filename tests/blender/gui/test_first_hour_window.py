"""The first hour in a bare Blender, by the mouse: the zip is installed, an environment made to its end, and a labelled view seen.

The tests of this file go on from one another: run the whole file. What each step took is printed.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headless.work.extension_build import build_extension
from tests.blender.gui.conftest import _NAMES
from tests.blender.gui.engine_wheels import engine_wheels
from tests.blender.gui.pictures import keep_picture, record_panels
from tests.blender.gui.test_window import finish
from tests.blender.gui.window import Root, Window
from tests.blender.package_index import served_index

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

ID = "bl_ext.user_default.datasetnerf"
HOST_PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
PREFERENCES = """
def preferences_area():
    return next(a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "PREFERENCES")
def preferences_region():
    return next(r for r in preferences_area().regions if r.type == "WINDOW")
def refusal():
    return module("environments.making").refusal()
def making():
    return module("environments.making").current()
"""
BROWSER = """
def browser():
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "FILE_BROWSER" and len(w.screen.areas) == 1]
    return areas[0] if areas else None
def execute_region():
    return next(r for r in browser().regions if r.type == "EXECUTE")
def place_of(region):
    for window in bpy.context.window_manager.windows:
        if any(r == region for a in window.screen.areas for r in a.regions):
            return [window.x + region.x, window.y + region.y, region.width, region.height]
"""
CREATE = "dnerf.create_environment"
PLACE_PREFERENCES = (40, 40, 900, 1300)
"""Where tests put their window: left, top, width, height."""
IN_PREFERENCES = (500, 1250)
PREFERENCES_BOX = (215, 290, 940, 935)
"""Of what the preferences' window, where the test puts it, has of the extension."""
DEFAULT_BUTTON = (71, 114, 179)
"""Its colour in the dark theme."""
BYTES_A_SECOND = 60e6
"""Of the mirror of these tests: fast, but slow enough that a download is seen."""


@pytest.fixture(scope="module")
def bare_root(blender_root: Path | None, request: pytest.FixtureRequest) -> Iterator[Root]:
    """A root without the extension, and its zip in the job folder."""
    if blender_root is None:
        pytest.skip("no Blender with a window: make roots by tests/blender/gui/make_root.sh, name them in DNERF_BLENDER_ROOTS")
    root = Root(blender_root, Path(request.path).stem)
    build_extension(root.job)
    yield root
    for name in ("env", "source", "wheels", "home/.cache"):
        shutil.rmtree(root.job / name, ignore_errors=True)


@pytest.fixture(scope="module")
def bare_window(bare_root: Root) -> Iterator[Window]:
    with Window(bare_root) as found:
        yield found


@pytest.fixture(scope="module")
def wheels(bare_root: Root) -> Path:
    with timed("a folder of wheels, for the tests' mirror"):
        return engine_wheels(bare_root.job)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began_s:.1f} s")


def test_the_zip_is_installed_from_disk(bare_window: Window, bare_root: Root) -> None:
    """By Blender's own file browser, which Install from Disk opens, and its button."""
    window = bare_window
    (archive,) = bare_root.job.glob("datasetnerf-*.zip")
    with timed("installing the zip"):
        window.ask(
            "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): "
            "bpy.ops.extensions.package_install_files('INVOKE_DEFAULT', repo='user_default', enable_on_install=True)"
        )
        window.ask(BROWSER)
        window.until("browser() and browser().spaces.active.params")
        window.ask("browser().spaces.active.params.directory = b'/job/'")
        window.ask(f"browser().spaces.active.params.filename = {archive.name!r}")
        time.sleep(2.0)
        window.screenshot("60-install-from-disk")
        window.press("file.execute", region="execute_region()", columns=(0.9, 0.8, 0.7))
        window.until(f"{ID!r} in bpy.context.preferences.addons", 60)
    window.until("len(bpy.context.window_manager.windows) == 1")
    window.ask(_NAMES + PREFERENCES)
    record_panels(window, ["DNERF_Preferences"])


def test_blender_is_offline_until_the_user_allows_it(bare_window: Window) -> None:
    window = bare_window
    window.ask(f"addon.environment_folder, addon.base_python, addon.device = '/job/env', {str(HOST_PYTHON)!r}, 'cpu'")
    window.ask("bpy.context.preferences.system.use_online_access = False")
    window.open_side_panel()
    assert window.value("module('guidance.tips').SETUP.startswith('Next: open the preferences,')")
    window.screenshot("60-bare")
    window.press("dnerf.open_preferences")
    window.until("len(bpy.context.window_manager.windows) == 2", 20)
    time.sleep(1.0)
    window.place_window("Preferences", PLACE_PREFERENCES)
    time.sleep(1.0)
    create(window)
    window.screenshot("61-offline")
    assert "expected permission to go online, found Blender offline" in window.value("refusal()")


def test_a_python_that_makes_no_environments_and_a_mirror_that_is_none(bare_window: Window, bare_root: Root) -> None:
    """Debian's Blender rests on a Python without ensurepip."""
    window = bare_window
    window.ask("bpy.context.preferences.system.use_online_access = True")
    window.ask("addon.base_python = ''")
    create(window)
    window.until("making() and not making().running", 60)
    assert "found one without venv or ensurepip; install these" in window.value("making().line")
    window.ask(f"addon.base_python = {str(HOST_PYTHON)!r}")
    with served_index(bare_root.job, status=404) as url:
        window.ask(f"addon.wheel_source, addon.mirror_url = 'MIRROR', {url!r}")
        create(window)
        window.until("making().running", 10)
        window.until("not making().running", 90)
    time.sleep(1.0)
    window.screenshot("62-not-found")
    assert window.value("making().line").startswith(f"{url}: expected a package index, it answers 404 (not found); correct the")
    assert not (bare_root.job / "env").exists()


def test_create_environment_cancelled_by_escape_and_pressed_to_its_end(
    bare_window: Window, bare_root: Root, wheels: Path
) -> None:
    window = bare_window
    with served_index(wheels, bytes_a_second=BYTES_A_SECOND) as url:
        window.ask(f"addon.mirror_url = {url!r}")
        button = create(window)
        window.until("'downloading torch' in making().progress.text", 120)
        window.key("Escape", at=(button[0], button[1] - 200))
        window.until("not making().running", 30)
        assert window.value("making().line") == "/job/env: cancelled, nothing was kept of it"
        assert not (bare_root.job / "env").exists() and window.value("addon.interpreter") == ""
        with timed("Create Environment to its end"):
            create(window)
            seen = watch(window)
        assert window.value("making().succeeded"), window.value("making().line")
    assert window.value("addon.interpreter") == "/job/env/env-1/bin/python"
    downloads = [text for text in seen if text.startswith("downloading torch")]
    installs = [text for text in seen if text.startswith("installing: ")]
    assert len(downloads) > 3 and len(installs) > 3, seen
    assert {path.name for path in (bare_root.job / "env").iterdir()} == {"env-1"}
    window.screenshot("65-ready")
    window.press("dnerf.check_interpreter", region="preferences_region()")
    window.until("module('preferences').last_check()[0].startswith('datasetnerf ')", 120)
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]): bpy.ops.wm.window_close()")


def watch(window: Window) -> list[str]:
    """What the preferences say until the making has ended; its progress is seen in the place of the button."""
    seen: list[str] = []
    shots: list[Path] = []
    window.until("making().running", 10)
    while window.value("making().running"):
        text = str(window.value("making().progress.text"))
        if text not in seen:
            seen.append(text)
        if len(shots) < 2 and text.startswith(("downloading torch", "installing: ")[len(shots)]) and len(seen) > 3:
            time.sleep(0.5)
            shots.append(window.screenshot(f"{63 + len(shots)}-making"))
            if len(shots) == 2:
                keep_picture(window, "blender-environment", PREFERENCES_BOX, ["DNERF_Preferences"])
        time.sleep(0.1)
    first, second = (np.asarray(Image.open(shot).convert("L"), np.int16) for shot in shots)
    left, top, right, bottom = window.box("preferences_region()")
    assert (np.abs(first - second)[top:bottom, left:right] > 32).sum() > 100, "the progress has not moved"
    return seen


def test_the_first_labelled_view(bare_window: Window, bare_root: Root) -> None:
    window = bare_window
    window.open_side_panel()
    window.ask("bpy.context.scene.dnerf.views_folder = '/job/views'")
    with timed("the first labelled view"):
        window.press("dnerf.load_model")
        assert finish(window, 200) == "demo-cars: 256 px, 4 labels"
        window.learn_headers("live_preview")
        with window.panel("DNERF_PT_views") as top:
            window.press("dnerf.render_views", top=top + 40)
            window.until("len(bpy.context.scene.dnerf.view_items) > 0", 120)
    assert "3 views in" in finish(window)
    window.screenshot("66-first-views")
    with Image.open(bare_root.job / "views" / "masks" / "s0000_v00.png") as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 1, 2, 3, 4}
    assert "Traceback" not in window.log(), window.log()
    assert window.quit() == 0


def create(window: Window) -> tuple[int, int]:
    """Press Create Environment, and OK in its dialog; returns where the button is."""
    window.key("Escape", at=IN_PREFERENCES)  # from Blender 5 on, what was refused before stays until then
    x, y = window.find(CREATE, region="preferences_region()", columns=(0.5,), top=500)
    window.click(x, y)
    time.sleep(1.0)
    shot = window.screenshot("61-dialog")
    window.click(*ok_button(shot, y))
    window.settle()
    return x, y


def ok_button(shot: Path, below_y: int) -> tuple[int, int]:
    """The middle of the dialog's OK: of what has the colour of a default button, the lowest below a height."""
    with Image.open(shot) as image:
        colours = np.asarray(image.convert("RGB"), np.int16)[below_y : below_y + 250, :900]
    rows, columns = np.nonzero((np.abs(colours - DEFAULT_BUTTON) < 12).all(axis=2))
    assert len(rows) > 1000, f"no OK in {shot}"
    return int(np.median(columns)), below_y + int(np.median(rows))
