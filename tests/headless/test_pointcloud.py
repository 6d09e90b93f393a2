"""`pointcloud`: what is written, what a second run does, what is refused; and views of a folder in place of a model's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import plyfile
import pytest

from dnerf_core.camera import cameras_to_json
from dnerf_core.files.pictures import write_depth, write_image, write_mask
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.fusion import fuse_views
from dnerf_core.work.made_once import Once
from headless import cli
from headless.clouds.sources import ModelSource
from headless.datasets.plan import ViewPlan
from tests.core.pointcloud_scenes import SEAM_X, distance_to_surface, ring, view_of
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import contents, error_line, snapshot

BALL_LABELS = LabelSet.from_names(["front", "back", "wall"])


def pointcloud(output: Path, *args: str) -> int:
    """One view a subject: the stand-in engine's views from elsewhere show another disc."""
    return cli.run(["pointcloud", "--seeds", "0-2", "--yaw", "10", "-o", str(output), *args])


def ball_folder(path: Path, *, seeds: bool, labels: bool = True) -> Path:
    """A folder of eight views of the ball, as a user or `render` may have written it."""
    cameras = ring(8)
    for kind in ("images", "depth", "masks"):
        (path / kind).mkdir(parents=True)
    data = cameras_to_json(cameras)
    for index, view in enumerate(data["views"]):
        if seeds:
            view["seed"] = 7 if index < 6 else 8
        seen = view_of(cameras[index], 64)
        write_image(path / "images" / f"{view['name']}.png", seen.rgb)
        write_depth(path / "depth" / f"{view['name']}.{'exr' if seeds else 'npy'}", seen.depth_planar, "exr" if seeds else "npy")
        if labels:
            assert seen.mask is not None
            write_mask(path / "masks" / f"{view['name']}.png", seen.mask, BALL_LABELS.palette())
    (path / "cameras.json").write_text(json.dumps(data))
    if labels:
        (path / "labels.json").write_text(json.dumps(BALL_LABELS.to_json()))
    return path


def test_the_folder_holds_what_was_asked_for(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "deep" / "clouds"
    formats = [part for kind in ("shapenetpart", "ply", "npz", "glb") for part in ("--format", kind)]
    assert pointcloud(output, *formats, "--color", "label") == 0
    names = [f"s{seed:04d}" for seed in range(3)]
    expected = {
        "dataset.json",
        "checksums.sha256",
        "labels.json",
        *(f"{kind}/{name}.{kind}" for kind in ("ply", "npz", "glb") for name in names),
    }
    expected |= {f"shapenetpart/02958343/{name}.txt" for name in names} | {"shapenetpart/synsetoffset2category.txt"}
    expected |= {f"shapenetpart/train_test_split/shuffled_{split}_file_list.json" for split in ("train", "val", "test")}
    assert {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()} == expected
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(f"{output}: 3 clouds as ply, npz, glb, shapenetpart: 3 made in ")
    assert captured.out.endswith(f"look at {output}/ply/s0000.ply\n")
    assert fake_model.subjects_made == [0, 1, 2]
    vertex = plyfile.PlyData.read(output / "ply" / "s0001.ply")["vertex"]
    assert set(np.unique(vertex["label"])) <= {0, 1, 2, 3, 4}
    assert len(np.unique(vertex["red"])) > 1, "label colours"


def test_the_same_call_again_changes_nothing_and_fills_gaps(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    asked = ["--format", "npz", "--format", "shapenetpart"]
    assert pointcloud(output, *asked) == 0
    before = snapshot(output)
    fake_model.subjects_made.clear()
    capsys.readouterr()
    assert pointcloud(output, *asked) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (snapshot(output), fake_model.subjects_made) == (before, [])
    (output / "shapenetpart" / "02958343" / "s0001.txt").unlink()
    (output / "shapenetpart" / "synsetoffset2category.txt").unlink()
    (output / "npz" / ".tmp-0000000077-s0001.npz").write_bytes(b"half")
    assert pointcloud(output, *asked) == 0
    assert fake_model.subjects_made == [1]
    assert contents(output) == {name: data for name, (data, _) in before.items()}
    assert snapshot(output)["npz/s0001.npz"] == before["npz/s0001.npz"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), ZeroDivisionError("boom")])
def test_an_interrupted_run_is_finished_by_the_same_call(
    interruption: BaseException, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pointcloud(tmp_path / "whole") == 0

    def stop_at_the_second() -> None:
        if fake_model.views_made[3:]:
            raise interruption

    fake_model.before_view = stop_at_the_second
    assert pointcloud(tmp_path / "half", "--workers", "1") == (130 if isinstance(interruption, KeyboardInterrupt) else 1)
    error_line_of_two = capsys.readouterr().err
    assert error_line_of_two.startswith("error: ")
    fake_model.before_view = lambda: None
    assert pointcloud(tmp_path / "half") == 0
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")


def test_views_say_what_a_depth_sample_covers(fake_model: FakeModel) -> None:
    """Enlarged depth is judged by its samples, however many pixels each covers."""
    rays = fake_model.config.rays.neural_resolution
    for size, expected in ((rays // 2, 1), (rays, 1), (rays + 1, 2), (2 * rays, 2), (4 * rays, 4)):
        plan = ViewPlan("demo-cars", "", (0,), 1, (0, 0), (0, 0), "even", 1.0, size, None, True)
        source = ModelSource(plan, fake_model.config, None, Once(lambda: fake_model))  # type: ignore[arg-type, return-value]
        assert source.views("s0000")[0]().sample_px == expected


def test_workers_do_not_change_a_byte(fake_model: FakeModel, tmp_path: Path) -> None:
    assert pointcloud(tmp_path / "one", "--workers", "1", "--points", "50") == 0
    assert pointcloud(tmp_path / "three", "--workers", "3", "--points", "50") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_other_folders_are_refused(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"x")
    assert pointcloud(tmp_path / "photos") == 1
    assert "found 'holiday.jpg' and no dataset.json; choose another --output" in error_line(capsys)
    assert pointcloud(tmp_path / "out") == 0
    before = snapshot(tmp_path / "out")
    for args, difference in (
        (["--voxel", "0.1"], "--voxel was None and is now 0.1"),
        (["--points", "9"], "--points was None and is now 9"),
        (["--format", "glb"], "--format was ply and is now glb"),
        (["--color", "label"], "--color was rgb and is now label"),
        (["--category", "Face"], "--category was Car and is now Face"),
        (["--truncation", "0.5"], "--truncation was 1.0 and is now 0.5"),
    ):
        capsys.readouterr()
        assert pointcloud(tmp_path / "out", *args) == 1
        assert f"holds the results of another call, {difference}" in error_line(capsys)
    assert snapshot(tmp_path / "out") == before


def test_wrong_calls_are_told(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ball_folder(tmp_path / "ball", seeds=False)
    plain = ball_folder(tmp_path / "plain", seeds=False, labels=False)
    (tmp_path / "empty").mkdir()
    for args, message in (
        (["--voxel", "0.1", "--points", "5"], "--voxel and --points: expected one of them, found both"),
        (["--voxel", "0"], "Invalid value for '--voxel'"),
        (["--category", "a/b"], "--category: expected a word of letters, digits, - and _, found 'a/b'"),
        (["--from", str(folder)], "--seeds: expected none beside --from"),
        (["--from", str(tmp_path / "nothing")], "does not exist"),
    ):
        assert pointcloud(tmp_path / "out", *args) == 2
        assert message in error_line(capsys)
    for args, message in (
        (["--from", str(plain), "--format", "shapenetpart"], "--format shapenetpart: expected views with labels, found none"),
        (["--from", str(plain), "--color", "label"], "--color label: expected views with labels, found none"),
        (["--from", str(tmp_path / "empty")], "cameras.json: expected a file of posed views, it cannot be read"),
    ):
        assert cli.run(["pointcloud", *args, "-o", str(tmp_path / "out")]) == 2
        assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()
    assert pointcloud(tmp_path / "out", "--points", "100000") == 2
    assert "s0000: points: expected at most " in error_line(capsys)


def test_json_lines(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pointcloud(tmp_path / "out", "--json", "--points", "20") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["event"] for event in events] == ["start", "cloud", "cloud", "cloud", "summary"]
    assert (events[0]["clouds"], events[0]["clouds_missing"], events[0]["plan"]["points"]) == (3, 3, 20)
    assert [(event["name"], event["points"]) for event in events[1:4]] == [("s0000", 20), ("s0001", 20), ("s0002", 20)]
    assert (events[-1]["status"], events[-1]["clouds_made"], events[-1]["points"], events[-1]["nothing_to_do"]) == (
        "done",
        3,
        60,
        False,
    )


def test_a_model_without_labels_gives_plain_clouds(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_model.masks = False
    assert pointcloud(tmp_path / "out") == 0
    assert capsys.readouterr().err == "warning: the views have no labels, so the clouds have none\n"
    assert not (tmp_path / "out" / "labels.json").exists()
    properties = plyfile.PlyData.read(tmp_path / "out" / "ply" / "s0000.ply")["vertex"].properties
    assert "label" not in [p.name for p in properties]


def test_a_folder_of_views_is_fused(tmp_path: Path) -> None:
    folder = ball_folder(tmp_path / "ball", seeds=False)
    assert cli.run(["pointcloud", "--from", str(folder), "--format", "npz", "-o", str(tmp_path / "out")]) == 0
    with np.load(tmp_path / "out" / "npz" / "object.npz") as cloud:
        expected = fuse_views([view_of(camera, 64) for camera in ring(8)], BALL_LABELS.num_classes)
        np.testing.assert_array_equal(cloud["points"], expected.points)
        np.testing.assert_array_equal(cloud["labels"], expected.labels)
        assert distance_to_surface(cloud["points"], wall=False).max() < 0.02
        clear = np.abs(cloud["points"][:, 0] - SEAM_X) > 0.05
        np.testing.assert_array_equal(cloud["labels"][clear], np.where(cloud["points"][clear, 0] > SEAM_X, 1, 2))


def test_views_of_several_subjects_are_fused_apart(tmp_path: Path) -> None:
    folder = ball_folder(tmp_path / "ball", seeds=True)
    assert cli.run(["pointcloud", "--from", str(folder), "-o", str(tmp_path / "out")]) == 0
    sizes = {path.stem: len(plyfile.PlyData.read(path)["vertex"]) for path in (tmp_path / "out" / "ply").iterdir()}
    assert set(sizes) == {"s0007", "s0008"}
    assert sizes["s0007"] > sizes["s0008"]


def test_a_folder_with_something_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ball_folder(tmp_path / "ball", seeds=False)
    call = ["pointcloud", "--from", str(folder), "-o", str(tmp_path / "out")]
    depth = folder / "depth" / "view_0003.npy"
    kept = np.load(depth)
    np.save(depth, np.zeros_like(kept))
    assert cli.run(call) == 1
    assert "view_0003.npy: depth_planar: expected depths above 0, +inf at background" in error_line(capsys)
    np.save(depth, kept[:32])
    assert cli.run(call) == 1
    assert "view_0003.npy: rgb: expected uint8 [32, 64, 3] to go with depth_planar" in error_line(capsys)
    depth.unlink()
    assert cli.run(call) == 1
    assert "view_0003.exr: expected a file of the view 'view_0003', found none; render the views with depth" in error_line(capsys)
    np.save(depth, kept)
    assert cli.run(call) == 0
