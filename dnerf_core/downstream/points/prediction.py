"""The parts of a strange cloud: of any size, unit, place and, where a network was trained for scans, heading.

Stray points are set aside and the rest is thinned to an even spacing, dealt out to draws of as many points as the network was trained
on, and seen at several headings; probabilities are averaged and carried to every point by its nearest neighbours. A cloud's order changes
nothing but which of its points are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.downstream.network_file import NetworkFile, load_network_file
from dnerf_core.downstream.points.networks import PointSettings, check_familiar, from_file
from dnerf_core.downstream.points.normalising import headings_rad, normalised, turned
from dnerf_core.downstream.points.recipes import RECIPES
from dnerf_core.errors import UsageError, counted
from dnerf_core.files.camera_files.turning import FILE_UPS, FileUp, to_y_up
from dnerf_core.labels import LabelSet
from dnerf_core.shapes import check_shapes
from dnerf_core.work.interruption import checkpoint

if TYPE_CHECKING:
    from torch import nn

HEADINGS = 12
"""Where a recipe is for any heading and no number is given."""
DRAWS = 4
"""Of a cloud that has points for so many."""
NEIGHBOURS = 3
"""Drawn points that a point which was not drawn takes its probabilities from."""
_STRANGE_SHARE, _STRANGE_HEADINGS = 8, 6
"""Of a cloud so many times the network's points, and so many headings, tell how strange it is."""
_ROWS_A_PASS = 2**17
"""Points that go through a network at once."""


@dataclass(frozen=True, eq=False)
class PointSegmenter:
    """A network of points, loaded once for any number of clouds.

    Attributes:
        network: in the mode for prediction, on the device where it computes.
    """

    network: nn.Module
    labels: LabelSet
    settings: PointSettings

    @classmethod
    def load(cls, path: str | Path | NetworkFile, device: torch.device | str = "cpu") -> PointSegmenter:
        """That of a network file.

        Raises:
            CheckpointError: no network file of points, or one that is damaged.
        """
        file = path if isinstance(path, NetworkFile) else load_network_file(path, "points")
        network, settings = from_file(file).to(device), PointSettings.from_header(file.header)
        check_familiar(network, settings, file.header)
        return cls(network, file.header.labels, settings)

    def predict(
        self, points: NDArray[np.floating], *, up: FileUp = "y", headings: int | None = None, draws: int = DRAWS, seed: int = 0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """See `predict_cloud`."""
        scores = self.probabilities(points, up=up, headings=headings, draws=draws, seed=seed)
        return (scores.argmax(axis=1) + 1).astype(np.uint8), scores.max(axis=1)

    def probabilities(
        self, points: NDArray[np.floating], *, up: FileUp = "y", headings: int | None = None, draws: int = DRAWS, seed: int = 0
    ) -> NDArray[np.float32]:
        """Probabilities of the parts, float32 [N, P], the column of label k being k - 1; see `predict_cloud`."""
        recipe = RECIPES[self.settings.recipe]
        if headings is None:
            headings = HEADINGS if recipe.any_heading else 1
        _check(points, up, headings, draws)
        upright = _plain(points, up)
        inside = np.arange(len(upright))
        if recipe.cut_outliers:
            from dnerf_core.downstream.points.neighbours import stray

            inside = np.flatnonzero(~stray(upright))
        chosen = inside[_thinned(upright[inside], draws * self.settings.points, np.random.default_rng(seed))]
        scores = self._of_draws(torch.from_numpy(upright), torch.from_numpy(chosen), headings)
        return _carried(upright, chosen, scores)

    @torch.no_grad()
    def strangeness(self, points: NDArray[np.floating], *, up: FileUp = "y", seed: int = 0) -> float | None:
        """How unlike the clouds that the network learned from one is: about 1 of the like; None: the network does not know.

        Args:
            points, up, seed: see `predict_cloud`.

        Raises:
            UsageError: as `predict_cloud`.
        """
        familiar, recipe, count = self.settings.familiar, RECIPES[self.settings.recipe], self.settings.points
        _check(points, up, 1, 1)
        if familiar is None:
            return None
        chance = np.random.default_rng(seed)
        some = _plain(points, up)
        some = some[_thinned(some, _STRANGE_SHARE * count, chance)]
        if recipe.cut_outliers:
            from dnerf_core.downstream.points.neighbours import stray

            some = some[~stray(some)]
        some = some[_thinned(some, count, chance)]
        seen = torch.from_numpy(some)[torch.arange(count) % len(some)]
        angles = headings_rad(_STRANGE_HEADINGS if recipe.any_heading else 1)
        views = normalised(turned(seen[None].expand(len(angles), -1, -1), angles), recipe.normalisation)
        device = next(self.network.parameters()).device
        features: Tensor = self.network.cloud_features(views.to(device))  # type: ignore[operator]  # of every network in `networks`
        return familiar.distance(features.float().cpu())

    @torch.no_grad()
    def _of_draws(self, points: Tensor, chosen: Tensor, headings: int) -> NDArray[np.float32]:
        """Probabilities [M, P] of the chosen points [M], dealt out to draws; the last draw is filled up with points of the others."""
        device = next(self.network.parameters()).device
        count = self.settings.points
        full = math.ceil(len(chosen) / count) * count
        dealt = torch.arange(full) % len(chosen)
        angles = headings_rad(headings)
        at_once = max(1, _ROWS_A_PASS // count)
        total = torch.zeros(len(chosen), self.labels.num_classes - 1)
        for draw in dealt.reshape(-1, count):
            seen = points[chosen[draw]][None].expand(headings, -1, -1)
            views = normalised(turned(seen, angles), RECIPES[self.settings.recipe].normalisation)
            for start in range(0, headings, at_once):
                checkpoint()
                logits = self.network(views[start : start + at_once].to(device)).float().cpu()
                total.index_add_(0, draw, logits.softmax(dim=-1).sum(dim=0))
        return (total / total.sum(dim=1, keepdim=True)).numpy()


def predict_cloud(
    network_file: str | Path,
    points: NDArray[np.floating],
    *,
    up: FileUp = "y",
    headings: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The part of every point of a cloud.

    Args:
        network_file: that `train-pointnet` wrote.
        points: [N, 3] finite, N at least 1, any unit and place, in a right-handed frame.
        up: which of the frame's axes points up.
        headings: how many turns about it the cloud is seen at; None: 12 where the network was trained for any heading, else 1.
        draws: of as many points as the network was trained on; a cloud that has fewer points gets fewer.
        seed: which points are drawn.

    Returns:
        Label ids uint8 [N], never 0, and confidence float32 [N] in [0, 1]: the label's mean probability.

    Raises:
        CheckpointError: no network file of points, or one that is damaged.
        UsageError: points or an option that are none of these.
    """
    return PointSegmenter.load(network_file, device).predict(points, up=up, headings=headings, draws=draws, seed=seed)


def _check(points: NDArray[np.floating], up: str, headings: int, draws: int) -> None:
    check_shapes(UsageError, points=(points, "float N 3", "pass x, y and z of each point"))
    if not len(points):
        raise UsageError("points: expected at least one, found none; choose another cloud")
    strange = len(points) - int(np.isfinite(points).all(axis=1).sum())
    if strange:
        raise UsageError(f"points: expected finite coordinates, found {counted(strange, 'point')} without; leave them out")
    if up not in FILE_UPS:
        raise UsageError(f"up: expected one of {', '.join(FILE_UPS)}, found {up!r}; choose the axis that points up")
    for name, value, high in (("headings", headings, 360), ("draws", draws, 10_000)):
        if not 1 <= value <= high:
            raise UsageError(f"{name}: expected a whole number from 1 to {high}, found {value}; choose another")


def _plain(points: NDArray[np.floating], up: FileUp) -> NDArray[np.float32]:
    """The cloud about its middle with y up and sides of about 1, so that float32 is exact enough wherever it lay: float32 [N, 3]."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    size = float((high - low).max())
    middle = (points - (low + high) / 2) / (size if size > 0 else 1.0)
    return np.ascontiguousarray(middle @ to_y_up(up)[:3, :3].T, np.float32)


def _thinned(points: NDArray[np.float32], count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Indices of about `count` evenly spaced points in random order: one of each cell of a grid; all of them where there are fewer."""
    order = chance.permutation(len(points))
    if len(points) <= count:
        return order
    low, high = 1e-5, 1.0
    best = order
    for _ in range(20):  # cells are halved in size or doubled until there are as many as points are wanted
        cell = math.sqrt(low * high)
        first = _one_a_cell(points[order], cell)
        if len(first) >= count:
            low, best = cell, order[first]
            if len(first) <= 1.1 * count:
                break
        else:
            high = cell
    return best[:count]


def _one_a_cell(points: NDArray[np.float32], cell: float) -> NDArray[np.int64]:
    """The first point of each cell, in the points' order."""
    places = np.floor((points + 1.0) / cell).astype(np.int64)
    keys = (places[:, 0] * 2**21 + places[:, 1]) * 2**21 + places[:, 2]
    return np.sort(np.unique(keys, return_index=True)[1])


def _carried(points: NDArray[np.float32], chosen: NDArray[np.int64], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores [M, P] of the chosen points [M] at all points: means of the nearest ones', weighted by the inverse of their distance."""
    from dnerf_core.downstream.points.neighbours import nearest

    result = np.empty((len(points), scores.shape[1]), np.float32)
    result[chosen] = scores
    others = np.setdiff1d(np.arange(len(points)), chosen)
    if len(others):
        distance, index = nearest(points[chosen], points[others], min(NEIGHBOURS, len(chosen)))
        weights = 1.0 / (distance + 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        result[others] = (scores[index] * weights[..., None]).sum(axis=1)
    return result
