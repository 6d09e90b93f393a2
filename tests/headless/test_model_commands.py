"""`info`, `import` and `doctor` on real files: a small model file made here, and machines that lack something."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.expected_shapes import expected_shapes
from dnerf_core.checkpoints.model_file import save_arrays
from dnerf_core.generator.config import (
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
)
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from headless import cli
from headless.work import machine
from tests.core import checkpoint_writer
from tests.core.checkpoint_spec import init_kwargs, spec
from tests.headless.fake_engine import FakeModel

REPOSITORY = Path(__file__).parents[2]
CONFIG = GeneratorConfig(
    name="tiny-cars",
    image_size=32,
    mapping=MappingConfig(z_dim=8, w_dim=8),
    backbone=BackboneConfig(resolution=8, channel_base=64, channel_max=8, plane_channels=4),
    triplane=TriplaneConfig(box_warp=1.6, hidden_dim=8),
    rays=RayConfig(16, 6, 7, "auto", "auto", white_back=True),
    superresolution=SuperResolutionConfig(kind="2X", channels=(4, 4)),
    cameras=CameraConfig(radius=1.7, focal=1.7, pitch_deg=15),
)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with a semantic branch, all zeros."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    arrays = {key: np.zeros(shape, np.float32) for key, shape in expected_shapes(CONFIG).items()}
    save_arrays(
        path,
        CONFIG,
        arrays,
        semantic_config={"kind": "planes"},
        semantic_arrays={"weight": np.zeros((3, 5), np.float32)},
        labels=SHAPENET_CAR_LABELS,
        source={"file": "cars.pkl", "licence": "for research only"},
        training={"seed": 7, "scores": {"miou": 0.91}},
    )
    return path


def test_info_prints_what_is_inside(tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(tiny_file)]) == 0
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    rows = {name: value.strip() for name, value in rows.items()}
    assert rows["generator"] == "tiny-cars, 32 x 32 px"
    assert rows["neural resolution"] == "16 px, super-resolution 2X"
    assert rows["samples a ray"] == "6 coarse + 7 fine, the box, white background"
    assert rows["planes"] == "8 px, 4 channels, axes xy xz zx"
    assert rows["box"] == "side 1.6, centred on the world origin"
    assert rows["parameters"].endswith("semantic 15")
    assert rows["semantic branch"] == "kind planes"
    roof = SHAPENET_CAR_LABELS.labels[2]
    assert rows["label 2"] == "roof  #{:02x}{:02x}{:02x}".format(*roof.color)
    assert rows["source licence"] == "for research only"
    assert rows["training scores"] == "miou 0.91"


def test_info_escapes_what_would_steer_a_terminal_and_drops_what_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.safetensors"
    config = replace(CONFIG, name="tiny\x1b]0;title\x07")
    arrays = {key: np.zeros(shape, np.float32) for key, shape in expected_shapes(config).items()}
    source = {"file": "cars\x1b[2J\u202e.pkl", "sha256": "", "licence": None}
    save_arrays(path, config, arrays, source=source, training={"no\x9bte": "\x1b[31m"})
    assert cli.run(["info", str(path)]) == 0
    output = capsys.readouterr().out
    assert all(char == "\n" or char.isprintable() for char in output)
    for expected in (r"tiny\x1b]0;title\x07", r"cars\x1b[2J\u202e.pkl", r"training no\x9bte", r"\x1b[31m"):
        assert expected in output
    assert "source sha256" not in output
    assert "source licence" not in output
    assert cli.run(["info", "/no\x1bwhere"]) == 2
    assert capsys.readouterr().err.startswith(r"error: /no\x1bwhere: expected the embedded model")


def test_info_json_is_one_summary_that_reads_back(tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(tiny_file), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    summary = json.loads(line)
    assert (summary["event"], summary["status"]) == ("summary", "done")
    assert summary["generator"]["image_size"] == 32
    assert summary["parameters"]["semantic"] == 15
    assert LabelSet.from_json(summary["labels"]) == SHAPENET_CAR_LABELS
    assert summary["training"] == {"seed": 7, "scores": {"miou": 0.91}}


def test_info_needs_no_torch(tiny_file: Path) -> None:
    code = "import sys; from headless import cli; code = cli.run(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(code)"
    command = [sys.executable, "-c", code, "info", str(tiny_file)]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def test_a_branch_without_label_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "unnamed.safetensors"
    arrays = {key: np.zeros(shape, np.float32) for key, shape in expected_shapes(CONFIG).items()}
    save_arrays(path, CONFIG, arrays, semantic_config={}, semantic_arrays={"weight": np.zeros(1, np.float32)})
    assert cli.run(["info", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: expected a label set with the semantic branch, found none")


def test_import_makes_a_model_file_once(parity_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release, target = parity_dir / "shapenet-narrow-trap.pkl", tmp_path / "cars.safetensors"
    assert cli.run(["import", str(release), "-o", str(target), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["start", "summary"]
    facts = model_facts.describe_model(str(target))
    assert (events[-1]["sha256"], events[-1]["image_size"]) == (facts.sha256, 128)
    assert not facts.has_semantics
    before = target.stat().st_mtime_ns
    assert cli.run(["import", str(release), "-o", str(target)]) == 1
    expected = f"error: {target}: expected a new file, it is there already; remove it, or choose another --output\n"
    assert capsys.readouterr().err == expected
    assert target.stat().st_mtime_ns == before


def test_import_takes_settings_and_cameras(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint_writer.write(spec(), "faces.pth.gz", "bare-zip-gzip")
    (tmp_path / "options.json").write_text(
        json.dumps({"G_kwargs": init_kwargs(), "loss_kwargs": {"neural_rendering_resolution_initial": 16}})
    )
    assert cli.run(["import", "faces.pth.gz"]) == 1
    assert "name those it was trained with by --config" in capsys.readouterr().err
    arguments = ["--config", "options.json", "--neural-resolution", "24", "--camera-radius", "1.5", "--camera-pivot", "0,0,0.1"]
    assert cli.run(["import", "faces.pth.gz", *arguments, "--focal", "2", "--up", "y"]) == 0
    captured = capsys.readouterr()
    assert "neural resolution 24, as asked, in place of the file's 16" in captured.err
    config = model_facts.describe_model("faces.safetensors").config
    cameras = config.cameras
    assert (cameras.radius, cameras.pivot, cameras.focal, cameras.world_up) == (1.5, (0.0, 0.0, 0.1), 2.0, "y")
    assert (config.name, config.rays.neural_resolution) == ("faces", 24)
    assert (
        cli.run(
            ["import", "faces.pth.gz", "--config", "options.json", "--video-cameras", "-o", "video.safetensors", "--network", "x"]
        )
        == 2
    )
    assert "--network x: expected one of 'its network'" in capsys.readouterr().err
    assert cli.run(["import", "faces.pth.gz", "--config", "options.json", "--video-cameras", "-o", "video.safetensors"]) == 0
    assert model_facts.describe_model("video.safetensors").config.cameras.radius == 1.7
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": None}))
    assert (
        cli.run(["import", "faces.pth.gz", "--config", "options.json", "--cameras-from", "dataset.json", "-o", "d.safetensors"])
        == 2
    )
    assert "labels: expected cameras, found null" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("dataset.json", "faces.pth.gz", "faces.safetensors", "options.json", "video.safetensors")
    ]


@pytest.mark.parametrize("content", [b"hello\n", b"", pickle.dumps({"G_ema": print}), pickle.dumps({"G": 1})[:-3]])
def test_import_of_something_else_is_one_line_and_writes_nothing(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.pkl").write_bytes(content)
    assert cli.run(["import", str(tmp_path / "bad.pkl"), "-o", str(tmp_path / "out.safetensors")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "bad.pkl" in captured.err
    assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pkl"]


def test_doctor_ends_with_its_verdict(fake_model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--self-test", "--device", "cpu"]) == 0
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert verdict.startswith("ready: renders on ")
    names = {line[2:].split("  ")[0] for line in lines}
    assert {
        "python",
        "torch",
        "processor",
        "cpu cores",
        "workers and threads",
        "waiting threads",
        "cpu bfloat16",
        "memory",
        "disk",
        "OpenEXR",
        "demo-cars",
        "self-test",
    } <= names
    assert fake_model.subjects_made == [0]
    assert cli.run(["doctor", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["event"] for event in events[:-1]} == {"check"}
    assert (events[-1]["event"], events[-1]["ready"]) == ("summary", True)


def test_doctor_names_what_is_in_the_way(
    fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # makes `import torch` fail as if it were not installed
    monkeypatch.setattr(machine, "NEEDED_PACKAGES", (*machine.NEEDED_PACKAGES, "no-such-package"))
    assert cli.run(["doctor", "--self-test", "--json"]) == 1
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["ready"] is False
    assert summary["verdict"].startswith("not ready: torch: cannot be imported")
    assert "no-such-package: missing" in summary["verdict"]
    assert fake_model.subjects_made == []


@pytest.mark.parametrize("folder", ["/proc/self/out", "FILE/out", "FILE"])
def test_doctor_is_not_ready_where_results_cannot_be_written(
    folder: str, fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file, no folder")
    output = folder.replace("FILE", str(tmp_path / "file"))
    assert cli.run(["doctor", "-o", output]) == 1
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.startswith("not ready: disk: ")
    assert verdict.endswith("name another folder with --output")
    assert cli.run(["doctor", "-o", str(tmp_path / "new")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_killed_import_leaves_nothing_for_ever(parity_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "cars.safetensors"
    stale = [tmp_path / ".cars.safetensors.0123abcd.part", tmp_path / ".tmp-77-cars.safetensors"]
    foreign = [tmp_path / ".bars.safetensors.0123abcd.part", tmp_path / ".cars.safetensors.part", tmp_path / ".tmp-77-bars"]
    for path in (*stale, *foreign):
        path.write_bytes(b"half")
    assert cli.run(["import", str(parity_dir / "shapenet-narrow-trap.pkl"), "-o", str(target)]) == 0
    assert set(tmp_path.iterdir()) == {target, *foreign}


def test_memory_is_the_smaller_of_the_machines_and_the_groups(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:    4000 kB\n")
    assert machine.available_memory(meminfo, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert machine.available_memory(meminfo, tmp_path) == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory(meminfo, tmp_path) == 4000 * 1024
    assert machine.available_memory(tmp_path / "absent", tmp_path) is None


def test_bfloat16_is_read_from_the_cpu_flags(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx512_bf16 amx_bf16\n")
    assert machine.cpu_bfloat16(cpuinfo) == "yes (amx_bf16, avx512_bf16)"
    cpuinfo.write_text("flags : fpu avx2\n")
    assert machine.cpu_bfloat16(cpuinfo) == "no, emulated and slow"
    assert machine.cpu_bfloat16(tmp_path / "absent") == "not known on this system"
