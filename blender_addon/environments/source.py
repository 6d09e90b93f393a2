"""Where pip takes packages from: the package index, a mirror of it, or a folder of wheels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ..bridge.errors import WorkerError

Kind = Literal["INDEX", "MIRROR", "FOLDER"]

CARRIED_FOLDER = Path(__file__).resolve().parents[1] / "engine"
"""Where the extension has the engine's wheel; not there where its code runs from elsewhere."""

ENGINE = "the engine of this extension"
"""What is shown where no package is named."""


def package_of(named: str) -> str:
    """What pip installs: what is named, or else the wheel that the extension carries, or else the project on the index."""
    if named.strip():
        return named.strip()
    wheels = sorted(CARRIED_FOLDER.glob("datasetnerf-*.whl"))
    return str(wheels[-1]) if wheels else "datasetnerf"


@dataclass(frozen=True)
class Source:
    """A place with packages.

    Attributes:
        kind: INDEX is what pip is configured for on this computer, else pypi.org.
        mirror_url: the address of a package index, such as `https://HOST/simple`; for MIRROR.
        wheel_folder: whole path of a folder with wheels; for FOLDER.
    """

    kind: Kind = "INDEX"
    mirror_url: str = ""
    wheel_folder: str = ""

    @property
    def is_online(self) -> bool:
        """Whether packages come over the network."""
        return self.kind != "FOLDER"

    @property
    def name(self) -> str:
        """For lines: which one it is."""
        return {"INDEX": "the package index", "MIRROR": self.mirror_url.strip(), "FOLDER": self.wheel_folder}[self.kind]

    def check(self) -> None:
        """Whether it can be one, as far as can be said without the network.

        Raises:
            WorkerError: it cannot; the line says what to write instead.
        """
        if self.kind == "MIRROR":
            _check_url(self.mirror_url.strip())
        elif self.kind == "FOLDER":
            _check_wheels(self.wheel_folder)

    def pip_words(self) -> list[str]:
        """The options for pip."""
        if self.kind == "MIRROR":
            return ["--index-url", self.mirror_url.strip()]
        return ["--no-index", "--find-links", self.wheel_folder] if self.kind == "FOLDER" else []


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        known, has_password = bool(parts.scheme in ("http", "https") and parts.hostname), "@" in parts.netloc
    except ValueError:
        known = has_password = False
    if has_password:
        raise WorkerError(
            "mirror: expected an address without a name and a password, which preferences do not keep safe, found one with them; write "
            "it without, and put them into the file .netrc, which pip reads"
        )
    if not known:
        raise WorkerError(f"mirror: expected the address of a package index, found {url!r}; write such as https://HOST/simple")


def _check_wheels(folder: str) -> None:
    path = Path(folder)
    if not folder or not path.is_absolute() or not path.is_dir():
        raise WorkerError(f"folder of wheels: expected a folder that is there, found {folder!r}; choose one")
    if not any(path.glob("*.whl")):
        raise WorkerError(
            f"{path}: expected wheels (.whl), found none; fill it on a computer like this one by: pip wheel {package_of('')} "
            "--wheel-dir FOLDER"
        )
