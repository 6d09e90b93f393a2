"""Live preview: while it is on, the worker's picture of the subject lies in every viewport of the scene and follows view and subject.

One picture is under way at a time. A viewport's next one is asked for when the first picture of its last has come, from where it looks
then; of several viewports each has its turn, see `previewing.turns`.
"""

from __future__ import annotations

import json
import time
from typing import Any

import bpy
import numpy as np

from dnerf_core.worker_protocol import Code

from . import session
from .bridge.errors import WorkerFault, error_line
from .drawing import draw_picture, draw_sign, picture_texture
from .lasting.identity import Held, hold
from .lasting.timers import Timer
from .model_facts import ModelFacts, chosen_model, keep_facts, known_facts, subject_params
from .posing import changes
from .posing.driver import live_pose, pose_params
from .previewing.pictures import preview_pixels, shown_size_px
from .previewing.placing import Free, Place, place_aside
from .previewing.turns import RegionPreview, UnderWay, next_turn
from .scene.subject import root_transform, subject_root
from .subjects import subject_token
from .viewport_camera import viewport_square

_INTERVAL_S = 0.015


class _Preview:
    """What is shown where, what is asked for, and what the viewports want now."""

    def __init__(self) -> None:
        self.scenes: dict[int, Held] = {}
        """Whose preview is on, by `session_uid`."""
        self.left_out: set[int] = set()
        """Areas that do not show it, by `as_pointer`."""
        self.asking: set[int] = set()
        """Scenes whose model is being asked about."""
        self.regions: dict[int, RegionPreview] = {}
        self.under_way: UnderWay | None = None
        self.turns = 0
        self.requested = ""
        """The last request."""
        self.covered: dict[int, tuple[int, bool]] = {}
        """By the area: after which change was looked, and whether something stands in the subject's place."""
        self.arrivals: list[float] = []
        """Times at which pictures came, the newest last: what updates a second are counted from."""

    @property
    def texture(self) -> Any:
        """A picture that is shown; None: there is none yet."""
        return next((entry.texture for entry in self.regions.values() if entry.texture is not None), None)

    @property
    def waiting(self) -> bool:
        """Whether the first picture of a request is awaited."""
        return self.under_way is not None and not self.under_way.has_coarse


_state = _Preview()
_handle: Any = None


def is_on(scene: bpy.types.Scene) -> bool:
    """Whether the scene's preview is on. Kept here, not in the file: a file that is opened starts nothing."""
    return scene.session_uid in _state.scenes


def is_shown_in(area: bpy.types.Area | None) -> bool:
    """Whether an area shows it while it is on."""
    return area is None or area.as_pointer() not in _state.left_out


def show_in(area: bpy.types.Area | None, shown: bool) -> None:
    """Let an area show it, or leave it out."""
    if area is None:
        return
    pointer = area.as_pointer()
    (_state.left_out.discard if shown else _state.left_out.add)(pointer)
    for region in area.regions:
        _state.regions.pop(region.as_pointer(), None)
    area.tag_redraw()


def switch(scene: bpy.types.Scene, on: bool) -> None:
    """Turn it on or off; on starts the worker. What goes wrong is in the status line, and it stays off."""
    _turn_off(scene.session_uid)
    session.redraw()
    if not on:
        return
    holder = session.current()
    try:
        holder.ready_client()
        _ask_facts(scene)
    except session.EXPECTED as error:
        holder.say(str(error), "ERROR")
        return
    _state.scenes[scene.session_uid] = hold(scene)
    _timer.start()


def updates_a_second(over_s: float) -> float:
    """Pictures that came in the last `over_s` seconds, a second."""
    now = time.monotonic()
    return sum(1 for at in _state.arrivals if now - at <= over_s) / over_s


def _ask_facts(scene: bpy.types.Scene) -> None:
    """Ask what the scene's model is: when the preview is turned on, and when another one has been chosen since."""
    held, model = hold(scene), chosen_model(scene)
    state = _state
    state.asking.add(held.uid)

    def failed(fault: WorkerFault) -> None:
        state.asking.discard(held.uid)
        _failed(fault)

    def know(result: dict[str, Any]) -> None:
        state.asking.discard(held.uid)
        found = held.found()
        if found is not None and chosen_model(found) == model:
            keep_facts(found, result)
            session.redraw()

    session.current().ask("model", {"model": model}, know, on_error=failed)


def _draw() -> None:
    """In every viewport, at each of its redraws: note where it looks from, and draw the picture that is its own."""
    context = bpy.context
    area, region, view = context.area, context.region, context.region_data
    if not is_on(context.scene) or not is_shown_in(area):
        return
    facts = known_facts(context.scene)
    if facts is None:
        draw_sign("DatasetNeRF: loading the model", region.width / 2.0, region.height / 2.0)
        return
    try:
        entry = _note(context.scene, region, view, facts)
        is_covered = _is_covered(context.scene, area)
    except session.EXPECTED as error:  # or the console had it at every redraw, and the user nowhere
        _end_by(error)
        return
    if entry.square is None:
        return
    if entry.texture is None or entry.texture_square is None:
        middle = entry.square.left_px + entry.square.side_px / 2.0, entry.square.bottom_px + entry.square.side_px / 2.0
        draw_sign("DatasetNeRF: loading the preview", *middle)
        return
    square = entry.texture_square
    place = Place(square.left_px, square.bottom_px, square.side_px)
    if is_covered:
        place = place_aside(place, _free_of(area, region))
    draw_picture(entry.texture, place.left_px, place.bottom_px, place.side_px, place.side_px)


def _note(scene: bpy.types.Scene, region: bpy.types.Region, view: bpy.types.RegionView3D, facts: ModelFacts) -> RegionPreview:
    pointer = region.as_pointer()
    entry = _state.regions.get(pointer)
    if entry is None or entry.scene_uid != scene.session_uid:
        entry = _state.regions[pointer] = RegionPreview(pointer, scene.session_uid)
    entry.square = viewport_square(
        np.array(view.view_matrix.inverted(), dtype=np.float64),
        np.array(view.window_matrix, dtype=np.float64),
        (region.width, region.height),
        root_transform(subject_root(scene, create=False)).matrix,
        facts.cameras.world_up,
        facts.box_side,
        None if facts.ray_limits is None else facts.cameras.radius,
    )
    return entry


def _is_covered(scene: bpy.types.Scene, area: bpy.types.Area) -> bool:
    """Whether a cloud or a mesh of the subject is shown in its place, which the picture would hide."""
    number, known = changes.number(), _state.covered.get(area.as_pointer())
    if known is None or known[0] != number:
        root, space = subject_root(scene, create=False), area.spaces.active
        items = () if root is None else root.children_recursive
        found = any(item.type == "MESH" and item.visible_get(viewport=space) for item in items)
        known = _state.covered[area.as_pointer()] = number, found
    return known[1]


def _free_of(area: bpy.types.Area, region: bpy.types.Region) -> Free:
    """What of a viewport no side panel and no toolbar lies over."""
    left, right = 0.0, float(region.width)
    for other in area.regions:
        if other.type not in ("UI", "TOOLS") or other.width <= 1 or other == region:
            continue
        start = other.x - region.x
        if start >= region.width / 2:
            right = min(right, start)
        elif start + other.width > 0 and other.x + other.width <= region.x + region.width / 2:
            left = max(left, start + other.width)
    return Free(left, 0.0, right, float(region.height))


def _tick() -> float | None:
    scenes = {uid: held.found() for uid, held in _state.scenes.items()}
    for uid in [uid for uid, scene in scenes.items() if scene is None]:
        _turn_off(uid)  # it has been deleted: undo brings it back without its preview
    if not _state.scenes:
        return None
    try:
        for uid, scene in scenes.items():
            if scene is not None:
                _want(scene, [entry for entry in _state.regions.values() if entry.scene_uid == uid])
        entry = next_turn(_state.regions.values(), _state.under_way)
        scene = None if entry is None else scenes[entry.scene_uid]
        if entry is not None and scene is not None:
            _ask(scene, entry)
    except session.EXPECTED as error:
        _end_by(error)
        return None
    return _INTERVAL_S


def _want(scene: bpy.types.Scene, entries: list[RegionPreview]) -> None:
    """What the scene's viewports want now; those that are there no more are forgotten."""
    facts = known_facts(scene)
    if facts is None and scene.session_uid not in _state.asking:
        _ask_facts(scene)
    if facts is None or not entries:
        return
    there = _viewports()
    settings, subject, pose = scene.dnerf, subject_token(scene), live_pose(scene, facts)
    for entry in entries:
        if entry.region not in there:
            _state.regions.pop(entry.region, None)
        elif entry.square is not None:
            looks = [settings.preview_mask, settings.preview_size_px, chosen_model(scene)]
            entry.wanted = json.dumps([entry.square.camera.to_json(), entry.region, subject, pose, *looks])


def _viewports() -> set[int]:
    """The regions of all viewports that are open, by `as_pointer`."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D")
    return {region.as_pointer() for area in areas for region in area.regions if region.type == "WINDOW"}


def _turn_off(uid: int | None = None) -> None:
    """Of one scene, by its `session_uid`; None: of all."""
    global _state  # noqa: PLW0603
    if uid is not None:
        _state.scenes.pop(uid, None)
    if uid is None or not _state.scenes:
        _state = _Preview()
        return
    _state.regions = {pointer: entry for pointer, entry in _state.regions.items() if entry.scene_uid != uid}


def _end_by(error: BaseException) -> None:
    """It is off, and the status line says why."""
    _turn_off()
    session.current().say(error_line(error, "live preview"), "ERROR")


_timer = Timer(_tick, _INTERVAL_S, on_error=_end_by)


def _ask(scene: bpy.types.Scene, entry: RegionPreview) -> None:
    facts, square = known_facts(scene), entry.square
    assert facts is not None and square is not None  # or it would want nothing
    state, overlay = _state, scene.dnerf.preview_mask
    pose = json.loads(entry.wanted)[3]
    params = {
        **subject_params(scene),
        **pose_params(pose),
        "camera": square.camera.to_json(),
        "size_px": shown_size_px(square.side_px, scene.dnerf.preview_size_px or facts.image_size_px),
    }
    request = state.under_way = UnderWay(entry)
    state.turns += 1
    entry.requested, entry.turn, state.requested = entry.wanted, state.turns, entry.wanted

    def show(answer: dict[str, Any]) -> None:
        holder = session.current()
        rgb = holder.array(answer["rgb"])
        mask = holder.array(answer["mask"]) if "mask" in answer else None
        if state is not _state or state.regions.get(entry.region) is not entry:  # turned off, or on anew, or closed meanwhile
            return
        request.has_coarse = True
        entry.texture = picture_texture(preview_pixels(rgb, mask, facts.labels if overlay else None))
        entry.texture_square = square
        state.arrivals = [*state.arrivals[-99:], time.monotonic()]
        _redraw_region(entry.region)

    def ended(answer: dict[str, Any]) -> None:
        if state.under_way is request:
            state.under_way = None
        show(answer)

    def failed(fault: WorkerFault) -> None:
        if state is not _state:
            return
        if state.under_way is request:
            state.under_way, entry.requested = None, ""  # a new worker is asked for the same picture again
        _failed(fault)

    session.current().ask("preview", params, ended, on_part=show, on_error=failed)


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
