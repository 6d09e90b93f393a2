"""`segment` with tiny networks: what it writes, as other programs' readers see it, in one go or again; and what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import laspy
import numpy as np
import plyfile
import pytest
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.downstream.images.calibration import Calibration
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.segmenter import Segmenter, settings_of
from dnerf_core.downstream.network_file import load_network_file, save_network
from dnerf_core.downstream.points.networks import PointSettings, built
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.embedded import model_path
from dnerf_core.errors import DNeRFError, UsageError
from dnerf_core.files.foreign.reading import read_shape
from dnerf_core.labels import LabelSet
from headless import cli
from headless.clips.video_files import preview_video
from headless.clips.video_reading import open_video
from headless.downstream.segmenting import job
from headless.downstream.segmenting.plan import SegmentCall, plan_segments, unique_names
from tests.core.downstream.cloud_cases import LABELS, block

PICTURE_LABELS = LabelSet.from_names(["hood", "roof"])
RATE = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def image_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose labels differ from place to place."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("network") / "image.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network("mini", PICTURE_LABELS.num_classes)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.mul_(0.1)
    settings = settings_of(64)
    save_network(
        path, kind="image", network="mini", labels=PICTURE_LABELS, settings=settings, state=network.state_dict(), training={}
    )
    return path


@pytest.fixture(scope="module")
def point_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("network") / "points.safetensors"
    save_points(path, LABELS)
    return path


def save_points(path: Path, labels: LabelSet) -> None:
    network, settings = built("pointnet-small", labels, seed=5), PointSettings("aligned", 64).to_json()
    save_network(
        path, kind="points", network="pointnet-small", labels=labels, settings=settings, state=network.state_dict(), training={}
    )


def picture(seed: int, width: int = 60, height: int = 40) -> NDArray[np.uint8]:
    chance = np.random.default_rng(seed)
    small = chance.integers(0, 256, (6, 8, 3), np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def segment(*args: Any) -> int:
    return cli.run(["segment", *map(str, args), "--device", "cpu"])


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


# --- pictures


def test_pictures_of_every_kind_get_masks_of_their_own_size(
    image_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture(0)).save(photos / "phone.jpg", exif=turned, quality=95)
    rgba = np.dstack([picture(1, 33, 71), np.where(np.arange(33) < 10, 0, 255)[None].repeat(71, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(photos / "cut.out.png")
    Image.fromarray(picture(2)[..., 0].astype(np.uint16) * 257).save(photos / "gray16.tiff")
    (photos / "notes.txt").write_text("none")
    assert segment(photos, "--network", image_network, "-o", out, "--json") == 0
    events = said(capsys)
    assert next(event["message"] for event in events if event["event"] == "warning") == (
        f"{photos}: 1 file of other kinds left out: notes.txt"
    )
    with Image.open(photos / "phone.jpg") as image:
        upright = np.array(image.convert("RGB").transpose(Image.Transpose.ROTATE_270))
    over_white = np.where(rgba[..., 3:] == 0, 255, rgba[..., :3]).astype(np.uint8)
    segmenter = Segmenter.load(image_network)
    for name, pixels in (("phone", upright), ("cut.out", over_white), ("gray16", picture(2)[..., :1].repeat(3, axis=2))):
        labels, confidence = segmenter.predict(pixels)
        mask = cv2.imread(str(out / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, labels) and mask.shape == pixels.shape[:2]
        sure = cv2.imread(str(out / "confidence" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert sure.dtype == np.uint8 and np.abs(sure / 255 - confidence).max() <= 0.5 / 255 + 1e-6
        overlay = cv2.imread(str(out / "overlays" / f"{name}.png"))[..., ::-1]
        assert np.array_equal(overlay, PICTURE_LABELS.overlay(pixels, labels))
    assert len(np.unique(cv2.imread(str(out / "masks/phone.png"), cv2.IMREAD_UNCHANGED))) > 1
    assert LabelSet.from_json((out / "labels.json").read_text()) == PICTURE_LABELS
    (facts,) = [entry for entry in json.loads((out / "segments.json").read_text()) if entry["name"] == "phone"]
    mask = cv2.imread(str(out / "masks/phone.png"), cv2.IMREAD_UNCHANGED)
    assert facts["size"] == {"width_px": 40, "height_px": 60} and facts["type"] == "picture"
    assert facts["shares"] == {n: pytest.approx((mask == k).mean(), abs=1e-6) for k, n in enumerate(PICTURE_LABELS.names)}
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.width > 3 * 192 and sheet.height > 3 * 192
    summary = events[-1]
    assert (summary["files"], summary["files_labelled"], summary["nothing_to_do"]) == (3, 3, False)


def test_the_size_that_the_network_sees_is_an_option(image_network: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    assert segment(tmp_path / "a.png", "--network", image_network, "-o", tmp_path / "out", "--size", 128) == 0
    mask = cv2.imread(str(tmp_path / "out/masks/a.png"), cv2.IMREAD_UNCHANGED)
    segmenter = Segmenter.load(image_network)
    assert np.array_equal(mask, segmenter.predict(picture(0), 128)[0])
    assert not np.array_equal(mask, segmenter.predict(picture(0))[0])


def test_mirror_images_are_an_option(image_network: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    assert segment(tmp_path / "a.png", "--network", image_network, "-o", tmp_path / "out", "--mirrored") == 0
    mask = cv2.imread(str(tmp_path / "out/masks/a.png"), cv2.IMREAD_UNCHANGED)
    segmenter = Segmenter.load(image_network)
    assert np.array_equal(mask, dataclasses.replace(segmenter, mirrored=True).predict(picture(0))[0])
    assert not np.array_equal(mask, segmenter.predict(picture(0))[0])
    assert segment(tmp_path / "a.png", "--network", image_network, "-o", tmp_path / "out") == 1  # another call's folder


def test_a_folder_of_before_mirror_images_goes_on(image_network: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    call = (tmp_path / "a.png", "--network", image_network, "-o", tmp_path / "out")
    assert segment(*call) == 0
    path = tmp_path / "out" / "dataset.json"
    record = json.loads(path.read_text())
    assert record["plan"].pop("mirrored") is False
    path.write_text(json.dumps(record))
    assert segment(*call) == 0


def test_files_of_one_name_do_not_overwrite_each_other(
    image_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").mkdir()
    for number, name in enumerate(("a.png", "x/a.png", "a.bmp", "x/A.tiff", "a-2.png")):
        Image.fromarray(picture(number)).save(tmp_path / name)
    names = ["a.png", "x/a.png", "a.bmp", "x/A.tiff", "a-2.png"]
    files = [tmp_path / name for name in (*names, "a.png", "x/../a.png")]  # one given three times is one
    assert segment(*files, "--network", image_network, "-o", tmp_path / "out") == 0
    assert "x/a.png: another file is called a, too; its results are called a-3" in capsys.readouterr().err
    segmenter = Segmenter.load(image_network)
    for number, name in enumerate(("a", "a-3", "a-4", "A-5", "a-2")):
        mask = cv2.imread(str(tmp_path / f"out/masks/{name}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, segmenter.predict(picture(number))[0])
    assert len(list((tmp_path / "out/masks").iterdir())) == 5


def test_names_are_unique_in_any_case() -> None:
    assert unique_names([Path("b"), Path("B"), Path("b-2"), Path("c/b")]) == ["b", "B-3", "b-2", "b-4"]


def test_the_same_call_goes_on_and_another_is_refused(
    image_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        Image.fromarray(picture(number)).save(tmp_path / f"p{number}.png")
    call = [*sorted(tmp_path.glob("*.png")), "--network", image_network, "-o", tmp_path / "out", "--json"]
    label, seen = job.label_picture, []

    def killed(segmenter: Any, item: Any, *more: Any) -> Any:
        seen.append(item.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return label(segmenter, item, *more)

    monkeypatch.setattr(job, "label_picture", killed)
    assert segment(*call) == 130
    first = (tmp_path / "out/masks/p0.png").stat().st_mtime_ns
    assert not (tmp_path / "out/segments.json").exists()
    capsys.readouterr()
    assert segment(*call) == 0
    assert seen == ["p0", "p1", "p2", "p2", "p3"] and said(capsys)[-1]["files_labelled"] == 2
    (tmp_path / "out/confidence/p1.png").unlink()
    assert segment(*call) == 0
    assert seen[5:] == ["p1"] and said(capsys)[-1]["files_labelled"] == 1
    assert segment(*call) == 0
    assert said(capsys)[-1]["nothing_to_do"] and (tmp_path / "out/masks/p0.png").stat().st_mtime_ns == first
    assert segment(*call, "--size", 96) == 1
    assert "--size was None and is now 96" in error_of(capsys)
    Image.fromarray(picture(9)).save(tmp_path / "p1.png")
    assert segment(*call) == 1
    assert "the files to label (their content) was" in error_of(capsys)


# --- videos


def write_video(path: Path, frames: int = 5, side: int = 32) -> Path:
    with preview_video(path, side, 24, RATE) as add:
        for number in range(frames):
            add(picture(number, side, 24))
    return path


def decoded(path: Path, kind: str) -> tuple[list[NDArray[np.uint8]], Fraction | None]:
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        return [frame.to_ndarray(format=kind) for frame in container.decode(video=0)], rate


def test_a_video_gets_a_label_video_of_its_rate_and_a_preview(
    image_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = write_video(tmp_path / "drive.mp4"), tmp_path / "out"
    assert segment(video, "--network", image_network, "-o", out, "--json") == 0
    masks, rate = decoded(out / "masks/drive-labels.mkv", "gray")
    segmenter = Segmenter.load(image_network)
    frames, _ = decoded(video, "rgb24")
    assert len(masks) == len(frames) == 5
    for mask, frame in zip(masks, frames, strict=True):
        assert np.array_equal(mask, segmenter.predict(frame)[0])
    assert rate is not None and float(rate) == pytest.approx(float(RATE), rel=1e-3)
    sure, _ = decoded(out / "confidence/drive-confidence.mkv", "gray")
    assert np.abs(sure[0] / 255 - segmenter.predict(frames[0])[1]).max() <= 0.5 / 255 + 1e-6
    preview, preview_rate = decoded(out / "overlays/drive-overlay.mp4", "rgb24")
    assert len(preview) == 5 and preview_rate == RATE
    (labelled,) = [event for event in said(capsys) if event["event"] == "labelled"]
    assert labelled["size"] == {"width_px": 32, "height_px": 24, "frames": 5, "fps": pytest.approx(29.97003)}


def test_a_phones_turn_is_followed(tmp_path: Path) -> None:
    """The track header's matrix of a quarter turn to the right, in 16.16 fixed point."""
    video = write_video(tmp_path / "plain.mp4", 1)
    plain = np.array([1, 0, 0, 0, 1, 0], ">i4") * 65536
    quarter = np.array([0, 1, 0, -1, 0, 0], ">i4") * 65536

    def rows(values: NDArray[Any]) -> bytes:
        return values[:2].astype(">i4").tobytes() + bytes(4) + values[3:5].astype(">i4").tobytes()

    data = video.read_bytes()
    place = data.index(b"tkhd")
    at = data.index(rows(plain), place)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data[:at] + rows(quarter) + data[at + 20 :])
    with open_video(video) as upright, open_video(turned) as right:
        assert np.array_equal(next(right.frames), np.rot90(next(upright.frames), -1))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_truncated_video_is_refused(
    image_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    path = tmp_path / f"whole.{ending}"
    if ending == "mp4":
        write_video(path, 20)
    else:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            for number in range(20):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, 32, 24), format="rgb24")))
            container.mux(stream.encode())
    with open_video(path) as video:
        assert len(list(video.frames)) == 20
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert segment(path, "--network", image_network, "-o", tmp_path / "out") == 2
    assert "expected a whole video" in error_of(capsys)
    assert not (tmp_path / "out").exists()


# --- clouds and meshes


def predicted(network: Path, points: NDArray[Any], **more: Any) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return PointSegmenter.load(network).predict(points, **more)


def test_a_cloud_as_text_ply_keeps_its_places_to_the_bit(
    point_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = block(3, 300)[0].astype(np.float64) + np.array([450_000.123, 0.0, 5_800_000.0])
    points[7, 1] = np.nan
    header = "ply\nformat ascii 1.0\nelement vertex 300\n" + "".join(f"property double {axis}\n" for axis in "xyz")
    lines = "\n".join(" ".join(map(repr, place)) for place in points.tolist())
    (tmp_path / "scan.ply").write_text(f"{header}end_header\n{lines}\n")
    assert segment(tmp_path / "scan.ply", "--network", point_network, "-o", tmp_path / "out") == 0
    assert "scan.ply: 1 point without finite coordinates left out" in capsys.readouterr().err
    kept = np.delete(points, 7, axis=0)
    labels, confidence = predicted(point_network, kept)
    vertices = plyfile.PlyData.read(tmp_path / "out/clouds/scan.ply")["vertex"]
    assert np.array_equal(np.stack([vertices[axis] for axis in "xyz"], axis=1), kept)
    assert np.array_equal(vertices["label"], labels) and np.allclose(vertices["confidence"], confidence)
    colors = np.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    assert np.array_equal(colors, LABELS.palette()[labels])
    facts = json.loads((tmp_path / "out/segments.json").read_text())[0]
    assert facts["size"] == {"points": 299, "left_out": 1} and facts["confidence"] == pytest.approx(confidence.mean(), abs=1e-5)


def test_npz_keeps_its_other_arrays(point_network: Path, tmp_path: Path) -> None:
    points = block(1, 200)[0].astype(np.float64)
    np.savez(tmp_path / "c.npz", points=points, time=np.arange(200), note=np.array("kept"))
    assert segment(tmp_path / "c.npz", "--network", point_network, "-o", tmp_path / "out") == 0
    with np.load(tmp_path / "out/clouds/c.npz") as found:
        assert np.array_equal(found["labels"], predicted(point_network, points)[0])
        assert found["points"].dtype == np.float64 and np.array_equal(found["time"], np.arange(200))
        assert str(found["note"]) == "kept" and found["label_names"].tolist() == list(LABELS.names)


@pytest.mark.parametrize(("name", "version", "point_format"), [("a.las", "1.2", 3), ("b.laz", "1.4", 7)])
def test_a_survey_is_written_back_with_its_classes_and_all_else(
    point_network: Path, tmp_path: Path, name: str, version: str, point_format: int
) -> None:
    points = block(2, 400)[0].astype(np.float64)
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = [0.001] * 3, [450_000, 5_800_000, 0]
    header.vlrs.append(laspy.VLR("ours", 7, "a record", b"kept"))
    las = laspy.LasData(header)
    las.x, las.y, las.z = points[:, 0] + 450_000.5, 5_800_000 - points[:, 2], points[:, 1]  # z up
    las.intensity, las.gps_time = np.arange(400), np.arange(400) * 0.5
    las.add_extra_dim(laspy.ExtraBytesParams("height", np.float32))
    las.height = np.arange(400)
    las.write(tmp_path / name)
    assert segment(tmp_path / name, "--network", point_network, "-o", tmp_path / "out") == 0
    before, after = laspy.read(tmp_path / name), laspy.read(tmp_path / "out/clouds" / name)
    labels, confidence = predicted(point_network, np.asarray(before.xyz), up="z")
    assert np.array_equal(after.classification, labels) and np.array_equal(after.label, labels)
    assert np.allclose(after.confidence, confidence)
    for kept in ("X", "Y", "Z", "intensity", "gps_time", "height"):
        assert np.array_equal(before[kept], after[kept]), kept
    assert [vlr.record_data_bytes() for vlr in after.header.vlrs if vlr.user_id == "ours"] == [b"kept"]
    assert np.array_equal(before.header.offsets, after.header.offsets)


def test_a_small_classification_keeps_its_values_where_ids_have_no_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_points(tmp_path / "many.safetensors", LabelSet.from_names([f"part {number}" for number in range(40)]))
    las = laspy.LasData(laspy.LasHeader(version="1.2", point_format=1))
    las.xyz = block(2, 100)[0].astype(np.float64)
    las.classification = np.full(100, 5)
    las.write(tmp_path / "a.las")
    assert segment(tmp_path / "a.las", "--network", tmp_path / "many.safetensors", "-o", tmp_path / "out") == 0
    after = laspy.read(tmp_path / "out/clouds/a.las")
    labels = predicted(tmp_path / "many.safetensors", np.asarray(las.xyz), up="z")[0]
    assert "labels are in the extra bytes alone" in capsys.readouterr().err
    assert np.array_equal(after.label, labels)
    assert np.array_equal(after.classification, np.full(100, 5) if labels.max() > 31 else labels)


def test_every_vertex_of_a_scene_gets_its_label(point_network: Path, tmp_path: Path) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box((1, 1, 2)), transform=trimesh.transformations.translation_matrix((0, 5, 0)))
    scene.add_geometry(trimesh.creation.icosphere(2))
    (tmp_path / "scene.glb").write_bytes(scene.export(file_type="glb"))
    assert segment(tmp_path / "scene.glb", "--network", point_network, "-o", tmp_path / "out") == 0
    found = trimesh.load(tmp_path / "out/meshes/scene.glb", process=False)
    materials = {geometry.visual.material.name for geometry in found.geometry.values()}
    assert materials <= set(LABELS.names[1:]) and materials
    facts = json.loads((tmp_path / "out/segments.json").read_text())[0]
    assert facts["size"] == {"vertices": 8 + 162, "faces": 12 + 320, "left_out": 0} and facts["type"] == "mesh"
    whole = found.to_geometry()
    assert whole.bounds[1] == pytest.approx([1, 5.5, 1], abs=1e-5) and len(whole.faces) == 332
    assert sum(facts["shares"].values()) == pytest.approx(1, abs=1e-5)


def test_a_mesh_as_obj_becomes_an_upright_glb_and_ply_stays_ply(point_network: Path, tmp_path: Path) -> None:
    tall = trimesh.creation.box((1, 1, 4))
    (tmp_path / "tall.obj").write_text(tall.export(file_type="obj"))
    (tmp_path / "low.ply").write_bytes(tall.export(file_type="ply"))
    assert (
        segment(tmp_path / "tall.obj", tmp_path / "low.ply", "--network", point_network, "-o", tmp_path / "out", "--up", "z") == 0
    )
    turned = trimesh.load(tmp_path / "out/meshes/tall.glb", process=False).to_geometry()
    assert np.ptp(turned.vertices, axis=0) == pytest.approx([1, 4, 1])
    data = plyfile.PlyData.read(tmp_path / "out/meshes/low.ply")
    assert np.ptp(data["vertex"]["z"]) == 4 and len(data["face"]) == 12
    assert "world frame of the cameras, z up" in data.comments
    assert set(np.unique(data["vertex"]["label"])) <= {1, 2, 3}


def test_the_up_axis_decides_what_the_network_sees(point_network: Path, tmp_path: Path) -> None:
    points = block(4, 500)[0]
    lying = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)  # z up
    np.savez(tmp_path / "standing.npz", points=points)
    np.savez(tmp_path / "lying.npz", points=lying)
    for name, more in (("standing", []), ("lying", ["--up", "z"])):
        assert segment(tmp_path / f"{name}.npz", "--network", point_network, "-o", tmp_path / name, *more) == 0
    found = [np.load(tmp_path / f"{name}/clouds/{name}.npz") for name in ("standing", "lying")]
    assert np.array_equal(found[0]["labels"], found[1]["labels"])
    assert np.allclose(found[0]["confidence"], found[1]["confidence"], atol=1e-5)
    assert np.abs(found[1]["confidence"] - predicted(point_network, lying)[1]).max() > 1e-3


def test_a_glb_of_points_is_a_cloud(point_network: Path, tmp_path: Path) -> None:
    points = block(1, 100)[0]
    (tmp_path / "p.glb").write_bytes(trimesh.Scene(trimesh.PointCloud(points)).export(file_type="glb"))
    assert segment(tmp_path / "p.glb", "--network", point_network, "-o", tmp_path / "out") == 0
    assert len(plyfile.PlyData.read(tmp_path / "out/clouds/p.ply")["vertex"]) == 100


# --- confidence


def test_an_unsure_network_is_told(point_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "c.npz", points=block(1, 200)[0])
    assert segment(tmp_path / "c.npz", "--network", point_network, "-o", tmp_path / "out", "--json") == 0
    events = said(capsys)
    (warning,) = [event for event in events if event["event"] == "warning"]
    assert warning["name"] == "c" and "expected a mean confidence of" in warning["message"]
    assert events[-1]["unsure"] == ["c"]


@pytest.mark.parametrize(
    ("calibration", "photographs", "words"),
    [
        (
            Calibration(1.2, 900.0, 0.0, 9),
            "none",
            "expected an energy of 900.00 or more, as of pictures that the network knows, found",
        ),
        (Calibration(1.2, 900.0, 0.0, 9), "hard", "or train on such data"),
        (Calibration(1.2, -900.0, 1.0, 9), "none", "expected parts on 100.0 % of it or more, found"),
        (Calibration(1.2, -900.0, 0.0, 9), "none", None),
    ],
)
def test_a_picture_unlike_those_of_the_training_is_told(
    calibration: Calibration,
    photographs: str,
    words: str | None,
    image_network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = load_network_file(image_network, "image")
    network = tmp_path / "net.safetensors"
    settings, training = settings_of(64, calibration), {"photographs": photographs}
    save_network(
        network, kind="image", network="mini", labels=PICTURE_LABELS, settings=settings, state=file.state, training=training
    )
    Image.fromarray(picture(1)).save(tmp_path / "a.png")
    assert segment(tmp_path / "a.png", "--network", network, "-o", tmp_path / "out", "--json") == 0
    events = said(capsys)
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    assert events[-1]["unsure"] == ([] if words is None else ["a"]) and len(warnings) == len(events[-1]["unsure"])
    if words is not None:
        assert words in warnings[0]
        assert ("train with --photographs mild" in warnings[0]) == (photographs == "none")
    (facts,) = json.loads((tmp_path / "out/segments.json").read_text())
    assert isinstance(facts["energy"], float)


# --- what is refused

EMPTY_PLY = b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
SHORT_PLY = EMPTY_PLY.replace(b"vertex 0", b"vertex 3") + b"0 0 0\n1 0 0\n"
NAN_PLY = EMPTY_PLY.replace(b"vertex 0", b"vertex 1") + b"nan 0 0\n"


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


PACKED = json.dumps({"asset": {"version": "2.0"}, "extensionsRequired": ["KHR_draco_mesh_compression"]}).encode()
PACKED = b"glTF" + struct.pack("<III4s", 2, 20 + len(PACKED), len(PACKED), b"JSON") + PACKED
FLAT = b"v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n"
STRANGE: list[tuple[str, str, bytes, str]] = [
    ("image", "a.png", b"no picture at all", "it cannot be read"),
    ("image", "a.png", b"", "found an empty file"),
    ("image", "a.mp4", b"no video at all", "expected a whole video"),
    ("image", "a.mp4", b"", "found an empty file"),
    ("image", "a.txt", b"text", "expected pictures (PNG, JPEG"),
    ("image", "a.ply", SHORT_PLY, "found a point cloud or mesh; give it a network of points, which train-pointnet writes"),
    ("points", "a.png", b"any", "found a picture; give it a network of images, which train-segmenter writes"),
    ("points", "a.mkv", b"any", "found a video; give it a network of images"),
    ("points", "a.stl", b"any", "expected point clouds (PLY, NPZ, LAS, LAZ) and meshes (PLY, GLB, OBJ), found .stl"),
    ("points", "a.ply", b"text", "expected a file of the kind .ply says"),
    ("points", "a.ply", b"", "found an empty file"),
    ("points", "a.ply", EMPTY_PLY, "expected at least one point, found none"),
    ("points", "a.ply", SHORT_PLY, "expected 3 vertices as it says, found 2"),
    ("points", "a.ply", NAN_PLY, "expected finite coordinates, found no point that has them"),
    ("points", "a.obj", b"just text\n", "expected at least one point, found none"),
    ("points", "a.obj", b"v 0 0 0\nv 1 0 0\n", "expected a mesh with faces, found 2 vertices alone"),
    ("points", "a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "it cannot be read"),
    ("points", "a.obj", FLAT, "expected faces with an area, found none"),
    ("points", "a.npz", npz(xyz=np.zeros((4, 3))), "expected an array named points, found xyz"),
    ("points", "a.npz", npz(points=np.zeros((4, 2))), "points: expected numbers [N, 3]"),
    ("points", "a.npz", npz(points=np.array([{}], dtype=object)), "it cannot be read"),
    ("points", "a.glb", b"glTF\2\0\0\0\xff\xff\0\0", "expected 65535 bytes as it says"),
    ("points", "a.glb", PACKED, "its meshes are compressed (KHR_draco_mesh_compression), which is not read"),
    ("points", "a.las", b"LASF" + bytes(400), "expected a LAS or LAZ point cloud, it cannot be read"),
]


@pytest.mark.parametrize(("kind", "name", "data", "expected"), STRANGE)
def test_what_is_no_such_file_is_refused_in_one_line(
    image_network: Path,
    point_network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    name: str,
    data: bytes,
    expected: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    network = image_network if kind == "image" else point_network
    assert segment(path, "--network", network, "-o", tmp_path / "out") in (1, 2)
    line = error_of(capsys)
    assert str(path) in line and expected in line, line
    assert not (tmp_path / "out/segments.json").exists()


def test_a_truncated_survey_is_refused(tmp_path: Path) -> None:
    for name in ("a.las", "a.laz"):
        las = laspy.LasData(laspy.LasHeader(version="1.4", point_format=6))
        las.xyz = np.random.default_rng(0).random((3000, 3))
        las.write(tmp_path / name)
        assert len(read_shape(tmp_path / name).points) == 3000
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(UsageError, match=r"expected a LAS or LAZ point cloud, it cannot be read"):
            read_shape(tmp_path / name)


def test_folders_and_options_that_do_not_go_with_the_network(image_network: Path, point_network: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected pictures .* found none; name another"):
        plan_segments(SegmentCall(paths=(tmp_path,), network=image_network))
    np.savez(tmp_path / "c.npz", points=np.zeros((1, 3)))
    with pytest.raises(UsageError, match=r"found c\.npz, for a network of points"):
        plan_segments(SegmentCall(paths=(tmp_path,), network=image_network))
    with pytest.raises(UsageError, match=r"^--up: expected a network of points, found one of images; leave it out"):
        plan_segments(SegmentCall(paths=(tmp_path,), network=image_network, up="z"))
    with pytest.raises(UsageError, match=r"^--size: expected a network of images, found one of points"):
        plan_segments(SegmentCall(paths=(tmp_path,), network=point_network, size=64))
    with pytest.raises(UsageError, match=r"^--mirrored: expected a network of images, found one of points; leave it out"):
        plan_segments(SegmentCall(paths=(tmp_path,), network=point_network, mirrored=True))


def test_mirror_images_need_both_sides(tmp_path: Path) -> None:
    labels, network = LabelSet.from_names(["left door"]), build_network("mini", 2)
    path = tmp_path / "net.safetensors"
    save_network(
        path, kind="image", network="mini", labels=labels, settings=settings_of(64), state=network.state_dict(), training={}
    )
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"^--mirrored: label 'left door': .* found none; leave it out"):
        plan_segments(SegmentCall(paths=(tmp_path / "a.png",), network=path, mirrored=True))


def test_another_kind_of_network_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", points=np.zeros((1, 3)))
    with pytest.raises(DNeRFError, match=r"expected a network file, found a model file; give that with --model"):
        plan_segments(SegmentCall(paths=(tmp_path / "c.npz",), network=model_path("demo-cars")))
    (tmp_path / "n.safetensors").write_bytes(b"text")
    with pytest.raises(DNeRFError, match=r"n\.safetensors: expected a network file"):
        plan_segments(SegmentCall(paths=(tmp_path / "c.npz",), network=tmp_path / "n.safetensors"))


def test_surveys_need_their_package(point_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.las").write_bytes(b"LASF")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"expected the packages laspy and lazrs, found .*pip install 'datasetnerf\[las\]'"):
        plan_segments(SegmentCall(paths=(tmp_path / "a.las",), network=point_network))
