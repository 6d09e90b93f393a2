"""`transforms.json` read as NeRF programs read it: OpenGL camera to world, intrinsics in pixels, depth in millimetres."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import plyfile
import pytest
from PIL import Image

from dnerf_core.files.pictures import read_depth
from headless import cli
from tests.headless.fake_engine import SIZE_PX, FakeModel
from tests.headless.test_render import contents, error_line, render, snapshot

POINT = (0.21, -0.13, 0.17)


class Scene:
    """A reader of one transforms.json that knows nothing of this project: images, depth in world units, projection of world points."""

    def __init__(self, path: Path) -> None:
        self.data = json.loads(path.read_text())
        self.root = path.parent

    def __len__(self) -> int:
        return len(self.data["frames"])

    def image(self, k: int) -> np.ndarray:
        with Image.open(self.root / self.data["frames"][k]["file_path"]) as image:
            assert image.size == (self.data["w"], self.data["h"])
            return np.asarray(image)

    def depth(self, k: int) -> np.ndarray:
        with Image.open(self.root / self.data["frames"][k]["depth_file_path"]) as image:
            return np.asarray(image).astype(float) * 1e-3

    def project(self, k: int, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (column, row) and distance along the axis of points [..., 3], a camera that looks down -z with y up."""
        world_to_camera = np.linalg.inv(np.array(self.data["frames"][k]["transform_matrix"]))
        x, y, z = np.moveaxis(np.asarray(point) @ world_to_camera[:3, :3].T + world_to_camera[:3, 3], -1, 0)
        column = self.data["fl_x"] * x / -z + self.data["cx"]
        row = self.data["fl_y"] * -y / -z + self.data["cy"]
        return np.stack([column, row], axis=-1), -z

    def unproject(self, k: int, rows: np.ndarray, columns: np.ndarray, depth: np.ndarray) -> np.ndarray:
        x = (columns + 0.5 - self.data["cx"]) / self.data["fl_x"]
        y = -(rows + 0.5 - self.data["cy"]) / self.data["fl_y"]
        pose = np.array(self.data["frames"][k]["transform_matrix"])
        return np.stack([x, y, -np.ones_like(x)], axis=-1) * depth[:, None] @ pose[:3, :3].T + pose[:3, 3]


def test_a_known_point_lands_within_half_a_pixel(fake_model: FakeModel, tmp_path: Path) -> None:
    fake_model.point = POINT
    call = ["--format", "nerfstudio", "--yaw", "-70:70", "--pitch", "-10:40", "--random-views", "--views", "7"]
    assert cli.run(["render", "--seeds", "0-2", *call, "--resolution", "96", "-o", str(tmp_path)]) == 0
    scenes = json.loads((tmp_path / "nerfstudio" / "scenes.json").read_text())["scenes"]
    assert [(scene["seed"], scene["views"]) for scene in scenes] == [(0, 7), (1, 7), (2, 7)]
    mirrored = 0
    for entry in scenes:
        scene = Scene(tmp_path / "nerfstudio" / entry["file"])
        assert len(scene) == 7
        for k in range(7):
            rows, columns = np.nonzero((scene.image(k) == 255).all(axis=-1))
            assert len(rows) == 1
            centre = np.array([columns[0] + 0.5, rows[0] + 0.5])
            assert np.abs(scene.project(k, np.array(POINT))[0] - centre).max() <= 0.5
            # the wrong reading, OpenCV axes for OpenGL ones, misses
            scene.data["frames"][k]["transform_matrix"] = (
                np.array(scene.data["frames"][k]["transform_matrix"]) @ np.diag([1, -1, -1, 1])
            ).tolist()
            mirrored += bool(np.abs(scene.project(k, np.array(POINT))[0] - centre).max() > 0.5)
    assert mirrored == 21


def test_depth_is_planar_in_millimetres(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path, "--format", "nerfstudio") == 0
    scene = Scene(tmp_path / "nerfstudio" / "s0001" / "transforms.json")
    depth = read_depth(tmp_path / "depth" / "s0001_v01.exr")
    np.testing.assert_allclose(scene.depth(1), np.where(np.isinf(depth), 0, depth), atol=0.5e-3 + 1e-7)
    assert (scene.depth(1)[np.isinf(depth)] == 0).all()
    assert scene.data["frames"][1]["label_path"] == "../../masks/s0001_v01.png"
    assert (scene.root / scene.data["frames"][1]["label_path"]).is_file()
    assert scene.data["integer_depth_scale"] == 1e-3
    assert (scene.data["cx"], scene.data["cy"]) == (SIZE_PX / 2, SIZE_PX / 2)


def test_the_real_engine_is_consistent_between_views(tmp_path: Path) -> None:
    """Surface points of one view of the demo car, read from its files alone, lie on the surface that another view shows."""
    call = ["render", "--seeds", "3", "--views", "3", "--yaw", "-15:15", "--format", "nerfstudio", "--resolution", "128"]
    assert cli.run([*call, "-o", str(tmp_path)]) == 0
    scene = Scene(tmp_path / "nerfstudio" / "s0003" / "transforms.json")
    depth = scene.depth(0)
    rows, columns = np.nonzero(depth)
    points = scene.unproject(0, rows, columns, depth[rows, columns])
    pixel, distance = scene.project(1, points)
    column, row = np.floor(pixel).astype(int).T
    seen = scene.depth(1)[row, column]
    error = np.abs(distance - seen)[seen > 0]
    assert (seen > 0).mean() > 0.9
    assert np.median(error) < 0.01  # of a car of length 1
    assert (error < 0.05).mean() > 0.8


def parsed(path: Path, split: str) -> dict[str, list[Path]]:
    """The files that nerfstudio 1.1.5 gives a split ("train", "val", "test"): the rules of its parser, in order.

    Frames by the names of their images; depth of all frames or of none; where a split's views are named, each must be a frame's, and a
    split that is not named is an error; else ceil(0.9 n) of n views, evenly, are for training, and the others for both others.
    """
    meta = json.loads(path.read_text())
    frames = sorted(meta["frames"], key=lambda frame: path.parent / frame["file_path"])
    images = [path.parent / frame["file_path"] for frame in frames]
    depths = [path.parent / frame["depth_file_path"] for frame in frames if "depth_file_path" in frame]
    masks = [path.parent / frame["mask_path"] for frame in frames if "mask_path" in frame]
    assert len(depths) in (0, len(images)) and len(masks) in (0, len(images))
    if f"{split}_filenames" in meta:
        named = {path.parent / name for name in meta[f"{split}_filenames"]}
        assert named <= set(images)
        chosen = [k for k, image in enumerate(images) if image in named]
    else:
        assert not any(f"{other}_filenames" in meta for other in ("train", "val", "test"))
        trained = np.linspace(0, len(images) - 1, math.ceil(0.9 * len(images)), dtype=int).tolist()
        chosen = trained if split == "train" else sorted(set(range(len(images))) - set(trained))
    return {"images": [images[k] for k in chosen], "depth": [depths[k] for k in chosen if depths], "masks": masks}


@pytest.mark.parametrize(("views", "held"), [(1, 0), (2, 0), (3, 1), (9, 1), (10, 1), (25, 2)])
def test_every_split_of_a_scene_has_views(views: int, held: int, fake_model: FakeModel, tmp_path: Path) -> None:
    yaw = ["--yaw", "0"] if views == 1 else []
    assert cli.run(["render", "--seeds", "4", "--views", str(views), *yaw, "--format", "nerfstudio", "-o", str(tmp_path)]) == 0
    path = tmp_path / "nerfstudio" / "s0004" / "transforms.json"
    splits = {split: parsed(path, split) for split in ("train", "val", "test")}
    train, val, test = (set(splits[split]["images"]) for split in ("train", "val", "test"))
    assert val == test and len(val) == (held or views) and len(train) == views - held and len(train | val) == views
    assert not held or not train & val
    for files in splits.values():
        assert len(files["depth"]) == len(files["images"]) and not files["masks"]
        assert all(file.is_file() for file in (*files["images"], *files["depth"]))
    # without the names fewer than ten views leave none to test on
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in meta.items() if not key.endswith("_filenames")}))
    assert len(parsed(path, "test")["images"]) == (0 if views < 10 else views - math.ceil(0.9 * views))


def test_both_programs_find_the_depth(fake_model: FakeModel, tmp_path: Path) -> None:
    """instant-ngp reads `depth_path` by `integer_depth_scale`; 16-bit depth of the data set itself serves both."""
    for kind, place in (("exr", "depth/"), ("png16", "../../depth/")):
        assert render(tmp_path / kind, "--format", "nerfstudio", "--depth-format", kind) == 0
        scene = Scene(tmp_path / kind / "nerfstudio" / "s0001" / "transforms.json")
        frame = scene.data["frames"][1]
        assert frame["depth_path"] == frame["depth_file_path"] == f"{place}s0001_v01.png"
        with Image.open(scene.root / frame["depth_path"]) as image:
            steps = np.asarray(image) * scene.data["integer_depth_scale"]
        (depth,) = (tmp_path / kind / "depth").glob("s0001_v01.*")
        expected = read_depth(depth)
        np.testing.assert_allclose(steps, np.where(np.isinf(expected), 0, expected), atol=0.5e-3 + 1e-7)


def test_images_are_copied_or_have_alpha(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = {}
    for kind in ("linked", "copied", "rgba"):
        call = ["--format", "nerfstudio", "--nerfstudio-images", kind]
        assert render(tmp_path / kind, *call) == 0
        before = snapshot(tmp_path / kind)
        assert render(tmp_path / kind, *call) == 0
        assert snapshot(tmp_path / kind) == before
        # a scene that has all it names can be moved
        scenes[kind] = tmp_path / f"moved-{kind}" if kind != "linked" else tmp_path / kind / "nerfstudio" / "s0001"
        if kind != "linked":
            shutil.copytree(tmp_path / kind / "nerfstudio" / "s0001", scenes[kind])
            shutil.rmtree(tmp_path / kind)
    linked, copied, rgba = (Scene(scenes[kind] / "transforms.json") for kind in ("linked", "copied", "rgba"))
    np.testing.assert_array_equal(copied.image(1), linked.image(1))
    np.testing.assert_array_equal(rgba.image(1)[..., :3], linked.image(1))
    with Image.open(copied.root / copied.data["frames"][1]["label_path"]) as image:
        mask = np.asarray(image)
    outline = (linked.depth(1) > 0) & (mask != 0)
    np.testing.assert_array_equal(rgba.image(1)[..., 3], 255 * outline)
    assert 0 < outline.mean() < 1
    assert render(tmp_path / "linked", "--format", "nerfstudio", "--nerfstudio-images", "rgba") == 1
    assert "expected images rgba, as --nerfstudio-images says, found scenes with images linked; delete" in error_line(capsys)
    wrong = ["--format", "nerfstudio", "--nerfstudio-images", "rgba", "--channels", "rgb"]
    assert render(tmp_path / "a", *wrong) == 2
    assert "--nerfstudio-images rgba: expected mask or depth among the channels, found rgb; add one" in error_line(capsys)


def test_the_fused_cloud_is_there_to_begin_with(tmp_path: Path) -> None:
    """In the world of the poses: its points lie where another view shows the subject."""
    call = ["render", "--seeds", "3", "--views", "3", "--yaw", "-15:15", "--format", "nerfstudio", "--resolution", "96"]
    assert cli.run([*call, "-o", str(tmp_path)]) == 0
    scene = Scene(tmp_path / "nerfstudio" / "s0003" / "transforms.json")
    vertex = plyfile.PlyData.read(scene.root / scene.data["ply_file_path"])["vertex"]
    points = np.stack([vertex[axis] for axis in "xyz"], axis=-1)
    assert len(points) > 500 and {"red", "green", "blue"} <= {p.name for p in vertex.properties}
    column, row = np.floor(scene.project(1, points)[0]).astype(int).T
    assert (scene.depth(1)[row, column] > 0).mean() > 0.95


def test_a_scene_without_a_surface_has_no_cloud(fake_model: FakeModel, tmp_path: Path) -> None:
    fake_model.empty = True
    assert render(tmp_path, "--format", "nerfstudio") == 0
    scene = Scene(tmp_path / "nerfstudio" / "s0001" / "transforms.json")
    assert "ply_file_path" not in scene.data and not (scene.root / "points.ply").exists()


def test_scenes_are_finished_and_independent_of_parts(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["render", "--seeds", "0-5", "--views", "2", "--format", "nerfstudio", "--splits", "train=0.7,test=0.3"]
    assert cli.run([*call, "-o", str(tmp_path / "whole")]) == 0
    for number in (2, 1):
        assert cli.run([*call, "--shard", f"{number}/2", "--workers", "2", "-o", str(tmp_path / "parts")]) == 0
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "parts") == whole
    scene = tmp_path / "parts" / "train" / "nerfstudio"
    (scene / "scenes.json").unlink()
    (scene / "s0000" / "depth" / "s0000_v01.png").unlink()
    (scene / "s0000" / "depth" / ".tmp-77-s0000_v01.png").write_bytes(b"half")
    (scene / "s0000" / ".tmp-77-transforms.json").write_bytes(b"half")
    made = len(fake_model.subjects_made)
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert contents(tmp_path / "parts") == whole
    assert len(fake_model.subjects_made) == made
    before = snapshot(tmp_path / "parts")
    assert cli.run([*call, "-o", str(tmp_path / "parts")]) == 0
    assert snapshot(tmp_path / "parts") == before


def test_a_format_can_be_added_to_views_that_are_there(fake_model: FakeModel, tmp_path: Path) -> None:
    assert render(tmp_path / "a") == 0
    made = len(fake_model.views_made)
    assert render(tmp_path / "a", "--format", "folder,nerfstudio") == 0
    assert len(fake_model.views_made) == made
    assert render(tmp_path / "b", "--format", "nerfstudio") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--format", "nerf"], "expected formats among folder"),
        (["--format", "nerfstudio", "--channels", "mask"], "--format nerfstudio: expected rgb among the channels, found no rgb"),
    ],
)
def test_formats_that_are_none_are_refused(
    args: list[str], message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", *args) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_the_size_of_instant_ngps_scene_is_written_where_it_is_chosen(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--format", "nerfstudio"]
    assert render(tmp_path / "plain", *call) == 0
    assert "aabb_scale" not in Scene(tmp_path / "plain" / "nerfstudio" / "s0001" / "transforms.json").data
    assert render(tmp_path / "set", *call, "--aabb-scale", "4") == 0
    assert Scene(tmp_path / "set" / "nerfstudio" / "s0001" / "transforms.json").data["aabb_scale"] == 4
    before = snapshot(tmp_path / "set")
    assert render(tmp_path / "set", *call, "--aabb-scale", "4") == 0
    assert snapshot(tmp_path / "set") == before
    assert render(tmp_path / "set", *call, "--aabb-scale", "8") == 1
    assert "expected aabb_scale 8, as --aabb-scale says, found scenes with 4; delete" in error_line(capsys)
    assert render(tmp_path / "a", *call, "--aabb-scale", "3") == 2
    assert "--aabb-scale: expected a power of 2 from 1 to 128, found 3" in error_line(capsys)
    assert render(tmp_path / "a", "--aabb-scale", "2") == 2
    assert "--aabb-scale 2: expected --format nerfstudio beside it, found folder" in error_line(capsys)
