"""What one process of a Ray cluster does: it holds the model, and makes and writes the views of one subject after the other.

Nothing here needs Ray.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dnerf_core import __version__
from dnerf_core.errors import DNeRFError, OutputError, UsageError
from dnerf_core.files.names import RECORD_NAME
from headless import models
from headless.datasets.view_source import ViewSource
from headless.datasets.view_writer import MadeView, ViewWriter
from headless.work.convolutions import check_form


@dataclass(frozen=True)
class ActorWork:
    """What every actor of a command is told.

    Attributes:
        writer: how views are written; its folder is the command's, which every node sees by the same path.
        source: where subjects come from.
        working_dir: the folder that the command was called in, which its paths may be relative to.
        view_threads: threads that render the views of one subject side by side.
    """

    writer: ViewWriter
    source: ViewSource
    working_dir: Path
    view_threads: int


class SubjectActor:
    """One process. Its methods are called in this order; the first takes plain values only, which any version can unpickle."""

    def check_version(self, version: str) -> None:
        """Make sure that this node has the program in the command's own version.

        Raises:
            UsageError: it has another.
        """
        if version != __version__:
            raise UsageError(
                f"node {platform.node()}: expected datasetnerf {version} as the command has it, found {__version__}; "
                "install the same version on every node"
            )

    def open(self, work: ActorWork) -> None:
        """Make sure that this node sees the command's folder and model, and load the model.

        Raises:
            DNeRFError: it does not, or the model cannot be used; the message names the node.
        """
        try:
            self._open(work)
        except DNeRFError as error:
            raise type(error)(f"node {platform.node()}: {error}") from error

    def _open(self, work: ActorWork) -> None:
        folder = work.writer.folder
        if not (folder.path.is_absolute() and Path(work.source.model_name).is_absolute()):
            _enter(work.working_dir, needed=not folder.path.is_absolute())
        if folder.lacks(RECORD_NAME):
            raise OutputError(
                f"{folder.path.absolute()}: expected the command's folder with its {RECORD_NAME}, found none; "
                "choose an --output that every node sees by the same path"
            )
        folder.check()
        work.source.check()
        if work.source.form is not None:
            check_form(folder, work.source.form, work.source.device)
        self._work, self._make_subject = work, work.source.open()

    def make(self, seed: int, names: Collection[str]) -> Iterator[MadeView]:
        """Make and write what these views of a subject lack, and give each when it is there.

        Views that an actor which died has written, but not told of, are there already.

        Raises:
            OutputError: a file cannot be written.
        """
        writer = self._work.writer
        lacking = {name: writer.folder.lacking_kinds(name) for name in names}
        for view in writer.subject(seed):
            if view.name in names and not lacking[view.name]:
                yield writer.existing(view)
        tasks = writer.tasks(seed, self._make_subject, lambda name: lacking.get(name, []))
        with (
            writer.folder.recording(),
            models.one_thread_a_view(),
            closing(writer.make_all([tasks], self._work.view_threads)) as views,
        ):
            yield from views


def _enter(folder: Path, *, needed: bool) -> None:
    """Make the command's working folder this process's own; one that is not here is an error only where `needed`."""
    try:
        os.chdir(folder)
    except OSError as error:
        if needed:
            raise OutputError(
                f"{folder}: expected the folder that the command was called in, the system says: {error.strerror}; "
                "choose an --output that every node sees by the same path"
            ) from error
