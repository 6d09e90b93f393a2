"""`reproduce s10` and `s13` at a scale of a few steps: labels over time, and heads on foundation features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError, CheckpointError, UsageError
from headless import cli
from headless.reproducing.call import ReproduceCall
from headless.reproducing.steps import in_order
from headless.reproducing.videos.scoring import (
    FLICKER_MAP,
    FRAME,
    IMAGE_TEXTURE,
    LABEL_TEXTURE,
    ScoreVideoCall,
    line_of,
    score_video,
)
from headless.runs.downstream.reproduce import CACHE_NAME, reproduce
from headless.work.reporting import Quiet
from tests.headless.test_render import error_line
from tests.headless.test_reproduce import TINY, records, rows_of

VIDEO = replace(TINY, video_frames=7)


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """s10 with the masks that no network gives, made once; nothing in it is changed."""
    output = tmp_path_factory.mktemp("reports") / "report"
    reproduce(ReproduceCall(experiment="s10", only=("generated", "truth"), output=output, device="cpu"), Quiet(), VIDEO)
    return output


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Formula weights of a DINOv2 of one block, in timm's layout."""
    from safetensors.torch import save_file

    from tests.core.downstream.test_baselines import tiny_state

    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(tiny_state(), path)
    return path


def folder_of(output: Path, title: str) -> Path:
    (record,) = [record for record in records(output).values() if record["title"] == title]
    return output / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}"


def data_of(output: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / f"{name}.json").read_text())["experiments"][0]
    return found


def test_textures_are_one_row_of_every_frame(textures: Path) -> None:
    from dnerf_core import LabeledViews
    from dnerf_core.multiview.flicker import flicker_counts

    views = LabeledViews(folder_of(textures, "video test") / "exact")
    assert len(views) == 7
    line, folder = line_of(64), folder_of(textures, "video test, over time")
    samples = [views[index] for index in range(7)]
    with Image.open(folder / LABEL_TEXTURE) as shown:
        assert np.array_equal(np.asarray(shown), np.stack([sample["mask"][line].numpy() for sample in samples]))
    with Image.open(folder / IMAGE_TEXTURE) as shown:
        assert np.array_equal(np.asarray(shown), np.stack([sample["image"][:, line].T.numpy() for sample in samples]))
    with Image.open(folder / FLICKER_MAP) as shown:
        assert np.array_equal(np.asarray(shown), flicker_counts(np.stack([sample["mask"].numpy() for sample in samples])))
    with Image.open(folder / FRAME) as shown:
        assert np.array_equal(np.asarray(shown), samples[3]["image"].permute(1, 2, 0).numpy())


def test_numbers_are_those_of_the_library(textures: Path) -> None:
    from dnerf_core import LabeledViews
    from dnerf_core.multiview.consistency import pairs_apart, reprojection_agreement
    from dnerf_core.multiview.flicker import label_flicker

    views = LabeledViews(folder_of(textures, "video test") / "exact")
    samples, cameras = [views[index] for index in range(7)], [views.camera(index) for index in range(7)]
    masks, depths = ([sample[name].numpy() for sample in samples] for name in ("mask", "depth"))
    flicker = label_flicker(np.stack(masks))
    agreement = reprojection_agreement(cameras, depths, masks, views.labels.num_classes, pairs_apart(7, 5))  # type: ignore[union-attr]
    rows = {row["row"]: row["scores"] for row in data_of(textures, "s10")["rows"]}
    expected = [flicker.per_thousand, flicker.undone_share, agreement.miou]
    assert list(rows["truth"].values()) == pytest.approx(expected, abs=1e-6)
    assert rows["truth"]["agreement"] > 0.8 and rows["generated"].keys() == rows["truth"].keys()


def test_the_report_shows_each_rows_texture_and_what_differs(textures: Path) -> None:
    text = (textures / "s10.md").read_text()
    assert "(s10-s10.png)" in text and "### What appears and what does not" in text
    # four pictures of 256 px for each of two rows
    with Image.open(textures / "s10-s10.png") as sheet:
        assert sheet.width > 4 * 200 and sheet.height > 2 * 256
    (_, sentence) = data_of(textures, "s10")["findings"]
    assert sentence.startswith("DatasetNeRF's masks of 3 labels against exact truth: flicker ")
    assert sentence.replace("±", "") in text.replace("\\", "").replace("±", "")


def test_a_generated_video_is_of_the_tests_subjects_and_places() -> None:
    steps = {
        step.title: step.call(lambda parent: Path(f"@{parent.key}"))
        for step in in_order(rows_of(ReproduceCall(experiment="s10")))
    }
    exact, generated = steps["video test"], steps["video by the branch of 3 labels, seed 0"]
    for name in ("seeds", "views", "yaw", "pitch", "view_distribution", "resolution"):
        assert getattr(exact, name) == getattr(generated, name)


def test_networks_are_table_1s() -> None:
    call = ReproduceCall(experiment="table1", annotations=(3, 6), seeds=2)
    table1 = {step.key for step in in_order(rows_of(call))}
    for name in ("s10", "s13"):
        steps = in_order(rows_of(replace(call, experiment=name)))
        trained = [step for step in steps if step.kind in ("train-segmenter", "datasetgan", "frozen", "score-images")]
        assert trained and {step.key for step in trained} <= table1
    s10, s13 = (in_order(rows_of(replace(call, experiment=name))) for name in ("s10", "s13"))
    shared = {step.key for step in s10} & {step.key for step in s13 if step.kind == "score-video"}
    assert len(shared) == 2


def test_a_head_on_dinov2_is_scored_beside_ours(dinov2: Path, tmp_path: Path) -> None:
    call = ReproduceCall(experiment="s13", only=("dinov2",), foundation=dinov2, output=tmp_path / "report", device="cpu")
    reproduce(call, Quiet(), VIDEO)
    data = data_of(call.output, "s13")
    assert data["columns"] == ["Ind.", "Vid.", "flicker", "agreement"]
    (row,) = data["rows"]
    assert row["row"] == "dinov2" and row["labels"] == 3
    assert 0 <= row["scores"]["Ind."] < 0.9 and 0 <= row["scores"]["Vid."] < 0.9 and row["scores"]["flicker"] >= 0
    scores = json.loads((folder_of(call.output, "head on DINOv2, 3 labels, seed 0") / "scores.json").read_text())
    assert scores["tests"]["Vid."]["views"] == scores["video"]["frames"] == 7
    for column in ("ind", "vid"):
        with Image.open(call.output / f"s13-s13-{column}-3.png") as grid:
            assert grid.width > 3 * 192
    assert f"--foundation {dinov2}" in (call.output / "s13.md").read_text().replace("\\", "")
    assert rows_of(call)[0].key != rows_of(replace(call, only=None))[0].key


def test_other_weights_make_another_row(dinov2: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from tests.core.downstream.test_baselines import tiny_state

    call = ReproduceCall(experiment="s13", only=("dinov2",), foundation=dinov2)
    same, other = tmp_path / "same.safetensors", tmp_path / "other.safetensors"
    same.write_bytes(dinov2.read_bytes())
    save_file(tiny_state(**{"norm.bias": 1 + tiny_state()["norm.bias"]}), other)
    key = rows_of(call)[0].key
    assert rows_of(replace(call, foundation=same))[0].key == key
    assert rows_of(replace(call, foundation=other))[0].key != key


def test_without_weights_the_report_says_so(dinov2: Path) -> None:
    from headless.reproducing.setting import make_setting
    from headless.runs.downstream.reproduce import plan_rows

    ((_, rows, remarks),) = plan_rows(make_setting(ReproduceCall(experiment="s13"), TINY))
    assert {row.name for row in rows} == {"datasetnerf", "transfer-stages"}
    assert remarks == ["dinov2 is left out: no weights are named, see --foundation"]


def test_wrong_weights_are_refused_before_anything_is_made(
    dinov2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no weights")
    output = tmp_path / "report"
    assert cli.run(["reproduce", "s13", "--foundation", str(other), "-o", str(output)]) != 0
    assert "other.safetensors" in error_line(capsys)
    assert cli.run(["reproduce", "table1", "--foundation", str(dinov2), "-o", str(output)]) == 2
    assert "--foundation: expected s13 or all, found table1" in error_line(capsys)
    assert cli.run(["reproduce", "s13", "--foundation", str(tmp_path / "absent"), "-o", str(output)]) == 2
    assert "absent" in error_line(capsys)
    assert not output.exists()


def test_a_file_of_other_shapes_is_no_dinov2(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from tests.core.downstream.test_baselines import tiny_state

    path = tmp_path / "model.safetensors"
    for state, words in (
        (tiny_state() | {"head.weight": torch.zeros(2, 2)}, "found a tensor 'head.weight' besides"),
        (tiny_state(**{"norm.bias": torch.zeros(3)}), r"norm.bias: expected \[64\], found \[3\]"),
    ):
        save_file(state, path)
        with pytest.raises(CheckpointError, match=words):
            rows_of(ReproduceCall(experiment="s13", foundation=path))


def test_frames_without_depth_are_told(textures: Path, tmp_path: Path) -> None:
    import shutil

    video = tmp_path / "video"
    shutil.copytree(folder_of(textures, "video test") / "exact", video)
    lines = [json.loads(line) for line in (video / "metadata.jsonl").read_text().splitlines()]
    for line in lines:
        del line["depth_file"]
    (video / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(AnnotationError, match="expected image, mask and depth, found less"):
        score_video(ScoreVideoCall(video=video, output=tmp_path / "scores.json"))
    with pytest.raises(UsageError, match="expected a data set folder"):
        score_video(ScoreVideoCall(video=tmp_path / "absent", output=tmp_path / "scores.json"))
