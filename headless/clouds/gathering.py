"""Objects' views gathered and fused: the one way from where views come from to clouds, whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnerf_core.errors import DNeRFError
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.rendering.labeled_view import LabeledView
from headless.clouds.sources import CloudSource, MakeView
from headless.work.workers import run_tasks


@dataclass(frozen=True)
class _Task:
    name: str
    view: MakeView


def fused_clouds(
    source: CloudSource,
    names: Sequence[str],
    fusion: FusionOptions,
    workers: int,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, PointCloud]]:
    """The clouds of some of a source's objects by their names, one after the other; views are had by so many threads.

    Args:
        advance: called after each view.

    Raises:
        DNeRFError: an object's views cannot be had or fused; the message names the object.
    """
    expected: dict[str, int] = {}

    def groups() -> Iterator[list[_Task]]:
        for name in names:  # one at a time: an object's views hold its subject
            tasks = [_Task(name, view) for view in source.views(name)]
            expected[name] = len(tasks)
            yield tasks

    collected: dict[str, list[LabeledView]] = {}
    for task, view in run_tasks(groups(), lambda task: task.view(), workers, in_order=True):
        views = collected.setdefault(task.name, [])
        views.append(view)
        advance()
        if len(views) == expected[task.name]:
            yield task.name, source.placed(task.name, fused(task.name, collected.pop(task.name), source, fusion))


def fused(name: str, views: Sequence[LabeledView], source: CloudSource, fusion: FusionOptions) -> PointCloud:
    """The cloud of an object of a source, which tells what its labels mean and which axis points up.

    Raises:
        DNeRFError: as `fuse_views`; the message names the object.
    """
    labels = source.labels
    classes = 0 if labels is None else labels.num_classes
    try:
        return fuse_views(views, classes, fusion, label_set=labels, world_up=source.world_up)
    except DNeRFError as error:
        raise type(error)(f"{name}: {error}") from error
