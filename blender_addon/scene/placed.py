"""What a button has placed in a scene, known again, so that its next press replaces that and nothing else.

The scene notes each thing by its name and by what it was like. No two objects of a file have one name, so a duplicate, which has all
else of its original, is not taken for it. What the artist has renamed, moved, changed, animated, put into another collection or shown
in another scene, too, is no longer as it was placed: it is the artist's, and stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from .actions import curves_of
from .subject import ROOT_PROPERTY

PLACED_PROPERTY = "dnerf_placed"
"""On the scene, JSON: by what placed it, {"collection": its name, or "" for the scene's own, "things": {name: [name asked for, what it was
like]}}. Where another scene has the name that was asked for, the thing has another one."""

_PLACE = ("location", "rotation_quaternion", "rotation_euler", "scale")
_LENS = ("type", "lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "clip_start", "clip_end")


def note_placed(
    scene: bpy.types.Scene, owner: str, collection: bpy.types.Collection, names: Sequence[str], things: Sequence[bpy.types.Object]
) -> None:
    """Note what `owner` has placed under which names, in place of what it had placed before. The scene is up to date."""
    notes = _notes(scene)
    notes[owner] = {
        "collection": "" if collection == scene.collection else collection.name,
        "things": {item.name: [name, _likeness(item)] for name, item in zip(names, things, strict=True)},
    }
    scene[PLACED_PROPERTY] = json.dumps(notes)


def placed_before(scene: bpy.types.Scene, owner: str) -> dict[str, bpy.types.Object]:
    """What `owner` has placed and nobody has touched since, by the names that were asked for."""
    note = _notes(scene).get(owner, {"collection": "", "things": {}})
    collection = (not note["collection"], note["collection"] or scene.collection.name)
    found = {}
    for name, (wanted, likeness) in note["things"].items():
        item = scene.objects.get(name)
        if item is None or item.library is not None or item.override_library is not None or tuple(item.users_scene) != (scene,):
            continue
        if [(inside == scene.collection, inside.name) for inside in item.users_collection] != [collection]:
            continue
        if _likeness(item) == likeness:
            found[wanted] = item
    return found


def own_collection(scene: bpy.types.Scene, owner: str) -> bpy.types.Collection:
    """The collection that `owner` places things in: the one that it had, or one of its name; made where there is none.

    One that another scene shows, too, as a copied scene does, is left alone.
    """
    note = _notes(scene).get(owner, {"collection": ""})
    inside = {collection.name: collection for collection in scene.collection.children_recursive}
    for name in (note["collection"], owner):
        if name in inside and not _is_shared(scene, inside[name]):
            return inside[name]
    collection = bpy.data.collections.new(owner)
    scene.collection.children.link(collection)
    return collection


def replace_placed(before: Mapping[str, bpy.types.Object], names: Sequence[str], after: Sequence[bpy.types.Object]) -> None:
    """Take away what was placed before. What refers to it, such as a marker that binds a camera, goes on with the new one of its name.

    Args:
        before: as `placed_before` finds it.
        names: of the new ones, which get them where they are free.
    """
    fresh = dict(zip(names, after, strict=True))
    called = dict(zip(names, names, strict=True))
    for wanted, old in before.items():
        data = old.data
        played = [block.animation_data.action for block in (old, data) if block.animation_data is not None]
        if wanted in fresh:
            called[wanted] = old.name
            for collection in old.users_collection:
                collection.objects.unlink(old)
            old.user_remap(fresh[wanted])
        bpy.data.objects.remove(old)
        store = bpy.data.cameras if isinstance(data, bpy.types.Camera) else bpy.data.curves
        if not data.users:
            store.remove(data)
        for action in {action for action in played if action is not None}:  # both may play one
            if not action.users:
                bpy.data.actions.remove(action)
    for wanted, item in fresh.items():
        if called[wanted] not in bpy.data.objects:
            item.name = item.data.name = called[wanted]


def _notes(scene: bpy.types.Scene) -> dict[str, Any]:
    return json.loads(scene.get(PLACED_PROPERTY, "{}"))


def _is_shared(scene: bpy.types.Scene, collection: bpy.types.Collection) -> bool:
    return any(collection in other.collection.children_recursive for other in bpy.data.scenes if other != scene)


def _likeness(item: bpy.types.Object) -> str:
    """A digest of what an artist may change: place, lens or way, keyframes, and what has been added."""
    data = item.data
    curves = [*curves_of(item), *(() if data is None else curves_of(data))]
    moved = {curve.data_path for curve in curves}  # whose values change with the frame
    facts: list[Any] = [
        [tuple(getattr(item, name)) for name in _PLACE if name not in moved],
        item.rotation_mode,
        item.parent is not None and bool(item.parent.get(ROOT_PROPERTY)),
        [len(item.constraints), len(item.modifiers), len(item.children)],
        [[curve.data_path, curve.array_index, len(curve.modifiers), _keys(curve)] for curve in curves],
        [0 if block is None or block.animation_data is None else len(block.animation_data.drivers) for block in (item, data)],
    ]
    if item.type == "CAMERA":
        facts.append([getattr(data, name) for name in _LENS if name not in moved])
        facts.append([data.dof.use_dof, len(data.background_images)])
    elif item.type == "CURVE":
        facts.append([list(map(tuple, (point.co for spline in data.splines for point in spline.points))), data.bevel_depth])
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _keys(curve: bpy.types.FCurve) -> list[float]:
    values = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", values)
    return values.tolist()
