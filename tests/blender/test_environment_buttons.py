"""Create Environment and its Cancel in the preferences, under pip's bpy."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from tests.blender.addon import enabled_addon, interpreter_script  # noqa: E402
from tests.blender.package_index import stand_in_wheel  # noqa: E402


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The preferences, with a folder of wheels that hold a stand-in for the engine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with enabled_addon(interpreter_script(tmp_path)):
        found = bpy.context.preferences.addons["blender_addon"].preferences
        found.environment_folder, found.wheel_folder = str(tmp_path / "env"), str(tmp_path)
        found.package, found.wheel_source, found.base_python = "datasetnerf", "INDEX", ""
        bpy.context.preferences.system.use_online_access = False
        stand_in_wheel(tmp_path)
        yield found


def test_it_asks_for_a_folder_and_for_permission(settings: Any, tmp_path: Path) -> None:
    settings.environment_folder = ""
    with pytest.raises(RuntimeError, match="expected a folder, found none named"):
        bpy.ops.dnerf.create_environment()
    settings.environment_folder = str(tmp_path / "env")
    for settings.wheel_source in ("INDEX", "MIRROR"):
        with pytest.raises(
            RuntimeError, match=r"permission to go online, found Blender offline; .* or choose a folder of wheels"
        ):
            bpy.ops.dnerf.create_environment()
    bpy.context.preferences.system.use_online_access = True
    with pytest.raises(RuntimeError, match="mirror: expected the address of a package index, found ''"):
        bpy.ops.dnerf.create_environment()
    settings.wheel_source, settings.environment_folder = "INDEX", str(tmp_path)
    with pytest.raises(RuntimeError, match="found something else in it"):
        bpy.ops.dnerf.create_environment()
    settings.package = "-r"
    settings.environment_folder = str(tmp_path / "env")
    with pytest.raises(RuntimeError, match="package: expected a name, a folder or a wheel, found '-r'"):
        bpy.ops.dnerf.create_environment()
    assert not (tmp_path / "env").exists()


def test_from_a_folder_of_wheels_offline_and_the_new_interpreter_is_the_chosen_one(settings: Any, tmp_path: Path) -> None:
    from blender_addon import session
    from blender_addon.environments import making
    from blender_addon.operators import environment

    settings.wheel_source = "FOLDER"
    assert session.current().ready_client() is not None
    before = settings.interpreter
    assert bpy.ops.dnerf.create_environment() == {"FINISHED"}
    assert not bpy.ops.dnerf.create_environment.poll(), "one at a time"
    assert environment.look_at_making() is not None and settings.interpreter == before
    found = making.current()
    assert found is not None and found.join(120) and found.succeeded, found.line
    assert environment.look_at_making() is None
    assert settings.interpreter == str(tmp_path / "env" / "env-1" / "bin" / "python")
    assert session.current().client is None, "the next click starts the new one"


def test_where_no_package_is_named_the_extensions_own_engine_is_installed(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.environments import making
    from blender_addon.environments import source as sources

    carried = tmp_path / "engine"
    carried.mkdir()
    wheel = stand_in_wheel(carried)
    monkeypatch.setattr(sources, "CARRIED_FOLDER", carried)
    for path in Path(settings.wheel_folder).glob("*.whl"):
        path.rename(path.with_name("other-1.0-py3-none-any.whl"))  # the folder need not have the engine
    settings.package, settings.wheel_source = " ", "FOLDER"
    assert bpy.ops.dnerf.create_environment() == {"FINISHED"}
    found = making.current()
    assert found is not None and found.join(120) and found.succeeded, found.line
    state = json.loads((tmp_path / "env" / "env-1" / "datasetnerf-environment.json").read_text("utf-8"))
    assert state["package"] == str(wheel)


def test_escape_is_for_the_preferences_alone_and_disabling_cancels_too(settings: Any, tmp_path: Path) -> None:
    from blender_addon.environments import making
    from blender_addon.operators.environment import DNERF_OT_cancel_environment as Cancel

    preferences, viewport = (SimpleNamespace(area=SimpleNamespace(type=name)) for name in ("PREFERENCES", "VIEW_3D"))
    escape, click = (SimpleNamespace(type=name) for name in ("ESC", "LEFTMOUSE"))
    button = SimpleNamespace(execute=lambda context: {"FINISHED"})
    settings.wheel_source = "FOLDER"
    assert not Cancel.poll(preferences), "nothing to cancel"
    bpy.ops.dnerf.create_environment()
    assert Cancel.poll(preferences) and Cancel.poll(viewport)
    assert Cancel.invoke(button, viewport, escape) == {"PASS_THROUGH"}, "ESC elsewhere means other things"
    assert Cancel.invoke(button, preferences, escape) == Cancel.invoke(button, viewport, click) == {"FINISHED"}
    found = making.current()
    assert found is not None
    end = time.monotonic() + 60
    while not (tmp_path / "env" / "env-1" / "bin").exists() and time.monotonic() < end:
        time.sleep(0.01)
    making.end()
    assert not found.running and found.cancelled and not (tmp_path / "env").exists()
    assert not Cancel.poll(preferences)
