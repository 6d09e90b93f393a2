"""How far pip is: by what it says, and by the bytes that have come, since it says nothing while it downloads or unpacks."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path

_KEPT_LINES = 400
_LOG_BYTES = 4 * 2**20
_COLLECTING = re.compile(r"(?:Collecting|Processing) (?P<what>\S+)")
_DOWNLOADING = re.compile(r"Downloading (?P<file>\S+\.(?:whl|tar\.gz|zip)) \((?P<amount>[0-9.]+) (?P<unit>[kMG]?B)\)")
_INSTALLING = re.compile(r"Installing collected packages: (?P<names>.+)")
_BUILDING = re.compile(r"(?:Building wheel for|Preparing metadata for|Installing build dependencies) ?(?P<what>\S*)")
_BROKEN = re.compile(r"Retrying \(|connection broken|Connection timed out while downloading")
_UNITS = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


class PipOutput:
    """What pip has said so far.

    Attributes:
        lines: the last of it.
        packages: how many it installs; 0: not known yet.
    """

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.packages = 0
        self._text = "looking for packages"
        self._file, self._file_bytes = "", 0
        self._downloads = 0

    def hear(self, line: str) -> None:
        """Take in a line."""
        line = line.strip()
        if not line:
            return
        self.lines.append(line)
        if match := _DOWNLOADING.search(line):
            self._file, self._text = _project(match["file"]), ""
            self._file_bytes = int(float(match["amount"]) * _UNITS[match["unit"]])
            self._downloads += 1
        elif match := _INSTALLING.match(line):
            self.packages, self._file, self._text = len(match["names"].split(",")), "", ""
        elif _BROKEN.search(line):
            self._file, self._text = "", "the connection broke; trying again"
        elif match := _COLLECTING.match(line):
            self._file, self._text = "", f"looking for {_project(match['what'])}"
        elif match := _BUILDING.search(line):
            self._file, self._text = "", f"building {match['what']}".rstrip()

    def progress(self, file_bytes: int, installed: int, installed_bytes: int) -> tuple[str, float]:
        """What happens now, and how much of that is done, 0 to 1.

        Args:
            file_bytes: how much of the newest file has come.
            installed: how many packages are whole.
            installed_bytes: what has been unpacked.
        """
        if self.packages:
            done = min(max(installed, 0), self.packages)
            return f"installing: {done} of {self.packages} packages, {megabytes(installed_bytes)}", done / self.packages
        if self._file:
            share = min(1.0, file_bytes / self._file_bytes) if self._file_bytes else 0.0
            text = f"downloading {self._file} (file {self._downloads}): {file_bytes / 1e6:.0f} of {megabytes(self._file_bytes)}"
            return text, share
        return self._text, 0.0


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e6:.0f} MB"


def newest_file_bytes(temporary: Path) -> int:
    """How large the newest of the files is that pip is downloading, in its own folders of a folder for temporary files."""
    newest = (0.0, 0)
    for folder in temporary.glob("pip-unpack-*"):
        try:
            for path in folder.iterdir():
                status = path.stat()
                newest = max(newest, (status.st_mtime, status.st_size))
        except FileNotFoundError:
            continue  # pip has removed the file or the folder meanwhile
    return newest[1]


def installed_packages(environment: Path) -> int:
    """How many packages of an environment are whole: pip writes RECORD as the last of each."""
    return sum(1 for folder in site_packages(environment) for _ in folder.glob("*.dist-info/RECORD"))


def site_packages(environment: Path) -> list[Path]:
    """Where an environment has its packages, on any system."""
    folders = (*environment.glob("lib/python3*/site-packages"), environment / "Lib" / "site-packages")
    return [folder for folder in folders if folder.is_dir()]


def tree_bytes(folder: Path) -> int:
    """The size of all files in a folder."""
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # it has gone meanwhile
    return total


def log_tail(log: Path) -> str:
    """The end of a file that may be long, or not there."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _project(text: str) -> str:
    """The name of a project out of a requirement, an address or the name of a wheel."""
    last = re.split(r"[/\\]", text)[-1]
    return re.split(r"[<>=!~;\[@-]", last)[0] or text
