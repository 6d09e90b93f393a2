"""`dnerf-headless render`: subjects, seen from an arc of cameras, written as a data set folder."""

from __future__ import annotations

import click

from headless.commands import blend_options, dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.runs.render import RenderCall, render
from headless.work.reporting import Reporter


@click.command(
    "render",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless render --seeds 0-99 --views 5 --yaw -30:30 --pitch 10:25 --output cars",
)
@options.model_option
@options.subject_options(RenderCall)
@options.subject_file_option
@options.camera_options(RenderCall)
@dataset_options.distribution_option
@blend_options.cameras_option
@options.cameras_up_option
@options.pose_options(RenderCall)
@options.truncation_option(RenderCall)
@options.resolution_option(RenderCall)
@options.device_option
@option_of(
    RenderCall,
    "engine",
    help="Make views by threads of this process, or by actors on the Ray cluster that RAY_ADDRESS names.",
)
@options.workers_option(RenderCall)
@options.shard_option
@options.exact_option(RenderCall)
@option_of(
    RenderCall,
    "consistent",
    help="Write masks re-rendered from the labels that several views of a subject fuse to, so that its views agree more. "
    "For how far they do, see evaluate --consistency.",
)
@options.extend_option(RenderCall, "subjects or views")
@options.verify_option(RenderCall)
@options.output_option(RenderCall.output)
@dataset_options.format_option
@option_of(RenderCall, "shard_views", show_default="shards of up to 1 GB, and at least 8 a split")
@option_of(RenderCall, "coco_instances")
@option_of(RenderCall, "nerfstudio_images")
@option_of(RenderCall, "aabb_scale", show_default="none is written")
@dataset_options.channels_option
@option_of(RenderCall, "masks", show_default="ids")
@option_of(RenderCall, "depth_format")
@dataset_options.splits_option
@dataset_options.reject_option
@blend_options.blend_option
@options.dry_run_options(RenderCall)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write labelled, posed views of generated subjects to a folder.

    Each view is an image, a label mask, a depth and a camera. The same call again finishes what is missing and changes
    nothing that is there; a folder that holds something else is refused.
    """
    call = RenderCall(**values)  # type: ignore[arg-type]
    blend_options.refuse_arc_options(call.cameras)
    render(call, Reporter(as_json))
