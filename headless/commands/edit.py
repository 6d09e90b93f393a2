"""`dnerf-headless edit`: a subject's shape is changed until its labels agree with a repainted mask."""

from __future__ import annotations

from typing import Any

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath, SubjectType
from headless.searches.calls import EditCall
from headless.work.reporting import Reporter


@click.command(
    "edit",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless edit found/photo.safetensors --mask longer.png --output edited",
)
@click.argument(
    "subject",
    type=SubjectType(),
    metavar="FILE|SEED",
    help="Edit this subject: a subject file, such as invert writes, or a seed.",
)
@option(
    "--mask",
    type=FilledPath(exists=True, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Follow this repainted mask: label ids such as annotators paint, 255 where nothing is asked for.",
)
@options.model_option
@options.truncation_option(EditCall)
@option_of(
    EditCall, "yaw", metavar="A", help="Say from which turn the mask was painted, in degrees.", show_default="the file's own"
)
@option_of(EditCall, "pitch", metavar="A", show_default="the file's or the model's own")
@option_of(
    EditCall,
    "camera",
    type=FilledPath(exists=True),
    metavar="FILE",
    help="Say from which camera the mask was painted: a file as render --cameras takes it, with one view, or with the mask's, named "
    "as the mask is.",
)
@options.cameras_up_option
@options.one_pose_options("the subject file's, or the model's own", "Take this frame of --pose, counted from 1.")
@option_of(EditCall, "label_weight", metavar="W")
@option_of(EditCall, "rgb_weight", metavar="W")
@option_of(
    EditCall,
    "perceptual_weight",
    metavar="W",
    help="Weigh the perceptual loss outside the region by W (lambda 3); needs --perceptual-file.",
)
@option_of(
    EditCall,
    "perceptual_file",
    type=FilledPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Read the weights of the perceptual loss's network, VGG16, from here, such as torchvision's vgg16-397923af.pth.",
)
@option_of(EditCall, "keep_inside", metavar="W")
@option_of(EditCall, "edited_weight", metavar="W")
@option_of(EditCall, "prior", metavar="W")
@option_of(EditCall, "margin", metavar="PIXELS")
@option_of(EditCall, "steps")
@option_of(EditCall, "snap_colors")
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
