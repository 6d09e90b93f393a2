"""Whether a .blend file may be written there, and whether it can hold the views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dnerf_core.errors import UsageError
from dnerf_core.files.whole import check_writable
from headless.blend.module import need_blender

MAX_BLEND_VIEWS = 1000
"""Whose pictures one .blend file takes; Blender keeps all of them in memory."""


def check_blend_place(path: Path, option: str) -> None:
    """Make sure that a new .blend file can be written, before the work that would fill it.

    Raises:
        UsageError: another ending, a file that is there, or Blender is not installed.
        OutputError: the folder cannot be written to.
    """
    if path.suffix.lower() != ".blend":
        raise UsageError(f"{option} {path}: expected a name that ends in .blend, found {path.suffix or 'no ending'}; rename it")
    if path.exists():
        raise UsageError(f"{option} {path}: expected a new file, found one that is there; remove it, or choose another name")
    need_blender(f"{option} {path}")
    check_writable(path)


def check_blend_views(channels: Sequence[str], views: int, splits: object, shard: tuple[int, int]) -> None:
    """Refuse a `--blend` that cannot be had from the call's results.

    Raises:
        UsageError: channels are missing, there are splits or parts, or too many views.
    """
    missing = [channel for channel in ("rgb", "depth") if channel not in channels]
    if missing:
        raise UsageError(f"--blend: expected the channels rgb and depth, found no {missing[0]}; add it to --channels")
    for given, option in ((splits, "--splits"), (shard != (1, 1), "--shard")):
        if given:
            raise UsageError(f"--blend: expected all views in one folder, found {option}; leave one of the two out")
    if views > MAX_BLEND_VIEWS:
        raise UsageError(f"--blend: expected at most {MAX_BLEND_VIEWS} views in one file, found {views}; ask for fewer")
