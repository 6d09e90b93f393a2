"""The method that fuses a subject's views to a point cloud."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dnerf_core.work.interruption import interruptible
from headless.runs.subject_cloud import SubjectCloudCall, subject_cloud
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params


def pointcloud(job: Job, held: HeldModels) -> dict[str, Any]:
    """A cloud with labels: the model's, or, with `annotations`, those painted in that folder's views of the subject."""
    params = Params(job.params)
    name, subject, pose = params.text("model"), params.subject(), params.pose()
    fields: dict[str, Any] = {
        "model_name": name,
        "cameras": [camera for _, camera in params.cameras()],
        "resolution": params.field(SubjectCloudCall, "resolution", "size_px"),
        "annotations": params.path("annotations", None),
        **params.fields(SubjectCloudCall, "voxel", "points", "canonical"),
    }
    params.close()
    call = SubjectCloudCall(subject=held.key(subject, pose), device=held.device, **fields)
    with interruptible(job.check):
        cloud = subject_cloud(call, JobReporter(job), held.subject)
    job.check()
    arrays: dict[str, NDArray[Any] | None] = {
        "points": cloud.points,
        "normals": cloud.normals,
        "colors": cloud.colors,
        "labels": cloud.labels,
        "confidence": cloud.confidence,
    }
    array_names: dict[str, Any] = {name: job.exchange.put(array) for name, array in arrays.items() if array is not None}
    return {**array_names, "count": len(cloud), "label_set": None if cloud.label_set is None else cloud.label_set.to_json()}
