"""Files of cameras of other programs, read: poses, lenses, worlds, faults. Numbers of COLMAP are those that pycolmap 4.2.1 gives."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import Camera, cameras_from_json, cameras_to_json, sphere_camera
from dnerf_core.errors import UsageError
from dnerf_core.files.camera_files.matching import view_of_picture
from dnerf_core.files.camera_files.registry import read_camera_file
from dnerf_core.files.camera_files.turning import FILE_UPS, FileUp, leaning, turned
from dnerf_core.files.camera_files.views import CameraFile, FileView
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet

FILES = Path(__file__).parent / "files" / "cameras"
POINTS = np.array([[0.1, 0.2, 0.3], [-0.5, 0.3, 0.2], [0.0, 0.0, 0.0]])
CAMERA = sphere_camera(math.radians(30), math.radians(15), radius=3.5, focal=1.7)
OPENGL = (CAMERA.cam2world @ np.diag([1.0, -1.0, -1.0, 1.0])).tolist()
NAN_POSE = [[math.nan, *OPENGL[0][1:]], *OPENGL[1:]]


def written(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def read_one(path: Path) -> FileView:
    file = read_camera_file(path)
    assert len(file.names) == 1
    return file.view(0)


def same(found: Camera, expected: Camera, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found.cam2world, expected.cam2world, atol=tolerance)
    np.testing.assert_allclose(found.intrinsics, expected.intrinsics, atol=tolerance)


def nerfstudio(**more: Any) -> dict[str, Any]:
    lens = {
        "w": 256,
        "h": 256,
        "fl_x": 435.2,
        "fl_y": 435.2,
        "cx": 128.0,
        "cy": 128.0,
        "camera_model": "OPENCV",
        "k1": 0.0,
        "p2": 0,
    }
    frame = {"file_path": "images/a.png", "transform_matrix": OPENGL}
    return lens | {"frames": [frame]} | more


# transforms.json


def test_a_nerfstudio_file_gives_its_cameras(tmp_path: Path) -> None:
    file = read_camera_file(written(tmp_path / "any name.txt", nerfstudio()))
    assert file.names == ("images/a.png",)
    assert file.view(0).size_px == (256, 256)
    same(file.view(0).camera, CAMERA)


def test_a_frame_may_tell_its_own_lens(tmp_path: Path) -> None:
    data = nerfstudio()
    lens = {key: data.pop(key) for key in ("w", "h", "fl_x", "fl_y", "cx", "cy")}
    data["frames"] = [{**data["frames"][0], **lens}, {**data["frames"][0], **lens, "fl_x": 512.0}]
    file = read_camera_file(written(tmp_path / "transforms.json", data))
    same(file.view(0).camera, CAMERA)
    assert file.view(1).camera.intrinsics[0, 0] == 2.0


def test_a_pose_of_three_rows_has_the_fourth(tmp_path: Path) -> None:
    data = nerfstudio(frames=[{"file_path": "a", "transform_matrix": OPENGL[:3]}])
    same(read_one(written(tmp_path / "t.json", data)).camera, CAMERA)


def test_a_nerf_file_has_an_angle_and_square_pictures(tmp_path: Path) -> None:
    data = {"camera_angle_x": 2 * math.atan(0.5 / 1.7), "frames": [{"file_path": "./train/r_0", "transform_matrix": OPENGL}]}
    view = read_one(written(tmp_path / "transforms_train.json", data))
    assert view.size_px is None
    same(view.camera, CAMERA)


@pytest.mark.parametrize(
    "more", [{"aabb_scale": 16, "scale": 0.33, "offset": [0.5, 0.5, 0.5]}, {"applied_transform": OPENGL[:3]}]
)
def test_what_programs_do_to_poses_for_themselves_is_not_applied(more: dict[str, Any], tmp_path: Path) -> None:
    same(read_one(written(tmp_path / "t.json", nerfstudio(**more))).camera, CAMERA)


def test_an_instant_ngp_file_has_one_angle_for_both_sides_of_a_wide_picture(tmp_path: Path) -> None:
    data = {"camera_angle_x": 2 * math.atan(0.5 / 1.7), "w": 320, "h": 160, "frames": nerfstudio()["frames"]}
    view = read_one(written(tmp_path / "t.json", data))
    np.testing.assert_allclose(view.camera.intrinsics, [[1.7, 0, 0.5], [0, 3.4, 0.5], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(view.squared("pad").intrinsics, CAMERA.intrinsics, atol=1e-12)
    np.testing.assert_allclose(view.squared("crop").intrinsics, [[3.4, 0, 0.5], [0, 3.4, 0.5], [0, 0, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k1": 0.1}, "k1: expected no distortion, found 0.1; undistort the pictures first"),
        ({"camera_model": "OPENCV_FISHEYE"}, "camera_model: expected a pinhole, found 'OPENCV_FISHEYE'"),
        ({"is_fisheye": True}, "is_fisheye: expected a pinhole, found True"),
        ({"w": None}, "expected both w and h, found one of them"),
        ({"w": None, "h": None}, "expected w and h beside intrinsics in pixels, found neither"),
        ({"fl_x": "437"}, "fl_x: expected a finite number, found '437'"),
        ({"fl_x": math.nan}, "fl_x: expected a finite number, found nan"),
        ({"fl_x": 1e-300}, "intrinsics: expected focal lengths from 0.001 to 100000 of the image's sides, found fx 3.90625e-303"),
        ({"w": 256.5}, "w: expected whole pixels from 1 to 1000000, found 256.5"),
        ({"frames": []}, "frames: expected a list of at least one view, found []"),
        ({"frames": [{"file_path": "a"}]}, "frames[0]: expected an object with a transform_matrix"),
        (
            {"frames": [{"file_path": "a", "transform_matrix": NAN_POSE}]},
            "frames[0] 'a': transform_matrix: expected finite numbers",
        ),
        ({"frames": [{"file_path": "a", "transform_matrix": np.diag([2.0, 2, 2, 1]).tolist()}]}, "expected orthonormal axes"),
        (
            {"frames": [{"file_path": "a", "transform_matrix": np.diag([1.0, 1, -1, 1]).tolist()}]},
            "expected a right-handed rotation",
        ),
        (
            {"frames": [{"file_path": "a", "transform_matrix": OPENGL, "fl_x": 1.0}]},
            "fl_x: expected it once, found 435.2 for all",
        ),
    ],
)
def test_a_transforms_file_that_is_no_pinhole_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_one(written(tmp_path / "transforms.json", nerfstudio(**change)))
    assert str(caught.value).startswith(str(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# camera_path.json


def camera_path(**more: Any) -> dict[str, Any]:
    fov = math.degrees(2 * math.atan(0.5 / 1.7))
    view = {"camera_to_world": np.array(OPENGL).ravel().tolist(), "fov": fov, "aspect": 1}
    return {
        "keyframes": [],
        "camera_type": "perspective",
        "render_width": 640,
        "render_height": 640,
        "camera_path": [view],
    } | more


def test_a_camera_path_has_rows_and_a_vertical_angle(tmp_path: Path) -> None:
    file = read_camera_file(written(tmp_path / "p.json", camera_path()))
    assert file.render_px == (640, 640)
    same(file.view(0).camera, CAMERA)


def test_the_angle_of_a_wide_camera_path_is_that_of_its_height(tmp_path: Path) -> None:
    view = read_one(written(tmp_path / "p.json", camera_path(render_width=1280)))
    np.testing.assert_allclose(view.camera.intrinsics, [[0.85, 0, 0.5], [0, 1.7, 0.5], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(view.squared("pad").intrinsics, [[0.85, 0, 0.5], [0, 0.85, 0.5], [0, 0, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"camera_path": []}, "camera_path: expected a list of at least one view"),
        ({"camera_type": "equirectangular"}, "camera_type: expected perspective, found 'equirectangular'"),
        ({"render_width": None}, "expected render_width and render_height, found not both"),
        ({"camera_path": [{"camera_to_world": np.array(OPENGL).T.ravel().tolist(), "fov": 50}]}, "is the matrix transposed?"),
        ({"camera_path": [{"camera_to_world": [1.0] * 12, "fov": 50}]}, "camera_to_world"),
        (
            {"camera_path": [{"camera_to_world": np.array(OPENGL).ravel().tolist(), "fov": 180}]},
            "between 0 and 180 degrees, found 180",
        ),
        ({"camera_path": [{"camera_to_world": np.array(OPENGL).ravel().tolist()}]}, "expected fov"),
    ],
)
def test_a_camera_path_that_cannot_be_followed_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_one(written(tmp_path / "camera_path.json", camera_path(**change)))
    assert message in str(caught.value)


# COLMAP


@pytest.mark.parametrize("name", ["", "cameras.txt", "images.txt"])
def test_a_colmap_model_projects_as_pycolmap_does(name: str) -> None:
    file = read_camera_file(FILES / "colmap" / name)
    assert file.names == ("cars/a.png", "cars/b.png", "cars/c d.png")
    expected = {  # Image.project_point of POINTS, pixels
        "cars/a.png": [[157.79086622488902, 105.76276487225383], [89.46683369479467, 84.96936837447407], [159.0, 121.0]],
        "cars/b.png": [[159.85729111101725, 109.30013825030166], [79.70957650465823, 101.8626504964322], [128.0, 128.0]],
        "cars/c d.png": [[93.28413052441833, 100.4370548222229], [151.93000288991806, 81.93079060869742], [128.0, 128.0]],
    }
    for index, view_name in enumerate(file.names):
        view = file.view(index)
        assert view.size_px is not None
        np.testing.assert_allclose(view.camera.project(POINTS)[0] * view.size_px, expected[view_name], atol=1e-9)
    np.testing.assert_allclose(
        file.view(1).camera.position, [-1.6903701960058697, 0.9058666578588226, 2.927807063082329], atol=1e-12
    )


def test_a_colmap_model_may_have_points_or_leave_their_lines_out(tmp_path: Path) -> None:
    text = (FILES / "colmap" / "images.txt").read_text()
    (tmp_path / "cameras.txt").write_bytes((FILES / "colmap" / "cameras.txt").read_bytes())
    for number, changed in enumerate((text.replace(".png\n\n", ".png\n1.5 2.5 7 3.25 4.5 -1\n"), text.replace("\n\n", "\n"))):
        assert changed != text
        (tmp_path / "images.txt").write_text(changed)
        assert read_camera_file(tmp_path).names == ("cars/a.png", "cars/b.png", "cars/c d.png"), number


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("cameras.txt", "430 128 128 0 0 0 0", "430 128 128 0.1 0 0 0", "line 6: k1: expected no distortion, found 0.1"),
        ("cameras.txt", "3 OPENCV 256 256", "3 OPENCV_FISHEYE 256 256", "line 6: expected a pinhole, such as SIMPLE_PINHOLE or"),
        ("cameras.txt", "437 128 128", "437 128", "line 4: expected 3 parameters of SIMPLE_PINHOLE, f cx cy, found 2"),
        ("cameras.txt", "1 SIMPLE", "9 SIMPLE", "expected a camera of cameras.txt, found 1"),
        ("images.txt", "0.9576621969", "1.9576621969", "line 5: 'cars/b.png': expected a unit quaternion"),
        ("images.txt", "3.5 2", "1e308 2", "line 7: 'cars/a.png': expected a camera within 1e+06"),
        ("images.txt", "2 cars/a.png", "cars/a.png", "line 7: expected IMAGE_ID QW"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_colmap_model_that_cannot_be_used_is_refused(file: str, old: str, new: str, message: str, tmp_path: Path) -> None:
    for name in ("cameras.txt", "images.txt"):
        text = (FILES / "colmap" / name).read_text()
        assert name != file or old in text
        (tmp_path / name).write_text(text.replace(old, new) if name == file else text)
    with pytest.raises(UsageError) as caught:
        views = read_camera_file(tmp_path)
        for index in range(len(views.names)):
            views.view(index)
    assert message in str(caught.value)


def test_a_folder_of_a_binary_model_names_the_conversion(tmp_path: Path) -> None:
    (tmp_path / "cameras.bin").write_bytes(b"1")
    with pytest.raises(UsageError, match=r"found cameras\.bin; convert it by colmap model_converter --output_type TXT"):
        read_camera_file(tmp_path)


# dataset.json, cameras.json


def test_labels_of_eg3d_are_cameras_by_name(tmp_path: Path) -> None:
    labels = [
        ["00000/img00000000.png", CAMERA.conditioning().tolist()],
        ["00000/img00000001.png", CAMERA.conditioning().tolist()],
    ]
    file = read_camera_file(written(tmp_path / "dataset.json", {"labels": labels}))
    assert file.names == ("00000/img00000000.png", "00000/img00000001.png")
    same(file.view(1).camera, CAMERA, 1e-6)


def test_our_own_file_keeps_every_bit(tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", cameras_to_json([CAMERA], ["v"]) | {"image_size_px": [256, 256]})
    view = read_one(path)
    assert view.squared("crop").cam2world.tolist() == CAMERA.cam2world.tolist()
    assert view.squared("crop").intrinsics.tolist() == CAMERA.intrinsics.tolist()


def test_our_own_views_that_were_cut_out_of_squares_become_squares_again(tmp_path: Path) -> None:
    cut = Camera(CAMERA.cam2world, np.array([[1.7, 0, 0.5], [0, 3.4, 0.5], [0, 0, 1]]))
    path = written(tmp_path / "c.json", cameras_to_json([cut], ["v"]) | {"image_size_px": [256, 128]})
    same(read_one(path).squared("pad"), CAMERA)


@pytest.mark.parametrize("data", [{"labels": [], "ignore": 255}, {"format": "datasetnerf-dataset", "plan": {}}, {}])
def test_another_json_is_told_what_would_do(data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"other\.json: expected a cameras\.json, a transforms\.json, .*, found an object with"):
        read_camera_file(written(tmp_path / "other.json", data))


# what numbers may be, in every door


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cameras-pixel-intrinsics.json",
            "views[0] 's0000_v00': intrinsics: expected intrinsics normalised by the image size, found pixels, fx 437, fy 437 and the "
            "centre (128, 128); divide the first row by the image's width and the second by its height",
        ),
        (
            "cameras-focal-1e-300.json",
            "views[0] 's0000_v00': intrinsics: expected focal lengths from 0.001 to 100000 of the image's sides, found fx 1e-300 and fy "
            "1.7074; correct them",
        ),
    ],
)
@pytest.mark.filterwarnings("error")
def test_intrinsics_that_are_no_normalised_ones_are_told(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_camera_file(FILES / name)
    assert str(caught.value) == f"{FILES / name}: {message}"


@pytest.mark.parametrize("value", [1e308, -1e308, 1e7])
@pytest.mark.filterwarnings("error")
def test_a_position_far_away_is_told(value: float) -> None:
    pose = CAMERA.cam2world.copy()
    pose[1, 3] = value
    with pytest.raises(UsageError, match=r"'v': cam2world: expected a position within 1e\+06 of the origin, found") as caught:
        cameras_from_json({"version": 1, "views": [{"name": "v", "cam2world": pose.tolist(), "intrinsics": np.eye(3).tolist()}]})
    assert f"found {value:g}" in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_axes_of_1e308_are_no_rotation() -> None:
    with pytest.raises(UsageError, match="expected orthonormal axes"):
        Camera(np.diag([1e308, 1.0, 1.0, 1.0]), CAMERA.intrinsics)


def test_long_lenses_and_small_cuts_are_no_pixels() -> None:
    for lens in ([[100.0, 0, 0.5], [0, 100.0, 0.5], [0, 0, 1]], [[15.0, 0, 6.0], [0, 15.0, -3.0], [0, 0, 1]]):
        assert Camera.from_json({"cam2world": CAMERA.cam2world.tolist(), "intrinsics": lens}).intrinsics.tolist() == lens


# worlds


@pytest.mark.parametrize("world_up", ["y", "z"])
@pytest.mark.parametrize("file_up", FILE_UPS)
def test_a_turned_camera_has_the_files_up_upwards(file_up: FileUp, world_up: Any) -> None:
    up = np.zeros(3)
    up["xyz".index(file_up[-1])] = -1.0 if file_up[0] == "-" else 1.0
    pose = np.eye(4)
    pose[:3, 1] = -up  # the image's down is the world's
    pose[:3, 2] = np.roll(np.abs(up), 1)
    pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
    found = turned(Camera(pose, CAMERA.intrinsics), file_up, world_up)
    expected = [0.0, 1.0, 0.0] if world_up == "y" else [0.0, 0.0, 1.0]
    np.testing.assert_allclose(-found.cam2world[:3, 1], expected, atol=1e-15)
    assert np.linalg.det(found.cam2world[:3, :3]) == pytest.approx(1.0)


def test_blenders_front_of_a_z_up_world_is_the_engines() -> None:
    front = sphere_camera(0.0, 0.3, radius=3.0, focal=1.7, world_up="z")
    same(turned(front, "z", "y"), sphere_camera(0.0, 0.3, radius=3.0, focal=1.7, world_up="y"))


def test_pictures_that_lean_to_another_axis_are_told_from_raised_ones() -> None:
    def ring(up: Any, pitch_deg: float) -> list[Camera]:
        yaws = np.radians([-40, 0, 40])
        return [sphere_camera(yaw, math.radians(pitch_deg), radius=3, focal=1.7, world_up=up) for yaw in yaws]

    assert leaning(ring("z", 15), "y") == "z"
    assert leaning(ring("y", 15), "z") == "y"
    assert leaning(ring("y", 60), "y") is None
    assert leaning([turned(camera, "-y", "y") for camera in ring("y", 15)], "y") == "-y"


# names


def file_of(*names: str) -> CameraFile:
    return CameraFile(Path("dataset.json"), "test", names, lambda index: FileView(CAMERA))


@pytest.mark.parametrize(
    ("picture", "index"),
    [
        ("img1.png", 1),
        ("photos/img1.png", 1),
        ("00001/img2.png", 3),
        ("x/00000/img2.png", 2),
        ("img4.jpg", 4),
        ("s0003_v01.png", 5),
        ("a.b.png", 6),
    ],
)
def test_a_picture_finds_its_view_by_its_name(picture: str, index: int) -> None:
    file = file_of("00000/img0.png", "00000\\img1.png", "00000/img2.png", "00001/img2.png", "./img4", "s0003_v01", "a.b")
    assert view_of_picture(file, Path(picture)) == index


def test_a_picture_without_a_view_of_its_own_is_told() -> None:
    with pytest.raises(UsageError, match=r"expected a view named 'other\.png', found none among 2 such as '0/a\.png'"):
        view_of_picture(file_of("0/a.png", "0/b.png"), Path("other.png"))
    with pytest.raises(UsageError, match=r"expected one view named 'a\.png', found 2, '0/a\.png' and '1/a\.png'"):
        view_of_picture(file_of("0/a.png", "1/a.png"), Path("a.png"))


def test_one_view_is_that_of_every_picture() -> None:
    assert view_of_picture(file_of("whatever"), Path("photo.png")) == 0


def test_a_photo_of_another_shape_than_its_camera_is_told() -> None:
    view = FileView(CAMERA, (400, 300))
    with pytest.raises(UsageError, match=r"p\.jpg: expected the shape of its camera's picture, 400 x 300 px, found 300 x 400"):
        view.squared("pad", (300, 400), "p.jpg")
    np.testing.assert_allclose(view.squared("pad", (200, 150)).intrinsics, view.squared("pad").intrinsics, atol=1e-12)


# texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_fault(encoding: str, tmp_path: Path) -> None:
    text = json.dumps(cameras_to_json([CAMERA], ["v"]))
    path = tmp_path / "cameras.json"
    path.write_bytes(text.encode(encoding))
    same(read_one(path).camera, CAMERA)


def test_a_byte_order_mark_in_a_text_is_no_fault() -> None:
    assert list(cameras_from_json((FILES / "cameras-bom.json").read_text(encoding="utf-8"))) == ["s0000_v00"]
    labels = LabelSet.from_names(["wheel"])
    assert LabelSet.from_json("\ufeff" + json.dumps(labels.to_json())) == labels


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="expected a list, it cannot be read: it is no plain file; correct it"):
        read_user_text(tmp_path / "pipe", "a list")


def test_read_cameras_gives_them_by_name_in_a_world_of_choice(tmp_path: Path) -> None:
    from dnerf_core import read_cameras

    front = sphere_camera(0.4, 0.3, radius=3.0, focal=1.7, world_up="z")
    data = nerfstudio(frames=[{"file_path": "a.png", "transform_matrix": front.to_opengl().tolist()}])
    path = written(tmp_path / "t.json", data)
    same(read_cameras(path)["a.png"], front)
    same(read_cameras(path, up="z", world_up="y")["a.png"], sphere_camera(0.4, 0.3, radius=3.0, focal=1.7))
    with pytest.raises(UsageError, match=r"expected a new name for view 1, found 'a\.png' again"):
        read_cameras(written(tmp_path / "t.json", data | {"frames": data["frames"] * 2}))
