"""Whether a file of results can be read at all, by what its name ends in: what is left to look at where no check sum is known."""

from __future__ import annotations

import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from dnerf_core.errors import DNeRFError
from dnerf_core.files.names import TEMPLATE_NAME
from dnerf_core.files.pictures import PICTURE_ERRORS, read_depth

_PNG = b"\x89PNG\r\n\x1a\n"


def why_unreadable(path: Path) -> str | None:
    """Why a file cannot be read; None: it can, or nothing is known of its kind."""
    look = _template if path.name == TEMPLATE_NAME else _LOOKS.get(path.suffix)
    if look is None:
        return None
    try:
        look(path)
    except (DNeRFError, *PICTURE_ERRORS, RecursionError, LookupError, tarfile.TarError, zipfile.BadZipFile) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def is_known(path: Path) -> bool:
    """Whether files whose names end so are looked at."""
    return path.suffix in _LOOKS


def _picture(path: Path) -> None:
    from PIL import Image

    data = path.read_bytes()
    place, last = len(_PNG), b""
    if not data.startswith(_PNG):
        raise ValueError("it is no PNG")
    while place < len(data):  # chunk by chunk, since readers pass over sums that do not fit and a missing end
        length = int.from_bytes(data[place : place + 4], "big")
        last, sum_at = data[place + 4 : place + 8], place + 8 + length
        if zlib.crc32(data[place + 4 : sum_at]) != int.from_bytes(data[sum_at : sum_at + 4], "big") or sum_at + 4 > len(data):
            raise ValueError(f"its chunk {last!r} is damaged")
        place = sum_at + 4
    if last != b"IEND":
        raise ValueError("its end is missing")
    with Image.open(path) as image:
        image.load()


def _array_or_depth(path: Path) -> None:
    read_depth(path)


def _cloud(path: Path) -> None:
    from dnerf_core.files.cloud_reading import read_cloud

    read_cloud(path)


def _template(path: Path) -> None:
    from dnerf_core.files.meshes.posed_meshes import read_faces

    read_faces(path)


def _json(path: Path) -> None:
    json.loads(path.read_bytes())


def _json_lines(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def _tar(path: Path) -> None:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is None or len(file.read()) != member.size:
                raise ValueError(f"{member.name} is not whole")


def _video(path: Path) -> None:
    import av

    try:
        with av.open(str(path)) as container:
            frames = sum(1 for _ in container.decode(video=0))
    except av.FFmpegError as error:
        raise ValueError(str(error)) from error
    if not frames:
        raise ValueError("it has no frame")


def _glb(path: Path) -> None:
    with path.open("rb") as file:
        magic, _, length = struct.unpack("<4sII", file.read(12))
    if magic != b"glTF" or length != path.stat().st_size:
        raise ValueError("it is no whole binary glTF")


def _text(path: Path) -> None:
    path.read_text(encoding="utf-8")


_LOOKS: dict[str, Callable[[Path], None]] = {
    ".png": _picture,
    ".exr": _array_or_depth,
    ".npy": _array_or_depth,
    ".npz": _cloud,
    ".ply": _cloud,
    ".json": _json,
    ".jsonl": _json_lines,
    ".tar": _tar,
    ".mkv": _video,
    ".mp4": _video,
    ".glb": _glb,
    ".txt": _text,
    ".csv": _text,
    ".md": _text,
}
