"""`dnerf-headless train-pointnet`: a network that labels the points of clouds, from clouds with labels."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import CountsType, FilledPath
from headless.downstream.points.plan import TrainPointnetCall
from headless.runs.downstream.train_pointnet import train_pointnet
from headless.work.reporting import Reporter


@click.command(
    "train-pointnet",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless train-pointnet dnerf-clouds -o car-parts.safetensors",
)
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=FilledPath(exists=True, file_okay=False),
    metavar="CLOUDS...",
    help="Train on these folders of clouds with labels, such as pointcloud writes, or of ShapeNetPart's layout.",
)
@option("--output", "-o", type=FilledPath(), required=True, metavar="X.safetensors", help="Write this network file.")
@option_of(TrainPointnetCall, "network")
@option_of(TrainPointnetCall, "recipe")
@option_of(TrainPointnetCall, "points")
@option_of(TrainPointnetCall, "steps")
@option_of(TrainPointnetCall, "batch")
@option_of(
    TrainPointnetCall,
    "learning_rate",
    metavar="RATE",
    help="Let the optimiser learn at this rate, which falls to 0 along a cosine.",
)
@option_of(TrainPointnetCall, "seed", help="Draw the first weights, the order and the changes of clouds by this seed.")
@option_of(
    TrainPointnetCall,
    "validation",
    metavar="N|SHARE",
    help="Keep N subjects, or this share, out of the training, and score them; 0 for none.",
    show_default="the split for validation, else a tenth of 3 or more subjects",
)
@option_of(TrainPointnetCall, "mix")
@option(
    "--repeat",
    type=CountsType(),
    default=None,
    metavar="LIST",
    help="Count the clouds of each folder so many times, as if it held so many more: 25,1.",
    show_default="1 of each",
)
@option_of(
    TrainPointnetCall,
    "up",
    help="Take this axis of the clouds as the one that points up.",
    metavar="AXIS",
    show_default="what a PLY says, else y",
)
@option(
    "--category",
    metavar="NAME",
    default=None,
    help="Take the clouds of this category of ShapeNetPart, by name or synset.",
    show_default="the only one there",
)
@option_of(TrainPointnetCall, "allow_missing_classes", help="Train though a part of the label set occurs in no cloud.")
@option_of(TrainPointnetCall, "precision")
@option(
    "--onnx",
    type=FilledPath(dir_okay=False),
    default=None,
    metavar="X.onnx",
    help="Write the network as ONNX, too; a PointNet only.",
)
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Train a network that labels the points of clouds, and write a network file.

    CLOUDS are folders of PLY or NPZ clouds with labels, or of ShapeNetPart's layout; several with labels of the same names count as one.
    Everything is checked first. The same call again goes on where it was interrupted.
    """
    train_pointnet(TrainPointnetCall(**values), Reporter(as_json))  # type: ignore[arg-type]
