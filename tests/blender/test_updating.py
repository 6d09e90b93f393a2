"""An update in a running Blender: one version's file is installed over another's, and nothing of the one before is left or lost."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from tests.blender.addon import interpreter_script  # noqa: E402
from tests.blender.versions import extension_of_version, packages_of_a_bare_blender, source_tree  # noqa: E402

VERSIONS = ("0.1.0", "0.1.1", "0.1.0")
"""The last is a step back, which is the same to Blender."""

UPDATE = """
import gc, json, sys, time
import bpy
ID = "bl_ext.user_default.datasetnerf"
HANDLERS = ("load_pre", "load_post", "depsgraph_update_post", "frame_change_post", "undo_post", "redo_post")
KEPT = {"interpreter": sys.argv[1], "device": "cpu", "model_folder": "/models", "environment_folder": "/env", "package": "a.whl",
    "wheel_source": "MIRROR", "mirror_url": "https://host/simple", "wheel_folder": "/wheels", "base_python": "/python"}

def handlers():
    return {name: sorted(getattr(item, "__module__", "") for item in getattr(bpy.app.handlers, name)) for name in HANDLERS}

def module(name):
    return sys.modules[f"{ID}.{name}"]

def preferences():
    return bpy.context.preferences.addons[ID].preferences

def running(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

def stale_timers():
    timers = [item for item in gc.get_objects() if type(item).__name__ == "Timer" and type(item).__module__.startswith(ID)]
    ours = module("lasting.timers").Timer
    return [type(item).__module__ for item in timers if type(item) is not ours and item.runs]

before, said = handlers(), []
pid = None
for number, archive in enumerate(sys.argv[2:]):
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    assert ID in bpy.context.preferences.addons, "the extension is not enabled any more, its preferences are lost"
    settings = bpy.context.scene.dnerf
    if number == 0:
        for name, value in KEPT.items():
            setattr(preferences(), name, value)
        settings.seed, settings.truncation, settings.views_folder = 42, 0.5, "//mine"
        settings.annotation_items.add().name = "s0000_v00"
    added = {name: [place for place in found if place.startswith(ID)] for name, found in handlers().items()}
    classes = [name for name in dir(bpy.types) if name.startswith("DNERF_")]
    said.append({
        "version": sys.modules[ID].ADDON_VERSION,
        "registered": module("registration").ADDON_VERSION,
        "core": sys.modules["dnerf_core"].__version__,
        "error": module("scene.errors").SceneError.__mro__[1] is sys.modules["dnerf_core.errors"].UsageError,
        "kept": {name: getattr(preferences(), name) for name in KEPT} == KEPT,
        "scene": [settings.seed, settings.truncation, settings.views_folder, [item.name for item in settings.annotation_items]],
        "handlers": added,
        "classes": classes,
        "current": all(getattr(bpy.types, name) is vars(sys.modules[getattr(bpy.types, name).__module__])[name] for name in classes),
        "stale": stale_timers(),
        "outlived": pid is not None and running(pid),
    })
    session = module("session").current()
    bpy.ops.dnerf.load_model()
    assert session.wait(120) and session.level == "INFO", session.status
    said[-1]["status"] = session.status
    settings.camera_count, settings.views_folder = 200, sys.argv[1] + "-views"
    bpy.ops.dnerf.render_views(wait=False)
    while not session.job.done:
        session.poll()
        time.sleep(0.005)
    assert not bpy.ops.dnerf.load_model.poll()
    module("operators.environment")._look_timer.start()
    settings.views_folder = "//mine"
    pid = session.client.pid
bpy.ops.preferences.addon_disable(module=ID)
said.append({"handlers": handlers() == before, "classes": [name for name in dir(bpy.types) if name.startswith("DNERF_")]})
print(json.dumps(said))
"""


@pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
def test_a_version_is_installed_over_another_and_all_settings_are_kept(tmp_path: Path) -> None:
    """Each is left in the middle of a job, with its worker and its timers running."""
    archives = {version: extension_of_version(tmp_path, version) for version in dict.fromkeys(VERSIONS)}
    (tmp_path / "engine").mkdir()
    script = interpreter_script(tmp_path / "engine")
    packages = str(packages_of_a_bare_blender(tmp_path))
    environment = {**os.environ, "HOME": str(tmp_path), "BLENDER_USER_RESOURCES": str(tmp_path / "user"), "PYTHONPATH": packages}
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", UPDATE, str(script), *(str(archives[version]) for version in VERSIONS)],
        env=environment,
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    *found, last = json.loads(done.stdout.splitlines()[-1])
    assert [(each["version"], each["registered"], each["core"]) for each in found] == [(version,) * 3 for version in VERSIONS]
    first = found[0]
    for each in found:
        assert each["kept"] and each["scene"] == [42, 0.5, "//mine", ["s0000_v00"]]
        assert (each["handlers"], each["classes"]) == (first["handlers"], first["classes"]) and len(each["classes"]) > 40
        assert each["current"] and each["error"], "classes and modules of two versions are mixed"
        assert each["stale"] == [] and not each["outlived"]
        assert each["status"] == "demo-cars: 256 px, 4 labels"
    assert last == {"handlers": True, "classes": []}


BY_HAND = """
import sys, os, shutil
from pathlib import Path
import bpy
import addon_utils
addons, trees = Path(sys.argv[1]), sys.argv[2:]
sys.path.insert(0, str(addons))
for number, tree in enumerate(trees):
    for name in ("blender_addon", "dnerf_core"):
        shutil.rmtree(addons / name, ignore_errors=True)
        shutil.copytree(Path(tree, name), addons / name)
    os.utime(addons / "blender_addon" / "__init__.py", (number + 1, number + 1))
    module = addon_utils.enable("blender_addon", default_set=True)
    assert module is not None
    found = [module.ADDON_VERSION, sys.modules["blender_addon.registration"].ADDON_VERSION, sys.modules["dnerf_core"].__version__]
    assert sys.modules["blender_addon.scene.errors"].UsageError is sys.modules["dnerf_core.errors"].UsageError
    print("found", *found)
    if number == 0:
        bpy.context.preferences.addons["blender_addon"].preferences.model_folder = "/models"
    assert bpy.context.preferences.addons["blender_addon"].preferences.model_folder == "/models"
    addon_utils.disable("blender_addon")
    assert not hasattr(bpy.types.Scene, "dnerf")
"""


def test_files_replaced_by_hand_are_loaded_whole(tmp_path: Path) -> None:
    """Disabled, replaced and enabled again: Blender itself loads the package's first module alone anew."""
    trees = {version: str(source_tree(tmp_path, version)) for version in dict.fromkeys(VERSIONS)}
    addons = tmp_path / "addons"
    addons.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-c", BY_HAND, str(addons), *(trees[version] for version in VERSIONS)],
        env={**os.environ, "HOME": str(tmp_path), "BLENDER_USER_RESOURCES": str(tmp_path / "user"), "PYTHONPATH": ""},
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("found")]
    assert lines == [f"found {version} {version} {version}" for version in VERSIONS]


def test_registering_that_breaks_off_leaves_nothing_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon import registration
    from blender_addon.operators import keys

    def break_off() -> None:
        raise RuntimeError("no keys here")

    handlers = len(bpy.app.handlers.load_pre)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "register", break_off)
        with pytest.raises(RuntimeError, match="no keys here"):
            registration.register()
    left = [name for name in dir(bpy.types) if name.startswith("DNERF_")]
    assert (left, hasattr(bpy.types.Scene, "dnerf"), len(bpy.app.handlers.load_pre)) == ([], False, handlers)
    registration.register()
    registration.unregister()
    assert not hasattr(bpy.types.Scene, "dnerf")


def test_a_part_that_cannot_be_taken_back_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon import registration
    from blender_addon.operators import keys

    def break_off() -> None:
        raise RuntimeError("the keys are gone")

    handlers = len(bpy.app.handlers.load_pre)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "unregister", break_off)
        registration.register()
        with pytest.raises(RuntimeError, match="the keys are gone"):
            registration.unregister()
    left = [name for name in dir(bpy.types) if name.startswith("DNERF_")]
    assert (left, hasattr(bpy.types.Scene, "dnerf"), len(bpy.app.handlers.load_pre)) == ([], False, handlers)
