"""Masks re-rendered from the fused labels, so that views agree (beyond the paper; numpy only).

The labels of some views are fused to votes on voxels; any view of that object, of those or another, then takes its labels from them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.pointcloud.fusion import FusionOptions, default_voxel, surface_points
from dnerf_core.pointcloud.voxels import VoxelSums, voxel_corners, voxel_keys
from dnerf_core.rendering.labeled_view import LabeledView


def consistent_masks(
    views: Sequence[LabeledView], num_classes: int, options: FusionOptions | None = None
) -> list[NDArray[np.uint8]]:
    """Each view's mask with every part pixel's label decided by all views: `relabelled` by their `fused_votes`, which have the arguments.

    Raises:
        UsageError: no views, or one has no mask.
    """
    votes = fused_votes(views, num_classes, options)
    return [relabelled(view, votes) for view in views]


def fused_votes(views: Sequence[LabeledView], num_classes: int, options: FusionOptions | None = None) -> VoxelSums:
    """What views say of each place, on voxels; the same bit for bit whatever the views' order.

    Args:
        views: of one object at rest, at least one, with masks.
        num_classes: with background.
        options: of the fusion; its `voxel` is how far a vote reaches, `points` is not read.

    Raises:
        UsageError: no views, or one has no mask.
    """
    for view in views:
        view.label_ids()
    options = options or FusionOptions()
    pieces = surface_points(views, options)
    voxel = options.voxel
    if voxel is None:
        # without a surface there are no votes, and no size to tell the voxels' from
        voxel = default_voxel(views, pieces) if any(view.has_surface().any() for view in views) else 1.0
    return functools.reduce(VoxelSums.plus, (piece.sums(voxel, num_classes) for piece in pieces))


def relabelled(view: LabeledView, votes: VoxelSums) -> NDArray[np.uint8]:
    """A view's mask with every part pixel's label decided by the votes.

    A pixel is back-projected by its own depth, and takes the class with most votes there: those of the eight voxels round the place,
    weighted by how near their centres are (trilinear). Background stays background, and the other way round, so silhouettes do not
    move; a pixel at whose place nothing was fused, such as a flying one, keeps its label.

    Args:
        view: with a mask, of the object that the votes are of.
        votes: see `fused_votes`.

    Raises:
        UsageError: the view has no mask.
    """
    before = view.label_ids()
    pixels = view.has_surface()
    there = votes_at(view.points_of(pixels), votes)
    mask = before.copy()
    mask[pixels] = np.where(there.any(axis=1), there.argmax(axis=1), before[pixels])
    return mask


def votes_at(points: NDArray[np.float64], sums: VoxelSums) -> NDArray[np.float64]:
    """Trilinear mean of the votes [N, C] round points [N, 3], not normalised; 0 where nothing was fused."""
    low = points - sums.voxel / 2  # the voxel with the next lower centre along each axis
    share = (low - voxel_corners(voxel_keys(low, sums.voxel), sums.voxel)) / sums.voxel
    votes = np.zeros((len(points), sums.votes.shape[1]))
    if not len(sums.keys):
        return votes
    for corner in np.ndindex(2, 2, 2):
        upper = np.array(corner, dtype=bool)
        keys = voxel_keys(low + upper * sums.voxel, sums.voxel)
        place = np.minimum(np.searchsorted(sums.keys, keys), len(sums.keys) - 1)
        weight = np.where(upper, share, 1 - share).prod(axis=1) * (sums.keys[place] == keys)
        votes += weight[:, None] * sums.votes[place]
    return votes
