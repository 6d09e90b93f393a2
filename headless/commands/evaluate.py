"""`dnerf-headless evaluate`: a model against painted masks or the demo's exact truth, or views of a folder against each other."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.core import ParameterSource

from dnerf_core.errors import UsageError
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import AgainstType, FilledPath
from headless.runs.evaluate import evaluate
from headless.runs.evaluating.call import TRAINING, EvaluateCall
from headless.work.reporting import Reporter

_CONSISTENCY_TAKES = {"folders", "consistency", "textures", "row", "as_json"}
_PREDICTIONS_TAKE = {"folders", "predictions", "against", "skip_missing", "map", "skip_unpainted", "grid", "device", "as_json"}
_FOLDS_TAKE = {"folders", "cross_validate", "keep", "model_name", "skip_unpainted", "snap_colors", "device", "as_json", *TRAINING}


@click.command(
    "evaluate", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless evaluate --model demo-cars --truth --seeds 0-99 --json"
)
@click.argument(
    "folders",
    nargs=-1,
    type=FilledPath(exists=True, file_okay=False),
    metavar="[FOLDER]...",
    help="Score the model against these folders of sample, or with --consistency the views of these folders, or with --against truth "
    "the predictions of this data set's views.",
)
@options.model_option
@option_of(EvaluateCall, "truth", help="Score the model against the exact truth, which is known for embedded models.")
@option_of(
    EvaluateCall,
    "consistency",
    help="Score how far the views of each FOLDER, with cameras, depth and masks of any origin, agree with each other, without a model. "
    "For masks that are made to agree, see --consistent.",
)
@option_of(
    EvaluateCall,
    "consistent",
    help="With --truth: also score the masks that render --consistent writes, which are made to agree by the labels that views fuse to. "
    "For how far views agree, see --consistency.",
)
@option(
    "--predictions",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Score the masks (PNG of ids, palette or label colours) or label videos in this folder, which anyone made, without a model.",
)
@option(
    "--against",
    type=AgainstType(),
    metavar="FOLDER|truth",
    help="With --predictions: take the masks of this folder, with its labels.json, as the truth, or the word truth for the exact one of a "
    "data set of an embedded model.",
)
@option_of(EvaluateCall, "skip_missing", help="With --predictions: leave out views that have no prediction instead of refusing.")
@option(
    "--map",
    "map",
    multiple=True,
    metavar="NAME=LABEL",
    help="With --predictions: take this name of their labels for this label of the truth, or for background; may be given "
    "several times.",
)
@option_of(EvaluateCall, "cross_validate")
@option(
    "--keep",
    type=FilledPath(),
    metavar="FOLDER",
    help="With --cross-validate: keep each fold's model, grid and scores in this folder; the same call goes on there.",
)
@option_of(EvaluateCall, "steps", help="With --cross-validate: train each fold's branch for N steps.")
@option_of(EvaluateCall, "scales", help="With --cross-validate: as train has it.")
@option_of(
    EvaluateCall,
    "density_prior",
    "--density-prior/--no-density-prior",
    show_default="--density-prior",
    help="With --cross-validate: as train has it.",
)
@option_of(EvaluateCall, "patch", help="With --cross-validate: as train has it.", show_default="all of a view")
@option_of(EvaluateCall, "seed", help="With --cross-validate: as train has it.")
@option_of(EvaluateCall, "video", help="With --truth: score the frames of an even arc, instead of random views.")
@options.subject_options(EvaluateCall, "0-99, or 0 with --video")
@option_of(
    EvaluateCall,
    "views",
    help="Score N views of each subject.",
    show_default="1, or 61 with --video",
)
@option_of(
    EvaluateCall,
    "yaw",
    metavar="A:B",
    show_default="-180:180, or -30:30 with --video",
)
@option_of(
    EvaluateCall,
    "pitch",
    metavar="A:B",
    show_default="5:30, or the model's own with --video",
)
@options.pose_options(EvaluateCall)
@option(
    "--grid",
    type=FilledPath(dir_okay=False),
    metavar="FILE.png",
    help="Also draw the worst views and typical ones to this file; one of that name is replaced.",
)
@option(
    "--textures",
    type=FilledPath(dir_okay=False),
    metavar="FILE.png",
    help="With --consistency: also draw line textures, one pixel row of every frame, to this file; one of that name is replaced.",
)
@option_of(
    EvaluateCall,
    "row",
    help="With --textures: draw pixel row N, 0 at the top.",
    show_default="through the object's middle",
)
@option_of(EvaluateCall, "skip_unpainted", help="Leave out masks that are all background instead of refusing them.")
@option_of(EvaluateCall, "snap_colors")
@options.device_option
@options.exact_option(EvaluateCall)
@options.output_style_options
@click.pass_context
def command(ctx: click.Context, as_json: bool, **values: object) -> None:
    """Score a model against painted masks or the exact truth, or views against each other.

    FOLDER is what sample wrote, with its masks painted: mIoU (background counts as a class), accuracy and IoU of each class,
    over all pixels of all views. --truth adds the silhouette's IoU, PSNR and depth error of each view, and gives their means.
    --consistency needs no model: FOLDER has cameras.json, labels.json, masks and depth, of any origin; labels of each view are
    carried by depth into the others and compared there. --consistent is another thing: which masks --truth scores.
    --predictions needs no model: masks of any origin are matched by the names of their files.
    --cross-validate needs no trained one: FOLDER's subjects are divided, and each fold is scored by a branch of the others.
    """
    check_options(values, ctx)
    evaluate(EvaluateCall(**values), Reporter(as_json))  # type: ignore[arg-type]


def check_options(values: Mapping[str, object], ctx: click.Context) -> None:
    """Refuse options that were given beside one that they mean nothing with, defaults or not.

    Raises:
        UsageError: one of them.
    """
    if values["predictions"] is not None:
        kind, takes = "--predictions, which scores a folder's masks and loads no model", _PREDICTIONS_TAKE
    elif values["consistency"]:
        kind, takes = "--consistency, which compares a folder's own views and loads no model", _CONSISTENCY_TAKES
    elif values["cross_validate"] is not None:
        kind, takes = "--cross-validate, which trains the models that it scores", _FOLDS_TAKE
    else:
        given_names = [name for name in TRAINING if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
        if given_names:
            found = given_names[0].replace("_", "-")
            raise UsageError(f"--{found}: expected with --cross-validate, found none; add it, or leave out --{found}")
        return
    for param in ctx.command.params:
        given = ctx.get_parameter_source(param.name or "") is not ParameterSource.DEFAULT
        if given and isinstance(param, click.Option) and param.name in values and param.name not in takes:
            raise UsageError(f"{param.opts[0]}: expected none beside {kind}; leave it out")
