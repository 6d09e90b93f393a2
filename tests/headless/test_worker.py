"""`dnerf-headless worker` as a real process, by the extension's own client: every method equals its command, every fault has its line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core import worker_protocol
from dnerf_core.alive import is_alive
from dnerf_core.camera import arc_cameras, cameras_from_json
from dnerf_core.checkpoints.subject_file import record_of, write_subject_file
from dnerf_core.files.annotated_folder import read_folder
from dnerf_core.files.pictures import write_mask
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.model import Model
from dnerf_core.multiview.prefilling import Prefiller
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.worker_protocol import Code
from headless import cli, models
from headless.clips.video_files import read_label_video
from tests.headless.tiny_engine import LABELS, SIZE_PX, TINY, read_ids, sample_folder, save_tiny
from tests.headless.worker_talk import ROOT, Heard, Talk, is_gone, named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CAMERAS = arc_cameras(TINY.cameras, count=3)


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    """One worker for the tests that do not end it, with several threads, of which its views make no use."""
    talk = Talk(OMP_NUM_THREADS="2")
    yield talk
    talk.client.stop()


@pytest.fixture
def closing() -> Iterator[list[Talk]]:
    """Workers that a test starts itself, stopped after it."""
    talks: list[Talk] = []
    yield talks
    for talk in talks:
        talk.client.stop(1.0)


def stand_in(closing: list[Talk], behaviour: str) -> Talk:
    talk = Talk.stand_in(behaviour)
    closing.append(talk)
    return talk


def test_what_is_written_is_read_back_and_what_is_no_message_is_refused() -> None:
    line = worker_protocol.request_line("render", {"seed": 3}, 7)
    assert line == b'{"jsonrpc": "2.0", "method": "render", "params": {"seed": 3}, "id": 7}\n'
    assert worker_protocol.read_request(line) == worker_protocol.Request(7, "render", {"seed": 3})
    assert worker_protocol.read_request(worker_protocol.request_line("shutdown", {})) == worker_protocol.Request(
        None, "shutdown", {}
    )
    answer = worker_protocol.error_message(7, Code.FAILED, "one\nline")
    assert worker_protocol.read_line(worker_protocol.message_line(answer)) == answer
    assert answer["error"] == {"code": 1, "message": "one line"}
    for bad in (b"{", b"[]", b'{"method": "render"}', b"[" * 100_000):
        assert worker_protocol.read_line(bad) is None
        assert isinstance(worker_protocol.read_request(bad), worker_protocol.Refusal)


def test_greeting_and_status(talk: Talk) -> None:
    status = talk.call("status").done()
    assert talk.client.ready is not None
    for facts in (status, talk.client.ready):
        assert (facts["device"], facts["cores"]) == ("cpu", len(os.sched_getaffinity(0)))
        assert facts["memory_total_bytes"] > facts["memory_free_bytes"] > 0
        assert facts["version"] == "0.1.0"
    assert "python" in status
    assert "torch" in status


def test_model_is_what_info_tells(talk: Talk, tiny_model: Path, trained_model: Path) -> None:
    plain = talk.call("model", model=str(tiny_model)).done()
    assert (plain["name"], plain["image_size"], plain["neural_resolution"], plain["labels"]) == ("tiny", SIZE_PX, 16, None)
    assert (plain["licence"], plain["box_warp"], plain["cameras"]["pitch_deg"]) == ("none", 1.6, 12)
    assert LabelSet.from_json(talk.call("model", model=str(trained_model)).done()["labels"]) == LABELS


def test_views_have_the_commands_pixels_whoever_asked_first(talk: Talk, tmp_path: Path) -> None:
    assert cli.run(["render", "--seeds", "5", "--views", "3", "--depth-format", "npy", "-o", str(tmp_path / "set")]) == 0
    cameras = list(cameras_from_json((tmp_path / "set" / "cameras.json").read_text()).values())
    talk.call("preview", model="demo-cars", seed=5, camera=named(cameras)[1]).done()
    heard = talk.call("render", model="demo-cars", seed=5, cameras=named(cameras), channels=["depth", "rgb", "mask"])
    assert heard.done()["views"] == 3
    assert heard.progress[0] == (0, 3, "views")
    assert heard.progress[-1] == (3, 3, "views")
    assert sorted(part["index"] for part in heard.parts) == [0, 1, 2]
    for part in heard.parts:
        stem = f"s0005_v{part['index']:02d}"
        assert (part["name"], part["size_px"]) == (f"v{part['index']}", 256)
        with Image.open(tmp_path / "set" / "images" / f"{stem}.png") as image:
            assert np.array_equal(talk.client.array(part["rgb"]), np.asarray(image))
        assert np.array_equal(talk.client.array(part["mask"]), read_ids(tmp_path / "set" / "masks" / f"{stem}.png"))
        assert np.array_equal(talk.client.array(part["depth"]), np.load(tmp_path / "set" / "depth" / f"{stem}.npy"))


def test_sizes_and_channels(talk: Talk, tiny_model: Path, trained_model: Path) -> None:
    heard = talk.call(
        "render", model=str(trained_model), seed=1, cameras=named(CAMERAS[:2]), sizes_px=[32, 48], channels=["uncertainty"]
    )
    sizes = {part["index"]: talk.client.array(part["uncertainty"]).shape for part in heard.parts}
    assert sizes == {0: (32, 32), 1: (48, 48)}
    assert not any("rgb" in part for part in heard.parts)
    heard = talk.call("render", model=str(tiny_model), seed=1, cameras=named(CAMERAS[:1]), size_px=16)
    assert sorted(set(heard.parts[0]) & {"rgb", "mask", "depth"}) == ["depth", "rgb"]  # without a branch there is no mask
    for part in heard.parts:
        talk.client.array(part["rgb"]), talk.client.array(part["depth"])


def test_preview_is_coarse_then_fine(talk: Talk, trained_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "preview.safetensors"
    shutil.copy(trained_model, copy)
    heard = talk.call("preview", model=str(copy), seed=2, camera=named(CAMERAS)[0], size_px=64)
    subject = Model.load(copy).subject(2)
    coarse, fine = heard.parts[0], heard.done()
    assert (coarse["kind"], coarse["size_px"], fine["kind"], fine["size_px"]) == ("coarse", 8, "fine", 64)
    expected = subject.coarse(CAMERAS[0], 8)
    assert expected.rgb is not None
    assert np.abs(talk.client.array(coarse["rgb"]).astype(int) - expected.rgb).max() <= 1
    assert talk.client.array(coarse["mask"]).shape == (8, 8)
    view = subject.render(CAMERAS[0], 64)
    assert np.abs(talk.client.array(fine["rgb"]).astype(int) - view.rgb).max() <= 2
    assert (talk.client.array(fine["mask"]) == view.mask).mean() > 0.99
    # a model that is as fast as this one gets no coarse view any more
    assert talk.call("preview", model=str(copy), seed=2, camera=named(CAMERAS)[1]).parts == []
    # but where the subject is a new one
    assert [part["kind"] for part in talk.call("preview", model=str(copy), seed=3, camera=named(CAMERAS)[1]).parts] == ["coarse"]


def test_a_cloud_is_what_fusing_gives(talk: Talk, trained_model: Path) -> None:
    heard = talk.call("pointcloud", model=str(trained_model), seed=3, cameras=named(CAMERAS), points=500)
    found = heard.done()
    with models.one_thread_a_view():
        subject = Model.load(trained_model).subject(3)
        views = [subject.render(camera, SIZE_PX) for camera in CAMERAS]
    cloud = fuse_views(views, 3, FusionOptions(points=500))
    assert (found["count"], LabelSet.from_json(found["label_set"])) == (500, LABELS)
    for name in ("points", "normals", "colors", "labels", "confidence"):
        assert np.array_equal(talk.client.array(found[name]), getattr(cloud, name)), name
    code, message = talk.call(
        "pointcloud", model=str(trained_model), seed=3, cameras=named(CAMERAS), points=5, voxel=0.1
    ).failed()
    assert (code, "expected one of them" in message) == (Code.WRONG_CALL, True)


def test_a_video_is_made_once_and_replaced_when_asked(talk: Talk, trained_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "clip"
    request = {
        "model": str(trained_model),
        "subjects": [{"seed": 1}],
        "cameras": named(CAMERAS),
        "size_px": 32,
        "output": str(output),
        "name": "shot",
        "previews": ["image", "overlay"],
    }
    files = talk.call("video", **request).done()["files"]
    assert sorted(path.name for path in output.iterdir()) == sorted(
        [
            "checksums.sha256",
            "dataset.json",
            "labels.json",
            "shot-cameras.json",
            "shot-image.mp4",
            "shot-labels.mkv",
            "shot-overlay.mp4",
        ]
    )
    assert sorted(files) == ["cameras", "image", "labels", "overlay"]
    with models.one_thread_a_view():
        subject = Model.load(trained_model).subject(1)
        masks = [subject.render(camera, 32).mask for camera in CAMERAS]
    assert all(np.array_equal(a, b) for a, b in zip(read_label_video(Path(files["labels"])), masks, strict=True))
    stamp = Path(files["labels"]).stat().st_mtime_ns
    assert talk.call("video", **request).done()["files"] == files
    assert Path(files["labels"]).stat().st_mtime_ns == stamp
    other = request | {"subjects": [{"seed": 1}, {"seed": 2}, {"seed": 1}]}
    code, message = talk.call("video", **other).failed()
    assert (code, "holds the results of another call" in message) == (Code.FAILED, True)
    (output / "mine.txt").touch()
    assert "holds the results of another call" in talk.call("video", **other, replace=True).failed()[1]
    (output / "mine.txt").unlink()
    talk.call("video", **other, replace=True).done()
    assert json.loads((output / "shot-cameras.json").read_text())["views"][1]["seeds"] == [2, 2]


def test_a_video_of_another_shape_with_its_frames(talk: Talk, trained_model: Path, tmp_path: Path) -> None:
    request = {
        "model": str(trained_model),
        "subjects": [{"seed": 1}],
        "cameras": named(CAMERAS),
        "size_px": 32,
        "crop_px": [3, 8, 27, 16],
        "output": str(tmp_path / "clip"),
        "name": "shot",
        "sequence": True,
    }
    result = talk.call("video", **request).done()
    with models.one_thread_a_view():
        subject = Model.load(trained_model).subject(1)
        views = [subject.render(camera, 32) for camera in CAMERAS]
    pictures = Path(result["sequence"])
    assert sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png")) == [
        f"{kind}/shot_{number:04d}.png" for kind in ("images", "masks") for number in (1, 2, 3)
    ]
    videos = list(read_label_video(Path(result["files"]["labels"])))
    for number, (view, ids) in enumerate(zip(views, videos, strict=True), start=1):
        assert view.mask is not None
        assert np.array_equal(ids, view.mask[8:24, 3:30])
        assert np.array_equal(read_ids(pictures / "masks" / f"shot_{number:04d}.png"), view.mask[8:24, 3:30])
        assert np.array_equal(read_ids(pictures / "images" / f"shot_{number:04d}.png"), view.rgb[8:24, 3:30])
    listed = json.loads(Path(result["files"]["cameras"]).read_text())
    assert listed["image_size_px"] == [27, 16]
    point = np.array([0.1, 0.2, 0.1])
    for camera, crop_camera in zip(CAMERAS, cameras_from_json(listed).values(), strict=True):
        expected = (camera.project(point)[0] * 32 - [3, 8]) / [27, 16]
        assert crop_camera.project(point)[0] == pytest.approx(expected)
    assert talk.call("video", **request).done() == result
    shorter = request | {"cameras": named(CAMERAS[:2])}
    assert "another call" in talk.call("video", **shorter).failed()[1]
    (pictures / "masks" / "mine.png").touch()
    assert "another call" in talk.call("video", **shorter, replace=True).failed()[1]
    assert len(list(pictures.rglob("*.png"))) == 7  # nothing was removed
    (pictures / "masks" / "mine.png").unlink()
    talk.call("video", **shorter, replace=True).done()
    assert len(list(pictures.rglob("*.png"))) == 4
    for crop in ([3, 8, 30, 16], [1, 1, 0, 4], [1, 2, 3]):
        assert "params: crop_px: expected" in talk.call("video", **request | {"crop_px": crop}).failed()[1]


def test_sample_open_prefill_train(talk: Talk, tiny_model: Path, painted_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    sampled = talk.call(
        "sample", model=str(tiny_model), seeds=[0, 1, 2, 3], views=2, labels=["left", "right"], output=str(folder)
    ).done()
    reference = sample_folder(tmp_path / "by-command", tiny_model)
    for path in sorted(reference.rglob("*.png")):
        assert path.read_bytes() == (folder / path.relative_to(reference)).read_bytes()
    assert [view["name"] for view in sampled["views"]][:2] == ["s0000_v00", "s0000_v01"]
    assert LabelSet.from_json(sampled["labels"]) == LABELS
    opened = talk.call("open_annotations", folder=str(folder)).done()
    assert not any(view["painted"] for view in opened["views"])
    assert opened == {key: value for key, value in sampled.items() if key != "warnings"}

    shutil.copy(painted_folder / "masks" / "s0000_v00.png", folder / "masks")
    painted = [view["name"] for view in talk.call("open_annotations", folder=str(folder)).done()["views"] if view["painted"]]
    assert painted == ["s0000_v00"]
    again = talk.call(
        "sample", model=str(tiny_model), seeds=[0, 1, 2, 3], views=2, labels=["left", "right"], output=str(folder)
    ).done()
    assert [view["name"] for view in again["views"] if view["painted"]] == ["s0000_v00"], "no view that is painted is to do"
    filled = talk.call("prefill", folder=str(folder), view="s0000_v00").done()
    assert (filled["painted"], filled["truth"], [view["name"] for view in filled["views"]]) == (
        ["s0000_v00"],
        False,
        ["s0000_v01"],
    )
    mask, truth = talk.client.array(filled["views"][0]["mask"]), read_ids(painted_folder / "masks" / "s0000_v01.png")
    told = (mask != 255) & (truth != 0)
    assert (told.sum(), (truth != 0).sum()) == (filled["views"][0]["filled_px"], filled["views"][0]["object_px"])
    with models.one_thread_a_view():
        images = read_folder(folder).images
        prefiller = Prefiller(Model.load(tiny_model).subject(0), images[:1], LABELS)
        expected = prefiller.fill("", images[1].camera, prefiller.depth(images[1].camera, SIZE_PX))
    assert np.array_equal(mask, expected.mask)
    assert {1, 2} <= set(np.unique(mask))
    assert not read_ids(folder / "masks" / "s0000_v01.png").any()
    code, message = talk.call("prefill", folder=str(folder), view="s0001_v00").failed()
    assert (code, "expected a painted mask" in message) == (Code.WRONG_CALL, True)

    cloud = talk.call("pointcloud", model=str(tiny_model), seed=0, cameras=named(CAMERAS), annotations=str(folder)).done()
    assert LabelSet.from_json(cloud["label_set"]) == LABELS
    found, confidence = talk.client.array(cloud["labels"]), talk.client.array(cloud["confidence"])
    assert set(np.unique(found)) == {0, 1, 2}  # 0: no painted view told
    assert np.array_equal(found == 0, confidence == 0)
    code, message = talk.call(
        "pointcloud", model=str(tiny_model), seed=1, cameras=named(CAMERAS), annotations=str(folder)
    ).failed()
    assert (code, "expected a painted view of the subject with seed 1" in message) == (Code.FAILED, True)

    output = tmp_path / "new.safetensors"
    heard = talk.call("train", folders=[str(painted_folder)], output=str(output), steps=12)
    assert heard.done()["model"] == str(output)
    assert set(heard.done()["scores"]) == {"miou", "accuracy", "iou_per_class"}
    assert (12, 12, "steps") in heard.progress
    assert talk.call("model", model=str(output)).done()["labels"] == LABELS.to_json()
    assert talk.call("train", folders=[str(painted_folder)], output=str(output), steps=12).done()["nothing_to_do"] is True


def test_prefill_counts_what_is_right_on_the_demo(talk: Talk, tmp_path: Path) -> None:
    folder = tmp_path / "cars"
    talk.call("sample", model="demo-cars", seeds=[3], views=2, truth=True, output=str(folder)).done()
    target = folder / "masks" / "s0003_v01.png"
    truth = read_ids(target)
    write_mask(target, np.zeros_like(truth), SHAPENET_CAR_LABELS.palette())
    found = talk.call("prefill", folder=str(folder), view="s0003_v00").done()
    view = found["views"][0]
    mask = talk.client.array(view["mask"])
    with models.one_thread_a_view():
        depth = Model.load("demo-cars").subject(3).render(cameras_of(folder)["s0003_v01"]).depth_planar
    told = np.isfinite(depth) & (mask != 255)
    assert found["truth"] is True
    assert (view["filled_px"], view["right_px"]) == (told.sum(), (mask[told] == truth[told]).sum())
    assert view["right_px"] > 0.95 * view["filled_px"]


def cameras_of(folder: Path) -> dict:
    return cameras_from_json((folder / "cameras.json").read_text())


def test_a_model_file_that_changes_or_goes(talk: Talk, tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "own.safetensors", seed=3)
    request = {"model": str(path), "seed": 0, "cameras": named(CAMERAS[:1]), "size_px": 32, "channels": ["rgb"]}

    def seen() -> np.ndarray:
        return talk.client.array(talk.call("render", **request).parts[0]["rgb"])

    first = seen()
    assert np.array_equal(seen(), first)
    assert talk.call("status").done()["models"][-1] == str(path)
    save_tiny(path, seed=4)
    assert not np.array_equal(seen(), first)
    path.unlink()
    code, message = talk.call("render", **request).failed()
    assert (
        code,
        message.startswith(f"{path}: expected the embedded model demo-cars or demo-people or a model file, found no such file"),
    ) == (
        2,
        True,
    )


def test_few_models_stay_loaded(talk: Talk, tmp_path: Path) -> None:
    paths = [save_tiny(tmp_path / f"{number}.safetensors", seed=number) for number in range(3)]
    for path in paths:
        talk.call("render", model=str(path), seed=0, cameras=named(CAMERAS[:1]), size_px=16, channels=["rgb"]).done()
    assert talk.call("status").done()["models"] == [str(path) for path in paths[1:]]


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("render", {}, "params: model: expected a text, found none"),
        ("render", {"model": "demo-cars", "seed": -1}, "params: seed: expected a whole number from 0 to 4294967295, found -1"),
        ("render", {"model": "demo-cars", "seed": 0, "cameras": []}, "params: cameras: expected a list of 1 to 100000 objects"),
        (
            "render",
            {"model": "demo-cars", "seed": 0, "cameras": [{"name": "a"}]},
            "params: cameras[0]: expected the keys cam2world",
        ),
        ("render", {"model": "demo-cars", "seed": 0, "cameras": named(CAMERAS), "sizes_px": [32]}, "expected one for each of 3"),
        ("render", {"model": "demo-cars", "seed": 0, "cameras": named(CAMERAS), "siez": 3}, "found 'siez'; leave it out"),
        (
            "render",
            {"model": "demo-cars", "seed": 0, "cameras": named(CAMERAS), "channels": ["normals"]},
            "params: channels: expected",
        ),
        ("preview", {"model": "demo-cars", "seed": 0, "camera": 3}, "params: camera: expected an object, found 3"),
        (
            "preview",
            {"model": "demo-cars", "seed": 0, "truncation": 9},
            "params: truncation: expected a number from 0 to 2, found 9",
        ),
        (
            "sample",
            {"model": "demo-cars", "seeds": [1], "output": "here"},
            "params: output: expected an absolute path, found 'here'",
        ),
        ("sample", {"model": "demo-cars", "seeds": [1, 1], "output": "/nowhere/x"}, "expected each one once"),
        ("sample", {"model": "demo-cars", "seeds": [1], "labels": ["a,b"], "output": "/nowhere/x"}, "without a comma"),
        ("sample", {"model": "demo-cars", "seeds": [1], "yaw": [3], "output": "/x"}, "params: yaw: expected two numbers"),
        ("train", {"folders": ["here"], "output": "/nowhere/x"}, "params: folders: expected absolute paths, found 'here'"),
        ("open_annotations", {"folder": "/nowhere"}, "/nowhere: expected a folder made by `sample`, found no dataset.json"),
        (
            "model",
            {"model": "nobody"},
            "nobody: expected the embedded model demo-cars or demo-people or a model file, found no such file",
        ),
        ("nothing", {}, "method: expected one of"),
    ],
)
def test_wrong_requests(talk: Talk, method: str, params: dict, message: str) -> None:
    heard = talk.call(method, **params)
    assert message in heard.failed()[1]
    assert "\n" not in heard.failed()[1]


def test_output_that_cannot_be_written(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for method, output in (("sample", tmp_path / "file" / "set"), ("sample", Path("/proc/nothing"))):
        code, message = talk.call(method, model="demo-cars", seeds=[1], output=str(output)).failed()
        assert code == Code.FAILED
        assert message.startswith(f"{output}")


def test_exchange_folder_gone(closing: list[Talk]) -> None:
    talk = Talk()
    closing.append(talk)
    talk.call("status").done()
    shutil.rmtree(talk.folder)
    code, message = talk.call("preview", model="demo-cars", seed=0, camera=named(CAMERAS)[0], size_px=16).failed()
    assert (code, "expected to write this file or folder" in message) == (Code.FAILED, True)
    talk.call("status").done()


def test_memory_that_runs_out(closing: list[Talk]) -> None:
    talk = stand_in(closing, "memory")
    code, message = talk.call("render", model="x", seed=0, cameras=named(CAMERAS)).failed()
    assert code == Code.OUT_OF_MEMORY
    assert message == "render: expected enough memory, the device has too little; make it smaller, or choose the device cpu"
    assert talk.call("status").done()["models"] == []  # what could be let go was


def test_what_prints_does_not_break_the_protocol(closing: list[Talk]) -> None:
    talk = stand_in(closing, "noise")
    talk.call("render", model="x", seed=0, cameras=named(CAMERAS)).done()
    process = talk.client._process
    assert process is not None
    assert {"a library talks", "its C code, too"} <= set(process.last_lines)


def test_a_mistake_of_ours_is_told_in_a_line(closing: list[Talk]) -> None:
    talk = stand_in(closing, "broken")
    assert talk.call("render", model="x", seed=0, cameras=named(CAMERAS)).failed() == (
        Code.FAULT,
        "render: ZeroDivisionError: a mistake of ours",
    )
    talk.call("status").done()


def test_cancelling_and_newer_previews(closing: list[Talk]) -> None:
    talk = stand_in(closing, "slow")
    running = talk.ask("render", model="x", seed=0, cameras=named(CAMERAS * 20))
    waiting = talk.ask("render", model="x", seed=0, cameras=named(CAMERAS * 20))
    previews = [talk.ask("preview", model="x", seed=seed, camera=named(CAMERAS)[0], size_px=8) for seed in range(3)]
    talk.wait(lambda: running.parts and previews[1].over)
    assert [preview.over for preview in previews] == [True, True, False]
    assert previews[1].failed() == (Code.CANCELLED, "superseded by a newer preview")
    talk.call("status").done()  # at once, while the job runs
    assert not running.over
    for heard in (waiting, running):
        talk.client.cancel(heard.number)
        talk.wait(lambda heard=heard: heard.over, 5)
        assert heard.failed() == (Code.CANCELLED, "cancelled")
    assert len(running.parts) < 60


def test_worker_killed_in_the_middle(closing: list[Talk]) -> None:
    talk = stand_in(closing, "stuck")
    heard = talk.ask("render", model="x", seed=0, cameras=named(CAMERAS))
    talk.wait(lambda: heard.progress)
    assert talk.client.pid is not None
    os.kill(talk.client.pid, signal.SIGKILL)
    talk.wait(lambda: heard.over, 10)
    assert heard.failed()[0] == Code.LOST
    assert "during render with SIGKILL" in talk.client.loss


def test_a_stuck_job_does_not_keep_it_from_ending(closing: list[Talk]) -> None:
    talk = stand_in(closing, "stuck")
    heard = talk.ask("render", model="x", seed=0, cameras=named(CAMERAS))
    talk.wait(lambda: heard.progress)
    pid = talk.client.pid
    assert pid is not None
    before = time.monotonic()
    talk.client.stop(10.0)
    assert time.monotonic() - before < 6  # by itself: a kill would have come after 10 s
    assert is_gone(pid)


@pytest.mark.parametrize("behaviour", ["stuck", "slow"])
def test_a_killed_client_leaves_no_process(behaviour: str) -> None:
    code = f"""
import sys, time
from tests.headless.test_worker import CAMERAS, named
from tests.headless.worker_talk import Talk
talk = Talk.stand_in({behaviour!r})
heard = talk.ask("render", model="x", seed=0, cameras=named(CAMERAS * 100))
talk.wait(lambda: heard.progress)
print(talk.client.pid, flush=True)
time.sleep(60)
"""
    client = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    pid = int(client.stdout.readline())
    assert not is_gone(pid, 0.5)
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdout.close()
    assert is_gone(pid)


def test_a_process_is_there_until_it_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(os.getpid()) and is_alive(process.pid)
    process.communicate(b"\n")
    assert not is_alive(process.pid)
    assert not any(is_alive(number) for number in (-1, 0, 2**31, 10**10 - 1))  # no process, and not the groups that os.kill means


def test_the_parents_end_is_seen_without_stdin_closing(tmp_path: Path) -> None:
    # a process between holds the worker's stdin open, as a handle that some other child has inherited would
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    command = [
        sys.executable,
        "-m",
        "headless.cli",
        "worker",
        "--device",
        "cpu",
        "--exchange",
        str(tmp_path),
        "--parent",
        str(parent.pid),
    ]
    worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert b'"ready"' in worker.stdout.readline()
    parent.kill()
    parent.wait()
    assert worker.wait(10) == 1
    for pipe in (worker.stdin, worker.stdout):
        assert pipe is not None
        pipe.close()


def talk_raw(lines: bytes, exchange: Path) -> list[dict]:
    """What a worker says to these bytes on stdin, after its greeting."""
    command = [sys.executable, "-m", "headless.cli", "worker", "--device", "cpu", "--exchange", str(exchange)]
    result = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr.decode()
    greeting, *answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert greeting["method"] == "ready"
    assert greeting["params"]["protocol"] == 1
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    return answers


def test_lines_that_are_no_requests(tmp_path: Path) -> None:
    lines = [
        b"nonsense",
        b"[]",
        b'{"jsonrpc":"1.0","id":7,"method":"status"}',
        b"",
        b'{"jsonrpc":"2.0","id":8,"method":"status","params":[]}',
    ]
    lines += [
        b'{"jsonrpc":"2.0","method":"unheard of"}',
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":"a","method":"shutdown"}',
        b"more",
    ]
    answers = talk_raw(b"\n".join(lines) + b"\n", tmp_path)
    codes = [(answer["id"], answer.get("error", {}).get("code")) for answer in answers]
    assert codes == [(None, -32700), (None, -32600), (7, -32600), (8, -32600), (None, -32700), ("a", None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "cuda"], "--device cuda: expected a CUDA device, torch sees none"),
        (["--exchange", "/nowhere"], "Directory '/nowhere' does not exist"),
    ],
)
def test_wrong_calls_are_told_before_any_greeting(options: list[str], message: str, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available() and "cuda" in options:
        pytest.skip("there is a CUDA device")
    command = [sys.executable, "-m", "headless.cli", "worker", "--exchange", str(tmp_path), *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_an_interpreter_without_torch(closing: list[Talk], tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: cannot open shared object file')\n")
    talk = Talk(PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    closing.append(talk)
    talk.wait(lambda: talk.client.state == "lost")
    reason = "libtorch_cpu.so: cannot open shared object file"
    expected = f"torch: expected it with datasetnerf, it cannot be imported ({reason}); install torch there"
    assert talk.client.loss == f"{sys.executable}: {expected}"


# subject files in place of seeds


@pytest.fixture(scope="module")
def subject_file(tmp_path_factory: pytest.TempPathFactory, trained_model: Path) -> Path:
    """The latents of seed 3."""
    path = tmp_path_factory.mktemp("subject") / "three.safetensors"
    save_subject(path, trained_model, 3)
    return path


def save_subject(path: Path, model_file: Path, seed: int) -> None:
    model = Model.load(model_file)
    write_subject_file(path, record_of(model, model.subject(seed).ws, None, {}))


def arrays_of(talk: Talk, heard: Heard) -> dict[str, np.ndarray]:
    """The arrays of a request's parts and result."""
    told = [*heard.parts, heard.done()]
    numbered = [(one.get("index", place), one) for place, one in enumerate(told)]
    names = {f"{place}/{key}": name for place, one in numbered for key, name in one.items() if str(name).endswith(".npy")}
    return {key: np.load(talk.folder / name) for key, name in names.items()}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("render", {"cameras": named(CAMERAS[:2]), "size_px": 32}),
        ("pointcloud", {"cameras": named(CAMERAS), "size_px": 32, "points": 100}),
        ("preview", {"camera": named(CAMERAS)[0], "size_px": 32}),
    ],
)
def test_a_subject_file_is_seen_as_its_seed_is(
    talk: Talk, trained_model: Path, subject_file: Path, method: str, params: dict[str, Any]
) -> None:
    request = {"model": str(trained_model), **params}
    by_file = arrays_of(talk, talk.call(method, **request, subject_file=str(subject_file)))
    by_seed = arrays_of(talk, talk.call(method, **request, seed=3))
    other = arrays_of(talk, talk.call(method, **request, seed=4))
    assert len(by_file) >= 2
    if method == "preview":  # its coarse picture is left out where the subject is there already
        by_file, by_seed, other = ({max(found)[2:]: found[max(found)]} for found in (by_file, by_seed, other))
    assert by_file.keys() == by_seed.keys()
    assert all(np.array_equal(by_file[key], by_seed[key]) for key in by_seed)
    assert any(not np.array_equal(by_seed[key], other[key]) for key in by_seed)


def test_a_subject_file_that_changed_is_read_anew(talk: Talk, trained_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    request = {"model": str(trained_model), "cameras": named(CAMERAS[:1]), "size_px": 32, "channels": ["rgb"]}
    pictures = []
    for seed in (3, 4):
        save_subject(path, trained_model, seed)
        pictures.append(arrays_of(talk, talk.call("render", **request, subject_file=str(path)))["0/rgb"])
        assert np.array_equal(pictures[-1], arrays_of(talk, talk.call("render", **request, seed=seed))["0/rgb"])
    assert not np.array_equal(*pictures)


def test_a_clip_of_subject_files(talk: Talk, trained_model: Path, subject_file: Path, tmp_path: Path) -> None:
    other, output = tmp_path / "four.safetensors", tmp_path / "clip"
    save_subject(other, trained_model, 4)
    request = {"model": str(trained_model), "cameras": named(CAMERAS), "size_px": 32, "name": "shot", "previews": ["image"]}
    files = [{"subject_file": str(subject_file)}, {"subject_file": str(other)}, {"subject_file": str(subject_file)}]
    made = talk.call("video", **request, subjects=files, output=str(output)).done()["files"]
    seeds = [{"seed": 3}, {"seed": 4}, {"seed": 3}]
    expected = talk.call("video", **request, subjects=seeds, output=str(tmp_path / "seeds")).done()["files"]
    assert Path(made["labels"]).read_bytes() == Path(expected["labels"]).read_bytes()
    frames = json.loads(Path(made["cameras"]).read_text())["views"]
    assert [frame["subject_file"] for frame in frames] == ["three.safetensors", "four.safetensors", "three.safetensors"]
    save_subject(other, trained_model, 5)
    code, message = talk.call("video", **request, subjects=files, output=str(output)).failed()
    assert (code, "--subject (its content) was " in message) == (Code.FAILED, True)
    mixed = [*files[:2], {"seed": 3}]
    code, message = talk.call("video", **request, subjects=mixed, output=str(tmp_path / "mixed")).failed()
    assert (code, "expected seeds in all frames or subject files in all" in message) == (Code.WRONG_CALL, True)


def test_subject_files_are_sampled_and_painted_on(talk: Talk, trained_model: Path, subject_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    request = {"model": str(trained_model), "views": 2, "output": str(folder)}
    views = talk.call("sample", **request, subject_files=[str(subject_file)]).done()["views"]
    assert [(view["seed"], view["subject_file"]) for view in views] == [(0, str(subject_file))] * 2
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    mask[40:90, 40:90] = 1
    write_mask(Path(views[0]["mask"]), mask, LABELS.palette())
    assert talk.call("prefill", folder=str(folder), view=views[0]["name"]).done()["truth"] is False
    cloud = {"model": str(trained_model), "cameras": named(CAMERAS), "size_px": 32, "annotations": str(folder)}
    assert talk.call("pointcloud", **cloud, subject_file=str(subject_file)).done()["count"] > 0
    code, message = talk.call("pointcloud", **cloud, seed=0).failed()
    assert (code, "expected a painted view of the subject with seed 0" in message) == (Code.FAILED, True)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"subject_file": "FILE", "seed": 1}, 2, "params: seed: expected none beside subject_file, found 1; leave it out"),
        ({"subject_file": "FILE", "truncation": 0.5}, 2, "params: truncation: expected none beside subject_file, found 0.5"),
        ({}, 2, "params: seed: expected a whole number from 0 to 4294967295, or a subject_file, found none"),
        ({"subject_file": "x.safetensors"}, 2, "params: subject_file: expected an absolute path, found 'x.safetensors'"),
        ({"subject_file": "/no/such"}, 2, "params: subject_file: expected a subject file, found none at /no/such"),
        ({"subject_file": "MODEL"}, 1, "expected a subject file, found a model file; give that with --model"),
        ({"subject_file": "FILE", "model": "demo-cars"}, 1, "expected the generator that it is a subject of, 'tiny'"),
    ],
)
def test_wrong_subject_files_are_one_line(
    talk: Talk, trained_model: Path, subject_file: Path, given: dict[str, Any], code: int, message: str
) -> None:
    places = {"FILE": str(subject_file), "MODEL": str(trained_model)}
    params = {"model": str(trained_model)} | {key: places.get(value, value) for key, value in given.items()}
    assert talk.call("render", **params, cameras=named(CAMERAS[:1])).failed()[0] == code
    assert message in talk.call("render", **params, cameras=named(CAMERAS[:1])).failed()[1]


def test_wrong_lists_of_subject_files_are_one_line(talk: Talk, trained_model: Path, subject_file: Path, tmp_path: Path) -> None:
    request = {"model": str(trained_model), "output": str(tmp_path / "out")}
    for given, message in (
        ({"subject_files": [str(subject_file)], "seeds": [1]}, "params: seeds: expected none beside subject_files"),
        ({"subject_files": ["x"]}, "params: subject_files: expected absolute paths of files, found 'x'"),
        ({}, "params: seeds: expected a list of"),
    ):
        code, found = talk.call("sample", **request, **given).failed()
        assert (code, message in found) == (Code.WRONG_CALL, True), found
    assert not (tmp_path / "out").exists()
