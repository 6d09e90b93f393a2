"""The roots that hold a real Blender, and one window in each."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def root(blender_root: Path | None, request: pytest.FixtureRequest) -> Root:
    """A root with the extension installed as a user installs it."""
    if blender_root is None:
        pytest.skip("no Blender with a window: make roots by tests/blender/gui/make_root.sh, name them in DNERF_BLENDER_ROOTS")
    found = Root(blender_root, Path(request.path).stem)
    archive, _ = build_extension(found.job)
    said = found.run("blender", "--command", "extension", "install-file", "-r", "user_default", "-e", f"/job/{archive.name}")
    assert 'Installed "datasetnerf"' in said
    return found


@pytest.fixture(scope="module")
def window(root: Root) -> Iterator[Window]:
    """Blender with its side panel open at DatasetNeRF, and an interpreter named in the preferences."""
    with Window(root) as found:
        found.prepare = lambda: prepare(found, root)
        found.prepare()
        yield found


def prepare(window: Window, root: Root) -> None:
    """What each start of Blender begins with."""
    window.ask(_NAMES)
    window.ask(f"addon.interpreter, addon.device = {root.interpreter!r}, 'cpu'")
    window.open_side_panel()
