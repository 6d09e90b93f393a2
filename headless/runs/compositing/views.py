"""Views of a subject in a scene, added to a data set: what Blender rendered of the scene, and the subject laid into it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.compositing.in_scene import in_scene
from dnerf_core.errors import UsageError
from headless.runs.adding.call import AddedTo, TakeView
from headless.runs.adding.views import add_views
from headless.runs.compositing.call import CompositeCall
from headless.runs.compositing.scene_files import SceneFiles, read_scene
from headless.runs.one_subject import OpenSubject
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.rendering.labeled_view import PartialView
    from dnerf_core.subject import Channel, Subject
    from headless.datasets.plan import ViewPlan
    from headless.datasets.poses.subjects import PosedSubjects
    from headless.datasets.seen import RenderView
    from headless.datasets.view_job import MakeViews
    from headless.datasets.view_writer import MadeView, ViewTask, ViewWriter


def check_composite(call: CompositeCall) -> None:
    """Make sure that a call's folder takes its views, before the scene is rendered for them; nothing is changed there.

    Raises:
        DNeRFError: it does not, or the model or the labels cannot be used.
    """
    from headless.runs.adding.joining import base_of

    base_of(call, model_facts.describe_model(call.model_name))


def composite(
    call: CompositeCall,
    reporter: Reporter | None = None,
    open_subject: OpenSubject | None = None,
    take: TakeView = lambda number, name, view: None,
) -> AddedTo:
    """See a subject in a scene from every camera of a call, and add the views to a folder; see `add_views` for arguments and errors.

    Raises:
        UsageError: there are no pictures of the scene, or one of them cannot be used.
    """
    if not call.scenes:
        raise UsageError("scenes: expected one for each camera, found none; render the scene first")
    facts = model_facts.describe_model(call.model_name)
    first_id = call.labels(facts).num_classes - len(call.indices)

    def make_engine(plan: ViewPlan, opened: OpenSubject, numbers: dict[str, list[int]], workers: int) -> MakeViews:
        scenes = {name: call.scenes[cameras[0]] for name, cameras in numbers.items()}
        return partial(_views, call, first_id, opened, scenes, workers)

    return add_views(call, reporter, open_subject, take, make_engine)


def _views(
    call: CompositeCall,
    first_id: int,
    opened: OpenSubject,
    scenes: dict[str, SceneFiles],
    workers: int,
    writer: ViewWriter,
    seeds: Sequence[int],
) -> Generator[MadeView, None, None]:
    """The views of some subjects that lack a file."""
    from dnerf_core.work.made_once import Once
    from headless.datasets.channels import seen_channels
    from headless.datasets.poses.subjects import PosedSubjects
    from headless.datasets.view_writer import ViewTask

    channels: tuple[Channel, ...] = (*seen_channels(writer.plan.channels, consistent=False), "coverage")

    def tasks(seed: int) -> Iterator[ViewTask]:
        subjects = Once(lambda: PosedSubjects(opened(call.model_name, writer.plan.subject(seed))))
        for view in writer.subject(seed):
            if kinds := writer.folder.missing_kinds(view.name):
                yield ViewTask(seen(subjects, scenes[view.name]), view, kinds)

    def seen(subjects: Once[PosedSubjects], files: SceneFiles) -> Once[RenderView]:
        return Once(lambda: partial(see, subjects, files))

    def see(subjects: Once[PosedSubjects], files: SceneFiles, camera: Any, size_px: int, pose: Any = None) -> PartialView:
        scene = read_scene(files, call.labels_by, call.indices, first_id, size_px)
        subject = subjects.value.posed(pose)
        ray_px = size_px / subject.model.config.rays.neural_resolution
        return in_scene(subject.channels(camera, size_px, channels), scene, _background(subject), ray_px)

    yield from writer.make_all((tasks(seed) for seed in seeds), workers)


def _background(subject: Subject) -> float | None:
    """The gray in [0, 1] behind a subject; None: its family paints what is there."""
    if getattr(subject.planes, "background", None) is not None:
        return None
    return 1.0 if subject.model.config.rays.white_back else 0.0
