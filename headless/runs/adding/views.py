"""Views of one subject, added to a data set: the folder that `render` would write, with whatever views it has by now."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from dnerf_core.checkpoints import model_facts
from dnerf_core.rendering.labeled_view import PartialView
from headless.runs.adding.call import AddedTo, AddViewsCall, TakeView
from headless.runs.one_subject import OpenSubject
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.convolutions.forms import ConvolutionForm
    from dnerf_core.subject_key import SubjectKey
    from headless.datasets.plan import ViewPlan
    from headless.datasets.seen import MakeSubject
    from headless.datasets.view_job import MakeViews
    from headless.datasets.view_writer import MadeView, ViewWriter


MakeEngine = Callable[["ViewPlan", OpenSubject, dict[str, list[int]], int], "MakeViews"]
"""From the plan of a folder, what opens subjects, the cameras of the call by their views' names, and how many views are made side by side
to what makes those that are missing."""


def add_views(
    call: AddViewsCall,
    reporter: Reporter | None = None,
    open_subject: OpenSubject | None = None,
    take: TakeView = lambda number, name, view: None,
    make_engine: MakeEngine | None = None,
) -> AddedTo:
    """See a subject from every camera of a call, and add the views to a folder, which is then the data set of all views added so far.

    Views that are there already are not made again. What ends the call half-way, such as an exception of the reporter's, leaves a data
    set of the views that were whole by then.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.
        open_subject: gives subjects; None: they are opened for this call alone, and so is their model.
        take: hears of each view as it gets done.
        make_engine: what makes the views; None: the subject alone is seen.

    Raises:
        DNeRFError: the model or the subject cannot be used, or the folder holds what these views cannot be added to.
    """
    from headless import models
    from headless.datasets.view_job import by_threads
    from headless.runs.adding.growing import GrowingFolder
    from headless.runs.adding.joining import base_of, check_count, check_formats_there
    from headless.work.workers import default_workers

    reporter, workers = reporter or Quiet(), call.workers or default_workers()
    facts = model_facts.describe_model(call.model_name)
    base = base_of(call, facts)
    key, opened = _opened(call, facts, open_subject)
    added, names = base.views.joined(key, call.views())
    growing = GrowingFolder(call, facts, base.plan, added, reporter, workers)
    opened = _in_form(opened, growing.form)
    check_count(call.output, growing.plan)
    check_formats_there(growing.folder)
    if open_subject is not None:
        open_subject(call.model_name, key)  # what cannot be used is told before anything is written
    with growing.folder.in_use(reporter):
        growing.begin(base.unfinished)
        job = growing.job()
        numbers: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            numbers.setdefault(name, []).append(number)
        before = [name for name in numbers if not growing.folder.missing_kinds(name)]
        if make_engine is None:
            engine = by_threads(_subjects(growing.plan, call.model_name, opened), workers)
        else:
            engine = make_engine(growing.plan, opened, numbers, workers)

        def tell(name: str) -> None:
            view = growing.read(name)
            for number in numbers.get(name, ()):
                take(number, name, view)

        def make_views(writer: ViewWriter, seeds: Sequence[int]) -> Generator[MadeView, None, None]:
            with closing(engine(writer, seeds)) as done:
                for view in done:
                    tell(view.view.name)
                    yield view

        with growing.left_whole(), models.one_thread_a_view():
            for name in before:
                tell(name)
            job.write(make_views if job.views_missing else None)
    return AddedTo(tuple(names), job.views_written, growing.plan.total, len(growing.plan.seeds))


def _opened(call: AddViewsCall, facts: ModelFacts, open_subject: OpenSubject | None) -> tuple[SubjectKey, OpenSubject]:
    """The subject of a call in its own pose, and what opens subjects."""
    from dnerf_core.subject_key import SubjectKey, checked_subject_file
    from headless import models

    chosen = call.subject
    if not isinstance(chosen, SubjectKey):
        chosen = SubjectKey(0, 1.0, checked_subject_file(chosen, facts.path))
    if open_subject is not None:
        return chosen.unposed, open_subject
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    return chosen.unposed, lambda name, key: key.open(model)


def _in_form(open_subject: OpenSubject, form: ConvolutionForm | None) -> OpenSubject:
    from headless.work.convolutions import subject_in_form

    return lambda name, key: subject_in_form(open_subject(name, key), form)


def _subjects(plan: ViewPlan, model_name: str, open_subject: OpenSubject) -> MakeSubject:
    """From a subject's number to what sees it in the channels that the plan's files are made of."""
    from headless.datasets.channels import seen_channels
    from headless.datasets.poses.subjects import PosedSubjects

    engine_channels = seen_channels(plan.channels, consistent=False)

    def make(number: int) -> Callable[..., PartialView]:
        poses = PosedSubjects(open_subject(model_name, plan.subject(number)))
        return lambda camera, size_px, pose=None: poses.posed(pose).channels(camera, size_px, engine_channels)

    return make
