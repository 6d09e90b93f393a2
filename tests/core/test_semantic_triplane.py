"""The projected tri-plane equals the literal one: upsample everything, concatenate, read, sum, first layer."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.errors import UsageError
from dnerf_core.generator.eg3d import Triplanes
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import FeatureKind, SemanticConfig
from dnerf_core.semantic.kept_taps import KeptTaps
from dnerf_core.semantic.triplane import read_table, upsampling_matrix
from tests.core.semantic_cases import TINY, literal_at, tiny_generator, tiny_ws

KINDS: list[FeatureKind] = ["features", "planes"]

pytestmark = pytest.mark.usefixtures("one_thread")


def two_subjects(dtype: torch.dtype = torch.float32) -> Triplanes:
    generator = tiny_generator()
    with torch.no_grad():
        planes = generator.planes(tiny_ws(generator, 2))
    return Triplanes(
        planes.triplane.to(dtype),
        [x.to(dtype) for x in planes.block_features],
        [x.to(dtype) for x in planes.block_outputs],
        planes.config,
    )


def measured_branch(config: SemanticConfig, planes: Triplanes) -> SemanticBranch:
    """A branch whose statistics and biases are not the trivial ones."""
    branch = SemanticBranch(config, TINY, seed=7).to(planes.triplane.dtype)
    branch.triplane.measure([branch.triplane.inputs(planes)])
    with torch.no_grad():
        branch.hidden_bias.normal_(generator=torch.Generator().manual_seed(1))
        branch.out_bias.normal_(generator=torch.Generator().manual_seed(2))
    return branch


def points_in_and_out(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """150 points, a third of them outside the box or at its rim."""
    points = torch.rand(150, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64) * 2.4 - 1.2
    return torch.cat([points, torch.tensor([[0.8, 0.8, -0.8], [0.799, 0.0, 0.0]], dtype=torch.float64)]).to(dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scales", [None, (4, 16), (32,), (8,), (32, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_projected_form_equals_literal_form(
    kind: FeatureKind, scales: tuple[int, ...] | None, dtype: torch.dtype, tolerance: float
) -> None:
    """Two subjects; the float64 case shows that the two are the same function, not merely near."""
    planes, points = two_subjects(dtype), points_in_and_out(dtype)
    branch = measured_branch(SemanticConfig(num_classes=3, feature_kind=kind, scales=scales), planes)
    with torch.no_grad():
        projected = branch.project(planes)
        for subject in (0, 1):
            index = torch.full((len(points),), subject)
            scores, features = branch.decode(projected, points, index)
            literal, _ = literal_at(branch, planes, subject, points)
            assert scores.shape == (len(points), 3) and features.shape == (len(points), 32)
            torch.testing.assert_close(torch.cat([scores, features], dim=1), literal, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_those_of_the_literal_form(kind: FeatureKind) -> None:
    """To the projection weights and to the blocks' outputs, float64."""
    planes, points = two_subjects(torch.float64), points_in_and_out(torch.float64)
    branch = measured_branch(SemanticConfig(num_classes=3, feature_kind=kind), planes)
    source = planes.block_features if kind == "features" else planes.block_outputs
    inputs = [x.requires_grad_() for x in source]
    weights = list(branch.triplane.weight.values())
    subject = torch.ones(len(points), dtype=torch.long)
    scores, features = branch.decode(branch.project(planes), points, subject)
    own = torch.autograd.grad((scores.square().sum() + features.square().sum()), [*weights, *inputs])

    state = branch.state_dict(keep_vars=True)
    branch.state_dict = lambda: state  # type: ignore[method-assign,assignment]
    literal, _ = literal_at(branch, planes, 1, points)
    expected = torch.autograd.grad(literal.square().sum(), [*weights, *inputs])
    for mine, slow in zip(own, expected, strict=True):
        assert slow.abs().max() > 0
        torch.testing.assert_close(mine, slow, rtol=1e-9, atol=1e-9)


def test_far_points_read_nothing() -> None:
    """Zeros outside also for channels of large mean: the mean is taken off the texels, not off the sum."""
    planes = two_subjects()
    branch = measured_branch(SemanticConfig(), planes)
    rows, weights = planes.finder(torch.tensor([[5.0, 5.0, 5.0]]), None)
    with torch.no_grad():
        assert read_table(branch.project(planes).table[0], rows, weights).abs().max() == 0


def test_normalized_inputs_project_to_the_same_planes() -> None:
    planes = two_subjects()
    for kind in KINDS:
        branch = measured_branch(SemanticConfig(feature_kind=kind), planes)
        with torch.no_grad():
            inputs = branch.triplane.inputs(planes)
            folded = branch.triplane.project(inputs)
            plain = branch.triplane.project(branch.triplane.normalize(inputs), normalized=True)
        torch.testing.assert_close(folded, plain, rtol=0, atol=2e-5)


def test_statistics_make_unit_variance() -> None:
    planes = two_subjects()
    branch = measured_branch(SemanticConfig(), planes)
    for x in branch.triplane.normalize(branch.triplane.inputs(planes)):
        channels = x.reshape(-1, x.shape[-1])
        assert channels.mean(dim=0).abs().max() < 1e-4
        assert channels.std(dim=0, correction=0).max() < 1.001
        assert channels.std(dim=0, correction=0).median() == pytest.approx(1, abs=1e-3)


def test_dead_channels_stay_quiet() -> None:
    """A scale that is constant divides by 1, a constant channel among live ones by 5% of their median."""
    planes = two_subjects()
    planes.block_features[0].zero_()
    planes.block_features[1][:, 0] = 3.0
    branch = measured_branch(SemanticConfig(), planes)
    assert torch.equal(branch.triplane.statistics(4)[1], torch.ones(32))
    std = branch.triplane.statistics(8)[1]
    assert float(std[0]) == pytest.approx(0.05 * float(std.median()), rel=0.05)
    assert float(branch.triplane.statistics(8)[0][0]) == pytest.approx(3.0)


def test_upsampling_matrix_by_hand() -> None:
    expected = torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
    assert torch.equal(upsampling_matrix(2, 4, expected), expected)


def test_kept_taps_read_and_differentiate_like_the_plain_read() -> None:
    rng = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 20, (50, 12), generator=rng)
    weights = torch.rand(50, 12, generator=rng)
    table = torch.randn(23, 8, generator=rng, requires_grad=True)
    weigh = torch.randn(50, 8, generator=rng)
    taps = KeptTaps.build(rows, weights, 23)
    kept, plain = taps.read(table), read_table(table, rows, weights)
    assert torch.equal(kept, plain)
    (from_kept,) = torch.autograd.grad((kept * weigh).sum(), table)
    (from_plain,) = torch.autograd.grad((plain * weigh).sum(), table)
    torch.testing.assert_close(from_kept, from_plain)
    assert from_kept[20:].abs().max() == 0


@pytest.mark.parametrize("scales", [(64,), (), (4, 5)])
def test_unknown_scale_is_named(scales: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"semantic scales: expected some of \[4, 8, 16, 32\], found \["):
        SemanticBranch(SemanticConfig(scales=scales), TINY)
