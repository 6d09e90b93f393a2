"""`dnerf-headless annotate`: commands about the annotations of a folder that `sample` wrote."""

from __future__ import annotations

import click

from headless.commands.annotate import import_


@click.group(
    "annotate",
    no_args_is_help=False,
    epilog="\b\nExample:\n  dnerf-headless annotate import faces --from labelme faces/images",
)
def command() -> None:
    """Bring in what other programs painted, as masks of a folder of sample."""


command.add_command(import_.command, "import")
