"""Cameras of files in the commands: our own export read back, what sees nothing of the model, plans told without work."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import Camera, arc_cameras, cameras_from_json, cameras_to_json, look_at, sphere_camera
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.generator.config import PRESETS
from dnerf_core.model import Model
from headless import cli
from headless.cameras.given import read_given_cameras
from headless.cameras.picture_cameras import cameras_of_pictures
from headless.cameras.seen_box import check_seen, sees_box
from headless.datasets.channels import CHANNELS
from headless.work import estimates
from headless.work.estimates import Estimate, Formats, check_disk, size_text, time_text, weighed
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import error_line
from tests.headless.tiny_engine import save_tiny

FACES = PRESETS["ffhq512-128"]
CAMERA = sphere_camera(0.3, 0.2, radius=2.7, focal=4.2647)


def cameras_file(folder: Path, *cameras: Camera) -> Path:
    path = folder / "cameras.json"
    path.write_text(json.dumps(cameras_to_json(cameras)))
    return path


def test_our_own_nerfstudio_export_is_read_back(fake_model: FakeModel, tmp_path: Path) -> None:
    call = [
        "--format",
        "nerfstudio",
        "--yaw",
        "-70:70",
        "--pitch",
        "-10:40",
        "--random-views",
        "--views",
        "5",
        "--resolution",
        "96",
    ]
    assert cli.run(["render", "--seeds", "4", *call, "-o", str(tmp_path / "a")]) == 0
    path = tmp_path / "a" / "nerfstudio" / "s0004" / "transforms.json"
    config = PRESETS["ffhq512-128"]
    given = read_given_cameras(path, config)
    written = cameras_from_json((tmp_path / "a" / "cameras.json").read_text())
    assert [name.rpartition("/")[2] for name in given.names] == [f"{name}.png" for name in written]
    for found, expected in zip(given.cameras, written.values(), strict=True):
        np.testing.assert_allclose(found.cam2world, expected.cam2world, atol=1e-12)
        np.testing.assert_allclose(found.intrinsics, expected.intrinsics, atol=1e-12)
    assert given.world_line is not None
    assert "taken as they are in the model's world, y up" in given.world_line
    assert given.side_px is None


# what cameras see


def test_a_camera_sees_the_box_between_the_ends_of_its_rays() -> None:
    def seen(position: tuple[float, float, float], target: tuple[float, float, float], focal: float, far: float = np.inf) -> bool:
        lens = [[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]
        return sees_box(Camera(look_at(position, target), np.array(lens)), 0.5, 0.0, far)

    assert seen((0, 0, 3), (0, 0, 0), 1.7)
    assert not seen((0, 0, 3), (0, 0, 6), 1.7)
    assert seen((0, 0, 3), (0.4, 0.4, 0.5), 150.0)  # a picture smaller than the points' spacing
    assert seen((0, 0, 1000), (60, 40, 0), 1.7)  # a box smaller than the rays' spacing
    assert not seen((0, 0, 3), (0, 0, 0), 1.7, far=2.4)
    assert seen((0, 0, 3), (0, 0, 0), 1.7, far=2.6)
    assert not seen((0, 0, 3), (1.5, 0, 0), 20.0)
    assert seen((0, 0, 0.1), (0, 0, 0), 1.7)


def test_many_cameras_are_judged_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    cameras = [Camera(look_at(rng.normal(size=3) * 3, rng.normal(size=3)), CAMERA.intrinsics) for _ in range(60)]
    names = [f"v{index}" for index in range(60)]
    expected = [sees_box(camera, 0.5, 2.25, 3.3) for camera in cameras]
    assert 0 < sum(expected) < 60
    remark = check_seen(cameras, names, FACES, "--cameras c.json")[0]
    assert f"{60 - sum(expected)} of 60 views, 'v{expected.index(False)}', " in remark


@pytest.mark.filterwarnings("error")
def test_cameras_none_of_which_sees_anything_are_refused(tmp_path: Path) -> None:
    far = sphere_camera(0.3, 0.2, radius=30.0, focal=4.2647)  # its rays end long before the box
    path = cameras_file(tmp_path, far, far)
    with pytest.raises(
        UsageError, match=r"'view_0000': expected a camera that sees .*'s box, -0\.5 to 0\.5 about the origin, at "
    ) as caught:
        read_given_cameras(path, FACES)
    assert "found all 2 to see nothing of it; its own cameras are 2.7 from the origin" in str(caught.value)
    remark, *more = read_given_cameras(cameras_file(tmp_path, CAMERA, far), FACES).remarks
    assert "1 of 2 views, 'view_0001': expected to see" in remark
    assert not more


def test_a_camera_inside_the_box_is_told_but_not_a_models_own(tmp_path: Path) -> None:
    near = sphere_camera(0.3, 0.2, radius=0.3, focal=0.5)
    cars = PRESETS["shapenetcars128-64"]
    (remark,) = read_given_cameras(cameras_file(tmp_path, near), cars).remarks
    assert "1 of 1 views, 'view_0000': expected cameras outside" in remark
    own = arc_cameras(cars.cameras, (-180, 180), (0, 80), count=9)
    assert read_given_cameras(cameras_file(tmp_path, *own), cars).remarks == ()


# worlds


def z_up_file(folder: Path) -> Path:
    camera = sphere_camera(0.3, 0.2, radius=2.7, focal=4.2647, world_up="z")
    frame = {"file_path": "a.png", "transform_matrix": camera.to_opengl().tolist()}
    path = folder / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 2 * math.atan(0.5 / 4.2647), "frames": [frame]}))
    return path


def test_a_z_up_world_is_told_and_turned_on_request(tmp_path: Path) -> None:
    path = z_up_file(tmp_path)
    assert any(
        "found z up; the cameras are taken as they are, --cameras-up z turns them" in r
        for r in read_given_cameras(path, FACES).remarks
    )
    given = read_given_cameras(path, FACES, "z")
    assert given.remarks == ()
    np.testing.assert_allclose(given.cameras[0].cam2world, CAMERA.cam2world, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["render", "--cameras-up", "z"], "--cameras-up z: expected --cameras beside it"),
        (["video", "--cameras-up", "-y"], "--cameras-up: expected none with --path arc"),
    ],
)
def test_an_axis_without_a_file_is_refused(
    call: list[str], message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*call, "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


# pictures' own cameras


def test_each_picture_has_the_camera_of_its_name(tmp_path: Path) -> None:
    other = sphere_camera(-0.3, 0.2, radius=2.7, focal=4.2647)
    labels = [["00000\\a.png", CAMERA.conditioning().tolist()], ["00000/b.png", other.conditioning().tolist()]]
    path = tmp_path / "dataset.json"
    path.write_text("\ufeff" + json.dumps({"labels": labels}), encoding="utf-8")
    pictures = {Path("photos/b.png"): (64, 64), Path("photos/a.jpg"): (64, 64)}
    taken = cameras_of_pictures(path, pictures, "pad", FACES, "picture")
    np.testing.assert_allclose(taken.cameras[Path("photos/b.png")].cam2world, other.cam2world, atol=1e-6)
    np.testing.assert_allclose(taken.cameras[Path("photos/a.jpg")].cam2world, CAMERA.cam2world, atol=1e-6)
    with pytest.raises(UsageError, match=r"expected a view named .c\.png., found none among 2"):
        cameras_of_pictures(path, {Path("c.png"): (64, 64)}, "pad", FACES, "picture")


# how much a call is


def test_a_dry_run_writes_nothing_and_measures(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["render", "--seeds", "0-9", "--views", "4", "--resolution", "32", "-o", str(tmp_path / "out")]
    assert cli.run([*call, "--dry-run", "--json"]) == 0
    assert not (tmp_path / "out").exists()
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["dry_run"] is True
    estimate = summary["estimate"]
    assert (estimate["views"], estimate["files"], estimate["measured"]) == (40, 120, True)
    assert cli.run(call) == 0
    kinds = [path for kind in ("images", "masks", "depth") for path in (tmp_path / "out" / kind).iterdir()]
    assert len(kinds) == 120
    assert estimate["bytes"] == pytest.approx(sum(path.stat().st_size for path in kinds), rel=0.3)
    (tmp_path / "out" / "images" / "s0000_v00.png").unlink()
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    capsys.readouterr()
    assert cli.run([*call, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["estimate"]["views"] == 1
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before


@pytest.mark.parametrize(
    ("call", "views", "files"),
    [(["video", "--frames", "7"], 7, 5), (["pointcloud", "--seeds", "0-1"], 16, 2)],
)
def test_every_maker_of_views_tells_its_plan(
    call: list[str], views: int, files: int, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*call, "--dry-run", "--json", "-o", str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out").exists()
    estimate = json.loads(capsys.readouterr().out.splitlines()[-1])["estimate"]
    assert (estimate["views"], estimate["files"]) == (views, files)


def test_a_dry_run_of_meshes_is_about_what_they_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    call = [
        "mesh",
        "--model",
        str(model),
        "--seeds",
        "0-1",
        "--views",
        "2",
        "--nodes",
        "64",
        "--level",
        "0",
        "--format",
        "glb,obj",
    ]
    call += ["-o", str(tmp_path / "out")]
    assert cli.run([*call, "--dry-run", "--json"]) == 0
    assert not (tmp_path / "out").exists()
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["dry_run"], summary["meshes"]) == (True, 2)
    estimate = summary["estimate"]
    assert (estimate["views"], estimate["files"], estimate["measured"]) == (4, 4, True)
    assert cli.run(call) == 0
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*/*"))
    assert estimate["bytes"] == pytest.approx(written, rel=0.35)
    (tmp_path / "out" / "obj" / "s0001.obj").unlink()
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    capsys.readouterr()
    assert cli.run([*call, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["estimate"]["views"] == 2
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before
    assert cli.run([*call, "--dry-run", "--verify"]) == 2
    assert "--dry-run and --verify: expected one of them" in capsys.readouterr().err


def test_images_that_nerfstudio_has_copied_are_counted() -> None:
    channels = ("rgb", "mask", "depth")
    linked = estimates.view_bytes(channels, "exr", Formats(("folder", "nerfstudio")), 100)
    copied = estimates.view_bytes(channels, "exr", Formats(("folder", "nerfstudio"), copies_images=True), 100)
    figures = estimates.BYTES_A_PIXEL
    assert copied - linked == pytest.approx((figures["rgb"] + figures["mask"]) * 100**2)
    assert estimates.view_bytes(channels, "exr", Formats(("folder",), copies_images=True), 100) < linked


def test_the_cloud_of_a_nerfstudio_scene_is_counted_where_depth_is_written() -> None:
    """22,257 points of 8 views at 256 x 256 px of the demo, of 39 bytes each."""
    scene = Formats(("folder", "nerfstudio"))
    assert scene.scene_bytes(("rgb", "depth"), 8, 256) == pytest.approx(22257 * 39, rel=0.3)
    assert scene.scene_bytes(("rgb", "mask"), 8, 256) == 0
    assert Formats(("folder", "coco")).scene_bytes(("rgb", "depth"), 8, 256) == 0


@pytest.mark.parametrize("images", ["linked", "copied", "rgba"])
def test_a_dry_run_counts_what_nerfstudio_is_given(
    images: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["render", "--seeds", "0-3", "--resolution", "64", "--channels", "rgb,mask", "--format", "nerfstudio"]
    call += ["--nerfstudio-images", images, "-o", str(tmp_path / "out")]
    assert cli.run([*call, "--dry-run", "--json"]) == 0
    estimate = json.loads(capsys.readouterr().out.splitlines()[-1])["estimate"]
    assert cli.run(call) == 0
    pictures = [path.stat().st_size for path in (tmp_path / "out").rglob("*.png") if path.name != "contact-sheet.png"]
    assert len(pictures) == 24 * (1 if images == "linked" else 2)
    assert estimate["bytes"] == pytest.approx(sum(pictures), rel=0.35)


@pytest.mark.parametrize("command", ["pointcloud", "mesh"])
def test_clouds_and_meshes_are_seen_by_the_cameras_of_a_file(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    config = Model.load(model).config.cameras
    call = [command, "--model", str(model), "--seeds", "0", "--resolution", "16"]
    call += ["--nodes", "16", "--level", "0", "--format", "ply"] if command == "mesh" else []
    arc = list(arc_cameras(config, (-180, 180), count=8))
    path = cameras_file(tmp_path, *arc[:3])

    def written(name: str, *args: str) -> bytes:
        assert cli.run([*call, *args, "-o", str(tmp_path / name)]) == 0
        return (tmp_path / name / "ply" / "s0000.ply").read_bytes()

    given = written("given", "--cameras", str(path))
    arc_bytes = written("arc")
    assert command == "mesh" or given != arc_bytes  # of one tone, the tiny model's box is painted alike by all
    plan = json.loads((tmp_path / "given" / "dataset.json").read_text())["plan"]
    assert (plan["views"], len(plan["given_cameras_sha256"])) == (3, 64)
    path.write_text(json.dumps(cameras_to_json(arc)))
    assert written("whole", "--cameras", str(path)) == arc_bytes
    capsys.readouterr()
    assert cli.run([*call, "--cameras", str(path), "-o", str(tmp_path / "given")]) == 1
    assert "holds the results of another call" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["pointcloud", "mesh"])
def test_cameras_of_clouds_and_meshes_are_checked_as_those_of_renders(
    command: str, inputs_dir: Path, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [command, "--seeds", "0", "-o", str(tmp_path / "out"), "--dry-run"]
    pixels = inputs_dir / "cameras-pixel-intrinsics.json"
    away = cameras_file(tmp_path, Camera(look_at((0, 0, 2.7), (0, 0, 5)), CAMERA.intrinsics))
    for args, message in (
        (["--cameras", str(pixels)], "expected intrinsics normalised by the image size, found pixels"),
        (["--cameras", str(away)], "expected a camera that sees "),
        (["--cameras", str(away), "--yaw", "0:5"], "--yaw: expected none beside --cameras"),
        (["--cameras-up", "z"], "--cameras-up z: expected --cameras beside it, found none"),
    ):
        assert cli.run([*call, *args]) == 2
        assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_sample_tells_its_plan_too(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["sample", "--model", str(tiny_model), "--labels", "hood", "--subjects", "3", "--views", "2", "--dry-run", "--json"]
    assert cli.run([*call, "-o", str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out").exists()
    estimate = json.loads(capsys.readouterr().out.splitlines()[-1])["estimate"]
    assert (estimate["views"], estimate["files"]) == (6, 12)


def test_what_takes_a_month_is_told_before_work_and_a_small_call_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "free_bytes", lambda output: 10**15)
    (remark,) = weighed(Estimate(300_000, 900_000, 1.2e12, 40 * 86400), tmp_path, "300000 views", ignored=False)
    assert remark == f"{tmp_path}: about 1.2 TB and 40 days for 300000 views; --dry-run measures it and writes nothing"
    assert weighed(Estimate(24, 72, 1e6, 5.0), tmp_path, "24 views", ignored=False) == []


def test_a_disk_that_is_far_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "free_bytes", lambda output: 4 * 10**9)
    with pytest.raises(OutputError, match=r"expected about 10 GB of free disk, found 4 GB; .* --ignore-disk-space"):
        check_disk(Estimate(1, 1, 1e10, 1.0), tmp_path, ignored=False)
    check_disk(Estimate(1, 1, 1e10, 1.0), tmp_path, ignored=True)
    check_disk(Estimate(1, 1, 7e9, 1.0), tmp_path, ignored=False)


def test_costs_have_two_digits() -> None:
    assert [size_text(v) for v in (512, 1234, 9.96e8, 1.25e12)] == ["512 bytes", "1.2 kB", "1,000 MB", "1.2 TB"]
    assert [time_text(v) for v in (0.0, 4.56, 200, 7300, 3.5e6)] == [
        "0 seconds",
        "4.6 seconds",
        "3.3 minutes",
        "2 hours",
        "41 days",
    ]


def test_every_channel_has_a_figure() -> None:
    assert set(CHANNELS) <= set(estimates.BYTES_A_PIXEL)
