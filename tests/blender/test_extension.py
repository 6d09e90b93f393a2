"""The extension under pip's bpy: Blender's own tool accepts it, it installs, registers, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from headless.work import extension_build  # noqa: E402
from tests.blender.addon import REPOSITORY, enabled_addon, interpreter_script  # noqa: E402

INSTALL = """
import json, sys
import bpy
before = (set(dir(bpy.types)), set(dir(bpy.ops)), len(bpy.app.handlers.load_pre))
def handlers():
    return len(bpy.app.handlers.load_pre)
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
import bl_ext.user_default.datasetnerf as addon
import dnerf_core
told = {
    "addon": addon.__file__, "core": dnerf_core.__file__, "torch": "torch" in sys.modules,
    "seed": bpy.context.scene.dnerf.seed, "preferences": addon.__package__ in bpy.context.preferences.addons,
}
bpy.ops.preferences.addon_disable(module="bl_ext.user_default.datasetnerf")
told["left"] = sorted(name for name in set(dir(bpy.types)) - before[0] if "dnerf" in name.lower())
told["property"] = hasattr(bpy.types.Scene, "dnerf")
told["handlers"] = handlers() - before[2]
bpy.ops.preferences.addon_enable(module="bl_ext.user_default.datasetnerf")
told["again"] = bpy.context.scene.dnerf.seed
print(json.dumps(told))
"""


def install(tmp_path: Path, *, path: str = "") -> dict:
    """What a fresh Blender, with a home of its own, says after it has installed, disabled and enabled the extension."""
    archive, validated = extension_build.build_extension(tmp_path)
    assert validated
    environment = {**os.environ, "HOME": str(tmp_path), "BLENDER_USER_RESOURCES": str(tmp_path / "user"), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-P", "-c", INSTALL, str(archive)],
        env=environment,
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_installs_and_disabling_leaves_nothing_behind(tmp_path: Path) -> None:
    told = install(tmp_path)
    assert Path(told["addon"]).is_relative_to(tmp_path)
    assert told["preferences"] and told["seed"] == told["again"] == 0
    assert (told["left"], told["property"], told["handlers"], told["torch"]) == ([], False, 0, False)


def test_an_installed_engine_of_the_same_version_may_hide_the_wheel(tmp_path: Path) -> None:
    told = install(tmp_path, path=str(REPOSITORY))
    assert told["seed"] == 0, "the extension works with either"


def test_an_engine_of_another_version_is_refused_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    import dnerf_core
    from blender_addon import registration

    monkeypatch.setattr(dnerf_core, "__version__", "9.9.9")
    with pytest.raises(
        ImportError, match=r"expected dnerf_core of the same version in Blender's Python, found 9\.9\.9 at .*dnerf_core"
    ):
        registration.register()
    assert not hasattr(bpy.types.Scene, "dnerf")


def test_one_version_everywhere() -> None:
    import blender_addon
    import dnerf_core

    assert dnerf_core.__version__ == blender_addon.ADDON_VERSION


def test_blenders_own_tool_builds_the_same_files(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(extension_build.extension_archive()))
    source, built = tmp_path / "source", tmp_path / "built.zip"
    archive.extractall(source)
    command = [sys.executable, str(extension_build.blender_tool()), "build", "--source-dir", str(source)]
    subprocess.run([*command, "--output-filepath", str(built)], check=True, timeout=120, capture_output=True)
    assert set(zipfile.ZipFile(built).namelist()) >= set(archive.namelist())


def test_the_check_button_shows_version_and_device(tmp_path: Path) -> None:
    with enabled_addon(interpreter_script(tmp_path)):
        from blender_addon import preferences
        from blender_addon.operators import environment

        assert bpy.ops.dnerf.check_interpreter() == {"FINISHED"}
        assert not bpy.ops.dnerf.check_interpreter.poll(), "one at a time"
        environment.check_thread().join(90)
        assert environment.look() is None
        line, ok = preferences.last_check()
        assert ok and line.startswith("datasetnerf ") and "torch" in line and "CPU with" in line and "GiB free" in line, line
