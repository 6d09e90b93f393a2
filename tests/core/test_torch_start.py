"""How torch's threads wait: chosen before torch is loaded, what is set wins, and who is late is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnerf_core.work.cores import Cores
from dnerf_core.work.torch_start import BLOCK_MS, COUNTING, PAGES, SPINS, WAITING, torch_environment, waiting_text

ROOT = Path(__file__).parents[2]
CHOSEN = {PAGES: "1", "GOMP_SPINCOUNT": str(SPINS), "KMP_BLOCKTIME": str(BLOCK_MS)}
ALL = Cores(16, 16)


def bare_environment(**variables: str) -> dict[str, str]:
    """This process's without what decides here, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if name not in (*WAITING, *COUNTING, PAGES)}
    return kept | {"PYTHONPATH": str(ROOT)} | variables


def call(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=bare_environment(**variables), capture_output=True, text=True, check=False, timeout=120)


def test_an_empty_environment_gets_all() -> None:
    assert torch_environment({}, ALL) == CHOSEN
    assert torch_environment({"HOME": "/root"} | CHOSEN, ALL) == {}


@pytest.mark.parametrize("name", WAITING)
def test_how_threads_wait_is_the_users_to_say(name: str) -> None:
    assert torch_environment({name: "active"}, ALL) == {PAGES: "1"}


def test_pages_are_the_users_to_say() -> None:
    assert PAGES not in torch_environment({PAGES: "0"}, ALL)


@pytest.mark.parametrize(
    ("cores", "threads"),
    [
        (Cores(16, 16, 4.0), "4"),
        (Cores(16, 16, 1.5), "2"),
        (Cores(16, 2, 1.0), "1"),
        (Cores(16, 2, 4.0), None),  # torch counts the cores of an affinity itself
        (Cores(16, 16), None),
        (Cores(1, 1), None),
    ],
)
def test_threads_are_counted_where_a_control_group_allows_fewer(cores: Cores, threads: str | None) -> None:
    assert torch_environment({}, cores).get("OMP_NUM_THREADS") == threads
    for name in COUNTING:
        assert torch_environment({name: "7"}, cores) == CHOSEN


def test_how_they_wait_in_words() -> None:
    assert waiting_text(CHOSEN) == f"GOMP_SPINCOUNT={SPINS}, KMP_BLOCKTIME={BLOCK_MS}"
    assert waiting_text({"OMP_WAIT_POLICY": "passive"}) == "OMP_WAIT_POLICY=passive"
    assert waiting_text({}) == "as torch's OpenMP does by itself, spinning for long"


def test_the_call_comes_before_torch() -> None:
    code = "import os; from dnerf_core import prepare_torch; prepare_torch(); import sys; print('torch' in sys.modules)\n"
    code += f"print([os.environ[name] for name in {sorted(CHOSEN)}])\nsys.modules['torch'] = None; prepare_torch()"
    done = call(code)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["False", str([CHOSEN[name] for name in sorted(CHOSEN)])]


def test_a_call_after_torch_says_so_and_changes_nothing() -> None:
    code = "import os, sys; sys.modules['torch'] = None; from dnerf_core import prepare_torch, UsageError\n"
    code += (
        "before = dict(os.environ)\nfor _ in range(2):\n    try: prepare_torch()\n    except UsageError as error: print(error)\n"
    )
    code += "print(before == dict(os.environ))"
    late = f"prepare_torch: expected to be called before torch is imported, found it imported without {', '.join(CHOSEN)}; "
    late += "call it first, or set them where the program is started"
    assert call(code).stdout.splitlines() == [late, late, "True"]
    assert call(code, **CHOSEN).stdout.splitlines() == ["True"]  # where the program is started


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings another OpenMP there")
@pytest.mark.parametrize(("variables", "spins"), [({}, str(SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_torchs_openmp_reads_what_is_chosen(variables: dict[str, str], spins: str) -> None:
    """GNU's OpenMP prints its settings when it is loaded."""
    done = call("from dnerf_core import prepare_torch; prepare_torch(); import torch", OMP_DISPLAY_ENV="verbose", **variables)
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr
