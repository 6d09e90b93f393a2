"""Exported clouds stand upright when Blender imports them again, in every choice of axes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.files.cloud_reading import read_cloud
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.pointcloud.cloud import PointCloud

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.interchange.axes import AXES, file_from_scene  # noqa: E402
from blender_addon.interchange.exported_clouds import export_cloud  # noqa: E402
from blender_addon.scene import clouds  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.subject import subject_root, update  # noqa: E402

COUNT = 50


def tower() -> PointCloud:
    """Tall along the engine's y, its normals along the engine's z."""
    points = np.random.default_rng(3).uniform(-0.1, 0.1, (COUNT, 3)).astype(np.float32)
    points[:, 1] *= 9
    normals = np.tile(np.array([0, 0, 1], np.float32), (COUNT, 1))
    ids = np.ones(COUNT, np.uint8)
    return PointCloud(points, normals, np.full((COUNT, 3), 7, np.uint8), ids, np.ones(COUNT, np.float32), SHAPENET_CAR_LABELS)


def placed(scene: Any, *, moved: bool) -> Any:
    item = clouds.add_cloud(scene, tower(), "tower", world_up="y")
    if moved:
        root = subject_root(scene)
        root.location, root.rotation_euler, root.scale = (2.0, -1.0, 0.5), (0.2, -0.3, 1.0), (1.7,) * 3
    update(scene)
    return item


def in_scene(item: Any) -> np.ndarray:
    """Where the points of an object stand, [N, 3]."""
    update(bpy.context.scene)
    matrix = np.array(item.matrix_world)
    points = np.array([vertex.co[:] for vertex in item.data.vertices])
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def imported(path: Path, **axes: str) -> Any:
    bpy.ops.object.select_all(action="DESELECT")
    assert bpy.ops.wm.ply_import(filepath=str(path), **axes) == {"FINISHED"}
    return bpy.context.selected_objects[0]


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_imported_with_blenders_defaults_stands_as_it_stood(scene: Any, tmp_path: Path, moved: bool) -> None:
    item = placed(scene, moved=moved)
    export_cloud(item, tmp_path / "a.ply", ("Y", "Z"))
    found = imported(tmp_path / "a.ply")
    np.testing.assert_allclose(in_scene(found), in_scene(item), atol=1e-5)
    if not moved:
        assert np.ptp(in_scene(found), axis=0).argmax() == 2, "upright"
        # what the command writes is the model's world, y up, and lies on its back
        export_cloud(item, tmp_path / "model.ply")
        assert np.ptp(in_scene(imported(tmp_path / "model.ply")), axis=0).argmax() == 1


PAIRS = [(ahead, up) for ahead, up in itertools.product(AXES, AXES) if ahead[-1] != up[-1]]


@pytest.mark.parametrize(("forward", "up"), PAIRS)
def test_the_same_axes_bring_it_back(scene: Any, tmp_path: Path, forward: str, up: str) -> None:
    item = placed(scene, moved=True)
    export_cloud(item, tmp_path / "a.ply", (forward, up))
    found = imported(tmp_path / "a.ply", forward_axis=forward, up_axis=up)
    np.testing.assert_allclose(in_scene(found), in_scene(item), atol=1e-5)


def test_the_turn_is_that_of_blenders_own_exporters(scene: Any) -> None:
    from bpy_extras.io_utils import axis_conversion

    for forward, up in PAIRS:
        names = [name.replace("NEGATIVE_", "-") for name in (forward, up)]
        own = np.array(axis_conversion(to_forward=names[0], to_up=names[1]))
        np.testing.assert_allclose(file_from_scene(forward, up), own, atol=1e-6)
    with pytest.raises(SceneError, match="axes: expected forward and up along two axes, found Y and NEGATIVE_Y"):
        file_from_scene("Y", "NEGATIVE_Y")


def test_normals_turn_with_the_points_and_the_file_says_what_is_up(scene: Any, tmp_path: Path) -> None:
    item = placed(scene, moved=False)
    for suffix in (".ply", ".npz"):
        export_cloud(item, tmp_path / f"a{suffix}", ("Y", "Z"))
        found = read_cloud(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(found["normals"], np.tile([0.0, -1.0, 0.0], (COUNT, 1)), atol=1e-6)
        np.testing.assert_allclose(found["points"], in_scene(item), atol=1e-6)
    assert b"comment world frame of the cameras, z up\n" in (tmp_path / "a.ply").read_bytes()
    export_cloud(item, tmp_path / "b.ply", ("NEGATIVE_Z", "Y"))
    assert b"comment world frame of the cameras, y up\n" in (tmp_path / "b.ply").read_bytes()
    export_cloud(item, tmp_path / "c.ply", ("Y", "X"))
    assert b"comment Blender's world, forward Y, up X\n" in (tmp_path / "c.ply").read_bytes()
    # stretched along its height: across it nothing of the normals changes
    item.scale = (1.0, 1.0, 3.0)
    update(scene)
    export_cloud(item, tmp_path / "d.npz", ("Y", "Z"))
    np.testing.assert_allclose(np.load(tmp_path / "d.npz")["normals"], np.tile([0.0, -1.0, 0.0], (COUNT, 1)), atol=1e-6)
    item.scale = (1.0, 0.0, 1.0)
    update(scene)
    with pytest.raises(SceneError, match="tower: expected a scale above 0 along x, y and z, found a flattened cloud"):
        export_cloud(item, tmp_path / "e.ply", ("Y", "Z"))


def test_the_operator_takes_axes_as_blenders_exporters_do(session: Any, tmp_path: Path) -> None:
    scene = bpy.context.scene
    item = placed(scene, moved=True)
    bpy.context.view_layer.objects.active = item
    scene.dnerf.export_path = str(tmp_path / "a.ply")
    assert bpy.ops.dnerf.export_cloud() == {"FINISHED"}
    np.testing.assert_allclose(in_scene(imported(tmp_path / "a.ply")), in_scene(item), atol=1e-5)
    bpy.context.view_layer.objects.active = item
    assert bpy.ops.dnerf.export_cloud(forward_axis="NEGATIVE_Z", up_axis="Y") == {"FINISHED"}
    found = imported(tmp_path / "a.ply", forward_axis="NEGATIVE_Z", up_axis="Y")
    np.testing.assert_allclose(in_scene(found), in_scene(item), atol=1e-5)
    bpy.context.view_layer.objects.active = item
    assert bpy.ops.dnerf.export_cloud(frame="MODEL") == {"FINISHED"}
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.ply")["points"], tower().points)
