"""`dnerf-headless invert`: the subject and the camera of a photo or a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dnerf_core.inversion.settings import SPACES, STEEPEST_PITCH_DEG
from dnerf_core.own_views import SEARCH_YAW_DEG, yaw_text
from dnerf_core.seeds import MAX_SEED
from headless.commands import options
from headless.searches.calls import USUAL, InvertCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    pass


@click.command(
    "invert",
    epilog="\b\nExample:\n  dnerf-headless invert photo.jpg --output found",
)
@click.argument("pictures", nargs=-1, required=True, type=options.FilledPath(exists=True, dir_okay=False), metavar="PICTURE...")
@options.model_option
@click.option(
    "--from",
    "kind",
    type=click.Choice(["image", "mask"]),
    default="image",
    show_default=True,
    help="What the pictures are: photos, or label masks as annotators paint them.",
)
@click.option(
    "--variants", type=click.IntRange(1, 64), default=1, show_default=True, metavar="K", help="Different subjects of each mask."
)
@click.option(
    "--fit",
    type=click.Choice(["pad", "crop"]),
    default="pad",
    show_default=True,
    help="How a picture that is not square becomes so.",
)
@click.option("--crop", metavar="X,Y,SIDE", help="This square of the picture, in its pixels, instead of --fit.")
@click.option(
    "--yaw",
    type=options.RangeType(360.0),
    metavar="A:B",
    help=f"Where the camera is looked for, degrees; -180:180 for all around.  [default: {yaw_text(SEARCH_YAW_DEG)}]",
)
@click.option(
    "--pitch",
    type=options.RangeType(STEEPEST_PITCH_DEG),
    metavar="A:B",
    help="Elevations to begin from, degrees.  [default: the model's own]",
)
@click.option(
    "--camera",
    type=options.FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="The camera, where it is known: a cameras.json with one view; it is not moved.",
)
@click.option(
    "--space", type=click.Choice(SPACES), default=USUAL.space, show_default=True, help="Where the latent moves; w+ fits best."
)
@click.option("--starts", type=click.IntRange(1, 64), default=USUAL.starts, show_default=True, help="Latents to descend from.")
@click.option(
    "--candidates",
    type=click.IntRange(1, 10_000),
    default=USUAL.candidates,
    show_default=True,
    help="Random latents to choose the starts from.",
)
@click.option("--steps", type=click.IntRange(1, 100_000), metavar="N", help="Of the optimiser, all stages together.")
@click.option(
    "--prior",
    type=options.FiniteFloat(0.0),
    default=USUAL.prior,
    show_default=True,
    help="Weight of how unusual the latent is.",
)
@click.option(
    "--perceptual",
    type=options.FiniteFloat(0.0),
    default=0.0,
    show_default=True,
    help="Weight of the perceptual loss; needs --vgg.",
)
@click.option(
    "--vgg",
    type=options.FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="VGG16's weights, such as torchvision's vgg16-397923af.pth.",
)
@click.option(
    "--tuning",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    metavar="STEPS",
    help="Then tune the generator's weights about what was found (pivotal tuning).",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Of the random latents.")
@options.device_option
@options.output_option("dnerf-inverted")
@options.output_style_options
def command(as_json: bool, **values: Any) -> None:
    """Find the subject of a photo or a mask, and where it was taken from.

    Latent and camera descend together, coarse to fine, from the best of several starts. Of photo.png the output folder gets a subject
    file that other commands take with --subject, a strip of views all around with their labels, the loss curve and the camera;
    meanwhile photo-progress.png shows how far it is. Ctrl-C keeps the best so far; the same call again does what is missing.
    """
    from headless.runs.invert import invert

    invert(InvertCall(**values), Reporter(as_json))
