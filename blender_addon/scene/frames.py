"""Something read at each frame of a range, with all that moves; the scene's frame and active camera are restored. And their rate."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import bpy

from dnerf_core.errors import DNeRFError
from dnerf_core.job_ranges import FPS, FRAMES

from .errors import SceneError

T = TypeVar("T")
MAX_FRAMES = FRAMES.high or 0
_FINEST_BASE = 2000
"""Blender keeps a rate's base as float32: 1.001 is a little more there. The nearest fraction of so small a denominator is what is meant."""


def frame_rate(scene: bpy.types.Scene) -> int | Fraction:
    """Frames a second, exactly: 24000/1001 of Blender's 23.98.

    Raises:
        SceneError: too few or too many for a video.
    """
    rate = Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(_FINEST_BASE)
    taken = FPS.take(rate)
    if taken is None:
        raise SceneError(
            f"scene {scene.name!r}: expected {FPS.low} to {FPS.high} frames a second, found {float(rate):.4g}; set the frame rate"
        )
    return taken


def rate_param(rate: int | Fraction) -> int | str:
    """A rate as a request has it."""
    return rate if isinstance(rate, int) else str(rate)


def evaluated(scene: bpy.types.Scene) -> bpy.types.Scene:
    """The scene with what is animated in it, at the frame that it has been set to: its own properties may be an earlier frame's."""
    graph = scene.view_layers[0].depsgraph
    return scene if graph is None else scene.evaluated_get(graph)


def frames_between(first: int, last: int, step: int = 1) -> range:
    """Their numbers.

    Raises:
        SceneError: none, or too many.
    """
    frames = range(first, last + 1, step)
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise SceneError(
            f"frames {first} to {last}: expected 1 to {MAX_FRAMES} of them, found {len(frames)}; set the scene's frame range"
        )
    return frames


def read_at_frames(scene: bpy.types.Scene, first: int, last: int, step: int, read: Callable[[int], T]) -> list[T]:
    """What `read` gives at every `step`-th frame, which it is called with after the scene has been set to it.

    Raises:
        SceneError: no frames, too many, or what `read` raises, with the frame named.
    """
    frames = frames_between(first, last, step)
    shown, part, active = scene.frame_current, scene.frame_subframe, scene.camera
    values = []
    try:
        for frame in frames:
            scene.frame_set(frame)
            try:
                values.append(read(frame))
            except DNeRFError as error:
                raise SceneError(f"frame {frame}: {error}") from None
    finally:
        scene.frame_set(shown, subframe=part)
        scene.camera = active
    return values
