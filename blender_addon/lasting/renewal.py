"""An update in a running Blender: modules of the version before are let go of, or they would be mixed with this version's.

Blender loads an updated extension anew, but not the engine's modules that it carries as a wheel; and where an add-on's files are replaced
by hand, it loads the package's first module alone anew.
"""

from __future__ import annotations

import importlib
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

CORE = "dnerf_core"
_VERSION = re.compile(r'^(?:ADDON_VERSION|__version__) = "([^"]+)"', re.MULTILINE)


def forget_stale(package: str, folder: Path) -> None:
    """Let go of loaded modules of another version than the add-on's files have: the engine's, and the add-on's own.

    The engine's stay where those on Python's path are not of that version either: nothing would be gained, and registering says so.

    Args:
        package: the add-on's name.
        folder: where its files are.
    """
    version = _version_in(folder / "version.py")
    core, own = sys.modules.get(CORE), sys.modules.get(f"{package}.version")
    core_is_stale = core is not None and core.__version__ != version and _version_on_path() == version
    if core_is_stale:
        _drop_modules_of(CORE)
        del sys.modules[CORE]
    if core_is_stale or (own is not None and version != own.ADDON_VERSION):
        _drop_modules_of(package)


def _version_on_path() -> str:
    """The version of the engine's modules that Python would load now; "" where it finds none."""
    importlib.invalidate_caches()
    spec = PathFinder.find_spec(CORE)
    return "" if spec is None or spec.origin is None else _version_in(Path(spec.origin))


def _version_in(path: Path) -> str:
    """What a module's text says that its version is; "" where it says nothing."""
    match = _VERSION.search(path.read_text("utf-8"))
    return "" if match is None else match[1]


def _drop_modules_of(package: str) -> None:
    """Python loads all modules of a package, which stays itself, from their files when they are asked for next."""
    start = f"{package}."
    for name in [name for name in sys.modules if name.startswith(start)]:
        vars(sys.modules[package]).pop(name.removeprefix(start).partition(".")[0], None)
        del sys.modules[name]
