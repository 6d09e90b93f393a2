"""`train-segmenter`: from data sets to a network file, in one go or resumed, and what is refused before anything is computed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dnerf_core.downstream import vision
from dnerf_core.downstream.images.registry import build_network
from dnerf_core.downstream.images.segmenter import Segmenter, predict
from dnerf_core.downstream.network_file import load_network_file, read_network_header
from dnerf_core.downstream.processes import ALONE
from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet
from headless import cli
from headless.annotating.training_state import state_path
from headless.downstream import segmenter_run
from headless.downstream.segmenter_plan import TrainSegmenterCall, plan_segmenter, read_views
from headless.runs.downstream.train_segmenter import train_segmenter
from headless.work.reporting import Quiet
from tests.core.downstream.small_sets import LABELS, small_view, write_folder, write_shards
from tests.headless.test_render import error_line

SHORT = ("--steps", "3", "--batch", "4", "--precision", "float32", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects, two views each; copy it before changing anything."""
    return write_folder(tmp_path_factory.mktemp("sets") / "cars")


def train(place: Path, output: Path, *args: str) -> int:
    return cli.run(["train-segmenter", str(place), "-o", str(output), *SHORT, *args])


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return data


def test_a_network_file_with_its_record_grid_and_curve(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, onnx = tmp_path / "net.safetensors", tmp_path / "exports" / "net.onnx"
    assert train(folder, output, "--json", "--onnx", str(onnx)) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events][:2] == ["start", "precision"] and {"step", "score"} < {e["event"] for e in events}
    summary = events[-1]
    assert (summary["views"], summary["views_validation"], summary["subjects"], summary["size_px"]) == (10, 2, 5, 32)
    assert (
        summary["status"] == "done"
        and 0 <= summary["miou"] <= 1
        and set(summary["iou_per_class"]) == {"background", "red", "blue"}
    )
    header = read_network_header(output, "image")
    record = header.training
    assert header.network == "mini" and header.labels == LABELS and header.settings["size_px"] == 32
    assert record["sets"][0] | {"sha256": ""} == {
        "place": str(folder),
        "kind": "folder",
        "sha256": "",
        "views": 10,
        "views_validation": 2,
    }
    assert record["validation"]["miou"] == summary["miou"] and record["torch"] == torch.__version__ and record["seed"] == 0
    with Image.open(tmp_path / "net-grid.png") as grid, Image.open(tmp_path / "net-loss.png") as curve:
        assert grid.width > 700 and curve.width > 500
    assert len(list(csv.DictReader((tmp_path / "net-loss.csv").open()))) == 3
    assert onnx.is_file() and not state_path(output).exists()
    assert predict(output, small_view(1)[0])[0].shape == (32, 32)
    # the same call again
    before = output.read_bytes()
    onnx.unlink()
    assert train(folder, output, "--json", "--onnx", str(onnx)) == 0
    assert last_json(capsys)["nothing_to_do"] is True and output.read_bytes() == before and onnx.is_file()
    # another one
    assert train(folder, output, "--seed", "1") == 1
    assert "expected a new file, it holds something else" in error_line(capsys)


def test_info_tells_of_it_and_other_commands_refuse_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "net.safetensors"
    assert train(folder, output) == 0
    capsys.readouterr()
    assert cli.run(["info", str(output), "--verify"]) == 0
    text = capsys.readouterr().out
    assert (
        "mini, labels the pixels of images" in text and "label 2" in text and "training seed" in text and "all as written" in text
    )
    assert cli.run(["info", str(output), "--json"]) == 0
    facts = last_json(capsys)
    assert (facts["kind"], facts["labels_what"], facts["network"]) == ("network", "image", "mini")
    for call in (
        ["render", "--model", str(output), "-o", str(tmp_path / "out")],
        ["edit", "0", "--model", str(output), "--mask", str(folder / "masks" / "s0000_v00.png"), "-o", str(tmp_path / "edited")],
        ["import", str(output), "-o", str(tmp_path / "model.safetensors")],
    ):
        assert cli.run(call) in (1, 2)
        line = error_line(capsys)
        assert "a network file" in line, line


def test_sets_of_every_form_are_learned_from_together(
    folder: Path, painted_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = write_shards(tmp_path / "shards", first_seed=10)
    assert train(folder, tmp_path / "a.safetensors", "--also", str(shards), "--json") == 0
    assert last_json(capsys)["views"] + 2 == 18
    kinds = [one["kind"] for one in read_network_header(tmp_path / "a.safetensors").training["sets"]]
    assert kinds == ["folder", "webdataset"]
    assert train(painted_folder, tmp_path / "b.safetensors", "--json", "--size", "32") == 0
    assert read_network_header(tmp_path / "b.safetensors").training["sets"][0]["kind"] == "painted"
    assert train(folder, tmp_path / "c.safetensors", "--also", str(painted_folder)) == 1
    assert "found none named red, blue and left, right besides" in error_line(capsys)


def test_weights_are_begun_from(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, tmp_path / "a.safetensors") == 0
    assert train(folder, tmp_path / "b.safetensors", "--weights", str(tmp_path / "a.safetensors"), "--learning-rate", "1e-7") == 0
    assert "began from a.safetensors: whole" in capsys.readouterr().out
    first, second = (load_network_file(tmp_path / f"{name}.safetensors").state["stem.0.weight"] for name in "ab")
    assert torch.allclose(first, second, atol=1e-5)
    torch.save(build_network("mini", 3).state_dict(), tmp_path / "x.pth")
    assert (
        train(folder, tmp_path / "c.safetensors", "--weights", str(tmp_path / "x.pth"), "--network", "deeplabv3-mobilenet") == 1
    )
    assert "expected" in error_line(capsys) and not (tmp_path / "c.safetensors").exists()


@pytest.mark.parametrize("changes", [(), ("--photographs", "hard")], ids=["plain", "photographs"])
def test_an_interrupted_training_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
) -> None:
    """To the same network file but for the time it took; another call is refused while the state is there."""
    whole, output = tmp_path / "whole.safetensors", tmp_path / "net.safetensors"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert train(folder, whole, *changes) == 0
        watch = segmenter_run._watch

        def stop_after_two(*args: Any) -> Any:
            found = watch(*args)

            def save(state: dict[str, Any]) -> None:
                found.save(state)
                if len(state["losses"]) == 2:
                    raise KeyboardInterrupt

            return segmenter_run.Watch(found.step, save, found.score, 0)

        with monkeypatch.context() as patched:
            patched.setattr(segmenter_run, "_watch", stop_after_two)
            assert train(folder, output, *changes) == 130
        assert state_path(output).is_file() and not output.exists()
        assert train(folder, output, *changes, "--seed", "3") == 1
        assert train(folder, output, *changes) == 0
    finally:
        torch.set_num_threads(threads)
    assert not state_path(output).exists()
    files = [load_network_file(path) for path in (whole, output)]
    assert all(torch.equal(value, files[1].state[name]) for name, value in files[0].state.items())
    assert (tmp_path / "whole-loss.csv").read_bytes() == (tmp_path / "net-loss.csv").read_bytes()


def test_a_killed_process_leaves_a_state_that_another_goes_on_from(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "net.safetensors"
    program = (
        "import dnerf_core.downstream.images.training as t; from headless import cli\n"
        "from headless.downstream import segmenter_run as r\n"
        "watch = r._watch\n"
        "r._watch = lambda *a: r.Watch(*(lambda w: (w.step, w.save, w.score, 0))(watch(*a)))\n"
        f"cli.run(['train-segmenter', {str(folder)!r}, '-o', {str(output)!r}, '--steps', '100000', '--batch', '2', '--size', '16',"
        " '--precision', 'float32', '--device', 'cpu'])"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    try:
        while not state_path(output).exists():
            assert process.poll() is None
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    call = TrainSegmenterCall(
        dataset=folder, output=output, steps=100_000, batch=2, size_px=16, precision="float32", device="cpu"
    )
    seen = []

    class StopError(Exception):
        pass

    def resumed(*args: Any, resume: Any, **more: Any) -> Any:
        seen.append(len(resume["losses"]))
        raise StopError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segmenter_run, "train_segmenter", resumed)
        with pytest.raises(StopError):
            train_segmenter(call, Quiet())
    assert seen and seen[0] >= 1


def run_torchrun(rank: int, port_file: Path, folder: Path, output: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
    program = (
        "import sys; import torch.distributed as dist; from headless import cli; init = dist.init_process_group\n"
        f"dist.init_process_group = lambda backend, where, **more: init(backend, 'file://' + {str(port_file)!r}, **more)\n"
        f"sys.exit(cli.run(['train-segmenter', {str(folder)!r}, '-o', {str(output)!r}, *{SHORT!r}]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], env=environment, stdout=subprocess.PIPE
    )


def test_processes_of_torchrun_write_one_network(folder: Path, tmp_path: Path) -> None:
    """Two on the CPU; they find each other by a file here, by a port below torchrun."""
    output, alone = tmp_path / "net.safetensors", tmp_path / "alone.safetensors"
    processes = [run_torchrun(rank, tmp_path / "store", folder, output) for rank in range(2)]
    texts = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert b"3 steps of 4" in texts[0] and texts[1] == b""
    assert train(folder, alone) == 0
    first, second = (read_network_header(path).training for path in (output, alone))
    assert first["processes"] == 2 and first["call_sha256"] == second["call_sha256"]
    assert first["loss_first"] == pytest.approx(second["loss_first"], rel=1e-5)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--batch", "3", "--gpus", "2", "--device", "cuda"], "--batch 3: expected at least 2 pictures for each of 2 processes"),
        (["--gpus", "2"], "--gpus 2: expected a CUDA device, found --device cpu"),
        (["--validation", "6"], "--validation: expected at least one of 6 subjects left"),
        (["--also", "{folder}"], "--also: expected each data set once"),
        (["--also", "nowhere"], "nowhere: expected the folder of a data set, found nothing"),
        (["-o", "net.pth"], "--output net.pth: expected a name that ends in .safetensors"),
        (["--onnx", "net.pb"], "--onnx net.pb: expected a name that ends in .onnx"),
        (["--network", "huge"], "huge"),
        (["--size", "4"], "4 is not in the range"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
    ],
)
def test_wrong_calls_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    output = tmp_path / "net.safetensors"
    assert train(folder, output, *[arg.format(folder=folder) for arg in args]) == 2
    assert message in error_line(capsys) and not list(tmp_path.iterdir())


def test_a_class_that_nobody_painted_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = write_folder(tmp_path / "cars", 3, labels=LabelSet.from_names(["red", "blue", "green"]))
    assert train(place, tmp_path / "net.safetensors") == 2
    assert "expected every class in 4 views to train on, found none of green" in error_line(capsys)
    assert train(place, tmp_path / "net.safetensors", "--allow-missing-classes", "--class-weights", "balanced") == 0
    assert read_network_header(tmp_path / "net.safetensors").training["class_weights"][3] == 0


def test_parts_of_one_side_need_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = write_folder(tmp_path / "cars", 3, labels=LabelSet.from_names(["left eye", "nose"]))
    assert train(place, tmp_path / "net.safetensors") == 2
    assert "--no-flip" in error_line(capsys)
    assert train(place, tmp_path / "net.safetensors", "--no-flip") == 0


def test_files_of_others_stay(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("net-grid.png", "net-loss.csv", "net.onnx"):
        path = tmp_path / name
        path.write_text("mine")
        assert train(folder, tmp_path / "net.safetensors", "--onnx", str(tmp_path / "net.onnx")) == 1
        assert f"{path}: expected no file" in error_line(capsys)
        assert path.read_text() == "mine"
        path.unlink()


def test_a_rate_that_explodes_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnerf_core.downstream.images.training.float", lambda value: float("nan"), raising=False)
    assert train(folder, tmp_path / "net.safetensors", "--learning-rate", "1") == 2
    assert "--learning-rate 1: expected a loss that falls, found nan at step 1" in error_line(capsys)


def test_without_torchvision_one_line_says_what_to_install(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision.importlib.util, "find_spec", lambda name: None)
    assert train(folder, tmp_path / "net.safetensors") == 2
    assert "pip install 'datasetnerf[downstream]'" in error_line(capsys)


def test_a_refused_call_loads_no_torch(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from headless import cli\n"
        f"code = cli.run(['train-segmenter', {str(folder)!r}, '--also', {str(folder)!r}, '-o', {str(tmp_path / 'x.safetensors')!r}])\n"
        "assert code == 2 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True, stderr=subprocess.DEVNULL)


def test_a_call_from_python_says_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="scale: expected a number from 1 to 8, found 0"):
        TrainSegmenterCall(dataset=folder, output=tmp_path / "x.safetensors", scale=0)
    from dnerf_core.downstream.processes import Process

    with pytest.raises(UsageError, match="expected 1 below torchrun"):
        plan_segmenter(TrainSegmenterCall(dataset=folder, output=tmp_path / "x.safetensors", gpus=2), Process(0, 2))


def test_the_file_s_network_gives_the_scores_it_tells(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dnerf_core.downstream.processes import ALONE
    from dnerf_core.metrics import confusion_matrix, pooled_scores

    output = tmp_path / "net.safetensors"
    assert train(folder, output, "--json") == 0
    reported_miou = last_json(capsys)["miou"]
    plan = plan_segmenter(TrainSegmenterCall(dataset=folder, output=tmp_path / "y.safetensors"), ALONE)
    segmenter = Segmenter.load(output)
    confusions = []
    for place in plan.division.scored:
        image, mask = plan.joined.pair(place)
        confusions.append(confusion_matrix(mask, segmenter.predict(image)[0], 3))
    assert pooled_scores(confusions).miou == pytest.approx(reported_miou, abs=1e-6) and np.array(confusions).sum() == 2 * 32 * 32


# --- photographs


def test_photographs_are_learned_from_and_told(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backgrounds = tmp_path / "places"
    backgrounds.mkdir()
    Image.new("RGB", (40, 30), (10, 200, 30)).save(backgrounds / "green.jpg")
    (backgrounds / "notes.txt").write_text("no picture")
    outputs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    args = ("--photographs", "mild", "--backgrounds", str(backgrounds), "--size", "16", "--steps", "2", "--json")
    for output in outputs:
        assert train(folder, output, *args) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # the small sets' backgrounds are noisy gray
    (warning,) = [event for event in events if event["event"] == "warning"]
    assert "expected subjects before one colour, found others in" in warning["message"] and "the mask alone" in warning["message"]
    files = [load_network_file(output, "image") for output in outputs]
    assert all(torch.equal(value, files[1].state[name]) for name, value in files[0].state.items())
    record, settings = files[0].header.training, files[0].header.settings
    assert (record["photographs"], record["backgrounds"]) == ("mild", 1)
    assert settings["calibration"] == files[1].header.settings["calibration"] and settings["calibration"]["views"] >= 2
    assert Segmenter.load(outputs[0]).calibration is not None
    # other photographs are another training
    assert train(folder, outputs[0], *args[2:], "--photographs", "hard") == 1
    assert "expected a new file" in error_line(capsys)
    (backgrounds / "green.jpg").write_bytes(Path(folder / "images" / "s0000_v00.png").read_bytes())
    assert train(folder, outputs[0], *args) == 1


def test_a_training_without_photographs_is_what_it_was(folder: Path) -> None:
    call = TrainSegmenterCall(dataset=folder, output=Path("net.safetensors"))
    plan = plan_segmenter(call, ALONE)
    read = read_views(plan, Quiet())
    assert (
        set(plan.identity(read)["the pictures' options"]) == {"size_px", "scale", "flip", "color"} and plan.photographs() is None
    )


@pytest.mark.parametrize(
    ("files", "args", "words"),
    [
        ({}, ("--photographs", "hard"), "expected pictures (PNG, JPEG"),
        ({"a.txt": b"text"}, ("--photographs", "hard"), "found none of 1 file"),
        ({"a.png": b"no picture"}, ("--photographs", "hard"), "a.png: expected a photo"),
        ({"a.png": None}, ("--photographs", "hard"), "expected a background of at least 16 pixels a side, found 8 x 30"),
        ({"a.png": None}, (), "expected --photographs mild or hard with it, found none"),
    ],
)
def test_backgrounds_that_are_none_are_refused(
    files: dict[str, bytes | None],
    args: tuple[str, ...],
    words: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = tmp_path / "places"
    places.mkdir()
    for name, content in files.items():
        if content is None:
            Image.new("RGB", (8, 30)).save(places / name)
        else:
            (places / name).write_bytes(content)
    assert train(folder, tmp_path / "net.safetensors", *args, "--backgrounds", str(places)) in (1, 2)
    assert words in error_line(capsys) and not (tmp_path / "net.safetensors").exists()
