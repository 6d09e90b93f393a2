"""What a segmenter's numbers mean: the temperature that makes its confidence true, and what tells pictures unlike those it knows.

Temperature: Guo et al. 2017 (arXiv 1706.04599). Energy: Liu et al. 2020 (arXiv 2010.03759), here its negative, the logarithm of the sum of
the exponentials of a pixel's class scores, which falls where nothing that was learned is seen, even where the softmax is sure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from dnerf_core.errors import CheckpointError, brief
from dnerf_core.labels import IGNORE_ID
from dnerf_core.photographs.backgrounds.flat import clutter

if TYPE_CHECKING:
    from torch import Tensor

LOWEST_T, HIGHEST_T = 0.25, 8.0
LOWEST_ENERGY = -1e6
_LOW, _HIGH = 0.02, 0.95
"""Quantiles of the energies of pictures that are alike, and of those that are not."""
_LEAST_SHARE = 0.25
"""Of the lowest share of parts in views that the network knows, what a picture has at least."""
_PIXELS_A_VIEW = 2048
_CLUTTER_PX = 128
"""Side of clutter at most, which costs by the pixel."""
_FEW = 4
"""Foreign pictures with parts below which nothing is told by them."""


@dataclass(frozen=True)
class Calibration:
    """What was measured on a network when it was trained.

    Attributes:
        temperature: class scores are divided by it before the softmax.
        energy: mean energy of the parts' pixels below which a picture is unlike those that it learned from.
        share: of a picture that parts cover, below which next to nothing was found.
        views: how many pictures it was measured on.
    """

    temperature: float
    energy: float
    share: float
    views: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str) -> Calibration:
        """What `to_json` gave.

        Raises:
            CheckpointError: it is something else.
        """
        if not isinstance(data, Mapping) or set(data) != {"temperature", "energy", "share", "views"}:
            raise CheckpointError(
                f"{where}: expected temperature, energy, share and views, found {brief(data)}; use the datasetnerf that wrote it"
            )
        for name, (low, high) in {
            "temperature": (LOWEST_T, HIGHEST_T),
            "energy": (LOWEST_ENERGY, 1e6),
            "share": (0.0, 1.0),
            "views": (1, 1e9),
        }.items():
            value = data[name]
            if type(value) not in (int, float) or not low <= value <= high:
                raise CheckpointError(
                    f"{where}: {name}: expected a number from {low:g} to {high:g}, found {brief(value)}; train it again"
                )
        return cls(float(data["temperature"]), float(data["energy"]), float(data["share"]), int(data["views"]))


@dataclass(frozen=True)
class Look:
    """What one picture's class scores tell.

    Attributes:
        share: of its pixels that are not background.
        energy: their mean, of all pixels where none is.
    """

    share: float
    energy: float

    @classmethod
    def at(cls, scores: Tensor) -> Look:
        """Of class scores [C, H, W] before softmax."""
        energy, parts = torch.logsumexp(scores.float(), dim=0), scores.argmax(dim=0) != 0
        share = float(parts.float().mean())
        return cls(share, float(energy[parts].mean() if share else energy.mean()))


class Sampled:
    """Some pixels of each of many views, at which the temperature is fitted."""

    def __init__(self) -> None:
        self._scores: list[Tensor] = []
        self._truths: list[Tensor] = []

    def add(self, scores: Tensor, truth: NDArray[np.uint8]) -> None:
        """A view: class scores [C, H, W] and truth uint8 [H, W]. Pixels count that show a part or were called one."""
        ids = torch.from_numpy(truth.astype(np.int64)).to(scores.device)
        chosen = torch.nonzero(((ids != 0) | (scores.argmax(dim=0) != 0)) & (ids != IGNORE_ID))
        chosen = chosen[:: max(1, len(chosen) // _PIXELS_A_VIEW)]
        self._scores.append(scores[:, chosen[:, 0], chosen[:, 1]].T.double().cpu())
        self._truths.append(ids[chosen[:, 0], chosen[:, 1]].cpu())

    def temperature(self) -> float:
        """At which the views' labels are likeliest; 1 of no pixel."""
        every, ids = torch.cat(self._scores), torch.cat(self._truths)
        if not len(ids):
            return 1.0
        low, high = math.log(LOWEST_T), math.log(HIGHEST_T)
        golden = (math.sqrt(5) - 1) / 2

        def loss(log_t: float) -> float:
            return float(F.cross_entropy(every / math.exp(log_t), ids))

        for _ in range(32):  # the loss has one valley in 1 / T
            left, right = high - golden * (high - low), low + golden * (high - low)
            low, high = (low, right) if loss(left) < loss(right) else (left, high)
        return round(math.exp((low + high) / 2), 4)


def calibration_of(temperature: float, alike: Sequence[Look], foreign: Sequence[Look]) -> Calibration:
    """Where the border lies between pictures that a network knows, and others.

    The border of energies is half way from the lowest of what it knows to the highest of what it does not; where these overlap, or too few
    foreign pictures have parts, what it knows decides alone.

    Args:
        alike: views with parts that the network has learned from, or better, has not.
    """
    if not alike:  # no view shows a part: nothing is told by them
        return Calibration(temperature, LOWEST_ENERGY, 0.0, 1)
    share = _LEAST_SHARE * float(np.quantile([look.share for look in alike], _LOW))
    known = np.array([look.energy for look in alike])
    low = float(np.quantile(known, _LOW))
    energy = low - (float(np.median(known)) - low)
    strange = [look.energy for look in foreign if look.share > share]
    if len(strange) >= _FEW:
        high = float(np.quantile(strange, _HIGH))
        energy = (low + high) / 2 if high < low else low
    return Calibration(temperature, round(energy, 6), round(share, 6), len(alike))


def foreign_picture(view: NDArray[np.uint8], number: int, seed: int) -> NDArray[np.uint8]:
    """A picture uint8 [H, W, 3] of nothing that anyone learns from: a view's patches in another order, clouds of colour, or clutter.

    Args:
        number: of the view; it tells which of these.
    """
    rng = np.random.default_rng((seed, number, 13))
    height, width = view.shape[:2]
    kind = number % 3
    if kind == 0:
        return _shuffled(view, rng)
    if kind == 1:
        return _clouds(height, width, rng)
    return np.rint(255 * clutter(rng, (min(width, _CLUTTER_PX), min(height, _CLUTTER_PX)))).astype(np.uint8)


def _shuffled(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    side = max(1, min(view.shape[:2]) // 8)
    rows, columns = view.shape[0] // side, view.shape[1] // side
    patches = (
        view[: rows * side, : columns * side].reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    )
    mixed = patches[rng.permutation(len(patches))].reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    return np.ascontiguousarray(mixed.reshape(rows * side, columns * side, 3))


def _clouds(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Smooth noise of several scales."""
    total = np.zeros((1, 3, height, width), np.float32)
    for cells in (4, 9, 21, 47):
        coarse = torch.from_numpy(rng.standard_normal((1, 3, cells, cells)).astype(np.float32))
        total += F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False).numpy() / math.sqrt(cells)
    values = 127 + 110 * total[0] / max(float(np.abs(total).max()), 1e-6)
    return np.ascontiguousarray(np.rint(values).astype(np.uint8).transpose(1, 2, 0))
