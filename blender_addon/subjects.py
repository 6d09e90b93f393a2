"""Which subject a scene means: a seed with its truncation, or a subject file; and the steps of its edits, back and forward."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError

from .places import file_stem, kept_path

_LONGEST_STEM = 32
"""Names of images begin with it, and Blender cuts names at 63 bytes."""


def subject_path(scene: bpy.types.Scene) -> Path | None:
    """The chosen subject file; None: the seed counts.

    Raises:
        UsageError: it is not there.
    """
    text = scene.dnerf.subject_file
    if not text:
        return None
    path = Path(bpy.path.abspath(text))
    if not path.is_file():
        raise UsageError(f"subject: expected a file at {path}, found none; choose the subject file again, or clear it")
    return path


def subject_token(scene: bpy.types.Scene) -> str:
    """The subject as the part of a request that names it, JSON: two of the same are the same subject.

    Raises:
        UsageError: as `subject_path`.
    """
    path = subject_path(scene)
    if path is not None:
        return json.dumps({"subject_file": str(path)})
    return seed_token(scene.dnerf.seed, round(scene.dnerf.truncation, 6))


def seed_token(seed: int, truncation: float) -> str:
    """The same of a seed."""
    return json.dumps({"seed": seed, "truncation": truncation})


def subject_stem(scene: bpy.types.Scene) -> str:
    """How names of what is made of the subject begin: `s0003`, `s0003-t0.7` of a truncation other than 1, or the file's name."""
    text, truncation = scene.dnerf.subject_file, round(scene.dnerf.truncation, 6)
    if text:
        return file_subject_stem(text)
    return seed_stem(scene.dnerf.seed, truncation)


def file_subject_stem(text: str) -> str:
    """The same of a subject file by its path."""
    return file_stem(bpy.path.basename(text).removesuffix(".safetensors"))[:_LONGEST_STEM]


def seed_stem(seed: int, truncation: float) -> str:
    """The same of a seed."""
    return f"s{seed:04d}" if truncation == 1 else f"s{seed:04d}-t{truncation:g}"


def new_subject_path(folder: Path, stem: str) -> Path:
    """The first `STEM-001.safetensors`, `STEM-002.safetensors`, .. that is not there yet."""
    number = 1
    while (path := folder / f"{stem}-{number:03d}.safetensors").exists():
        number += 1
    return path


def choose_subject(scene: bpy.types.Scene, path: Path) -> None:
    """Make a subject file the scene's subject; the one before stays a step back."""
    steps, at = _steps(scene)
    if not steps or steps[at] != _now(scene):
        steps, at = [_now(scene)], 0
    scene.dnerf.subject_file = kept_path(path)
    _keep(scene, [*steps[: at + 1], _now(scene)], at + 1)


def can_step(scene: bpy.types.Scene, step: int) -> bool:
    """Whether there is a subject so many steps on, or before; not where another one has been chosen by hand since."""
    steps, at = _steps(scene)
    return bool(steps) and steps[at] == _now(scene) and 0 <= at + step < len(steps)


def step_subject(scene: bpy.types.Scene, step: int) -> None:
    """Choose the subject so many steps on, or before.

    Raises:
        UsageError: there is none.
    """
    if not can_step(scene, step):
        raise UsageError("edits: expected a step to go to, found none; apply an edit first")
    steps, at = _steps(scene)
    settings, wanted = scene.dnerf, steps[at + step]
    settings.subject_file, settings.seed, settings.truncation = wanted["file"], wanted["seed"], wanted["truncation"]
    settings.edit_scores = wanted["scores"]
    _keep(scene, steps, at + step)


def keep_scores(scene: bpy.types.Scene, scores: dict[str, Any]) -> None:
    """Note how well the edit went that the scene's subject came of."""
    scene.dnerf.edit_scores = json.dumps(scores)
    steps, at = _steps(scene)
    steps[at] = _now(scene)
    _keep(scene, steps, at)


def _now(scene: bpy.types.Scene) -> dict[str, Any]:
    settings = scene.dnerf
    return {
        "file": settings.subject_file,
        "seed": settings.seed,
        "truncation": round(settings.truncation, 6),
        "scores": settings.edit_scores,
    }


def _steps(scene: bpy.types.Scene) -> tuple[list[dict[str, Any]], int]:
    text = scene.dnerf.subject_steps
    if not text:
        return [], 0
    history = json.loads(text)
    return history["steps"], history["at"]


def _keep(scene: bpy.types.Scene, steps: list[dict[str, Any]], at: int) -> None:
    scene.dnerf.subject_steps = json.dumps({"steps": steps, "at": at})
