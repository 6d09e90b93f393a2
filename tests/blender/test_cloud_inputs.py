"""The inputs of a cloud's modifier: one part alone, the points' size, whose colours; and clouds that have those of the first version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.scene import clouds  # noqa: E402
from blender_addon.scene.cloud_display import COLOR_MODE, MODIFIER_NAME, PART, SIZE, copy_shown  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.parts.modifier_inputs import input_value, set_input  # noqa: E402
from tests.blender.test_scene_clouds import ball, shown, shown_colors  # noqa: E402


def modifier(item: Any) -> Any:
    return item.modifiers[MODIFIER_NAME]


def input_names(item: Any) -> list[str]:
    sockets = modifier(item).node_group.interface.items_tree
    return [socket.name for socket in sockets if socket.in_out == "INPUT" and socket.socket_type != "NodeSocketGeometry"]


def menu_items(item: Any, name: str) -> list[str]:
    """What Blender's own field of a menu input offers."""
    found = modifier(item)
    (socket,) = [socket for socket in found.node_group.interface.items_tree if socket.name == name and socket.in_out == "INPUT"]
    if hasattr(found, "properties"):
        held = getattr(found.properties.inputs, socket.identifier)
        return [entry.name for entry in held.bl_rna.properties["value"].enum_items]
    return [entry[1] for entry in found.id_properties_ui(socket.identifier).as_dict()["items"]]


def test_the_modifier_offers_part_size_and_colour_mode(scene: Any) -> None:
    item = clouds.add_cloud(scene, ball(50), "car", world_up="y")
    assert input_names(item) == [PART, SIZE, COLOR_MODE]
    assert menu_items(item, PART) == ["All", *SHAPENET_CAR_LABELS.names[1:]]
    assert menu_items(item, COLOR_MODE) == ["Photo", "Part"]


def test_one_part_alone(scene: Any) -> None:
    cloud = ball(300)
    assert cloud.labels is not None
    item = clouds.add_cloud(scene, cloud, "car", world_up="z")
    assert len(shown(item).polygons) == 300
    for part_id in (1, 2, 3, 0):
        clouds.set_shown(item, part_id=part_id)
        assert input_value(modifier(item), PART) == part_id
        assert len(shown(item).polygons) == ((cloud.labels == part_id).sum() if part_id else 300)
    clouds.hide_part(item, 2)
    clouds.set_shown(item, part_id=2)
    assert len(shown(item).polygons) == 0, "what is hidden stays hidden"
    clouds.set_shown(item, part_id=1)
    assert len(shown(item).polygons) == (cloud.labels == 1).sum()
    assert len(clouds.read_cloud(item)) == 300, "what is not shown is there"


def test_the_size_is_the_side_of_a_square(scene: Any) -> None:
    item = clouds.add_cloud(scene, ball(100), "car", world_up="y")
    set_input(modifier(item), SIZE, 0.2)
    item.update_tag()
    assert {round(polygon.area, 5) for polygon in shown(item).polygons} == {0.04}
    clouds.set_shown(item, radius=0.2)
    assert input_value(modifier(item), SIZE) == pytest.approx(0.4)


def test_the_colour_mode_is_the_panels_switch(scene: Any) -> None:
    cloud = ball(100)
    item = clouds.add_cloud(scene, cloud, "car", world_up="y")
    assert clouds.shows_parts(item) and input_value(modifier(item), COLOR_MODE) == 1
    set_input(modifier(item), COLOR_MODE, 0)
    item.update_tag()
    assert not clouds.shows_parts(item)
    assert {tuple(color) for color in shown_colors(item).tolist()} == {tuple(map(float, c)) for c in cloud.colors.tolist()}
    (material,) = {polygon.material_index for polygon in shown(item).polygons}
    assert shown(item).materials[material].name == "DatasetNeRF photo colours"


def test_clouds_of_the_same_labels_share_a_group(scene: Any) -> None:
    first, second = (clouds.add_cloud(scene, ball(count), "car", world_up="y") for count in (20, 30))
    other = LabelSet.from_names(["lower", "upper"])
    cloud = ball(40)
    third = clouds.add_cloud(
        scene,
        PointCloud(cloud.points, cloud.normals, cloud.colors, cloud.labels, cloud.confidence, other),
        "other",
        world_up="y",
    )
    assert modifier(first).node_group == modifier(second).node_group != modifier(third).node_group
    assert menu_items(third, PART) == ["All", "lower", "upper"]
    clouds.set_shown(first, part_id=1)
    assert input_value(modifier(second), PART) == 0
    clouds.set_shown(second, part_id=2)
    anew = second.modifiers.new("by hand", "NODES")
    anew.node_group = modifier(first).node_group
    assert [input_value(anew, name) for name in (PART, COLOR_MODE)] == [0, 0], "the group's own defaults"


def test_a_cloud_without_labels_has_a_size_alone(scene: Any) -> None:
    item = clouds.add_cloud(scene, ball(50, labelled=False), "bare", world_up="y")
    assert input_names(item) == [SIZE]
    clouds.set_shown(item, part_colors=False, part_id=0)
    for settings in ({"part_colors": True}, {"part_id": 1}):
        with pytest.raises(SceneError, match=r"expected an input .* of its node group, found none"):
            clouds.set_shown(item, **settings)
    clouds.set_shown(item, radius=0.125)
    labels, confidence = np.full(50, 2, np.uint8), np.ones(50, np.float32)
    clouds.set_labels(item, labels, confidence, LabelSet.from_names(["lower", "upper"]))
    assert input_names(item) == [PART, SIZE, COLOR_MODE] and clouds.shows_parts(item)
    assert input_value(modifier(item), SIZE) == pytest.approx(0.25)
    clouds.set_shown(item, part_id=1)
    assert len(shown(item).polygons) == 0
    clouds.set_shown(item, part_id=2)
    assert len(shown(item).polygons) == 50


def test_what_is_chosen_is_kept_in_the_file(scene: Any, tmp_path: Path) -> None:
    item = clouds.add_cloud(scene, ball(60), "car", world_up="y")
    clouds.set_shown(item, part_id=2, part_colors=False, radius=0.05)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    item = bpy.data.objects["car"]
    assert [input_value(modifier(item), name) for name in (PART, COLOR_MODE)] == [2, 0]
    assert input_value(modifier(item), SIZE) == pytest.approx(0.1)
    assert len(shown(item).polygons) == (ball(60).labels == 2).sum()


def test_another_cloud_is_shown_alike(scene: Any) -> None:
    old, fresh = (clouds.add_cloud(scene, ball(count), "car", world_up="y") for count in (20, 30))
    clouds.set_shown(old, part_id=2, part_colors=False)
    copy_shown(old, fresh)
    assert [input_value(modifier(fresh), name) for name in (PART, COLOR_MODE)] == [2, 0]


def as_first_version(item: Any) -> None:
    """Give a cloud's modifier the inputs of version 0.1.0's group: half the side, and a switch."""
    group = bpy.data.node_groups.new(MODIFIER_NAME, "GeometryNodeTree")
    group["dnerf_version"] = 1
    group.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    group.interface.new_socket("Radius", in_out="INPUT", socket_type="NodeSocketFloat")
    group.interface.new_socket("Part Colours", in_out="INPUT", socket_type="NodeSocketBool")
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    modifier(item).node_group = group


def test_clouds_of_the_first_version_go_on(scene: Any) -> None:
    item = clouds.add_cloud(scene, ball(60), "car", world_up="y")
    as_first_version(item)
    clouds.set_shown(item, radius=0.1, part_colors=True)
    assert clouds.shows_parts(item) and input_value(modifier(item), "Radius") == pytest.approx(0.1)
    clouds.set_shown(item, part_colors=False, part_id=0)
    assert not clouds.shows_parts(item)
    fresh = clouds.add_cloud(scene, ball(30), "fresh", world_up="y")
    assert modifier(fresh).node_group != modifier(item).node_group, "the old group is not taken for a new cloud"
    copy_shown(item, fresh)
    assert not clouds.shows_parts(fresh)
    clouds.set_labels(item, ball(60).labels, np.ones(60, np.float32), SHAPENET_CAR_LABELS)
    assert input_names(item) == [PART, SIZE, COLOR_MODE]
    assert input_value(modifier(item), SIZE) == pytest.approx(0.2)
    assert len(shown(item).polygons) == 60
