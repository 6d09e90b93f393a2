"""Files of clouds and meshes that the commands wrote, imported: what they hold, parts by name, several at once, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dnerf_core.errors import UsageError
from dnerf_core.labels import SHAPENET_CAR_LABELS, Label, LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.incoming.importing import colored_like, import_file  # noqa: E402
from blender_addon.scene import clouds  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from tests.blender.test_scene_clouds import ARRAYS, ball  # noqa: E402

LABELS = LabelSet.from_names(["lower", "upper"])
COLORED = LabelSet((LABELS.labels[0], Label(1, "upper", (10, 200, 30)), Label(2, "door", (1, 2, 3))))
"""Another set in which `upper` has another id and colour."""


def strip(world_up: str = "y", label_set: LabelSet | None = LABELS) -> Any:
    """A ribbon of 40 triangles that rises along y, its lower half part 1, its upper half part 2."""
    mesh = pytest.importorskip("dnerf_core.mesh.mesh", reason="no engine beside bpy here")
    height = np.repeat(np.linspace(0, 2, 21), 2)
    vertices = np.stack([np.tile([-0.1, 0.1], 21), height, np.zeros(42)], axis=1).astype(np.float32)
    normals = np.tile(np.float32([0, 0, 1]), (42, 1))
    if world_up == "z":
        turn = np.float32([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
        vertices, normals = vertices @ turn.T, normals @ turn.T
    faces = [face for i in range(20) for face in ((2 * i, 2 * i + 1, 2 * i + 3), (2 * i, 2 * i + 3, 2 * i + 2))]
    colors = np.random.default_rng(1).integers(0, 256, (42, 3)).astype(np.uint8)
    labels = np.where(height < 1, 1, 2).astype(np.uint8) if label_set else None
    confidence = np.linspace(0.5, 1, 42, dtype=np.float32) if label_set else None
    return mesh.Mesh(vertices, np.array(faces, np.int32), normals, colors, labels, confidence, label_set, world_up)


def world(item: Any) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array([item.matrix_world @ vertex.co for vertex in item.data.vertices])


def diffuse(material: Any) -> tuple[int, ...]:
    """A material's colour in Solid views, as sRGB bytes."""
    import mathutils

    return tuple(round(255 * value) for value in mathutils.Color(material.diffuse_color[:3]).from_scene_linear_to_srgb())


@pytest.mark.parametrize("ending", ["ply", "npz"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_cloud_comes_in_as_it_was_saved(scene: Any, tmp_path: Path, ending: str, labelled: bool) -> None:
    cloud = ball(200, labelled)
    cloud.save(tmp_path / f"car.{ending}")
    (item,) = import_file(scene, tmp_path / f"car.{ending}", None)
    assert item.name == "cloud car" and clouds.is_cloud(item) and item.parent is not None
    back = clouds.read_cloud(item)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(cloud, name), err_msg=name)
    if labelled:
        assert back.label_set is not None and back.label_set.names == SHAPENET_CAR_LABELS.names
        assert clouds.select_part(item, 2) == (cloud.labels == 2).sum()


def test_parts_have_the_models_colours_by_their_names(scene: Any, tmp_path: Path) -> None:
    cloud = ball(50)
    named = PointCloud(cloud.points, cloud.normals, cloud.colors, cloud.labels, cloud.confidence, LABELS)
    named.save(tmp_path / "a.ply")
    named.save(tmp_path / "a.npz")
    (item,) = import_file(scene, tmp_path / "a.ply", COLORED)
    labels = clouds.cloud_labels(item)
    assert labels is not None
    assert [label.color for label in labels.labels] == [(0, 0, 0), LABELS.labels[1].color, (10, 200, 30)]
    (item,) = import_file(scene, tmp_path / "a.npz", COLORED)
    assert clouds.cloud_labels(item) == LABELS, "an NPZ has colours of its own"
    alike = LabelSet((LABELS.labels[0], Label(1, "upper", LABELS.labels[1].color)))
    assert colored_like(LABELS, alike) == LABELS, "two parts never look alike"


def test_labels_without_names_are_parts_by_number(scene: Any, tmp_path: Path) -> None:
    cloud = ball(50)
    PointCloud(cloud.points, cloud.normals, cloud.colors, cloud.labels, cloud.confidence).save(tmp_path / "a.npz")
    (item,) = import_file(scene, tmp_path / "a.npz", None)
    labels = clouds.cloud_labels(item)
    assert labels is not None and labels.names == ("background", "part 1", "part 2")
    assert (clouds.read_cloud(item).labels == cloud.labels).all()


def test_up_is_as_the_file_says_or_as_it_is_told(scene: Any, tmp_path: Path) -> None:
    cloud = ball(50)
    standing = PointCloud(cloud.points, cloud.normals, cloud.colors, world_up="z")
    standing.save(tmp_path / "z.ply")
    standing.save(tmp_path / "z.npz")
    for name, up, expected in (("z.ply", None, cloud.points), ("z.npz", "z", cloud.points), ("z.npz", None, None)):
        (item,) = import_file(scene, tmp_path / name, None, up=up)
        turned = np.stack([cloud.points[:, 0], -cloud.points[:, 2], cloud.points[:, 1]], axis=1)
        np.testing.assert_allclose(world(item), turned if expected is None else expected, atol=1e-6)


@pytest.mark.parametrize("ending", ["glb", "ply"])
@pytest.mark.parametrize("world_up", ["y", "z"])
def test_a_mesh_comes_in_upright_with_its_parts(scene: Any, tmp_path: Path, ending: str, world_up: str) -> None:
    strip(world_up).save(tmp_path / f"car.{ending}")
    (item,) = import_file(scene, tmp_path / f"car.{ending}", COLORED)
    assert item.name == "mesh car" and item.type == "MESH"
    places = world(item)
    assert places[:, 2].min() == pytest.approx(0, abs=1e-6) and places[:, 2].max() == pytest.approx(2, abs=1e-6)
    assert [material.name for material in item.data.materials] == ["lower", "upper"]
    assert len(item.data.polygons) == 40
    label = item.data.attributes["label"]
    assert (label.data_type, label.domain) == ("INT", "POINT")
    assert {value.value for value, place in zip(label.data, places, strict=True) if place[2] < 0.9} == {1}
    assert {value.value for value, place in zip(label.data, places, strict=True) if place[2] > 1.1} == {2}
    assert item.data.attributes["confidence"].data_type == "FLOAT"
    by_height = {
        polygon.center.z > 1: polygon.material_index for polygon in item.data.polygons if abs(polygon.center.z - 1) > 0.1
    }
    assert by_height == {False: 0, True: 1}
    assert diffuse(item.data.materials[1]) == (10, 200, 30), "the model's colour of that name"


@pytest.mark.parametrize("ending", ["glb", "ply"])
def test_an_object_a_part(scene: Any, tmp_path: Path, ending: str) -> None:
    strip().save(tmp_path / f"car.{ending}")
    items = import_file(scene, tmp_path / f"car.{ending}", None, separate=True)
    assert [item.name for item in items] == ["mesh car lower", "mesh car upper"]
    assert sum(len(item.data.polygons) for item in items) == 40
    for item in items:
        (material,) = item.data.materials
        assert item.name.endswith(material.name) and {polygon.material_index for polygon in item.data.polygons} == {0}
        assert item.parent is not None and all(vertex_is_used(item.data))
    assert world(items[0])[:, 2].max() < 1.2 and world(items[1])[:, 2].min() > 0.8
    assert "mesh car" not in bpy.data.objects and len(bpy.data.meshes) == 2
    again = import_file(scene, tmp_path / f"car.{ending}", None, separate=True)
    assert [item.name.partition(".")[0] for item in again] == ["mesh car lower", "mesh car upper"]


def vertex_is_used(mesh: Any) -> np.ndarray:
    used = np.zeros(len(mesh.vertices), bool)
    used[[loop.vertex_index for loop in mesh.loops]] = True
    return used


def test_what_is_no_such_file_is_refused(scene: Any, tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    ball(20).save(tmp_path / "points.glb")
    strip().save(tmp_path / "car.obj")
    (tmp_path / "text.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    strip().save(tmp_path / "faces.ply")
    data = (tmp_path / "faces.ply").read_bytes()
    (tmp_path / "short.ply").write_bytes(data[:-5])
    (tmp_path / "strange.ply").write_bytes(data[:-4] + b"\xff\xff\xff\x7f")
    before = len(bpy.data.objects)
    for name, error, words in (
        ("points.glb", SceneError, r"expected a mesh with faces, found none; of a cloud import the \.ply or \.npz"),
        ("car.obj", UsageError, r"expected a cloud or mesh that ends in \.ply, \.npz, \.glb, found \.obj"),
        ("text.ply", UsageError, "expected a point cloud, it cannot be read: not binary"),
        ("broken.npz", UsageError, "expected a point cloud, it cannot be read"),
        ("short.ply", UsageError, "expected a mesh, it cannot be read: buffer is smaller"),
        ("strange.ply", UsageError, "expected a mesh, it cannot be read: a face that is no triangle of its vertices"),
    ):
        with pytest.raises(error, match=words):
            import_file(scene, tmp_path / name, None)
    assert len(bpy.data.objects) == before


def test_several_files_come_in_at_once_as_they_are_dropped(session: ModuleType, tmp_path: Path) -> None:
    ball(30).save(tmp_path / "a.ply")
    ball(40).save(tmp_path / "b.npz")
    strip().save(tmp_path / "c.glb")
    (tmp_path / "d.ply").write_bytes(b"no cloud")
    files = [{"name": f"{name}"} for name in ("a.ply", "b.npz", "c.glb", "d.ply")]
    result = bpy.ops.dnerf.import_files("INVOKE_DEFAULT", filepath=str(tmp_path / "a.ply"), directory=str(tmp_path), files=files)
    assert result == {"FINISHED"}
    assert session.current().status == "3 objects of 3 files imported"
    assert sorted(item.name for item in bpy.context.selected_objects) == ["cloud a", "cloud b", "mesh c"]
    with pytest.raises(RuntimeError, match="expected a file, found none"):
        bpy.ops.dnerf.import_files(filepath=str(tmp_path / "gone.ply"))
    with pytest.raises(RuntimeError, match="expected a point cloud, it cannot be read"):
        bpy.ops.dnerf.import_files(filepath=str(tmp_path / "d.ply"))
    with pytest.raises(RuntimeError, match="expected one or more, found none chosen"):
        bpy.ops.dnerf.import_files()


def test_it_is_in_file_import(session: ModuleType) -> None:
    from blender_addon.incoming.operators import draw_import

    assert draw_import in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()


def test_a_static_models_mesh_comes_in_with_its_parts(session: ModuleType) -> None:
    pytest.importorskip("skimage", reason="the extra mesh is not installed here")
    from tests.blender.test_operators import finished

    settings = bpy.context.scene.dnerf
    settings.seed, settings.cloud_views, settings.mesh_color, settings.mesh_separate = 3, 4, "label", True
    line = finished(session, bpy.ops.dnerf.import_mesh())
    assert " in 4 parts, in " in line and "bone" not in line
    items = list(bpy.data.collections["mesh s0003"].objects)
    assert sorted(item.name for item in items) == [f"mesh s0003 {name}" for name in ("hood", "other", "roof", "wheels")]
    colors = {label.name: label.color for label in SHAPENET_CAR_LABELS.labels}
    for item in items:
        (material,) = item.data.materials
        assert item.type == "MESH" and diffuse(material) == colors[material.name.partition(".")[0]]
        assert item.data.attributes["label"].data_type == "INT"
    settings.mesh_separate = False
    finished(session, bpy.ops.dnerf.import_mesh())
    (whole,) = bpy.data.collections["mesh s0003.001"].objects
    assert len(whole.data.materials) == 4
