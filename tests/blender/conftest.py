"""What tests ask for: a fresh scene, the add-on with a worker, a small model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.blender.warm_engine import WarmEngine


@pytest.fixture
def scene() -> Any:
    """Blender's scene after everything else has been removed; skips where Blender is not installed as the module bpy."""
    bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.fixture(scope="session")
def warm_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmEngine]:
    """A process that has loaded the engine once, for all tests."""
    from tests.blender.addon import ENGINE_PYTHON, REPOSITORY

    engine = WarmEngine(tmp_path_factory.mktemp("warm"), ENGINE_PYTHON, REPOSITORY)
    yield engine
    engine.end()


@pytest.fixture
def session(tmp_path: Path, warm_engine: WarmEngine) -> Iterator[ModuleType]:
    """The module `session` of the add-on, enabled with a worker of its own."""
    from tests.blender.addon import enabled_addon

    with enabled_addon(warm_engine.script(tmp_path)) as module:
        yield module


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model of random weights, and beside it a subject's, `three.safetensors`; nobody changes them."""
    from tests.blender.test_operators import run_engine

    folder = tmp_path_factory.mktemp("small")
    run_engine(folder, "-m", "tests.blender.small_model", str(folder))
    return folder / "small.safetensors"
