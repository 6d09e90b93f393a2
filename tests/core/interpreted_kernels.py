"""The fused kernels against plain torch, in Triton's interpreter: `test_kernels.py` runs this with TRITON_INTERPRET=1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints.model_file import ModelHeader, save_model
from dnerf_core.generator.packed_field import FoldedDecoder, PackedField
from dnerf_core.kernels import density, sums
from dnerf_core.kernels.fused import TritonSamples
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.panohead.config import Activation
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.sample_reading import Samples, TorchSamples
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.seeing.device_view import device_pixels
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.subject import Subject
from tests.core import panohead_models
from tests.core.gnarf import test_views
from tests.core.gnarf.cases import bent
from tests.core.semantic_cases import TINY, camera_tensors, tiny_camera, tiny_generator

SIDE = 2.0
ROUNDING = 1e-5
"""Relative; sums of some tens of float32 products in another order differ by some 1e-7 each."""


class Case(NamedTuple):
    """A random field, semantics, and samples of rays that begin and end outside the box."""

    field: PackedField
    semantics: PackedSemantics
    samples: Samples


def make_case(rays: int, samples: int, read: int | None, axes: tuple[str, ...] = ("xy", "xz", "zx"), hidden: int = 24) -> Case:
    """Sizes are not powers of two, so that every mask of the kernels matters; read: how many of the samples; None: all."""
    rng = torch.Generator().manual_seed(rays * 1000 + samples)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    channels, resolution = 20, 12
    decoder = FoldedDecoder(
        normal(channels, hidden) * 0.2,
        normal(hidden),
        normal(hidden),
        normal(()),
        normal(hidden, channels) * 0.2,
        normal(channels),
    )
    field = PackedField(PackedPlanes.pack(normal(len(axes), resolution, resolution, channels), axes, SIDE), decoder, axes)
    branch = SemanticBranch(SemanticConfig(num_classes=5, hidden_dim=40), tiny_generator().config).requires_grad_(False)
    branch.hidden_bias.copy_(normal(40))
    semantics = PackedSemantics(branch, PackedPlanes.pack(normal(len(axes), resolution, resolution, 40), axes, SIDE))
    directions = F.normalize(normal(3, rays), dim=0)
    origins = normal(3, rays) * 0.3 - 1.5 * directions
    distances = (torch.rand(rays, samples, generator=rng) * 3).sort(dim=1).values
    place = None if read is None else torch.randperm(rays * samples, generator=rng)[:read].sort().values
    return Case(field, semantics, Samples(origins, directions, distances, place))


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape and found.dtype == expected.dtype
    scale = float(expected.abs().max()) if expected.numel() else 1.0
    assert torch.allclose(found, expected, rtol=0, atol=ROUNDING * scale), float((found - expected).abs().max())


CASES = [
    pytest.param(7, 13, None, ("xy", "xz", "zx"), id="all samples, more than one block"),
    pytest.param(7, 13, 50, ("xy", "xz", "yz"), id="some samples, three planes"),
    pytest.param(37, 5, 60, ("xy", "xz", "zx"), id="rays without samples, more than one group"),
    pytest.param(1, 3, 1, ("xy", "xz", "zx"), id="one sample"),
    pytest.param(4, 6, 0, ("xy", "xz", "zx"), id="no sample"),
]


@pytest.mark.parametrize(("rays", "samples", "read", "axes"), CASES)
def test_density_equals_plain_torch(rays: int, samples: int, read: int | None, axes: tuple[str, ...]) -> None:
    case = make_case(rays, samples, read, axes)
    assert_near(TritonSamples(*case).raw_density(), TorchSamples(*case).raw_density())


@pytest.mark.parametrize(("rays", "samples", "read", "axes"), CASES)
def test_sums_equal_plain_torch(rays: int, samples: int, read: int | None, axes: tuple[str, ...]) -> None:
    case = make_case(rays, samples, read, axes)
    count = rays * samples if read is None else read
    rng = torch.Generator().manual_seed(1)
    keep = (torch.rand(count, generator=rng) < 0.7).nonzero()[:, 0]
    weights, ray = torch.rand(len(keep), generator=rng), case.samples.ray_of(keep)
    fused, plain = TritonSamples(*case), TorchSamples(*case)
    assert_near(fused.color_sums(keep, weights, ray), plain.color_sums(keep, weights, ray))
    assert_near(fused.hidden_sums(keep, weights, ray), plain.hidden_sums(keep, weights, ray))


def test_all_samples_are_summed_where_none_are_named() -> None:
    case = make_case(7, 13, 50)
    every, weights = torch.arange(50), torch.linspace(0, 1, 50)
    ray = case.samples.ray_of(None)
    assert torch.equal(ray, case.samples.ray_of(every))
    for read in (TritonSamples(*case), TorchSamples(*case)):
        assert torch.equal(read.color_sums(None, weights, ray), read.color_sums(every, weights, ray))
        assert torch.equal(read.hidden_sums(None, weights, ray), read.hidden_sums(every, weights, ray))


def test_many_samples_a_ray_take_several_blocks() -> None:
    case = make_case(3, 2 * sums.BLOCK + 5, None)
    keep = torch.arange(case.samples.distances.numel())
    weights = torch.linspace(0, 1, len(keep))
    ray = case.samples.ray_of(keep)
    assert_near(TritonSamples(*case).color_sums(keep, weights, ray), TorchSamples(*case).color_sums(keep, weights, ray))


def test_a_ray_sums_its_own_samples_by_hand() -> None:
    # planes of zeros and a decoder without a first layer's weights: every colour is sigmoid(bias), whatever the sample
    field, semantics, samples = make_case(2, 3, 3)
    zero = PackedPlanes(torch.zeros_like(field.planes.table), field.planes.axes, SIDE, field.planes.resolution)
    plain = FoldedDecoder(
        torch.zeros_like(field.decoder.first),
        field.decoder.first_bias,
        field.decoder.density,
        field.decoder.density_bias,
        torch.zeros_like(field.decoder.color),
        torch.zeros_like(field.decoder.color_bias),
    )
    samples = Samples(samples.origins, samples.directions, samples.distances, torch.tensor([0, 2, 4]))
    keep, weights = torch.arange(3), torch.tensor([0.5, 0.25, 0.125])
    found = TritonSamples(PackedField(zero, plain, zero.axes), semantics, samples).color_sums(keep, weights, samples.ray_of(keep))
    middle = 0.5 * 1.002 - 0.001
    assert torch.allclose(found, torch.tensor([[0.75 * middle], [0.125 * middle]]).expand(2, 20))


def worm(projector: str) -> Subject:
    """A bent body, carried by one of the projectors."""
    config = test_views.config_of(projector=projector, reach=0.25 if projector == "closest" else None)
    model = test_views.model_of(config, semantic=SemanticConfig(num_classes=3))
    return Subject(
        model,
        model.ws(torch.randn(1, model.config.mapping.z_dim, generator=torch.Generator().manual_seed(2))),
        bent(test_views.RIG),
    )


def head(depth: int, activation: Activation) -> Subject:
    """A head of so many slices a plane."""
    field = panohead_models.with_field(depth=depth, activation=activation)
    return panohead_models.tiny_model(field, SemanticConfig(num_classes=5)).subject(1)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "head, 1 slice, sigmoid": lambda: head(1, "sigmoid"),
    "head, 2 slices, leaky ReLU": lambda: head(2, "lrelu"),
    "head, 3 slices, as published": lambda: head(3, "none"),
    "worm, surface field": lambda: worm("surface_field"),
    "worm, skinning": lambda: worm("skinning"),
    "worm, closest": lambda: worm("closest"),
}


@pytest.mark.parametrize("name", SUBJECTS)
@torch.no_grad()
def test_other_families_fields_equal_plain_torch(name: str) -> None:
    """Samples all through the box and outside of it; some are void, which no sum asks for."""
    subject = SUBJECTS[name]()
    rng, side = torch.Generator().manual_seed(5), subject.model.config.box_side
    directions = F.normalize(torch.randn(3, 25, generator=rng), dim=0)
    origins = (torch.rand(3, 25, generator=rng) - 0.5) * 0.5 * side - 0.7 * side * directions
    distances = (torch.rand(25, 20, generator=rng) * 1.4 * side).sort(dim=1).values
    for place in (None, (torch.rand(500, generator=rng) < 0.6).nonzero()[:, 0]):
        samples = Samples(origins, directions, distances, place)
        fused, plain = (reader(subject.field, subject.semantics, samples) for reader in (TritonSamples, TorchSamples))
        raw = plain.raw_density()
        void = raw < -500
        assert bool(void.any()) == ("head" in name or "closest" in name) and int((~void).sum()) > 20
        assert torch.equal(fused.raw_density() < -500, void)
        assert_near(fused.raw_density()[~void], raw[~void])
        keep = (~void & (torch.rand(len(void), generator=rng) < 0.8)).nonzero()[:, 0]
        weights, ray = torch.rand(len(keep), generator=rng), samples.ray_of(keep)
        assert_near(fused.color_sums(keep, weights, ray), plain.color_sums(keep, weights, ray))
        assert_near(fused.hidden_sums(keep, weights, ray), plain.hidden_sums(keep, weights, ray))


def test_views_equal_plain_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the interpreter's time goes by the number of programs and of rays
    monkeypatch.setattr(density, "BLOCK", 4096)
    monkeypatch.setattr(sums, "RAYS", 128)
    monkeypatch.setattr(sums, "BLOCK", 512)
    small = replace(TINY, rays=replace(TINY.rays, neural_resolution=16))
    generator, path = tiny_generator(small), tmp_path / "tiny.safetensors"
    config = SemanticConfig(num_classes=5)
    branch = SemanticBranch(config, generator.config)
    with torch.no_grad():
        branch.out_weight.mul_(20)  # so that several classes show
    save_model(
        path,
        generator.config,
        generator.state_dict(),
        semantic_config=config_to_json(config),
        semantic_state=branch.state_dict(),
        labels=LabelSet.from_names(["a", "b", "c", "d"]),
    )
    plain, fused = (Model.load(path, kernels=kernels).subject(3).render(tiny_camera(0.4)) for kernels in ("torch", "triton"))
    assert plain.mask is not None and fused.mask is not None and len(np.unique(plain.mask)) > 1
    assert np.abs(plain.rgb.astype(int) - fused.rgb.astype(int)).max() <= 1
    assert np.mean(plain.mask != fused.mask) < 1e-3
    both = np.isfinite(plain.depth_planar) & np.isfinite(fused.depth_planar)
    assert np.mean(np.isfinite(plain.depth_planar) != np.isfinite(fused.depth_planar)) < 1e-3
    assert both.any() and np.abs(plain.depth_planar[both] - fused.depth_planar[both]).max() < 1e-3


def test_the_view_of_a_device_equals_plain_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed shapes, rays without samples, samples without weight, and rays that are read once more."""
    monkeypatch.setattr(density, "BLOCK", 4096)
    monkeypatch.setattr(sums, "RAYS", 128)
    monkeypatch.setattr(sums, "BLOCK", 512)
    small = replace(TINY, rays=replace(TINY.rays, neural_resolution=16))
    generator = tiny_generator(small)
    generator.config = small
    branch = SemanticBranch(SemanticConfig(num_classes=5), small).requires_grad_(False)
    header = ModelHeader(Path("tiny"), 1, small, None, None, None, None, {}, 0)
    subject = Model(generator, branch, header, "", torch.device("cpu")).subject(3)
    with torch.no_grad():
        rays, hit = ray_bundle(generator, subject.planes, ViewRays.from_cameras(*camera_tensors(tiny_camera(0.4)), 16))
        plain, fused = (
            device_pixels(subject.field, subject.semantics, subject.grid, rays, hit, small.rays, reader=reader).pixels
            for reader in (TorchSamples, TritonSamples)
        )
    assert (plain.opacity > 0.5).any() and (plain.opacity == 0).any()
    for name in ("color", "opacity", "semantic"):
        one, other = getattr(plain, name), getattr(fused, name)
        # a weight just below what is worth a colour may be just above it there
        assert torch.quantile((one - other).abs().flatten(), 0.99) < 1e-4 * one.abs().max(), name
    assert torch.equal(plain.distance.isfinite(), fused.distance.isfinite())
