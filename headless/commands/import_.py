"""`dnerf-headless import`: a checkpoint with a generator becomes a model file; nothing of the checkpoint is executed."""

from __future__ import annotations

import math
from typing import Any

import click

from dnerf_core.errors import brief
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath
from headless.runs.import_ import ImportCall, import_checkpoint
from headless.work.reporting import Reporter


class _PointType(click.ParamType[tuple[float, float, float]]):
    """`X,Y,Z` as three finite numbers."""

    name = "point"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float, float]:
        if isinstance(value, tuple):
            return value
        try:
            x, y, z = (float(part) for part in str(value).split(","))
        except ValueError:
            x = y = z = math.nan
        if not all(math.isfinite(number) for number in (x, y, z)):
            self.fail(f"expected three numbers such as 0,0,0.2, found {brief(value)}", param, ctx)
        return x, y, z


@click.command(
    "import", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless import ffhqrebalanced512-128.pkl -o ffhq.safetensors"
)
@click.argument("release", type=FilledPath(exists=True, dir_okay=False), metavar="CHECKPOINT", help="Import this file.")
@option(
    "--output",
    "-o",
    type=FilledPath(),
    metavar="X.safetensors",
    help="Write this model file.",
    show_default="the same name in the current folder",
)
@option(
    "--config",
    metavar="NAME|FILE.json",
    help="Give weights that come without settings those of a release, such as ffhq512-128, or of a JSON file (training_options.json).",
)
@option(
    "--network",
    metavar="NAME",
    help="Take the generator of this name, where a file holds several.",
    show_default="the averaged one",
)
@option_of(
    ImportCall,
    "neural_resolution",
    metavar="PIXELS",
    show_default="the checkpoint's",
)
@option(
    "--cameras-from",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="dataset.json",
    help="Take radius, focal length, pivot and the spread of yaw and pitch from a data set's camera labels.",
)
@option_of(
    ImportCall,
    "video_cameras",
    help="Take the cameras of the published video script, which sees cars from closer than the training did.",
)
@option_of(ImportCall, "camera_radius", metavar="R")
@option("--camera-pivot", type=_PointType(), metavar="X,Y,Z", help="Let the cameras look at this point.")
@option_of(ImportCall, "focal", metavar="F")
@option_of(ImportCall, "up")
@options.output_style_options
def command(as_json: bool, **values: Any) -> None:
    """Turn a checkpoint with EG3D's, PanoHead's or GNARF's generator into a model file.

    CHECKPOINT is a release or a training's snapshot (.pkl), or what torch.save wrote of the generator (.pth, .pt); .safetensors and gzip
    are read too. Nothing of it is executed. The licence of the weights stays the one they were published under.
    """
    import_checkpoint(ImportCall(**values), Reporter(as_json))
