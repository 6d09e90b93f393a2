"""The method that lays a subject into what Blender rendered of a scene."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnerf_core.labels import LabelSet
from dnerf_core.ranges import Whole
from dnerf_core.work.interruption import interruptible
from headless.runs.compositing.call import DEPTH_SCALE, PASS_INDEX, CompositeCall
from headless.runs.compositing.scene_files import SceneFiles
from headless.runs.compositing.views import check_composite
from headless.runs.compositing.views import composite as composite_run
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params, chosen_poses
from headless.worker.views import added_facts, put_view

if TYPE_CHECKING:
    from dnerf_core.subject import PartialView

FRAME = Whole(-(2**31), 2**31)


def composite(job: Job, held: HeldModels) -> dict[str, Any]:
    """Views of a subject in a scene, added to a data set folder; with `check_only` nothing is written, and no scene is needed."""
    started = time.monotonic()
    params = Params(job.params)
    name, subject, cameras = params.text("model"), params.subject(), params.cameras()
    check_only = params.flag("check_only")
    fields: dict[str, Any] = {
        "model_name": name,
        "cameras": [camera for _, camera in cameras],
        "camera_names": [title for title, _ in cameras],
        "resolution": params.field(CompositeCall, "resolution", "size_px"),
        "output": params.path("output"),
        "label_set": LabelSet.from_json(params.record("label_set"), "params: label_set"),
        "indices": params.wholes("indices", PASS_INDEX, default=[]),
        "labels_by": params.field(CompositeCall, "labels_by"),
        "poses": chosen_poses(params, len(cameras)) or (),
        "blend_file": params.text("blend_file", ""),
        "blender": params.text("blender", ""),
        "scenes": () if check_only else [_scene_files(part) for part in params.parts("scenes")],
    }
    params.close()
    call = CompositeCall(subject=held.key(subject), device=held.device, **fields)
    if check_only:
        check_composite(call)
        return {}
    reporter = JobReporter(job)

    def take(number: int, view_name: str, view: PartialView) -> None:
        job.part(index=number, name=view_name, **put_view(job, view))

    with interruptible(job.check):
        there = composite_run(call, reporter, held.subject, take)
    return added_facts(there, reporter, started)


def _scene_files(params: Params) -> SceneFiles:
    files = SceneFiles(
        params.path("picture"), params.path("passes"), params.needed("depth_scale", DEPTH_SCALE), params.needed("frame", FRAME)
    )
    params.close()
    return files
