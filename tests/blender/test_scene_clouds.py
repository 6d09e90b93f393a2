"""Clouds as Blender objects: what comes back, what is shown, and that Blender shows it where the engine does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import ENGINE_TO_BLENDER, Camera, WorldUp, arc_cameras
from dnerf_core.errors import UsageError
from dnerf_core.files.clouds import Category, CloudStyle, npz_bytes, ply_bytes
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.pointcloud.cloud import PointCloud
from tests.blender.fused import SIZE_PX, demo, fused, iou, rendered, silhouette

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.interchange.exported_clouds import export_cloud  # noqa: E402
from blender_addon.scene import clouds  # noqa: E402
from blender_addon.scene.cameras import place_cameras, read_camera, square_view  # noqa: E402
from blender_addon.scene.cloud_display import point_radius  # noqa: E402
from blender_addon.scene.errors import SceneError  # noqa: E402
from blender_addon.scene.subject import subject_root, update  # noqa: E402

ARRAYS = ("points", "normals", "colors", "labels", "confidence")


def ball(count: int, labelled: bool = True) -> PointCloud:
    """Points of a unit sphere, the upper half (engine y) labelled 2, the lower 1."""
    rng = np.random.default_rng(count)
    points = rng.normal(size=(count, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    if not labelled:
        return PointCloud(points, points, colors)
    labels = np.where(points[:, 1] > 0, 2, 1).astype(np.uint8)
    return PointCloud(points, points, colors, labels, rng.random(count).astype(np.float32), SHAPENET_CAR_LABELS)


def shown(item: Any) -> Any:
    bpy.context.view_layer.update()
    return item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data


def shown_colors(item: Any) -> np.ndarray:
    attribute = shown(item).attributes["shown_color"].data
    values = np.empty(4 * len(attribute), np.float32)
    attribute.foreach_get("color_srgb", values)
    return np.rint(255 * values).reshape(-1, 4)[:, :3]


@pytest.mark.parametrize("world_up", ["y", "z"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_cloud_comes_back_bit_for_bit(scene: Any, tmp_path: Path, world_up: WorldUp, labelled: bool) -> None:
    cloud = ball(500, labelled)
    item = clouds.add_cloud(scene, cloud, "car", world_up=world_up)
    item.location = (3, 2, 1)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    item = bpy.data.objects["car"]
    assert clouds.is_cloud(item) and not clouds.is_cloud(item.parent) and not clouds.is_cloud(None)
    back = clouds.read_cloud(item)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(cloud, name), err_msg=name)
    assert back.label_set == cloud.label_set == clouds.cloud_labels(item)
    up = np.array(item.data.vertices[0].co)
    np.testing.assert_array_equal(up, cloud.points[0] @ ENGINE_TO_BLENDER[:3, :3].T if world_up == "y" else cloud.points[0])


def test_attributes_have_their_types(scene: Any) -> None:
    mesh = clouds.add_cloud(scene, ball(50), "car", world_up="y").data
    found = {
        name: (mesh.attributes[name].data_type, mesh.attributes[name].domain)
        for name in ("label", "confidence", "color", "normal")
    }
    assert found == {
        "label": ("INT", "POINT"),
        "confidence": ("FLOAT", "POINT"),
        "color": ("BYTE_COLOR", "POINT"),
        "normal": ("FLOAT_VECTOR", "POINT"),
    }


def test_every_point_is_a_square_across_its_normal(scene: Any) -> None:
    cloud = ball(200)
    item = clouds.add_cloud(scene, cloud, "car", world_up="z")
    clouds.set_shown(item, radius=0.25)
    mesh = shown(item)
    assert (len(mesh.vertices), len(mesh.polygons)) == (800, 200)
    assert mesh.attributes.active_color_name == "shown_color"
    centres = np.array([polygon.center for polygon in mesh.polygons])
    normals = np.array([polygon.normal for polygon in mesh.polygons])
    assert {round(polygon.area, 4) for polygon in mesh.polygons} == {0.25}
    nearest = np.argmin(((centres[:, None] - cloud.points[None]) ** 2).sum(-1), axis=1)
    assert sorted(nearest.tolist()) == list(range(200))
    np.testing.assert_allclose(centres, cloud.points[nearest], atol=1e-5)
    np.testing.assert_allclose(np.abs((normals * cloud.normals[nearest]).sum(1)), 1.0, atol=1e-5)


def test_part_colours_photo_colours_and_hidden_parts(scene: Any) -> None:
    cloud = ball(300)
    assert cloud.labels is not None
    item = clouds.add_cloud(scene, cloud, "car", world_up="y")
    palette = {tuple(map(float, SHAPENET_CAR_LABELS.labels[k].color)) for k in (1, 2)}
    assert clouds.shows_parts(item) and {tuple(color) for color in shown_colors(item).tolist()} == palette
    clouds.set_shown(item, part_colors=False)
    assert not clouds.shows_parts(item)
    assert {tuple(color) for color in shown_colors(item).tolist()} == {tuple(map(float, c)) for c in cloud.colors.tolist()}
    assert clouds.hide_part(item, 2) == (cloud.labels == 2).sum()
    assert clouds.hidden_parts(item) == clouds.last_hidden(item) == {2}
    assert len(shown(item).polygons) == (cloud.labels == 1).sum()
    assert len(clouds.read_cloud(item)) == 300
    clouds.hide_part(item, 2, hidden=False)
    assert clouds.hidden_parts(item) == clouds.last_hidden(item) == set() and len(shown(item).polygons) == 300


def test_selecting_and_separating(scene: Any) -> None:
    cloud = ball(300)
    assert cloud.labels is not None
    item = clouds.add_cloud(scene, cloud, "car", world_up="y", part_colors=False)
    item.location = (1, 0, 0)
    selected = np.empty(300, np.bool_)
    assert clouds.select_part(item, 2) == (cloud.labels == 2).sum()
    item.data.vertices.foreach_get("select", selected)
    np.testing.assert_array_equal(selected, cloud.labels == 2)
    clouds.select_part(item, 1, extend=True)
    item.data.vertices.foreach_get("select", selected)
    assert selected.all()
    parts = clouds.separate_parts(scene, item)
    assert [part.name for part in parts] == ["car hood", "car roof"]
    assert "car" not in bpy.data.objects and len(bpy.data.meshes) == 2
    for part, part_id in zip(parts, (1, 2), strict=True):
        np.testing.assert_array_equal(clouds.read_cloud(part).points, cloud.points[cloud.labels == part_id])
        assert tuple(part.location) == (1, 0, 0) and not clouds.shows_parts(part)


def test_files_are_the_command_lines_own(scene: Any, tmp_path: Path) -> None:
    for cloud in (ball(100), ball(100, labelled=False)):
        item = clouds.add_cloud(scene, cloud, "car", world_up="y")
        style = CloudStyle(cloud.label_set, "rgb", "y", Category.named("Car"))
        for suffix, expected in ((".ply", ply_bytes(cloud, style)), (".npz", npz_bytes(cloud, style))):
            assert export_cloud(item, tmp_path / f"a{suffix}") == 100
            assert (tmp_path / f"a{suffix}").read_bytes() == expected
    with pytest.raises(UsageError, match=r"a\.obj: expected a name that ends in \.ply or \.npz, found \.obj"):
        export_cloud(item, tmp_path / "a.obj")


def test_what_is_no_cloud_is_refused(scene: Any) -> None:
    item = clouds.add_cloud(scene, ball(20), "car", world_up="y")
    with pytest.raises(SceneError, match="found 'DatasetNeRF subject'; select a fused cloud"):
        clouds.read_cloud(item.parent)
    with pytest.raises(SceneError, match="expected one of its 5 labels, found 9"):
        clouds.hide_part(item, 9)
    with pytest.raises(SceneError, match="expected points, found none"):
        clouds.add_cloud(scene, ball(1).select(np.arange(0)), "none", world_up="y")
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(SceneError, match="expected object mode, found edit mode"):
        clouds.read_cloud(item)
    bpy.ops.object.mode_set(mode="OBJECT")
    item.modifiers.clear()
    with pytest.raises(SceneError, match="expected the modifier 'DatasetNeRF points', found none"):
        clouds.set_shown(item, part_colors=True)
    item.data.attributes.remove(item.data.attributes["confidence"])
    with pytest.raises(SceneError, match=r"expected the point attribute confidence \(float\), found none"):
        clouds.read_cloud(item)
    item[clouds.CLOUD_PROPERTY] = "{}"
    with pytest.raises(SceneError, match="expected the property dnerf_cloud as it was made"):
        clouds.read_cloud(item)
    bare = clouds.add_cloud(scene, ball(20, labelled=False), "bare", world_up="y")
    assert not clouds.shows_parts(bare)
    with pytest.raises(SceneError, match="expected a cloud with labels"):
        clouds.separate_parts(scene, bare)


def test_radius_follows_the_spacing() -> None:
    across = np.stack(np.meshgrid(np.arange(300.0), np.arange(300.0), [0.0]), axis=-1).reshape(-1, 3).astype(np.float32)
    # a point a unit square: half a side of 1.2 spacings; whole numbers of neighbours at equal distances take away 6%
    assert point_radius(0.5 * across) == pytest.approx(0.6, rel=0.1)
    shuffled = np.random.default_rng(0).permutation(across)
    assert point_radius(shuffled) == pytest.approx(1.2, rel=0.15)
    assert point_radius(across[:1]) > 0
    assert point_radius(np.zeros((9, 3), np.float32)) > 0


def test_half_a_million_points_are_there_in_three_seconds(scene: Any) -> None:
    cloud = ball(500_000)
    # the processor time of all threads: what the clock shows on a free machine at the most, whatever else runs on this one
    started = time.process_time()
    mesh = shown(clouds.add_cloud(scene, cloud, "car", world_up="y"))
    seconds = time.process_time() - started
    print("seconds", seconds)
    assert len(mesh.polygons) == 500_000
    assert seconds < 3.0, seconds


def place_root(scene: Any) -> None:
    root = subject_root(scene)
    root.location, root.rotation_euler, root.scale = (2.0, -1.0, 0.5), (0.2, -0.3, 1.0), (1.7,) * 3
    update(scene)


def engine_cloud(world_up: WorldUp) -> PointCloud:
    """The fused demo; for "z" with its world turned, as a z-up model's would be."""
    cloud = fused()
    turn = np.eye(3, dtype=np.float32) if world_up == "y" else ENGINE_TO_BLENDER[:3, :3].astype(np.float32)
    labels = demo()[0].labels
    return PointCloud(cloud.points @ turn.T, cloud.normals @ turn.T, cloud.colors, cloud.labels, cloud.confidence, labels)


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
@pytest.mark.parametrize("world_up", ["y", "z"])
def test_blenders_silhouettes_are_the_engines(scene: Any, tmp_path: Path, world_up: WorldUp, engine: str) -> None:
    """IoU of 0.97: fused, imported at a moved, turned and scaled place, rendered by Blender through cameras of every sensor fit."""
    pytest.importorskip("torch")
    place_root(scene)
    clouds.add_cloud(scene, engine_cloud(world_up), "car", world_up=world_up)
    turn = np.eye(4) if world_up == "y" else ENGINE_TO_BLENDER
    arc = arc_cameras(demo()[0].config.cameras, (-60, 60), (8, 20), count=3)
    turned = [Camera(turn @ camera.cam2world, camera.intrinsics) for camera in arc]
    placed = place_cameras(scene, turned, ["a", "b", "c"], "Arc", SIZE_PX, world_up=world_up)
    scores = []
    for item, fit, size in zip(placed, ("AUTO", "HORIZONTAL", "VERTICAL"), ((256, 256), (256, 180), (180, 256)), strict=True):
        scene.render.resolution_x, scene.render.resolution_y = size
        if size != (256, 256):
            item.data.sensor_fit, item.data.shift_x, item.data.shift_y = fit, 0.06, -0.04
        square = square_view(read_camera(item, scene, world_up=world_up))
        seen_by = Camera(turn.T @ square.camera.cam2world, square.camera.intrinsics)
        expected = square.crop(silhouette(seen_by, square.side_px))
        assert 0.02 < expected.mean() < 0.6  # it is in the picture
        scores.append(iou(rendered(scene, item, engine, tmp_path)[..., 3] > 0.5, expected))
    print(engine, world_up, scores)
    assert min(scores) > 0.97, scores
    assert iou(rendered(scene, placed[0], engine, tmp_path)[..., 3] > 0.5, np.roll(expected, 3, axis=1)) < 0.97


@pytest.mark.parametrize("world_up", ["y", "z"])
def test_20_rendered_points_are_where_the_engine_projects_them(scene: Any, tmp_path: Path, world_up: WorldUp) -> None:
    """To a tenth of a pixel: each point is rendered alone, and the middle of what Cycles shows is compared."""
    place_root(scene)
    turn = np.eye(4) if world_up == "y" else ENGINE_TO_BLENDER
    camera = arc_cameras(_cameras(), (35, 35), (15, 15), count=1)[0]
    item = place_cameras(scene, [Camera(turn @ camera.cam2world, camera.intrinsics)], ["a"], "Arc", 64, world_up=world_up)[0]
    scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_y = 120, 80, 1.25
    item.data.shift_x, item.data.shift_y, item.data.sensor_fit, item.data.lens = 0.05, -0.03, "VERTICAL", item.data.lens * 0.7
    pose = read_camera(item, scene, world_up=world_up)
    rng = np.random.default_rng(2)
    points = (rng.uniform(-0.35, 0.35, (20, 3)) @ turn[:3, :3].T).astype(np.float32)
    expected = pose.camera.project(points)[0] * (pose.width_px, pose.height_px)
    rows, columns = np.mgrid[:80, :120] + 0.5
    found = []
    for point in points:
        facing = (pose.camera.position - point).astype(np.float32)[None]
        cloud = PointCloud(point[None], facing / np.linalg.norm(facing), np.full((1, 3), 255, np.uint8))
        made = clouds.add_cloud(scene, cloud, "point", world_up=world_up)
        clouds.set_shown(made, radius=0.03)
        alpha = rendered(scene, item, "CYCLES", tmp_path, samples=64)[..., 3]
        found.append(((alpha * columns).sum() / alpha.sum(), (alpha * rows).sum() / alpha.sum()))
        bpy.data.objects.remove(made)
    worst = np.abs(np.array(found) - expected).max()
    print("worst", worst)
    assert worst < 0.1, (found, expected)


def _cameras() -> Any:
    from dnerf_core.demo.config import DEMO_CARS

    return DEMO_CARS.cameras
