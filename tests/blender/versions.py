"""The extension's file as another version would have it: built out of a copied tree with another version number."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from headless.work.engine_wheel import project_metadata
from tests.blender.addon import REPOSITORY

_BUILD = """
import sys
from pathlib import Path
from headless.work.extension_build import build_extension
build_extension(Path(sys.argv[1]))
"""
_PLACES = {"dnerf_core/__init__.py": '__version__ = "{}"', "blender_addon/version.py": 'ADDON_VERSION = "{}"'}


def source_tree(folder: Path, version: str) -> Path:
    """A copy of what the extension is built of, with that version number."""
    tree = folder / f"tree-{version}"
    unwanted = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.npz")
    for package in ("blender_addon", "dnerf_core", "headless"):
        shutil.copytree(REPOSITORY / package, tree / package, ignore=unwanted)
    for name, line in _PLACES.items():
        path = tree / name
        text = path.read_text("utf-8")
        (before,) = [found for found in text.splitlines() if found.startswith(line.partition("{")[0])]
        path.write_text(text.replace(before, line.format(version)), "utf-8")
    record = tree / f"datasetnerf-{version}.dist-info" / "METADATA"  # as pip would have installed that version
    record.parent.mkdir()
    text = re.sub(r"^Version: .*$", f"Version: {version}", project_metadata(), count=1, flags=re.MULTILINE)
    record.write_text(text, "utf-8")
    return tree


def extension_of_version(folder: Path, version: str) -> Path:
    """`datasetnerf-VERSION.zip` in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(source_tree(folder, version))}
    subprocess.run([sys.executable, "-P", "-c", _BUILD, str(folder)], env=environment, check=True, timeout=120)
    return folder / f"datasetnerf-{version}.zip"


def packages_of_a_bare_blender(folder: Path) -> Path:
    """This Python's packages without this project's, for a Python begun with `-S`: Blender's own has none of ours."""
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("dnerf_core", "headless", "blender_addon", "datasetnerf", "__editable__")):
            (packages / path.name).symlink_to(path)
    return packages
