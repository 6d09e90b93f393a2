"""The command line's .blend files: shots read as the extension reads them, results written whole, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import arc_cameras, cameras_from_json, cameras_to_json
from dnerf_core.demo.config import DEMO_CARS
from headless import cli

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.scene.cameras import animate_camera, read_frames, square_view  # noqa: E402
from blender_addon.scene.clouds import is_cloud, read_cloud  # noqa: E402
from blender_addon.scene.subject import subject_root  # noqa: E402
from blender_addon.scene.views import image_to_array  # noqa: E402

ARC = arc_cameras(DEMO_CARS.cameras, (-40, 40), count=3)


def save(path: Path) -> Path:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


@pytest.fixture
def shot(scene: Any, tmp_path: Path) -> Path:
    """Three frames of 64 x 48 pixels with a shifted lens, about a subject that is moved, turned and scaled."""
    item = animate_camera(scene, ARC, 1, "Shot", 64, world_up="y")
    scene.render.resolution_y = 48
    item.data.shift_x = 0.05
    root = subject_root(scene)
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    return save(tmp_path / "shot.blend")


def run(*args: object) -> int:
    return cli.run([str(arg) for arg in args])


@pytest.mark.usefixtures("several_threads")
def test_a_shots_frames_are_the_views_that_the_panel_sees(scene: Any, shot: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    poses = read_frames(scene, 1, 3, world_up="y")
    assert run("render", "--seeds", "3,5", "--cameras", shot, "-o", out) == 0
    cameras = cameras_from_json((out / "cameras.json").read_text())
    assert list(cameras) == [f"s{seed:04d}_v{view:02d}" for seed in (3, 5) for view in range(3)]
    from dnerf_core.model import Model
    from headless.models import one_thread_a_view

    subject = Model.load("demo-cars").subject(seed=3)
    for pose, name in zip(poses, cameras, strict=False):
        square = square_view(pose)
        np.testing.assert_array_equal(cameras[name].cam2world, square.camera.cam2world)
        np.testing.assert_array_equal(cameras[name].intrinsics, square.camera.intrinsics)
        with one_thread_a_view():
            view = subject.render(square.camera, square.side_px)
        pixels = np.asarray(Image.open(out / "images" / f"{name}.png"))
        np.testing.assert_array_equal(pixels, view.rgb)
        np.testing.assert_array_equal(np.asarray(Image.open(out / "masks" / f"{name}.png")), view.mask)
        assert square.crop(pixels).shape == (48, 64, 3)
    assert "--cameras shot.blend" in (out / "README.md").read_text()


def test_a_shot_again_is_nothing_to_do_and_another_is_refused(
    shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ("render", "--seeds", "3", "--cameras", shot, "--channels", "rgb", "--resolution", "16", "-o", out)
    assert run(*call) == 0
    assert run(*call) == 0
    assert "nothing to do" in capsys.readouterr().out
    as_json = tmp_path / "views.json"
    as_json.write_text(json.dumps(cameras_to_json(ARC)))
    again = [as_json if part == shot else part for part in call]
    assert run(*again) == 1
    assert "holds the results of another call, --cameras (its views) was" in capsys.readouterr().err
    assert run(*again[:-1], tmp_path / "other") == 0
    found = list(cameras_from_json((tmp_path / "other" / "cameras.json").read_text()).values())
    np.testing.assert_array_equal(found[2].cam2world, ARC[2].cam2world)


def test_render_writes_cameras_pictures_and_clouds(scene: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, blend = tmp_path / "out", tmp_path / "scene.blend"
    call = ("render", "--seeds", "3,5", "--views", "2", "-o", out, "--blend", blend, "--json")
    assert run(*call) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]  # nothing of Blender's among them
    assert lines[-1]["blend"] == str(blend)
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    opened = bpy.context.scene
    clouds = [item for item in opened.objects if is_cloud(item)]
    assert sorted((item.name, item.hide_render) for item in clouds) == [("s0003", False), ("s0005", True)]
    assert all(item.parent == subject_root(opened, create=False) for item in clouds)
    assert len(read_cloud(clouds[0])) > 1000
    cameras = cameras_from_json((out / "cameras.json").read_text())
    assert sorted(item.name for item in opened.objects if item.type == "CAMERA") == sorted(cameras)
    assert opened.camera.name == "s0003_v00" and opened.render.resolution_x == 256
    for name in cameras:
        rgb = np.asarray(Image.open(out / "images" / f"{name}.png"))
        np.testing.assert_array_equal(image_to_array(bpy.data.images[f"{name} image"])[..., :3], rgb)
        assert opened.objects[name].data.background_images[0].image.name == f"{name} image"
        assert {f"{name} {kind}" for kind in ("mask", "overlay", "depth")} <= set(bpy.data.images.keys())
    before = blend.read_bytes()
    assert run(*call) == 2
    assert "expected a new file, found one that is there" in capfd.readouterr().err
    assert blend.read_bytes() == before
    assert not list(tmp_path.glob(".tmp*"))


def test_pointcloud_writes_the_cloud_that_its_files_hold(scene: Any, tmp_path: Path) -> None:
    assert run("pointcloud", "--seeds", "3", "--views", "3", "--output", tmp_path / "c.blend") == 0
    assert run("pointcloud", "--seeds", "3", "--views", "3", "--format", "npz", "-o", tmp_path / "c") == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "c.blend"))
    cloud = read_cloud(bpy.data.objects["s0003"])
    with np.load(tmp_path / "c" / "npz" / "s0003.npz") as archive:
        for name in ("points", "normals", "colors", "labels", "confidence"):
            np.testing.assert_array_equal(getattr(cloud, name), archive[name], err_msg=name)
        assert cloud.label_set is not None and list(cloud.label_set.names) == archive["label_names"].tolist()


def test_files_that_cannot_be_used_are_told_in_one_line(scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    item = animate_camera(scene, ARC, 1, "Shot", 64, world_up="y")
    item.data.type = "PANO"
    pano = save(tmp_path / "pano.blend")
    item.data.type = "PERSP"
    scene.render.resolution_x = 5000
    wide = save(tmp_path / "wide.blend")
    bpy.data.objects.remove(item)
    bare = save(tmp_path / "bare.blend")
    broken, cut = tmp_path / "broken.blend", tmp_path / "cut.blend"
    broken.write_text("no blend")
    cut.write_bytes(bare.read_bytes()[:3000])
    for path, told in (
        (pano, "frame 1: Shot: expected a perspective camera, found a panoramic one"),
        (wide, "expected a render size from 8 to 4096 pixels, found 5000; give --resolution"),
        (bare, "frame 1: expected an active camera"),
        (broken, "expected a .blend file, Blender cannot read it"),
        (cut, "expected a .blend file, Blender cannot read it"),
    ):
        assert run("render", "--seeds", "3", "--cameras", path, "-o", tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert told in error and str(path) in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("render", "--cameras", "SHOT", "--yaw", "5"), "--yaw: expected none beside --cameras"),
        (("render", "--cameras", "SHOT", "--views", "2"), "--views: expected none beside --cameras"),
        (("render", "--blend", "OUT/a.png"), "expected a name that ends in .blend, found .png"),
        (("render", "--blend", "OUT/none/a.blend"), "the system says: No such file"),
        (("render", "--blend", "OUT/a.blend", "--channels", "rgb"), "expected the channels rgb and depth, found no depth"),
        (("render", "--blend", "OUT/a.blend", "--shard", "1/2"), "expected all views in one folder, found --shard"),
        (("render", "--blend", "OUT/a.blend", "--splits", "a=0.5,b=0.5"), "expected all views in one folder, found --splits"),
        (("render", "--blend", "OUT/a.blend", "--subjects", "400"), "expected at most 1000 views in one file, found 1200"),
        (("pointcloud", "--output", "OUT/a.blend", "--format", "ply"), "--format: expected none with --output"),
        (("pointcloud", "--output", "OUT/none/a.blend"), "the system says: No such file"),
    ],
)
def test_calls_that_contradict_themselves(
    shot: Path,
    tmp_path: Path,
    args: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(*(part.replace("SHOT", str(shot)).replace("OUT", str(tmp_path)) for part in args)) in (1, 2)
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_in_a_file_is_executed(scene: Any, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    animate_camera(scene, ARC, 1, "Shot", 16, world_up="y")
    text = bpy.data.texts.new("start.py")
    text.use_module = True
    text.write(f"open({str(marker)!r}, 'w').close()")
    curve = scene.camera.driver_add("location", 0)
    curve.driver.expression = f"len(open({str(marker)!r}, 'w').name)"
    path = save(tmp_path / "hostile.blend")
    marker.unlink(missing_ok=True)
    assert run("render", "--seeds", "3", "--channels", "rgb", "--cameras", path, "-o", tmp_path / "out") in (0, 2)
    assert not marker.exists()


def test_without_blender_the_remedy_is_told(tmp_path: Path) -> None:
    (tmp_path / "shot.blend").write_bytes(b"BLENDER")
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'bpy' else find(name, *rest)\n"
        "from headless.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    for args in (["render", "--cameras", "shot.blend"], ["render", "--blend", "a.blend"], ["pointcloud", "-o", "a.blend"]):
        root = Path(__file__).resolve().parents[2]
        result = subprocess.run(
            [sys.executable, "-c", code, *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(root)},
        )
        assert result.returncode == 2
        assert (
            "expected Blender as the Python module bpy, found none; install it with pip install 'datasetnerf[blender]'"
            in result.stderr
        )
