"""Cores that a process may use: its affinity, and the limits of control groups of both versions, read from files made here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnerf_core.work.cores import Cores, machine_cores, processor_quota

ROOT = Path(__file__).parents[2]


def system(folder: Path, groups: str, **files: str) -> Path:
    """A root whose process is in `groups`, with files of the mount of control groups by path, `__` for each slash and `-` for a dot."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/", {"cpu-max": "150000 100000"}, 1.5),  # a container with a name space of its own
        ("0::/", {"cpu-max": "max 100000"}, None),
        ("0::/", {}, None),
        ("0::/job/step\n", {"job__step__cpu-max": "max 100000", "job__cpu-max": "400000 200000"}, 2.0),  # the group above limits
        ("0::/job/step\n", {"job__step__cpu-max": "50000 100000", "job__cpu-max": "400000 100000"}, 0.5),
        ("0::/job/step\n", {"job__step__cpu-max": "300000 100000", "cpu-max": "200000 100000"}, 2.0),
        ("0::/elsewhere\n", {"cpu-max": "200000 100000"}, 2.0),  # a path outside of what the container sees
        ("0::/../..\n", {"cpu-max": "200000 100000"}, 2.0),
        ("0::/", {"cpu-max": "nonsense"}, None),
        ("0::/", {"cpu-max": "100000 0"}, None),
        ("2:cpu,cpuacct:/\n", {"cpu,cpuacct__cpu-cfs_quota_us": "250000", "cpu,cpuacct__cpu-cfs_period_us": "100000"}, 2.5),
        ("2:cpu:/\n1:cpuset:/\n", {"cpu__cpu-cfs_quota_us": "-1", "cpu__cpu-cfs_period_us": "100000"}, None),
        (
            "3:cpuacct,cpu:/docker/3f\n0::/docker/3f\n",
            {"cpu__cpu-cfs_quota_us": "300000", "cpu__cpu-cfs_period_us": "100000"},
            3.0,
        ),
        (
            "3:cpu:/slurm/job\n",
            {
                "cpu__slurm__job__cpu-cfs_quota_us": "-1",
                "cpu__slurm__job__cpu-cfs_period_us": "100000",
                "cpu__slurm__cpu-cfs_quota_us": "50000",
                "cpu__slurm__cpu-cfs_period_us": "50000",
            },
            1.0,
        ),
        ("3:cpuset:/\n", {"cpu__cpu-cfs_quota_us": "100000", "cpu__cpu-cfs_period_us": "100000"}, None),  # not in that group
        ("3:cpu:/\n", {}, None),  # not mounted
        ("", {"cpu-max": "100000 100000"}, None),
    ],
)
def test_the_least_limit_of_a_group_and_all_above_it(
    groups: str, files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    assert processor_quota(system(tmp_path, groups, **files)) == quota


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert processor_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("cores", "usable", "limit"),
    [
        (Cores(1, 1), 1, ""),
        (Cores(2, 2), 2, ""),
        (Cores(16, 16), 16, ""),
        (Cores(16, 4), 4, "by this process's affinity"),
        (Cores(16, 16, 2.0), 2, "a control group allows the time of 2"),
        (Cores(16, 16, 1.5), 2, "a control group allows the time of 1.5"),
        (Cores(16, 16, 0.25), 1, "a control group allows the time of 0.25"),
        (Cores(64, 16, 4.0), 4, "a control group allows the time of 4"),
        (Cores(64, 4, 16.0), 4, "by this process's affinity"),
        (Cores(2, 2, 8.0), 2, ""),
        (Cores(2, 2, 1.5), 2, ""),  # a part of a core counts as one
    ],
)
def test_as_many_threads_as_affinity_and_limit_allow(cores: Cores, usable: int, limit: str) -> None:
    assert (cores.usable, cores.limit) == (usable, limit)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_process_bound_to_a_core_knows(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}]); from dnerf_core.work.cores import usable_cores; print(usable_cores())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1\n"


def test_this_system_is_read_whatever_it_mounts() -> None:
    cores = machine_cores()
    assert 1 <= cores.usable <= cores.affinity <= cores.total
