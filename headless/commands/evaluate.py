"""`dnerf-headless evaluate`: a model against painted masks or the demo's exact truth, or views of a folder against each other."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.core import ParameterSource

from dnerf_core.errors import UsageError
from dnerf_core.limits import MAX_VIEWS
from headless.commands import options
from headless.runs.evaluate import evaluate
from headless.runs.evaluate_call import EvaluateCall
from headless.work.reporting import Reporter

_CONSISTENCY_TAKES = {"folders", "consistency", "textures", "row", "as_json"}


@click.command("evaluate", epilog="\b\nExample:\n  dnerf-headless evaluate --model demo-cars --truth --seeds 0-99 --json")
@click.argument("folders", nargs=-1, type=options.FilledPath(exists=True, file_okay=False), metavar="[FOLDER]...")
@options.model_option
@click.option("--truth", is_flag=True, help="Score against the exact truth, which is known for demo-cars only.")
@click.option(
    "--consistency",
    is_flag=True,
    help="Score any folder's views with cameras, depth and masks against each other, by re-projection.",
)
@click.option(
    "--consistent",
    is_flag=True,
    help="With --truth: also score masks re-rendered from the fused labels, as render --consistent writes them.",
)
@click.option("--video", is_flag=True, help="With --truth: the frames of an even arc, instead of random views.")
@options.subject_options("0-99, or 0 with --video")
@click.option(
    "--views",
    type=click.IntRange(1, MAX_VIEWS),
    metavar="N",
    help="Views of each subject.  [default: 1, or 61 with --video]",
)
@click.option(
    "--yaw",
    type=options.RangeType(360.0),
    metavar="A:B",
    help="Turn in degrees, one value or a range.  [default: -180:180, or -30:30 with --video]",
)
@click.option(
    "--pitch",
    type=options.RangeType(90.0),
    metavar="A:B",
    help="Elevation in degrees, one value or a range.  [default: 5:30, or the model's own with --video]",
)
@click.option(
    "--grid",
    type=options.FilledPath(dir_okay=False),
    metavar="FILE.png",
    help="Also draw the worst views and typical ones; a file of that name is replaced.",
)
@click.option(
    "--textures",
    type=options.FilledPath(dir_okay=False),
    metavar="FILE.png",
    help="With --consistency: also draw line textures, one pixel row of every frame; a file of that name is replaced.",
)
@click.option(
    "--row",
    type=click.IntRange(0),
    metavar="N",
    help="With --textures: which pixel row, 0 at the top.  [default: through the object's middle]",
)
@click.option("--skip-unpainted", is_flag=True, help="Leave out masks that are all background instead of refusing them.")
@options.device_option
@options.exact_option
@options.output_style_options
@click.pass_context
def command(ctx: click.Context, as_json: bool, **values: object) -> None:
    """Score a model against painted masks or the exact truth, or views against each other.

    FOLDER is what sample wrote, with its masks painted: mIoU (background counts as a class), accuracy and IoU of each class,
    over all pixels of all views. --truth adds the silhouette's IoU, PSNR and depth error of each view, and gives their means.
    --consistency needs no model: FOLDER has cameras.json, labels.json, masks and depth, of any origin; labels of each view are
    carried by depth into the others and compared there.
    """
    check_options(values, ctx)
    evaluate(EvaluateCall(**values), Reporter(as_json))  # type: ignore[arg-type]


def check_options(values: Mapping[str, object], ctx: click.Context) -> None:
    """Refuse options that were given beside `--consistency` and mean nothing there, defaults or not.

    Raises:
        UsageError: one of them.
    """
    if not values["consistency"]:
        return
    for param in ctx.command.params:
        given = ctx.get_parameter_source(param.name or "") is not ParameterSource.DEFAULT
        if given and isinstance(param, click.Option) and param.name in values and param.name not in _CONSISTENCY_TAKES:
            raise UsageError(
                f"{param.opts[0]}: expected none beside --consistency, which compares a folder's own views and loads no model; "
                "leave it out"
            )
