"""From views to one point cloud (paper, section 3.3 and Fig. 3; numpy only).

The paper back-projects each view's labels by its depth and merges the points. Here flying pixels are cut first (`cutting`), and points
are fused on voxels: places, colours and normals averaged, labels by vote, all weighted by how squarely a surface was seen.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.errors import DNeRFError, UsageError
from dnerf_core.labels import IGNORE_ID, LabelSet, check_ids
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.cutting import MAX_INCIDENCE_DEG, SLACK_STEPS, FreeSpace, breaks_off, seen_through
from dnerf_core.pointcloud.planes import fit_planes
from dnerf_core.pointcloud.thinning import every_so_many, farthest_points
from dnerf_core.pointcloud.voxels import VoxelSums, voxel_keys
from dnerf_core.rendering.labeled_view import LabeledView

VOXELS_A_SIDE = 200
"""Voxels along the object's longest side where no size is asked for and the pixels allow it."""

PIXELS_A_VOXEL = 1.5
"""Least side of such voxels, in pixels on the surface: in smaller ones most points are alone, and nothing is averaged or outvoted."""

FARTHEST_POINTS_MAX = 8192
"""Counts up to this are chosen by farthest-point sampling, two seconds on one core; larger ones by the voxel's size."""

FARTHEST_CANDIDATES = 3
"""Candidates for each point that farthest-point sampling chooses."""


class NoSurfaceError(DNeRFError):
    """Views show no surface that all of them agree on."""


@dataclass(frozen=True)
class FusionOptions:
    """How views are fused.

    Attributes:
        voxel: side of the voxels, world units, one point each; None: see `default_voxel`.
        points: exactly so many points instead; None: as many as there are voxels.
        max_incidence_deg, slack_steps: limits of the cut, see `cutting`.
        tolerance_share: how far in front of another view's surface a point may stand, as a share of the longest side.

    Raises:
        UsageError: a value out of range, or both `voxel` and `points`.
    """

    voxel: float | None = None
    points: int | None = None
    max_incidence_deg: float = MAX_INCIDENCE_DEG
    slack_steps: float = SLACK_STEPS
    tolerance_share: float = 0.01

    def __post_init__(self) -> None:
        if self.voxel is not None and self.points is not None:
            raise UsageError("voxel and points: expected one of them, found both; a count decides the voxels' size")
        below = dict.fromkeys(("voxel", "points", "slack_steps", "tolerance_share"), np.inf) | {"max_incidence_deg": 90.0}
        for name, limit in below.items():
            value = getattr(self, name)
            if value is not None and not 0 < value < limit:
                raise UsageError(f"{name}: expected a number above 0 and below {limit:g}, found {value!r}; choose another")


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points of one view that passed the cut, float64 world frame, with what their pixels showed; `weights` is the cosine of incidence."""

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None
    weights: NDArray[np.float64]

    def sums(self, voxel: float, num_classes: int) -> VoxelSums:
        """On voxels of that side."""
        return VoxelSums.from_points(
            self.points, self.normals, self.colors, self.labels, self.weights, voxel=voxel, num_classes=num_classes
        )


def fuse_views(
    views: Sequence[LabeledView],
    num_classes: int | None = None,
    options: FusionOptions | None = None,
    *,
    label_set: LabelSet | None = None,
    world_up: WorldUp = "y",
) -> PointCloud:
    """The point cloud of one object seen from several cameras; the same bit for bit whatever the views' order.

    Args:
        views: of one object at rest, at least one; all with masks or none.
        num_classes: label ids are 0 .. num_classes - 1, 255 gives no vote; not read without masks. None: those of the label set,
            else as many as the masks' highest id asks for.
        label_set, world_up: what the cloud tells of itself, see `PointCloud`.

    Raises:
        UsageError: no views, masks in some only, or more points asked for than there are.
        AnnotationError: a mask has an id that is neither a class nor 255.
        NoSurfaceError: nothing is left of the views after the cut.

    Example:
        >>> subject = model.subject(seed=3)
        >>> views = [subject.render(camera) for camera in orbit_cameras(model.config.cameras, count=8)]
        >>> fuse_views(views, label_set=model.labels).save("car.ply")
    """
    if num_classes is None:
        num_classes = _classes_of(views) if label_set is None else label_set.num_classes
    for index, view in enumerate(views):
        _check_ids(view.mask, num_classes, index)
    cloud = _fused(views, num_classes, options or FusionOptions())
    return dataclasses.replace(cloud, label_set=None if cloud.labels is None else label_set, world_up=world_up)


def _classes_of(views: Sequence[LabeledView]) -> int:
    """One more than the highest id in the views' masks."""
    return 1 + max((int(view.mask[view.mask != IGNORE_ID].max(initial=0)) for view in views if view.mask is not None), default=0)


def _fused(views: Sequence[LabeledView], num_classes: int, options: FusionOptions) -> PointCloud:
    pieces = surface_points(views, options)
    total = sum(len(piece.points) for piece in pieces)
    if not total:
        raise NoSurfaceError(
            f"point cloud: expected a surface in the {len(views)} views, found none that all views agree on; "
            "look at their depth, masks and cameras"
        )
    fuse = functools.partial(_fuse, pieces, num_classes)
    if options.points is None:
        return fuse(options.voxel or default_voxel(views, pieces))
    return _thinned(pieces, fuse, options.points, total)


def surface_points(views: Sequence[LabeledView], options: FusionOptions) -> list[SurfacePoints]:
    """Each view's points that pass the cut.

    Raises:
        UsageError: no views, or masks in some only.
    """
    if not views:
        raise UsageError("views: expected at least one, found none; pass the views of one object")
    if len({view.mask is None for view in views}) > 1:
        raise UsageError("views: expected masks in all of them or in none, found both; leave the others out")
    tolerance = options.tolerance_share * _extent([view.points_of(view.has_surface()) for view in views])
    spaces = [FreeSpace.from_view(view) for view in views]
    return [_points_of(view, [space for space in spaces if space.view is not view], tolerance, options) for view in views]


def _check_ids(mask: NDArray[np.uint8] | None, num_classes: int, index: int) -> None:
    if mask is not None:
        check_ids(mask, num_classes, f"view {index}: mask", "use the label set the masks were made with")


def longest_side(pieces: Sequence[SurfacePoints]) -> float:
    """Of the box round all points, world units; at least 1e-6."""
    return max(_extent([piece.points for piece in pieces]), 1e-6)


def default_voxel(views: Sequence[LabeledView], pieces: Sequence[SurfacePoints]) -> float:
    """`VOXELS_A_SIDE` along the longest side, but at least `PIXELS_A_VOXEL` pixels of the median view at its median depth."""
    steps = [
        float(np.median(view.depth_planar[view.has_surface()])) / view.focal_px for view in views if view.has_surface().any()
    ]
    return max(longest_side(pieces) / VOXELS_A_SIDE, PIXELS_A_VOXEL * float(np.median(steps)))


def _points_of(view: LabeledView, others: Sequence[FreeSpace], tolerance: float, options: FusionOptions) -> SurfacePoints:
    fit = fit_planes(view, options.max_incidence_deg)
    pixels = view.has_surface() & ~breaks_off(view, options.slack_steps)
    pixels &= fit.cosine >= np.cos(np.radians(options.max_incidence_deg))
    points = view.points_of(pixels)
    kept = seen_through(points, others, tolerance) == 0
    return SurfacePoints(
        points[kept],
        fit.normals[pixels][kept],
        view.rgb[pixels][kept],
        None if view.mask is None else view.mask[pixels][kept],
        fit.cosine[pixels][kept],
    )


def _fuse(pieces: Sequence[SurfacePoints], num_classes: int, voxel: float) -> PointCloud:
    sums = functools.reduce(VoxelSums.plus, (piece.sums(voxel, num_classes) for piece in pieces))
    labelled = pieces[0].labels is not None
    labels, confidence = sums.winners()
    return PointCloud(
        sums.points().astype(np.float32),
        sums.normals().astype(np.float32),
        sums.colors(),
        labels if labelled else None,
        confidence if labelled else None,
    )


def _thinned(pieces: Sequence[SurfacePoints], fuse: functools.partial[PointCloud], count: int, total: int) -> PointCloud:
    few = count <= FARTHEST_POINTS_MAX
    candidates = min(count * FARTHEST_CANDIDATES, total) if few else count
    voxel = _voxel_for(np.concatenate([piece.points for piece in pieces]), candidates, longest_side(pieces))
    cloud = fuse(voxel)
    if len(cloud) < count:
        raise UsageError(
            f"points: expected at most {len(cloud)}, which the views hold, found {count}; add views, or a higher resolution"
        )
    return cloud.select(farthest_points(cloud.points, count) if few else every_so_many(len(cloud), count))


def _voxel_for(points: NDArray[np.float64], count: int, side: float) -> float:
    """A voxel size that gives at least `count` voxels and few more, or the smallest size tried if none does.

    Surfaces meet about 1 / size^2 voxels, which the next size tried is taken from; bounds keep the search from running away.
    """
    # few voxels where large, many where small; the lower bound keeps keys in range
    too_small, too_large = max(side / 1e5, float(np.abs(points).max()) / 2**19), side
    voxel = side / VOXELS_A_SIDE
    best = too_small
    for _ in range(24):
        num_voxels = len(np.unique(voxel_keys(points, voxel)))
        if num_voxels >= count:
            best = too_small = voxel
            if num_voxels <= 1.01 * count:
                break
        else:
            too_large = voxel
        guess = voxel * float(np.sqrt(num_voxels / (1.005 * count)))
        voxel = guess if too_small < guess < too_large else float(np.sqrt(too_small * too_large))
    return best


def _extent(pieces: Sequence[NDArray[np.float64]]) -> float:
    filled = [piece for piece in pieces if len(piece)]
    if not filled:
        return 0.0
    low, high = np.min([piece.min(axis=0) for piece in filled], axis=0), np.max([piece.max(axis=0) for piece in filled], axis=0)
    return float((high - low).max())
