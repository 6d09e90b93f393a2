"""What shows a subject is rendered anew when the subject is edited, when one steps back, and when the edit is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import bpy

from .. import session
from ..bridge.errors import error_line
from ..lasting.identity import Held, hold
from ..lasting.timers import Timer
from ..model_facts import ModelFacts, chosen_model, with_facts
from ..scene.cloud_display import copy_shown
from ..scene.clouds import add_cloud, hidden_parts, hide_part
from ..shown_views import are_stale, forget, keep_shown, known_shown, rename_images
from ..subjects import subject_stem, subject_token
from .cloud import cloud_from_result, make_active, note_request, noted_request
from .views import CollectedViews, render_poses

_LOOK_S = 0.1
TITLE = "Rendering views and cloud anew"


def render_anew(scene: bpy.types.Scene, facts: ModelFacts, before: str, then: Callable[[], None]) -> None:
    """Steps of the job that runs: views and clouds of the subject `before` become those of the scene's subject.

    Clouds in edit mode, duplicates, those that have been changed by hand, and those with painted labels, which belong to the subject
    that was painted, stay.
    """
    held, subject, stem = hold(scene), subject_token(scene), subject_stem(scene)
    wanted_subject, shown = (subject, stem), known_shown(scene)
    clouds = [hold(item) for item in scene.objects if noted_request(item, before) is not None]

    def next_cloud() -> None:
        if clouds:
            _fuse_anew(held, facts, clouds.pop(0), before, wanted_subject, next_cloud)
        else:
            then()

    if shown is None or shown.subject != before:
        next_cloud()
        return
    shown = shown.with_images()
    wanted = shown.for_subject(subject, stem)
    rename_images(shown.poses, wanted.poses)

    def views_done(_: CollectedViews) -> None:
        keep_shown(held.needed(), wanted)
        next_cloud()

    render_poses(scene, facts, wanted, views_done, TITLE, makes_all=False)


def _fuse_anew(
    held: Held, facts: ModelFacts, held_cloud: Held, before: str, wanted: tuple[str, str], then: Callable[[], None]
) -> None:
    """One step for a cloud of the subject `before`, which becomes the `wanted` one's, a token with its stem.

    A cloud that has been deleted, changed or is being edited by now stays as it is.
    """
    item, scene = held_cloud.found(), held.needed()
    request = None if item is None else noted_request(item, before)
    if request is None:
        then()
        return
    subject, stem = wanted
    params = {"model": chosen_model(scene), **json.loads(subject), **request}

    def done(result: dict[str, Any]) -> None:
        scene, old = held.needed(), held_cloud.found()
        cloud = cloud_from_result(result)
        if old is not None and noted_request(old, before) is not None:
            fresh = add_cloud(scene, cloud, f"cloud {stem}", world_up=facts.cameras.world_up, root=old.parent)
            copy_shown(old, fresh)
            _take_place(scene, old, fresh)
            note_request(fresh, subject, request)
        then()

    session.current().continue_job("pointcloud", params, done, title=TITLE)


def _take_place(scene: bpy.types.Scene, old: bpy.types.Object, fresh: bpy.types.Object) -> None:
    """The fresh cloud stands, and is shown, as the old one was, which goes."""
    for collection in fresh.users_collection:
        collection.objects.unlink(fresh)
    for collection in old.users_collection:
        collection.objects.link(fresh)
    fresh.matrix_basis = old.matrix_basis.copy()
    fresh.hide_render, fresh.hide_viewport = old.hide_render, old.hide_viewport
    for part_id in hidden_parts(old):
        hide_part(fresh, part_id)
    was_active = any(layer.objects.active == old for layer in scene.view_layers)
    mesh = old.data
    bpy.data.objects.remove(old)
    if not mesh.users:
        bpy.data.meshes.remove(mesh)
    if was_active:
        make_active(scene, fresh)


@bpy.app.handlers.persistent
def _after_undo(*_: object) -> None:
    """The scene is as it was, and so are meshes; but Blender may keep an image's pixels."""
    if any(are_stale(scene) for scene in bpy.data.scenes):
        _timer.start()


def _follow_undo() -> float | None:
    """Render the views of the subject that the scene says they are of, when nothing else is done."""
    holder = session.current()
    if holder.job is not None:
        return _LOOK_S
    scene = next((scene for scene in bpy.data.scenes if are_stale(scene)), None)
    if scene is None:
        return None
    try:
        with_facts(scene, TITLE, _show_views_again)
    except session.EXPECTED as error:
        holder.say(str(error), "ERROR")
    return None


def _give_up(error: BaseException) -> None:
    """What shows a subject stays as it is."""
    forget()
    session.current().say(error_line(error, TITLE), "ERROR")


_timer = Timer(_follow_undo, _LOOK_S, on_error=_give_up, persistent=False)


def _show_views_again(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    shown, held = known_shown(scene), hold(scene)
    assert shown is not None  # or they were not stale

    def done(_: CollectedViews) -> None:
        keep_shown(held.needed(), shown)
        session.current().finish(f"{shown.stem}: its views are shown again")

    render_poses(scene, facts, shown.with_images(), done, TITLE, makes_all=False)


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    forget()


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.undo_post.append(_after_undo)
    bpy.app.handlers.redo_post.append(_after_undo)


def unregister() -> None:
    bpy.app.handlers.redo_post.remove(_after_undo)
    bpy.app.handlers.undo_post.remove(_after_undo)
    bpy.app.handlers.load_pre.remove(_before_load)
    forget()
