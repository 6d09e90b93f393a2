"""`dnerf-headless world`: exact views or clouds of a world, as data sets to test with."""

from __future__ import annotations

import click

from headless.commands import dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.runs.downstream.world import FORMATS, UNIFORM_POINTS, WorldCall, world
from headless.work.reporting import Reporter


@click.command(
    "world",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless world --world harder-cars --seeds 0-89 --views 1 --photograph hard --output test",
)
@option_of(WorldCall, "world", metavar="NAME")
@options.subject_options(WorldCall)
@option_of(WorldCall, "views", show_default="3, or 8 with --clouds, or 1 where yaw and pitch are single values")
@option_of(WorldCall, "yaw", metavar="A:B", show_default="all around")
@option_of(WorldCall, "pitch", metavar="A:B", show_default="the world's own")
@option_of(
    WorldCall,
    "view_distribution",
    show_default="uniform, or even with --clouds",
)
@options.resolution_option(WorldCall)
@option_of(WorldCall, "photograph")
@option_of(WorldCall, "depth_format")
@option_of(WorldCall, "clouds")
@option_of(WorldCall, "uniform_clouds")
@options.formats_option(FORMATS, WorldCall.formats[0], f"Write clouds as these, any of {','.join(FORMATS)}.")
@option_of(WorldCall, "voxel", metavar="SIZE", show_default="by the object's size and the resolution")
@option_of(
    WorldCall,
    "points",
    help="Thin each cloud to exactly N points, instead of --voxel; with --uniform-clouds draw so many.",
    show_default=f"{UNIFORM_POINTS} with --uniform-clouds",
)
@option_of(
    WorldCall,
    "category",
    metavar="NAME",
    help="Name the objects' category in ShapeNetPart's layout.",
    show_default="Car or Person",
)
@dataset_options.splits_option
@options.workers_option(WorldCall)
@options.extend_option(WorldCall, "subjects or views")
@options.verify_option(WorldCall)
@options.output_option(WorldCall.output)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write exact test sets of the demo's worlds, and of a harder one: views, or labelled clouds.

    Masks, depths and cameras are the truth itself, whatever is done to the pictures. Folders are laid out as render and pointcloud lay them
    out. The same call again finishes what is missing and changes nothing that is there.
    """
    world(WorldCall(**values), Reporter(as_json))  # type: ignore[arg-type]
