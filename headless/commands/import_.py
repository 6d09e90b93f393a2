"""`dnerf-headless import`: a checkpoint with a generator becomes a model file; nothing of the checkpoint is executed."""

from __future__ import annotations

import math
from typing import Any

import click

from dnerf_core.errors import brief
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
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
@click.argument("release", type=FilledPath(exists=True, dir_okay=False), metavar="CHECKPOINT")
@click.option(
    "--output",
    "-o",
    type=FilledPath(),
    metavar="X.safetensors",
    help="The model file to write.  [default: the same name in the current folder]",
)
@click.option(
    "--config",
    metavar="NAME|FILE.json",
    help="Settings of weights that come without them: a release's name such as ffhq512-128, or a JSON file (training_options.json).",
)
@click.option(
    "--network", metavar="NAME", help="Which generator to take where a file holds several.  [default: the averaged one]"
)
@option_of(
    ImportCall,
    "neural_resolution",
    metavar="PIXELS",
    help="Side of the volume rendering.  [default: the checkpoint's]",
)
@click.option(
    "--cameras-from",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="dataset.json",
    help="Take radius, focal length, pivot and the spread of yaw and pitch from a data set's camera labels.",
)
@option_of(
    ImportCall, "video_cameras", help="The cameras of the published video script: of cars a closer view than the trained one."
)
@option_of(ImportCall, "camera_radius", metavar="R", help="Distance of the cameras from the world origin.")
@click.option("--camera-pivot", type=_PointType(), metavar="X,Y,Z", help="The point that the cameras look at.")
@option_of(ImportCall, "focal", metavar="F", help="Focal length, as a share of the image's width.")
@option_of(ImportCall, "up", help="The axis that points up in the generator's world.")
@options.output_style_options
def command(as_json: bool, **values: Any) -> None:
    """Turn a checkpoint with EG3D's or PanoHead's generator into a model file.

    CHECKPOINT is a release or a training's snapshot (.pkl), or what torch.save wrote of the generator (.pth, .pt); .safetensors and gzip
    are read too. Nothing of it is executed. The licence of the weights stays the one they were published under.
    """
    import_checkpoint(ImportCall(**values), Reporter(as_json))
