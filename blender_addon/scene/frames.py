"""Something read at each frame of a range, with all that moves; the scene's frame and active camera are restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import bpy

from dnerf_core.errors import DNeRFError
from dnerf_core.job_ranges import FRAMES

from .errors import SceneError

T = TypeVar("T")
MAX_FRAMES = FRAMES.high or 0


def read_at_frames(scene: bpy.types.Scene, first: int, last: int, step: int, read: Callable[[int], T]) -> list[T]:
    """What `read` gives at every `step`-th frame, which it is called with after the scene has been set to it.

    Raises:
        SceneError: no frames, too many, or what `read` raises, with the frame named.
    """
    frames = range(first, last + 1, step)
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise SceneError(
            f"frames {first} to {last}: expected 1 to {MAX_FRAMES} of them, found {len(frames)}; set the scene's frame range"
        )
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
