"""Masks re-rendered from the fused labels, so that views agree (beyond the paper; numpy only)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.pointcloud.fusion import FusionOptions, default_voxel, surface_points
from dnerf_core.pointcloud.views import DepthView
from dnerf_core.pointcloud.voxels import VoxelSums, voxel_corners, voxel_keys


def consistent_masks(
    views: Sequence[DepthView], num_classes: int, options: FusionOptions | None = None
) -> list[NDArray[np.uint8]]:
    """Each view's mask with every part pixel's label decided by all views.

    A pixel is back-projected by its own depth, and takes the class with most votes there: those of the eight voxels round the place,
    weighted by how near their centres are (trilinear). Background stays background, and the other way round, so silhouettes do not
    move; a pixel at whose place nothing was fused, such as a flying one, keeps its label.

    Args:
        views: of one object at rest, with masks.
        num_classes: with background.
        options: of the fusion whose votes these are; its `voxel` is how far a vote reaches, `points` is not read.

    Raises:
        UsageError: a view has no mask.
    """
    if any(view.mask is None for view in views):
        raise UsageError("views: expected masks in all of them, found one without; leave it out")
    options = options or FusionOptions()
    pieces = surface_points(views, options)
    voxel = options.voxel or default_voxel(views, pieces)
    sums = functools.reduce(VoxelSums.plus, (piece.sums(voxel, num_classes) for piece in pieces))
    return [_relabelled(view, sums) for view in views]


def _relabelled(view: DepthView, sums: VoxelSums) -> NDArray[np.uint8]:
    assert view.mask is not None
    pixels = view.has_surface()
    votes = votes_at(view.points_of(pixels), sums)
    mask = view.mask.copy()
    mask[pixels] = np.where(votes.any(axis=1), votes.argmax(axis=1), view.mask[pixels])
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
