"""`dnerf-headless info`: what is inside a model file, from its header alone, or in a subject file."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option
from headless.commands.types import ModelType
from headless.runs.info import InfoCall, info
from headless.work.reporting import Reporter


@click.command("info", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless info demo-cars")
@click.argument(
    "model_name",
    type=ModelType(),
    metavar="NAME|FILE",
    help="Print what is inside this embedded model, model file, subject file or template file.",
)
@option(
    "--verify", is_flag=True, help="Hold the content against the check sum that the file has in it, recorded as it was written."
)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Print what is inside a model file, a subject file, a template file or a network file.

    Of a model: generator, cameras, semantic branch, labels with their colours, where the weights came from and under which licence,
    and the training record. Of a subject: its generator, latents, tuned weights, camera, and how it was made. Of a
    body's template: mesh, skeleton, parts, and under which terms it may be used. Of a network: what it labels, and what it learned from.
    """
    info(InfoCall(**values), Reporter(as_json))  # type: ignore[arg-type]
