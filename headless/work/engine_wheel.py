"""The engine as a wheel, made of the files that run: what the Blender extension carries, so that an artist needs no other file.

Same sources, same bytes, as `extension_build` has it.
"""

from __future__ import annotations

import importlib.metadata

from dnerf_core import __version__
from dnerf_core.errors import UsageError
from headless.work.wheel_files import archive, package_files, with_record

PROJECT = "datasetnerf"
WHEEL_NAME = f"{PROJECT}-{__version__}-py3-none-any.whl"
_PACKAGES = ("dnerf_core", "headless", "blender_addon")
_DIST_INFO = f"{PROJECT}-{__version__}.dist-info"
_ENTRY_POINTS = "[console_scripts]\ndnerf-headless = headless.cli:main\n"


def engine_wheel() -> bytes:
    """All of datasetnerf for any Python from 3.11 on, demo models included (PEP 427, with RECORD).

    Raises:
        UsageError: this program is not installed, so that nothing tells which packages it needs.
    """
    entries = {f"{_DIST_INFO}/METADATA": project_metadata().encode(), f"{_DIST_INFO}/entry_points.txt": _ENTRY_POINTS.encode()}
    for package in _PACKAGES:
        entries |= {f"{package}/{name}": content for name, content in package_files(package).items()}
    return archive(with_record(entries, _DIST_INFO))


def project_metadata() -> str:
    """What pip has kept of the project: its name, version and what it needs.

    In a folder of sources setuptools leaves a record of its own, which Python finds before pip's where it is started there.

    Raises:
        UsageError: pip has kept nothing, or has another version's.
    """
    remedy = "install datasetnerf again, by pip"
    records = list(importlib.metadata.distributions(name=PROJECT))
    kept = [(record.version, text) for record in records if (text := record.read_text("METADATA")) is not None]
    if not kept:
        raise UsageError(
            f"extension: expected {PROJECT} installed by pip, which knows what it needs, found no record of it; {remedy}"
        )
    version, text = kept[0]
    if version != __version__:
        raise UsageError(f"extension: expected pip's record of {PROJECT} {__version__}, found one of {version}; {remedy}")
    return text
