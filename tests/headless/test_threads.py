"""Threads of commands: how they wait is chosen before torch is loaded, doctor tells it, and nothing takes more than its core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blender_addon.bridge.launch import worker_command, worker_environment
from dnerf_core.work.cores import Cores
from dnerf_core.work.processor import processor_name
from dnerf_core.work.torch_start import SPINS
from headless.work.machine import cores_finding, sharing_text
from tests.core.test_torch_start import ROOT, bare_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the OpenMP of torch for Linux, and its affinity")


def display(command: list[str], **variables: str) -> str:
    """What GNU's OpenMP says of its settings as a command loads torch."""
    environment = bare_environment(OMP_DISPLAY_ENV="verbose", **variables)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    return done.stderr


@pytest.mark.parametrize(("variables", "spins"), [({}, str(SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_a_command_chooses_before_torch_is_loaded(variables: dict[str, str], spins: str) -> None:
    assert f"GOMP_SPINCOUNT = '{spins}'" in display([sys.executable, "-m", "headless.cli", "doctor"], **variables)


def test_the_extensions_worker_chooses_before_torch_is_loaded(tmp_path: Path) -> None:
    """As the extension starts it; it ends when its stdin does."""
    command = [*worker_command(sys.executable, "cpu"), "--exchange", str(tmp_path)]
    command.remove("-P")  # the engine is found where the tests are called, not installed
    assert f"GOMP_SPINCOUNT = '{SPINS}'" in display(command)
    kept = worker_environment({"GOMP_SPINCOUNT": "7", "PYTHONPATH": "/x", "OMP_NUM_THREADS": "3"})
    assert kept == {"GOMP_SPINCOUNT": "7", "OMP_NUM_THREADS": "3"}  # what the user has set reaches it


def test_doctor_tells_cores_workers_and_threads_on_one_core() -> None:
    cores = sorted(os.sched_getaffinity(0))
    code = f"import os, sys; os.sched_setaffinity(0, [{cores[0]}]); sys.argv[1:] = ['doctor', '--json']\n"
    code += "from headless import cli; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=bare_environment(), capture_output=True, text=True, check=False, timeout=120
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    checks = {event["name"]: event["value"] for event in events if event["event"] == "check"}
    total = os.cpu_count() or 1
    assert checks["cpu cores"] == ("1" if total == 1 else f"1 of {total}: by this process's affinity")
    assert checks["workers and threads"] == "1 view with a thread of its own; a view alone 1, in the live preview 1"
    assert checks["waiting threads"] == f"GOMP_SPINCOUNT={SPINS}, KMP_BLOCKTIME=0"
    assert events[-1]["verdict"].endswith("the CPU with 1 core") or "cuda:0" in checks


@pytest.mark.parametrize(
    ("cores", "cells"),
    [
        (Cores(2, 2), "2"),
        (Cores(16, 4), "4 of 16: by this process's affinity"),
        (Cores(16, 16, 1.5), "2 of 16: a control group allows the time of 1.5"),
    ],
)
def test_why_cores_are_fewer_is_told(cores: Cores, cells: str) -> None:
    assert cores_finding(cores).value == cells


@pytest.mark.parametrize(
    ("cores", "text"),
    [
        (1, "1 view with a thread of its own; a view alone 1, in the live preview 1"),
        (2, "2 views side by side with a thread each; a view alone 2, in the live preview 1"),
        (4, "4 views side by side with a thread each; a view alone 4, in the live preview 3"),
        (16, "8 views side by side with a thread each; a view alone 16, in the live preview 15"),
    ],
)
def test_how_cores_are_shared_out(cores: int, text: str) -> None:
    assert sharing_text(cores, cores) == text


def test_the_processors_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2 GHz\n"
    )
    assert processor_name(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert processor_name(tmp_path / "none") != ""  # what Python tells, as on ARM


ONE_THREAD_EACH = """
import torch
from torch.utils.data import DataLoader, Dataset
from headless.models import one_thread_a_view
from headless.work.workers import run_tasks

class Threads(Dataset):
    def __len__(self): return 2
    def __getitem__(self, number): return torch.get_num_threads()

def main():
    torch.set_num_threads(3)
    print(torch.get_num_threads())
    with one_thread_a_view():
        print(sorted(count for _, count in run_tasks([range(8)], lambda task: torch.get_num_threads(), 4)))
    print(torch.get_num_threads())
    for context in ("fork", "spawn"):
        print([int(batch) for batch in DataLoader(Threads(), num_workers=2, multiprocessing_context=context)])

if __name__ == "__main__":
    main()
"""


def test_workers_of_views_and_of_loaders_have_a_thread_each(tmp_path: Path) -> None:
    """Though torch itself has more, and whichever way a loader's processes are started."""
    script = tmp_path / "one_thread_each.py"
    script.write_text(ONE_THREAD_EACH)
    environment = bare_environment()
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.stdout.splitlines() == ["3", str([1] * 8), "3", "[1, 1]", "[1, 1]"], done.stderr
