"""Which views to paint next: sketches of rays, an ensemble that disagrees where nothing was painted, and the greedy choice, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.generator.eg3d import Generator
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.choosing.ensemble import EnsembleConfig, class_weights, disagreement, train_ensemble
from dnerf_core.semantic.choosing.greedy import GreedyConfig, choose_greedily
from dnerf_core.semantic.choosing.rays import SKETCH_DIM, RaySketch, label_shares
from dnerf_core.semantic.choosing.views import ChoosingConfig, NextView, SeenView, choose_next
from dnerf_core.semantic.config import SemanticConfig
from tests.core.semantic_cases import camera_tensors, tiny_camera, tiny_generator, tiny_ws

QUICK = EnsembleConfig(members=4, hidden_dim=8, steps=60, rays_per_step=32, learning_rate=2e-2)


def test_disagreement_is_the_entropy_that_members_do_not_have_themselves() -> None:
    surely = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])  # two members, a ray, each sure of another class
    assert float(disagreement(surely)) == pytest.approx(1.0)
    both_unsure = torch.full((2, 1, 2), 0.5)
    assert float(disagreement(both_unsure)) == 0.0
    p, q = 0.9, 0.6
    mean = (p + q) / 2

    def entropy(x: float) -> float:
        return -(x * math.log(x) + (1 - x) * math.log(1 - x))

    mixed = torch.tensor([[[p, 1 - p]], [[q, 1 - q]]], dtype=torch.float64)
    expected = (entropy(mean) - (entropy(p) + entropy(q)) / 2) / math.log(2)
    assert float(disagreement(mixed)) == pytest.approx(expected, rel=1e-6)


def test_label_shares_count_the_painted_pixels_of_each_ray() -> None:
    mask = np.array([[0, 1, 2, 2], [0, 1, 2, 255], [1, 1, 255, 255], [1, 1, 255, 255]], np.uint8)
    shares = label_shares(mask, 3, 2)
    np.testing.assert_allclose(shares, [[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]])
    assert label_shares(np.zeros((5, 5), np.uint8), 2, 3).tolist() == [[1.0, 0.0]] * 9  # a side that rays do not divide


def test_rare_classes_weigh_more_up_to_a_bound_and_missing_ones_nothing() -> None:
    shares = torch.tensor([[1.0, 0, 0, 0]] * 400 + [[0, 1.0, 0, 0]] * 100 + [[0, 0, 1.0, 0]])
    weights = class_weights(shares)
    assert weights[:2].tolist() == [1.0, 2.0]
    assert weights[2:].tolist() == [10.0, 0.0]  # sqrt(400) is cut


def two_groups() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rays of 6 views: by the sign of their first number they are of class 0 or 1."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(240, 3, generator=rng)
    return features, torch.nn.functional.one_hot((features[:, 0] > 0).long(), 2).float(), torch.arange(240) // 40


def test_members_learn_what_is_painted_and_differ_where_nothing_is() -> None:
    features, shares, view = two_groups()
    ensemble = train_ensemble(features, shares, view, QUICK)
    probabilities = ensemble.probabilities(features)
    assert probabilities.shape == (4, 240, 2)
    assert float((probabilities.mean(dim=0).argmax(dim=1) == shares.argmax(dim=1)).float().mean()) > 0.95
    sure = features[features[:, 0].abs() > 1]
    strange = torch.randn(200, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([0.05, 6.0, 6.0])
    near, far = (float(disagreement(ensemble.probabilities(rays)).mean()) for rays in (sure, strange))
    assert far > 5 * near


def test_equal_seeds_give_equal_members_and_leave_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    features, shares, view = two_groups()
    first, again, other = (
        train_ensemble(features, shares, view, EnsembleConfig(members=2, hidden_dim=4, steps=5, rays_per_step=8, seed=seed))
        for seed in (3, 3, 4)
    )
    for a, b, c in zip(first.weights, again.weights, other.weights, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert torch.equal(state, torch.random.get_rng_state())


PRODUCT = GreedyConfig(uncertainty_power=1.0)


def blocks(*places: float) -> list[np.ndarray]:
    return [np.array(places, np.float64)[:, None]]


def test_the_choice_trades_uncertainty_with_distance() -> None:
    places = blocks(0.0, 1.0, 2.0, 10.0)
    scale = math.sqrt(2 * np.var([0.0, 1.0, 2.0, 10.0]))
    subject = np.arange(4)
    found = choose_greedily(np.array([1.0, 1, 1, 1]), subject, places, blocks(0.0), subjects=2)
    assert [one.candidate for one in found] == [3, 2]  # the farthest, then the farthest of the painted 0 and the chosen 10
    assert found[0].distance == pytest.approx(10 / scale)
    assert (found[0].nearest, found[1].nearest) == (0, 0)
    found = choose_greedily(np.array([1.0, 9, 1, 1]), subject, places, blocks(0.0), subjects=1, config=PRODUCT)
    assert found[0].candidate == 3  # 10 x 1 against 1 x 9
    found = choose_greedily(np.array([1.0, 11, 1, 1]), subject, places, blocks(0.0), subjects=3, config=PRODUCT)
    assert [one.candidate for one in found] == [1, 3, 2]
    assert found[2].nearest == 1 + 1  # the chosen candidate 1, past the one painted view
    rooted = choose_greedily(np.array([1.0, 99, 1, 1]), subject, places, blocks(0.0), subjects=1)
    assert rooted[0].candidate == 3  # 10 x 1 against 1 x sqrt(99)
    only_uncertain = GreedyConfig(distance_power=0)
    found = choose_greedily(np.array([1.0, 9, 3, 5]), subject, places, blocks(0.0), subjects=3, config=only_uncertain)
    assert [one.candidate for one in found] == [1, 3, 2]


def test_each_chosen_subject_gets_its_views_and_no_more() -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(6), 4)
    features = [rng.normal(size=(24, 5)), rng.normal(size=(24, 3))]
    painted = [rng.normal(size=(3, 5)), rng.normal(size=(3, 3))]
    found = choose_greedily(rng.random(24), subject, features, painted, subjects=3, views_each=2)
    assert len({one.candidate for one in found}) == 6
    assert sorted(np.unique(subject[[one.candidate for one in found]], return_counts=True)[1]) == [2, 2, 2]
    with pytest.raises(UsageError, match="expected at least 7 subjects of 1 views or more, found 6"):
        choose_greedily(rng.random(24), subject, features, painted, subjects=7)
    subject[0] = 6  # a subject of one view cannot give two
    found = choose_greedily(np.where(subject == 6, 1e6, 1.0), subject, features, painted, subjects=3, views_each=2)
    assert 6 not in subject[[one.candidate for one in found]]


def test_a_choice_from_nothing_begins_with_the_most_uncertain() -> None:
    nothing = [np.zeros((0, 1))]
    found = choose_greedily(np.array([1.0, 3, 2]), np.arange(3), blocks(0.0, 1.0, 2.0), nothing, subjects=2)
    assert (found[0].candidate, found[0].nearest, found[0].distance) == (1, None, math.inf)
    assert found[1].nearest == 1


def test_candidates_that_are_all_alike_are_taken_in_order() -> None:
    found = choose_greedily(np.zeros(3), np.arange(3), [np.ones((3, 2))], [np.ones((1, 2))], subjects=2)
    assert [one.candidate for one in found] == [0, 1]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return tiny_generator()


def seen(generator: Generator, subject: int, yaw_rad: float, mask: np.ndarray | None = None) -> SeenView:
    ws = tiny_ws(generator, 6)[subject : subject + 1]
    latent = ws[0].mean(dim=0).double().numpy()
    return SeenView(subject, lambda: generator.planes(ws, None), latent, tiny_camera(yaw_rad), (), mask)


def painted_views(generator: Generator) -> list[SeenView]:
    """Left and right halves of what is seen of two subjects."""
    mask = np.zeros((128, 128), np.uint8)
    mask[24:104, 24:64], mask[24:104, 64:104] = 1, 2
    return [seen(generator, subject, 0.1 * subject, mask) for subject in (0, 1)]


def test_a_ray_is_sketched_by_what_a_branch_of_those_weights_would_composite(generator: Generator) -> None:
    planes = generator.planes(tiny_ws(generator, 1), None)
    sketch = RaySketch(generator, [planes])
    branch = SemanticBranch(SemanticConfig(num_classes=3, hidden_dim=SKETCH_DIM), generator.config)
    branch.triplane.load_state_dict(sketch.triplane.state_dict())
    camera = camera_tensors(tiny_camera())
    rays = sketch.view(sketch.guided(planes), sketch.table(planes), *camera, 12)
    projected = branch.project(generator.source(planes))
    visible = sketch.guided(planes).samples(*camera, 12, branch.config.weight_epsilon)
    expected, opacity = torch.zeros(144, SKETCH_DIM), torch.zeros(144)
    for ray, point, weight in zip(visible.ray, visible.points, visible.weight, strict=True):  # one sample after the other
        rows, taps = projected.finder(point[None], None)
        expected[ray] += weight * (projected.table[0][rows[0]] * taps[0][:, None]).sum(dim=0)
        opacity[ray] += weight
    assert 0 < len(rays.pixel) < 144
    assert torch.equal(rays.pixel, (opacity > 0.02).nonzero()[:, 0])
    torch.testing.assert_close(rays.features[:, :-1], expected[rays.pixel], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rays.features[:, -1], opacity[rays.pixel], atol=1e-5, rtol=1e-5)


def test_views_are_chosen_by_a_generator_and_the_same_each_time(generator: Generator) -> None:
    config = ChoosingConfig(resolution=12, ensemble=QUICK)
    candidates = [seen(generator, subject, yaw) for subject in (2, 3, 4) for yaw in (-0.4, 0.4)]
    looked: list[None] = []

    def chosen() -> list[NextView]:
        return choose_next(
            generator,
            painted_views(generator),
            candidates,
            num_classes=3,
            subjects=2,
            config=config,
            progress=lambda: looked.append(None),
        )

    found = chosen()
    assert len(looked) == 2 + 6
    assert found == chosen()
    assert len({candidates[one.choice.candidate].subject for one in found}) == 2
    assert all(1 <= one.uncertainty_rank <= 6 and sum(one.class_shares) == pytest.approx(1) for one in found)


def test_views_without_a_label_on_the_subject_are_refused(generator: Generator) -> None:
    nothing = seen(generator, 0, 0.0, np.full((128, 128), 255, np.uint8))
    with pytest.raises(AnnotationError, match="expected labels on what the generator shows, found none"):
        choose_next(
            generator, [nothing], [seen(generator, 1, 0.0)], num_classes=3, subjects=1, config=ChoosingConfig(resolution=8)
        )
