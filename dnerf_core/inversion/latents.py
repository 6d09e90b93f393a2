"""The latent spaces that an inversion moves in: z, w, and w+ (one w a layer; Abdal et al., ICCV 2019).

w is measured in standard deviations along its principal axes, over latents that the mapping network makes: one step of the optimiser
then moves every direction by as much of what the generator knows, and the squared length says how usual a latent is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dnerf_core.inversion.settings import Space
from dnerf_core.loaded_model import LoadedModel

STATISTICS_SAMPLES = 10_000
_LEAST_RELATIVE_STD = 1e-3
"""Directions of w in which latents differ by less than this share of the widest one are not moved in."""
LAYER_SPREAD_WEIGHT = 10.0
"""In w+, how much more it counts that layers differ from each other than that all of them are unusual."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A latent to start from: z [z_dim], or None for the mean, and its w [w_dim]."""

    z: Tensor | None
    w: Tensor


@dataclass(frozen=True, eq=False)
class WStatistics:
    """Mean [w_dim] of w, and its principal axes times their standard deviations [k, w_dim]; `inverse` [w_dim, k] undoes `axes`."""

    mean: Tensor
    axes: Tensor
    inverse: Tensor


@torch.no_grad()
def w_statistics(model: LoadedModel, seed: int, samples: int = STATISTICS_SAMPLES) -> WStatistics:
    """Statistics of w over random latents."""
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(samples, model.config.latent.z_dim, generator=rng).to(model.device)
    w = torch.cat([model.ws(part)[:, 0] for part in z.split(1024)]).double()
    mean = w.mean(dim=0)
    covariance = (w - mean).T @ (w - mean) / len(w)
    variance, directions = torch.linalg.eigh(covariance)
    std = variance.clamp_min(0).sqrt()
    kept = std > _LEAST_RELATIVE_STD * std.max()
    std, directions = std[kept], directions[:, kept]
    return WStatistics(mean.float(), (directions * std).T.contiguous().float(), (directions / std).float())


@torch.no_grad()
def random_candidates(model: LoadedModel, statistics: WStatistics, count: int, seed: int, *, mean: bool) -> list[Candidate]:
    """`count` latents to start from, the first of them the mean where `mean` is asked for."""
    rng = torch.Generator().manual_seed(seed + 1)
    z = torch.randn(count, model.config.latent.z_dim, generator=rng).to(model.device)
    drawn = [Candidate(one, w) for one, w in zip(z, model.ws(z)[:, 0], strict=True)]
    return [Candidate(None, statistics.mean), *drawn[: count - 1]] if mean else drawn


class LatentSpace(Protocol):
    """Codes of a space: what the optimiser moves."""

    def code(self, candidate: Candidate) -> Tensor:
        """The code of one latent."""
        ...

    def ws(self, codes: Tensor) -> Tensor:
        """ws [B, num_ws, w_dim] of B codes; differentiable."""
        ...

    def prior(self, codes: Tensor) -> Tensor:
        """How unusual each of B codes is, [B]: about 1 for latents that the mapping network makes, in z about 0."""
        ...


@dataclass(frozen=True, eq=False)
class ZSpace:
    """The mapping network's input; codes [B, z_dim]. The mapping takes the direction only, so no code is more usual than another."""

    model: LoadedModel

    def code(self, candidate: Candidate) -> Tensor:
        """z itself."""
        assert candidate.z is not None
        return candidate.z

    def ws(self, codes: Tensor) -> Tensor:
        """Through the mapping network."""
        return self.model.ws(codes)

    def prior(self, codes: Tensor) -> Tensor:
        """Keeps the length, in which nothing pulls, near that of a random z."""
        return (codes.square().mean(dim=1) - 1).square()


@dataclass(frozen=True, eq=False)
class WSpace:
    """One w for all layers; codes [B, k] in standard deviations.

    Attributes:
        home: [k] or [B, k], where the prior pulls to; None: the mean.
    """

    statistics: WStatistics
    num_ws: int
    home: Tensor | None = None

    def code(self, candidate: Candidate) -> Tensor:
        """In standard deviations from the mean."""
        return (candidate.w - self.statistics.mean) @ self.statistics.inverse

    def code_of_ws(self, ws: Tensor) -> Tensor:
        """Code [k] of the mean w of ws [num_ws, w_dim]."""
        return (ws.mean(dim=0) - self.statistics.mean) @ self.statistics.inverse

    def ws(self, codes: Tensor) -> Tensor:
        """The same w for every layer."""
        w = self.statistics.mean + codes @ self.statistics.axes
        return w[:, None].expand(-1, self.num_ws, -1)

    def prior(self, codes: Tensor) -> Tensor:
        """Mean square distance from home."""
        away = codes if self.home is None else codes - self.home
        return away.square().mean(dim=1)


@dataclass(frozen=True, eq=False)
class WPlusSpace:
    """A w a layer; codes [B, num_ws, k] in standard deviations.

    Attributes:
        home: [num_ws, k] or [B, num_ws, k], where the prior pulls to; None: the mean.
        offset: ws [num_ws, w_dim] that is added to all, for a latent that the axes do not reach; None: nothing.
    """

    statistics: WStatistics
    num_ws: int
    home: Tensor | None = None
    offset: Tensor | None = None

    def code(self, candidate: Candidate) -> Tensor:
        """The same code in every layer."""
        one = (candidate.w - self.statistics.mean) @ self.statistics.inverse
        return one.expand(self.num_ws, -1)

    def code_of_ws(self, ws: Tensor) -> Tensor:
        """Codes [num_ws, k] of ws [num_ws, w_dim]."""
        return (ws - self.statistics.mean) @ self.statistics.inverse

    def ws(self, codes: Tensor) -> Tensor:
        """Each layer by itself."""
        ws = self.statistics.mean + codes @ self.statistics.axes
        return ws if self.offset is None else ws + self.offset

    def prior(self, codes: Tensor) -> Tensor:
        """Mean square distance from home, plus that between the layers, `LAYER_SPREAD_WEIGHT` times."""
        away = codes if self.home is None else codes - self.home
        spread = away - away.mean(dim=1, keepdim=True)
        return away.square().mean(dim=(1, 2)) + LAYER_SPREAD_WEIGHT * spread.square().mean(dim=(1, 2))


def space_of(model: LoadedModel, statistics: WStatistics, name: Space, home: Tensor | None = None) -> LatentSpace:
    """The space of a name; z has no home."""
    num_ws = model.config.latent.num_ws
    if name == "z":
        return ZSpace(model)
    return WSpace(statistics, num_ws, home) if name == "w" else WPlusSpace(statistics, num_ws, home)


@torch.no_grad()
def code_in(new: LatentSpace, old: LatentSpace, code: Tensor) -> Tensor:
    """The code in `new` of a latent that is `code` in `old`, which is a narrower space or of the same kind."""
    if isinstance(new, ZSpace) or type(new) is type(old):
        return code
    assert isinstance(new, WSpace | WPlusSpace)
    return new.code_of_ws(old.ws(code[None])[0])
