"""A fresh scene for each test that asks for one."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def scene() -> Any:
    """Blender's scene after everything else has been removed; skips where Blender is not installed as the module bpy."""
    bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene
