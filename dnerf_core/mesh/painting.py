"""Colours and labels of a surface's vertices: what the views show of each, and what runs on along the surface where none sees it.

Each vertex is projected into every view; those that see it, by their depth, give their pixel's colour and their vote for a label,
weighted by how squarely they look. A vertex that no view sees, such as one below a car, takes what a random walk along the surface meets
first (Grady 2006): steps over an edge are as likely as the surface goes on straight there, so that labels stop at creases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.mesh.options import needed
from dnerf_core.mesh.surface import Surface
from dnerf_core.multiview.carrying import TOLERANCE_SHARE, seen_from
from dnerf_core.pointcloud.cutting import MAX_INCIDENCE_DEG
from dnerf_core.rendering.labeled_view import LabeledView

CREASE_SHARPNESS = 5.0
"""An edge is stepped over exp(-5 * difference of its ends' unit normals) times as often as one that lies flat."""

_WEIGHT_STEPS = 255


@dataclass(frozen=True, eq=False)
class Paint:
    """What V vertices look like.

    Attributes:
        colors: uint8 [V, 3], RGB as in the pictures.
        labels: uint8 [V], part ids; 0 where nothing tells, see `PointCloud`; None without masks.
        confidence: float32 [V] in [0, 1], the label's share of the votes; 0: no view sees the vertex, its label was carried along the
            surface. None without masks.
    """

    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None
    confidence: NDArray[np.float32] | None

    def select(self, chosen: NDArray[np.int64]) -> Paint:
        """That of the vertices of the indices [M]."""
        return Paint(
            self.colors[chosen],
            None if self.labels is None else self.labels[chosen],
            None if self.confidence is None else self.confidence[chosen],
        )


@dataclass(frozen=True, eq=False)
class _Sums:
    """Whole numbers, so that they do not depend on the views' order: `weight` [V], `color` [V, 3] and `votes` [V, C], weighted."""

    weight: NDArray[np.int64]
    color: NDArray[np.int64]
    votes: NDArray[np.int64]


def painted(surface: Surface, views: Sequence[LabeledView], num_classes: int) -> Paint:
    """The paint of a surface's vertices, by views of it.

    Args:
        views: all with masks or none; ids from `num_classes` on and background give no vote.
        num_classes: with background; not read where views have no masks.

    Raises:
        UsageError: scipy is missing.
    """
    normals = surface.normals()
    labelled = any(view.mask is not None for view in views)
    sums = _sums(surface, normals, views, num_classes if labelled else 0)
    walk = _Walk.along(surface, normals)
    seen = sums.weight > 0
    colors = np.zeros((len(seen), 3))
    colors[seen] = sums.color[seen] / sums.weight[seen, None]
    shown = np.rint(np.clip(walk.carried(colors, seen), 0, 255)).astype(np.uint8)
    if not labelled:
        return Paint(shown, None, None)
    total = sums.votes.sum(axis=1)
    shares = sums.votes / np.maximum(total, 1)[:, None]
    confidence = shares.max(axis=1, initial=0).astype(np.float32)
    labels = walk.carried(shares, total > 0).argmax(axis=1).astype(np.uint8)
    return Paint(shown, labels, confidence)


def _sums(surface: Surface, normals: NDArray[np.float64], views: Sequence[LabeledView], num_classes: int) -> _Sums:
    count = len(surface.vertices)
    tolerance = TOLERANCE_SHARE * float(np.ptp(surface.vertices, axis=0).max())
    squarest = np.cos(np.radians(MAX_INCIDENCE_DEG))
    sums = _Sums(np.zeros(count, np.int64), np.zeros((count, 3), np.int64), np.zeros((count, num_classes), np.int64))
    for view in views:
        vertex, pixel = seen_from(view.camera, view.depth_planar, surface.vertices, tolerance)
        towards = view.camera.position - surface.vertices[vertex]
        cosine = (towards * normals[vertex]).sum(axis=1) / np.linalg.norm(towards, axis=1)
        facing = cosine >= squarest
        vertex, pixel, weight = vertex[facing], pixel[facing], np.rint(_WEIGHT_STEPS * cosine[facing]).astype(np.int64)
        sums.weight[vertex] += weight  # a vertex is in a view once
        sums.color[vertex] += weight[:, None] * view.rgb.reshape(-1, 3)[pixel].astype(np.int64)
        if view.mask is not None:
            label = view.mask.reshape(-1)[pixel]
            part = (label > 0) & (label < num_classes)
            sums.votes[vertex[part], label[part]] += weight[part]
    return sums


@dataclass(frozen=True, eq=False)
class _Walk:
    """How likely a random walk steps from vertex to vertex: a sparse symmetric matrix [V, V] of weights, and their sums [V]."""

    steps: object
    total: NDArray[np.float64]

    @classmethod
    def along(cls, surface: Surface, normals: NDArray[np.float64]) -> _Walk:
        sparse = needed("scipy.sparse", "scipy", "mesh")
        ends, count = surface.edges(), len(surface.vertices)
        weight = np.exp(-CREASE_SHARPNESS * np.linalg.norm(normals[ends[:, 0]] - normals[ends[:, 1]], axis=1))
        rows, columns = np.concatenate([ends, ends[:, ::-1]]).T
        steps = sparse.coo_matrix((np.concatenate([weight, weight]), (rows, columns)), (count, count)).tocsr()
        return cls(steps, np.asarray(steps.sum(axis=1))[:, 0])

    def carried(self, values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The values [V, C] where they are known, and elsewhere the mean of the known ones that a walk from there meets first.

        It is 0 on pieces without a known value.
        """
        linalg, sparse = needed("scipy.sparse.linalg", "scipy", "mesh"), needed("scipy.sparse", "scipy", "mesh")
        unknown, given = np.flatnonzero(~known), np.flatnonzero(known)
        if not len(unknown) or not len(given):
            return values
        steps: NDArray[np.float64] = self.steps[unknown]  # type: ignore[index]
        # the tiny term makes pieces without a known value solvable: they get 0
        total = self.total[unknown] * (1 + 1e-9) + 1e-12
        matrix = sparse.diags(total) - steps[:, unknown]
        right, preconditioner = steps[:, given] @ values[given], sparse.diags(1 / total)
        filled = values.copy()
        for column in range(values.shape[1]):
            filled[unknown, column], _ = linalg.cg(matrix, right[:, column], rtol=1e-6, maxiter=5000, M=preconditioner)
        return filled
