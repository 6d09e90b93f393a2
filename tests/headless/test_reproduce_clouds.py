"""`reproduce table3`, `figure5` and S12's clouds at a scale of a few steps, and a benchmark of the user's own in ShapeNetPart's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.demo.exact_worlds import exact_world
from dnerf_core.demo.scans import about_up
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.scoring import score_clouds
from dnerf_core.downstream.points.sets.labelled_clouds import LabelledCloud, read_cloud_sets
from dnerf_core.errors import DNeRFError, UsageError
from dnerf_core.files.cloud_reading import read_cloud
from headless import cli
from headless.reproducing import benchmark_clouds
from headless.reproducing.benchmark_clouds import BenchmarkCall, benchmark, best_turn_deg
from headless.reproducing.call import ReproduceCall
from headless.reproducing.real_clouds import REAL_SEED, REAL_SEEDS
from headless.reproducing.scales import SCALES
from headless.reproducing.scoring_scans import ScoreScansCall, scans_of, score_scans, shown_scans
from headless.reproducing.steps import in_order
from headless.runs.downstream.reproduce import CACHE_NAME, reproduce
from headless.runs.downstream.world import WorldCall, world
from headless.work.reporting import Quiet, Reporter
from tests.core.downstream.cloud_cases import block
from tests.headless.test_render import error_line
from tests.headless.test_reproduce import TINY, records, rows_of
from tests.headless.test_train_pointnet import write_clouds

CAR_PARTS = {"hood": 9, "roof": 8, "wheels": 10, "other": 11}
NAMES = (("8", "top"), ("9", "nose"), ("11", "rest"))


def write_shapenetpart(folder: Path, counts: dict[str, int], turn_deg: float, lines: Callable[[int], tuple[Any, Any]]) -> Path:
    """The benchmark as it is published, written by nobody of ours: other categories are there, and numbers have a decimal point."""
    (folder / "train_test_split").mkdir(parents=True)
    (folder / "synsetoffset2category.txt").write_text("Airplane\t02691156\nCar\t02958343\n")
    for synset in ("02691156", "02958343"):
        (folder / synset).mkdir()
    number = 0
    lists: dict[str, list[str]] = {}
    for split, count in counts.items():
        lists[split] = []
        for _ in range(count):
            points, parts = lines(number)
            turned = points @ about_up(np.radians(turn_deg)).T
            rows = np.column_stack([turned, np.zeros_like(turned), parts])
            name = f"{number:04x}f4cc9de3303c2d92dcb8b1a8"
            np.savetxt(folder / f"02958343/{name}.txt", rows, fmt="%.6f")
            lists[split].append(f"shape_data/02958343/{name}")
            number += 1
        path = folder / f"train_test_split/shuffled_{split}_file_list.json"
        path.write_text(json.dumps(["shape_data/02691156/1021a0914a7207aff927ed529ad90a11", *lists[split]]))
    return folder


def of_blocks(seed: int) -> tuple[Any, Any]:
    """Blocks under the numbers of a car's parts that `NAMES` tells."""
    points, labels = block(seed, 400)
    return points, np.array([0, 8, 9, 11])[labels]


def of_cars(seed: int) -> tuple[Any, Any]:
    cloud = exact_world("demo-cars").surface(REAL_SEED + 4000 + seed, 500)
    names = exact_world("demo-cars").labels.names
    return cloud.points, np.array([CAR_PARTS[names[label]] for label in cloud.labels])


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clouds(tmp_path_factory.mktemp("generated") / "clouds", 3)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapenetpart(tmp_path_factory.mktemp("blocks") / "s", {"train": 5, "val": 1, "test": 2}, 90, of_blocks)


def parts_call(folder: Path, generated: Path, output: Path, **more: Any) -> BenchmarkCall:
    parts = tuple((int(number), name) for number, name in NAMES)
    return BenchmarkCall(
        **{"folder": folder, "generated": generated, "part": "test", "count": None, "output": output, "parts": parts} | more
    )


# --- what the rows are


def test_every_row_learns_from_what_it_says() -> None:
    rows = rows_of(ReproduceCall(experiment="table3"))
    assert [(row.name, dict(row.given)) for row in rows] == [
        ("generated", {"real": 0, "generated": 2}),
        ("real", {"real": 1, "generated": 0}),
        ("real+generated", {"real": 1, "generated": 2}),
        ("real", {"real": 2, "generated": 0}),
        ("real+generated", {"real": 2, "generated": 2}),
    ]
    for row in rows:
        network = row.cells["part mIoU"].step.parents[0]
        call = network.call(lambda parent: Path(parent.title))  # type: ignore[union-attr]
        titles = [str(folder) for folder in call.folders]
        times = call.repeat or (1,) * len(titles)
        seen = {"real": 0, "generated": 0}
        for title, repeated in zip(titles, times, strict=True):
            seen["real" if "as real ones" in title else "generated"] += repeated * int(title.split()[0])
        expected = dict(row.given)
        if row.name == "real+generated":  # as many of either
            expected["real"] = expected["generated"]
        assert seen == expected


def test_real_subjects_serve_no_other_purpose() -> None:
    call = ReproduceCall(experiment="all", seeds=10)
    seeds: dict[str, set[int]] = {"real": set(), "other": set()}
    for step in in_order(rows_of(call, replace(SCALES["paper"], real_clouds=(REAL_SEEDS,)))):
        kind = "real" if "as real ones" in step.title else "other"
        seeds[kind] |= set(getattr(step.call(lambda parent: Path("x")), "seeds", ()) or ())
    assert len(seeds["real"]) == 10 * REAL_SEEDS and not seeds["real"] & seeds["other"]


def test_experiments_of_clouds_share_their_networks() -> None:
    rows = {name: rows_of(ReproduceCall(experiment=name)) for name in ("table2", "table3", "figure5", "s12")}
    networks = {
        name: {row.title + str(dict(row.given)): next(iter(row.cells.values())).step.parents[0].key for row in found}
        for name, found in rows.items()
    }
    whole = networks["table2"]["DatasetNeRF{'labels': 3, 'clouds': 2}"]
    assert networks["table3"]["generated clouds alone{'real': 0, 'generated': 2}"] == whole
    assert networks["figure5"]["trained for aligned clouds{'labels': 3, 'clouds': 2}"] == whole
    assert networks["s12"]["exact clouds{'clouds': 1}"] == networks["table3"]["real clouds alone{'real': 1, 'generated': 0}"]


# --- what is made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Figure 5 and table 3, made once; nothing in it is changed."""
    output = tmp_path_factory.mktemp("reports") / "report"
    for name in ("figure5", "table3"):
        reproduce(ReproduceCall(experiment=name, output=output, device="cpu"), Quiet(), TINY)
    return output


def test_the_report_of_scans_shows_them(report: Path) -> None:
    data = json.loads((report / "figure5.json").read_text())["experiments"][0]
    assert [row["row"] for row in data["rows"]] == ["aligned", "scans"]
    assert list(data["rows"][0]["scores"]) == ["scans", "tilted scans", "clean clouds", "whole surface"]
    assert all(0 <= value <= 1 for row in data["rows"] for value in row["scores"].values())
    text = (report / "figure5.md").read_text()
    for name in ("figure5-figure5-scans.png", "figure5-figure5-tilted-scans.png"):
        assert f"({name})" in text
        with Image.open(report / name) as picture:
            assert picture.width > 4 * 192 and picture.height > 2 * 192


def test_the_report_of_a_benchmark_has_both_kinds_of_real_clouds(report: Path) -> None:
    data = json.loads((report / "table3.json").read_text())["experiments"][0]
    alone = data["rows"][0]
    assert alone["row"] == "generated" and alone["scores"].keys() == data["rows"][1]["scores"].keys()
    assert "whole surface, part mIoU" in alone["scores"] and len(alone["scores"]) == 6
    text = (report / "table3.md").read_text()
    assert "\n- 2 generated clouds beside 1 real one: part mIoU " in text
    assert "| row | real | generated | part mIoU |" in text and "table3-chart-1.svg" in text
    assert (report / "table3-chart-1.svg").read_text().count("<polyline") == 2


def test_scans_are_scored_as_they_are_shown(report: Path, tmp_path: Path) -> None:
    made = {record["title"]: record for record in records(report).values()}
    folders = {title: report / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}" for title, record in made.items()}
    title = "pointnet-small on 2 clouds of 3 labels for scans, seed 0"
    test, network = folders["2 exact clouds"] / "exact", folders[title] / "network.safetensors"
    clouds = list(read_cloud_sets((test,)).clouds)
    segmenter = PointSegmenter.load(network)
    pairs = [(truth, segmenter.predict(points)[0]) for points, truth in scans_of(clouds, 10.0)]
    scores = folders[f"{title}, scans that lean by 10 degrees"] / "scores.json"
    assert json.loads(scores.read_text())["part_miou"] == pytest.approx(score_clouds(pairs, 5).part_miou, abs=1e-6)
    for scan, (truth, predicted) in zip(shown_scans(scores, 2), pairs, strict=True):
        assert np.array_equal(scan.truth, truth) and np.array_equal(scan.predicted, predicted)
        assert (scan.truth == 255).any() and len(scan.points) == len(truth)
    with pytest.raises(DNeRFError, match=r"scan-0.npz: expected a labelled scan, cannot read it"):
        shown_scans(tmp_path / "scores.json", 1)
    upright, leaning = (next(scans_of(clouds, tilt_deg))[0] for tilt_deg in (0.0, 10.0))
    assert not np.allclose(upright, leaning)
    other = tmp_path / "parts.safetensors"
    assert (
        cli.run(["train-pointnet", str(write_clouds(tmp_path / "a", 3)), "-o", str(other), "--steps", "1", "--points", "32"]) == 0
    )
    with pytest.raises(
        DNeRFError, match=r"expected the labels of .*parts.safetensors \(background, top, nose, rest\), found background, hood"
    ):
        score_scans(ScoreScansCall(network=other, test=test, output=tmp_path / "scores.json", device="cpu"))


def test_saturation_has_a_table_for_clouds_and_one_for_pictures(report: Path, tmp_path: Path) -> None:
    call = ReproduceCall(experiment="s12", only=("exact",), output=report, device="cpu")
    reproduce(call, Quiet(), TINY)
    data = json.loads((report / "s12.json").read_text())["experiments"][0]
    assert [(row["clouds"], list(row["scores"])) for row in data["rows"]] == [
        (1, ["clouds, mIoU", "clouds, accuracy"]),
        (3, ["clouds, mIoU", "clouds, accuracy"]),
    ]
    text = (report / "s12.md").read_text()
    assert (
        "| row | clouds | clouds, mIoU | clouds, accuracy |" in text and "Ind." not in text.split("Commands")[0].split("| row")[1]
    )


# --- a benchmark of the user's own


def test_a_benchmark_is_turned_and_named_as_the_generated_clouds(
    blocks: Path, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(parts_call(blocks, generated, tmp_path / "test"), Reporter(as_json=True))
    (told,) = [event for event in map(json.loads, capsys.readouterr().out.splitlines()) if event["event"] == "warning"]
    assert "turned by 270 degrees about the up axis" in told["message"]
    found = read_cloud_sets((tmp_path / "test",))
    assert found.labels.names == ("background", "top", "nose", "rest") and len(found.clouds) == 2
    for cloud, seed in zip(found.clouds, (6, 7), strict=True):
        points, labels = block(seed, 400)
        np.testing.assert_allclose(cloud.points, points, atol=2e-6)
        assert np.array_equal(cloud.labels, labels)


def test_fewer_clouds_of_a_benchmark_are_among_more(blocks: Path, generated: Path, tmp_path: Path) -> None:
    names = []
    for count in (2, 4, 9):
        benchmark(parts_call(blocks, generated, tmp_path / str(count), part="train", count=count))
        names.append({path.name for path in (tmp_path / str(count) / "npz").iterdir()})
    assert [len(found) for found in names] == [2, 4, 5] and names[0] < names[1] < names[2]
    cloud = read_cloud(next((tmp_path / "2/npz").iterdir()))
    assert cloud["label_set"].names[1:] == ("top", "nose", "rest")


@pytest.mark.parametrize("turn_deg", [0, 90, 180, 270])
def test_the_best_turn_undoes_a_turn(turn_deg: int) -> None:
    def clouds(first: int, angle_deg: float) -> list[LabelledCloud]:
        found = []
        for seed in range(first, first + 4):
            points, labels = block(seed, 300)
            turned = (3 * points @ about_up(np.radians(angle_deg)).T + 5).astype(np.float32)
            found.append(LabelledCloud(f"s{seed:04d}", 0, None, turned, labels, "0" * 64))
        return found

    assert best_turn_deg(clouds(0, turn_deg), clouds(50, 0), 4) == (-turn_deg) % 360


def test_the_demo_is_augmented_for_a_users_shapenetpart(report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {record["title"]: record for record in records(report).values()}
    painted = made["3 painted views, seed 0"]
    folder = write_shapenetpart(tmp_path / "shapenetpart", {"train": 2, "val": 1, "test": 2}, 180, of_cars)
    call = ReproduceCall(
        experiment="table3",
        model_name="demo-cars",
        annotated=report / CACHE_NAME / f"sample-{painted['key'][:16]}" / "annotate",
        test=folder,
        output=tmp_path / "mine",
        device="cpu",
    )
    scale = replace(TINY, real_clouds=(1, 500))
    rows = rows_of(call, scale)
    assert [row.given["real"] for row in rows] == [0, 1, 1, 2, 2]  # no more than it has
    reproduce(call, Quiet(), scale)
    data = json.loads((tmp_path / "mine/table3.json").read_text())["experiments"][0]
    assert data["columns"] == ["part mIoU", "mIoU", "accuracy"]
    assert all(0 <= value <= 1 for row in data["rows"] for value in row["scores"].values())
    assert "turned by 180 degrees" in (tmp_path / "mine/table3.md").read_text()
    test = next(
        record for record in records(tmp_path / "mine").values() if record["title"] == "clouds of the benchmark to test on"
    )
    found = read_cloud_sets((tmp_path / f"mine/{CACHE_NAME}/benchmark-{test['key'][:16]}/clouds",))
    points, parts = of_cars(3)
    np.testing.assert_allclose(found.clouds[0].points, points, atol=2e-6)
    assert [CAR_PARTS[found.labels.names[label]] for label in found.clouds[0].labels] == parts.tolist()
    with pytest.raises(UsageError, match="--parts: expected labels among hood, roof, wheels, other, found wheel"):
        rows_of(replace(call, parts=((8, "roof"), (9, "hood"), (10, "wheel"), (11, "other"))))
    with pytest.raises(DNeRFError, match=r"expected parts among 8, 9, found 1[01]"):
        rows_of(replace(call, parts=((8, "roof"), (9, "hood"))))
    for split in ("train", "test"):
        (folder / f"train_test_split/shuffled_{split}_file_list.json").rename(tmp_path / "list.json")
        with pytest.raises(UsageError, match="expected clouds of a benchmark with lists, or folders of splits"):
            rows_of(call)
        (tmp_path / "list.json").rename(folder / f"train_test_split/shuffled_{split}_file_list.json")


def test_our_own_shapenetpart_layout_serves_as_a_benchmark(generated: Path, tmp_path: Path) -> None:
    call = WorldCall(
        world="demo-cars",
        seeds=tuple(range(10)),
        uniform_clouds=True,
        points=64,
        formats=("shapenetpart",),
        output=tmp_path / "w",
    )
    world(call)
    labels = exact_world("demo-cars").labels
    assert benchmark_clouds.check_benchmark(tmp_path / "w", labels, "Car", None) == 7
    with pytest.raises(UsageError, match="expected clouds of one category, found none of Chair"):
        benchmark_clouds.check_benchmark(tmp_path / "w", labels, "Chair", None)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["table3", "--parts", "8=roof"], "--parts: expected table3 with --test"),
        (["table2", "--category", "Car"], "--category: expected table3 with --test"),
        (["table3", "--parts", "roof"], "expected numbers with labels such as 8=roof,9=hood, found 'roof'"),
        (["table3", "--parts", "8=roof,8=hood"], "expected each number once"),
    ],
)
def test_wrong_calls_are_told_in_a_line(args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["reproduce", *args, "-o", str(tmp_path / "report")]) == 2
    assert words in error_line(capsys)
    assert not (tmp_path / "report").exists()
