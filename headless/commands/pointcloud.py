"""`dnerf-headless pointcloud`: views of each subject, back-projected and fused to a point cloud with labelled parts."""

from __future__ import annotations

import click

from headless.commands import blend_options, dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath
from headless.runs.pointcloud import FORMATS, PointCloudCall, pointcloud
from headless.work.reporting import Reporter


@click.command(
    "pointcloud",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless pointcloud --seeds 0-99 --points 2048 --format ply,shapenetpart --output clouds",
)
@options.model_option
@option(
    "--from",
    "from_folder",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Fuse the views of a folder with cameras and depth, such as render writes, instead of a model's.",
)
@options.subject_options(PointCloudCall)
@options.subject_file_option
@options.camera_options(PointCloudCall)
@blend_options.cameras_option
@options.cameras_up_option
@options.motion_options
@option_of(
    PointCloudCall,
    "canonical",
    help="Carry the points of each pose back to the canonical one: clouds of all poses lie on each other.",
)
@options.truncation_option(PointCloudCall)
@options.resolution_option(PointCloudCall)
@options.formats_option(FORMATS, PointCloudCall.formats[0], f"Write these, any of {','.join(FORMATS)}.")
@option_of(PointCloudCall, "color", help="Colour PLY and GLB as the pictures are (rgb), or by the labels (label).")
@option_of(
    PointCloudCall,
    "voxel",
    metavar="SIZE",
    show_default="by the object's size and the resolution",
)
@option_of(PointCloudCall, "points", help="Thin each cloud to exactly N points, instead of --voxel.")
@option_of(PointCloudCall, "category", metavar="NAME", help="Name the objects' category in ShapeNetPart's layout.")
@dataset_options.splits_option
@options.device_option
@options.workers_option(PointCloudCall)
@options.exact_option(PointCloudCall)
@options.extend_option(PointCloudCall)
@options.verify_option(PointCloudCall)
@options.output_option(PointCloudCall.output)
@options.dry_run_options(PointCloudCall)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write point clouds with labelled parts, fused from views all around.

    Depth and labels of each view are back-projected, flying pixels cut, and what views share fused: labels by vote, with a
    confidence. The same call again makes the clouds that are missing. An --output that ends in .blend becomes one Blender file.
    """
    call = PointCloudCall(**values)  # type: ignore[arg-type]
    blend_options.refuse_arc_options(call.cameras)
    if call.output.suffix.lower() == ".blend":
        blend_options.refuse_format_option(call.output)
    pointcloud(call, Reporter(as_json))
