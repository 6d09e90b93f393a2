"""Which view of a file a picture was taken by: the one that is named as the picture is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.views import CameraFile


def view_of_picture(file: CameraFile, picture: Path) -> int:
    """The number of the view whose name is that of the picture's file, with or without its folders and its ending, by either slash.

    A file with one view has it for every picture, whatever its name.

    Raises:
        UsageError: no view has that name, or several have it and the picture's folders do not tell which.
    """
    if len(file.names) == 1:
        return 0
    wanted = _parts(picture.as_posix())
    name, stem = picture.name, picture.stem
    found = [index for index, parts in enumerate(map(_parts, file.names)) if parts and parts[-1] == name]
    if not found:  # views are named without endings, or by pictures of another kind
        found = [i for i, parts in enumerate(map(_parts, file.names)) if parts and stem in (parts[-1], Path(parts[-1]).stem)]
    if not found:
        raise UsageError(
            f"--camera {file.path}: expected a view named {brief(name)}, found none among {len(file.names)} such as "
            f"{brief(file.names[0])}; name the picture as its view is, or give a file of one view"
        )
    shared = [_tail(_parts(file.names[index])[:-1], wanted[:-1]) for index in found]
    best = [index for index, count in zip(found, shared, strict=True) if count == max(shared)]
    if len(best) > 1:
        raise UsageError(
            f"--camera {file.path}: expected one view named {brief(name)}, found {len(best)}, {brief(file.names[best[0]])} and "
            f"{brief(file.names[best[1]])}; give the picture by its folder, or a file of one view"
        )
    return best[0]


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def _tail(left: Sequence[str], right: Sequence[str]) -> int:
    """How many parts two paths share at their ends."""
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count
