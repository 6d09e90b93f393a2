"""`dnerf-headless sample`: views of a few subjects to annotate, each with an empty mask to paint on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from dnerf_core.errors import UsageError
from dnerf_core.seeds import format_seeds
from headless.commands import dataset_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath, LabelsType
from headless.runs.sample import DEFAULT_SEEDS, sample
from headless.runs.sampling.call import SampleCall
from headless.runs.sampling.next_views import NextCall
from headless.runs.sampling.next_views import next_views as run_next_views
from headless.work.reporting import Reporter


@click.command(
    "sample",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless sample --model ffhq.safetensors --subjects 30 --views 3 --labels hair,face,neck -o faces",
)
@click.argument(
    "folders",
    nargs=-1,
    type=FilledPath(exists=True, file_okay=False),
    metavar="[FOLDER]...",
    help="With --next: choose by what is painted in these folders of sample.",
)
@option_of(NextCall, "next_views", "--next")
@option_of(NextCall, "choice_seed")
@option_of(NextCall, "snap_colors")
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
@click.pass_context
def command(
    ctx: click.Context,
    as_json: bool,
    folders: tuple[Path, ...],
    next_views: int | None,
    choice_seed: int,
    snap_colors: bool,
    **values: Any,
) -> None:
    """Write views of a few subjects to annotate: images, and empty masks to paint.

    Paint the files in masks/ with any editor that keeps exact colours, then call train. The same call again finishes what is
    missing and never touches a mask that is there.

    With --next, choose the views that are best painted next: --seeds, --subjects or --subject are then those to choose among, --views is
    of each chosen subject (default 1), and what is not given is as in the FOLDERs.
    """
    reporter = Reporter(as_json)
    if next_views is None:
        given = [name for name in ("folders", "choice_seed", "snap_colors") if _given(ctx, name) and ctx.params[name]]
        if given:
            shown = f"FOLDER {folders[0]}" if folders else f"--{given[0].replace('_', '-')}"
            raise UsageError(
                f"{shown}: expected --next N beside it, found none; give it, or leave {shown.split(maxsplit=1)[0]} out"
            )
        sample(SampleCall(**values), reporter)
        return
    own = {name: values[name] if _given(ctx, name) else None for name in ("model_name", "truncation", "output")}
    call = NextCall(
        folders=folders,
        next_views=next_views,
        choice_seed=choice_seed,
        snap_colors=snap_colors,
        sample=SampleCall(**values),
        **own,
    )
    run_next_views(call, reporter)


def _given(ctx: click.Context, name: str) -> bool:
    """Whether the call itself gives an option or argument."""
    return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
