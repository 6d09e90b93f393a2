"""`dnerf-headless annotate import`: what other programs painted, as masks of a folder that `sample` wrote."""

from __future__ import annotations

import click

from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option, option_of, type_of
from headless.commands.types import FilledPath
from headless.runs.annotate import TOOL, AnnotateImportCall, import_annotations
from headless.work.reporting import Reporter


@click.command(
    "annotate import",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless annotate import faces --from labelme faces/images --map eyebrows=brows",
)
@click.argument(
    "folder",
    type=FilledPath(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Paint the masks of this folder of sample.",
)
@click.argument("path", type=FilledPath(exists=True), metavar="PATH", help="Read this file, folder or zip archive of the tool.")
@option("--from", "from_tool", type=type_of(TOOL), required=True, help=TOOL.text)
@option(
    "--map",
    "map",
    multiple=True,
    metavar="NAME=LABEL",
    help="Take this name in the files for this label, or for background or ignore; may be given several times.",
)
@option_of(AnnotateImportCall, "replace", help="Overwrite masks that are painted already.")
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Paint a folder's masks from what an annotation tool wrote.

    PATH is what the tool wrote of the pictures in FOLDER/images: labelme's JSON files, COCO instances, CVAT for images 1.1, a Pascal VOC
    folder (CVAT's segmentation mask 1.1), or mask pictures. Pictures are matched by name, labels without regard to case, spaces, _ and -.
    All of it is checked before a mask is written; views that the files say nothing of stay as they are.
    """
    import_annotations(AnnotateImportCall(**values), Reporter(as_json))  # type: ignore[arg-type]
