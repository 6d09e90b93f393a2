"""Painted folders read for training and scoring. Where a tool's files lie about unread, the refusal says how to read them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dnerf_core.errors import AnnotationError, UnpaintedError
from dnerf_core.files.names import CAMERAS_NAME, LABELS_NAME, RECORD_NAME

if TYPE_CHECKING:
    from dnerf_core.files.annotated_folder import Annotations

_FILES_LOOKED_AT = 50
"""Of a folder: the first of a tool's own is told, and one of labelme's lies beside every picture."""
_ENDINGS = (".json", ".xml", ".zip")
_OURS = {RECORD_NAME, CAMERAS_NAME, LABELS_NAME}


def read_painted(folders: Sequence[Path], *, skip_unpainted: bool = False) -> Annotations:
    """`dnerf_core.files.annotated_folder.read_annotations`, whose refusal of unpainted masks tells of a tool's files in the folders.

    Raises:
        DNeRFError: as `read_annotations`.
    """
    from dnerf_core.files.annotated_folder import read_annotations, read_plan

    for folder in folders:
        others = (path for path in (folder / "masks").glob("*") if path.suffix.lower() not in _ENDINGS)
        if next(others, None) is None and (hint := unread_files(folder)) is not None:
            read_plan(folder)  # a folder that is none of `sample` is told first
            raise UnpaintedError(f"{folder / 'masks'}: expected painted masks, found none, {hint}")
    try:
        return read_annotations(folders, skip_unpainted=skip_unpainted)
    except UnpaintedError as error:
        hint = next((found for folder in folders if (found := unread_files(folder)) is not None), None)
        if hint is None:
            raise
        raise UnpaintedError(f"{str(error).rpartition('; ')[0]}, {hint}") from error


def unread_files(folder: Path) -> str | None:
    """What of an annotation tool lies in a folder, and the command line that reads it; None: nothing does."""
    from headless.annotating.importing.registry import TOOLS, tool_of
    from headless.annotating.importing.sources import FolderSource, ZipSource
    from headless.annotating.importing.voc import is_class_picture

    try:
        source = FolderSource(folder)
    except (AnnotationError, OSError):
        return None  # the folder itself is at fault, which is another message
    names = [name for name in source.names if name not in _OURS and (name.lower().endswith(_ENDINGS) or is_class_picture(name))]
    for name in names[:_FILES_LOOKED_AT]:
        try:
            if name.lower().endswith(".zip"):
                archive = ZipSource(source.file(name))
                tool = next((found for inner in archive.names[:_FILES_LOOKED_AT] if (found := tool_of(archive, inner))), None)
            else:
                tool = tool_of(source, name)
        except AnnotationError:
            continue  # damaged, or nothing of a tool's: the message is about what is not painted
        if tool is not None:
            path = folder / _named(name, tool, names)
            line = shlex.join(["dnerf-headless", "annotate", "import", str(folder), "--from", tool, str(path)])
            return f"and {TOOLS[tool].title} in {path}; read that first: {line}"
    return None


def _named(name: str, tool: str, names: Sequence[str]) -> PurePosixPath:
    """What to name of a tool's files: the file where it is alone, else the folder that they lie in."""
    path = PurePosixPath(name)
    if path.suffix.lower() == ".zip":
        return path
    if tool == "voc":
        return path.parent.parent
    alike = [other for other in map(PurePosixPath, names) if (other.parent, other.suffix) == (path.parent, path.suffix)]
    return path.parent if tool == "labelme" or len(alike) > 1 else path
