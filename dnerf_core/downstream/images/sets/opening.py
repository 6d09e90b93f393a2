"""Which form a data set has that a call names, and the set opened."""

from __future__ import annotations

from pathlib import Path

from dnerf_core.downstream.images.sets.folders import FolderSet, PaintedSet, record_command
from dnerf_core.downstream.images.sets.labeled_set import LabeledSet
from dnerf_core.downstream.images.sets.shards import ShardSet, shard_folders
from dnerf_core.errors import UsageError
from dnerf_core.files.names import CAMERAS_NAME
from dnerf_core.files.split_folders import split_of_path


def open_set(path: Path, *, skip_unpainted: bool = False) -> LabeledSet:
    """The data set at a path: what `render` wrote, its shards alone, or what `sample` wrote, its masks painted.

    Where a folder has both, its files are read and not its shards, which say the same.

    Args:
        skip_unpainted: of painted masks: leave out those in which nothing is painted.

    Raises:
        DNeRFError: there is no such data set, or it cannot be used.
    """
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise UsageError(f"{path}: expected the folder of a data set, found {found}; render one there, or correct the name")
    if record_command(path) == "sample":
        return PaintedSet(path, skip_unpainted=skip_unpainted)
    top, _ = split_of_path(path)
    if not (top / CAMERAS_NAME).is_file() and (indexes := shard_folders(path)):
        return ShardSet(path, indexes)
    return FolderSet(path)
