"""`render --engine ray`: the same folder as with threads, whoever dies; nothing of Ray stays."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.errors import AnnotationError, CheckpointError, DNeRFError, OutputError, UsageError
from dnerf_core.files.pictures import write_mask
from dnerf_core.generator.config import CameraConfig
from dnerf_core.labels import SHAPENET_CAR_LABELS
from headless import cli, models
from headless.cluster.actor import ActorWork, SubjectActor
from headless.cluster.cluster import Cluster
from headless.datasets import view_source
from headless.datasets.folder import DatasetFolder
from headless.datasets.plan import ViewPlan
from headless.datasets.view_source import ViewSource
from headless.datasets.view_writer import ViewWriter
from tests.headless.fake_engine import SIZE_PX, FakeModel
from tests.headless.fake_render import REPOSITORY
from tests.headless.fake_source import FakeSource, Fault, made_by

pytestmark = pytest.mark.timeout(120)

OWN_SETTINGS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t" * 64}
"""Loopback only, and a token; else Ray would listen on every interface and write a token to the home folder."""

CLUSTER = """
import logging, sys, ray
context = ray.init("local", num_cpus=2, num_gpus=0, include_dashboard=False, object_store_memory=2**27, log_to_driver=False,
                   logging_level=logging.CRITICAL, _node_ip_address="127.0.0.1", _temp_dir=sys.argv[1])
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


# not importorskip: Ray reads its settings when it is imported
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for Ray's sockets, whose paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two cores, with the tests' modules on its path."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        for name, value in {**OWN_SETTINGS, "PYTHONPATH": str(REPOSITORY)}.items():
            patch.setenv(name, value)
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, folder], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture
def joined(cluster: str, fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of notes of `FakeSource`, with which `--engine ray` works on the cluster."""
    notes = tmp_path / "notes"
    notes.mkdir()
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    use(monkeypatch, notes)
    return notes


def use(monkeypatch: pytest.MonkeyPatch, notes: Path, fault: Fault = "") -> None:
    monkeypatch.setattr(view_source, "ViewSource", partial(FakeSource, notes=notes, fault=fault))


def in_all(made: dict[int, list[int]]) -> list[int]:
    """The subjects begun by any process."""
    return list(chain.from_iterable(made.values()))


def files(folder: Path) -> dict[str, bytes]:
    """Every file, temporary ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_threads(call: list[str], output: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    with monkeypatch.context() as patch:
        patch.setattr(view_source, "ViewSource", ViewSource)
        assert cli.run([*call, "-o", str(output)]) == 0
    return files(output)


@needs_ray
def test_the_folder_is_that_of_the_threads(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In parts, with splits, all channels and another format, too."""
    channels = ["--channels", "rgb,mask,depth,normal,uncertainty,parts", "--splits", "train=0.5,val=0.5", "--format", "coco"]
    call = ["render", "--seeds", "0-6", "--views", "3", *channels]
    whole = by_threads(call, tmp_path / "threads", monkeypatch)
    assert cli.run([*call, "--engine", "ray", "--shard", "2/2", "-o", str(tmp_path / "out")]) == 0
    assert sorted(in_all(made_by(joined))) == [1, 3, 5]
    capsys.readouterr()
    assert cli.run([*call, "--engine", "ray", "--shard", "1/2", "--json", "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out") == whole
    assert sorted(in_all(made_by(joined))) == list(range(7))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    views = [event["name"] for event in events if event["event"] == "view"]
    assert sorted(views) == [f"s{seed:04d}_v{view:02d}" for seed in (0, 2, 4, 6) for view in range(3)]
    assert events[-1]["views_written"] == 12
    # nothing is missing: no cluster is asked for
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert cli.run([*call, "--engine", "ray", "-o", str(tmp_path / "out")]) == 0


@needs_ray
def test_a_killed_actor_costs_its_unfinished_subject(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["render", "--seeds", "0-7", "--views", "3"]
    whole = by_threads(call, tmp_path / "threads", monkeypatch)
    use(monkeypatch, joined, "die once")
    capsys.readouterr()
    assert cli.run([*call, "--engine", "ray", "--json", "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out") == whole, "also without the half-written file of the dead one"
    made = made_by(joined)
    finished, lost = made.pop(int((joined / "dead").read_text()))
    others = Counter(in_all(made))
    assert others == Counter(set(range(8)) - {finished}), "what the dead one had finished is made once, what it lost once more"
    output = capsys.readouterr()
    events = [json.loads(line) for line in output.out.splitlines()]
    assert len({event["name"] for event in events if event["event"] == "view"}) == events[-1]["views_written"] == 24
    [warning] = [event["message"] for event in events if event["event"] == "warning" and "actor" in event["message"]]
    assert warning.startswith(f"subject {lost}: the actor that made it died, another one goes on: its worker process has died.")
    assert "\n" not in warning
    assert output.err == ""


@needs_ray
def test_a_subject_that_kills_every_actor_fails_in_one_line(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["render", "--seeds", "0-3", "--views", "3", "-o", str(tmp_path / "out")]
    use(monkeypatch, joined, "die always")
    assert cli.run([*call, "--engine", "ray", "--workers", "1"]) == 1
    *warnings, error = capsys.readouterr().err.splitlines()
    assert error.startswith(
        "error: subject 2: expected an actor to make it, 3 died in it one after the other, the last because its worker"
    )
    assert len([line for line in warnings if line.startswith("warning: subject 2: the actor that made it died")]) == 2
    made = in_all(made_by(joined))
    assert Counter(made) == {0: 1, 1: 1, 2: 3}
    kept = files(tmp_path / "out")
    assert not [name for name in kept if ".tmp-" in name]
    assert {"depth/s0000_v02.exr", "depth/s0001_v02.exr"} <= set(kept)
    # the same command goes on, with the other engine too
    whole = by_threads(call[:-2], tmp_path / "threads", monkeypatch)
    assert by_threads(call[:-2], tmp_path / "out", monkeypatch) == whole


@needs_ray
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("disk full", "error: out/depth: expected to write this file or folder, the system says: No space left; free some"),
        ("bug", "error: ZeroDivisionError: by nothing; run again with --debug for the traceback"),
    ],
)
def test_what_is_raised_in_an_actor_comes_out_as_it_is(
    fault: Fault, line: str, joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, joined, fault)
    assert cli.run(["render", "--seeds", "2", "--engine", "ray", "-o", str(tmp_path / "out")]) == 1
    output = capsys.readouterr()
    assert output.err == f"{line}\n"
    assert output.out == ""


def fake_plan(sha256: str = "0" * 64) -> ViewPlan:
    return ViewPlan("demo-cars", sha256, (0,), 2, (-30, 30), (12, 12), "even", 1.0, SIZE_PX, ("rgb", "mask", "depth"), "npy")


def fake_work(output: Path, working_dir: Path, sha256: str = "0" * 64) -> ActorWork:
    plan = fake_plan(sha256)
    writer = ViewWriter(plan, DatasetFolder(output, "render", plan), CameraConfig(), None)
    return pickle.loads(pickle.dumps(ActorWork(writer, ViewSource("demo-cars", "cpu", plan), working_dir, 1)))


def test_a_node_with_another_version_folder_or_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    actor = SubjectActor()
    with pytest.raises(UsageError, match=r"node .*: expected datasetnerf 0\.0 as the command has it, found .*; install the same"):
        actor.check_version("0.0")
    with pytest.raises(
        OutputError, match=r"node .*: .*/out: expected the command's folder with its dataset.json, found none; choose"
    ):
        actor.open(fake_work(tmp_path / "out", tmp_path))
    with pytest.raises(
        OutputError, match=r"node .*: /no/such: expected the folder that the command was called in, the system says"
    ):
        actor.open(fake_work(Path("out"), Path("/no/such")))
    other = fake_work(tmp_path / "out", tmp_path, "1" * 64)
    other.writer.folder.claim()
    with pytest.raises(OutputError, match=r"node .*: .*/out: holds the results of another call, --model \(sha256\) was 1111"):
        actor.open(fake_work(tmp_path / "out", tmp_path))
    with pytest.raises(
        CheckpointError, match=r"demo.*safetensors: expected the model .* sha256 1111.*, found sha256 .*; put the same"
    ):
        actor.open(other)


def test_views_that_a_dead_actor_left_are_told_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "one_thread_a_view", models.one_thread_a_view)  # which FakeSource replaces
    (tmp_path / "notes").mkdir()
    plan = fake_plan()
    folder = DatasetFolder(tmp_path / "out", "render", plan)
    folder.claim()
    writer = ViewWriter(plan, folder, CameraConfig(), SHAPENET_CAR_LABELS)
    actor = SubjectActor()
    actor.open(ActorWork(writer, FakeSource("", "", plan, None, tmp_path / "notes"), tmp_path, 1))  # type: ignore[arg-type]
    names = ["s0000_v00", "s0000_v01"]
    assert [(one.view.name, one.empty) for one in actor.make(0, names)] == [(name, False) for name in names]
    write_mask(folder.file("masks", names[0]), np.zeros((SIZE_PX, SIZE_PX), np.uint8), SHAPENET_CAR_LABELS.palette())
    assert [(one.view.name, one.empty) for one in actor.make(0, names)] == list(zip(names, [True, False], strict=True))
    assert in_all(made_by(tmp_path / "notes")) == [0]
    folder.file("depth", names[1]).unlink()
    assert [one.view.name for one in actor.make(0, names[1:])] == names[1:]
    assert in_all(made_by(tmp_path / "notes")) == [0, 0]


def test_errors_travel_between_processes() -> None:
    for kind in (DNeRFError, UsageError, CheckpointError, AnnotationError, OutputError):
        error = pickle.loads(pickle.dumps(kind("what: expected, found; remedy")))
        assert (type(error), str(error), error.exit_code) == (kind, "what: expected, found; remedy", kind.exit_code)


def test_threads_of_an_actor() -> None:
    assert Cluster(cpus=64, gpus=4).view_threads(gpu=False) == 1
    assert Cluster(cpus=64, gpus=4).view_threads(gpu=True) == 8
    assert Cluster(cpus=6, gpus=2).view_threads(gpu=True) == 3
    assert Cluster(cpus=1, gpus=2).view_threads(gpu=True) == 1


def test_without_ray_one_line_says_how_to_get_it(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.run(["render", "--engine", "ray", "-o", str(tmp_path / "out")]) == 2
    assert (
        capsys.readouterr().err == "error: --engine ray: expected the package ray, found none; pip install 'datasetnerf[ray]'\n"
    )
    assert list(tmp_path.iterdir()) == []


@needs_ray
@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("127.0.0.1:1", "RAY_ADDRESS: expected a Ray cluster at 127.0.0.1:1, the system says: Connection refused; start one"),
        ("ray://here:10001", "RAY_ADDRESS: expected HOST:PORT of the cluster's head node, or auto, found ray://here:10001; call"),
        ("here", "RAY_ADDRESS: expected HOST:PORT of the cluster's head node, or auto, found here; call"),
    ],
)
def test_a_cluster_that_is_none_is_one_line(
    address: str,
    line: str,
    fake_model: FakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert cli.run(["render", "--engine", "ray", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {line}")
    assert list(tmp_path.iterdir()) == []


@needs_ray
def test_cuda_needs_a_gpu_in_the_cluster(joined: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "--engine", "ray", "--device", "cuda", "-o", str(tmp_path / "out")]) == 2
    assert "--device cuda: expected a Ray cluster with GPUs, found none in it; use --device cpu" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Of a killed cluster these try for a minute to tell it, then they end."""


def still_running(working_dir: Path, but: tuple[str, ...]) -> dict[int, str]:
    """The processes of a working folder, by pid, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == working_dir:
                line = (process / "cmdline").read_text().replace("\0", " ").strip()
                if not line.startswith(but):
                    found[int(process.name)] = line
        except OSError:  # it has ended, or is not ours
            continue
    return found


def wait_for_the_end(working_dir: Path, seconds: float, but: tuple[str, ...] = ()) -> None:
    end = time.monotonic() + seconds
    while left := still_running(working_dir, but):
        assert time.monotonic() < end, left
        time.sleep(0.1)


@needs_ray
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_the_demo_with_a_cluster_of_its_own_interrupted_and_killed(tmp_path: Path, short_folder: Path) -> None:
    """Ctrl-C, then SIGKILL, then to the end: the folder of the threads, and no process and no file of Ray is left each time."""
    options = ["--seeds", "0-3", "--views", "2", "--resolution", "64", "--device", "cpu"]
    call = [sys.executable, "-m", "headless.cli", "render", *options]
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "HOME": str(home), "RAY_TMPDIR": str(short_folder)}
    assert cli.run(["render", *options, "-o", str(tmp_path / "threads")]) == 0
    ray_call = [*call, "--engine", "ray", "--json", "-o", "out"]

    def until_a_view(number: signal.Signals) -> int:
        process = subprocess.Popen(
            ray_call, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdout
        for line in process.stdout:
            if json.loads(line)["event"] == "view":
                break
        # Ctrl-C reaches every process of the terminal
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        code = process.wait(60)
        process.stdout.close()
        return code

    assert until_a_view(signal.SIGINT) == 130
    wait_for_the_end(tmp_path, 30)
    assert list(short_folder.iterdir()) == []
    assert not list((tmp_path / "out").rglob(".tmp-*"))
    assert until_a_view(signal.SIGKILL) == -signal.SIGKILL
    wait_for_the_end(tmp_path, 60, but=RAY_AGENTS)
    for pid in still_running(tmp_path, but=()):
        os.kill(pid, signal.SIGKILL)
    wait_for_the_end(tmp_path, 30)
    subprocess.run(ray_call, cwd=tmp_path, env=environment, check=True, timeout=100, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "out") == files(tmp_path / "threads")
    wait_for_the_end(tmp_path, 30)
    left = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    assert all(path.parent == Path(".cache/datasetnerf") for path in left), (
        left
    )  # what was measured of the processor, nothing of Ray
