"""The method that fuses a subject's views to a point cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.annotated_folder import check_generator, is_painted, read_folder
from dnerf_core.multiview.prefilling import Prefiller
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.subject_key import SubjectKey
from headless import models
from headless.clouds.sources import depth_view
from headless.runs.pointcloud import PointCloudCall
from headless.work import workers
from headless.work.workers import run_tasks
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.labels import LabelSet
    from dnerf_core.subject import Subject


@dataclass(frozen=True)
class _Painted:
    """Where a cloud's labels come from when they are painted ones."""

    prefiller: Prefiller
    labels: LabelSet


def pointcloud(job: Job, held: HeldModels) -> dict[str, Any]:
    """A cloud with labels: the model's, or, with `annotations`, those painted in that folder's views of the subject."""
    params = Params(job.params)
    name, chosen = params.text("model"), params.subject()
    cameras, size = [camera for _, camera in params.cameras()], params.size_px()
    fusion = FusionOptions(**params.fields(PointCloudCall, "voxel", "points"))
    folder = params.path("annotations", None)
    params.close()
    job.progress(0, len(cameras), "views")
    holder = held.get(name)
    key = held.key(chosen)
    subject = holder.subject(key)
    size_px = size or holder.model.config.image_size
    with models.one_thread_a_view():
        painted = None if folder is None else _painted(folder, subject, key)
        labels = holder.model.labels if painted is None else painted.labels

        def see(camera: Camera) -> LabeledView:
            job.check()
            view = depth_view(subject, camera, size_px, with_mask=painted is None and labels is not None)
            if painted is None:
                return view
            mask = painted.prefiller.fill("", camera, view.depth_planar).mask
            return LabeledView(camera, view.rgb, mask, view.depth_planar, view.sample_px)

        views = []
        for _, view in run_tasks([cameras], see, workers.default_workers(), in_order=True):
            views.append(view)
            job.progress(len(views), len(cameras), "views")
    cloud = fuse_views(views, 0 if labels is None else labels.num_classes, fusion)
    job.check()
    arrays: dict[str, NDArray[Any] | None] = {
        "points": cloud.points,
        "normals": cloud.normals,
        "colors": cloud.colors,
        "labels": cloud.labels,
        "confidence": cloud.confidence,
    }
    found: dict[str, Any] = {key: job.exchange.put(array) for key, array in arrays.items() if array is not None}
    return {**found, "count": len(cloud), "label_set": None if labels is None else labels.to_json()}


def _painted(folder: Path, subject: Subject, key: SubjectKey) -> _Painted:
    """The painted views of a subject.

    Raises:
        AnnotationError: the folder cannot be used, is of another generator, or has no painted view of the subject.
    """
    found = read_folder(folder)
    check_generator(found, subject.model.header.path)
    images = [image for image in found.images if image.subject.identity == key.identity and is_painted(image.mask)]
    if not images:
        which = f"with {key.title}" if key.file is None else key.title
        raise AnnotationError(
            f"{folder}: expected a painted view of the subject {which}, found none; paint one, or choose another subject"
        )
    return _Painted(Prefiller(subject, images, found.labels), found.labels)
