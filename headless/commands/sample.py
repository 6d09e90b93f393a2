"""`dnerf-headless sample`: views of a few subjects to annotate, each with an empty mask to paint on."""

from __future__ import annotations

import click

from dnerf_core.seeds import format_seeds
from headless.commands import dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import LabelsType
from headless.runs.sample import DEFAULT_SEEDS, SampleCall, sample
from headless.work.reporting import Reporter


@click.command(
    "sample",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless sample --model ffhq.safetensors --subjects 30 --views 3 --labels hair,face,neck -o faces",
)
@options.model_option
@options.subject_options(SampleCall, format_seeds(DEFAULT_SEEDS))
@options.subject_file_option
@options.camera_options(SampleCall)
@dataset_options.distribution_option
@options.pose_options(SampleCall)
@options.truncation_option(SampleCall)
@option(
    "--labels",
    type=LabelsType(),
    metavar="NAMES|FILE",
    help="Paint these parts: names such as hood,roof,wheels, or a labels.json.",
    show_default="the model's own labels",
)
@option_of(SampleCall, "truth", help="Fill the masks from the exact truth, which is known for embedded models.")
@options.device_option
@options.workers_option(SampleCall)
@options.extend_option(SampleCall, "subjects or views")
@options.verify_option(SampleCall)
@options.output_option(SampleCall.output)
@options.dry_run_options(SampleCall)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write views of a few subjects to annotate: images, and empty masks to paint.

    Paint the files in masks/ with any editor that keeps exact colours, then call train. The same call again finishes what is
    missing and never touches a mask that is there.
    """
    sample(SampleCall(**values), Reporter(as_json))  # type: ignore[arg-type]
