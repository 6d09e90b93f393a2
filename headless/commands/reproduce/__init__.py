"""`dnerf-headless reproduce`: the paper's experiments, on a world whose truth is known or on one's own, with a report."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import CountsType, FilledPath, FormatsType, ModelType, PartsType
from headless.reproducing.call import ALL, EXPERIMENT_NAMES, ROW_NAMES, ReproduceCall
from headless.runs.downstream.reproduce import reproduce
from headless.work.reporting import Reporter


@click.command(
    "reproduce",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless reproduce table1 --annotations 9,90 --seeds 3 --output report",
)
@click.argument(
    "experiment",
    type=click.Choice((*EXPERIMENT_NAMES, ALL)),
    metavar="EXPERIMENT",
    help=f"Make this experiment: {', '.join(EXPERIMENT_NAMES)}, or {ALL}.",
)
@option_of(ReproduceCall, "world", metavar="NAME")
@option(
    "--model",
    "model_name",
    type=ModelType(),
    metavar="NAME|FILE",
    help="Take this model instead of a world's, with --annotated and --test.",
)
@option(
    "--annotated",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Teach the branch by this folder of sample, its masks painted.",
)
@option(
    "--test",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Score on this data set of pictures and masks, or of table2 and figure5 on this folder of labelled clouds; of table3 augment this "
    "benchmark of clouds, such as ShapeNetPart; table4 and table5 need none.",
)
@option("--category", metavar="NAME", help="Take this category of the benchmark.", show_default="the only one there")
@option(
    "--parts",
    type=PartsType(),
    metavar="LIST",
    help="Take the benchmark's numbers of parts for these labels: 8=roof,9=hood.",
    show_default="by name",
)
@option(
    "--foundation",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Make s13's row of DINOv2, too, by these weights: a .safetensors in timm's layout, small, base or large.",
)
@option(
    "--resnet",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Make table1's row of the paper's transfer learning, too, by these weights of ResNet101, or of DeepLabV3 with it, as "
    "torchvision publishes them.",
)
@option_of(ReproduceCall, "scale", metavar="small|medium|paper")
@option(
    "--annotations",
    type=CountsType(),
    metavar="LIST",
    help="Paint so many views, a row for each.",
    show_default="9,30,90, at small 9,90; of table5 30,45,90, at small 9,30,90",
)
@option_of(ReproduceCall, "seeds", show_default="1 of small, 3 of the others")
@option("--only", type=FormatsType(ROW_NAMES), metavar="LIST", help=f"Make these rows alone, any of {','.join(ROW_NAMES)}.")
@options.output_option(ReproduceCall.output)
@option_of(ReproduceCall, "dry_run", help="Say which steps would be made and how long they take, and write nothing.")
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Make the paper's experiments, and a report of their scores.

    Each step is a run of a command, made once and kept below the report's folder; the same call again goes on where it was interrupted.
    What it costs is told before it starts. The report is EXPERIMENT.md and EXPERIMENT.html, one page that needs no other file.
    """
    reproduce(ReproduceCall(**values), Reporter(as_json))  # type: ignore[arg-type]
