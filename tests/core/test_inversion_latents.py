"""Latent spaces: statistics, codes there and back, and what counts as usual."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.inversion.latents import (
    LAYER_SPREAD_WEIGHT,
    Candidate,
    WPlusSpace,
    WSpace,
    WStatistics,
    ZSpace,
    code_in,
    random_candidates,
    space_of,
    w_statistics,
)
from dnerf_core.model import Model
from tests.core.inversion_cases import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(None)


@pytest.fixture(scope="module")
def statistics(model: Model) -> WStatistics:
    return w_statistics(model, 0)


def mapped(model: Model, count: int = 400, seed: int = 77) -> torch.Tensor:
    """w [count, w_dim] of latents that the statistics have not seen."""
    z = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return model.ws(z)[:, 0]


def few(statistics: WStatistics, count: int) -> WStatistics:
    """Moving along the widest axes only."""
    return WStatistics(statistics.mean, statistics.axes[-count:], statistics.inverse[:, -count:])


def by_hand() -> WStatistics:
    """w of two numbers: mean (1, 2), standard deviations 2 and 0.5 along the axes."""
    axes = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
    return WStatistics(torch.tensor([1.0, 2.0]), axes, torch.tensor([[0.5, 0.0], [0.0, 2.0]]))


def test_statistics_make_mapped_latents_white(model: Model, statistics: WStatistics) -> None:
    w = mapped(model, 4000)
    codes = (w - statistics.mean) @ statistics.inverse
    identity = torch.eye(codes.shape[1])
    assert float(codes.mean(dim=0).abs().max()) < 0.1
    torch.testing.assert_close(codes.T @ codes / len(codes), identity, rtol=0, atol=0.15)
    torch.testing.assert_close(statistics.axes @ statistics.inverse, identity, rtol=0, atol=1e-3)
    assert not torch.allclose(w.T.cov(), identity, atol=0.15)


def test_statistics_are_of_the_seed_alone(model: Model, statistics: WStatistics) -> None:
    before = torch.random.get_rng_state()
    again, other = w_statistics(model, 0), w_statistics(model, 1)
    for name in ("mean", "axes", "inverse"):
        assert torch.equal(getattr(again, name), getattr(statistics, name))
    assert not torch.equal(other.mean, statistics.mean)
    assert torch.equal(before, torch.random.get_rng_state())


def test_directions_that_latents_do_not_move_in_are_left_out() -> None:
    """A mapping whose last layer leaves half of w alone."""
    model = tiny_model(None)
    layers = [module for name, module in model.generator.backbone.mapping.named_modules() if name.startswith("fc")]
    with torch.no_grad():
        layers[-1].weight[16:] = 0
    found = w_statistics(model, 0)
    assert found.axes.shape == (16, 32) and found.inverse.shape == (32, 16)
    assert float(found.axes[:, 16:].abs().max()) < 1e-5


def test_codes_by_hand() -> None:
    """w (3, 1) is one standard deviation and two the other way; in w+ each layer by itself."""
    narrow, wide = WSpace(by_hand(), 4), WPlusSpace(by_hand(), 4)
    candidate = Candidate(None, torch.tensor([3.0, 1.0]))
    assert narrow.code(candidate).tolist() == [1, -2]
    assert wide.code(candidate).tolist() == [[1, -2]] * 4
    assert narrow.ws(torch.tensor([[1.0, -2.0]])).tolist() == [[[3, 1]] * 4]
    codes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 2.0]])
    ws = wide.ws(codes[None])[0]
    assert ws.tolist() == [[1, 2], [3, 2], [1, 2.5], [-1, 3]]
    assert torch.equal(wide.code_of_ws(ws), codes)
    assert narrow.code_of_ws(ws).tolist() == [0, 0.75]


def test_priors_by_hand() -> None:
    code = torch.tensor([3.0, 1.0])
    assert WSpace(by_hand(), 2).prior(code[None]).tolist() == [5]
    assert WSpace(by_hand(), 2, home=torch.tensor([2.0, 1.0])).prior(code[None]).tolist() == [0.5]
    assert WSpace(by_hand(), 2, home=torch.tensor([[2.0, 1.0], [3.0, 1.0]])).prior(code.expand(2, -1)).tolist() == [0.5, 0]
    alike, apart = code.expand(2, -1), torch.tensor([[3.0, 1.0], [1.0, 1.0]])
    # the layers' mean is (2, 1): each is 1 away from it in one of its two numbers
    expected = [5, (9 + 1 + 1 + 1) / 4 + LAYER_SPREAD_WEIGHT * 0.5]
    assert WPlusSpace(by_hand(), 2).prior(torch.stack([alike, apart])).tolist() == expected
    assert WPlusSpace(by_hand(), 2, home=apart).prior(torch.stack([apart, alike])).tolist() == [0, 1 + LAYER_SPREAD_WEIGHT * 0.5]


def test_mapped_latents_are_usual(model: Model, statistics: WStatistics) -> None:
    w = mapped(model)
    for space in (WSpace(statistics, 8), WPlusSpace(statistics, 8)):
        prior = space.prior(torch.stack([space.code(Candidate(None, one)) for one in w]))
        assert float(prior.mean()) == pytest.approx(1, abs=0.1)
    z = torch.randn(400, 16, generator=torch.Generator().manual_seed(7))
    # the length of z is free, and kept: its prior is the variance of a mean of 16 squares
    assert float(ZSpace(model).prior(z).mean()) == pytest.approx(2 / 16, abs=0.04)
    assert float(ZSpace(model).prior(3 * z).mean()) > 50


def test_codes_there_and_back(model: Model, statistics: WStatistics) -> None:
    w = mapped(model, 3)
    num_ws = model.config.backbone.num_ws
    for space in (WSpace(statistics, num_ws), WPlusSpace(statistics, num_ws)):
        codes = torch.stack([space.code(Candidate(None, one)) for one in w])
        ws = space.ws(codes)
        assert ws.shape == (3, num_ws, 32)
        torch.testing.assert_close(ws, w[:, None].expand(-1, num_ws, -1), rtol=0, atol=1e-4)
        torch.testing.assert_close(space.code_of_ws(ws[1]), codes[1], rtol=0, atol=1e-3)


def test_an_offset_brings_back_what_the_axes_do_not_reach(model: Model, statistics: WStatistics) -> None:
    narrow = few(statistics, 5)
    w = mapped(model, 8)  # a w a layer
    plain = WPlusSpace(narrow, 8)
    code = plain.code_of_ws(w)
    assert not torch.allclose(plain.ws(code[None])[0], w, atol=0.05)
    about = WPlusSpace(narrow, 8, code, w - plain.ws(code[None])[0])
    torch.testing.assert_close(about.ws(code[None])[0], w, rtol=0, atol=1e-5)
    assert float(about.prior(code[None])) == 0


def test_a_latent_goes_from_space_to_space(model: Model, statistics: WStatistics) -> None:
    z = model.latent(3)
    code = torch.from_numpy(z)
    expected = model.subject(3).ws[0]
    spaces = [space_of(model, statistics, name) for name in ("z", "w", "w+")]
    assert torch.equal(spaces[0].ws(code[None])[0], expected)
    for new, old in ((spaces[0], spaces[0]), (spaces[1], spaces[0]), (spaces[2], spaces[1])):
        code = code_in(new, old, code)
        torch.testing.assert_close(new.ws(code[None])[0], expected, rtol=0, atol=1e-4)
    straight = code_in(spaces[2], spaces[0], torch.from_numpy(z))
    torch.testing.assert_close(straight, code, rtol=0, atol=1e-3)


def test_spaces_by_name(model: Model, statistics: WStatistics) -> None:
    home = torch.zeros(statistics.axes.shape[0])
    assert isinstance(space_of(model, statistics, "z", home), ZSpace)
    w, plus = space_of(model, statistics, "w", home), space_of(model, statistics, "w+", home)
    assert isinstance(w, WSpace) and w.home is home and w.num_ws == 8
    assert isinstance(plus, WPlusSpace) and plus.home is home and plus.offset is None


def test_candidates(model: Model, statistics: WStatistics) -> None:
    """The mean first where it is asked for; the others are mapped latents of the seed."""
    with_mean = random_candidates(model, statistics, 4, 9, mean=True)
    without = random_candidates(model, statistics, 4, 9, mean=False)
    assert len(with_mean) == len(without) == 4
    assert with_mean[0].z is None and torch.equal(with_mean[0].w, statistics.mean)
    for one, other in zip(with_mean[1:], without, strict=False):
        assert one.z is not None and torch.equal(one.z, other.z) and torch.equal(one.w, other.w)
        torch.testing.assert_close(model.ws(one.z[None])[0, 0], one.w)
    assert not torch.equal(without[0].w, random_candidates(model, statistics, 4, 10, mean=False)[0].w)
    assert len(random_candidates(model, statistics, 1, 9, mean=True)) == 1
