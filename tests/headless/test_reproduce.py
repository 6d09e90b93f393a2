"""`reproduce` at a scale of a few steps: what is made and when, after a kill too, and what the report then holds."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import OutputError, UsageError
from headless import cli
from headless.reproducing import costs, setting
from headless.reproducing.averages import Score
from headless.reproducing.cache import Cache
from headless.reproducing.call import EXPERIMENT_NAMES, ROW_NAMES, ReproduceCall
from headless.reproducing.command_lines import command_line
from headless.reproducing.experiments.registry import EXPERIMENTS
from headless.reproducing.scales import SCALES, SMALL, Scale
from headless.reproducing.setting import make_setting
from headless.reproducing.steps import KINDS, Row, Step, in_order
from headless.reproducing.writing.charts import chart_svg
from headless.reproducing.writing.html_page import html_page
from headless.reproducing.writing.markdown import markdown
from headless.reproducing.writing.report import Chart, Report, Section, Series, Table
from headless.runs.downstream.reproduce import CACHE_NAME, plan_rows, reproduce
from headless.work.reporting import Quiet, Reporter
from tests.headless.command_names import found_command
from tests.headless.test_render import error_line

TINY = Scale(
    annotations=(3,),
    views=(3,),
    repetitions=1,
    precision="float32",
    branch_steps=2,
    size_px=64,
    segmenter="mini",
    segmenter_steps=2,
    batch=2,
    gan_members=2,
    gan_steps=2,
    transfer_views=3,
    transfer_steps=2,
    pairs=(1, 2),
    pair_views=1,
    test_subjects=2,
    video_subjects=1,
    video_frames=2,
    photographs=1,
    point_network="pointnet-small",
    points=32,
    cloud_steps=2,
    clouds=(1, 2),
    test_clouds=2,
    real_clouds=(1, 2),
    exact_clouds=(1, 3),
    scan_steps=2,
    folds=2,
    branch_video_every=2,
    prior_labels=3,
    prior_part=4,
    prior_every=2,
)
PAINTED = ("painted",)


def rows_of(call: ReproduceCall, scale: Scale = TINY) -> list[Row]:
    return [row for _, rows, _ in plan_rows(make_setting(call, scale)) for row in rows]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 1 with the row of painted pictures alone, made once; nothing in it is changed."""
    output = tmp_path_factory.mktemp("reports") / "report"
    reproduce(ReproduceCall(experiment="table1", only=PAINTED, output=output, device="cpu"), Quiet(), TINY)
    return output


def records(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in folder.glob(f"{CACHE_NAME}/*/step.json")]
    return {record["key"]: record for record in found}


class Tags(HTMLParser):
    """Every element of a page must be closed by its own end tag; data and addresses are kept."""

    VOID = frozenset({"meta", "img", "rect", "circle", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


# --- what is made


def test_a_report_holds_what_was_measured(painted: Path) -> None:
    data = json.loads((painted / "table1.json").read_text())["experiments"][0]
    (row,) = data["rows"]
    assert row["row"] == "painted" and row["labels"] == 3 and len(row["key"]) == 64
    assert list(row["scores"]) == ["Ind.", "Vid.", "harder", "mild photos", "hard photos"]
    made = records(painted)
    by_title = {record["title"]: record for record in made.values()}
    for column, value in row["scores"].items():
        record = by_title[f"mini on 3 painted views, seed 0, {column}"]
        scores = json.loads((painted / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}" / "scores.json").read_text())
        assert scores["miou"] == value and scores["views"] == {"Ind.": 2, "Vid.": 2}.get(column, 1)
    cells = ["painted pictures alone", "3", *(f"{value:.3f}" for value in row["scores"].values())]
    text = (painted / "table1.md").read_text()
    assert "| " + " | ".join(cells) + " |" in text
    for name in ("table1-table1-ind-3.png", "table1-table1-hard-photos-3.png"):
        assert f"({name})" in text and Image.open(painted / name).width > 400
    page = Tags()
    page.feed((painted / "table1.html").read_text())
    assert page.open == [] and "script" not in page.seen and page.cells[-len(cells) :] == cells
    assert page.addresses and all(address.startswith("data:image/png;base64,") for address in page.addresses)


def test_the_pictures_are_the_predictions_that_were_scored(painted: Path) -> None:
    from dnerf_core.downstream.images.segmenter import Segmenter
    from dnerf_core.downstream.images.sets.opening import open_set

    made = {record["title"]: record for record in records(painted).values()}
    folders = {title: painted / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}" for title, record in made.items()}
    segmenter = replace(Segmenter.load(folders["mini on 3 painted views, seed 0"] / "network.safetensors"), mirrored=True)
    image, _ = open_set(folders["individual test"] / "exact").pair(1)
    with Image.open(folders["mini on 3 painted views, seed 0, Ind."] / "predicted-1.png") as shown:
        assert np.array_equal(np.asarray(shown), segmenter.predict(image)[0])


def test_the_same_call_again_makes_nothing(painted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in painted.glob(f"{CACHE_NAME}/*/*")}
    call = ReproduceCall(experiment="table1", only=PAINTED, output=painted, device="cpu")
    reproduce(call, Reporter(as_json=True), TINY)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["steps_missing"] == 0 and events[-1]["nothing_to_do"] is True
    assert not [event for event in events if event["event"] == "step"]
    assert {path: path.stat().st_mtime_ns for path in painted.glob(f"{CACHE_NAME}/*/*")} == before


def test_the_commands_of_a_report_mean_the_calls_that_were_made(tmp_path: Path) -> None:
    cache = Cache(tmp_path / CACHE_NAME)
    checked = set()
    for step in in_order(rows_of(ReproduceCall(experiment="all", output=tmp_path))):
        place = cache.place(step)
        place.mkdir(parents=True) if place.suffix == "" else (place.parent.mkdir(parents=True), place.touch())
        words, expected = shlex.split(cache.command_of(step)), cache.call_of(step)
        command = KINDS[step.kind].command
        if command is None:
            assert words[:2] == ["python", "-c"] and len(words) == 3
            values: dict[str, Any] = {}
            beginning, _, call_text = words[2].partition("; m.")
            exec(beginning, values)
            assert eval(call_text.partition("(")[2][:-1], values) == expected
            continue
        assert words[:2] == ["dnerf-headless", command]
        context = found_command(command).make_context(command, words[2:])
        names = {field.name for field in fields(expected)}
        assert replace(expected, **{name: value for name, value in context.params.items() if name in names}) == expected, words
        checked.add(command)
    assert checked == {kind.command for kind in KINDS.values() if kind.command is not None}


def test_a_killed_call_goes_on_and_makes_nothing_twice(painted: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    code = (
        "from pathlib import Path\n"
        "from tests.headless.test_reproduce import TINY, PAINTED, ReproduceCall, reproduce\n"
        f"reproduce(ReproduceCall(experiment='table1', only=PAINTED, output=Path({str(output)!r}), device='cpu'), None, TINY)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        deadline = time.monotonic() + 300
        while not (before := records(output)):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    time.sleep(2)  # its processes end with it, a moment later
    before = records(output)
    times = {path: path.stat().st_mtime_ns for path in output.glob(f"{CACHE_NAME}/*/step.json")}
    assert len(before) < len(records(painted)), "it ended before it was killed"
    reproduce(ReproduceCall(experiment="table1", only=PAINTED, output=output, device="cpu"), Quiet(), TINY)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert records(output).keys() == records(painted).keys()
    for name in ("rows", "means"):
        found, expected = (
            json.loads((folder / "table1.json").read_text())["experiments"][0][name] for folder in (output, painted)
        )
        assert found == expected


@pytest.mark.parametrize("name", EXPERIMENT_NAMES)
def test_rows_share_what_they_can(name: str) -> None:
    rows = rows_of(ReproduceCall(experiment=name, annotations=(3, 6), seeds=2), TINY)
    steps = in_order(rows)
    assert len({step.key for step in steps}) == len(steps) and len({row.key for row in rows}) == len(rows)
    everything = in_order(rows_of(ReproduceCall(experiment="all", annotations=(3, 6), seeds=2), TINY))
    assert {step.key for step in steps} <= {step.key for step in everything}


def test_table_1_and_s12_share_the_largest_network() -> None:
    table1, s12 = (rows_of(ReproduceCall(experiment=name)) for name in ("table1", "s12"))
    (ours,) = [row for row in table1 if row.name == "datasetnerf"]
    theirs = [row for row in s12 if row.name == "datasetnerf"][-1]
    assert [cell.step.key for cell in ours.cells.values()] == [cell.step.key for cell in theirs.cells.values()]


def test_the_ablations_take_table_1s_branches() -> None:
    """Keys of trainings with fields that calls had before are what they were."""
    call = ReproduceCall(experiment="all", annotations=(30, 90), seeds=1)
    rows = {
        name: [row for row in rows_of(replace(call, experiment=name)) if row.cells] for name in ("table1", "table4", "table5")
    }
    ours = {step.title: step for step in in_order(rows["table1"]) if step.kind == "train"}
    assert all("patch" not in step.identity["options"] for step in ours.values())
    for name in ("table4", "table5"):
        theirs = {step.title: step.key for step in in_order(rows[name]) if step.title in ours}
        assert theirs and all(ours[title].key == key for title, key in theirs.items())
    whole = rows_of(replace(call, experiment="table4"), replace(TINY, prior_labels=None, prior_part=1, prior_every=1))
    default, prior = (next(row for row in whole if row.name == name) for name in ("all-scales", "density-prior"))
    assert [cell.step.key for cell in default.cells.values()] == [cell.step.key for cell in prior.cells.values()]
    assert [row.given["labels"] for row in rows_of(replace(call, experiment="table5", annotations=None), SMALL)] == [9, 30, 90]


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 4's row with density prior, made once; its branch learns from parts of views."""
    output = tmp_path_factory.mktemp("reports") / "report"
    reproduce(ReproduceCall(experiment="table4", only=("density-prior",), output=output, device="cpu"), Quiet(), TINY)
    return output


def test_a_branch_is_scored_itself_on_exact_views(ablated: Path) -> None:
    """Rendered anew, and counted here pixel by pixel: the first of two single views, and of two frames."""
    from dnerf_core.camera import cameras_from_json
    from dnerf_core.model import Model

    made = {record["title"]: record for record in records(ablated).values()}
    folders = {title: ablated / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}" for title, record in made.items()}
    branch = "branch of 3 labels from patches of 32 rays a side, seed 0"
    model = Model.load(folders[branch] / "branch.safetensors")
    test = folders["individual test"] / "exact"
    name, camera = next(iter(cameras_from_json((test / "cameras.json").read_text()).items()))
    found = model.subject(20_000).channels(camera, 64, ("mask",)).mask
    with Image.open(test / "masks" / f"{name}.png") as picture:
        truth = np.asarray(picture)
    iou = [((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in np.union1d(truth, found)]
    data = json.loads((ablated / "table4.json").read_text())["experiments"][0]
    (row,) = data["rows"]
    assert row["scores"]["Ind. mIoU"] == pytest.approx(np.mean(iou), abs=1e-6)
    assert row["scores"]["Ind. acc."] == pytest.approx((truth == found).mean(), abs=1e-6)
    assert set(row["scores"]) == {"Ind. mIoU", "Ind. acc.", "Vid. mIoU", "Vid. acc."}
    with Image.open(folders[f"{branch}, itself, Ind."] / "predicted-0.png") as shown:
        assert np.array_equal(np.asarray(shown), found)


def test_a_report_says_how_rows_were_made_cheaper(ablated: Path) -> None:
    text = (ablated / "table4.md").read_text()
    scale = SCALES["small"]
    assert (
        f"learn from at most {scale.prior_labels} labels, see in each step a random square of a view, one part in 4 of its side"
        in text
    )
    assert "one in 4 frames" in text and "warning" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"branch_steps": 3},
        {"segmenter_steps": 3},
        {"size_px": 96},
        {"pairs": (1, 3)},
        {"annotations": (6,)},
    ],
)
def test_a_key_knows_all_that_made_it(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    call = ReproduceCall(experiment="table1", only=("datasetnerf",))
    (row,), (other,) = rows_of(call), rows_of(call, replace(TINY, **change))
    assert row.key != other.key and row.key == rows_of(call)[0].key
    assert rows_of(replace(call, seeds=2))[1].key != row.key
    elsewhere = rows_of(replace(call, output=Path("elsewhere"), device="cpu"))[0]
    assert elsewhere.key == row.key
    facts = setting.model_facts.describe_model("demo-cars")
    monkeypatch.setattr(setting.model_facts, "describe_model", lambda name: replace(facts, sha256="0" * 64))
    assert rows_of(call)[0].key != row.key


def test_a_new_option_at_its_default_leaves_keys_as_they_were() -> None:
    @dataclass(frozen=True)
    class Call:
        folder: str
        steps: int = 600
        views: tuple[int, ...] = (1, 2)

    @dataclass(frozen=True)
    class LaterCall(Call):
        backgrounds: str | None = None
        colours: tuple[str, ...] = field(default_factory=lambda: ("red",))

    def key_of(call: Any) -> str:
        return Step("train-segmenter", "", (), lambda place: call, "", 1).key

    assert key_of(Call("here")) == key_of(Call("here", views=(1, 2))) == key_of(LaterCall("here"))
    others = [Call("there"), Call("here", steps=5), LaterCall("here", backgrounds="b"), LaterCall("here", colours=())]
    assert len({key_of(call) for call in [Call("here"), *others]}) == 5


def test_painted_generated_and_tested_subjects_are_others() -> None:
    painted_seeds, generated, tested = set(), set(), set()
    for step in in_order(rows_of(ReproduceCall(experiment="all", seeds=10), SCALES["paper"])):
        call = step.call(lambda parent: Path(f"@{parent.key}"))
        seeds = set(getattr(call, "seeds", ()))
        looked_at = step.kind == "world" or "video" in step.title  # nothing learns from a generated video
        exact_pairs = step.kind == "world" and "pairs" in step.title
        group = painted_seeds if step.kind == "sample" else tested if looked_at and not exact_pairs else generated
        group |= seeds
    assert painted_seeds and generated and tested
    assert not painted_seeds & generated and not painted_seeds & tested and not generated & tested


def test_a_dry_run_tells_the_cost_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["reproduce", "table1", "--dry-run", "--json", "-o", str(tmp_path / "report")]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["steps_missing"] == summary["steps"] > 20 and summary["estimated_seconds"] > 60
    assert not (tmp_path / "report").exists()


def test_a_cost_rests_on_what_was_measured_here(painted: Path) -> None:
    cache = Cache(painted / CACHE_NAME, "cpu")
    steps = in_order(rows_of(ReproduceCall(experiment="table1", only=PAINTED)))
    measured = cache.measured()
    (trained,) = [step for step in steps if step.kind == "train-segmenter"]
    assert measured[trained.unit] == pytest.approx(cache.record(trained)["seconds"] / 4)  # type: ignore[index]
    found = costs.cost_of(steps, [trained], {trained.unit: 2.0}, 2)
    assert found.seconds == 8.0 and found.measured == 1.0 and "rates measured here" in found.line()
    assert costs.cost_of(steps, [], {}, 2).line() == f"{len(steps)} steps, all there"


@pytest.mark.parametrize("scale", SCALES)
def test_every_step_of_every_scale_has_a_usual_rate(scale: str) -> None:
    steps = in_order(rows_of(ReproduceCall(experiment="all", scale=scale), SCALES[scale]))
    assert all(0 < costs.usual_rate(step.unit) < 100 and step.units > 0 for step in steps)


# --- what is refused


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["table1", "--annotations", "9,x"], "expected numbers such as 9,30,90"),
        (["table1", "--annotations", "9,9"], "--annotations: expected numbers of views from 1 to 3000, each once, found 9,9"),
        (["table1", "--annotations", "0"], "--annotations: expected numbers of views from 1 to 3000, each once, found 0"),
        (["table1", "--annotations", "1001"], "above 1000 expected multiples of 3"),
        (["table9"], "table9"),
        (["s12", "--only", "painted"], "--only painted: expected rows of s12 (datasetnerf, exact)"),
        (["table1", "--only", "exakt"], "did you mean exact?"),
        (["table1", "--seeds", "0"], "--seeds"),
        (["table1", "--model", "demo-cars"], "expected --model, --annotated and --test together, found no --annotated"),
        (["table1", "--scale", "tiny"], "--scale"),
    ],
)
def test_wrong_calls_are_told_in_a_line(args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["reproduce", *args, "-o", str(tmp_path / "report")]) == 2
    assert words in error_line(capsys)
    assert not (tmp_path / "report").exists()


def test_a_users_own_call_is_checked(painted: Path, tmp_path: Path) -> None:
    made = {record["title"]: record for record in records(painted).values()}
    folders = {title: painted / CACHE_NAME / f"{record['kind']}-{record['key'][:16]}" for title, record in made.items()}
    own = ReproduceCall(
        experiment="table1",
        model_name="demo-cars",
        annotated=folders["3 painted views, seed 0"] / "annotate",
        test=folders["individual test"] / "exact",
        output=tmp_path / "report",
        device="cpu",
    )
    rows = rows_of(own)
    assert {row.name for row in rows} >= {"painted", "datasetnerf"} and "exact" not in {row.name for row in rows}
    assert all(row.given == {"labels": 3} and list(row.cells) == ["test"] for row in rows)
    assert not [step for step in in_order(rows) if step.kind in ("sample", "world")]
    with pytest.raises(UsageError, match="expected one experiment, found all"):
        rows_of(replace(own, experiment="all"))
    with pytest.raises(UsageError, match="--annotations: expected without --annotated"):
        rows_of(replace(own, annotations=(9,)))
    with pytest.raises(UsageError, match=r"expected rows that can be made here, found none: .*nobody knows the exact truth"):
        rows_of(replace(own, only=("exact",)))
    reproduce(replace(own, only=PAINTED), Quiet(), TINY)
    data = json.loads((tmp_path / "report" / "table1.json").read_text())["experiments"][0]
    assert data["columns"] == ["test"] and 0 <= data["rows"][0]["scores"]["test"] <= 1


def test_an_own_folder_of_the_ablations_is_cross_validated(painted_folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    own = ReproduceCall(
        experiment="table4",
        model_name=str(tiny_model),
        annotated=painted_folder,
        only=("last-scale",),
        output=tmp_path / "report",
        device="cpu",
    )
    every = rows_of(replace(own, only=None))
    assert [row.name for row in every] == ["last-scale", "all-scales", "no-density-prior", "density-prior"]
    assert all(list(row.cells) == ["mIoU", "accuracy"] and row.given == {"labels": 8} for row in every)
    calls = [step.call(lambda parent: Path("x")) for step in in_order(every)]
    assert [(call.patch, call.scales, call.density_prior) for call in calls] == [
        (None, "last", True),
        (None, "all", True),
        (4, "all", False),
        (4, "all", True),
    ]
    shares = [
        step.call(lambda parent: Path("x")).learned_share
        for step in in_order(rows_of(replace(own, experiment="table5", only=None)))
    ]
    assert shares == [3 / 8, 4 / 8, 1.0]
    reproduce(own, Quiet(), TINY)
    (scores,) = (tmp_path / "report").glob(f"{CACHE_NAME}/score-folds-*/scores.json")
    found = json.loads(scores.read_text())
    data = json.loads((tmp_path / "report" / "table4.json").read_text())["experiments"][0]
    assert data["rows"][0]["scores"] == {"mIoU": found["miou"], "accuracy": found["accuracy"]}
    assert [fold["views"] for fold in found["folds"]] == [4, 4]
    assert "the painted subjects are divided into folds" in (tmp_path / "report" / "table4.md").read_text()
    with pytest.raises(UsageError, match="--test: expected none of table4, which divides the painted folder into folds"):
        rows_of(replace(own, test=painted_folder))
    with pytest.raises(UsageError, match="--model: expected --model and --annotated together, found no --annotated; give both"):
        rows_of(replace(own, annotated=None))


def test_a_program_is_told_an_experiment_that_there_is_none_of() -> None:
    with pytest.raises(UsageError, match=r"experiment: expected table1, .* or all, found 'tabel1' \(did you mean table1\?\)"):
        rows_of(ReproduceCall(experiment="tabel1"))


def test_a_damaged_record_is_named(painted: Path, tmp_path: Path) -> None:
    (step,) = [step for step in in_order(rows_of(ReproduceCall(experiment="table1", only=PAINTED))) if step.kind == "sample"]
    cache = Cache(tmp_path)
    cache.folder_of(step).mkdir(parents=True)
    assert cache.record(step) is None
    (cache.folder_of(step) / "step.json").write_text("{")
    with pytest.raises(OutputError, match=r"step.json: expected the record of a step, found none .*; remove "):
        cache.record(step)


# --- what is written


def test_mean_and_spread_of_seeds() -> None:
    score = Score((0.9, 0.92, 0.94))
    assert score.text == "0.920 ± 0.020" and score.spread == pytest.approx(0.02)
    assert Score((0.5,)).text == "0.500" and Score(()).text == "-"


def test_names_cannot_break_a_page_or_markdown() -> None:
    nasty = "<b>|`x`\n# </script>"
    section = Section(
        nasty,
        (nasty,),
        (Table((nasty,), ((nasty,),), 1),),
        commands=((nasty, "dnerf-headless info '<x>'"),),
        findings=(nasty, nasty),
    )
    report = Report(nasty, (("model", nasty),), [section])
    page = Tags()
    page.feed(html_page(report))
    assert page.open == [] and not {"b", "script"} & page.seen and page.cells == [nasty, nasty]
    text, files = markdown(report, "x")
    assert not files and "<b>" not in text.split("```")[0].replace("\\<b\\>", "")
    assert [line for line in text.splitlines() if line.startswith("#")].count("# " + nasty) == 0


def test_a_chart_is_xml_with_every_point() -> None:
    series = Series("a & b", ((5.0, 0.8, 0.01), (50.0, 0.9, 0.0)))
    found = ElementTree.fromstring(chart_svg(Chart("t < u", "clouds", "score", (series,))))
    space = "{http://www.w3.org/2000/svg}"
    circles = found.findall(f"{space}circle")
    assert [float(circle.get("cx", "")) for circle in circles] == sorted(float(circle.get("cx", "")) for circle in circles)
    assert float(circles[0].get("cy", "")) > float(circles[1].get("cy", ""))  # higher scores are higher up
    assert [circle.findtext(f"{space}title") for circle in circles] == ["a & b: 5, 0.8000", "a & b: 50, 0.9000"]


def test_a_chart_keeps_long_words_inside_and_knows_dark_screens() -> None:
    series = tuple(Series(f"row {number}", ((1.0, 0.5, 0.1), (9.0, 0.6, 0.1))) for number in range(7))
    text = chart_svg(Chart("w" * 200, "labels", "score", series))
    found = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    sizes = {(entry.text or ""): float(entry.get("font-size", "")) for entry in found.findall(f"{space}text")}
    assert 0.6 * 200 * sizes["w" * 200] < 720 and sizes["labels"] == 13
    (style,) = found.findall(f"{space}style")
    assert "prefers-color-scheme:dark" in (style.text or "")
    drawn = {entry.get("class") for entry in found.iter() if entry.get("fill") not in (None, "none") or entry.get("stroke")}
    assert None not in drawn and all(f".{name}{{" in (style.text or "") for name in drawn)


def test_a_report_says_what_appears_in_both_forms() -> None:
    report = Report("r", (), [Section("s", findings=("how they are told", "a against b: tied: c +0.000"))])
    text, _ = markdown(report, "x")
    page = html_page(report)
    assert "### What appears and what does not\n\nhow they are told\n\n- a against b: tied: c +0.000" in text
    assert "<h3>What appears and what does not</h3><p>how they are told</p><ul><li>a against b: tied: c +0.000</li></ul>" in page


def test_the_reports_own_command_can_be_typed() -> None:
    call = ReproduceCall(experiment="table1", seeds=3, annotations=(9, 90), foundation=Path("w.safetensors"), output=Path("r"))
    expected = "dnerf-headless reproduce table1 --annotations 9,90 --seeds 3 --foundation w.safetensors --output r"
    assert command_line("reproduce", call) == expected


def test_names_of_rows_and_experiments_stand_once() -> None:
    assert tuple(EXPERIMENTS) == EXPERIMENT_NAMES
    assert {name for entry in EXPERIMENTS.values() for name in entry.row_names} == set(ROW_NAMES)
