"""A CUDA device against the CPU: the generator in float32, a labelled view of the demo, a few training steps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.checkpoints.subject_file import open_subject, record_of
from dnerf_core.metrics import psnr_db
from dnerf_core.model import Model
from dnerf_core.rendering.view import render_view
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from dnerf_core.semantic.training import train_branch
from tests.core.semantic_cases import camera_tensors, tiny_generator, tiny_views, tiny_ws

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, torch sees none"),
]

DEVICE = "cuda"
TOLERANCES = (2e-5, 1e-4, 1e-4, 1e-4, 2e-4)


@pytest.fixture(autouse=True)
def true_float32() -> Iterator[None]:
    """torch lets convolutions on a GPU round their factors to 10 bits (TF32) unless told otherwise."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_the_generator_in_float32_is_the_cpus() -> None:
    """Tolerances are some ten times what float32 on a CPU differs from float64 on it, in each of these."""
    on_cpu, on_gpu = Model.load("demo-cars"), Model.load("demo-cars", DEVICE)
    [camera] = arc_cameras(on_cpu.config.cameras, (25, 25), count=1)
    found = []
    for model in (on_cpu, on_gpu):
        cam2world, intrinsics = (tensor.to(model.device) for tensor in camera_tensors(camera))
        with torch.no_grad():
            ws = model.ws(torch.from_numpy(model.latent(3))[None].to(model.device))
            planes = model.generator.planes(ws)
            rendering = render_view(model.generator, planes, cam2world, intrinsics)
            image = model.generator.superresolve(rendering.raw, ws)
        found.append([tensor.cpu() for tensor in (ws, planes.triplane, rendering.raw.features, rendering.opacity, image)])
    for name, most, expected, got in zip(("ws", "planes", "features", "opacity", "image"), TOLERANCES, *found, strict=True):
        error = (expected - got).abs().flatten()
        assert error.isfinite().all(), name
        worst = float(error.kthvalue(int(0.999 * len(error)) or 1).values)
        assert worst < most, f"{name}: 99.9% of values within {most}, found {worst:.2e}"


def test_a_labelled_view_of_the_demo_is_the_cpus() -> None:
    """The fast path: super-resolutions in bfloat16 where a device has matrix units for it."""
    on_cpu, on_gpu = Model.load("demo-cars"), Model.load("demo-cars", DEVICE)
    for seed, camera in enumerate(arc_cameras(on_cpu.config.cameras, (-60, 60), count=3)):
        expected, got = (model.subject(seed).render(camera) for model in (on_cpu, on_gpu))
        assert expected.mask is not None
        assert got.mask is not None
        agreement = float(np.mean(expected.mask == got.mask))
        assert agreement >= 0.998, f"seed {seed}: labels equal in {agreement:.4%}"
        quality = psnr_db(expected.rgb, got.rgb)
        assert quality >= 42, f"seed {seed}: {quality:.1f} dB"
        both = np.isfinite(expected.depth_planar) & np.isfinite(got.depth_planar)
        assert both.sum() >= 0.998 * np.isfinite(expected.depth_planar).sum()
        assert np.median(np.abs(expected.depth_planar[both] - got.depth_planar[both])) < 1e-3


@pytest.mark.parametrize("name", ["demo-cars", "demo-people"])
def test_a_labelled_view_waits_three_times_at_most(name: str) -> None:
    """By torch's own word, which leaves out the wait for the view itself; `tests/device` counts the same without a device."""
    model = Model.load(name, DEVICE)
    subject, camera = model.subject(1), model.front_camera()
    subject.render(camera)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            subject.render(camera)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = [str(warning.message) for warning in caught if "synchroniz" in str(warning.message)]
    assert len(waits) <= 2, waits


def test_a_few_training_steps_are_the_cpus() -> None:
    """The same first weights and the same order of views, so the same losses but for rounding."""
    generator = tiny_generator()
    ws = tiny_ws(generator, 2)
    views = tiny_views(generator, ws, [-0.4, 0.4], SemanticConfig())
    training = BranchTrainingConfig(steps=4, seed=3)
    expected = train_branch(generator, ws, views, SemanticConfig(), training)
    got = train_branch(generator.to(DEVICE), ws.to(DEVICE), views, SemanticConfig(), training)
    assert got.losses == pytest.approx(expected.losses, rel=5e-3)
    assert all(tensor.device.type == DEVICE and tensor.isfinite().all() for tensor in got.branch.state_dict().values())


def test_a_subject_file_is_the_same_subject_on_a_device() -> None:
    """Made on the CPU with a tuned tensor and opened on the device, and the other way round."""
    on_cpu, on_gpu = Model.load("demo-cars"), Model.load("demo-cars", DEVICE)
    assert on_cpu.generator_sha256 == on_gpu.generator_sha256
    name = "backbone.synthesis.b8.conv0.weight"
    [camera] = arc_cameras(on_cpu.config.cameras, (25, 25), count=1)
    for maker, opener in ((on_cpu, on_gpu), (on_gpu, on_cpu)):
        record = record_of(maker, maker.subject(7).ws, camera, {}, {name: maker.generator.state_dict()[name].roll(1, 0)})
        assert {record.ws.device.type, record.tuned[name].device.type} == {"cpu"}
        expected, got = (open_subject(model, record) for model in (maker, opener))
        shared = opener.generator.state_dict()
        for key, tensor in got.model.generator.state_dict().items():
            assert tensor.device.type == opener.device.type
            assert (tensor.data_ptr() == shared[key].data_ptr()) == (key != name)
        assert psnr_db(expected.render(camera).rgb, got.render(camera).rgb) >= 42
