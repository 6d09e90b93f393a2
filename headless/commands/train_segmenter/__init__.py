"""`dnerf-headless train-segmenter`: a network that labels images, from data sets that `render` or `sample` wrote."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath
from headless.downstream.segmenter_plan import TrainSegmenterCall
from headless.runs.downstream.train_segmenter import train_segmenter
from headless.work.reporting import Reporter


@click.command(
    "train-segmenter",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless train-segmenter dnerf-out -o cars-net.safetensors --onnx cars-net.onnx",
)
@click.argument("dataset", type=FilledPath(), metavar="DATASET", help="Learn from this data set.")
@option(
    "--also",
    type=FilledPath(),
    multiple=True,
    metavar="DATASET",
    help="Learn from this data set, too, whose label names are the same; may be given several times.",
)
@option("--output", "-o", type=FilledPath(), required=True, metavar="X.safetensors", help="Write this network file.")
@option("--onnx", type=FilledPath(), metavar="X.onnx", help="Write the network to this file as ONNX, too.")
@option_of(TrainSegmenterCall, "network", help="Train a network of this kind.")
@option(
    "--weights",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Begin from the weights of this file: .pth or .safetensors of torchvision's network or its backbone, or a network file.",
    show_default="drawn by --seed",
)
@option_of(TrainSegmenterCall, "size_px", "--size", show_default="the longer side of the first picture, 512 at most")
@option_of(TrainSegmenterCall, "steps", show_default="1000 of mini, 4000 of MobileNet, 10000 of ResNets")
@option_of(TrainSegmenterCall, "batch")
@option_of(
    TrainSegmenterCall,
    "learning_rate",
    metavar="RATE",
    show_default="0.002 of mini, 0.001 of MobileNet, 0.0002 of ResNets",
)
@option_of(TrainSegmenterCall, "schedule")
@option_of(TrainSegmenterCall, "seed")
@option_of(
    TrainSegmenterCall,
    "validation",
    metavar="N|SHARE",
    help="Keep N subjects, or this share, out of the training, and score them; 0 for none.",
    show_default="the set's own validation split, else a tenth of 3 or more subjects",
)
@option_of(TrainSegmenterCall, "scale", metavar="F")
@option_of(
    TrainSegmenterCall,
    "flip",
    "--flip/--no-flip",
    show_default="--flip",
    help="Mirror every second picture, labels of left and right parts change places; or never.",
)
@option_of(TrainSegmenterCall, "color", metavar="F")
@option_of(TrainSegmenterCall, "photographs")
@option(
    "--backgrounds",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Lay subjects on the pictures of this folder, too, as often as on drawn ones; with --photographs.",
)
@option_of(TrainSegmenterCall, "class_weights")
@option_of(TrainSegmenterCall, "skip_unpainted", help="Leave out masks that are all background instead of refusing them.")
@option_of(TrainSegmenterCall, "allow_missing_classes", help="Train though a class of the label set occurs in no mask.")
@option_of(TrainSegmenterCall, "precision")
@options.device_option
@option_of(TrainSegmenterCall, "gpus")
@option_of(TrainSegmenterCall, "workers", show_default="none on a CPU, else up to 8")
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Train a network that labels images on data sets, and write a network file.

    DATASET is what render wrote, a folder or its WebDataset shards, or what sample wrote, with its masks painted. Everything is checked
    first. The same call again goes on where it was interrupted.
    """
    train_segmenter(TrainSegmenterCall(**values), Reporter(as_json))  # type: ignore[arg-type]
