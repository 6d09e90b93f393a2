"""The form that convolutions run in: chosen by a measurement, kept for a processor, and the same for every process. Timings are made up."""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from dnerf_core.convolutions import choice, timing
from dnerf_core.convolutions.forms import BFLOAT16, FLOAT32, FLOAT32_CONTIGUOUS, FORMS, ConvolutionForm
from dnerf_core.convolutions.measured import MARGIN, Circumstances, Measurement, kept_measurement, user_cache_folder
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import files_told
from dnerf_core.work import processor

CPU = torch.device("cpu")
HERE = Circumstances("Some CPU", "0" * 64, "2.13.0", {})


def seconds(float32: float, bfloat16: float | None, contiguous: float | None = None) -> dict[ConvolutionForm, float | None]:
    return {FLOAT32: float32, BFLOAT16: bfloat16, FLOAT32_CONTIGUOUS: contiguous}


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (seconds(0.040, 0.010, 0.050), BFLOAT16),
        (seconds(0.040, 0.120, 0.050), FLOAT32),
        (seconds(0.040, None, 0.020), FLOAT32_CONTIGUOUS),
        (seconds(0.040, None, None), FLOAT32),
        # near ties stay with the default, and among the others with the earlier one
        (seconds(0.040, 0.039, 0.038), FLOAT32),
        (seconds(0.040, 0.033, 0.033), FLOAT32),
        (seconds(0.040, 0.020, 0.019), BFLOAT16),
    ],
)
def test_a_form_is_taken_that_is_clearly_faster(taken: dict[ConvolutionForm, float | None], expected: ConvolutionForm) -> None:
    assert Measurement.now(taken).chosen == expected


def test_measurements_a_tenth_apart_choose_the_same_in_a_near_tie() -> None:
    """A lost cache measures anew, on a machine whose speed drifts."""
    for drift in (0.9, 0.95, 1.0, 1.05, 1.1):
        assert Measurement.now(seconds(0.040, 0.040 * drift)).chosen == FLOAT32
    assert Measurement.now(seconds(1.0, MARGIN)).chosen == FLOAT32
    assert Measurement.now(seconds(1.0, math.nextafter(MARGIN, 0))).chosen == BFLOAT16


class Counted:
    """A measurement that counts how often it is made."""

    def __init__(self, *taken: dict[ConvolutionForm, float | None]) -> None:
        self.taken, self.count = taken or (seconds(0.04, 0.01, 0.05),), 0

    def __call__(self) -> Mapping[ConvolutionForm, float | None]:
        self.count += 1
        return self.taken[(self.count - 1) % len(self.taken)]


def test_a_measurement_is_made_once_and_kept(tmp_path: Path) -> None:
    measure = Counted(seconds(0.04, 0.01, 0.05), seconds(0.01, 0.04, 0.05))
    first = kept_measurement(tmp_path / "new" / "cache", HERE, measure)
    again = kept_measurement(tmp_path / "new" / "cache", HERE, measure)
    assert measure.count == 1 and again == first and first.chosen == BFLOAT16
    assert first.path is not None and first.path.name == HERE.file_name and first.not_kept is None
    assert not [path for path in first.path.parent.iterdir() if path.name.startswith(".tmp-")]


@pytest.mark.parametrize(
    "other",
    [
        Circumstances("Other CPU", "0" * 64, "2.13.0", {}),
        Circumstances("Some CPU", "1" * 64, "2.13.0", {}),
        Circumstances("Some CPU", "0" * 64, "2.14.0", {}),
        Circumstances("Some CPU", "0" * 64, "2.13.0", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    ],
    ids=["name", "instructions", "torch", "limit"],
)
def test_it_holds_for_one_processor_torch_and_limit(other: Circumstances, tmp_path: Path) -> None:
    measure = Counted()
    kept_measurement(tmp_path, HERE, measure)
    kept_measurement(tmp_path, other, measure)
    assert measure.count == 2 and other.file_name != HERE.file_name


def test_limits_are_read_and_threads_are_not() -> None:
    plain = Circumstances.here("2.13.0", {})
    assert plain == Circumstances.here("2.13.0", {"OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": " "})
    assert Circumstances.here("2.13.0", {"ONEDNN_MAX_CPU_ISA": "avx2"}).limits == {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert Circumstances.here("2.13.0", {"ATEN_CPU_CAPABILITY": "default"}).file_name != plain.file_name


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "\x00\x01",
        '{"version": 1}',
        "[" * 100_000,
        {"seconds": {}},
        {"seconds": None},
        {"seconds": {form.name: -1.0 for form in FORMS}},
        {"seconds": {form.name: True for form in FORMS}},
        {"seconds": {form.name: math.nan for form in FORMS}},
        {"seconds": {form.name: None for form in FORMS}},
        {"processor_sha256": "1" * 64},
        {"measured": 3},
        {"version": 0},
    ],
)
def test_a_damaged_file_is_measured_anew(damage: str | dict[str, object], tmp_path: Path) -> None:
    measure = Counted()
    path = kept_measurement(tmp_path, HERE, measure).path
    assert path is not None
    whole = json.loads(path.read_text())
    path.write_text(damage if isinstance(damage, str) else json.dumps(whole | damage))
    assert kept_measurement(tmp_path, HERE, measure).chosen == BFLOAT16
    assert kept_measurement(tmp_path, HERE, measure).chosen == BFLOAT16
    assert measure.count == 2 and json.loads(path.read_text())["seconds"] == whole["seconds"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / HERE.file_name)
    assert kept_measurement(tmp_path, HERE, Counted()).chosen == BFLOAT16


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path) -> None:
    measure = Counted()
    assert kept_measurement(None, HERE, measure).not_kept == "no home folder"
    (tmp_path / "file").write_text("")
    found = kept_measurement(tmp_path / "file" / "cache", HERE, measure)
    assert found.path is None and found.chosen == BFLOAT16 and "Not a directory" in str(found.not_kept)
    (tmp_path / HERE.file_name).mkdir()
    found = kept_measurement(tmp_path, HERE, measure)
    assert "found a folder" in str(found.not_kept) and measure.count == 3
    assert "not kept (" in found.line


def test_the_results_that_are_being_written_hear_nothing_of_it(tmp_path: Path) -> None:
    heard: list[Path] = []
    with files_told(lambda path, sha256: heard.append(path)):
        assert kept_measurement(tmp_path, HERE, Counted()).path is not None
    assert heard == []


def _first_of_many(folder: Path, number: int, begin: object, answers: object) -> None:
    """Every process measures something else; what is kept is one of them."""
    begin.wait()  # type: ignore[attr-defined]
    own = seconds(0.040, 0.010 + 0.001 * number, None) if number % 2 else seconds(0.010 + 0.001 * number, 0.040, None)
    answers.put(kept_measurement(folder, HERE, lambda: own).seconds)  # type: ignore[attr-defined]


def test_processes_at_once_end_with_the_same_answer(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    (tmp_path / HERE.file_name).write_text("damaged")
    begin, answers = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_first_of_many, args=(tmp_path, number, begin, answers)) for number in range(6)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert all(one == found[0] for one in found)
    assert json.loads((tmp_path / HERE.file_name).read_text())["seconds"] == found[0]


def test_where_systems_keep_such_files(tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    home = lambda: Path("/home/me")  # noqa: E731
    assert user_cache_folder("linux", {}, home) == Path("/home/me/.cache/datasetnerf")
    assert user_cache_folder("linux", {"XDG_CACHE_HOME": "/c"}, home) == Path("/c/datasetnerf")
    assert user_cache_folder("linux", {"XDG_CACHE_HOME": "relative"}, home) == Path("/home/me/.cache/datasetnerf")
    assert user_cache_folder("darwin", {"XDG_CACHE_HOME": "/c"}, home) == Path("/home/me/Library/Caches/datasetnerf")
    assert user_cache_folder("win32", {}, home) == Path("/home/me/AppData/Local/datasetnerf")
    assert user_cache_folder("linux", {}, nowhere) is None


def test_a_processor_is_told_by_what_it_can_do(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"

    def told(text: str) -> str:
        cpuinfo.write_text(text)
        return processor.processor_sha256(cpuinfo)

    first = told("processor : 0\nmodel name : X\ncpu MHz : 2000.1\nflags : avx2 amx_bf16\n\nprocessor : 1\nmodel name : X\n")
    assert first == told("processor : 0\nmodel name : X\ncpu MHz : 3100.7\nflags : avx2 amx_bf16\n")
    assert first != told("processor : 0\nmodel name : X\nflags : avx2\n")  # as a hypervisor has it that hides the matrix units
    arm = told("CPU implementer : 0x41\nCPU part : 0xd40\nFeatures : asimd bf16\n")
    assert arm != told("CPU implementer : 0x41\nCPU part : 0xd0c\nFeatures : asimd\n")
    assert len(processor.processor_sha256(tmp_path / "none")) == 64


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, of which this process knows nothing yet."""
    monkeypatch.setattr(choice, "_measured", {})
    monkeypatch.setattr(choice, "user_cache_folder", lambda: tmp_path)
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    return tmp_path


def test_a_process_keeps_to_its_measurement(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the cache goes meanwhile, and another measurement would choose otherwise."""
    measure = Counted(seconds(0.04, 0.01, 0.05), seconds(0.01, 0.04, 0.05))
    monkeypatch.setattr(choice, "measured_seconds", measure)
    assert choice.chosen_form(CPU) == BFLOAT16
    for path in cache.iterdir():
        path.unlink()
    assert choice.chosen_form(CPU) == BFLOAT16 and measure.count == 1
    assert choice.chosen_form(torch.device("mps")) == FLOAT32


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), FLOAT32), ((8, 0), BFLOAT16), ((9, 0), BFLOAT16)])
def test_a_gpu_takes_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: ConvolutionForm
) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    # torch's own answer, which counts emulation in, is not to be taken
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choice.chosen_form(torch.device("cuda:1")) == expected
    assert asked == [torch.device("cuda:1")]
    refused = choice.why_not(BFLOAT16, torch.device("cuda:1"))
    assert refused == (None if expected == BFLOAT16 else "Some GPU has no matrix units for it")


def test_the_environment_stands_in_for_a_measurement(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Counted()
    monkeypatch.setattr(choice, "measured_seconds", measure)
    for name, form in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
        monkeypatch.setenv(choice.VARIABLE, name)
        assert choice.chosen_form(CPU) == form
    assert measure.count == 0
    monkeypatch.setenv(choice.VARIABLE, "half")
    with pytest.raises(UsageError, match="DNERF_CONVOLUTIONS: expected float32 or bfloat16, found 'half'; correct or unset it"):
        choice.chosen_form(CPU)


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        (seconds(0.04, 0.01), None),
        (seconds(0.04, 0.10), None),
        (seconds(0.04, 0.40), "this processor takes 10 times as long in it as in float32"),
        (seconds(0.04, None), "this processor has no instructions for it"),
    ],
)
def test_what_a_processor_can_go_on_in(
    taken: dict[ConvolutionForm, float | None], reason: str | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that it would not have chosen is no reason to refuse; one that it has to emulate is."""
    monkeypatch.setattr(choice, "measured_seconds", lambda: taken)
    assert choice.why_not(BFLOAT16, CPU) == reason
    assert choice.why_not(FLOAT32, CPU) is None


class Clock:
    """Each reading is a second later, but for those that a test makes longer."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_form_that_cannot_be_used_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulated ones, ones that torch refuses, ones that compute something else; the caller's chance and threads stay."""
    monkeypatch.setattr(timing, "ROWS", 1)
    monkeypatch.setattr(timing, "COLUMNS", 4)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    slow = {BFLOAT16: 100.0, FLOAT32: 1.0, FLOAT32_CONTIGUOUS: 1.0}
    monkeypatch.setattr(timing, "_smallest", lambda form, clock: slow[form])
    found = timing.measured_seconds(Clock())
    assert found[BFLOAT16] is None and found[FLOAT32] == 1.0 and found[FLOAT32_CONTIGUOUS] == 1.0

    def refuses(form: ConvolutionForm, clock: timing.Clock) -> float:
        if form == BFLOAT16:
            raise RuntimeError("mkldnn_convolution_pointwise: bf16 path needs the cpu support avx512")
        return 1.0

    monkeypatch.setattr(timing, "_smallest", refuses)
    assert timing.measured_seconds(Clock())[BFLOAT16] is None
    monkeypatch.setattr(timing, "_smallest", lambda form, clock: 1.0)
    verdicts = itertools.cycle([True, False, True])
    monkeypatch.setattr(timing, "_agrees", lambda image, expected: next(verdicts))
    assert timing.measured_seconds(Clock())[BFLOAT16] is None
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


def test_agreement_finds_a_wrong_kernel() -> None:
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert timing._agrees(image * 1.01, image)
    assert not timing._agrees(image.roll(1, -1), image)
    assert not timing._agrees(image * math.nan, image)


RUN = """
import json, sys, time
import torch
from dnerf_core.convolutions.choice import cpu_measurement
from dnerf_core.convolutions.forms import FLOAT32
from dnerf_core.stylegan2.config import SuperResolutionConfig
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.stylegan2.superresolution import SuperResolution
started = time.perf_counter()
measured = cpu_measurement()
taken = time.perf_counter() - started
torch.manual_seed(1)
module, ws = SuperResolution(SuperResolutionConfig(channels=(32, 16)), 32, 16).requires_grad_(False), torch.randn(1, 1, 16)
features = torch.randn(1, 32, 16, 16)
form = measured.chosen
found, expected = (
    PreparedSuperResolution(module, ws, one.dtype, one.memory_format).refine(features, features[:, :3]) for one in (form, FLOAT32)
)
psnr = float(10 * torch.log10((expected.max() - expected.min()) ** 2 / (found - expected).square().mean().clamp(min=1e-20)))
print(json.dumps({"seconds": measured.seconds, "chosen": form.name, "psnr_db": psnr, "when": measured.when, "taken": taken}))
"""


@pytest.mark.parametrize("limit", ["AVX2", "AVX512_CORE", "AVX512_CORE_BF16", ""])
def test_this_processor_with_fewer_instructions(limit: str, tmp_path: Path) -> None:
    """Whatever it may use, it chooses what is fastest there, agrees with float32, and a second process measures nothing."""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": limit, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment.pop(choice.VARIABLE, None)
    first, second = (
        json.loads(
            subprocess.run([sys.executable, "-c", RUN], env=environment, check=True, capture_output=True, text=True).stdout
        )
        for _ in range(2)
    )
    assert first["psnr_db"] > 45
    times = {name: value for name, value in first["seconds"].items() if value is not None}
    assert times[first["chosen"]] <= min(times.values()) / MARGIN
    if limit in ("AVX2", "AVX512_CORE"):  # which have no instruction that multiplies bfloat16
        assert first["chosen"].startswith("float32")
    assert {**second, "taken": 0} == {**first, "taken": 0} and second["taken"] < 0.1
    assert len([path for path in (tmp_path / "datasetnerf").iterdir() if path.suffix == ".json"]) == 1
