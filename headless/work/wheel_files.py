"""Wheels and extensions as bytes: entries sorted, without dates, stored as they are, so that equal ones are equal to the bit."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import zipfile
from pathlib import Path

from dnerf_core.errors import UsageError

_WHEEL = "Wheel-Version: 1.0\nGenerator: dnerf-headless\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def package_folder(name: str) -> Path:
    """Where a package lies, without importing it.

    Raises:
        UsageError: it is not there.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UsageError(f"extension: expected the package {name} beside this program, found none; install datasetnerf again")
    return Path(spec.origin).parent


def package_files(name: str) -> dict[str, bytes]:
    """All files of a package but what Python has compiled: path inside it to content.

    Raises:
        UsageError: it is not there.
    """
    folder = package_folder(name)
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def with_record(entries: dict[str, bytes], dist_info: str) -> dict[str, bytes]:
    """The entries of a wheel, with WHEEL and RECORD (PEP 427).

    Args:
        entries: path to content, METADATA in the folder `dist_info` among them.
    """
    entries = {**entries, f"{dist_info}/WHEEL": _WHEEL.encode()}
    record = f"{dist_info}/RECORD"
    lines = [f"{name},sha256={_record_digest(data)},{len(data)}" for name, data in sorted(entries.items())]
    return {**entries, record: "\n".join([*lines, f"{record},,", ""]).encode()}


def archive(entries: dict[str, bytes]) -> bytes:
    """A zip of entries, path to content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16  # the same on every system: a plain file, rw-r--r--
            file.writestr(info, entries[name])
    return buffer.getvalue()


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
