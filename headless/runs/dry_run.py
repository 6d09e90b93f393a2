"""`--dry-run`, and what is told before work: how much a job's call has to make, by figures, or measured by a view of it."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import counted
from headless.work.estimates import (
    BYTES_A_FACE,
    BYTES_A_POINT,
    CLIP_BYTES_A_PIXEL,
    CLOUD_PIXEL_S,
    FACE_S,
    FACES_A_NODE,
    NODE_S,
    POINTS_A_PIXEL,
    Estimate,
    Formats,
    tell_dry_run,
    view_bytes,
    view_seconds,
    weighed,
)

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig
    from dnerf_core.model import Model
    from headless.clips.plan import Clip, ClipPlan
    from headless.clouds.plan import CloudPlan
    from headless.clouds.sources import CloudSource, ModelSource
    from headless.datasets.plan import ViewPlan
    from headless.datasets.seen import MakeSubject
    from headless.datasets.view_writer import ViewWriter
    from headless.meshes.plan import MeshPlan
    from headless.runs.shared_calls import WeighedCall
    from headless.work.reporting import Reporter

MEASURED_VIEWS = 2
NO_FORMATS = Formats()


def weighed_views(
    call: WeighedCall,
    writer: ViewWriter,
    make_subject: Callable[[], MakeSubject],
    missing: int,
    workers: int,
    config: BackboneConfig,
    reporter: Reporter,
    fields: dict[str, Any],
    formats: Formats = NO_FORMATS,
) -> list[str] | None:
    """What a call of `render` or `sample` has to warn of before it begins; None: it was a dry run, which has been told.

    Args:
        make_subject: loads the model; called where the call is a dry run, which is measured.
        missing: views that have still to be made.
        workers: views made side by side.
        fields: what the summary begins with.

    Raises:
        OutputError: the disk cannot hold it by far, and the call does not say that it can.
    """
    plan, output = writer.plan, writer.folder.path
    remarks = [] if plan.given is None else list(plan.given.remarks)
    if call.dry_run:
        measured = measured_views(writer, make_subject, missing, workers, formats)
        tell_dry_run(measured, output, views_text(plan), reporter, fields, remarks)
        return None
    estimate = estimated_views(plan, config, missing, workers, formats)
    return remarks + weighed(estimate, output, views_text(plan), ignored=call.ignore_disk_space)


def views_text(plan: ViewPlan) -> str:
    """The views of a plan, for people."""
    return f"{counted(plan.total, 'view')} of {plan.resolution_px} x {plan.resolution_px} px"


def estimated_views(plan: ViewPlan, config: BackboneConfig, missing: int, workers: int, formats: Formats) -> Estimate:
    """Of `render` and `sample`, by figures.

    Args:
        missing: views that have still to be made.
        workers: views made side by side.
    """
    size_bytes = missing * view_bytes(plan.channels, plan.depth_format, formats, plan.resolution_px)
    size_bytes += missing * len(plan.seeds) / plan.total * formats.scene_bytes(plan.channels, plan.views, plan.resolution_px)
    seconds = missing * view_seconds(config, plan.resolution_px, exact=plan.exact) / workers
    return Estimate(missing, missing * _kinds(plan), size_bytes, seconds)


def measured_views(
    writer: ViewWriter, make_subject: Callable[[], MakeSubject], missing: int, workers: int, formats: Formats
) -> Estimate:
    """Of `render` and `sample`, by views of the first subject, written to a folder that goes again.

    Args:
        make_subject: loads the model.
    """
    from dnerf_core.work.made_once import Once
    from headless import models
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.view_writer import ViewTask

    plan = writer.plan
    if not missing:
        return Estimate(0, 0, 0.0, 0.0, measured=True)
    with tempfile.TemporaryDirectory(prefix="dnerf-dry-run-") as place, models.one_thread_a_view():
        folder = DatasetFolder(Path(place), "render", plan)
        folder.claim()
        trial = dataclasses.replace(writer, folder=folder)
        views = writer.subject(plan.seeds[0])
        makes = make_subject()
        subject = Once(lambda: makes(plan.seeds[0]))
        times = []
        for view in (views * MEASURED_VIEWS)[:MEASURED_VIEWS]:
            started = time.perf_counter()
            trial.make(ViewTask(subject, view, list(folder.kinds)))
            times.append(time.perf_counter() - started)
        written = [path.stat().st_size for kind in folder.kinds for path in Path(place).rglob(f"{kind}/*") if path.is_file()]
    files_a_view = len(folder.kinds)
    view_size = sum(written) / (len(written) / files_a_view) if written else 0.0
    subjects = missing * len(plan.seeds) / plan.total
    seconds = (subjects * (times[0] - times[1]) + missing * times[1]) / workers
    size_bytes = missing * view_size * formats.share(plan.channels, plan.depth_format)
    size_bytes += missing * len(plan.seeds) / plan.total * formats.scene_bytes(plan.channels, plan.views, plan.resolution_px)
    return Estimate(missing, missing * files_a_view, size_bytes, seconds, measured=True)


def _kinds(plan: ViewPlan) -> int:
    return sum(channel != "parts" for channel in plan.channels)


def estimated_clips(plan: ClipPlan, config: BackboneConfig, missing: list[Clip], files: int, workers: int) -> Estimate:
    """Of `video`, by figures.

    Args:
        files: of each clip.
    """
    frames = sum(len(clip.frames) for clip in missing)
    seconds = frames * view_seconds(config, plan.resolution_px, exact=plan.exact) / workers
    return Estimate(frames, len(missing) * files, frames * CLIP_BYTES_A_PIXEL * plan.resolution_px**2, seconds)


def measured_clips(estimate: Estimate, plan: ClipPlan, missing: list[Clip], model: Model, workers: int) -> Estimate:
    """The same, its time measured by frames of the first clip."""
    from headless import models
    from headless.clips.plan import in_frame, mixed_subject

    if not missing:
        return dataclasses.replace(estimate, measured=True)
    frame = missing[0].frames[0]
    with models.one_thread_a_view():
        started = time.perf_counter()
        subject = mixed_subject(model, plan, frame.mix)
        in_frame(subject, frame).render(frame.camera, plan.resolution_px)
        first = time.perf_counter() - started
        started = time.perf_counter()
        in_frame(subject, missing[0].frames[-1]).render(frame.camera, plan.resolution_px)
        again = time.perf_counter() - started
    subjects = estimate.views if plan.between else len(missing)
    seconds = (subjects * (first - again) + estimate.views * again) / workers
    return dataclasses.replace(estimate, seconds=seconds, measured=True)


def estimated_clouds(
    plan: CloudPlan, config: BackboneConfig | None, views: ViewPlan | None, source: CloudSource, missing: list[str], workers: int
) -> Estimate:
    """Of `pointcloud`, by figures.

    Args:
        config, views: of a model's subjects; None: the views are a folder's, and are not rendered.
        missing: the clouds that have still to be made.
    """
    count = sum(len(source.views(name)) for name in missing) if views is None else len(missing) * views.views
    pixels = 0 if views is None else views.resolution_px**2
    seconds = count * CLOUD_PIXEL_S * pixels
    if views is not None and config is not None:
        seconds += count * view_seconds(config, views.resolution_px, exact=views.exact)
    points = len(missing) * plan.points if plan.points is not None else count * POINTS_A_PIXEL * pixels
    size_bytes = points * sum(BYTES_A_POINT.get(name, max(BYTES_A_POINT.values())) for name in plan.formats)
    return Estimate(count, len(missing) * len(plan.formats), size_bytes, seconds / workers)


def measured_clouds(estimate: Estimate, source: CloudSource, missing: list[str], workers: int) -> Estimate:
    """The same, the time of its views measured by those of the first cloud."""
    from headless import models

    if not missing:
        return dataclasses.replace(estimate, measured=True)
    views = source.views(missing[0])
    with models.one_thread_a_view():
        started = time.perf_counter()
        view = views[0]()
        first = time.perf_counter() - started
        started = time.perf_counter()
        views[-1]()
        again = time.perf_counter() - started
    fused = CLOUD_PIXEL_S * view.rgb.shape[0] * view.rgb.shape[1] * estimate.views
    seconds = (len(missing) * (first - again) + estimate.views * again + fused) / workers
    return dataclasses.replace(estimate, seconds=max(seconds, 0.0), measured=True)


def estimated_meshes(plan: MeshPlan, source: ModelSource, missing: int, workers: int) -> Estimate:
    """Of `mesh`, by figures.

    Args:
        missing: meshes that have still to be made.
    """
    views, options = source.plan, plan.options
    view_s = view_seconds(source.config, views.resolution_px, exact=views.exact)
    faces = FACES_A_NODE * options.nodes**2
    seconds = missing * (views.views * view_s + NODE_S * options.nodes**3 + FACE_S * faces) / workers
    return Estimate(missing * views.views, missing * len(plan.formats), missing * _mesh_bytes(plan, faces), seconds)


def _mesh_bytes(plan: MeshPlan, faces: float) -> float:
    """Of a mesh's files, by the triangles that its grid gives."""
    written = faces if plan.options.faces is None else min(faces, plan.options.faces)
    return written * sum(BYTES_A_FACE[name] for name in plan.formats)


def measured_meshes(estimate: Estimate, plan: MeshPlan, source: ModelSource, missing: list[str], workers: int) -> Estimate:
    """The same, measured by the surface of the first one, and by views of it.

    Raises:
        DNeRFError: the subject has no such surface.
    """
    from headless import models

    if not missing:
        return dataclasses.replace(estimate, measured=True)
    subject = source.subject(missing[0])
    views = source.views_of(missing[0], subject)
    with models.one_thread_a_view():
        started = time.perf_counter()
        views[0]()
        first = time.perf_counter() - started
        started = time.perf_counter()
        views[-1]()
        again = time.perf_counter() - started
        started = time.perf_counter()
        faces = len(subject.value.surface(plan.options).faces)
        surface = time.perf_counter() - started
    seconds = (len(missing) * (first - again + surface + FACE_S * faces) + estimate.views * again) / workers
    size_bytes = len(missing) * _mesh_bytes(plan, faces)
    return dataclasses.replace(estimate, size_bytes=size_bytes, seconds=max(seconds, 0.0), measured=True)
