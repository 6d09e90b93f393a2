"""Which file of a data set folder has the exact depths that an image shows as grays."""

from __future__ import annotations

from pathlib import Path

_SUFFIXES = (".exr", ".npy", ".png")


def depth_file(folder: Path, name: str) -> Path | None:
    """The depth file of a view of a folder that `dnerf-headless render` could have written, split or whole; None: it has none."""
    for place in (folder / "depth", *sorted(folder.glob("*/depth"))):
        for suffix in _SUFFIXES:
            path = place / f"{name}{suffix}"
            if path.is_file():
                return path
    return None
