"""The Blender extension as one file: the add-on, its manifest, the engine, and as a wheel of their own the few modules that Blender loads.

Same sources, same bytes: the entries are sorted, carry no dates and are stored as they are.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dnerf_core import __version__
from dnerf_core.errors import OutputError
from dnerf_core.files import whole as files
from headless.work import engine_wheel
from headless.work.wheel_files import archive, package_files, package_folder, with_record

EXTENSION_ID = "datasetnerf"
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
"""Modules of dnerf_core that Blender's own Python can load: they need numpy and the standard library only. Paths inside it."""

MANIFEST = """\
schema_version = "1.0.0"

id = "{id}"
version = "{version}"
name = "DatasetNeRF"
tagline = "Labelled views, label videos and part-segmented point clouds"
maintainer = "DatasetNeRF authors"
type = "add-on"
license = ["SPDX:GPL-3.0-or-later"]
website = "https://arxiv.org/abs/2311.12063"
blender_version_min = "4.2.0"
tags = ["3D View", "Render"]
{wheels}
[permissions]
files = "Read model files, write rendered views and labels"
network = "Install the engine where you ask for it"
"""

_DIST_INFO = f"{EXTENSION_ID}_core-{__version__}.dist-info"
WHEEL_NAME = f"{EXTENSION_ID}_core-{__version__}-py3-none-any.whl"
_METADATA = f"""\
Metadata-Version: 2.1
Name: {EXTENSION_ID}-core
Version: {__version__}
Summary: Cameras and labels of DatasetNeRF, as its Blender extension carries them
License: GPL-3.0-or-later
Requires-Python: >=3.11
"""
_VALIDATION_LIMIT_S = 60


def manifest_text(wheels: Iterable[str] = ()) -> str:
    """The text of blender_manifest.toml; `wheels` are paths inside the extension."""
    named = ", ".join(f'"./{wheel}"' for wheel in wheels)
    return MANIFEST.format(id=EXTENSION_ID, version=__version__, wheels=f"wheels = [{named}]\n" if named else "")


def carried_files() -> list[str]:
    """The carried modules and the `__init__` of every package that they lie in, paths inside dnerf_core, sorted."""
    packages = {folder for name in CARRIED for folder in PurePosixPath(name).parents}
    return sorted({*CARRIED, *((folder / "__init__.py").as_posix() for folder in packages)})


def core_wheel() -> bytes:
    """The carried modules of dnerf_core as a wheel for any Python from 3.11 on (PEP 427, with RECORD)."""
    core = package_folder("dnerf_core")
    entries = {f"dnerf_core/{name}": (core / name).read_bytes() for name in carried_files()}
    entries[f"{_DIST_INFO}/METADATA"] = _METADATA.encode()
    return archive(with_record(entries, _DIST_INFO))


def extension_archive() -> bytes:
    """The whole extension: what Blender installs. It carries the engine, for the environment that it makes.

    Raises:
        UsageError: the add-on's own files are not at hand, or this program is not installed.
    """
    entries = package_files("blender_addon")
    wheel = f"wheels/{WHEEL_NAME}"
    entries |= {"blender_manifest.toml": manifest_text([wheel]).encode(), wheel: core_wheel()}
    entries[f"engine/{engine_wheel.WHEEL_NAME}"] = engine_wheel.engine_wheel()
    return archive(entries)


def build_extension(folder: Path) -> tuple[Path, bool]:
    """Write the extension to `folder`, which is made where it is missing.

    Returns:
        The file, and whether Blender's own tool has looked at it: only where bpy is installed beside this program.

    Raises:
        OutputError: it cannot be written, or Blender's tool refuses it.
    """
    path = folder / f"{EXTENSION_ID}-{__version__}.zip"
    content = extension_archive()
    files.make_folder(folder)
    tool = blender_tool()
    with files.whole_file(path) as temporary:
        temporary.write_bytes(content)
        if tool is not None:
            _validate(tool, temporary, path)
    return path, tool is not None


def blender_tool() -> Path | None:
    """Blender's extension tool, of the bpy that is installed beside this program; None where there is none."""
    spec = importlib.util.find_spec("bpy")
    folders = [] if spec is None or spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    tools = [tool for folder in folders for tool in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")]
    return tools[0] if tools else None


def _validate(tool: Path, archive: Path, named: Path) -> None:
    # the tool goes by the ending of the name, which the temporary file shares
    command = [sys.executable, str(tool), "validate", str(archive)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_VALIDATION_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise OutputError(f"{named}: expected Blender's tool to check it, it did not end in {_VALIDATION_LIMIT_S} s") from None
    if result.returncode:
        output = " ".join((result.stdout + result.stderr).split())
        raise OutputError(
            f"{named}: expected an extension that Blender accepts, its tool says: {output}; install datasetnerf again"
        )
