"""The Blender extension as one file: the add-on, its manifest, and the few modules of the engine that it carries, as a wheel.

Same sources, same bytes: the entries are sorted, carry no dates and are stored as they are.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dnerf_core import __version__
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files import whole as files

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
_WHEEL = "Wheel-Version: 1.0\nGenerator: dnerf-headless\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
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
    core = _package_folder("dnerf_core")
    entries = {f"dnerf_core/{name}": (core / name).read_bytes() for name in carried_files()}
    entries[f"{_DIST_INFO}/METADATA"] = _METADATA.encode()
    entries[f"{_DIST_INFO}/WHEEL"] = _WHEEL.encode()
    record = f"{_DIST_INFO}/RECORD"
    lines = [f"{name},sha256={_record_digest(data)},{len(data)}" for name, data in sorted(entries.items())]
    entries[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    return _archive(entries)


def extension_archive() -> bytes:
    """The whole extension: what Blender installs.

    Raises:
        UsageError: the add-on's own files are not at hand.
    """
    addon = _package_folder("blender_addon")
    sources = [path for path in addon.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    entries = {PurePosixPath(*path.relative_to(addon).parts).as_posix(): path.read_bytes() for path in sources}
    wheel = f"wheels/{WHEEL_NAME}"
    entries |= {"blender_manifest.toml": manifest_text([wheel]).encode(), wheel: core_wheel()}
    return _archive(entries)


def build_extension(folder: Path) -> tuple[Path, bool]:
    """Write the extension to `folder`, which is made where it is missing.

    Returns:
        The file, and whether Blender's own tool has looked at it: only where bpy is installed beside this program.

    Raises:
        OutputError: it cannot be written, or Blender's tool refuses it.
    """
    path = folder / f"{EXTENSION_ID}-{__version__}.zip"
    archive = extension_archive()
    files.make_folder(folder)
    tool = blender_tool()
    with files.whole_file(path) as temporary:
        temporary.write_bytes(archive)
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


def _package_folder(name: str) -> Path:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UsageError(f"extension: expected the package {name} beside this program, found none; install datasetnerf again")
    return Path(spec.origin).parent


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _archive(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16  # the same on every system: a plain file, rw-r--r--
            archive.writestr(info, entries[name])
    return buffer.getvalue()
