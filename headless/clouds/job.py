"""One plan of point clouds on its way into one folder: an object whose files are all there is not made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dnerf_core.files.cloud_formats import CloudFormat, write_cloud
from dnerf_core.files.clouds import Category, CloudStyle
from dnerf_core.files.names import LABELS_NAME, labels_json
from dnerf_core.files.shapenetpart import category_folders, shapenetpart_lists
from dnerf_core.files.whole import leftovers, make_folder, remove_files, write_bytes_whole
from dnerf_core.pointcloud.cloud import PointCloud
from headless.clouds.gathering import fused_clouds
from headless.clouds.plan import CloudPlan
from headless.clouds.sources import CloudSource
from headless.work.reporting import Reporter
from headless.work.result_folder import ResultFolder

MakeClouds = Callable[[Sequence[str]], Iterator[tuple[str, PointCloud]]]
"""Gives the clouds of some objects by their names, one after the other."""

RECORD_FORMAT = "datasetnerf-pointclouds"
_SUFFIXES: dict[CloudFormat, str] = {"ply": ".ply", "npz": ".npz", "glb": ".glb", "shapenetpart": ".txt", "usd": ".usd"}


def list_names(plan: CloudPlan) -> list[str]:
    """The lists of all clouds, relative to the folder."""
    if "shapenetpart" not in plan.formats:
        return []
    splits = {"train", "val", "test", *(name for name, _ in plan.splits)}
    return [f"shapenetpart/train_test_split/shuffled_{split}_file_list.json" for split in sorted(splits)]


class CloudJob:
    """A plan, its source and the folder it goes to.

    Attributes:
        missing: the objects that lacked a file when the job was made.
        points: points written here, of all clouds.
        files_made: whether anything was written.
    """

    def __init__(
        self,
        plan: CloudPlan,
        source: CloudSource,
        folder: ResultFolder,
        reporter: Reporter,
        workers: int,
        *,
        only_look: bool = False,
        make_clouds: MakeClouds | None = None,
    ) -> None:
        """Claims nothing yet, but refuses a folder of another call, and clears what an interrupted run of this one left.

        Args:
            only_look: clear nothing.
            make_clouds: where clouds come from; None: the source's views are fused.

        Raises:
            OutputError: it is another call's, or cannot be read.
        """
        self._make_clouds = make_clouds or self._fused
        self.plan, self.source, self.folder, self.reporter, self.workers = plan, source, folder, reporter, workers
        self.style = CloudStyle(source.labels, plan.color, source.world_up, Category.named(plan.category))
        folder.check()
        if not only_look:
            self._clear()
        self.missing = [name for name in source.names if self.missing_formats(name)]
        self.points = 0
        self.files_made = False

    def _clear(self) -> None:
        files = [self.file(name, kind) for name in self.source.names for kind in self.plan.formats] + [*self._lists()]
        names = {path.name for path in files}
        folders = {path.parent for path in files}
        stale = (path for place in folders for path in leftovers(place, names.__contains__))
        remove_files([*self.folder.top_leftovers(), *stale])

    def file(self, name: str, kind: CloudFormat) -> Path:
        """Where the file of an object belongs; with splits below its split, but for ShapeNetPart, whose lists tell splits."""
        below = Path(kind, self.style.category.synset) if kind == "shapenetpart" else Path(self.plan.split_of(name), kind)
        return self.folder.path / below / f"{name}{_SUFFIXES[kind]}"

    def missing_formats(self, name: str) -> list[CloudFormat]:
        """The formats in which an object is not there."""
        return [kind for kind in self.plan.formats if not self.file(name, kind).exists()]

    def write(self) -> None:
        """Make what is missing.

        Raises:
            OutputError: something cannot be written.
            DNeRFError: an object's views cannot be had or fused; the message names the object.
        """
        lists = {path: data for path, data in self._lists().items() if not path.exists()}
        top = self.source.labels is not None and self.folder.lacks(LABELS_NAME)
        if not (self.missing or lists or top):
            return
        self.files_made = True
        self.folder.claim()
        for name in self.source.names:
            for kind in self.plan.formats:
                make_folder(self.file(name, kind).parent)
        if "shapenetpart" in self.plan.formats:
            for synset in category_folders(self.style.category):
                make_folder(self.folder.path / "shapenetpart" / synset)
        if self.source.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.source.labels))
        with self.reporter.progress("clouds", len(self.missing)) as advance:
            for name, cloud in self._make_clouds(self.missing):
                self._write_cloud(name, cloud)
                advance()
        for path, data in lists.items():
            make_folder(path.parent)
            write_bytes_whole(path, data)
        self.folder.completed = True

    def _fused(self, names: Sequence[str]) -> Iterator[tuple[str, PointCloud]]:
        return fused_clouds(self.source, names, self.plan.fusion(), self.workers)

    def _write_cloud(self, name: str, cloud: PointCloud) -> None:
        for kind in self.missing_formats(name):
            write_cloud(self.file(name, kind), cloud, kind, self.style)
        self.points += len(cloud)
        self.reporter.event("cloud", name=name, points=len(cloud))

    def _lists(self) -> dict[Path, bytes]:
        if "shapenetpart" not in self.plan.formats:
            return {}
        splits = {name: self.plan.split_of(name) for name in self.source.names} if self.plan.splits else None
        lists = shapenetpart_lists(self.source.names, self.style.category, splits)
        return {self.folder.path / "shapenetpart" / name: data for name, data in lists.items()}
