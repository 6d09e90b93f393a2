"""`dnerf-headless train`: a semantic branch from a few painted views, and the model file that holds it."""

from __future__ import annotations

import click

from headless.annotating.training_plan import TrainCall
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath, ModelType
from headless.runs.train import train
from headless.work.reporting import Reporter


@click.command("train", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless train dnerf-annotate -o my-cars.safetensors")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER...",
    help="Train on these folders of sample, whose masks are painted.",
)
@option("--output", "-o", type=FilledPath(), required=True, metavar="X.safetensors", help="Write this model file.")
@option(
    "--model",
    "model_name",
    type=ModelType(),
    metavar="NAME|FILE",
    help="Take the generator of this model, an embedded one or a model file.",
    show_default="the one the folder was sampled from",
)
@option_of(TrainCall, "steps")
@option_of(
    TrainCall,
    "feature_kind",
    help="Read this of each block of the generator: its hidden features, or the planes that it gives out.",
)
@option_of(
    TrainCall, "scales", help="Read all blocks of the generator, or only the last: the ablation without multi-scale features."
)
@option_of(
    TrainCall,
    "density_prior",
    "--density-prior/--no-density-prior",
    show_default="--density-prior",
    help="Composite labels with the generator's density, or learn a density of their own.",
)
@option_of(TrainCall, "patch", show_default="all of it")
@option_of(
    TrainCall,
    "guide",
    help="Show the semantic super-resolution this beside the semantic maps: nothing, the rendered features, or the final image.",
)
@option_of(
    TrainCall, "learning_rate", metavar="RATE", help="Let the optimiser learn at this rate, which falls to 0 along a cosine."
)
@option_of(TrainCall, "seed", help="Draw the first weights and the order of views by this seed.")
@option_of(
    TrainCall,
    "holdout",
    metavar="N|SHARE",
    help="Keep the last N subjects, or this share, out of the training, and score them; 0 for none.",
    show_default="a tenth of 3 or more subjects",
)
@option_of(TrainCall, "skip_unpainted", help="Leave out masks that are all background instead of refusing them.")
@option_of(TrainCall, "allow_missing_classes", help="Train though a class of the label set occurs in no mask.")
@option_of(TrainCall, "snap_colors")
@option_of(TrainCall, "strict", help="Refuse a mask that seems mirrored, shifted or another view's, instead of warning of it.")
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Train a semantic branch on painted views and write a model file.

    FOLDER is what sample wrote, with its masks painted; several folders of one generator count as one. Everything is checked
    first. The same call again goes on where it was interrupted.
    """
    train(TrainCall(**values), Reporter(as_json))  # type: ignore[arg-type]
