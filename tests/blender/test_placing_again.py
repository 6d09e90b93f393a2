"""Buttons that are pressed again replace what they have placed themselves, and nothing that an artist has made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import Camera, sphere_camera

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.scene.cameras import animate_camera, place_cameras  # noqa: E402
from blender_addon.scene.subject import subject_root, update  # noqa: E402

OWNER = "Arc"


def arc(count: int = 2, pitch: float = 0.3) -> list[Camera]:
    return [sphere_camera(yaw, pitch, radius=1.8, focal=1.7, world_up="y") for yaw in np.linspace(-0.6, 0.6, count)]


def place(scene: Any, count: int = 2, pitch: float = 0.3) -> list[Any]:
    return place_cameras(scene, arc(count, pitch), [f"v{index}" for index in range(count)], OWNER, 64, world_up="y")


def animate(scene: Any, count: int = 4) -> Any:
    return animate_camera(scene, arc(count), 1, "Moving", 64, world_up="y")


def cameras(scene: Any) -> list[str]:
    return sorted(item.name for item in scene.objects if item.type == "CAMERA")


def duplicate(item: Any) -> Any:
    """As Shift+D: with its data and all its properties, in its collections."""
    copy = item.copy()
    copy.data = item.data.copy()
    for collection in item.users_collection:
        collection.objects.link(copy)
    return copy


def renamed(item: Any) -> None:
    item.name = "hero"


def moved(item: Any) -> None:
    item.location.x += 0.5


def turned(item: Any) -> None:
    item.rotation_euler.z += 0.5


def zoomed(item: Any) -> None:
    item.data.lens = 85


def tracked(item: Any) -> None:
    item.constraints.new("TRACK_TO")


def keyed(item: Any) -> None:
    item.keyframe_insert("location", frame=3)


def unparented(item: Any) -> None:
    item.parent = None


def sorted_away(item: Any) -> None:
    own = bpy.data.collections.new("shots")
    bpy.context.scene.collection.children.link(own)
    own.objects.link(item)
    item.users_collection[0].objects.unlink(item)


def collection_renamed(item: Any) -> None:
    item.users_collection[0].name = "shot 1"


def carrying(item: Any) -> None:
    light = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    bpy.context.scene.collection.objects.link(light)
    light.parent = item


CHANGES = [renamed, moved, turned, zoomed, tracked, keyed, unparented, sorted_away, collection_renamed, carrying]


def test_a_duplicate_stays_and_its_original_goes(scene: Any) -> None:
    first = place(scene)[0]
    copy = duplicate(first)
    matrix = copy.matrix_basis.copy()
    place(scene, pitch=0.1)
    assert cameras(scene) == ["v0", "v0.001", "v1"]
    assert copy.name == "v0.001" and copy.matrix_basis == matrix
    place(scene, count=1)
    assert cameras(scene) == ["v0", "v0.001"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_artist_has_changed_is_the_artists(scene: Any, change: Callable[[Any], None]) -> None:
    taken = place(scene)[1]
    change(taken)
    update(scene)
    name, matrix = taken.name, taken.matrix_basis.copy()
    for pitch in (0.1, 0.2):
        place(scene, pitch=pitch)
        assert scene.objects[name] == taken and taken.matrix_basis == matrix
        kept = 2 if change is collection_renamed else 1
        assert len(cameras(scene)) == 2 + kept


def test_nothing_changed_also_after_a_file_was_opened_is_replaced(scene: Any, tmp_path: Path) -> None:
    place(scene)
    animate(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    scene = bpy.context.scene
    scene.frame_set(3)
    place(scene, pitch=0.1)
    animate(scene, 3)
    assert cameras(scene) == ["Moving", "v0", "v1"]
    assert [len(store) for store in (bpy.data.cameras, bpy.data.curves, bpy.data.actions)] == [3, 1, 1]


def test_hiding_and_selecting_are_no_changes(scene: Any) -> None:
    for item in place(scene):
        item.hide_viewport = item.hide_render = True
        item.select_set(True)
    place(scene)
    assert cameras(scene) == ["v0", "v1"]


def test_what_refers_to_a_placed_camera_goes_on_with_the_new_one(scene: Any) -> None:
    first, second = place(scene)
    marker = scene.timeline_markers.new("cut", frame=5)
    marker.camera = second
    target = bpy.data.objects.new("light", None)
    scene.collection.objects.link(target)
    target.constraints.new("TRACK_TO").target = first
    placed = place(scene, pitch=0.1)
    assert [item.name for item in placed] == ["v0", "v1"] and cameras(scene) == ["v0", "v1"]
    assert marker.camera == placed[1] and target.constraints[0].target == placed[0]
    assert [[inside.name for inside in item.users_collection] for item in placed] == [[OWNER], [OWNER]]


def test_a_moving_camera_that_an_artist_has_changed_stays(scene: Any) -> None:
    taken = animate(scene)
    copy = duplicate(taken)
    animate(scene, 3)
    assert cameras(scene) == ["Moving", "Moving.001"]
    assert copy.name == "Moving.001" and len(copy.animation_data.action.fcurves) == 7
    scene.objects["Moving"].animation_data.action.fcurves[0].keyframe_points[1].co.y += 0.2
    animate(scene)
    assert cameras(scene) == ["Moving", "Moving.001", "Moving.002"]


def everything(scene: Any) -> list[int]:
    return [len(scene.objects), len(scene.collection.children_recursive), *map(len, (bpy.data.objects, bpy.data.collections))]


def test_a_second_scene_has_its_own_cameras_and_nothing_piles_up(scene: Any) -> None:
    place(scene)
    before = [item.name for item in scene.objects]
    other = bpy.data.scenes.new("second")
    place(other)
    count = everything(other)
    assert count[:2] == [3, 1]
    for pitch in (0.1, 0.2, 0.3):
        placed = place(other, pitch=pitch)
        assert everything(other) == count
    marker = other.timeline_markers.new("cut", frame=5)
    marker.camera = placed[1]
    placed = place(other)
    assert marker.camera == placed[1] and everything(other) == count
    assert sorted(item.name for item in scene.objects) == sorted(before)


@pytest.mark.parametrize("kind", ["LINK_COPY", "FULL_COPY"])
def test_a_copied_scene_leaves_the_originals_alone_and_nothing_piles_up(scene: Any, kind: str) -> None:
    place(scene)
    animate(scene)
    before = {item.name: item.matrix_basis.copy() for item in scene.objects}
    bpy.ops.scene.new(type=kind)
    other = bpy.context.scene
    assert other != scene
    place(other, pitch=0.1)
    animate(other, 3)
    count = everything(other)
    for pitch in (0.2, 0.3):
        place(other, pitch=pitch)
        animate(other, 3)
        assert everything(other) == count
    assert all(scene.objects[name].matrix_basis == matrix for name, matrix in before.items())
    assert sum("dnerf_subject" in item for item in other.objects) == 1
    place(scene, pitch=0.1)
    count = everything(scene)
    place(scene, pitch=0.2)
    assert everything(scene) == count


def test_a_duplicated_empty_is_not_taken_for_the_subjects(scene: Any) -> None:
    root = subject_root(scene)
    copy = root.copy()
    scene.collection.objects.link(copy)
    copy.name = "A"
    assert subject_root(scene) == root
    bpy.data.objects.remove(copy)
    root.name = "my subject"
    assert subject_root(scene) == root and len(scene.objects) == 1
