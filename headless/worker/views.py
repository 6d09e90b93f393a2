"""The methods that show: what a model is, and views of its subjects, which may be added to a data set."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.job_ranges import RESOLUTION
from dnerf_core.work.interruption import interruptible
from headless.runs.adding.call import AddedTo, AddViewsCall
from headless.runs.adding.views import add_views as add_views_run
from headless.runs.poses import poser_of
from headless.runs.views import ViewsCall, views
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.subject import PartialView


def model(job: Job, held: HeldModels) -> dict[str, Any]:
    """What a model's file says of itself; nothing is loaded."""
    params = Params(job.params)
    name = params.text("model")
    params.close()
    facts = model_facts.describe_model(name)
    return {
        "name": facts.config.name,
        "path": str(facts.path),
        "sha256": facts.sha256,
        "image_size": facts.config.image_size,
        "neural_resolution": facts.config.rays.neural_resolution,
        "box_warp": facts.config.box_side,
        "cameras": config_to_json(facts.config.cameras),
        "labels": facts.labels.to_json() if facts.has_semantics and facts.labels is not None else None,
        "licence": facts.source.get("licence"),
        "source": facts.source.get("file"),
        "ray_limits": None if facts.config.ray_limits is None else list(facts.config.ray_limits),
        **skeleton_facts(facts),
    }


def skeleton_facts(facts: ModelFacts) -> dict[str, Any]:
    """What a model says of its subjects' skeleton: names, parents, places at rest in the body's units, and world units a unit of these.

    Nothing where they do not move.
    """
    poser = poser_of(facts)
    if poser is None:
        return {}
    return {
        "skeleton": {
            "names": list(poser.joint_names),
            "parents": list(poser.joint_parents),
            "joints": poser.joint_places.tolist(),
            "scale": float(poser.scale),
        }
    }


def render(job: Job, held: HeldModels) -> dict[str, Any]:
    """Views of a subject, a part each, as they get done."""
    started = time.monotonic()
    params = Params(job.params)
    name, subject, pose, cameras = params.text("model"), params.subject(), params.pose(), params.cameras()
    fields: dict[str, Any] = {
        "model_name": name,
        "cameras": [camera for _, camera in cameras],
        "channels": params.field(ViewsCall, "channels"),
        "resolution": params.field(ViewsCall, "resolution", "size_px"),
        "sizes_px": params.wholes("sizes_px", RESOLUTION, default=None),
    }
    params.close()
    call = ViewsCall(subject=held.key(subject, pose), device=held.device, **fields)
    with interruptible(job.check):
        for number, size_px, view in views(call, JobReporter(job), held.subject):
            job.part(index=number, name=cameras[number][0], size_px=size_px, **put_view(job, view))
    return {"views": len(cameras), "seconds": round(time.monotonic() - started, 3)}


def add_views(job: Job, held: HeldModels) -> dict[str, Any]:
    """Views of a subject, added to a data set folder; a part each, as they get done, with the channels as its files have them."""
    started = time.monotonic()
    params = Params(job.params)
    name, subject, pose, cameras = params.text("model"), params.subject(), params.pose(), params.cameras()
    fields: dict[str, Any] = {
        "model_name": name,
        "cameras": [camera for _, camera in cameras],
        "camera_names": [title for title, _ in cameras],
        "channels": params.field(AddViewsCall, "channels"),
        "resolution": params.field(AddViewsCall, "resolution", "size_px"),
        "output": params.path("output"),
    }
    params.close()
    call = AddViewsCall(subject=held.key(subject), pose=pose, device=held.device, **fields)
    reporter = JobReporter(job)

    def take(number: int, view_name: str, view: PartialView) -> None:
        job.part(index=number, name=view_name, **put_view(job, view))

    with interruptible(job.check):
        there = add_views_run(call, reporter, held.subject, take)
    return added_facts(there, reporter, started)


def added_facts(there: AddedTo, reporter: JobReporter, started: float) -> dict[str, Any]:
    """The result of a request that added views to a folder, which began at `started` of the monotonic clock."""
    return {
        "names": list(there.names),
        "written": there.written,
        "views": there.views,
        "subjects": there.subjects,
        "seconds": round(time.monotonic() - started, 3),
        "warnings": reporter.warnings,
    }


def put_view(job: Job, view: PartialView) -> dict[str, str]:
    """A view's channels as names of arrays."""
    channels = {"rgb": view.rgb, "mask": view.mask, "depth": view.depth_planar, "uncertainty": view.uncertainty}
    return {name: job.exchange.put(array) for name, array in channels.items() if array is not None}
