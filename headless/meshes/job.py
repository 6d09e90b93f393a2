"""One plan of meshes on its way into one folder: a subject whose files are all there is not made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dnerf_core.errors import DNeRFError
from dnerf_core.files.meshes.formats import MeshFormat, mesh_files, write_mesh
from dnerf_core.files.meshes.glb import mesh_glb_bytes
from dnerf_core.files.meshes.rig import RigMotion
from dnerf_core.files.names import LABELS_NAME, labels_json
from dnerf_core.files.whole import leftovers, make_folder, remove_files, write_bytes_whole
from dnerf_core.mesh.mesh import Mesh, mesh_of
from dnerf_core.mesh.options import MeshOptions
from dnerf_core.mesh.rigged import rigged_mesh
from dnerf_core.mesh.surface import Surface
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.subject import Subject
from dnerf_core.work.made_once import Once
from headless.clouds.sources import ModelSource
from headless.meshes.plan import MeshPlan
from headless.work.reporting import Reporter
from headless.work.result_folder import ResultFolder
from headless.work.workers import run_tasks

RECORD_FORMAT = "datasetnerf-meshes"


class MeshJob:
    """A plan, its source and the folder it goes to.

    Attributes:
        missing: the subjects that lacked a file when the job was made.
        faces: triangles written here, of all meshes.
        open_meshes: the names of meshes written here that are not watertight.
        files_made: whether anything was written.
    """

    def __init__(
        self,
        plan: MeshPlan,
        source: ModelSource,
        folder: ResultFolder,
        reporter: Reporter,
        workers: int,
        *,
        only_look: bool = False,
        animation: RigMotion | None = None,
    ) -> None:
        """Claims nothing yet, but refuses a folder of another call, and clears what an interrupted run of this one left.

        Args:
            only_look: clear nothing.
            animation: of rigged meshes; None: they have none.

        Raises:
            OutputError: it is another call's, or cannot be read.
        """
        self.plan, self.source, self.folder, self.reporter, self.workers = plan, source, folder, reporter, workers
        self.animation = animation
        folder.check()
        if not only_look:
            self._clear()
        self.missing = [name for name in source.names if self.missing_formats(name)]
        self.faces = 0
        self.open_meshes: list[str] = []
        self.files_made = False

    def _clear(self) -> None:
        kinds = self.plan.formats
        files = [path for name in self.source.names for kind in kinds for path in mesh_files(self.file(name, kind), kind)]
        names = {path.name for path in files}
        stale = (path for place in {path.parent for path in files} for path in leftovers(place, names.__contains__))
        remove_files([*self.folder.top_leftovers(), *stale])

    def file(self, name: str, kind: MeshFormat) -> Path:
        """Where the file of a subject belongs."""
        return self.folder.path / kind / f"{name}.{kind}"

    def missing_formats(self, name: str) -> list[MeshFormat]:
        """The formats in which a subject is not there."""
        return [kind for kind in self.plan.formats if not all(path.exists() for path in mesh_files(self.file(name, kind), kind))]

    def write(self) -> None:
        """Make what is missing.

        Raises:
            OutputError: something cannot be written.
            DNeRFError: a subject has no such surface; the message names it.
        """
        top = self.source.labels is not None and self.folder.lacks(LABELS_NAME)
        if not (self.missing or top):
            return
        self.files_made = True
        self.folder.claim()
        for kind in self.plan.formats:
            make_folder(self.folder.path / kind)
        if self.source.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.source.labels))
        with self.reporter.progress("meshes", len(self.missing)) as advance:
            for name, subject, mesh in meshes(self.source, self.missing, self.plan.options, self.workers):
                self._write_mesh(name, subject, mesh)
                advance()

    def _write_mesh(self, name: str, subject: Subject, mesh: Mesh) -> None:
        if self.plan.rigged:
            mesh, rig = rigged_mesh(subject, mesh)
            write_bytes_whole(self.file(name, "glb"), mesh_glb_bytes(mesh, self.plan.color, rig, self.animation))
        for kind in self.missing_formats(name):
            write_mesh(self.file(name, kind), mesh, kind, self.plan.color)
        closed = mesh.is_watertight
        self.faces += len(mesh.faces)
        if not closed:
            self.open_meshes.append(name)
        self.reporter.event("mesh", name=name, vertices=len(mesh.vertices), faces=len(mesh.faces), watertight=closed)


@dataclass(frozen=True)
class _Task:
    name: str
    make: Callable[[], LabeledView | Surface]


def meshes(source: ModelSource, names: list[str], options: MeshOptions, workers: int) -> Iterator[tuple[str, Subject, Mesh]]:
    """Some of a source's subjects by their names, and their meshes, one after the other; surfaces and views are had by so many threads.

    Raises:
        DNeRFError: a subject has no such surface; the message names it.
    """
    expected: dict[str, tuple[int, Once[Subject]]] = {}

    def surface(name: str, subject: Once[Subject]) -> Surface:
        with _named(name):
            return subject.value.surface(options)

    def groups() -> Iterator[list[_Task]]:
        for name in names:  # one at a time: a subject's tasks hold it
            subject = source.subject(name)
            tasks = [_Task(name, partial(surface, name, subject))]
            tasks += [_Task(name, view) for view in source.views_of(name, subject)]
            expected[name] = len(tasks), subject
            yield tasks

    found: dict[str, list[LabeledView | Surface]] = {}
    for task, result in run_tasks(groups(), lambda task: task.make(), workers, in_order=True):
        results = found.setdefault(task.name, [])
        results.append(result)
        count, subject = expected[task.name]
        if len(results) == count:
            views = [one for one in results if isinstance(one, LabeledView)]
            (marched,) = [one for one in results if isinstance(one, Surface)]
            del found[task.name], expected[task.name]
            with _named(task.name):
                mesh = mesh_of(marched, views, options, source.labels, source.world_up)
            yield task.name, subject.value, mesh


class _named:  # noqa: N801  # a context, used like a function
    """Puts a subject's name before the message of what fails inside."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DNeRFError):
            raise type(error)(f"{self.name}: {error}") from error
