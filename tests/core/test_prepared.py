"""Super-resolutions prepared for one subject: the plain modules' functions, in float32 and in bfloat16."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.generator.config import GeneratorConfig, RayConfig, SuperResolutionConfig, SuperResolutionKind
from dnerf_core.semantic.config import GuideKind, RefinerConfig, SemanticConfig
from dnerf_core.semantic.refiner import PreparedRefiner, Refiner
from dnerf_core.stylegan2.networks import SynthesisLayer, ToRGB, modulated_conv
from dnerf_core.stylegan2.prepared import (
    PreparedLayer,
    PreparedSuperResolution,
    PreparedToRGB,
    clamp_magnitude_,
    conv_leaky_relu,
    interleave_phases,
    upsampling_phases,
)
from dnerf_core.stylegan2.superresolution import SuperResolution
from tests.core.semantic_cases import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


def randomised(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Every parameter and buffer drawn anew, so that none has its trivial first value."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            tensor.copy_(torch.randn(tensor.shape, generator=rng))
    return module.requires_grad_(False)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def psnr(found: Tensor, expected: Tensor) -> float:
    """In decibels, against the expected values' range."""
    peak = float(expected.max() - expected.min())
    return 10 * math.log10(peak**2 / float((found - expected).square().mean()))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("noise_mode", ["none", "const"])
@pytest.mark.parametrize("clamp", [None, 0.8])
def test_layers_with_a_known_style(up: bool, noise_mode: str, clamp: float | None) -> None:
    """Folding rounds a weight twice more; bfloat16 keeps 8 bits, 1 part in 512 of each number: 42 dB at least."""
    layer = randomised(SynthesisLayer(3, 5, 7, 16, up=up, conv_clamp=clamp))
    assert isinstance(layer, SynthesisLayer)
    x, w = normal(1, 3, 8 if up else 16, 8 if up else 16), normal(1, 7)
    expected = layer(x, w, noise_mode)
    assert expected.shape == (1, 5, 16, 16) and expected.std() > 0.2
    found = PreparedLayer(layer, w, noise_mode, torch.float32)(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    short = PreparedLayer(layer, w, noise_mode, torch.bfloat16)(x.bfloat16().contiguous(memory_format=torch.channels_last))
    assert short.dtype == torch.bfloat16 and psnr(short.float(), expected) > 42
    if clamp is not None:
        assert float(found.abs().max()) == pytest.approx(clamp) and float(short.abs().max()) <= 0.8 + 1 / 256


@pytest.mark.parametrize("clamp", [None, 0.8])
def test_image_layers_with_a_known_style(clamp: float | None) -> None:
    layer = randomised(ToRGB(6, 3, 7, conv_clamp=clamp))
    assert isinstance(layer, ToRGB)
    x, w = normal(1, 6, 9, 9), normal(1, 7)
    expected = layer(x, w)
    torch.testing.assert_close(PreparedToRGB(layer, w, torch.float32)(x), expected, rtol=0, atol=1e-5)
    short = PreparedToRGB(layer, w, torch.bfloat16)(x.bfloat16())
    assert short.dtype == torch.float32 and psnr(short, expected) > 42


def test_phases_are_the_transposed_convolution_and_the_fir() -> None:
    """Exactly: float64."""
    weight, x = normal(4, 3, 3, 3).double(), normal(1, 3, 6, 5, seed=2).double()
    ones = torch.ones(1, 3, dtype=torch.float64)
    expected = modulated_conv(x, weight, ones, up=True)
    phases = F.conv2d(x, upsampling_phases(weight), padding=1)
    assert phases.shape == (1, 16, 6, 5)
    torch.testing.assert_close(interleave_phases(phases), expected, rtol=0, atol=1e-12)


def test_interleaving_by_hand() -> None:
    """Two channels of a 1 x 2 picture; channel (py * 2 + px) * 2 + o is phase (py, px) of channel o."""
    x = torch.arange(16.0).reshape(1, 8, 1, 2)
    found = interleave_phases(x)
    assert found[0, 0].tolist() == [[0, 4, 1, 5], [8, 12, 9, 13]]
    assert found[0, 1].tolist() == [[2, 6, 3, 7], [10, 14, 11, 15]]


def test_clamping_on_the_bits_is_clamping() -> None:
    """Every bfloat16 there is, but for those that are not numbers."""
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    every = every[~every.isnan()]
    for limit in (0.5, 256.0, 300.3):
        found = clamp_magnitude_(every.clone(), limit)
        assert torch.equal(found, every.clamp(-torch.tensor(limit).bfloat16(), torch.tensor(limit).bfloat16()))
    plain = torch.tensor([-3.0, 0.5, 7.0])
    assert clamp_magnitude_(plain, 2.0).tolist() == [-2.0, 0.5, 2.0]


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_and_activation_in_one_call(kernel: int) -> None:
    """One rounding to bfloat16 (a relative 2^-9, twice: the reference rounds as well) of sums of magnitude below 16."""
    x, weight, bias = normal(1, 4, 7, 7), normal(6, 4, kernel, kernel, seed=2), normal(6, seed=3)
    short = [tensor.bfloat16() for tensor in (x, weight, bias)]
    wide = [tensor.float() for tensor in short]
    expected = F.leaky_relu(F.conv2d(wide[0], wide[1], wide[2], padding=kernel // 2), 0.2)
    assert expected.min() < -0.1
    torch.testing.assert_close(conv_leaky_relu(*short).float(), expected, rtol=2**-7, atol=2**-8)
    torch.testing.assert_close(conv_leaky_relu(*wide), expected)


@pytest.mark.parametrize(
    ("kind", "side", "noise_mode"),
    [
        ("2X", 32, "none"),
        ("2X", 128, "const"),
        ("4X", 64, "none"),
        ("4X", 136, "none"),
        ("8X", 32, "none"),
        ("8XDC", 48, "const"),
    ],
)
def test_super_resolution_of_one_subject(kind: SuperResolutionKind, side: int, noise_mode: str) -> None:
    """Inputs that are enlarged, reduced and taken as they are. bfloat16: 8 bits, through four convolutions."""
    config = SuperResolutionConfig(kind=kind, conv_clamp=None, noise_mode=noise_mode, channels=(6, 4))  # type: ignore[arg-type]
    module = randomised(SuperResolution(config, 8, 10))
    assert isinstance(module, SuperResolution)
    features, ws = normal(1, 8, side, side), normal(1, 4, 10)
    expected = module(features, ws)
    found = PreparedSuperResolution(module, ws)(features)
    assert found.shape == expected.shape and expected.std() > 0.3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    short = PreparedSuperResolution(module, ws, torch.bfloat16)(features)
    assert short.dtype == torch.float32 and 40 < psnr(short, expected) < 70
    others = PreparedSuperResolution(module, ws + torch.tensor([1.0, 1.0, 1.0, 0.0])[:, None])
    assert torch.equal(others(features), found), "the last w alone modulates"
    other = PreparedSuperResolution(module, -ws)(features)
    assert not torch.allclose(other, expected, atol=1e-2)


def refiner_case(guide: GuideKind, kind: str, raw: int, full: int) -> tuple[Refiner, tuple[Tensor, Tensor, Tensor | None]]:
    """A refiner of random weights and a random map to refine."""
    generator: GeneratorConfig = dataclasses.replace(TINY, image_size=full, rays=RayConfig(neural_resolution=raw))
    config = SemanticConfig(num_classes=4, refiner=RefinerConfig(kind=kind, guide=guide, widths=(8, 6)))  # type: ignore[arg-type]
    refiner = randomised(Refiner(config, generator, torch.Generator()))
    assert isinstance(refiner, Refiner)
    guides = {"none": None, "rendered": normal(2, 32, raw, raw, seed=3), "rgb": normal(2, 3, full, full, seed=4)}
    return refiner, (normal(2, 4, raw, raw), normal(2, 32, raw, raw, seed=2), guides[guide])


@pytest.mark.parametrize("guide", ["none", "rendered", "rgb"])
@pytest.mark.parametrize(("raw", "full"), [(16, 32), (12, 60), (20, 20)])
def test_refiner_prepared(guide: GuideKind, raw: int, full: int) -> None:
    """Two views at once. With bfloat16 almost no pixel changes its class."""
    refiner, inputs = refiner_case(guide, "light", raw, full)
    expected = refiner(*inputs)
    assert (expected - F.interpolate(inputs[0], size=full, mode="bilinear")).std() > 0.1
    found = PreparedRefiner(refiner, torch.float32)(*inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    short = PreparedRefiner(refiner, torch.bfloat16)(*inputs)
    assert short.dtype == torch.float32 and 40 < psnr(short, expected) < 70
    assert (short.argmax(dim=1) == expected.argmax(dim=1)).float().mean() > 0.98


@pytest.mark.parametrize("guide", ["none", "rgb"])
def test_a_bilinear_refiner_stays_one(guide: GuideKind) -> None:
    refiner, inputs = refiner_case(guide, "bilinear", 8, 24)
    assert torch.equal(PreparedRefiner(refiner, torch.bfloat16)(*inputs), refiner(*inputs))
    with pytest.raises(ValueError, match="guide: expected"):
        PreparedRefiner(refiner, torch.bfloat16)(*inputs[:2], None if guide == "rgb" else inputs[0])
