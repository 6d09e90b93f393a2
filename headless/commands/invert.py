"""`dnerf-headless invert`: the subject and the camera of a photo or a mask."""

from __future__ import annotations

from typing import Any

import click

from dnerf_core.inversion.settings import MASK_STAGES, PICTURE_STAGES, Stage
from dnerf_core.own_views import SEARCH_YAW_DEG, yaw_text
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.commands.types import FilledPath, SquareType
from headless.searches.calls import InvertCall
from headless.work.reporting import Reporter


def _steps_of(stages: tuple[Stage, ...]) -> int:
    return sum(stage.steps for stage in stages)


@click.command(
    "invert",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless invert photo.jpg --output found",
)
@click.argument(
    "pictures",
    nargs=-1,
    required=True,
    type=FilledPath(exists=True, dir_okay=False),
    metavar="PICTURE...",
    help="Invert these photos, or with --kind mask these label masks.",
)
@options.model_option
@option_of(InvertCall, "kind")
@option_of(InvertCall, "variants", metavar="K")
@option_of(InvertCall, "fit")
@option_of(
    InvertCall,
    "crop",
    type=SquareType(),
    metavar="X,Y,SIDE",
    help="Take the square of that SIDE whose left top corner is X,Y, in the picture's pixels, instead of --fit.",
)
@option_of(
    InvertCall,
    "yaw",
    metavar="A:B",
    help="Look for the camera among turns of A to B degrees; -180:180 is all around.",
    show_default=yaw_text(SEARCH_YAW_DEG),
)
@options.pitch_option(InvertCall)
@option_of(
    InvertCall,
    "camera",
    type=FilledPath(exists=True),
    metavar="FILE",
    help="Keep to this camera, where it is known: a file as render --cameras takes it, with one view for all pictures, or with "
    "each picture's own, named as the picture is.",
)
@options.cameras_up_option
@options.one_pose_options("found, within what joints can do", "Keep to this frame of --pose, counted from 1.")
@option_of(InvertCall, "space")
@option_of(InvertCall, "starts")
@option_of(InvertCall, "candidates")
@option_of(InvertCall, "steps", show_default=f"{_steps_of(PICTURE_STAGES)}, or {_steps_of(MASK_STAGES)} of a mask")
@option_of(InvertCall, "prior", metavar="W")
@option_of(InvertCall, "perceptual_weight", metavar="W", help="Weigh the perceptual loss by W; needs --perceptual-file.")
@option_of(
    InvertCall,
    "perceptual_file",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Read the weights of the perceptual loss's network, VGG16, from here, such as torchvision's vgg16-397923af.pth.",
)
@option_of(InvertCall, "tuning")
@option_of(InvertCall, "snap_colors")
@option_of(InvertCall, "seed")
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
