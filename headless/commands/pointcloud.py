"""`dnerf-headless pointcloud`: views of each subject, back-projected and fused to a point cloud with labelled parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dnerf_core.own_views import ALL_AROUND_YAW_DEG
from headless.commands import blend_options, options
from headless.runs.pointcloud import DEFAULT_VIEWS, FORMATS, PointCloudCall, pointcloud
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    pass


@click.command(
    "pointcloud",
    epilog="\b\nExample:\n  dnerf-headless pointcloud --seeds 0-99 --points 2048 --format ply,shapenetpart --output clouds",
)
@options.model_option
@click.option(
    "--from",
    "from_folder",
    type=options.FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Fuse the views of a folder with cameras and depth, such as render writes, instead of a model's.",
)
@options.subject_options()
@options.subject_file_option
@options.camera_options_from(ALL_AROUND_YAW_DEG, views=f"{DEFAULT_VIEWS}, or 1 where yaw and pitch are single values")
@options.truncation_option
@options.resolution_option
@options.formats_option(FORMATS, "ply", f"What to write, of {','.join(FORMATS)}.")
@click.option(
    "--color",
    type=click.Choice(["rgb", "label"]),
    default="rgb",
    show_default=True,
    help="Colours of PLY and GLB: the pictures' or the labels'.",
)
@click.option(
    "--voxel",
    type=options.FiniteFloat(min=0.0, min_open=True),
    metavar="SIZE",
    help="Spacing of the points, in world units.  [default: by the object's size and the resolution]",
)
@click.option("--points", type=click.IntRange(1, 10_000_000), metavar="N", help="Exactly N points a cloud, instead of --voxel.")
@click.option(
    "--category", default="Car", show_default=True, metavar="NAME", help="The objects' category in ShapeNetPart's layout."
)
@options.device_option
@options.workers_option
@options.exact_option
@options.output_option("dnerf-clouds")
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write point clouds with labelled parts, fused from views all around.

    Depth and labels of each view are back-projected, flying pixels cut, and what views share fused: labels by vote, with a
    confidence. The same call again makes the clouds that are missing. An --output that ends in .blend becomes one Blender file.
    """
    call = PointCloudCall(**values)  # type: ignore[arg-type]
    if call.output.suffix.lower() == ".blend":
        blend_options.refuse_format_option(call.output)
    pointcloud(call, Reporter(as_json))
