"""`dnerf-headless video`: subjects along a camera path, as lossless label videos and previews."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dnerf_core.seeds import format_seeds
from headless.commands import options
from headless.runs.video import DEFAULT_FRAMES, DEFAULT_SEEDS, MAX_FRAMES, VideoCall, video
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    pass


@click.command("video", epilog="\b\nExample:\n  dnerf-headless video --seeds 3,7 --path orbit --pitch 15 --output clips")
@options.model_option
@options.subject_options(format_seeds(DEFAULT_SEEDS))
@options.subject_file_option
@click.option("--between", is_flag=True, help="One clip that passes from each subject to the next, instead of a clip each.")
@click.option(
    "--path",
    default="arc",
    show_default=True,
    metavar="arc|orbit|FILE",
    help="Along --yaw and --pitch, once round, or the views of a cameras.json.",
)
@click.option("--frames", type=click.IntRange(2, MAX_FRAMES), metavar="N", help=f"Frames of a clip.  [default: {DEFAULT_FRAMES}]")
@click.option("--fps", type=click.IntRange(1, 240), default=24, show_default=True, metavar="N", help="Frames a second.")
@options.yaw_option()
@click.option("--pitch", type=options.RangeType(90.0), metavar="A:B", help="Elevation in degrees.  [default: the model's own]")
@options.truncation_option
@options.resolution_option
@options.device_option
@options.workers_option
@options.exact_option
@options.output_option("dnerf-video")
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write label videos along a camera path.

    A clip is a lossless video of label ids (FFV1 in Matroska), previews of the image, of the labels laid over it and of both
    side by side (H.264), and every frame's camera. The same call again makes the clips that are missing.
    """
    video(VideoCall(**values), Reporter(as_json))  # type: ignore[arg-type]
