"""`dnerf-headless video`: exact labels, previews, paths, and clips that are whole or not there."""

from __future__ import annotations

import json
import resource
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from dnerf_core.camera import arc_cameras, cameras_from_json, cameras_to_json, orbit_cameras
from dnerf_core.generator.config import CameraConfig
from headless import cli
from headless.clips.plan import Mix, mixes_between
from headless.clips.video_files import label_video, preview_video, read_label_video
from headless.datasets.splits import parse_splits, split_of
from tests.headless.fake_engine import PITCH_DEG, SIZE_PX, FakeModel

KINDS = ["cameras.json", "image.mp4", "labels.mkv", "overlay.mp4", "side-by-side.mp4"]


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def video(output: Path, *args: str) -> int:
    return cli.run(["video", "-o", str(output), *args])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_preview(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_label_video_is_exact(tmp_path: Path) -> None:
    """Noise of all 256 ids, odd sides."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (33, 47), dtype=np.uint8) for _ in range(9)]
    for name in ("a.mkv", "b.mkv"):
        with label_video(tmp_path / name, 47, 33, 24) as add:
            for frame in frames:
                add(frame)
    decoded = list(read_label_video(tmp_path / "a.mkv"))
    assert len(decoded) == 9
    assert all(np.array_equal(one, other) for one, other in zip(decoded, frames, strict=True))
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("ffv1", "gray")
        assert stream.average_rate == 24


def test_a_preview_shows_its_frames(tmp_path: Path) -> None:
    """Red, green and blue halves within what 4:2:0 loses, and an odd side made even by its last row."""
    frame = np.zeros((33, 48, 3), np.uint8)
    frame[:, :16, 0] = frame[:, 16:32, 1] = frame[:, 32:, 2] = 200
    with preview_video(tmp_path / "a.mp4", 48, 33, 24) as add:
        for _ in range(5):
            add(frame)
    decoded = read_preview(tmp_path / "a.mp4")
    assert len(decoded) == 5
    assert decoded[4].shape == (34, 48, 3)
    for centre, channel in ((8, 0), (24, 1), (40, 2)):
        found = decoded[4][16, centre].astype(int)
        assert abs(found - 200 * np.eye(3, dtype=int)[channel]).max() < 12, found


def boxes_of(data: bytes) -> list[bytes]:
    """The kinds of an MP4's boxes, in order (ISO 14496-12): 4 bytes length, 4 bytes kind."""
    kinds, start = [], 0
    while start < len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        assert length >= 8
        kinds.append(kind)
        start += length
    return kinds


def test_a_preview_begins_with_its_index_and_tells_its_colours(tmp_path: Path) -> None:
    """So that browsers play while they load, and no player guesses the matrix: saturated colours come back by the one that is told."""
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 30, 120]], np.uint8)
    frame = np.repeat(np.repeat(colors[None], 16, axis=1), 64, axis=0)
    with preview_video(tmp_path / "a.mp4", 64, 64, 24) as add:
        for _ in range(3):
            add(frame)
    kinds = boxes_of((tmp_path / "a.mp4").read_bytes())
    assert kinds[0] == b"ftyp" and kinds.index(b"moov") < kinds.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.color_primaries, codec.color_trc, codec.colorspace, codec.color_range) == (
            1,
            1,
            1,
            1,
        )  # H.273: BT.709, limited
        decoded = next(container.decode(video=0))
    middles = slice(8, None, 16)
    shown = decoded.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG").to_ndarray()[32, middles]
    guessed = decoded.reformat(format="rgb24", src_colorspace="ITU601", src_color_range="MPEG").to_ndarray()[32, middles]
    assert np.abs(shown.astype(int) - colors).max() <= 4
    assert np.abs(guessed.astype(int) - colors).max() > 20


def test_splits_are_those_of_data_sets(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--seeds", "0-5", "--frames", "2", "--splits", "train=0.5,val=0.5"]
    assert video(tmp_path / "clips", *call) == 0
    out = capsys.readouterr().out
    splits = parse_splits("train=0.5,val=0.5")
    for seed in range(6):
        place = tmp_path / "clips" / split_of(splits, seed)
        assert sorted(path.name for path in place.glob(f"s{seed:04d}-*")) == [f"s{seed:04d}-{kind}" for kind in KINDS]
    assert {path.name for path in (tmp_path / "clips").iterdir()} == {
        "train",
        "val",
        "labels.json",
        "dataset.json",
        "checksums.sha256",
    }
    assert (tmp_path / "clips" / "train" / "s0000-side-by-side.mp4").is_file() and "clips/train/s0000-side-by-side.mp4" in out
    gone = tmp_path / "clips" / "val" / "s0001-labels.mkv"
    gone.unlink()
    (gone.parent / ".tmp-77-s0001-labels.mkv").write_bytes(b"half")
    assert video(tmp_path / "clips", *call) == 0
    assert gone.is_file() and not list((tmp_path / "clips").rglob(".tmp-*"))
    assert "1 made in" in capsys.readouterr().out
    assert video(tmp_path / "clips", "--seeds", "0-5", "--frames", "2") == 1
    assert "--splits was train=0.5,val=0.5 and is now" in error_line(capsys)
    assert video(tmp_path / "a", "--seeds", "0-5", "--between", "--splits", "train=0.5,val=0.5") == 2
    assert "--between: expected no --splits beside it" in error_line(capsys)


def test_a_clip(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert video(output, "--seeds", "2", "--frames", "7", "--fps", "12") == 0
    assert sorted(contents(output)) == sorted(
        ["checksums.sha256", "dataset.json", "labels.json", *(f"s0002-{kind}" for kind in KINDS)]
    )
    cameras = cameras_from_json((output / "s0002-cameras.json").read_text())
    assert list(cameras) == [f"f{index:04d}" for index in range(7)]
    expected = arc_cameras(CameraConfig(pitch_deg=PITCH_DEG), (-30, 30), (PITCH_DEG, PITCH_DEG), count=7)
    masks = list(read_label_video(output / "s0002-labels.mkv"))
    assert len(masks) == 7
    for camera, reference, mask in zip(cameras.values(), expected, masks, strict=True):
        np.testing.assert_array_equal(camera.cam2world, reference.cam2world)
        np.testing.assert_array_equal(mask, fake_model.subject(2).render(reference).mask)
    assert [len(read_preview(output / f"s0002-{kind}")) for kind in ("image.mp4", "overlay.mp4", "side-by-side.mp4")] == [7, 7, 7]
    assert read_preview(output / "s0002-side-by-side.mp4")[0].shape == (SIZE_PX, 2 * SIZE_PX, 3)
    captured = capsys.readouterr()
    assert captured.err.splitlines() in ([], [f"{output}: 1 clip of 7 frames, 1 of them to be made"])
    assert captured.out.splitlines()[0].startswith(f"{output}: 1 clip of 7 frames: 1 made in ")


def test_61_frames_by_default(fake_model: FakeModel, tmp_path: Path) -> None:
    assert video(tmp_path / "out") == 0
    assert len(list(read_label_video(tmp_path / "out" / "s0000-labels.mkv"))) == 61
    assert fake_model.subjects_made == [0]


def test_an_orbit_goes_round(fake_model: FakeModel, tmp_path: Path) -> None:
    assert video(tmp_path / "out", "--path", "orbit", "--pitch", "5", "--frames", "6") == 0
    cameras = cameras_from_json((tmp_path / "out" / "s0000-cameras.json").read_text())
    for camera, reference in zip(cameras.values(), orbit_cameras(CameraConfig(), count=6, pitch_deg=5), strict=True):
        np.testing.assert_array_equal(camera.cam2world, reference.cam2world)


def test_a_path_from_a_file(fake_model: FakeModel, tmp_path: Path) -> None:
    cameras = arc_cameras(CameraConfig(), (10.0, 50.0), count=4)
    file = tmp_path / "path.json"
    file.write_text(json.dumps(cameras_to_json(cameras)))
    assert video(tmp_path / "out", "--path", str(file)) == 0
    written = cameras_from_json((tmp_path / "out" / "s0000-cameras.json").read_text())
    for camera, reference in zip(written.values(), cameras, strict=True):
        np.testing.assert_array_equal(camera.cam2world, reference.cam2world)


def test_between_subjects(fake_model: FakeModel, tmp_path: Path) -> None:
    assert video(tmp_path / "out", "--seeds", "2,10,6", "--between", "--frames", "9") == 0
    data = json.loads((tmp_path / "out" / "s0002-s0006-cameras.json").read_text())
    assert [(*view["seeds"], view["share"]) for view in data["views"]] == [
        *((2, 10, share) for share in (0, 0.25, 0.5, 0.75)),
        *((10, 6, share) for share in (0, 0.25, 0.5, 0.75, 1)),
    ]
    assert fake_model.subjects_made == [2, 4, 6, 8, 10, 9, 8, 7, 6]


def test_mixes_by_hand() -> None:
    assert mixes_between((5, 7), 3) == [Mix(5, 7, 0.0), Mix(5, 7, 0.5), Mix(5, 7, 1.0)]


@pytest.mark.parametrize("count", ["2", "5"])
def test_the_number_of_workers_changes_nothing(count: str, fake_model: FakeModel, tmp_path: Path) -> None:
    call = ["--seeds", "1,2", "--frames", "20"]
    assert video(tmp_path / "one", *call, "--workers", "1") == 0
    assert video(tmp_path / "many", *call, "--workers", count) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), ZeroDivisionError("boom")])
def test_an_interrupted_clip_is_not_there(
    interruption: BaseException, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--seeds", "1,2", "--frames", "6"]
    assert video(tmp_path / "whole", *call) == 0
    fake_model.views_made.clear()

    def stop_in_the_second_clip() -> None:
        if len(fake_model.views_made) == 9:
            raise interruption

    fake_model.before_view = stop_in_the_second_clip
    half = tmp_path / "half"
    assert video(half, *call) == (130 if isinstance(interruption, KeyboardInterrupt) else 1)
    capsys.readouterr()
    assert sorted(name for name in contents(half) if not name.startswith(".checksums-")) == sorted(
        ["dataset.json", "labels.json", *(f"s0001-{kind}" for kind in KINDS), "s0002-cameras.json"]
    )
    fake_model.before_view = lambda: None
    fake_model.subjects_made.clear()
    (half / ".tmp-12-s0002-labels.mkv").write_bytes(b"half")
    assert video(half, *call) == 0
    assert fake_model.subjects_made == [2]
    assert contents(half) == contents(tmp_path / "whole")
    assert video(half, *call) == 0
    assert fake_model.subjects_made == [2]


def test_another_call_is_refused(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert video(tmp_path / "out", "--frames", "2") == 0
    assert video(tmp_path / "out", "--frames", "2", "--fps", "25") == 1
    assert "holds the results of another call, --fps was 24 and is now 25; choose another --output" in error_line(capsys)
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "mine.txt").write_text("mine")
    assert video(tmp_path / "strange", "--frames", "2") == 1
    assert "found 'mine.txt' and no dataset.json; choose another --output" in error_line(capsys)


def test_a_full_disk_is_one_line_and_leaves_nothing_half(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file size limit stands for the full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
        assert video(tmp_path / "out", "--frames", "61", "--resolution", "64") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "expected to write this file or folder, the system says: File too large" in error_line(capsys)
    assert not [name for name in contents(tmp_path / "out") if name.endswith((".mkv", ".mp4")) or name.startswith(".tmp")]


def test_a_model_without_labels_gives_the_image_alone(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_model.masks = False
    assert video(tmp_path / "out", "--frames", "3") == 0
    assert sorted(contents(tmp_path / "out")) == ["checksums.sha256", "dataset.json", "s0000-cameras.json", "s0000-image.mp4"]
    assert "the model has no semantic branch, so only the image is written" in capsys.readouterr().err


def test_frames_without_labels_are_told(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_model.empty = True
    assert video(tmp_path / "out", "--frames", "3") == 0
    assert "warning: s0000: 3 frames have no labels but background, the first is f0000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--path", "nowhere.json"], "--path nowhere.json: expected arc, orbit, a cameras.json, a transforms.json, a"),
        (["--path", "orbit", "--yaw", "0:90"], "--yaw: expected no range with --path orbit, which goes all the way round"),
        (["--path", "orbit", "--pitch", "0:9"], "--pitch 0:9: expected one value for --path orbit; give --pitch 0"),
        (["--path", "x.json", "--frames", "9"], "--frames: expected none beside --path x.json, whose views are the frames"),
        (["--between"], "--between: expected two subjects or more, found 1; give --seeds such as 3,7"),
        (["--frames", "0"], "0 is not in the range 1<=x<=100000"),
    ],
)
def test_wrong_calls(
    args: list[str], message: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert video(tmp_path / "out", *args) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_path_that_holds_no_cameras(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps(cameras_to_json([])))
    assert video(tmp_path / "out", "--path", str(file)) == 2
    assert f"{file}: views: expected a list of at least one camera" in error_line(capsys)
    file.write_text('{"version": 7}')
    assert video(tmp_path / "out", "--path", str(file)) == 2
    assert f"{file}: version: expected " in error_line(capsys)


def test_a_legend_goes_below_previews_with_labels_alone(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, told = tmp_path / "plain", tmp_path / "told"
    assert video(plain, "--seeds", "2", "--frames", "2") == video(told, "--seeds", "2", "--frames", "2", "--legend") == 0
    for kind in ("cameras.json", "labels.mkv", "image.mp4"):
        assert (plain / f"s0002-{kind}").read_bytes() == (told / f"s0002-{kind}").read_bytes()
    for kind in ("overlay.mp4", "side-by-side.mp4"):
        without, with_legend = (read_preview(folder / f"s0002-{kind}")[0].astype(int) for folder in (plain, told))
        below = with_legend[without.shape[0] :]
        assert below.shape[0] >= 26 and below.shape[1] == without.shape[1]
        for color in (label.color for label in fake_model.labels.labels):
            assert (np.abs(below - color).max(axis=2) < 60).sum() > 50, color
        assert np.abs(with_legend[: without.shape[0] - 2] - without[:-2]).mean() < 3
    assert "legend" not in json.loads((plain / "dataset.json").read_text())["plan"]
    assert video(told, "--seeds", "2", "--frames", "2") == 1
    assert "--legend was True and is now False" in error_line(capsys)
