"""`dnerf-headless extension`: the Blender extension as the zip file that Blender installs."""

from __future__ import annotations

from pathlib import Path

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.work.reporting import Reporter


@click.command("extension", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless extension --output .")
@options.output_option(".", "Write the file to this folder, which is made if it is not there.")
@options.output_style_options
def command(output: Path, as_json: bool) -> None:
    """Write the Blender extension.

    In Blender 4.2 or later: Edit > Preferences > Get Extensions > Install from Disk. Where bpy is installed, Blender's own tool
    checks the file before it takes its name.
    """
    from headless.work import extension_build

    path, validated = extension_build.build_extension(output)
    checked = "valid by Blender's own tool" if validated else "not checked by Blender's tool, which comes with bpy"
    install = f"blender --command extension install-file -r user_default -e {path}"
    lines = [f"{path}: {checked}", f"install it in Blender's preferences (Get Extensions, Install from Disk), or: {install}"]
    Reporter(as_json).summary(
        lines,
        command="extension",
        path=str(path),
        bytes=path.stat().st_size,
        validated=validated,
        id=extension_build.EXTENSION_ID,
    )
