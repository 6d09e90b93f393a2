"""`dnerf-headless video`: subjects along a camera path, as lossless label videos and previews."""

from __future__ import annotations

import click

from dnerf_core import job_ranges
from dnerf_core.seeds import format_seeds
from headless.commands import dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.commands.types import CameraPathType, ClipFramesType
from headless.runs.video import DEFAULT_SEEDS, VideoCall, video
from headless.work.reporting import Reporter


@click.command(
    "video", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless video --seeds 3,7 --path orbit --pitch 15 --output clips"
)
@options.model_option
@options.subject_options(VideoCall, format_seeds(DEFAULT_SEEDS))
@options.subject_file_option
@option_of(VideoCall, "between", help="Make one clip that passes from each subject to the next, instead of a clip each.")
@option_of(
    VideoCall,
    "path",
    type=CameraPathType(),
    metavar="arc|orbit|FILE",
    help="Lead the camera along --yaw and --pitch (arc), once round (orbit), or through the views of a file as render --cameras takes it.",
)
@options.cameras_up_option
@options.pose_option()
@option_of(
    VideoCall,
    "frames",
    type=ClipFramesType(),
    metavar="N|A:B",
    help="Give each clip N frames, or, as A:B, show these frames of --pose, counted from 1.",
    show_default=f"{job_ranges.FRAMES.usual}, or those of --pose",
)
@option_of(VideoCall, "fps")
@options.yaw_option(VideoCall)
@options.pitch_option(VideoCall)
@options.truncation_option(VideoCall)
@options.resolution_option(VideoCall)
@option_of(VideoCall, "legend", help="Put a legend of the labels' colours below the previews that show labels.")
@dataset_options.splits_option
@options.device_option
@options.workers_option(VideoCall)
@options.exact_option(VideoCall)
@options.extend_option(VideoCall)
@options.verify_option(VideoCall)
@options.output_option(VideoCall.output)
@options.dry_run_options(VideoCall)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write label videos along a camera path.

    A clip is a lossless video of label ids (FFV1 in Matroska), previews of the image, of the labels laid over it and of both
    side by side (H.264), and every frame's camera. The same call again makes the clips that are missing.
    """
    if isinstance(values["frames"], tuple):
        values["pose_frames"], values["frames"] = values["frames"], None
    video(VideoCall(**values), Reporter(as_json))  # type: ignore[arg-type]
