"""Photographs to train on: the user's own backgrounds, and what subjects are cut out of. All is read before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.errors import UsageError, counted
from dnerf_core.files.photos import read_upright

if TYPE_CHECKING:
    from dnerf_core.downstream.images.sets.joined import JoinedSets, Place

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
SMALLEST_PX = 16
"""Shorter side of a background."""
LOOKED_AT = 32
"""Views of which is told whether their backgrounds are plain."""


@dataclass(frozen=True)
class BackgroundFile:
    """One picture of the user's.

    Attributes:
        sha256: of its content.
    """

    path: Path
    sha256: str


def found_backgrounds(folder: Path) -> tuple[BackgroundFile, ...]:
    """Every picture of a folder, by name; each is decoded once, so that a damaged one is told before any time is spent.

    Raises:
        UsageError: there is no such folder, none in it, or one too small.
        PhotoError: one cannot be read.
    """
    try:
        inside = sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_file())
    except OSError as error:
        raise UsageError(
            f"--backgrounds {folder}: expected a folder of pictures, it cannot be read: {error.strerror}; check the path"
        ) from error
    pictures = [entry for entry in inside if entry.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise UsageError(
            f"--backgrounds {folder}: expected pictures (PNG, JPEG, WebP, TIFF, BMP, GIF) in it, found none of "
            f"{counted(len(inside), 'file')}; name another folder (folders inside it are not searched)"
        )
    found = []
    for path in pictures:
        rgb, _ = read_upright(path)
        if min(rgb.shape[:2]) < SMALLEST_PX:
            raise UsageError(
                f"{path}: expected a background of at least {SMALLEST_PX} pixels a side, found {rgb.shape[1]} x {rgb.shape[0]}; take it out"
            )
        found.append(BackgroundFile(path, file_sha256(path)))
    return tuple(found)


def not_plain(joined: JoinedSets, places: tuple[Place, ...]) -> tuple[int, int]:
    """Of how many views, spread evenly, the background is not of one colour, and how many were looked at.

    Raises:
        AnnotationError: a file cannot be used.
    """
    from dnerf_core.photographs.pasting import plain_color

    count = min(LOOKED_AT, len(places))
    chosen = [places[number * len(places) // count] for number in range(count)]
    return sum(plain_color(*joined.pair(place)) is None for place in chosen), count
