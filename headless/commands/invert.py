"""`dnerf-headless invert`: the subject and the camera of a photo or a mask."""

from __future__ import annotations

from typing import Any

import click

from dnerf_core.own_views import SEARCH_YAW_DEG, yaw_text
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.commands.types import FilledPath
from headless.searches.calls import InvertCall
from headless.work.reporting import Reporter


@click.command(
    "invert",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless invert photo.jpg --output found",
)
@click.argument("pictures", nargs=-1, required=True, type=FilledPath(exists=True, dir_okay=False), metavar="PICTURE...")
@options.model_option
@option_of(InvertCall, "kind", "--from")
@option_of(InvertCall, "variants", metavar="K")
@option_of(InvertCall, "fit")
@option_of(InvertCall, "crop", metavar="X,Y,SIDE", help="Take this square of the picture, in its pixels, instead of --fit.")
@option_of(
    InvertCall,
    "yaw",
    metavar="A:B",
    help=f"Turns among which the camera is looked for, degrees; -180:180 for all around.  [default: {yaw_text(SEARCH_YAW_DEG)}]",
)
@option_of(
    InvertCall, "pitch", metavar="A:B", help="Elevations that the search begins from, degrees.  [default: the model's own]"
)
@option_of(
    InvertCall,
    "camera",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="The camera, where it is known: a cameras.json with one view; it is not moved.",
)
@option_of(InvertCall, "space")
@option_of(InvertCall, "starts")
@option_of(InvertCall, "candidates")
@option_of(InvertCall, "steps", metavar="N")
@option_of(InvertCall, "prior")
@option_of(InvertCall, "perceptual", help="Weight of the perceptual loss; needs --vgg.")
@option_of(
    InvertCall,
    "vgg",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="VGG16's weights, such as torchvision's vgg16-397923af.pth.",
)
@option_of(
    InvertCall,
    "tuning",
    metavar="STEPS",
    help="Then tune the generator's weights about what was found (pivotal tuning).",
)
@option_of(InvertCall, "seed", help="Seed of the random latents; another one starts the search from elsewhere.")
@options.device_option
@options.output_option(InvertCall.output)
@options.output_style_options
def command(as_json: bool, **values: Any) -> None:
    """Find the subject of a photo or a mask, and where it was taken from.

    Latent and camera descend together, coarse to fine, from the best of several starts. Of photo.png the output folder gets a subject
    file that other commands take with --subject, a strip of views all around with their labels, the loss curve and the camera;
    meanwhile photo-progress.png shows how far it is. Ctrl-C keeps the best so far; the same call again does what is missing.
    """
    from headless.runs.invert import invert

    invert(InvertCall(**values), Reporter(as_json))
