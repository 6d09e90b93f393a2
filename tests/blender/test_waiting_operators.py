"""Operators called by scripts with a real worker: they wait, tell how it went, do what the options say, and leave the panel as it is."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from dnerf_core import PointCloud  # noqa: E402
from dnerf_core.errors import UsageError  # noqa: E402
from dnerf_core.files.pictures import read_image, write_mask_ids  # noqa: E402
from dnerf_core.labels import IGNORE_ID, LabelSet  # noqa: E402
from tests.blender.addon import enabled_addon  # noqa: E402
from tests.blender.test_data_sets import add_camera  # noqa: E402
from tests.blender.test_operators import run_engine  # noqa: E402
from tests.blender.warm_engine import WarmEngine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
LISTS = {"view_index", "annotation_index", "pose_row_index"}
"""Of the panel, which one of a list is chosen."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, warm_engine: WarmEngine) -> Iterator[ModuleType]:
    """The add-on as scripts have it: operators wait."""
    with enabled_addon(warm_engine.script(tmp_path_factory.mktemp("engine")), waits=True) as module:
        yield module


@pytest.fixture
def scene(session: ModuleType, tmp_path: Path) -> Iterator[bpy.types.Scene]:
    """A scene of its own in the window, with two cameras; its panel says another model than scripts do."""
    work = bpy.data.scenes.new("Work")
    bpy.context.window.scene = work
    add_camera(work, "Left", (-2.2, -1.6, 0.9))
    add_camera(work, "Right", (1.9, -2.1, 1.2))
    work.camera = work.objects["Left"]
    work.render.resolution_x = work.render.resolution_y = 32
    work.frame_start, work.frame_end = 1, 2
    yield work
    if session.busy():
        session.current().end_worker()
    for item in (*bpy.data.objects, *bpy.data.collections):
        (bpy.data.objects if isinstance(item, bpy.types.Object) else bpy.data.collections).remove(item)
    bpy.context.window.scene = bpy.data.scenes.new("Empty")
    bpy.data.scenes.remove(work)


@pytest.fixture
def requests(session: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the worker is asked for, method and params, in order."""
    from blender_addon.bridge.client import WorkerClient

    found: list[tuple[str, dict[str, Any]]] = []
    send = WorkerClient.request

    def listened(client: Any, method: str, params: dict[str, Any], **more: Any) -> int:
        found.append((method, params))
        return send(client, method, params, **more)

    monkeypatch.setattr(WorkerClient, "request", listened)
    return found


def panel(scene: bpy.types.Scene) -> dict[str, Any]:
    """All that the panel says, as plain values."""
    found = {}
    for name, group in {"": scene.dnerf, "data_set.": scene.dnerf.data_set, "composite.": scene.dnerf.composite}.items():
        for item in group.bl_rna.properties:
            if item.type in ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM") and item.identifier not in LISTS:
                value = getattr(group, item.identifier)
                found[name + item.identifier] = tuple(value) if getattr(item, "array_length", 0) else value
    return found


# --- what goes wrong


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("load_model", {"model": "demo-carts"}, "model: expected demo-cars or demo-people, or a model file, found none at "),
    ("fuse_cloud", {"views": 0}, "views: expected a whole number from 1 to 10000, found 0; choose another"),
    ("fuse_cloud", {"views": -3, "seeds": "0"}, "views: expected a whole number from 1 to 10000, found -3; choose another"),
    ("fuse_cloud", {"yaw": (0.0, 400.0)}, "yaw: expected a number from -360 to 360, found 400; choose another"),
    ("fuse_cloud", {"truncation": float("nan")}, "truncation: expected a number from 0 to "),
    ("fuse_cloud", {"seeds": "1", "subjects": 2}, "seeds and subjects: expected one of them, found both; leave one out"),
    ("fuse_cloud", {"subject_files": "/gone.safetensors"}, "subject_files: expected a file at /gone.safetensors, found none"),
    ("fuse_cloud", {"cameras": "ALL", "pitch": (0, 9)}, "pitch: expected none beside cameras of the scene, found one"),
    ("fuse_cloud", {"voxel": -1.0, "model": "MODEL"}, "params: voxel: expected a number above 0, found -1.0"),
    ("fuse_frames", {"seeds": "x"}, "seeds: expected seeds such as 0-7 or 0,3,9-12, found 'x'"),
    ("import_mesh", {"nodes": 1, "model": "MODEL"}, "params: nodes: expected a whole number from 8 to"),
    ("make_asset", {"resolution": 5, "model": "MODEL"}, "params: size_px: expected a whole number from 8 to"),
    ("place_cameras", {"pitch": (0, 100.0)}, "pitch: expected a number from -90 to 90, found 100; choose another"),
    ("render_views", {"channels": {"mask"}}, "channels: expected rgb among them, which the list of views shows, found none"),
    ("render_views", {"cameras": "ACTIVE", "camera": "Lefd"}, "found none of the name 'Lefd' (did you mean Left?); correct it"),
    ("render_data_set", {"count": -5}, "count: expected a whole number from 1 to 10000, found -5; choose another"),
    ("render_video", {"fps": "fast", "output": "OUT"}, "fps: expected a whole number from 1 to 240, or a fraction such as"),
    ("sample_views", {"subjects": 0, "output": "OUT"}, "subjects: expected a whole number from 1 to"),
    ("sample_views", {"pose": "/gone.json", "output": "OUT"}, "pose: expected a file at /gone.json, found none"),
    ("open_annotations", {"folder": "OUT"}, "expected"),
    ("prefill", {"folder": "OUT", "view": "s0000_v00"}, "expected"),
    (
        "train",
        {"folders": "OUT", "output": "OUT/m.safetensors", "learning_rate": -1.0},
        "params: learning_rate: expected a number",
    ),
    ("train", {"folders": "OUT", "output": "OUT/m.txt"}, "expected a name that ends in .safetensors, found 'm.txt'"),
    ("invert_photo", {"filepath": "/gone.png"}, "photo: expected a file, found none at /gone.png"),
    ("edit_mask", {"camera": "Nobody"}, "camera: expected a camera of the scene 'Work', found none of the name 'Nobody'"),
    ("edit_mask", {"seed": -1}, "seed: expected a whole number from 0 to"),
    ("apply_edit", {"mask": "/gone.png"}, "mask: expected a file at /gone.png, found none; correct the path"),
    ("apply_edit", {"camera": "Left"}, "camera: expected mask beside it, found none"),
    ("step_edit", {"step": 1}, "edits: expected a step to go to, found none"),
    ("segment_selected", {"object": "Left", "network": "MODEL"}, "object: expected a mesh of the scene 'Work', found none"),
    ("add_person", {"model": "MODEL"}, "expected one whose subjects move, found one whose do not; choose another model"),
    ("composite", {"camera": "Left", "cameras": "ACTIVE"}, "camera and cameras: expected one of them, found both"),
]


@pytest.mark.parametrize(("name", "options", "line"), WRONG)
def test_what_goes_wrong_raises_one_line(
    session: ModuleType,
    scene: bpy.types.Scene,
    small_model: Path,
    tmp_path: Path,
    name: str,
    options: dict[str, Any],
    line: str,
) -> None:
    words = {"MODEL": str(small_model), "OUT": str(tmp_path)}
    given = {
        key: words.get(value, value.replace("OUT/", f"{tmp_path}/")) if isinstance(value, str) else value
        for key, value in options.items()
    }
    before = panel(scene)
    with pytest.raises(RuntimeError) as error:
        getattr(bpy.ops.dnerf, name)(**given)
    text = str(error.value).removeprefix("Error: ").strip()
    assert line in text and "\n" not in text
    assert not session.busy()
    assert panel(scene) == before


def test_one_choice_that_is_none_is_blenders_own_error(scene: bpy.types.Scene) -> None:
    with pytest.raises(TypeError, match='"SIDES" not found in'):
        bpy.ops.dnerf.fuse_cloud(cameras="SIDES")


# --- what goes well


def test_clouds_of_several_subjects(
    session: ModuleType, scene: bpy.types.Scene, small_model: Path, requests: list[tuple[str, dict[str, Any]]]
) -> None:
    before = panel(scene)
    given = {"model": str(small_model), "seeds": "1,3", "truncation": 0.5, "views": 3, "resolution": 32, "points": 50}
    assert bpy.ops.dnerf.fuse_cloud(**given, pitch=(5, 25)) == {"FINISHED"}
    assert session.current().level == "INFO" and session.current().status.startswith("100 points in ")
    assert panel(scene) == before, "the panel's model, too, and what is known of it"
    clouds = sorted(item.name for item in scene.objects if item.type == "MESH")
    assert clouds == ["cloud s0001-t0.5", "cloud s0003-t0.5"]
    asked = [params for method, params in requests if method == "pointcloud"]
    assert [(params["seed"], params["truncation"]) for params in asked] == [(1, 0.5), (3, 0.5)]
    assert all(params["points"] == 50 and params["size_px"] == 32 and params["model"] == str(small_model) for params in asked)
    heights = [camera["cam2world"][1][3] for camera in asked[0]["cameras"]]
    assert heights == sorted(heights) and heights[0] < heights[-1], "from 5 to 25 degrees"
    # and from every camera of the scene, of a file's subject
    file = str(small_model.with_name("three.safetensors"))
    given = {"model": str(small_model), "subject_files": file, "cameras": "ALL", "voxel": 0.1}
    assert bpy.ops.dnerf.fuse_cloud(**given) == {"FINISHED"}
    last = requests[-1][1]
    assert last["subject_file"] == file and len(last["cameras"]) == 2 and last["voxel"] == 0.1 and "points" not in last


def test_meshes_assets_and_videos_of_several_subjects(
    session: ModuleType,
    scene: bpy.types.Scene,
    small_model: Path,
    tmp_path: Path,
    requests: list[tuple[str, dict[str, Any]]],
) -> None:
    before, given = panel(scene), {"model": str(small_model), "seeds": "1,3"}
    mesh = {"views": 3, "resolution": 32, "nodes": 16, "color": "label"}
    assert bpy.ops.dnerf.import_mesh(**given, **mesh) == {"FINISHED"}
    asked = [params for method, params in requests if method == "mesh"]
    assert [params["seed"] for params in asked] == [1, 3]
    assert all((params["nodes"], params["color"], params["size_px"]) == (16, "label", 32) for params in asked)
    assert {"mesh s0001", "mesh s0003"} <= {item.name for item in bpy.data.collections}
    assert bpy.ops.dnerf.make_asset(**given, views=3, resolution=32, points=100) == {"FINISHED"}
    assert {"subject s0001", "subject s0003"} <= {item.name for item in bpy.data.objects if item.asset_data}
    video = {"fps": "30000/1001", "legend": True, "output": str(tmp_path / "videos")}
    assert bpy.ops.dnerf.render_video(**given, **video) == {"FINISHED"}
    clips = [params for method, params in requests if method == "video"]
    assert [params["name"] for params in clips] == ["Work_s0001_Left_f0001-0002", "Work_s0003_Left_f0001-0002"]
    assert all(params["fps"] == "30000/1001" and params["legend"] for params in clips)
    assert sorted(path.name for path in (tmp_path / "videos").iterdir()) == [params["name"] for params in clips]
    assert panel(scene) == before


def test_cameras_of_a_path(session: ModuleType, scene: bpy.types.Scene, small_model: Path) -> None:
    before, given = panel(scene), {"model": str(small_model), "path": "orbit", "pitch": (30, 0), "resolution": 48}
    assert bpy.ops.dnerf.place_cameras(**given, views=5) == {"FINISHED"}
    placed = bpy.data.collections["DatasetNeRF cameras"].objects
    assert len(placed) == 5 and scene.render.resolution_x == 48
    assert len({round(item.matrix_world.translation.z, 3) for item in placed}) == 1, "an orbit has one height"
    assert bpy.ops.dnerf.animate_camera(**given) == {"FINISHED"}
    assert panel(scene) == before


def test_annotating_in_a_folder_of_its_own(
    session: ModuleType,
    scene: bpy.types.Scene,
    small_model: Path,
    tmp_path: Path,
    requests: list[tuple[str, dict[str, Any]]],
) -> None:
    folder, before = tmp_path / "to paint", panel(scene)
    sample = {"seeds": "4", "views": 2, "yaw": (-20, 20), "labels": "wing, tail", "output": str(folder)}
    assert bpy.ops.dnerf.sample_views(model=str(small_model), **sample) == {"FINISHED"}
    assert session.current().status == f"2 views to paint in {folder}" and not scene.dnerf.annotation_items
    assert requests[-1][1]["seeds"] == [4] and requests[-1][1]["yaw"] == [-20, 20] and panel(scene) == before
    side = read_image(folder / "masks" / "s0004_v00.png").shape[0]
    write_mask_ids(
        folder / "masks" / "s0004_v00.png", np.repeat(np.arange(side) * 2 // side + 1, side).reshape(side, side).astype("u1")
    )
    assert bpy.ops.dnerf.prefill(folder=str(folder), view="s0004_v00") == {"FINISHED"}
    assert np.unique(read_image(folder / "masks" / "s0004_v01.png")).size > 1 and panel(scene) == before
    assert bpy.ops.dnerf.open_annotations(folder=str(folder)) == {"FINISHED"}
    assert [item.painted for item in scene.dnerf.annotation_items] == [True, True], "it opens: the panel lists it now"
    assert scene.dnerf.annotation_folder == str(folder)
    with pytest.raises(
        RuntimeError, match=r"part: expected background or wing or tail or ignore, found 'wink' \(did you mean wing\?\); "
    ):
        bpy.ops.dnerf.paint_label(part="wink")
    path = tmp_path / "trained.safetensors"
    train = {"steps": 2, "patch": 8, "seed": 5, "holdout": 0.0, "feature_kind": "planes", "output": str(path)}
    assert bpy.ops.dnerf.train(folders=str(folder), allow_missing_classes=True, **train) == {"FINISHED"}
    params = next(params for method, params in reversed(requests) if method == "train")
    assert params == {"folders": [str(folder)], "skip_unpainted": True, "allow_missing_classes": True, **train}
    assert scene.dnerf.model_path == str(path), "the new model is the panel's, as by the button"


def test_a_photos_subject_of_a_camera_that_is_known_and_an_edit_by_a_masks_file(
    session: ModuleType,
    scene: bpy.types.Scene,
    small_model: Path,
    tmp_path: Path,
    requests: list[tuple[str, dict[str, Any]]],
) -> None:
    model = str(small_model)
    views = {"cameras": "ACTIVE", "camera": "Right", "output": str(tmp_path / "views")}
    assert bpy.ops.dnerf.render_views(model=model, seeds="3", channels={"rgb", "mask"}, **views) == {"FINISHED"}
    assert sorted(path.name for path in (tmp_path / "views").iterdir() if path.is_dir()) == ["images", "masks"]
    before, photo = panel(scene), tmp_path / "views" / "images" / "s0003_v00.png"
    search = {"space": "w", "steps": 6, "candidates": 2, "starts": 1, "prior": 0.5, "seed": 9}
    call = {"filepath": str(photo), "model": model, "output": str(tmp_path / "found"), **search}
    assert bpy.ops.dnerf.invert_photo(**call, camera="Right") == {"FINISHED"}
    params = next(params for method, params in reversed(requests) if method == "invert")
    assert {name: params[name] for name in search} == search and "yaw" not in params and params["camera"]["cam2world"]
    found = tmp_path / "found" / "s0003_v00-001.safetensors"
    assert found.is_file() and panel(scene) == before, "a subject of another model than the panel's is not chosen"
    mask = tmp_path / "mask.png"
    ids = read_image(tmp_path / "views" / "masks" / "s0003_v00.png")
    write_mask_ids(mask, np.where(ids == 1, 2, ids).astype(np.uint8))
    edit = {"model": model, "subject_file": str(found), "mask": str(mask), "camera": "Right", "steps": 2, "margin": 1}
    assert bpy.ops.dnerf.apply_edit(**edit, edited_weight=3.0, output=str(tmp_path / "found")) == {"FINISHED"}
    params = next(params for method, params in reversed(requests) if method == "edit")
    assert (params["steps"], params["margin"], params["edited_weight"], params["mask"]) == (2, 1, 3.0, str(mask))
    assert (tmp_path / "found" / "s0003_v00-001-edit-001.safetensors").is_file() and panel(scene) == before
    # of the panel's own model both become the panel's subject
    assert bpy.ops.dnerf.load_model(model=model) == {"FINISHED"}
    assert bpy.ops.dnerf.edit_mask(subject_file=str(found), camera="Right") == {"FINISHED"}
    assert scene.dnerf.edit_image.name == "s0003_v00-001 edit mask" and scene.dnerf.subject_file == ""
    with pytest.raises(RuntimeError, match="part: expected background or lower or upper or ignore, found 'uper'"):
        bpy.ops.dnerf.edit_label(part="uper")
    del edit["model"]
    assert bpy.ops.dnerf.apply_edit(**edit, output=str(tmp_path / "found")) == {"FINISHED"}
    assert scene.dnerf.subject_file == str(tmp_path / "found" / "s0003_v00-001-edit-002.safetensors")
    assert bpy.ops.dnerf.step_edit(step=-1) == {"FINISHED"} and scene.dnerf.subject_file == ""


def test_people_take_motions(
    session: ModuleType, scene: bpy.types.Scene, tmp_path: Path, requests: list[tuple[str, dict[str, Any]]]
) -> None:
    run_engine(tmp_path, "-m", "tests.blender.small_person", str(tmp_path))
    model = str(tmp_path / "person.safetensors")
    assert bpy.ops.dnerf.add_person(model=model, pose="wave") == {"FINISHED"}
    assert scene.dnerf.pose_armature is None, "of another model than the panel's it moves nothing"
    assert bpy.ops.dnerf.load_model(model=model) == {"FINISHED"}
    assert bpy.ops.dnerf.add_person() == {"FINISHED"}
    assert scene.dnerf.pose_armature is not None
    assert [params["motion"] for method, params in requests if method == "motion"] == ["wave", "walk"]
    assert bpy.ops.dnerf.fuse_frames(seeds="1,3", views=2, resolution=32, points=20) == {"FINISHED"}
    assert session.current().status.startswith("4 clouds, 80 points in ")
    assert {"cloud s0001 frames", "cloud s0003 frames"} <= {item.name for item in bpy.data.collections}


def test_a_named_mesh_is_labelled(
    session: ModuleType, scene: bpy.types.Scene, tmp_path: Path, requests: list[tuple[str, dict[str, Any]]]
) -> None:
    run_engine(tmp_path, "-m", "tests.blender.small_network", str(tmp_path))
    network = tmp_path / "points.safetensors"
    bpy.ops.mesh.primitive_monkey_add()
    monkey, before = bpy.context.active_object, panel(scene)
    bpy.ops.mesh.primitive_cube_add()  # which is selected, and stays as it is
    call = {"object": monkey.name, "network": str(network), "up": "-x", "headings": 2}
    assert bpy.ops.dnerf.segment_selected(**call) == {"FINISHED"} and panel(scene) == before
    assert "label" in monkey.data.attributes and "label" not in bpy.context.active_object.data.attributes
    (params,) = (params for method, params in requests if method == "segment")
    assert (params["network"], params["up"], params["headings"]) == (str(network), "-x", 2)


def test_a_composite_from_a_named_camera(
    session: ModuleType,
    scene: bpy.types.Scene,
    small_model: Path,
    tmp_path: Path,
    requests: list[tuple[str, dict[str, Any]]],
) -> None:
    before, folder = panel(scene), tmp_path / "set"
    call = {"model": str(small_model), "seed": 4, "truncation": 0.5, "camera": "Right", "output": str(folder)}
    assert bpy.ops.dnerf.composite(**call, labels_by="material") == {"FINISHED"}
    assert session.current().status.startswith("1 view in ") and panel(scene) == before
    last = [params for method, params in requests if method == "composite"][-1]
    assert (last["seed"], last["truncation"], last["labels_by"]) == (4, 0.5, "material")
    assert [camera["name"] for camera in last["cameras"]] == ["Right"] and len([*(folder / "masks").iterdir()]) == 1


def test_a_models_file_is_opened_and_loaded(session: ModuleType, scene: bpy.types.Scene, small_model: Path) -> None:
    assert bpy.ops.dnerf.open_files(filepath=str(small_model)) == {"FINISHED"}
    assert session.current().status.endswith("2 labels") and not session.busy()
    # a subject's file starts no job, and the outcome is its own, not that of what was before
    with pytest.raises(RuntimeError):
        bpy.ops.dnerf.fuse_cloud(views=0)
    file = small_model.with_name("three.safetensors")
    assert bpy.ops.dnerf.open_files(filepath=str(file)) == {"FINISHED"}
    assert session.current().status == "three.safetensors: the scene's subject now"


def test_a_new_worker_is_waited_for(session: ModuleType, scene: bpy.types.Scene) -> None:
    assert bpy.ops.dnerf.restart_worker() == {"FINISHED"}
    assert session.current().worker_state == "ready" and session.current().status.startswith("worker ready: ")


# --- parts by name


def test_parts_of_a_cloud_by_name(scene: bpy.types.Scene, tmp_path: Path) -> None:
    from blender_addon.scene.clouds import add_cloud, hidden_parts

    labels = LabelSet.from_names(["wing", "tail"])
    points = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    ids = (np.arange(30) % 3).astype(np.uint8)
    item = add_cloud(
        scene, PointCloud(points, points, np.zeros((30, 3), np.uint8), ids, np.ones(30, np.float32), labels), "bird", world_up="y"
    )
    bpy.context.view_layer.objects.active = item
    assert bpy.ops.dnerf.hide_part(part="tail") == {"FINISHED"} and hidden_parts(item) == {2}
    assert bpy.ops.dnerf.export_cloud(part="wing", frame="MODEL", output=str(tmp_path / "{cloud}.npz")) == {"FINISHED"}
    np.testing.assert_array_equal(PointCloud.load(tmp_path / "bird.npz").points, points[ids == 1])
    line = r"part: expected background or wing or tail, found 'tial' \(did you mean tail\?\); choose one of these"
    for name in ("hide_part", "select_part", "export_cloud"):
        with pytest.raises(RuntimeError, match=line):
            getattr(bpy.ops.dnerf, name)(part="tial")
    assert bpy.ops.dnerf.select_part(part="wing") == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    assert sum(vertex.select for vertex in item.data.vertices) == 10


def test_ignore_is_a_part_where_masks_are_painted(session: ModuleType) -> None:
    from blender_addon.scripting.parts import part_id_named

    labels = LabelSet.from_names(["wing"])
    assert part_id_named(labels, "ignore", ignored=True) == IGNORE_ID and part_id_named(labels, "background") == 0
    with pytest.raises(UsageError, match="part: expected background or wing, found 'ignore'"):
        part_id_named(labels, "ignore")


# --- undo


def test_what_is_waited_for_makes_no_step_of_undo(session: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.lasting import showing

    steps: list[str] = []

    def keep(message: str) -> None:
        steps.append(message)

    editor = SimpleNamespace(undo_push=keep)
    window = SimpleNamespace(app=SimpleNamespace(background=False), ops=SimpleNamespace(ed=editor))
    monkeypatch.setattr(showing, "bpy", window)
    with showing.script_waits():
        showing.undo_step("Fuse")
        with showing.script_waits():
            showing.undo_step("Fuse")
        showing.undo_step("Fuse")
    assert steps == []
    showing.undo_step("Fuse")
    assert steps == ["Fuse"]
