"""`dnerf-headless edit`: a subject's shape is changed until its labels agree with a repainted mask."""

from __future__ import annotations

from typing import Any

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.commands.types import FilledPath
from headless.searches.calls import EditCall
from headless.work.reporting import Reporter


@click.command(
    "edit",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless edit found/photo.safetensors --mask longer.png --output edited",
)
@click.argument("subject", metavar="FILE|SEED")
@click.option(
    "--mask",
    type=FilledPath(exists=True, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The repainted mask: label ids as annotators paint them, 255 where nothing is asked for.",
)
@options.model_option
@options.truncation_option(EditCall)
@option_of(EditCall, "yaw", metavar="A", help="The turn that the mask was painted from, degrees.  [default: the file's own]")
@option_of(
    EditCall, "pitch", metavar="A", help="The elevation it was painted from, degrees.  [default: the file's or the model's own]"
)
@option_of(
    EditCall,
    "camera",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="The camera that the mask was painted from: a cameras.json with one view.",
)
@option_of(EditCall, "label_weight", metavar="W")
@option_of(EditCall, "rgb_weight", metavar="W")
@option_of(EditCall, "perceptual", metavar="W", help="Weight of the perceptual loss outside the region (lambda 3); needs --vgg.")
@option_of(
    EditCall,
    "vgg",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="VGG16's weights, see `invert --help`.",
)
@option_of(EditCall, "keep_inside", metavar="W")
@option_of(EditCall, "edited_weight", metavar="W")
@option_of(EditCall, "prior", metavar="W")
@option_of(EditCall, "margin", metavar="PIXELS")
@option_of(EditCall, "steps", metavar="N")
@options.device_option
@options.output_option(EditCall.output)
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
