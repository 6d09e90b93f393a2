"""The options that read and write .blend files, and what does not go with them. Blender itself is not needed here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dnerf_core.errors import UsageError
from headless.commands.ranged_options import option
from headless.commands.types import FilledPath

F = TypeVar("F", bound=Callable[..., Any])


_ARC_OPTIONS = {
    "views": "--views",
    "yaw": "--yaw",
    "pitch": "--pitch",
    "random_views": "--random-views",
    "view_distribution": "--view-distribution",
}


def cameras_option(function: F) -> F:
    """`--cameras`: where each subject is seen from, instead of an arc; see `headless.datasets.given_cameras`."""
    text = "See each subject by the views of a file instead of an arc: a cameras.json, nerfstudio's or instant-ngp's transforms.json, a "
    text += "camera_path.json, an EG3D dataset.json, the folder of a COLMAP text model, or a .blend file's active camera."
    return option("--cameras", type=FilledPath(exists=True), metavar="FILE", help=text)(function)


def blend_option(function: F) -> F:
    """`--blend`: a .blend file of the results beside the folder."""
    text = "Also write cameras, pictures and fused clouds to a new .blend file."
    return option("--blend", type=FilledPath(dir_okay=False), metavar="FILE.blend", help=text)(function)


def refuse_arc_options(path: Path | None) -> None:
    """Refuse options of an arc beside `--cameras`.

    Raises:
        UsageError: one was given.
    """
    ctx = click.get_current_context()
    given = [spelling for name, spelling in _ARC_OPTIONS.items() if _was_given(ctx, name)]
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
