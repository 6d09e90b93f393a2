"""`dnerf-headless segment`: labels of anyone's pictures, videos, point clouds and meshes by a trained network."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath
from headless.downstream.segmenting.plan import SegmentCall
from headless.runs.downstream.segment import segment
from headless.work.reporting import Reporter


@click.command(
    "segment",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless segment photos drive.mp4 --network cars-net.safetensors -o labelled",
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=FilledPath(exists=True),
    metavar="PATHS...",
    help="Label these files, and those in these folders: pictures and videos, or point clouds and meshes.",
)
@option(
    "--network",
    type=FilledPath(exists=True, dir_okay=False),
    required=True,
    metavar="X.safetensors",
    help="Label by this network file, which train-segmenter or train-pointnet wrote.",
)
@options.output_option(SegmentCall.output)
@option_of(SegmentCall, "size", show_default="what the network was trained on")
@option_of(SegmentCall, "mirrored")
@option_of(SegmentCall, "up", metavar="AXIS", show_default="what the file or its format says, else y")
@option_of(SegmentCall, "headings", show_default="12 where the network was trained for scans, else 1")
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Label pictures and videos, or point clouds and meshes, by a trained network.

    A network of images takes PNG, JPEG, WebP, TIFF, BMP and GIF, and MP4, MOV, MKV, WebM and AVI; one of points takes PLY, NPZ, LAS, LAZ,
    GLB and OBJ. The same call again goes on where it was interrupted.
    """
    segment(SegmentCall(**values), Reporter(as_json))  # type: ignore[arg-type]
