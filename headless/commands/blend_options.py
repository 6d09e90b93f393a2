"""The options that read and write .blend files, and what does not go with them. Blender itself is not needed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dnerf_core.errors import UsageError
from dnerf_core.files.whole import check_writable
from headless.blend.module import need_blender
from headless.commands.options import FilledPath

F = TypeVar("F", bound=Callable[..., Any])

MAX_BLEND_VIEWS = 1000
"""Whose pictures one .blend file takes; Blender keeps all of them in memory."""

_ARC_OPTIONS = {
    "views": "--views",
    "yaw": "--yaw",
    "pitch": "--pitch",
    "random_views": "--random-views",
    "view_distribution": "--view-distribution",
}


def cameras_option(function: F) -> F:
    """`--cameras`: where each subject is seen from, instead of an arc; see `headless.datasets.given_cameras`."""
    text = "See each subject by the views of a cameras.json, or by a .blend file's active camera over its frame range, instead of an arc."
    return click.option("--cameras", type=FilledPath(exists=True, dir_okay=False), metavar="FILE", help=text)(function)


def blend_option(function: F) -> F:
    """`--blend`: a .blend file of the results beside the folder."""
    text = "Also write cameras, pictures and fused clouds to a new .blend file."
    return click.option("--blend", type=FilledPath(dir_okay=False), metavar="FILE.blend", help=text)(function)


def refuse_arc_options(path: Path | None) -> None:
    """Refuse options of an arc beside `--cameras`.

    Raises:
        UsageError: one was given.
    """
    ctx = click.get_current_context()
    given = [option for name, option in _ARC_OPTIONS.items() if _was_given(ctx, name)]
    if path is not None and given:
        raise UsageError(f"{given[0]}: expected none beside --cameras {path}, whose views are taken; leave it out")


def refuse_format_option(path: Path) -> None:
    """Refuse `--format` beside an output that is one .blend file.

    Raises:
        UsageError: it was given.
    """
    if _was_given(click.get_current_context(), "formats"):
        raise UsageError(f"--format: expected none with --output {path}, which is one .blend file; name a folder to have others")


def _was_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) not in (None, click.core.ParameterSource.DEFAULT)


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
    for there, option in ((splits, "--splits"), (shard != (1, 1), "--shard")):
        if there:
            raise UsageError(f"--blend: expected all views in one folder, found {option}; leave one of the two out")
    if views > MAX_BLEND_VIEWS:
        raise UsageError(f"--blend: expected at most {MAX_BLEND_VIEWS} views in one file, found {views}; ask for fewer")
