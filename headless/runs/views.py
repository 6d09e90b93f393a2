"""Views of one subject from given cameras, in memory: what a call asks for, and the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError, brief
from dnerf_core.ranges import Choices, ranged
from dnerf_core.rendering.labeled_view import PartialView
from headless.runs.one_subject import OneSubjectCall, OpenSubject, opened_subject
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.subject import Channel

CHANNELS = Choices(("rgb", "mask", "depth", "uncertainty"), ("rgb", "mask", "depth"))


@dataclass(frozen=True, kw_only=True)
class ViewsCall(OneSubjectCall):
    """What views of a subject are asked for.

    Attributes:
        channels: what is computed of each view; masks and uncertainties are those of a model with a semantic branch.
        sizes_px: side of each view, one for each camera, in place of one `resolution` for all.
    """

    channels: tuple[Channel, ...] = ranged(CHANNELS)
    sizes_px: Sequence[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sizes_px is None:
            return
        if self.resolution is not None or len(self.sizes_px) != len(self.cameras):
            raise UsageError(
                f"sizes_px: expected one for each of {len(self.cameras)} cameras and no size for all of them, "
                f"found {len(self.sizes_px)}; correct them"
            )
        values = job_ranges.RESOLUTION
        for size in self.sizes_px:
            if values.take(size) is None:
                raise UsageError(f"sizes_px: expected {values.expected} each, found {brief(size)}; choose another")


class NumberedView(NamedTuple):
    """A view as it gets done.

    Attributes:
        number: of its camera in the call, from 0.
        size_px: its side.
        view: its channels; None for those that were not asked for, or that the model does not have.
    """

    number: int
    size_px: int
    view: PartialView


def views(call: ViewsCall, reporter: Reporter | None = None, open_subject: OpenSubject | None = None) -> Iterator[NumberedView]:
    """See a subject from every camera of a call; views come as they get done, and differ in nothing from those of `render`.

    Nothing is done before the first one is asked for. What ends the loop over them, such as an exception of the reporter's, ends the
    threads that make others; what `dnerf_core.work.interruption.interruptible` is told to check ends them in the middle of a view.

    Args:
        reporter: hears how many are done; None: nobody does.
        open_subject: gives the subject; None: it is opened for this call alone, and so is its model.

    Raises:
        DNeRFError: the model or the subject cannot be used.

    Example:
        >>> cameras = arc_cameras(Model.load("demo-cars").config.cameras, (-30, 30), count=5)
        >>> for number, size_px, view in views(ViewsCall(subject=SubjectKey(seed=3, truncation=1.0), cameras=cameras)):
        ...     Image.fromarray(view.rgb).save(f"car-{number}.png")
    """
    from headless import models
    from headless.work import workers

    reporter, cameras = reporter or Quiet(), call.cameras
    with reporter.progress("views", len(cameras)) as advance:
        _, subject = opened_subject(call, open_subject)
        sizes_px = call.sizes_px or [call.resolution or subject.model.config.image_size] * len(cameras)

        def see(number: int) -> PartialView:
            return subject.channels(cameras[number], sizes_px[number], call.channels)

        with models.one_thread_a_view():
            numbered_views = workers.run_tasks([range(len(cameras))], see, call.workers or workers.default_workers())
            for number, view in numbered_views:
                yield NumberedView(number, sizes_px[number], view)
                advance()
