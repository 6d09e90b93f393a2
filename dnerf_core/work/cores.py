"""How many cores this process may use: those of its affinity, or fewer where its control groups limit its processor time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_V1_MOUNTS = ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuacct,cpu")


@dataclass(frozen=True)
class Cores:
    """The cores of this machine and what this process may have of them.

    Attributes:
        total: cores that the system has.
        affinity: those that this process may run on, which `taskset`, a container's set of cores or a job on a cluster restrict.
        quota: cores' worth of processor time that its control groups allow, which may be a fraction; None: any amount.
    """

    total: int
    affinity: int
    quota: float | None = None

    @property
    def usable(self) -> int:
        """Threads that may compute at once. A part of a core counts as a whole one: the last thread is held back now and then, which
        costs less than a part that nobody uses."""
        return self.affinity if self.quota is None else max(1, min(self.affinity, math.ceil(self.quota)))

    @property
    def limit(self) -> str:
        """What leaves this process fewer than all cores, in words; empty where nothing does."""
        if self.quota is not None and self.usable < self.affinity:
            return f"a control group allows the time of {self.quota:g}"
        return "by this process's affinity" if self.affinity < self.total else ""


def machine_cores(root: Path = Path("/")) -> Cores:
    """This machine's, as the system tells now.

    Args:
        root: of the file system in which `proc` and `sys/fs/cgroup` are looked for.
    """
    total = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return Cores(total, affinity, processor_quota(root))


def usable_cores() -> int:
    """Cores that this process may use at once."""
    return machine_cores().usable


def processor_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that this process's control groups allow it, the least of its own group and all above; None: no limit.

    Version 2 is read from `cpu.max`, version 1 from `cpu.cfs_quota_us` and `cpu.cfs_period_us`, where systemd and containers mount
    them. In a container that does not show its own group's path, the root of the mount is the container's group.
    """
    limits: list[float] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            limits += [limit for folder in _groups(root / "sys/fs/cgroup", path) if (limit := _v2_limit(folder)) is not None]
        elif "cpu" in controllers.split(","):
            mount = next((root / name for name in _V1_MOUNTS if (root / name).is_dir()), None)
            folders = [] if mount is None else _groups(mount, path)
            limits += [limit for folder in folders if (limit := _v1_limit(folder)) is not None]
    return min(limits, default=None)


def _groups(mount: Path, path: str) -> list[Path]:
    """The folders of a group and of those above it, up to the mount's root; the root alone where the path leads elsewhere."""
    parts = PurePosixPath(path).parts[1:]
    if ".." in parts or not mount.joinpath(*parts).is_dir():
        return [mount]
    return [mount.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _v2_limit(folder: Path) -> float | None:
    """`cpu.max` is "QUOTA PERIOD" in microseconds, or "max PERIOD"."""
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _share(quota, period)


def _v1_limit(folder: Path) -> float | None:
    """A quota of -1 is none."""
    return _share(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _share(quota_us: str, period_us: str) -> float | None:
    quota, period = quota_us.strip(), period_us.strip()
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(quota) and int(period) else None


def _text(path: Path) -> str:
    """What a file of the kernel says; empty where there is none, as on other systems and outside of control groups."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
