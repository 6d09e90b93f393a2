"""`render --consistent` and `evaluate --truth --consistent`: what changes, what must not, and by how much views agree more."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import orbit_cameras
from dnerf_core.demo.truth import true_mask
from dnerf_core.files.pictures import read_image
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.metrics import confusion_matrix, pooled_scores
from dnerf_core.model import Model
from dnerf_core.multiview.consistent_views import VOTING_VIEWS, LabelChanges, voting_cameras, voting_subset
from dnerf_core.pointcloud.consistent import fused_votes, relabelled
from headless import cli, models
from headless.clouds.sources import FolderSource
from tests.headless.fake_engine import PITCH_DEG, FakeModel
from tests.headless.test_render import contents, error_line, snapshot

ROUND = ["--views", "4", "--yaw", "-180:180", "--pitch", "5:30"]
SEEDS = ["--seeds", "20000-20001"]


def render(output: Path, *args: str) -> int:
    return cli.run(["render", *args, "-o", str(output)])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's views as rendered and with consistent masks, at the model's own size."""
    folder = tmp_path_factory.mktemp("both")
    paths = {"rendered": folder / "rendered", "consistent": folder / "consistent"}
    call = [*SEEDS, *ROUND, "--random-views", "--channels", "rgb,mask,depth,uncertainty"]
    with models.threads_a_view(2):  # of which the views make no use
        assert render(paths["rendered"], *call) == 0
        assert render(paths["consistent"], *call, "--consistent") == 0
    return paths


@pytest.fixture(scope="module")
def truth_scores() -> dict:
    """The same views by the other command."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert cli.run(["evaluate", "--truth", "--consistent", *SEEDS, *ROUND, "--json"]) == 0
    scores: dict = json.loads(output.getvalue().splitlines()[-1])
    return scores


def masks_of(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: read_image(path) for path in sorted((folder / "masks").iterdir())}


def test_only_labels_of_part_pixels_change(both: dict[str, Path]) -> None:
    rendered, consistent = masks_of(both["rendered"]), masks_of(both["consistent"])
    parts = changed = 0
    for name, mask in rendered.items():
        np.testing.assert_array_equal(mask > 0, consistent[name] > 0, err_msg="a silhouette moved")
        parts += (mask > 0).sum()
        changed += (mask != consistent[name]).sum()
    assert 0.001 < changed / parts < 0.02
    for kind in ("images", "depth", "uncertainty"):
        for path in (both["rendered"] / kind).iterdir():
            assert path.read_bytes() == (both["consistent"] / kind / path.name).read_bytes(), path


def test_views_agree_more_at_little_cost(both: dict[str, Path], truth_scores: dict, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured on these eight views: agreement from 0.977 to 0.984, mIoU from 0.925 to 0.924."""
    found = {}
    for kind, folder in both.items():
        capsys.readouterr()
        assert cli.run(["evaluate", "--consistency", str(folder), "--json"]) == 0
        found[kind] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["consistent"]["agreement"] > found["rendered"]["agreement"] + 0.005
    assert found["consistent"]["agreement_accuracy"] > found["rendered"]["agreement_accuracy"]
    truth = truth_scores
    assert truth["miou_consistent"] > truth["miou"] - 0.004
    # the same numbers by the other way; on several threads single pixels may differ
    assert truth["agreement"] == pytest.approx(found["rendered"]["agreement"], abs=2e-4)
    assert truth["agreement_consistent"] == pytest.approx(found["consistent"]["agreement"], abs=2e-4)
    assert truth["covisible"] == pytest.approx(found["rendered"]["covisible"], abs=2e-4)


def test_masks_are_those_of_the_engines_functions(both: dict[str, Path]) -> None:
    model = Model.load("demo-cars")
    with models.one_thread_a_view():
        subject = model.subject(20000)
        cameras = voting_cameras(model.config.cameras, (-180, 180), (5, 30))
        assert len(cameras) == VOTING_VIEWS
        votes = fused_votes([subject.render(camera) for camera in cameras], 5)
    rendered = FolderSource.open(both["rendered"])
    masks = masks_of(both["consistent"])
    for number, make in enumerate(rendered.views("s20000")):
        np.testing.assert_array_equal(relabelled(make(), votes), masks[f"s20000_v{number:02d}"])


def test_the_truth_scores_are_those_of_the_pixels(both: dict[str, Path], truth_scores: dict) -> None:
    model = Model.load("demo-cars")
    found = truth_scores
    masks = masks_of(both["consistent"])
    confusions = [
        confusion_matrix(true_mask(model, int(name[1:]), view.camera, model.config.image_size), masks[view.name], 5)
        for name, views in PosedFolder.open(both["consistent"]).objects.items()
        for view in views
    ]
    scores = pooled_scores(confusions)
    assert found["miou_consistent"] == pytest.approx(scores.miou, abs=2e-4)
    assert found["accuracy_consistent"] == pytest.approx(scores.accuracy, abs=2e-4)
    told = dict(zip(SHAPENET_CAR_LABELS.names, scores.iou_per_class, strict=True))
    assert found["iou_per_class_consistent"] == pytest.approx(told, abs=1e-3)


def test_one_view_a_subject_has_no_agreement(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", "--truth", "--consistent", "--seeds", "20000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-6].split() == ["masks", "as", "rendered", "consistent"]
    assert lines[-5].split()[0] == "mIoU"
    assert all(0.8 < float(cell) < 1 for cell in lines[-5].split()[1:])
    assert lines[-3].split() == ["agreement,", "mIoU", "-", "-"]
    assert lines[-1].endswith("% of the part pixels changed label")


def test_bytes_depend_on_neither_workers_nor_parts_nor_what_was_there(trained_model: Path, tmp_path: Path) -> None:
    """The real engine, at a size that is not the model's; a view that is missing is made again without the others' files."""
    model = ["--model", str(trained_model)]
    call = [*model, "--seeds", "3-4", "--views", "3", "--resolution", "96", "--consistent"]
    for workers in ("1", "3"):
        assert render(tmp_path / workers, *call, "--workers", workers) == 0
    for part in ("2/2", "1/2"):
        assert render(tmp_path / "parts", *call, "--shard", part) == 0
    whole = contents(tmp_path / "1")
    assert contents(tmp_path / "3") == whole
    assert contents(tmp_path / "parts") == whole
    names = [name for name in whole if name.startswith(("masks/s0004", "depth/s0004", "images/s0004")) or "_v01" in name]
    assert len(names) == 12
    for name in names:
        (tmp_path / "3" / name).unlink()
    assert render(tmp_path / "3", *call) == 0
    assert contents(tmp_path / "3") == whole
    alone = [*model, "--seeds", "4", "--views", "1", "--resolution", "96", "--consistent", "--random-views"]
    assert render(tmp_path / "alone", *alone, "--yaw", "-30:30") == 0
    assert render(tmp_path / "more", *alone, "--yaw", "-30:30", "--views", "2", "--channels", "mask") == 0
    mask = "masks/s0004_v00.png"
    assert (tmp_path / "alone" / mask).read_bytes() == (tmp_path / "more" / mask).read_bytes()


def test_the_votes_of_a_subject_are_fused_once(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--seeds", "0-2", "--views", "2", "--consistent", "--json"]
    assert render(tmp_path / "out", *call) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 <= summary["relabelled"] < 1
    assert len(fake_model.views_made) == 3 * (2 + VOTING_VIEWS)
    assert fake_model.subjects_made == [0, 1, 2]
    before = snapshot(tmp_path / "out")
    fake_model.views_made.clear()
    assert render(tmp_path / "out", *call) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["relabelled"] is None
    assert (snapshot(tmp_path / "out"), fake_model.views_made) == (before, [])


def test_the_record_and_the_card_tell(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--seeds", "0", "--views", "2"]
    assert render(tmp_path / "with", *call, "--consistent") == 0
    assert "of the part pixels of the views made now changed label" in capsys.readouterr().out
    record = json.loads((tmp_path / "with" / "dataset.json").read_text())
    assert record["plan"]["consistent"] is True
    assert record["masks"]["labels"] == "those that several views of the subject fuse to (--consistent)"
    card = (tmp_path / "with" / "README.md").read_text()
    assert " --consistent" in card
    assert "- masks: re-rendered from the labels that several views of each subject fuse to" in card
    assert render(tmp_path / "with", *call) == 1
    assert "holds the results of another call, --consistent was True and is now False" in error_line(capsys)
    assert render(tmp_path / "without", *call) == 0
    assert "consistent" not in (tmp_path / "without" / "README.md").read_text()
    assert "labels" not in json.loads((tmp_path / "without" / "dataset.json").read_text())["masks"]
    assert "changed label" not in capsys.readouterr().out


def test_a_subject_without_a_surface_has_no_votes(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_model.empty = True
    assert render(tmp_path / "out", "--seeds", "0", "--views", "2", "--consistent") == 0
    assert not masks_of(tmp_path / "out")["s0000_v01"].any()
    assert "changed label" not in capsys.readouterr().out


def test_where_there_are_no_masks_it_is_refused(
    fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "out", "--consistent", "--channels", "rgb,depth") == 2
    assert "--consistent: expected the channel mask among --channels, found rgb,depth; add it" in error_line(capsys)
    fake_model.masks = False
    assert render(tmp_path / "out", "--consistent") == 2
    assert "--consistent: expected a model with a semantic branch, found none in demo-cars; train one" in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_model_whose_masks_cannot_be_scored_is_refused(tiny_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["evaluate", "--model", str(tiny_demo), "--truth", "--seeds", "3", "--consistent"]) == 2
    line = error_line(capsys)
    assert "--consistent: expected a model with masks to score, found none that can be, since it has no semantic branch" in line


def test_the_voting_views_cover_the_ranges(fake_model: FakeModel) -> None:
    config = fake_model.config.cameras
    single = voting_cameras(config, (20, 20), (PITCH_DEG, PITCH_DEG))
    assert len(single) == 1
    heights = [camera.position[1] for camera in voting_cameras(config, (0, 0), (5, 30))]
    assert len(heights) == VOTING_VIEWS
    assert (np.diff(heights) > 0).all()


def test_given_cameras_vote_themselves(fake_model: FakeModel) -> None:
    arc = voting_cameras(fake_model.config.cameras, (-30, 30), (PITCH_DEG, PITCH_DEG))
    assert voting_subset(arc[:3]) == arc[:3]
    many = orbit_cameras(fake_model.config.cameras, count=29)
    assert [many.index(camera) for camera in voting_subset(many)] == [0, 4, 8, 12, 16, 20, 24, 28]


def test_changes_are_counted_in_part_pixels() -> None:
    assert LabelChanges().share is None
    count = LabelChanges.between(np.array([[0, 1], [2, 2]], np.uint8), np.array([[0, 2], [2, 2]], np.uint8))
    assert count.share == pytest.approx(1 / 3)
    assert count.plus(LabelChanges.between(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))).share == pytest.approx(1 / 3)
