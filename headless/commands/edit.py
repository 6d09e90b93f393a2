"""`dnerf-headless edit`: a subject's shape is changed until its labels agree with a repainted mask."""

from __future__ import annotations

from typing import Any

import click

from headless.commands import options
from headless.searches.calls import EditCall
from headless.work.reporting import Reporter

LABEL_WEIGHT, RGB_WEIGHT, KEEP_INSIDE, EDITED_WEIGHT, PRIOR, MARGIN_PX, STEPS = 1.0, 10.0, 0.5, 10.0, 3e-3, 4, 80
"""The engine's own (`dnerf_core.editing.EditSettings`), told here so that --help needs no torch; a test compares them."""


def _weight(name: str, default: float, text: str) -> Any:
    return click.option(name, type=options.FiniteFloat(0.0), default=default, show_default=True, metavar="W", help=text)


@click.command(
    "edit",
    epilog="\b\nExample:\n  dnerf-headless edit found/photo.safetensors --mask longer.png --output edited",
)
@click.argument("subject", metavar="FILE|SEED")
@click.option(
    "--mask",
    type=options.FilledPath(exists=True, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The repainted mask: label ids as annotators paint them, 255 where nothing is asked for.",
)
@options.model_option
@options.truncation_option
@click.option(
    "--yaw", type=options.RangeType(360.0), metavar="A", help="Where the mask was painted from.  [default: the file's own]"
)
@click.option(
    "--pitch", type=options.RangeType(85.0), metavar="A", help="Its elevation.  [default: the file's or the model's own]"
)
@click.option(
    "--camera",
    type=options.FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="The mask's camera: a cameras.json with one view.",
)
@_weight("--label-weight", LABEL_WEIGHT, "Of the cross-entropy to the mask (the paper's lambda 1).")
@_weight("--rgb-weight", RGB_WEIGHT, "Of the colours outside the edited region (lambda 2).")
@_weight("--perceptual", 0.0, "Of the perceptual loss outside it (lambda 3); needs --vgg.")
@click.option(
    "--vgg", type=options.FilledPath(exists=True, dir_okay=False), metavar="FILE", help="VGG16's weights, see `invert --help`."
)
@_weight("--keep-inside", KEEP_INSIDE, "Of the colours in the region, away from what was repainted; 0: as in the paper.")
@click.option(
    "--edited-weight",
    type=options.FiniteFloat(1.0),
    default=EDITED_WEIGHT,
    show_default=True,
    help="Of a repainted pixel's label.",
)
@_weight("--prior", PRIOR, "Of the distance from the subject as it was.")
@click.option(
    "--margin",
    type=click.IntRange(0, 64),
    default=MARGIN_PX,
    show_default=True,
    metavar="PIXELS",
    help="Round what was repainted.",
)
@click.option("--steps", type=click.IntRange(2, 100_000), default=STEPS, show_default=True, help="Of the optimiser.")
@options.device_option
@options.output_option("dnerf-edited")
@options.output_style_options
def command(as_json: bool, **values: Any) -> None:
    """Change a subject's shape by repainting its mask.

    A longer hood, a lower roof, larger wheels. The subject is a subject file, such as invert writes, or a seed. Paint over its mask
    (photo-mask.png of invert, or a mask that render writes) and give it back: the latent moves until the labels agree, while
    colours outside what was edited stay. The output folder gets a subject file and pictures of before and after. Ctrl-C keeps
    the best so far.
    """
    from headless.runs.edit import edit

    edit(EditCall(**values), Reporter(as_json))
