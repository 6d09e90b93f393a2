"""Data sets from the panel and from scripts: byte for byte those of the command that is shown, with cameras where the sphere is drawn."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import plyfile
import pytest
from PIL import Image

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import enabled_addon  # noqa: E402
from tests.blender.test_operators import run_engine  # noqa: E402
from tests.blender.warm_engine import WarmEngine  # noqa: E402
from tests.headless.test_nerfstudio import Scene  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, warm_engine: WarmEngine) -> Iterator[ModuleType]:
    """The add-on as scripts have it: operators wait."""
    with enabled_addon(warm_engine.script(tmp_path_factory.mktemp("engine")), waits=True) as module:
        yield module


@pytest.fixture
def scene(session: ModuleType, small_model: Path, tmp_path: Path) -> Iterator[bpy.types.Scene]:
    """A scene of its own in the window, with a camera that is no square's; pictures of 32 px."""
    work = bpy.data.scenes.new("Work")
    bpy.context.window.scene = work
    settings = work.dnerf
    settings.model_kind, settings.model_path, settings.seed, settings.pack_views = "FILE", str(small_model), 3, True
    settings.data_set.output, settings.data_set.resolution = str(tmp_path / "a" / "set"), 32
    settings.views_folder, settings.cloud_views, settings.cloud_points = str(tmp_path / "views"), 3, 300
    add_camera(work, "Left", (-2.2, -1.6, 0.9))
    add_camera(work, "Right", (1.9, -2.1, 1.2))
    work.camera = work.objects["Left"]
    work.render.resolution_x, work.render.resolution_y = 48, 32
    yield work
    if session.busy():
        session.current().end_worker()
    for item in (*bpy.data.objects, *bpy.data.collections):
        (bpy.data.objects if isinstance(item, bpy.types.Object) else bpy.data.collections).remove(item)
    bpy.context.window.scene = bpy.data.scenes.new("Empty")
    bpy.data.scenes.remove(work)


def add_camera(scene: bpy.types.Scene, name: str, place: tuple[float, float, float]) -> bpy.types.Object:
    """A camera that looks at the origin."""
    import mathutils

    item = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    item.location = place
    item.rotation_euler = mathutils.Vector(place).to_track_quat("Z", "Y").to_euler()
    item.name = name
    scene.collection.objects.link(item)
    return item


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def animate(scene: bpy.types.Scene) -> None:
    """The active camera moves over 5 frames."""
    scene.frame_start, scene.frame_end = 1, 5
    for frame, x in ((1, -2.2), (5, -1.2)):
        scene.camera.location.x = x
        scene.camera.keyframe_insert("location", frame=frame)


def copied(**options: Any) -> list[list[str]]:
    """The commands that Copy Command gives, as words."""
    assert bpy.ops.dnerf.copy_data_set_command(**options) == {"FINISHED"}
    lines = bpy.context.scene.dnerf.data_set.command.splitlines()
    assert all(line.startswith("dnerf-headless render ") for line in lines)
    return [shlex.split(line) for line in lines]


CASES: dict[str, dict[str, Any]] = {
    "arc": {"seeds": "0-2", "cameras": "ARC", "count": 2},
    "wide arc": {"subjects": 2, "cameras": "ARC", "count": 3, "yaw": (-70.0, 20.5), "pitch": (0.1, 30.0), "truncation": 0.7},
    "orbit": {"seeds": "4", "cameras": "ORBIT", "count": 4, "masks": "palette", "depth_format": "npy"},
    "upper half by chance": {
        **{"seeds": "1,3", "cameras": "RANDOM", "count": 3, "camera_seed": 5, "upper": True, "radius": 2.9, "fov_deg": 25.0},
        "channels": {"rgb", "mask", "depth", "normal", "uncertainty"},
    },
    "all cameras": {"seeds": "0-1", "cameras": "ALL"},
    "one camera of the render's size": {"seeds": "2", "cameras": "ACTIVE", "camera": "Right", "resolution": 0},
    "splits": {
        **{"seeds": "0-5", "cameras": "ARC", "count": 1, "splits": "train=0.5,test=0.5", "formats": {"nerfstudio", "coco"}},
        **{"nerfstudio_images": "rgba", "aabb_scale": 2, "coco_instances": "connected"},
    },
    "test cameras": {"seeds": "0-1", "cameras": "SPHERE", "count": 3, "test_cameras": "ANIMATION", "test_frame_step": 2},
}


@pytest.mark.parametrize("name", CASES)
def test_the_folder_is_the_shown_commands_byte_for_byte(
    scene: bpy.types.Scene, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options, folder = CASES[name], tmp_path / "a" / "set"
    animate(scene)
    assert bpy.ops.dnerf.render_data_set(**options) == {"FINISHED"}
    commands = copied(**options)
    places = [folder / part for part in ("train", "test")] if "test_cameras" in options else [folder]
    assert [words[words.index("--output") + 1] for words in commands] == list(map(str, places))
    for words, place in zip(commands, places, strict=True):
        other = tmp_path / "b" / place.relative_to(folder)
        run_engine(tmp_path, "-m", "headless.cli", *words[1:], "--output", str(other))
        made, expected = contents(place), contents(other)
        assert len(made) > 8 and sorted(made) == sorted(expected)
        assert [file for file in made if made[file] != expected[file]] == []
        # and the command takes the panel's folder for its own, with nothing to do
        capsys.readouterr()
        run_engine(tmp_path, "-m", "headless.cli", *words[1:], "--verify", "--json")
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (summary["nothing_to_do"], summary["damaged"], summary["missing"]) == (True, [], 0), summary
        sums = [line for line in made["checksums.sha256"].splitlines() if not line.startswith(b"#")]
        assert summary["verified"] == len(sums) == len(made) - 1
    if "test_cameras" in options:
        views = [json.loads((place / "cameras.json").read_text())["views"] for place in places]
        assert [len(found) for found in views] == [2 * 3, 2 * 3], "three on the sphere, and frames 1, 3 and 5"


def test_what_the_panel_says_counts_and_a_script_says_otherwise(scene: bpy.types.Scene, tmp_path: Path) -> None:
    settings = scene.dnerf.data_set
    settings.cameras, settings.count, settings.with_channel_depth = "ARC", 1, False
    assert settings.channels == {"rgb", "mask"}
    bpy.ops.dnerf.render_data_set()
    folder = tmp_path / "a" / "set"
    assert sorted(contents(folder / "images")) == ["s0003_v00.png"] and not (folder / "depth").exists()
    settings.subjects_from, settings.seeds, settings.extend = "SEEDS", "3,5", True
    bpy.ops.dnerf.render_data_set()
    assert sorted(contents(folder / "images")) == ["s0003_v00.png", "s0005_v00.png"]
    bpy.ops.dnerf.render_data_set(subjects=1, output=str(tmp_path / "first"), channels={"depth"})
    assert sorted(contents(tmp_path / "first" / "depth")) == ["s0000_v00.exr"] and not (tmp_path / "first" / "images").exists()
    # a subject file stands in for the seed
    settings.subjects_from, settings.extend = "ONE", False
    scene.dnerf.subject_file = str(Path(scene.dnerf.model_path).with_name("three.safetensors"))
    bpy.ops.dnerf.render_data_set(output=str(tmp_path / "file"))
    record = json.loads((tmp_path / "file" / "dataset.json").read_text())
    assert [file["file"] for file in record["plan"]["subject_files"]] == ["three.safetensors"]


def test_a_finished_folder_has_nothing_to_do_and_another_choice_is_refused(session: ModuleType, scene: bpy.types.Scene) -> None:
    call: dict[str, Any] = {"seeds": "1", "cameras": "ARC", "count": 2}
    bpy.ops.dnerf.render_data_set(**call)
    before = contents(Path(scene.dnerf.data_set.output))
    assert session.current().status.startswith("2 views of 1 subject, 2 written in ")
    bpy.ops.dnerf.render_data_set(**call)
    assert session.current().status.startswith("2 views of 1 subject, nothing to do, all there in ")
    with pytest.raises(RuntimeError, match="--seeds"):
        bpy.ops.dnerf.render_data_set(**{**call, "seeds": "1-2"})
    assert session.current().level == "ERROR"
    assert contents(Path(scene.dnerf.data_set.output)) == before
    bpy.ops.dnerf.render_data_set(**{**call, "seeds": "1-2"}, extend=True)
    assert session.current().status.startswith("4 views of 2 subjects, 2 written in ")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"seeds": "3-1"}, "seeds: the range '3-1' runs backwards; write 1-3"),
        ({"seeds": "1", "subjects": 2}, "seeds and subjects: expected one of them, found both; leave one out"),
        ({"cameras": "SELECTED"}, "cameras: expected selected cameras, found none selected"),
        ({"cameras": "SPHERE", "center": "OBJECT"}, "centre: expected an object, found none"),
        ({"cameras": "SPHERE", "center_object": "Nobody"}, "center_object: expected an object of the scene 'Work', found none"),
        ({"channels": {"parts", "rgb"}}, "params: channels: expected mask beside parts"),
        ({"cameras": "ARC", "aabb_scale": 2}, "--aabb-scale 2: expected --format nerfstudio beside it, found folder"),
        ({"cameras": "RANDOM", "outwards": True}, "expected"),  # nobody sees the subject
        ({"output": ""}, "data set: save to: expected a path, found none; choose one"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(scene: bpy.types.Scene, options: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as error:
        bpy.ops.dnerf.render_data_set(**{"seeds": "0", **options} if "subjects" not in options else options)
    assert line in str(error.value)
    assert not (tmp_path / "a" / "set").exists()


# --- waiting


def test_without_a_window_it_returns_when_all_is_done(session: ModuleType, scene: bpy.types.Scene) -> None:
    assert bpy.ops.dnerf.render_data_set(seeds="0", cameras="ARC", count=1) == {"FINISHED"}
    assert not session.busy() and session.current().level == "INFO"


def test_told_not_to_wait_it_returns_at_once(session: ModuleType, scene: bpy.types.Scene) -> None:
    assert bpy.ops.dnerf.render_data_set(seeds="0-30", cameras="ARC", count=3, wait=False) == {"FINISHED"}
    assert session.busy()
    bpy.ops.dnerf.cancel()
    assert session.current().wait(60) and session.current().level == "CANCELLED"


def test_a_cancelled_one_says_so_and_goes_on(
    session: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = session.current()
    poll = holder.poll

    def cancel_after_a_view() -> int:
        heard = poll()
        if holder.job is not None and holder.job.text == "views" and holder.job.done >= 2:
            holder.cancel()
        return heard

    call: dict[str, Any] = {"seeds": "0-20", "cameras": "ARC", "count": 3}
    monkeypatch.setattr(holder, "poll", cancel_after_a_view)
    assert bpy.ops.dnerf.render_data_set(**call) == {"CANCELLED"}
    monkeypatch.undo()
    images = Path(scene.dnerf.data_set.output) / "images"
    begun = contents(images)
    assert 1 < len(begun) < 63
    assert bpy.ops.dnerf.render_data_set(**call) == {"FINISHED"}
    there = contents(images)
    assert len(there) == 63 and {name: there[name] for name in begun} == begun


def test_an_interrupt_from_the_keyboard_cancels_the_job(
    session: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.operators import base

    def interrupted() -> int:
        raise KeyboardInterrupt

    holder = session.current()
    monkeypatch.setattr(holder, "poll", interrupted)
    operator = type(
        "Waiter",
        (base.WaitingOperator,),
        {"bl_idname": "dnerf.waiter", "act": lambda self, context: bpy.ops.dnerf.load_model(wait=False)},
    )
    waiter = operator()
    waiter.wait = True
    waiter.properties = type("Set", (), {"is_property_set": lambda self, name: True})()
    with pytest.raises(KeyboardInterrupt):
        waiter.execute(bpy.context)
    monkeypatch.undo()
    assert holder.job is not None and holder.job.cancelled
    assert holder.wait(60) and holder.level == "CANCELLED"


# --- views


def test_views_of_many_subjects_by_typed_options(session: ModuleType, scene: bpy.types.Scene, tmp_path: Path) -> None:
    folder = tmp_path / "views"
    call: dict[str, Any] = {"seeds": "3,5-6", "cameras": "ARC", "count": 2, "resolution": 32, "wait": True}
    assert bpy.ops.dnerf.render_views(**call) == {"FINISHED"}
    line = session.current().status
    assert line.startswith("6 views in ") and line.endswith(f"6 of them new in {folder}: 6 views of 3 subjects")
    assert {"s0003_v00", "s0005_v01 labels", "s0006_v01"} <= set(bpy.data.images.keys())
    model = ["--model", scene.dnerf.model_path, "--device", "cpu", "--resolution", "32"]
    run_engine(tmp_path, "-m", "headless.cli", "render", *model, "--seeds", "3,5-6", "--views", "2", "-o", str(tmp_path / "cli"))
    for kind in ("images", "masks", "depth"):
        assert contents(folder / kind) == contents(tmp_path / "cli" / kind)
    assert bpy.ops.dnerf.render_views(seeds="3", cameras="SPHERE", count=3, resolution=32) == {"FINISHED"}
    assert session.current().status.endswith("9 views of 3 subjects")
    with pytest.raises(RuntimeError, match="count: expected cameras beside it, found none"):
        bpy.ops.dnerf.render_views(count=4)
    with pytest.raises(RuntimeError, match="resolution: expected none beside cameras of the scene"):
        bpy.ops.dnerf.render_views(cameras="ACTIVE", resolution=64)
    # and without a word of a script it is the panel's
    scene.dnerf.view_source, scene.dnerf.camera_count, scene.dnerf.size_px = "ARC", 1, 32
    scene.dnerf.views_folder = str(tmp_path / "panel")
    bpy.ops.dnerf.render_views()
    assert sorted(contents(tmp_path / "panel" / "images")) == ["s0003_v00.png"]


# --- cameras of rules


def shown(scene: bpy.types.Scene) -> Any:
    from blender_addon.data_set.chosen import chosen
    from blender_addon.data_set.overlay import shown_rule
    from blender_addon.model_facts import known_facts

    facts = known_facts(scene)
    assert facts is not None
    return shown_rule(scene, facts, chosen(bpy.context))


@pytest.mark.parametrize("outwards", [False, True])
def test_cameras_stand_on_the_sphere_that_is_shown(scene: bpy.types.Scene, outwards: bool) -> None:
    from blender_addon.scene.subject import subject_root

    root = subject_root(scene)
    root.location, root.rotation_euler, root.scale = (0.5, -1.0, 2.0), (0.3, 0.2, -0.9), (1.5, 1.5, 1.5)
    target = bpy.data.objects.new("Target", None)
    target.location = (3.0, 1.0, 0.5)
    scene.collection.objects.link(target)
    settings = scene.dnerf.data_set
    settings.cameras, settings.count, settings.camera_seed, settings.upper = "RANDOM", 12, 9, True
    settings.radius, settings.fov_deg, settings.center, settings.center_object = 2.0, 40.0, "OBJECT", target
    settings.outwards = outwards
    assert bpy.ops.dnerf.place_data_set_cameras() == {"FINISHED"}
    placed = sorted(bpy.data.collections["DatasetNeRF data set cameras"].objects, key=lambda item: item.name)
    found = shown(scene)
    assert len(placed) == 12 and found.radius == pytest.approx(1.5 * 2.0)
    np.testing.assert_allclose(found.center, target.location, atol=1e-5)
    up = np.array(root.matrix_world.to_3x3().col[2])
    marks = found.lines["cameras"].reshape(12, -1, 2, 3)
    for item, mark in zip(placed, marks, strict=True):
        at = np.array(item.matrix_world.translation)
        assert np.linalg.norm(at - found.center) == pytest.approx(found.radius, rel=1e-4)
        np.testing.assert_allclose(mark[0, 0], at, atol=1e-4)
        assert (at - found.center) @ up > 0, "the upper half as the subject stands"
        looks = -np.array(item.matrix_world.to_3x3().col[2])
        inwards = (found.center - at) / np.linalg.norm(found.center - at)
        np.testing.assert_allclose(looks / np.linalg.norm(looks), -inwards if outwards else inwards, atol=1e-4)
        assert math.degrees(item.data.angle) == pytest.approx(40.0, abs=1e-3)
        # the drawn picture plane lies in front of it
        ahead = mark[:4, 1].mean(axis=0) - at
        assert ahead @ looks > 0.99 * np.linalg.norm(ahead) * np.linalg.norm(looks)
    sphere = found.lines["sphere"].reshape(-1, 3)
    np.testing.assert_allclose(np.linalg.norm(sphere - found.center, axis=1), found.radius, rtol=1e-6)
    assert ((sphere - found.center) @ up).min() > -1e-6 * found.radius, "half a sphere for the upper half"
    # the centre follows the object
    target.location.z += 1.0
    bpy.context.view_layer.update()
    np.testing.assert_allclose(shown(scene).center, target.location, atol=1e-5)


def test_the_models_own_rule_is_the_models_own_sphere_and_the_path_is_drawn_too(scene: bpy.types.Scene) -> None:
    copied()  # asks what the model is
    settings = scene.dnerf.data_set
    settings.cameras, settings.count = "SPHERE", 7
    found = shown(scene)
    assert set(found.lines) == {"sphere", "cameras"}
    settings.cameras, settings.test_cameras, settings.test_count = "PATH", "ORBIT", 5
    scene.dnerf.camera_count = 3
    found = shown(scene)
    assert len(found.lines["cameras"]) == 3 * 10 and len(found.lines["tests"]) == 5 * 10
    settings.cameras, settings.test_cameras = "ALL", "NONE"
    assert shown(scene) is None


@pytest.mark.parametrize("source", ["ARC", "ORBIT", "PATH"])
def test_rules_that_the_command_has_itself_are_drawn_where_it_sees_from(scene: bpy.types.Scene, source: str) -> None:
    settings = scene.dnerf.data_set
    settings.cameras, settings.count, settings.own_angles = source, 4, False
    settings.yaw, settings.pitch = (-70.0, 20.5), (0.1, 30.0)
    scene.dnerf.own_yaw, scene.dnerf.own_pitch, scene.dnerf.camera_path = True, False, "ARC"
    assert bpy.ops.dnerf.render_data_set() == {"FINISHED"}
    listed = json.loads((Path(settings.output) / "cameras.json").read_text())["views"]
    assert not Path(f"{settings.output}-cameras").exists(), "no file of cameras is needed"
    marks = shown(scene).lines["cameras"].reshape(len(listed), -1, 2, 3)
    to_engine = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # Blender's (x, -z, y) is the engine's (x, y, z)
    for view, mark in zip(listed, marks, strict=True):
        np.testing.assert_allclose(to_engine @ mark[0, 0], np.array(view["cam2world"])[:3, 3], atol=1e-9)


# --- cameras without rendering


def test_cameras_alone_are_read_back_and_name_the_images_to_come(scene: bpy.types.Scene, tmp_path: Path) -> None:
    from dnerf_core.files.camera_files.registry import read_camera_file

    call: dict[str, Any] = {"cameras": "ALL", "test_cameras": "RANDOM", "test_count": 4, "seeds": "3", "resolution": 0}
    assert bpy.ops.dnerf.write_cameras(**call, aabb_scale=4, with_cloud=True) == {"FINISHED"}
    folder, beside = tmp_path / "a" / "set", tmp_path / "a" / "set-cameras"
    assert not folder.exists() and sorted(path.name for path in beside.iterdir()) == [
        "points3d.ply",
        "transforms_test.json",
        "transforms_train.json",
    ]
    train, test = (Scene(beside / f"transforms_{part}.json") for part in ("train", "test"))
    assert (len(train), len(test), train.data["aabb_scale"], train.data["ply_file_path"]) == (2, 4, 4, "points3d.ply")
    assert (train.data["w"], train.data["h"]) == (48, 48), "the square about what the scene renders, as the data set's"
    assert train.data["camera_angle_x"] == pytest.approx(scene.camera.data.angle, rel=1e-6)
    for number in range(2):  # both look at the origin
        np.testing.assert_allclose(train.project(number, np.zeros(3))[0], (24, 24), atol=1e-3)
    vertex = plyfile.PlyData.read(beside / "points3d.ply")["vertex"]
    assert {"x", "y", "z", "nx", "ny", "nz", "red", "green", "blue"} <= {item.name for item in vertex.properties}
    # the same cameras as the data set's, whose images are where the file says
    bpy.ops.dnerf.render_data_set(**call)
    listed = json.loads((folder / "train" / "cameras.json").read_text())["views"]
    read = read_camera_file(beside / "transforms_train.json", "--cameras")
    for number, view in enumerate(listed):
        camera = read.view(number).camera
        np.testing.assert_allclose(camera.cam2world, view["cam2world"], atol=1e-12)
        np.testing.assert_allclose(camera.intrinsics, view["intrinsics"], atol=1e-12)
    for part in (train, test):
        for frame in part.data["frames"]:
            with Image.open(part.root / frame["file_path"]) as image:
                assert image.size == (part.data["w"], part.data["h"])
    # the command reads it, and the same button writes over its own file alone
    assert bpy.ops.dnerf.write_cameras(**call) == {"FINISHED"}
    (beside / "transforms_test.json").write_text('{"frames": []}')
    with pytest.raises(RuntimeError, match=r"transforms_test.json: expected none, or one that was written here, found another"):
        bpy.ops.dnerf.write_cameras(**call)


def test_cameras_of_several_lenses_have_one_each(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.objects["Right"].data.lens = 80.0
    bpy.ops.dnerf.write_cameras(cameras="ALL")
    data = json.loads((tmp_path / "a" / "set-cameras" / "transforms.json").read_text())
    assert "fl_x" not in data and data["frames"][1]["fl_x"] > data["frames"][0]["fl_x"] > 0


# --- the command


def test_copied_cameras_are_never_written_over(scene: bpy.types.Scene, tmp_path: Path) -> None:
    (first,) = copied(seeds="0", cameras="ALL")
    height = scene.objects["Left"].location.z
    scene.objects["Left"].location.z += 0.5
    (second,) = copied(seeds="0", cameras="ALL")
    paths = [Path(words[words.index("--cameras") + 1]) for words in (first, second)]
    assert paths[0] != paths[1] and all(path.is_file() for path in paths)
    names = [view["name"] for view in json.loads(paths[0].read_text())["views"]]
    assert names == ["Left", "Right"]
    paths[0].write_text("{}")
    scene.objects["Left"].location.z = height
    with pytest.raises(RuntimeError, match="expected the cameras that its name says, found others; move it away"):
        bpy.ops.dnerf.copy_data_set_command(seeds="0", cameras="ALL")


def test_the_panel_shows_the_command_without_moving_the_scene(scene: bpy.types.Scene) -> None:
    from blender_addon.data_set.chosen import chosen
    from blender_addon.data_set.requests import commands, shown_request

    settings = scene.dnerf.data_set
    settings.cameras, settings.count, settings.subjects_from, settings.seeds = "ARC", 5, "SEEDS", "0-9"
    (words,) = copied()
    text = commands([shown_request(scene, chosen(bpy.context))], "cpu")
    assert shlex.split(text) == words, "nothing has to be read of the scene"
    settings.cameras = "ANIMATION"
    scene.frame_set(3)
    text = commands([shown_request(scene, chosen(bpy.context))], "auto")
    assert "--cameras CAMERAS.json" in text and scene.frame_current == 3
