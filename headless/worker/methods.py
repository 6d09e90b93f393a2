"""Every method by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headless.worker import (
    annotating,
    clips,
    clouds,
    editing,
    inverting,
    meshes,
    previews,
    segmenting,
    views,
)
from headless.worker.facts import worker_facts
from headless.worker.folders import compositing, data_sets
from headless.worker.held import HeldModels
from headless.worker.params import Params


def status(params: dict[str, Any], held: HeldModels) -> dict[str, Any]:
    """Versions, device, memory, and which models are loaded."""
    Params(params).close()
    return {**worker_facts(held.device), "models": held.names()}


METHODS: dict[str, Callable[..., dict[str, Any]]] = {
    "model": views.model,
    "render": views.render,
    "add_views": views.add_views,
    "data_set": data_sets.data_set,
    "composite": compositing.composite,
    "preview": previews.preview,
    "pointcloud": clouds.pointcloud,
    "mesh": meshes.mesh,
    "motion": meshes.motion,
    "video": clips.video,
    "sample": annotating.sample,
    "open_annotations": annotating.open_annotations,
    "prefill": annotating.prefill,
    "train": annotating.train,
    "invert": inverting.invert,
    "edit": editing.edit,
    "segment": segmenting.segment,
}
"""Done as jobs: each takes the `Job` and `held`."""

IMMEDIATE: dict[str, Callable[..., dict[str, Any]]] = {"status": status}
"""Answered at once: each takes the params and `held`."""
