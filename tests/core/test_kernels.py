"""The choice of kernels, and the fused ones: in Triton's interpreter, compiled, and on a CUDA device where there is one.

Triton decides when it is imported whether it interprets, so what needs either kind of it runs in an interpreter of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.errors import UsageError
from dnerf_core.kernels import choice
from dnerf_core.kernels.choice import check_kernels, sample_reader
from dnerf_core.model import Model
from dnerf_core.rendering.sample_reading import TorchSamples

ROOT = Path(__file__).resolve().parents[2]
SHARED_BYTES = 48 * 1024
"""What a program of any CUDA device may have without asking."""
WARPS_TO_HIDE_READS = 16
"""Of 64 that a multiprocessor could hold: while some wait for texels, others compute."""

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason='triton is not installed; `pip install "datasetnerf[gpu]"` (Linux)'
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


def run_fresh(arguments: list[str], cache: Path, *, interpret: bool) -> str:
    """Standard output of Python with `arguments`, Triton's cache in a folder of its own."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(cache), "TRITON_INTERPRET": "1" if interpret else "0"}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_plain_torch_is_the_default_and_loads_no_fused_kernel(tmp_path: Path) -> None:
    assert sample_reader("torch") is TorchSamples
    code = (
        "import sys, dnerf_core.model; print([name for name in sys.modules if name.startswith(('triton', 'dnerf_core.kernels'))])"
    )
    assert run_fresh(["-c", code], tmp_path, interpret=False).strip() == "['dnerf_core.kernels', 'dnerf_core.kernels.choice']"


def test_unknown_kernels_are_named() -> None:
    with pytest.raises(UsageError, match=r"kernels: expected \"torch\" or \"triton\", found 'cuda'; name one of them"):
        check_kernels("cuda", torch.device("cpu"))


def test_a_missing_triton_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r'expected the package triton, found none; install it with `pip install "datasetnerf\[gpu\]"`'
    ):
        check_kernels("triton", torch.device("cuda"))
    check_kernels("torch", torch.device("cpu"))


@needs_triton
def test_fused_kernels_need_a_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    with pytest.raises(UsageError, match="expected a CUDA device, found cpu; load the model on one"):
        Model.load("demo-cars", kernels="triton")


@needs_triton
def test_interpreted_kernels_equal_plain_torch(tmp_path: Path) -> None:
    out = run_fresh(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/interpreted_kernels.py"], tmp_path, interpret=True
    )
    assert " passed" in out and "skipped" not in out


@needs_triton
def test_kernels_compile_for_nvidia_devices(tmp_path: Path) -> None:
    found = json.loads(run_fresh(["-m", "tests.core.compiled_kernels", "80", "90"], tmp_path, interpret=False))
    kernels, kinds = ("density_kernel", "color_kernel", "hidden_kernel"), ("planes", "grids")
    assert {(one["kernel"], one["reads"], one["capability"]) for one in found} == set(product(kernels, kinds, (80, 90)))
    for one in found:
        # no atomics: sums must not depend on who comes first; no TF32: the reference is float32
        assert re.findall(r"\b(?:atom|red)\.|tf32", one["ptx"]) == []
        assert one["shared_bytes"] <= SHARED_BYTES
        # by NVIDIA's own assembler: nothing of a thread lies in memory, and a multiprocessor has a quarter of its warps to change between
        assert one["spilled_bytes"] == 0
        assert one["warps"] >= WARPS_TO_HIDE_READS, {
            name: one[name] for name in ("kernel", "reads", "capability", "registers", "warps")
        }


@needs_triton
@needs_cuda
@pytest.mark.gpu
def test_a_demo_view_on_a_device_is_the_same_with_both() -> None:
    views = []
    for kernels in ("torch", "triton"):
        model = Model.load("demo-cars", "cuda", kernels=kernels)
        subject = model.subject(0)
        views.append(subject.render(model.front_camera()))
        again = subject.render(model.front_camera())
        assert np.array_equal(views[-1].rgb, again.rgb) and np.array_equal(views[-1].depth_planar, again.depth_planar)
    plain, fused = views
    assert plain.mask is not None and fused.mask is not None
    # the super-resolution runs in bfloat16, where a difference in the last digit of its input may show as a few levels
    assert np.abs(plain.rgb.astype(int) - fused.rgb.astype(int)).mean() < 0.1
    assert np.mean(plain.mask != fused.mask) < 1e-3
    both = np.isfinite(plain.depth_planar) & np.isfinite(fused.depth_planar)
    assert np.mean(np.isfinite(plain.depth_planar) != np.isfinite(fused.depth_planar)) < 1e-3
    assert both.any() and np.abs(plain.depth_planar[both] - fused.depth_planar[both]).max() < 1e-3
