"""Labelled views as a training keeps them: the same gradients as from the samples themselves, however little is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dnerf_core.camera import Camera
from dnerf_core.generator.eg3d import Generator
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.semantic import kept_views
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.semantic.guided_visibility import GuidedPlanes
from dnerf_core.semantic.kept_samples import KeptSamples
from dnerf_core.semantic.kept_views import AnnotatedView, KeptViews, Patch, keep_views
from dnerf_core.semantic.training import backward_views, patches_of_step
from dnerf_core.semantic.visibility import VisibleSamples, density_pass
from tests.core.semantic_cases import tiny_camera, tiny_generator, tiny_views, tiny_ws

OWN_DENSITY = SemanticConfig(density_prior=False, density_samples=8)
CONFIGS = [SemanticConfig(), OWN_DENSITY, SemanticConfig(refiner=RefinerConfig(guide="rendered"))]
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 1.0, 3.0])

Case = tuple[Generator, torch.Tensor, list[AnnotatedView]]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny tensors: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def case() -> Case:
    """Two subjects, two views each, with a part ignored."""
    generator = tiny_generator()
    ws = tiny_ws(generator, 2)
    views = tiny_views(generator, ws, [-0.4, 0.4], SemanticConfig())
    mask = views[0].mask.copy()
    mask[:40] = 255
    return generator, ws, [dataclasses.replace(views[0], mask=mask), *views[1:]]


def fresh(config: SemanticConfig, generator: Generator) -> SemanticBranch:
    """A branch whose refiner does something."""
    branch = SemanticBranch(config, generator.config, seed=2)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        branch.refiner.out.weight.copy_(0.1 * torch.randn(branch.refiner.out.weight.shape, generator=rng))
    return branch


def gradients(branch: SemanticBranch, kept: KeptViews, chosen: list[int]) -> tuple[float, dict[str, torch.Tensor]]:
    branch.zero_grad(set_to_none=True)
    loss = backward_views(branch, kept, chosen, WEIGHTS)
    return loss, {name: parameter.grad.clone() for name, parameter in branch.named_parameters() if parameter.grad is not None}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], share: float) -> None:
    """Every gradient within `share` of the largest of its tensor."""
    assert one.keys() == other.keys()
    for name, gradient in one.items():
        error = float((gradient - other[name]).abs().max())
        assert error <= share * float(other[name].abs().max()) + 1e-9, name


@pytest.mark.parametrize("config", CONFIGS, ids=["prior", "own density", "guide"])
def test_gradients_equal_those_of_the_samples_themselves(case: Case, config: SemanticConfig) -> None:
    """One loss over all views at once, from float32 planes and samples; kept in half precision: 2e-3 of the largest."""
    generator, ws, views = case
    branch = fresh(config, generator)
    kept = keep_views(branch, generator, ws, views, 2)
    loss, found = gradients(branch, kept, [0, 1, 3])
    branch.zero_grad(set_to_none=True)
    scores = []
    for index in (0, 1, 3):
        view = views[index]
        planes = generator.planes(ws[view.subject : view.subject + 1])
        pose, lens = (torch.tensor(x, dtype=torch.float32)[None] for x in (view.cam2world, view.intrinsics))
        side = generator.config.rays.neural_resolution
        if config.density_prior:
            visible = GuidedPlanes.pack(generator, planes).samples(pose, lens, side, config.weight_epsilon)
        else:
            visible = density_pass(generator, planes, pose, lens, side, config)
        guide_image = kept.views[index].guide_image
        scores.append(
            branch.refine(branch.maps(branch.project(planes), visible), None if guide_image is None else guide_image.float())
        )
    masks = torch.stack([torch.from_numpy(views[index].mask) for index in (0, 1, 3)]).long()
    expected = F.cross_entropy(torch.cat(scores), masks, weight=WEIGHTS, ignore_index=255)
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-3)
    assert_same(found, {n: p.grad for n, p in branch.named_parameters() if p.grad is not None}, 2e-3)


@pytest.mark.parametrize("config", CONFIGS[:2], ids=["prior", "own density"])
def test_what_is_kept_does_not_change_the_gradients(case: Case, config: SemanticConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No taps, and samples decoded a few at a time."""
    generator, ws, views = case
    branch = fresh(config, generator)
    kept = keep_views(branch, generator, ws, views, 2)
    assert all(view.taps is not None and len(view.taps) == 1 for view in kept.views)
    loss, whole = gradients(branch, kept, [0, 2])
    monkeypatch.setattr(kept_views, "TAPS_BUDGET_BYTES", 0)
    monkeypatch.setattr(kept_views, "SAMPLES_PER_PIECE", len(kept.views[0].samples.place) // 3)
    lean = keep_views(branch, generator, ws, views, 2)
    assert all(view.taps is None for view in lean.views)
    assert lean.num_bytes < 0.5 * kept.num_bytes
    again, pieces = gradients(branch, lean, [0, 2])
    assert again == pytest.approx(loss, rel=1e-6)
    assert_same(pieces, whole, 1e-5)


def test_kept_samples_by_hand() -> None:
    """Two rays along z, from 1 to 3 and from 2 to 4; the second of four pixels and the fourth, whose sample lies past the end."""
    rays = RayBundle(
        torch.zeros(4, 3), torch.tensor([[0.0, 0, 1]]).expand(4, 3), torch.tensor([9.0, 1, 9, 2]), torch.tensor([9.5, 3, 9.5, 4])
    )
    ray = torch.tensor([1, 1, 3])
    points = torch.tensor([[0.0, 0, 1], [0, 0, 2.5], [0, 0, 4.5]])
    kept = KeptSamples.from_visible(VisibleSamples(1, 2, ray, points, torch.tensor([0.25, 0.5, 1.0])), rays)
    assert kept.counts.tolist() == [0, 2, 0, 1]
    assert kept.place.tolist() == [-32768, 0, 21845 - 1]
    assert kept.num_bytes == 4 * 4 + 3 * 4
    back = kept.samples(rays)
    assert back.ray.tolist() == [1, 1, 3]
    assert back.weight.tolist() == [0.25, 0.5, 1.0]
    assert back.distances is None
    torch.testing.assert_close(back.points, points, atol=3 / 65535, rtol=0)


def test_pieces_never_cut_a_ray_that_has_distances() -> None:
    every = torch.arange(3).repeat_interleave(4)
    samples = VisibleSamples(1, 2, every, torch.rand(12, 3), torch.rand(12), torch.rand(3, 4))
    pieces = samples.split(9)
    assert [piece.ray.tolist() for piece in pieces] == [[0, 0, 0, 0, 1, 1, 1, 1], [2, 2, 2, 2]]
    assert [len(piece.distances) for piece in pieces if piece.distances is not None] == [2, 1]
    assert torch.equal(torch.cat([piece.points for piece in pieces]), samples.points)
    assert [len(piece.ray) for piece in dataclasses.replace(samples, distances=None).split(9)] == [9, 3]


@pytest.mark.parametrize("config", CONFIGS[:2], ids=["prior", "own density"])
def test_a_view_of_nothing_trains(case: Case, config: SemanticConfig) -> None:
    """A camera that looks away: background everywhere, and finite gradients."""
    generator, ws, _ = case
    away = tiny_camera()
    pose = np.array(away.cam2world)
    pose[:3, :3] = pose[:3, :3] @ np.diag([-1.0, 1, -1])
    away = Camera(pose, away.intrinsics)
    view = AnnotatedView(0, away.cam2world, away.intrinsics, np.zeros((128, 128), np.uint8))
    branch = fresh(config, generator)
    kept = keep_views(branch, generator, ws, [view], 1)
    assert len(kept.views[0].samples.place) == 0
    loss, found = gradients(branch, kept, [0])
    assert np.isfinite(loss)
    assert all(bool(gradient.isfinite().all()) for gradient in found.values())


@pytest.mark.parametrize("config", CONFIGS, ids=["prior", "own density", "guide"])
def test_a_patch_has_the_maps_and_the_mask_of_its_place(case: Case, config: SemanticConfig) -> None:
    """Raw maps equal the whole view's cut out; so do scores away from the patch's edges, where the refiner sees less."""
    generator, ws, views = case
    branch = fresh(config, generator)
    kept = keep_views(branch, generator, ws, views, 2, keep_taps=False)
    view, scale = kept.views[0], 128 // kept.views[0].samples.resolution
    assert view.taps is None
    patch = Patch(2, 4, 12)
    part = view.part(patch)
    rows, columns = (slice(first * scale, (first + 12) * scale) for first in (2, 4))
    assert torch.equal(part.mask, view.mask[rows, columns])
    table = branch.triplane.project([x.float() for x in kept.inputs[view.subject]], normalized=True)[0]
    with torch.no_grad():
        whole, cut = view.maps(branch, table), part.maps(branch, table)
        torch.testing.assert_close(cut.scores, whole.scores[:, :, 2:14, 4:16], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(cut.features, whole.features[:, :, 2:14, 4:16], atol=1e-5, rtol=1e-5)
        guides = [None if one.guide_image is None else one.guide_image.float() for one in (view, part)]
        refined = branch.refine(whole, guides[0])[:, :, rows, columns]
        found = branch.refine(cut, guides[1], len(part.mask))
    assert found.shape == refined.shape
    inner = slice(5 * scale, 7 * scale)
    torch.testing.assert_close(found[:, :, inner, inner], refined[:, :, inner, inner], atol=1e-4, rtol=1e-4)


def test_the_patch_of_a_whole_view_changes_nothing(case: Case) -> None:
    generator, ws, views = case
    branch = fresh(SemanticConfig(), generator)
    kept = keep_views(branch, generator, ws, views, 2)
    side = kept.views[0].samples.resolution
    loss, expected = gradients(branch, kept, [0, 2])
    branch.zero_grad(set_to_none=True)
    again = backward_views(branch, kept, [0, 2], WEIGHTS, [Patch(0, 0, side)] * 2)
    assert again == pytest.approx(loss, rel=1e-6)
    assert_same({n: p.grad for n, p in branch.named_parameters() if p.grad is not None}, expected, 1e-5)


def test_a_patch_of_ignored_pixels_is_worth_nothing(case: Case) -> None:
    """The first view's first 40 rows of pixels are ignored."""
    generator, ws, views = case
    branch = fresh(SemanticConfig(), generator)
    kept = keep_views(branch, generator, ws, views, 2)
    assert backward_views(branch, kept, [0], WEIGHTS, [Patch(0, 0, 4)]) == 0
    assert all(bool((p.grad == 0).all()) for p in branch.parameters() if p.grad is not None)


def test_patches_lie_anywhere_within_a_view_and_are_the_same_again() -> None:
    found = [patch for step in range(400) for patch in patches_of_step(step, 2, 12, 16, seed=3)]
    assert {patch.top for patch in found} == {patch.left for patch in found} == {0, 1, 2, 3, 4}
    assert found == [patch for step in range(400) for patch in patches_of_step(step, 2, 12, 16, seed=3)]
    assert found != [patch for step in range(400) for patch in patches_of_step(step, 2, 12, 16, seed=4)]
