"""The add-on in pip's bpy, straight from this repository, with a worker on this very Python."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINE_PYTHON = os.environ.get("DNERF_ENGINE_PYTHON", sys.executable)
"""A Python with torch, where this one has none."""


def interpreter_script(folder: Path, python: str = ENGINE_PYTHON, *, path: str = str(REPOSITORY)) -> Path:
    """A script that is `python` with this repository's code: what the preferences are given."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{python}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


@contextmanager
def enabled_addon(interpreter: Path, *, waits: bool = False) -> Iterator[ModuleType]:
    """The add-on enabled as Blender enables it; yields its module `session`.

    Args:
        waits: whether operators wait for their jobs, as they do without a window; else they return at once, as with one.
    """
    import addon_utils
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=False)
    assert addon_utils.enable("blender_addon", default_set=True) is not None
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.interpreter, preferences.device = str(interpreter), "cpu"
    from blender_addon import session
    from blender_addon.operators import base

    without_window = base.without_window
    base.without_window = lambda: waits
    try:
        yield session
    finally:
        base.without_window = without_window
        addon_utils.disable("blender_addon", default_set=True)
