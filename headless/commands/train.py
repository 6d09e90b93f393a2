"""`dnerf-headless train`: a semantic branch from a few painted views, and the model file that holds it."""

from __future__ import annotations

import math
from typing import Any

import click

from dnerf_core.seeds import MAX_SEED
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from headless.annotating.training_plan import TrainCall
from headless.commands import options
from headless.runs.train import train
from headless.work.reporting import Reporter

_DEFAULT_BRANCH, _DEFAULT_TRAINING = SemanticConfig(), BranchTrainingConfig()


class HoldoutType(click.ParamType[float]):
    """A whole number of subjects, or a share of them between 0 and 1, as a float; `0.5` is a share and `1` is one subject."""

    name = "holdout"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not math.isfinite(number) or number < 0 or (number > 1 and number != int(number)):
            self.fail(f"expected a number of subjects such as 3, or a share such as 0.1, found {value!r}", param, ctx)
        return number


@click.command("train", epilog="\b\nExample:\n  dnerf-headless train dnerf-annotate -o my-cars.safetensors")
@click.argument("folders", nargs=-1, required=True, type=options.FilledPath(exists=True, file_okay=False), metavar="FOLDER...")
@click.option(
    "--output", "-o", type=options.FilledPath(), required=True, metavar="X.safetensors", help="The model file to write."
)
@click.option(
    "--model",
    "model_name",
    type=options.ModelType(),
    metavar="NAME|FILE",
    help="The generator.  [default: the one the folder was sampled from]",
)
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=_DEFAULT_TRAINING.steps, show_default=True)
@click.option(
    "--feature-kind",
    type=click.Choice(["features", "planes"]),
    default=_DEFAULT_BRANCH.feature_kind,
    show_default=True,
    help="What is read of each block of the generator: its hidden features, or its output.",
)
@click.option(
    "--scales",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="Blocks that are read; last is the ablation without multi-scale features.",
)
@click.option(
    "--density-prior/--no-density-prior",
    default=_DEFAULT_BRANCH.density_prior,
    show_default=True,
    help="Composite with the generator's density, or learn one.",
)
@click.option(
    "--guide",
    type=click.Choice(["none", "rendered", "rgb"]),
    default=_DEFAULT_BRANCH.refiner.guide,
    show_default=True,
    help="What the semantic super-resolution sees beside the semantic maps.",
)
@click.option("--learning-rate", type=options.FiniteFloat(1e-7, 1.0), default=_DEFAULT_TRAINING.learning_rate, show_default=True)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=_DEFAULT_TRAINING.seed, show_default=True)
@click.option(
    "--holdout",
    type=HoldoutType(),
    metavar="N|SHARE",
    help="The last subjects, kept out of the training and scored; 0 for none.  [default: a tenth of 3 or more subjects]",
)
@click.option("--skip-unpainted", is_flag=True, help="Leave out masks that are all background instead of refusing them.")
@click.option("--allow-missing-classes", is_flag=True, help="Train though a class of the label set occurs in no mask.")
@options.device_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Train a semantic branch on painted views and write a model file.

    FOLDER is what sample wrote, with its masks painted; several folders of one generator count as one. Everything is checked
    first. The same call again goes on where it was interrupted.
    """
    train(TrainCall(**values), Reporter(as_json))  # type: ignore[arg-type]
