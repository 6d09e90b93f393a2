"""The methods that show: what a model is, and views of its subjects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints import model_facts
from dnerf_core.job_ranges import RESOLUTION
from headless import models
from headless.work import workers
from headless.work.workers import run_tasks
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.subject import PartialView

CHANNELS = ("rgb", "mask", "depth", "uncertainty")


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
    }


def render(job: Job, held: HeldModels) -> dict[str, Any]:
    """Views of a subject, a part each, as they get done."""
    started = time.monotonic()
    params = Params(job.params)
    name, chosen = params.text("model"), params.subject()
    cameras, channels = params.cameras(), params.choices("channels", CHANNELS, CHANNELS[:3])
    sizes = chosen_sizes(params, len(cameras))
    params.close()
    job.progress(0, len(cameras), "views")
    holder = held.get(name)
    sizes_px = [size or holder.model.config.image_size for size in sizes]
    subject = holder.subject(held.key(chosen))
    tasks = [(index, camera_name, camera, sizes_px[index]) for index, (camera_name, camera) in enumerate(cameras)]

    def see(task: tuple[int, str, Camera, int]) -> PartialView:
        job.check()
        return subject.channels(task[2], task[3], channels)  # type: ignore[arg-type]

    with models.one_thread_a_view():
        for done, (task, view) in enumerate(run_tasks([tasks], see, workers.default_workers()), start=1):
            job.part(index=task[0], name=task[1], size_px=task[3], **put_view(job, view))
            job.progress(done, len(tasks), "views")
    return {"views": len(tasks), "seconds": round(time.monotonic() - started, 3)}


def chosen_sizes(params: Params, count: int) -> list[int | None]:
    """The side of each of `count` views: `sizes_px`, or `size_px` for all; None: the model's own."""
    from dnerf_core.errors import UsageError

    sizes = params.wholes("sizes_px", RESOLUTION, default=None)
    size = params.size_px()
    if sizes is None:
        return [size] * count
    if size is not None or len(sizes) != count:
        raise UsageError(
            f"params: sizes_px: expected one for each of {count} cameras and no size_px, found {len(sizes)}; correct them"
        )
    return [*sizes]


def put_view(job: Job, view: PartialView) -> dict[str, str]:
    """A view's channels as names of arrays."""
    channels = {"rgb": view.rgb, "mask": view.mask, "depth": view.depth_planar, "uncertainty": view.uncertainty}
    return {name: job.exchange.put(array) for name, array in channels.items() if array is not None}
