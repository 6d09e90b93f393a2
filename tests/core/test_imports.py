"""Who may import whom: every module is parsed; light modules are imported in a fresh interpreter to see that torch stays out."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from headless.work import extension_build

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dnerf_core", "headless", "blender_addon")
CARRIED = (
    "alive.py",
    "camera.py",
    "camera_arcs.py",
    "camera_frames.py",
    "camera_pinhole.py",
    "checkpoints/safetensors_layout.py",
    "errors.py",
    "files/cloud_reading.py",
    "files/camera_files/nerf_transforms.py",
    "files/clouds.py",
    "files/names.py",
    "files/opening/json_text.py",
    "files/opening/regular_files.py",
    "files/opening/whole_png.py",
    "files/whole.py",
    "job_ranges.py",
    "labels.py",
    "limits.py",
    "own_views.py",
    "pointcloud/cloud.py",
    "poses/bone_map.py",
    "poses/clip.py",
    "poses/figure.py",
    "poses/retargeting.py",
    "poses/roles.py",
    "poses/rotations.py",
    "poses/skeleton.py",
    "ranges.py",
    "seeds.py",
    "shapes.py",
    "work/command_words.py",
    "worker_protocol.py",
)
"""Modules of dnerf_core that travel inside the extension, where only numpy and the standard library are at hand: paths inside it."""
ENGINE_ONLY = {
    "checkpoints/safetensors_layout.py": ("dnerf_core.backbone.specs",),
    "pointcloud/cloud.py": ("dnerf_core.files.cloud_formats",),
}
"""What a carried module imports for its annotations alone, and in a function that Blender's side does not call: a cloud's own save."""
CARRIED_MODULES = tuple(f"dnerf_core.{name.removesuffix('.py').replace('/', '.')}" for name in CARRIED)
ADDON_MAY_IMPORT = (
    "dnerf_core.alive",
    "dnerf_core.camera",
    "dnerf_core.checkpoints.safetensors_layout",
    "dnerf_core.errors",
    "dnerf_core.files.cloud_reading",
    "dnerf_core.files.camera_files.nerf_transforms",
    "dnerf_core.files.clouds",
    "dnerf_core.files.names",
    "dnerf_core.files.opening.regular_files",
    "dnerf_core.files.opening.whole_png",
    "dnerf_core.files.whole",
    "dnerf_core.job_ranges",
    "dnerf_core.labels",
    "dnerf_core.own_views",
    "dnerf_core.pointcloud.cloud",
    "dnerf_core.poses.bone_map",
    "dnerf_core.poses.clip",
    "dnerf_core.poses.retargeting",
    "dnerf_core.poses.skeleton",
    "dnerf_core.ranges",
    "dnerf_core.seeds",
    "dnerf_core.work.command_words",
    "dnerf_core.worker_protocol",
)


def imported_names(source: str, path: PurePosixPath) -> list[tuple[int, str]]:
    """(line, absolute dotted name) of every import in a module, `from a import b` as a.b; `import_module("x")` counts, too.

    `path` is relative to the repository; relative imports resolve against it, and stop at its root.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                folders = path.parent.parts
                base = [*folders[: max(len(folders) - node.level + 1, 0)], *base]
            found += [(node.lineno, ".".join([*base, alias.name])) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                found.append((node.lineno, node.args[0].value))
    return found


def _is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def _is_allowed(path: PurePosixPath, name: str) -> bool:
    package = path.parts[0]
    if package == "dnerf_core":
        return not _is_within(name, "bpy", "click", "headless", "blender_addon")
    if package == "headless":
        blend_writer = path.is_relative_to("headless/blend")
        return not _is_within(name, "blender_addon", "bpy") or (blend_writer and _is_within(name, "blender_addon.scene", "bpy"))
    if _is_within(name, "dnerf_core"):
        return _is_within(name, *ADDON_MAY_IMPORT)
    return not _is_within(name, "torch", "headless", "click")


def violations(source: str, path: str) -> list[str]:
    """One line for each import in `source` that a module at `path` (relative to the repository) may not have."""
    where = PurePosixPath(path)
    return [f"{path}:{line}: {name}" for line, name in imported_names(source, where) if not _is_allowed(where, name)]


def _modules() -> dict[str, PurePosixPath]:
    """Every module of the packages by dotted name, relative to the repository."""
    paths = [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): PurePosixPath(path.as_posix()) for path in paths}


def _arrows() -> dict[str, set[str]]:
    """Which modules each one imports, at its top or in a function; a package's `__init__` counts where the package itself is named."""
    modules = _modules()
    arrows: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = {imported for _, imported in imported_names((ROOT / path).read_text("utf-8"), path)}
        arrows[name] = {end for full in found if (end := full if full in modules else full.rpartition(".")[0]) in modules} - {
            name
        }
    return arrows


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that reach each other, by Tarjan's algorithm; none: there is no circle of imports."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for end in sorted(arrows[name]):
            if end not in order:
                visit(end)
                lowest[name] = min(lowest[name], lowest[end])
            elif end in stack:
                lowest[name] = min(lowest[name], order[end])
        if lowest[name] == order[name]:
            members = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            found.append(sorted(members))

    for name in arrows:
        if name not in order:
            visit(name)
    return [members for members in found if len(members) > 1]


def test_no_imports_go_in_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles(_arrows()) == []


def test_only_the_command_line_knows_click() -> None:
    for name, path in _modules().items():
        if path.parts[0] == "headless" and not path.is_relative_to("headless/commands") and path.name != "cli.py":
            imported = [full for _, full in imported_names((ROOT / path).read_text("utf-8"), path)]
            assert not [full for full in imported if _is_within(full, "click", "headless.commands", "headless.cli")], name


def test_rooms_stay_small() -> None:
    """A module that outgrows its page, or a folder its shelf, is two."""
    modules = _modules()
    assert {name: lines for name, path in modules.items() if (lines := (ROOT / path).read_text("utf-8").count("\n")) > 350} == {}
    shelves = Counter(path.parent.as_posix() for path in modules.values() if path.name != "__init__.py")
    assert {folder: count for folder, count in shelves.items() if count > 20} == {}


def test_no_module_imports_what_it_may_not() -> None:
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(modules) >= len(PACKAGES)
    assert [line for path in modules for line in violations(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("dnerf_core/model.py", "import bpy"),
        ("dnerf_core/model.py", "import click.testing"),
        ("dnerf_core/generator/eg3d.py", "from headless import jobs"),
        ("dnerf_core/model.py", "from ..blender_addon import scene"),
        ("dnerf_core/model.py", "def late():\n    if True:\n        import bpy"),
        ("dnerf_core/model.py", "import importlib\nimportlib.import_module('bpy')"),
        ("dnerf_core/model.py", "__import__('click')"),
        ("headless/cli.py", "import bpy"),
        ("headless/commands/blend.py", "import bpy"),
        ("headless/render.py", "from blender_addon.scene import arcs"),
        ("headless/blend/scene.py", "from blender_addon import operators"),
        ("headless/blend/scene.py", "import blender_addon"),
        ("blender_addon/operators.py", "import torch"),
        ("blender_addon/operators.py", "from torch.nn import Module"),
        ("blender_addon/operators.py", "import dnerf_core"),
        ("blender_addon/operators.py", "from dnerf_core import model"),
        ("blender_addon/operators.py", "from dnerf_core.camera_arcs import arc_angles"),
        ("blender_addon/scene/arcs.py", "from ...dnerf_core.model import Model"),
        ("blender_addon/bridge/client.py", "from headless.worker import run"),
    ],
)
def test_the_checker_finds_a_planted_import(path: str, source: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("dnerf_core/model.py", "import torch, bpy_types\nfrom .camera import Camera\nfrom dnerf_core.errors import DNeRFError"),
        ("headless/cli.py", "import click\nfrom dnerf_core.model import Model\nfrom .jobs import Job"),
        ("headless/blend/job.py", "import bpy\nfrom blender_addon.scene import arcs\nimport blender_addon.scene.cameras"),
        ("headless/blend/shot.py", "from blender_addon import scene"),
        ("blender_addon/operators.py", "import bpy\nfrom dnerf_core.camera import Camera\nfrom dnerf_core import labels"),
        ("blender_addon/scene/arcs.py", "from ...dnerf_core.camera import arc_cameras\nfrom ..bridge import client"),
    ],
)
def test_the_checker_lets_the_allowed_pass(path: str, source: str) -> None:
    assert violations(source, path) == []


def test_the_extension_carries_them() -> None:
    assert CARRIED == extension_build.CARRIED
    assert set(ADDON_MAY_IMPORT) <= set(CARRIED_MODULES)
    inits = {folder.joinpath("__init__.py").as_posix() for name in CARRIED for folder in Path(name).parents}
    assert set(extension_build.carried_files()) == {*CARRIED, *inits}


@pytest.mark.parametrize("name", CARRIED)
def test_carried_modules_need_numpy_and_the_standard_library_only(name: str) -> None:
    path = PurePosixPath("dnerf_core", name)
    allowed = {*CARRIED_MODULES, *ENGINE_ONLY.get(name, ())}
    for line, imported in imported_names((ROOT / path).read_text("utf-8"), path):
        known = imported.split(".")[0] in {*sys.stdlib_module_names, "numpy"} or _is_within(imported, *allowed)
        assert known, f"{path}:{line}: {imported}"


def _run_fresh(code: str, folder: Path) -> str:
    """Standard output of `code` in a new interpreter that starts in `folder` and sees no PYTHONPATH."""
    result = subprocess.run(
        [sys.executable, "-E", "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_light_modules_leave_torch_out() -> None:
    modules = ["dnerf_core", "dnerf_core.camera", "dnerf_core.labels", "dnerf_core.errors", "dnerf_core.generator.config"]
    modules += ["dnerf_core.metrics", "dnerf_core.pointcloud.fusion", "dnerf_core.multiview.consistency"]
    if (ROOT / "headless" / "cli.py").exists():
        modules.append("headless.cli")
    lines = [f"import {name}; print({name!r}, 'torch' in sys.modules)" for name in modules]
    assert _run_fresh("\n".join(["import sys", *lines]), ROOT).splitlines() == [f"{name} False" for name in modules]


def test_carried_modules_work_under_another_package_name(tmp_path: Path) -> None:
    inside = tmp_path / "extension" / "dnerf_core"
    inside.mkdir(parents=True)
    (inside.parent / "__init__.py").touch()
    for name in extension_build.carried_files():
        (inside / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "dnerf_core" / name, inside / name)
    code = f"import importlib, sys\nfor name in {CARRIED_MODULES}: importlib.import_module('extension.' + name)\n"
    code += "from extension.dnerf_core import camera as c, labels as l\n"
    code += "print(c.Camera.__module__, l.SHAPENET_CAR_LABELS.num_classes, 'dnerf_core' in sys.modules)"
    assert _run_fresh(code, tmp_path) == "extension.dnerf_core.camera_pinhole 5 False"
