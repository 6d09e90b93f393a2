"""Views added one by one to a folder: it is the data set of all of them, which `render` verifies and goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import arc_cameras, orbit_cameras
from dnerf_core.datasets.labeled_views import LabeledViews
from dnerf_core.errors import DNeRFError
from dnerf_core.subject_key import SubjectKey
from headless import cli
from headless.datasets.adding.views import FIRST_FREE
from headless.runs.adding import joining
from headless.runs.adding.call import AddedTo, AddViewsCall
from headless.runs.adding.growing import GrowingFolder
from headless.runs.adding.views import add_views
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Quiet
from tests.headless.fake_engine import SIZE_PX, FakeModel, fake_facts
from tests.headless.test_extend import contents, render, stamps

CONFIG = fake_facts("demo-cars", masks=True).config
ARC = arc_cameras(CONFIG.cameras, (-30.0, 30.0), (12.0, 12.0), count=2)
ORBIT = orbit_cameras(CONFIG.cameras, count=3, pitch_deg=40.0)


class StoppedError(Exception):
    """Ends a run from outside."""


def add(folder: Path, seed: int, cameras: list[Any] = ARC, truncation: float = 1.0, **options: Any) -> AddedTo:
    call = AddViewsCall(subject=SubjectKey(seed, truncation), cameras=cameras, output=folder, workers=1, **options)
    return add_views(call)


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """The views of cameras.json by name; those of metadata.jsonl are the same."""
    views = {view["name"]: view for view in json.loads((folder / "cameras.json").read_text())["views"]}
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [Path(row["image_file_name"]).stem for row in rows] == list(views)
    return views


def test_a_second_subject_keeps_the_firsts_views(fake_model: FakeModel, tmp_path: Path) -> None:
    folder = tmp_path / "views"
    assert add(folder, 3) == AddedTo(("s0003_v00", "s0003_v01"), 2, 2, 1)
    before, first = stamps(folder), listed(folder)
    assert add(folder, 5, ORBIT, camera_names=("left", "", "right")) == AddedTo(("s0005_v00", "s0005_v01", "s0005_v02"), 3, 5, 2)
    assert add(folder, 3, [ORBIT[0]]).names == ("s0003_v02",)
    assert add(folder, 3, [ARC[1], ORBIT[1]]) == AddedTo(("s0003_v01", "s0003_v03"), 1, 7, 2)
    views = listed(folder)
    assert {name: views[name] for name in first} == first
    assert {name: stamp for name, stamp in stamps(folder).items() if name in before} == before
    assert sorted(views) == [f"s0003_v{view:02d}" for view in range(4)] + [f"s0005_v{view:02d}" for view in range(3)]
    assert [views[f"s0005_v{view:02d}"].get("camera") for view in range(3)] == ["left", None, "right"]
    read = LabeledViews(folder)
    assert len(read) == 7
    for sample in read:
        assert sample["image"].shape == (3, SIZE_PX, SIZE_PX) and sample["depth"].shape == sample["mask"].shape
    plan = json.loads((folder / "dataset.json").read_text())["plan"]
    assert (plan["model_name"], plan["seeds"], plan["truncation"]) == ("demo-cars", "3,5", 1.0)


def test_another_truncation_is_told_apart(fake_model: FakeModel, tmp_path: Path) -> None:
    add(tmp_path, 3)
    assert add(tmp_path, 3, truncation=0.5).names == (f"s{FIRST_FREE}_v00", f"s{FIRST_FREE}_v01")
    assert add(tmp_path, 3, ORBIT, truncation=0.5).names[0] == f"s{FIRST_FREE}_v02"
    assert add(tmp_path, 4, truncation=0.5).names[0] == "s0004_v00"
    views = listed(tmp_path)
    assert (views[f"s{FIRST_FREE}_v01"]["subject_seed"], views[f"s{FIRST_FREE}_v01"]["truncation"]) == (3, 0.5)
    assert views["s0004_v00"]["truncation"] == 0.5 and "truncation" not in views["s0003_v00"]
    reds = {sample["name"]: int(sample["image"][1].max()) for sample in LabeledViews(tmp_path)}
    assert (reds["s0003_v00"], reds[f"s{FIRST_FREE}_v00"], reds["s0004_v00"]) == (100, 50, 50)
    record = json.loads((tmp_path / "dataset.json").read_text())
    assert record["plan"]["truncation"] is None
    assert f"subject {FIRST_FREE}: seed 3, truncation 0.5" in (tmp_path / "README.md").read_text()


def test_the_files_are_the_commands_which_goes_on_and_verifies(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added, whole = tmp_path / "added", tmp_path / "whole"
    add(added, 3)
    assert cli.run(["render", "--verify", "-o", str(added)]) == 0
    assert "all as written" in (said := capsys.readouterr().out) and "nothing to do" in said
    made = len(fake_model.views_made)
    assert render(added, "--seeds", "3,5", "--extend", "--verify") == 0
    assert len(fake_model.views_made) == made + 2, "seed 5 alone"
    assert render(whole, "--seeds", "3,5") == 0
    for kind in ("images", "masks", "depth"):
        assert contents(added / kind) == contents(whole / kind)
    for name in ("cameras.json", "metadata.jsonl", "labels.json", "id2label.json", "statistics.json"):
        assert (added / name).read_bytes() == (whole / name).read_bytes(), name
    before = contents(added)
    assert cli.run(["render", "-o", str(added)]) == 0
    assert render(added, "--seeds", "5", "--extend") == 0
    assert add(added, 5).written == 0
    assert contents(added) == before
    capsys.readouterr()
    assert render(added, "--seeds", "3,5") == 1, "another call without --extend"
    assert (
        "expected --extend, or no --seeds, --views and the like, for a folder whose views were added" in capsys.readouterr().err
    )
    (added / "images" / "s0005_v00.png").write_bytes(b"damaged")
    assert cli.run(["render", "--verify", "-o", str(added)]) == 0
    assert contents(added) == before


def test_a_folder_of_the_command_goes_on(fake_model: FakeModel, tmp_path: Path) -> None:
    splits = ["--splits", "train=0.5,val=0.5", "--depth-format", "npy", "--masks", "palette", "--truncation", "0.5"]
    assert render(tmp_path, "--seeds", "0-3", *splits) == 0
    before = stamps(tmp_path)
    assert add(tmp_path, 2, truncation=0.5).written == 0
    assert add(tmp_path, 2, ORBIT[:1], truncation=0.5).names == ("s0002_v02",)
    assert add(tmp_path, 9, truncation=0.5) == AddedTo(("s0009_v00", "s0009_v01"), 2, 11, 5)
    assert {name: stamp for name, stamp in stamps(tmp_path).items() if name in before} == before
    read = LabeledViews(tmp_path)
    assert len(read) == 11
    assert len(list(tmp_path.rglob("depth/*.npy"))) == 11
    assert render(tmp_path, "--seeds", "0-4", *splits, "--extend", "--verify") == 0
    assert len(LabeledViews(tmp_path)) == 13


def test_all_formats_of_added_views(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Subjects with one, two and three views each."""
    add(tmp_path, 3, ORBIT)
    add(tmp_path, 4, ARC[:1])
    add(tmp_path, 5)
    formats = ["--format", "coco,nerfstudio,webdataset"]
    assert cli.run(["render", *formats, "-o", str(tmp_path)]) == 0
    assert len(json.loads((tmp_path / "instances.json").read_text())["images"]) == 6
    before = contents(tmp_path)
    with pytest.raises(
        DNeRFError, match=r"expected a data set without other formats, .* found coco, nerfstudio, webdataset; add to it"
    ):
        add(tmp_path, 6)
    assert contents(tmp_path) == before
    assert render(tmp_path, *formats, "--seeds", "6", "--extend") == 0
    assert len(json.loads((tmp_path / "instances.json").read_text())["images"]) == 8
    assert cli.run(["render", "--dry-run", *formats, "-o", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"model_name": "demo-people"},
            "expected views of the model demo-cars (sha256 demo-cars-hash...), as those that are there, found ",
        ),
        (
            {"resolution": 32},
            f"expected views of {SIZE_PX} x {SIZE_PX} px, as those that are there, found 32 x 32 px; choose another",
        ),
        (
            {"channels": ("rgb", "mask")},
            "expected the channels rgb, mask, depth, as the views that are there, found rgb, mask; choose ",
        ),
        ({"exact": True}, "expected --exact True, as the views that are there, found False; add to it by dnerf-headless"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is_touched(
    options: dict[str, Any], words: str, fake_model: FakeModel, tmp_path: Path
) -> None:
    if "exact" in options:
        assert render(tmp_path, "--seeds", "3", "--exact") == 0
        options = {}
    else:
        add(tmp_path, 3)
    before, made = contents(tmp_path), len(fake_model.views_made)
    with pytest.raises(DNeRFError) as caught:
        add(tmp_path, 4, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value) and "choose another folder" in str(caught.value)
    assert contents(tmp_path) == before and len(fake_model.views_made) == made


def test_a_folder_of_something_else_is_refused(fake_model: FakeModel, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "cameras.json").write_text("{}")
    with pytest.raises(
        DNeRFError, match=r"mine: expected an empty folder or a data set of views, found 'cameras.json' and no dataset"
    ):
        add(tmp_path / "mine", 4)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dataset.json").write_text(json.dumps({"format": "datasetnerf-views", "command": "sample", "plan": {}}))
    with pytest.raises(
        DNeRFError, match="other: expected a data set of views, as render writes it, found one of sample; choose another"
    ):
        add(tmp_path / "other", 4)
    add(tmp_path / "labels", 4)
    labels = tmp_path / "labels" / "labels.json"
    labels.write_text(labels.read_text().replace("hood", "bonnet"))
    with pytest.raises(
        DNeRFError, match=r"labels.json: expected the labels .*hood.* of the model demo-cars, found others; choose another"
    ):
        add(tmp_path / "labels", 5)


class Impatient(Quiet):
    """Has had enough after some views."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.left = enough

    def event(self, kind: str, **fields: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoppedError


def stopped(folder: Path, seed: int, enough: int, cameras: list[Any]) -> None:
    call = AddViewsCall(subject=SubjectKey(seed, 1.0), cameras=cameras, output=folder, workers=1)
    with pytest.raises(StoppedError):
        add_views(call, Impatient(enough))


def test_one_that_is_stopped_leaves_the_views_that_are_whole(fake_model: FakeModel, tmp_path: Path) -> None:
    new = tmp_path / "new"
    fake_model.before_view = raise_stopped
    with pytest.raises(StoppedError):
        add(new, 3)
    assert not new.exists()
    fake_model.before_view = lambda: None
    folder = tmp_path / "views"
    add(folder, 3)
    before = listed(folder)
    stopped(folder, 5, 3, orbit_of(8))
    views = listed(folder)
    assert {name: views[name] for name in before} == before
    count = len(views) - len(before)
    assert 4 <= count < 8 and len(LabeledViews(folder)) == len(views)
    assert sorted(path.stem for path in (folder / "images").iterdir()) == sorted(views)
    assert cli.run(["render", "--verify", "-o", str(folder)]) == 0
    there = contents(folder)
    fake_model.before_view = raise_stopped
    with pytest.raises(StoppedError):
        add(folder, 7)
    fake_model.before_view = lambda: None
    assert contents(folder) == there
    whole = tmp_path / "whole"
    add(whole, 3)
    add(whole, 5, orbit_of(8)[:count])
    assert contents(folder / "images") == contents(whole / "images")


def test_one_that_was_killed_is_cleared_by_the_next(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, 3)
    before = listed(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(GrowingFolder, "_keep_whole_ones", lambda self: None)
        stopped(tmp_path, 5, 1, orbit_of(8))
    (tmp_path / "masks" / "s0005_v01.png").unlink()
    assert not (tmp_path / "metadata.jsonl").exists()
    assert add(tmp_path, 5, [ORBIT[2]]).written == 1
    views = listed(tmp_path)
    assert {name: views[name] for name in before} == before
    place = {name: view for name, view in views.items() if name.startswith("s0005")}
    np.testing.assert_allclose(list(place.values())[-1]["cam2world"], ORBIT[2].cam2world)
    assert len(LabeledViews(tmp_path)) == len(views) == len(list((tmp_path / "images").iterdir()))
    with monkeypatch.context() as patched:
        patched.setattr(GrowingFolder, "_keep_whole_ones", lambda self: None)
        stopped(tmp_path, 6, 0, orbit_of(4))
    assert cli.run(["render", "-o", str(tmp_path)]) == 0, "the command finishes it"
    assert len(LabeledViews(tmp_path)) == len(views) + 4


def test_two_at_once(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, 3)
    before = contents(tmp_path)
    with (
        at_work(tmp_path, call_digest("another"), lambda text: None),
        pytest.raises(DNeRFError, match="another call is at work there"),
    ):
        add(tmp_path, 4)
    assert contents(tmp_path) == before
    begin: Callable[..., None] = GrowingFolder.begin

    def late(self: GrowingFolder, unfinished: Any) -> None:
        path = tmp_path / "dataset.json"
        path.write_text(path.read_text().replace('"seeds": "3"', '"seeds": "3,8"'))
        begin(self, unfinished)

    monkeypatch.setattr(GrowingFolder, "begin", late)
    with pytest.raises(DNeRFError, match="expected the data set as it was a moment ago, found it changed meanwhile; repeat it"):
        add(tmp_path, 4)
    assert sorted(contents(tmp_path)) == sorted(before)


def test_the_views_are_told_as_their_files_have_them(fake_model: FakeModel, tmp_path: Path) -> None:
    seen: dict[int, Any] = {}

    def take(number: int, name: str, view: Any) -> None:
        assert name == f"s0003_v{number:02d}"
        seen[number] = view

    call = AddViewsCall(subject=SubjectKey(3, 1.0), cameras=ARC, output=tmp_path, workers=1)
    for made in (2, 0):
        assert add_views(call, take=take).written == made
        assert sorted(seen) == [0, 1]
        for number, sample in enumerate(LabeledViews(tmp_path)):
            view = seen.pop(number)
            np.testing.assert_array_equal(view.rgb, sample["image"].permute(1, 2, 0).numpy())
            np.testing.assert_array_equal(view.mask, sample["mask"].numpy())
            np.testing.assert_array_equal(view.depth_planar, sample["depth"].numpy())
            assert np.isinf(view.depth_planar).any() and view.uncertainty is None


def test_more_views_than_a_data_set_takes(fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, 3)
    before = contents(tmp_path)
    monkeypatch.setattr(joining, "MAX_VIEWS", 4)
    with pytest.raises(DNeRFError, match="expected at most 4 views of one subject, found 5 with these; choose another folder"):
        add(tmp_path, 3, ORBIT)
    assert contents(tmp_path) == before


def test_a_model_without_labels(fake_model: FakeModel, tmp_path: Path) -> None:
    fake_model.masks = False
    assert add(tmp_path, 3).written == 2
    assert not (tmp_path / "labels.json").exists() and not (tmp_path / "masks").exists()
    assert json.loads((tmp_path / "dataset.json").read_text())["plan"]["channels"] == ["rgb", "depth"]


def raise_stopped() -> None:
    raise StoppedError


def orbit_of(count: int) -> list[Any]:
    return list(orbit_cameras(CONFIG.cameras, count=count, pitch_deg=20.0))
