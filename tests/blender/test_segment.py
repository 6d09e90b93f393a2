"""Segment Selected under pip's bpy with a real worker: attributes and materials are what the engine says of the same points."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")
pytest.importorskip("torch", reason="the network is made and asked here")

from dnerf_core.downstream.network_file import save_network  # noqa: E402
from dnerf_core.downstream.points.networks import PointSettings, built  # noqa: E402
from dnerf_core.downstream.points.prediction import PointSegmenter  # noqa: E402
from dnerf_core.labels import LabelSet  # noqa: E402
from dnerf_core.pointcloud.cloud import PointCloud  # noqa: E402
from headless.downstream.segmenting.shapes import point_labels  # noqa: E402
from tests.core.downstream.cloud_cases import LABELS, block  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None, reason="no torch beside bpy here"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights."""
    path, parts = tmp_path_factory.mktemp("network") / "points.safetensors", built("pointnet-small", LABELS, seed=5)
    settings = PointSettings("aligned", 64).to_json()
    save_network(
        path, kind="points", network="pointnet-small", labels=LABELS, settings=settings, state=parts.state_dict(), training={}
    )
    return path


def attribute(mesh: bpy.types.Mesh, name: str, kind: type) -> np.ndarray:
    values = np.empty(len(mesh.vertices), kind)
    mesh.attributes[name].data.foreach_get("value", values)
    return values


def world_places(item: bpy.types.Object) -> np.ndarray:
    return np.array([item.matrix_world @ vertex.co for vertex in item.data.vertices], np.float32)


def select(*items: bpy.types.Object) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    for item in items:
        item.select_set(True)


def test_a_mesh_and_clouds_get_labels_and_materials(session: ModuleType, network: Path) -> None:
    from blender_addon.scene.clouds import add_cloud, cloud_labels, read_cloud
    from blender_addon.scene.segments import face_labels

    bpy.ops.mesh.primitive_monkey_add(location=(3, 1, 2), rotation=(0.3, 0, 1), scale=(1, 2, 1))
    monkey = bpy.context.active_object
    monkey.data.materials.append(bpy.data.materials.new("fur"))
    points = block(1, 200)[0]
    other = LabelSet.from_names(["left", "right"])
    fused = PointCloud(points, points, np.zeros((200, 3), np.uint8), np.ones(200, np.uint8), np.ones(200, np.float32), other)
    ours = add_cloud(bpy.context.scene, fused, "ours", world_up="y")
    bare = bpy.data.objects.new("bare", bpy.data.meshes.new("bare"))
    bare.data.from_pydata(block(2, 150)[0].tolist(), [], [])
    bpy.context.scene.collection.objects.link(bare)
    bpy.context.view_layer.update()
    select(monkey, ours, bare)
    bpy.context.scene.dnerf.network_file = str(network)
    for _ in range(2):  # the second time takes the place of the first
        assert bpy.ops.dnerf.segment_selected() == {"FINISHED"}
        assert session.current().wait(120) and session.current().level == "INFO", session.current().status
    assert session.current().status.startswith("3 objects labelled, mean confidence 0.")
    segmenter = PointSegmenter.load(network)
    monkey.data.calc_loop_triangles()
    triangles = np.array([list(triangle.vertices) for triangle in monkey.data.loop_triangles], np.int32)
    for item, faces in ((monkey, triangles), (ours, None), (bare, None)):
        expected, confidence = point_labels(segmenter, world_places(item), faces, "z", None)
        found = attribute(item.data, "label", np.int32)
        assert (found == expected).mean() > 0.99, item.name  # places differ in their last bits
        np.testing.assert_allclose(attribute(item.data, "confidence", np.float32), confidence, atol=1e-3)
    assert cloud_labels(ours) == LABELS and read_cloud(ours).label_set == LABELS
    slots = [material.name for material in monkey.data.materials]
    kept = attribute(monkey.data, "label", np.int32).astype(np.uint8)
    of_faces = face_labels(monkey.data, kept)
    assert slots[0] == "fur" and len(slots) == 1 + len(np.unique(of_faces))
    for face, label in zip(monkey.data.polygons, of_faces, strict=True):
        material = monkey.data.materials[face.material_index]
        assert json.loads(material["dnerf_part"])[0] == LABELS.names[label]
    assert monkey.data.attributes.active_color_name == "part_color"


def test_the_label_of_a_face_is_its_vertices_most_frequent_one(session: ModuleType) -> None:
    from blender_addon.scene.segments import label_object

    mesh = bpy.data.meshes.new("two")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0)], [], [(0, 1, 2, 3), (1, 4, 2)])
    item = bpy.data.objects.new("two", mesh)
    bpy.context.scene.collection.objects.link(item)
    label_object(item, np.array([3, 1, 1, 3, 1], np.uint8), np.ones(5, np.float32), LABELS)
    names = [mesh.materials[face.material_index].name for face in mesh.polygons]
    assert names == [LABELS.names[1], LABELS.names[1]]
    label_object(item, np.array([3, 1, 3, 3, 2], np.uint8), np.ones(5, np.float32), LABELS)
    names = [mesh.materials[face.material_index].name for face in mesh.polygons]
    assert names == [LABELS.names[3], LABELS.names[1]] and len(mesh.materials) == 2


def test_what_cannot_be_labelled_is_told_in_one_line(session: ModuleType, network: Path, tmp_path: Path) -> None:
    settings = bpy.context.scene.dnerf
    cube = bpy.data.objects["Cube"]
    for file, chosen, expected in (
        ("", [cube], "segment: network file: expected a path, found none"),
        (str(tmp_path / "none"), [cube], "expected a file, found none at"),
        (str(network), [], "segment: expected selected meshes or clouds, found none"),
        (str(network), [bpy.data.objects["Camera"]], "segment: expected selected meshes or clouds, found none"),
    ):
        settings.network_file = file
        select(*chosen)
        with pytest.raises(RuntimeError, match=expected):
            bpy.ops.dnerf.segment_selected()
    (tmp_path / "text.safetensors").write_text("no network")
    settings.network_file = str(tmp_path / "text.safetensors")
    select(cube)
    assert bpy.ops.dnerf.segment_selected() == {"FINISHED"}
    assert session.current().wait(120) and session.current().level == "ERROR"
    assert "expected a network file" in session.current().status


@pytest.mark.parametrize("what", ["renamed", "deleted"])
def test_objects_are_those_of_the_click(session: ModuleType, network: Path, what: str) -> None:
    """The second is renamed while the first is being labelled, and a third gets its name; or it is deleted."""
    first, second, third = (bpy.data.objects.new(name, bpy.data.meshes.new(name)) for name in ("first", "second", "third"))
    for number, item in enumerate((first, second, third)):
        item.data.from_pydata(block(number, 150)[0].tolist(), [], [])
        bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.update()
    select(first, second)
    bpy.context.scene.dnerf.network_file = str(network)
    assert bpy.ops.dnerf.segment_selected() == {"FINISHED"}
    first.name = "early"
    if what == "renamed":
        second.name, third.name = "late", "second"
    else:
        bpy.data.objects.remove(second)
    assert session.current().wait(120)
    assert "label" in bpy.data.objects["early"].data.attributes and "label" not in third.data.attributes
    if what == "renamed":
        assert session.current().level == "INFO" and "label" in bpy.data.objects["late"].data.attributes
    else:
        line = "object 'second': expected it in this file, found it no more; select what is there"
        assert (session.current().status, session.busy()) == (line, False)
