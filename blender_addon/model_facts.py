"""The chosen model: which one a scene means, and what the worker said of it, kept in the .blend file as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet

from . import session
from .lasting.identity import hold
from .subjects import subject_token

EMBEDDED_MODELS = ("demo-cars", "demo-people")


@dataclass(frozen=True)
class ModelCameras:
    """The generator's own cameras: what `dnerf_core.camera.arc_cameras` reads of a config.

    Attributes:
        radius: distance from the model's origin, world units.
        pivot: the point looked at, model's world.
        focal: normalised focal length.
        world_up: the axis that points up.
        pitch_deg: elevation.
        yaw_range_deg, pitch_range_deg: the directions it was trained to be seen from, degrees; None: not told.
    """

    radius: float
    pivot: tuple[float, float, float]
    focal: float
    world_up: WorldUp
    pitch_deg: float
    yaw_range_deg: tuple[float, float] | None = None
    pitch_range_deg: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelSkeleton:
    """The skeleton of a model's subjects at rest.

    Attributes:
        names: K joint names, the root first.
        parents: -1 for the root; every parent comes before its children.
        joints: K places, in the body's own units and axes.
        scale: world units a unit of these.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: tuple[tuple[float, float, float], ...]
    scale: float


@dataclass(frozen=True)
class ModelFacts:
    """What the worker says of a model.

    Attributes:
        name: the generator's.
        image_size_px: side of its own views.
        box_side: side of the cube about the model's origin that the subject fills.
        cameras: its own.
        labels: None for a plain generator, which has no masks.
        licence, source: of its weights; "" where the file does not say.
        sha256: of the file.
        skeleton: None where its subjects do not move.
        ray_limits: between which distances from a camera it sees its subjects; None: from anywhere.
    """

    name: str
    image_size_px: int
    box_side: float
    cameras: ModelCameras
    labels: LabelSet | None
    licence: str
    source: str
    sha256: str
    skeleton: ModelSkeleton | None = None
    ray_limits: tuple[float, float] | None = None


def chosen_model(scene: bpy.types.Scene) -> str:
    """The model argument of requests: an embedded model's name, or an absolute path.

    Raises:
        UsageError: no file is chosen, or it is not there.
    """
    settings = scene.dnerf
    if settings.model_kind == "EMBEDDED":
        return str(settings.embedded_model)
    if not settings.model_path:
        raise UsageError("model: expected a model file, found no path; choose a .safetensors file")
    path = Path(bpy.path.abspath(settings.model_path))
    if not path.is_file():
        raise UsageError(f"model: expected a file at {path}, found none; choose the model file again")
    return str(path)


def known_facts(scene: bpy.types.Scene) -> ModelFacts | None:
    """What is known of the chosen model without asking; None: it has not been asked yet."""
    text = scene.dnerf.model_facts
    return facts_from_result(json.loads(text)) if text else None


def moves(scene: bpy.types.Scene) -> bool:
    """Whether the chosen model's subjects are known to move."""
    facts = known_facts(scene)
    return facts is not None and facts.skeleton is not None


def facts_from_result(result: dict[str, Any]) -> ModelFacts:
    """The facts of the worker's answer to `model`."""
    cameras = result["cameras"]
    labels = result["labels"]
    return ModelFacts(
        name=str(result["name"]),
        image_size_px=int(result["image_size"]),
        box_side=float(result["box_warp"]),
        cameras=ModelCameras(
            radius=float(cameras["radius"]),
            pivot=(float(cameras["pivot"][0]), float(cameras["pivot"][1]), float(cameras["pivot"][2])),
            focal=float(cameras["focal"]),
            world_up=cameras["world_up"],
            pitch_deg=float(cameras["pitch_deg"]),
            yaw_range_deg=_range(cameras.get("yaw_range_deg")),
            pitch_range_deg=_range(cameras.get("pitch_range_deg")),
        ),
        labels=None if labels is None else LabelSet.from_json(labels, "the model's labels"),
        licence=str(result["licence"] or ""),
        source=str(result["source"] or ""),
        sha256=str(result["sha256"]),
        skeleton=_skeleton(result.get("skeleton")),
        ray_limits=_range(result.get("ray_limits")),
    )


def _skeleton(value: dict[str, Any] | None) -> ModelSkeleton | None:
    if value is None:
        return None
    joints = [(float(x), float(y), float(z)) for x, y, z in value["joints"]]
    return ModelSkeleton(tuple(value["names"]), tuple(value["parents"]), tuple(joints), float(value["scale"]))


def _range(value: list[float] | None) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))


def is_panels(scene: bpy.types.Scene, model: str) -> bool:
    """Whether a model, as requests have it, is the one that the panel says."""
    try:
        return os.path.normpath(chosen_model(scene)) == os.path.normpath(model)
    except UsageError:  # it says none
        return False


def with_facts(scene: bpy.types.Scene, title: str, then: Callable[[bpy.types.Scene, ModelFacts], None], model: str = "") -> None:
    """Call `then` as a step of a job `title`, once the worker has said what the model is: its file may have changed.

    Args:
        model: of which the facts are, as requests have it; "": the scene's. The scene keeps the facts of its own.

    Raises:
        UsageError: no model is chosen, or its file has gone.
        WorkerError: no worker can be had, or it is busy.
    """
    held, asked_model = hold(scene), model or chosen_model(scene)

    def keep_and_go_on(result: dict[str, Any]) -> None:
        scene_now = held.needed()
        if is_panels(scene_now, asked_model):
            keep_facts(scene_now, result)
        then(scene_now, facts_from_result(result))

    session.current().start_job(title, "model", {"model": asked_model}, keep_and_go_on)


def with_known_facts(
    scene: bpy.types.Scene, title: str, then: Callable[[bpy.types.Scene, ModelFacts], None], model: str = ""
) -> None:
    """`with_facts`, but the worker is asked only where nothing is known of the model yet."""
    facts = known_facts(scene) if not model or is_panels(scene, model) else None
    if facts is None:
        with_facts(scene, title, then, model)
    else:
        then(scene, facts)


def keep_facts(scene: bpy.types.Scene, result: dict[str, Any]) -> None:
    """Write what the worker said into the scene, for the panel and for the next time the file is opened."""
    text = json.dumps(result)
    if scene.dnerf.model_facts != text:
        scene.dnerf.model_facts = text


def subject_params(scene: bpy.types.Scene) -> dict[str, Any]:
    """The params that every request about the scene's subject shares."""
    return {"model": chosen_model(scene), **json.loads(subject_token(scene))}
