"""Raw semantic maps, background, epsilon and the semantic super-resolution."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.camera import look_at
from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import BackboneConfig, GeneratorConfig, RayConfig
from dnerf_core.rendering.compositing import interval_weights, sample_weights
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.rendering.volume import RayBundle, RaySamples, sample_rays
from dnerf_core.semantic.branch import SemanticBranch, SemanticMaps, label_mask, uncertainty
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.semantic.refiner import Refiner, upsampling_sizes
from dnerf_core.semantic.visibility import density_pass, visible_samples
from tests.core.semantic_cases import TINY, camera_tensors, literal_at, tiny_camera, tiny_generator, tiny_ws

pytestmark = pytest.mark.usefixtures("one_thread")


def random_branch(config: SemanticConfig, generator_config: GeneratorConfig = TINY) -> SemanticBranch:
    branch = SemanticBranch(config, generator_config, seed=7)
    with torch.no_grad():
        branch.background.normal_(generator=torch.Generator().manual_seed(1))
        branch.out_bias.normal_(generator=torch.Generator().manual_seed(2))
    return branch


@pytest.mark.parametrize("prior", [True, False])
@torch.no_grad()
def test_maps_equal_the_literal_ones(prior: bool) -> None:
    """Two subjects from two cameras, every sample read; with the prior's weights and with the branch's own."""
    generator = tiny_generator()
    planes = generator.planes(tiny_ws(generator, 2))
    branch = random_branch(SemanticConfig(num_classes=3, density_prior=prior, weight_epsilon=0.0, density_samples=12))
    branch.triplane.measure([branch.triplane.inputs(planes)])
    cameras = camera_tensors(tiny_camera(0.0), tiny_camera(0.5))
    visible = density_pass(generator, planes, *cameras, 16, branch.config)
    maps = branch.maps(branch.project(planes), visible)
    assert maps.scores.shape == (2, 3, 16, 16) and maps.features.shape == (2, 32, 16, 16)
    own = torch.cat([maps.scores, maps.features], dim=1).permute(0, 2, 3, 1).reshape(2 * 256, -1)

    rays, hit = ray_bundle(generator, planes, ViewRays.from_cameras(*cameras, 16))
    for subject in (0, 1):
        part = (hit & (torch.arange(512) // 256 == subject)).nonzero()[:, 0]
        bundle = rays.select(part)
        samples = sample_rays(generator.field(planes).raw_density, bundle, 16, 16)
        distances, weights = samples.distances, sample_weights(samples.weights)
        if not prior:
            distances = distances[:, torch.linspace(0, 31, 12).round().long()]
            _, density = literal_at(branch, planes, subject, bundle.points(distances).reshape(-1, 3))
            weights = sample_weights(interval_weights(distances, density.reshape(distances.shape)))
        values, _ = literal_at(branch, planes, subject, bundle.points(distances).reshape(-1, 3))
        seen = (weights[..., None] * values.reshape(*weights.shape, -1)).sum(dim=1)
        expected = seen + (1 - weights.sum(dim=1))[:, None] * branch.background
        assert weights.sum(dim=1).max() > 0.3
        torch.testing.assert_close(own[part], expected, rtol=0, atol=1e-5)
    assert (~hit).any()
    torch.testing.assert_close(own[~hit], branch.background.expand(int((~hit).sum()), -1))


@torch.no_grad()
def test_a_view_does_not_depend_on_its_batch() -> None:
    generator = tiny_generator()
    ws = tiny_ws(generator, 2)
    branch = random_branch(SemanticConfig())
    poses, intrinsics = camera_tensors(tiny_camera(0.0), tiny_camera(0.5))
    both = branch.render(generator, generator.planes(ws), poses, intrinsics)
    alone = branch.render(generator, generator.planes(ws[1:]), poses[1:], intrinsics[1:])
    assert both.shape == (2, 5, 128, 128)
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_empty_view_is_background() -> None:
    """A camera that looks away: every pixel is class 0 with exactly the background's scores."""
    generator = tiny_generator()
    planes = generator.planes(tiny_ws(generator, 1))
    branch = SemanticBranch(SemanticConfig(), TINY)
    pose = torch.from_numpy(look_at((0.0, 0.0, 3.0), (0.0, 0.0, 9.0))).float()[None]
    _, intrinsics = camera_tensors(tiny_camera())
    for prior in (True, False):
        branch = random_branch(SemanticConfig(density_prior=prior))
        visible = density_pass(generator, planes, pose, intrinsics, 32, branch.config)
        maps = branch.maps(branch.project(planes), visible)
        assert torch.equal(maps.scores, branch.background[:5, None, None].expand(1, 5, 32, 32))
    fresh = SemanticBranch(SemanticConfig(), TINY)
    assert label_mask(fresh.render(generator, planes, pose, intrinsics)).max() == 0


def test_visible_samples_by_hand() -> None:
    """Interval weights (0.2, 0.4, 0.002) give sample weights (0.1, 0.3, 0.201, 0.001); the last is under epsilon."""
    ray = RayBundle(torch.zeros(2, 3), torch.tensor([[0.0, 0, 1], [1, 0, 0]]), torch.zeros(2), torch.ones(2))
    distances = torch.tensor([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    samples = RaySamples(distances, torch.tensor([[0.2, 0.4, 0.002], [0.001, 0.001, 0.001]]))
    visible = visible_samples(ray, samples, torch.tensor([5, 9]), 1, 4, SemanticConfig(weight_epsilon=5e-3))
    assert visible.ray.tolist() == [5, 5, 5]
    assert visible.points.tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 3]]
    scale = 0.602 / 0.601
    torch.testing.assert_close(visible.weight, torch.tensor([0.1 * scale, 0.3 * scale, 0.201 * scale]))


@torch.no_grad()
def test_epsilon_changes_little() -> None:
    """Leaving out light samples moves no pixel by more than their share of weight allows."""
    generator = tiny_generator()
    planes = generator.planes(tiny_ws(generator, 1))
    camera = camera_tensors(tiny_camera())
    exact, quick = (SemanticConfig(weight_epsilon=e) for e in (0.0, 5e-3))
    branch = random_branch(exact)
    projected = branch.project(planes)
    all_samples = density_pass(generator, planes, *camera, 32, exact)
    some = density_pass(generator, planes, *camera, 32, quick)
    assert len(some.ray) < 0.7 * len(all_samples.ray)
    values = torch.cat(branch.decode(projected, all_samples.points), dim=1)
    largest = torch.cat([values, branch.background[None]]).abs().max()
    difference = (branch.maps(projected, some).scores - branch.maps(projected, all_samples).scores).abs().max()
    assert difference < 2 * largest * 32 * 5e-3
    assert difference > 0


def test_gradient_reaches_the_latent() -> None:
    generator = tiny_generator()
    ws = tiny_ws(generator, 1).requires_grad_()
    branch = random_branch(SemanticConfig())
    scores = branch.render(generator, generator.planes(ws), *camera_tensors(tiny_camera()), resolution=16)
    scores[:, 1].sum().backward()
    assert ws.grad is not None and ws.grad.abs().max() > 0 and ws.grad.isfinite().all()


@pytest.mark.parametrize(("raw", "full"), [(32, 512), (64, 128), (128, 256), (128, 512), (64, 64), (48, 128), (64, 512)])
@torch.no_grad()
def test_refiner_starts_as_bilinear_at_every_ratio(raw: int, full: int) -> None:
    config = dataclasses.replace(TINY, image_size=full, rays=RayConfig(neural_resolution=raw))
    refiner = Refiner(SemanticConfig(num_classes=4), config, torch.Generator().manual_seed(0))
    scores, features = torch.randn(1, 4, raw, raw), torch.randn(1, 32, raw, raw)
    refined = refiner(scores, features)
    expected = F.interpolate(scores, size=(full, full), mode="bilinear", align_corners=False)
    torch.testing.assert_close(refined, expected)
    refiner.out.weight.normal_()
    assert not torch.allclose(refiner(scores, features), expected)


def test_sizes_by_hand() -> None:
    assert upsampling_sizes(32, 512) == [64, 128, 256, 512]
    assert upsampling_sizes(64, 128) == [128]
    assert upsampling_sizes(48, 128) == [96, 128]
    assert upsampling_sizes(64, 64) == [64]


@torch.no_grad()
def test_guides() -> None:
    """Each guide changes the result, and is asked for."""
    scores, features = torch.randn(1, 5, 32, 32), torch.randn(1, 32, 32, 32)
    shapes = {"rendered": (1, 32, 32, 32), "rgb": (1, 3, 128, 128)}
    for kind, shape in shapes.items():
        branch = SemanticBranch(SemanticConfig(refiner=RefinerConfig(guide=kind)), TINY)  # type: ignore[arg-type]
        branch.refiner.out.weight.normal_()
        maps = SemanticMaps(scores, features)
        one, other = (branch.refine(maps, torch.full(shape, value)) for value in (0.0, 1.0))
        assert one.shape == (1, 5, 128, 128) and not torch.allclose(one, other)
        with pytest.raises(ValueError, match=f"guide: expected one for '{kind}', found none"):
            branch.refine(maps)
    plain = SemanticBranch(SemanticConfig(refiner=RefinerConfig(kind="bilinear")), TINY)
    assert not list(plain.refiner.parameters())
    assert plain.refine(SemanticMaps(scores, features)).shape == (1, 5, 128, 128)
    with pytest.raises(ValueError, match=r"guide: expected one for 'none', found \[1, 3, 8, 8\]"):
        plain.refine(SemanticMaps(scores, features), torch.zeros(1, 3, 8, 8))


def test_construction_is_seeded_and_leaves_the_global_state() -> None:
    before = torch.get_rng_state()
    one, same, other = (SemanticBranch(SemanticConfig(), TINY, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["out_weight"], other["out_weight"])


def test_width_of_the_concatenation_at_full_size() -> None:
    """DESIGN: 224 to 2,944 channels are read, whatever the kind; 64 are sampled."""
    full = GeneratorConfig(backbone=BackboneConfig())
    wide = {
        kind: SemanticBranch(SemanticConfig(feature_kind=kind), full).triplane.total_channels for kind in ("features", "planes")
    }
    assert wide == {"features": 5 * 512 + 256 + 128, "planes": 7 * 32}


def test_config_survives_json_and_names_what_is_wrong() -> None:
    for config in (SemanticConfig(), SemanticConfig(scales=(4, 32), density_prior=False, refiner=RefinerConfig(guide="rgb"))):
        assert config_from_json(SemanticConfig, json.loads(json.dumps(config_to_json(config)))) == config
    data = config_to_json(SemanticConfig())
    data["feature_kind"] = "all"
    with pytest.raises(CheckpointError, match=r"config\.feature_kind: expected"):
        config_from_json(SemanticConfig, data)


def test_config_and_metrics_load_no_torch() -> None:
    code = "import sys, dnerf_core.semantic.config, dnerf_core.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_uncertainty_by_hand() -> None:
    """Two of four classes alike: log 2 of log 4. All alike: 1. One far above the rest: 0. Never outside 0 to 1."""
    scores = torch.tensor([[50.0, 50.0, 0.0, 0.0], [7.0, 7.0, 7.0, 7.0], [90.0, 0.0, 0.0, 0.0]]).t().reshape(1, 4, 3, 1)
    torch.testing.assert_close(uncertainty(scores), torch.tensor([0.5, 1.0, 0.0]).reshape(1, 3, 1))
    found = uncertainty(torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0)) * 1e-3)
    assert float(found.min()) >= 0 and float(found.max()) <= 1
