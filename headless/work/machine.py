"""What this machine offers the engine: cores, memory, disk, packages, torch and its devices. Nothing is started to find out."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnerf_core.errors import counted
from dnerf_core.work.cores import Cores, machine_cores, usable_cores
from dnerf_core.work.processor import processor_name
from dnerf_core.work.torch_start import waiting_text
from headless.work.workers import default_workers, preview_threads

State = Literal["ok", "note", "bad"]

NEEDED_PACKAGES = ("torch", "numpy", "safetensors", "click", "rich", "pillow", "OpenEXR")
OPTIONAL_PACKAGES = ("bpy", "pycocotools", "webdataset", "av", "plyfile", "usd-core", "torchvision", "onnx")

_CGROUP = Path("/sys/fs/cgroup")
_GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and whether it is well ("ok"), worth knowing ("note") or in the way ("bad")."""

    name: str
    value: str
    state: State = "ok"


def look_round(output_folder: Path) -> list[Finding]:
    """Everything about the machine and the installation that decides what runs here and how fast.

    Args:
        output_folder: where results would go; its disk is looked at.
    """
    return [
        Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *torch_findings(),
        Finding("processor", processor_name()),
        cores_finding(machine_cores()),
        Finding("waiting threads", waiting_text(os.environ)),
        Finding("cpu bfloat16", cpu_bfloat16()),
        convolutions_finding(),
        _memory_finding(),
        _disk_finding(output_folder),
        *[_package_finding(name, needed=True) for name in NEEDED_PACKAGES if name != "torch"],
        *[_package_finding(name, needed=False) for name in OPTIONAL_PACKAGES],
    ]


def torch_findings() -> list[Finding]:
    """torch's version and every CUDA device with its memory."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of torch that cannot be loaded
        return [Finding("torch", f"cannot be imported: {' '.join(str(error).split())}", "bad")]
    threads = torch.get_num_threads()
    findings = [
        Finding("torch", f"{torch.__version__}, {counted(threads, 'thread')}"),
        Finding("workers and threads", sharing_text(usable_cores(), threads)),
    ]
    if not torch.cuda.is_available():
        findings.append(Finding("cuda", "no device; everything runs on the CPU", "note"))
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        findings.append(
            Finding(f"cuda:{index}", f"{torch.cuda.get_device_name(index)}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free")
        )
    return findings


def convolutions_finding() -> Finding:
    """What the super-resolutions' convolutions run in on this CPU, and why; measured where that has not been done."""
    try:
        from dnerf_core.convolutions.choice import VARIABLE, cpu_measurement
    except (ImportError, OSError):  # torch cannot be loaded, of which its own line tells
        return Finding("cpu convolutions", "not measured, without torch", "note")
    measured = cpu_measurement()
    named = os.environ.get(VARIABLE)
    return Finding("cpu convolutions", f"{named} by {VARIABLE}; else {measured.line}" if named else measured.line)


def cores_finding(cores: Cores) -> Finding:
    """Cores that this process may use, and why they are fewer than this machine has."""
    if not cores.limit:
        return Finding("cpu cores", str(cores.usable))
    return Finding("cpu cores", f"{cores.usable} of {cores.total}: {cores.limit}")


def sharing_text(cores: int, torch_threads: int) -> str:
    """How so many cores are shared out: among views side by side, to a view alone, and to the live preview, beside which Blender draws."""
    views = counted(default_workers(cores), "view with a thread of its own", "views side by side with a thread each")
    return f"{views}; a view alone {torch_threads}, in the live preview {preview_threads(cores)}"


def cpu_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Whether the CPU computes in bfloat16 itself, as far as Linux tells."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "not known on this system"
    flags: set[str] = set()
    for line in text.splitlines():
        if line.partition(":")[0].strip() in ("flags", "Features"):
            flags = set(line.partition(":")[2].split())
            break
    features = [name for name in ("amx_bf16", "avx512_bf16", "bf16") if name in flags]
    return f"yes ({', '.join(features)})" if features else "no, emulated and slow"


def available_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int | None:
    """Bytes a process may still take: what Linux calls available, less where a control group allows less; None: unknown."""
    amounts = []
    for line in _lines(meminfo):
        if line.startswith("MemAvailable:"):
            amounts.append(int(line.split()[1]) * 1024)
    limit, used = _first_number(cgroup / "memory.max"), _first_number(cgroup / "memory.current")
    if limit is not None and used is not None:
        amounts.append(max(limit - used, 0))
    return min(amounts) if amounts else None


def total_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int | None:
    """Bytes that this machine has, or a control group allows where that is less; None: unknown."""
    amounts = [int(line.split()[1]) * 1024 for line in _lines(meminfo) if line.startswith("MemTotal:")]
    limit = _first_number(cgroup / "memory.max")
    return min([*amounts, *([] if limit is None else [limit])], default=None)


def _memory_finding() -> Finding:
    available = available_memory()
    if available is None:
        return Finding("memory", "not known on this system", "note")
    return Finding("memory", f"{available / _GIB:.1f} GiB free", "ok" if available > 2 * _GIB else "note")


def _disk_finding(folder: Path) -> Finding:
    existing = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if os.path.lexists(parent))
    try:
        # By trying: what os.access says is not the whole truth, for an administrator least of all.
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding("disk", f"{existing} cannot be written ({error.strerror}); name another folder with --output", "bad")
    return Finding("disk", f"{free / _GIB:.1f} GiB free at {existing}", "ok" if free > _GIB else "note")


def _package_finding(name: str, needed: bool) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if needed:
            return Finding(name, "missing; install datasetnerf again", "bad")
        return Finding(name, "not installed (optional)", "note")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _first_number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None
