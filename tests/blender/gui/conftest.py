"""The roots that hold a real Blender, and one window in each."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headless.work.extension_build import build_extension
from tests.blender.gui.window import Root, Window

ROOTS = [Path(path) for path in os.environ.get("DNERF_BLENDER_ROOTS", "").split(os.pathsep) if path]
_NAMES = """
import sys
addon = bpy.context.preferences.addons["bl_ext.user_default.datasetnerf"].preferences
def module(name):
    return sys.modules["bl_ext.user_default.datasetnerf." + name]
def current():
    return module("session").current()
def idle():
    return current().job is None and current().status
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "blender_root" in metafunc.fixturenames:
        metafunc.parametrize(
            "blender_root", ROOTS or [None], ids=lambda root: "none" if root is None else root.name, scope="module"
        )


@pytest.fixture(scope="session")
def installed() -> Callable[[Path], Root]:
    """A root's first job folder, where the extension was installed as a user installs it: its zip, and the home folder since then."""

    @functools.cache
    def install(blender_root: Path) -> Root:
        first = Root(blender_root, f"installed-{os.getpid()}")
        archive, _ = build_extension(first.job)
        said = first.run("blender", "--command", "extension", "install-file", "-r", "user_default", "-e", f"/job/{archive.name}")
        assert 'Installed "datasetnerf"' in said
        return first

    return install


@pytest.fixture(scope="module")
def root(blender_root: Path | None, request: pytest.FixtureRequest, installed: Callable[[Path], Root]) -> Root:
    """A root with the extension as it is right after it was installed."""
    if blender_root is None:
        pytest.skip("no Blender with a window: make roots by tests/blender/gui/make_root.sh, name them in DNERF_BLENDER_ROOTS")
    found, first = Root(blender_root, Path(request.path).stem), installed(blender_root)
    shutil.copytree(first.job / "home", found.job / "home", symlinks=True, dirs_exist_ok=True)
    for archive in first.job.glob("datasetnerf-*.zip"):
        shutil.copy(archive, found.job)
    return found


@pytest.fixture(scope="module")
def window(root: Root, request: pytest.FixtureRequest) -> Iterator[Window]:
    """Blender with its side panel open at DatasetNeRF, and an interpreter named in the preferences."""
    smooth = getattr(request.module, "SMOOTH_VIEWPORTS", False)
    with Window(root) as found:
        found.prepare = lambda: prepare(found, root, smooth=smooth)
        found.prepare()
        yield found


def prepare(window: Window, root: Root, *, smooth: bool = False) -> None:
    """What each start of Blender begins with; `smooth`: viewports have smooth edges, as a user's have, see `inside.py`."""
    window.ask(_NAMES)
    if smooth:
        window.ask("bpy.context.preferences.system.viewport_aa = smoothing")
    window.ask(f"addon.interpreter, addon.device = {root.interpreter!r}, 'cpu'")
    window.open_side_panel()
