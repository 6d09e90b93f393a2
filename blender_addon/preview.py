"""Live preview: while it is on, the worker's picture of the subject lies over the viewport and follows view and subject.

One preview is under way at a time: the next is asked for when the first picture of the last has come, from where the viewport is then.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import LabelSet
from dnerf_core.worker_protocol import Code

from . import session
from .bridge.errors import WorkerFault, error_line
from .drawing import draw_picture, picture_texture
from .lasting.identity import Held, hold
from .lasting.timers import Timer
from .model_facts import ModelFacts, chosen_model, keep_facts, known_facts, subject_params
from .posing.driver import live_pose, pose_params
from .scene.subject import root_transform, subject_root
from .subjects import subject_token
from .viewport_camera import ViewportSquare, viewport_square

_INTERVAL_S = 0.015
_LEAST_PX, _STEP_PX = 32, 32


class _Preview:
    """What is shown, what is asked for, and what the viewport wants now."""

    def __init__(self) -> None:
        self.scene: Held | None = None
        self.region_keys: dict[int, str] = {}
        self.looking: tuple[ViewportSquare, int] | None = None
        """What the viewport that moved last sees, and its region."""
        self.requested = ""
        self.waiting = False
        self.texture: Any = None
        self.square: ViewportSquare | None = None
        self.region = 0
        self.arrivals: list[float] = []
        """Times at which pictures came, the newest last: what updates a second are counted from."""


_state = _Preview()
_handle: Any = None


def is_on(scene: bpy.types.Scene) -> bool:
    """Whether the scene's preview is on. Kept here, not in the file: a file that is opened starts nothing."""
    return _state.scene is not None and _state.scene.uid == scene.session_uid


def switch(scene: bpy.types.Scene, on: bool) -> None:
    """Turn it on or off; on starts the worker. What goes wrong is in the status line, and it stays off."""
    _turn_off()
    session.redraw()
    if not on:
        return
    holder = session.current()
    try:
        model = chosen_model(scene)
        holder.ready_client()
        held = hold(scene)
        holder.ask("model", {"model": model}, lambda result: _know(held, result), on_error=_failed)
    except session.EXPECTED as error:
        holder.say(str(error), "ERROR")
        return
    _state.scene = held
    _timer.start()


def updates_a_second(over_s: float) -> float:
    """Pictures that came in the last `over_s` seconds, a second."""
    now = time.monotonic()
    return sum(1 for at in _state.arrivals if now - at <= over_s) / over_s


def _know(held: Held, result: dict[str, Any]) -> None:
    scene = held.found()
    if scene is not None:
        keep_facts(scene, result)
        session.redraw()


def _draw() -> None:
    """In every viewport, at each of its redraws: note where it looks from, and draw the picture that is its own."""
    context = bpy.context
    if not is_on(context.scene):
        return
    region, view = context.region, context.region_data
    facts = known_facts(context.scene)
    if facts is None or not view.is_perspective:
        return
    try:
        _note(context.scene, region, view, facts)
    except session.EXPECTED as error:  # or the console had it at every redraw, and the user nowhere
        _end_by(error)
        return
    if _state.texture is None or _state.square is None or region.as_pointer() != _state.region:
        return
    square = _state.square
    draw_picture(_state.texture, square.left_px, square.bottom_px, square.side_px, square.side_px)


def _note(scene: bpy.types.Scene, region: bpy.types.Region, view: bpy.types.RegionView3D, facts: ModelFacts) -> None:
    place = root_transform(subject_root(scene, create=False))
    square = viewport_square(
        np.array(view.view_matrix.inverted(), dtype=np.float64),
        np.array(view.window_matrix, dtype=np.float64),
        (region.width, region.height),
        place.matrix,
        facts.cameras.world_up,
        facts.box_side,
    )
    if square is None:
        return
    key, pointer = json.dumps(square.camera.to_json()), region.as_pointer()
    if _state.region_keys.get(pointer) != key:
        _state.region_keys[pointer] = key
        _state.looking = (square, pointer)


def _tick() -> float | None:
    scene = None if _state.scene is None else _state.scene.found()
    if scene is None:
        _turn_off()  # also where the scene has been deleted: undo brings it back without its preview
        return None
    facts = known_facts(scene)
    if _state.looking is not None and not _state.waiting and facts is not None:
        square, region = _state.looking
        settings = scene.dnerf
        shown = [settings.preview_mask, settings.preview_size_px]
        try:
            pose = live_pose(scene, facts)
            key = json.dumps([square.camera.to_json(), region, subject_token(scene), pose, *shown])
            if key != _state.requested:
                _ask(scene, facts, key, square, region, pose)
        except session.EXPECTED as error:
            _end_by(error)
            return None
    return _INTERVAL_S


def _turn_off() -> None:
    global _state  # noqa: PLW0603
    _state = _Preview()


def _end_by(error: BaseException) -> None:
    """It is off, and the status line says why."""
    _turn_off()
    session.current().say(error_line(error, "live preview"), "ERROR")


_timer = Timer(_tick, _INTERVAL_S, on_error=_end_by)


def _ask(
    scene: bpy.types.Scene, facts: ModelFacts, key: str, square: ViewportSquare, region: int, pose: list[float] | None
) -> None:
    state, overlay = _state, scene.dnerf.preview_mask
    params = {
        **subject_params(scene),
        **pose_params(pose),
        "camera": square.camera.to_json(),
        "size_px": shown_size_px(square.side_px, scene.dnerf.preview_size_px or facts.image_size_px),
    }
    state.requested, state.waiting = key, True

    def show(answer: dict[str, Any]) -> None:
        holder = session.current()
        rgb = holder.array(answer["rgb"])
        mask = holder.array(answer["mask"]) if "mask" in answer else None
        if state is not _state:  # turned off, or on anew, meanwhile
            return
        state.waiting = False
        state.texture = picture_texture(preview_pixels(rgb, mask, facts.labels if overlay else None))
        state.square, state.region = square, region
        state.arrivals = [*state.arrivals[-99:], time.monotonic()]
        _redraw_region(region)

    def failed(fault: WorkerFault) -> None:
        if state is _state:
            state.waiting, state.requested = False, ""  # a new worker is asked for the same picture again
            _failed(fault)

    session.current().ask("preview", params, show, on_part=show, on_error=failed)


def _redraw_region(pointer: int) -> None:
    """One region only: to draw its whole area again takes several times as long."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.as_pointer() == pointer:
                    region.tag_redraw()


def _failed(fault: WorkerFault) -> None:
    """A preview that was superseded is no fault; anything else ends the preview, with its line."""
    if fault.code == Code.CANCELLED:
        return
    _turn_off()
    session.current().say(f"live preview: {fault.message}", "ERROR")


def shown_size_px(square_side_px: float, max_px: int) -> int:
    """The side that is asked for: no more pixels than are shown, in steps, so that a slow zoom does not ask for every size."""
    return max(_LEAST_PX, min(max_px, math.ceil(square_side_px / _STEP_PX) * _STEP_PX))


def preview_pixels(rgb: NDArray[np.uint8], mask: NDArray[np.uint8] | None, overlay: LabelSet | None) -> NDArray[np.float32]:
    """What is drawn, float32 [H, W, 4] from the bottom row up: the picture, clear where the mask has background."""
    shown = rgb if overlay is None or mask is None else overlay.overlay(rgb, mask)
    pixels = np.ones((*rgb.shape[:2], 4), np.float32)
    pixels[..., :3] = shown.astype(np.float32) / np.float32(255.0)
    if mask is not None:
        pixels[..., 3] = mask != 0
        pixels[..., :3] *= pixels[..., 3:]
    return pixels[::-1]


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    _turn_off()


def register() -> None:
    global _handle  # noqa: PLW0603
    bpy.app.handlers.load_pre.append(_before_load)
    if not bpy.app.background:  # without a window there is nothing to draw on
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle  # noqa: PLW0603
    _turn_off()
    bpy.app.handlers.load_pre.remove(_before_load)
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
