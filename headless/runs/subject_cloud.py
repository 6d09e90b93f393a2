"""The point cloud of one subject from given cameras, in memory: what a call asks for, and the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.ranges import ranged
from headless.runs.one_subject import OneSubjectCall, OpenSubject, opened_subject
from headless.runs.shared_calls import FusionCall
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.pointcloud.cloud import PointCloud


@dataclass(frozen=True, kw_only=True)
class SubjectCloudCall(OneSubjectCall, FusionCall):
    """What the cloud of a subject is asked for.

    Attributes:
        annotations: a folder of `sample`: the labels are those painted there in views of this subject, carried through depth into
            every view; None: the model's.
        canonical: whether the points are carried back to the canonical pose.
    """

    annotations: Path | None = None
    canonical: bool = ranged(job_ranges.OFF)


def subject_cloud(
    call: SubjectCloudCall, reporter: Reporter | None = None, open_subject: OpenSubject | None = None
) -> PointCloud:
    """Fuse views of a subject from every camera of a call, as `dnerf-headless pointcloud` does from cameras of its own.

    Args:
        reporter: hears how many views are done, and may end them by an exception; None: nobody does.
        open_subject: gives the subject; None: it is opened for this call alone, and so is its model.

    Raises:
        UsageError: both `voxel` and `points`, more points than there are, or `canonical` of a subject that does not move.
        AnnotationError: the painted folder cannot be used, or has no painted view of the subject.
        DNeRFError: the model or the subject cannot be used, or nothing is left of the views after the cut.

    Example:
        >>> cameras = orbit_cameras(Model.load("demo-cars").config.cameras, count=8, pitch_deg=20)
        >>> subject_cloud(SubjectCloudCall(subject=SubjectKey(seed=3, truncation=1.0), cameras=cameras, points=2048)).save("car.ply")
    """
    from dnerf_core.pointcloud.fusion import FusionOptions
    from headless import models
    from headless.clouds.gathering import fused_clouds
    from headless.clouds.sources import PaintedLabels, SubjectSource, check_moves
    from headless.work import workers

    reporter, fusion = reporter or Quiet(), FusionOptions(voxel=call.voxel, points=call.points)
    with reporter.progress("views", len(call.cameras)) as advance:
        key, subject = opened_subject(call, open_subject)
        if call.canonical:
            check_moves(subject.model.config)
        size_px = call.resolution or subject.model.config.image_size
        with models.one_thread_a_view():
            painted = None if call.annotations is None else PaintedLabels.in_folder(call.annotations, subject, key)
            source = SubjectSource(key.title, subject, call.cameras, size_px, painted, call.canonical)
            named_clouds = fused_clouds(source, source.names, fusion, call.workers or workers.default_workers(), advance)
            ((_, cloud),) = named_clouds
    return cloud
