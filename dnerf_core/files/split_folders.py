"""Data sets that are dealt out to splits: their lists lie at the top, the files of views in a folder of each split."""

from __future__ import annotations

from pathlib import Path

from dnerf_core.files.names import CAMERAS_NAME

_KINDS = ("images", "masks", "depth")
"""Folders of views' files by which a split's folder is known."""


def split_of_path(path: Path) -> tuple[Path, str | None]:
    """The data set that a path names, and the split where it names the folder of one, such as `cars/train`; None: the whole set."""
    top = path.parent if path.name not in ("", "..") else path.resolve().parent
    is_split = not (path / CAMERAS_NAME).exists() and (top / CAMERAS_NAME).is_file() and _holds_views(path)
    return (top, path.resolve().name) if is_split else (path, None)


def places_of_views(folder: Path, split: str | None) -> dict[str, Path]:
    """By a view's name the split's folder that its files lie in; empty where they lie in `folder` itself.

    Args:
        split: only this one's views; None: those of all splits.
    """
    if split is None and _holds_views(folder):
        return {}
    names = [split] if split is not None else sorted(path.name for path in folder.iterdir() if _holds_views(path))
    places = [folder / name for name in names]
    return {file.stem: place for place in places for kind in _KINDS for file in _files(place / kind)}


def _holds_views(path: Path) -> bool:
    return any((path / kind).is_dir() for kind in _KINDS)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
