"""A view of a subject laid into a view of a scene from the same camera: in every pixel the nearer of both is seen (numpy only).

Convention: a pixel's mask and depth are those of the ray through its centre; colours are display sRGB, mixed as `over` mixes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.rendering.labeled_view import PartialView
from dnerf_core.shapes import check_shapes

FRINGE_PX = 4
"""How far colours and depths of the subject are carried beyond its solid pixels, at least: its edge is no wider in most pictures."""
SOLID = 0.9
"""A pixel whose light the subject stops so far shows nothing of what is behind it."""


@dataclass(frozen=True, eq=False)
class SceneView:
    """What a scene shows.

    Attributes:
        picture: uint8 [S, S, 4], display sRGB, alpha not multiplied in: 255 where the picture is no hole.
        depth_planar: float32 [k S, k S], planar depth of k x k rays a pixel, k odd, so that one goes through its centre; in the
            subject's world units, +inf where nothing is met.
        mask: uint8 [k S, k S], the label ids of the same rays; 0 where nothing is met, and of what has no label.

    Raises:
        UsageError: arrays of other types or sizes.
    """

    picture: NDArray[np.uint8]
    depth_planar: NDArray[np.float32]
    mask: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_shapes(
            picture=(self.picture, "uint8 S S 4"), depth_planar=(self.depth_planar, "float32 F F"), mask=(self.mask, "uint8 F F")
        )
        side, rays = len(self.picture), len(self.depth_planar)
        if rays % side or not rays // side % 2:
            raise UsageError(
                f"scene: expected an odd number of rays a pixel of {side} px, found {rays} px of rays; render it again"
            )

    @property
    def rays_a_side(self) -> int:
        """k."""
        return len(self.depth_planar) // len(self.picture)

    @property
    def center_depth(self) -> NDArray[np.float32]:
        """float32 [S, S], of the pixels' centres."""
        first, step = self.rays_a_side // 2, self.rays_a_side
        return self.depth_planar[first::step, first::step]

    @property
    def center_mask(self) -> NDArray[np.uint8]:
        """uint8 [S, S], likewise."""
        first, step = self.rays_a_side // 2, self.rays_a_side
        return self.mask[first::step, first::step]


def in_scene(view: PartialView, scene: SceneView, background: float | None, ray_px: float = 1.0) -> PartialView:
    """The view with the scene around its subject, before it and behind it.

    A pixel whose centre shows the subject keeps the subject's label and depth where the scene is not nearer; every other pixel has the
    scene's. Colours are out = v (a C + (1 - a) B) + (1 - v) F: a is how much of the pixel the subject covers, v how much of that no ray of
    the scene is before, C the subject's colour, B and F the scene's colours behind and before it.

    Args:
        view: with rgb and depth; without a mask all of the subject has the label 1. Its coverage may be missing: then it ends hard.
        background: the gray in [0, 1] that the view's rgb has behind the subject; None: a painted one.
        ray_px: how many pixels a ray of the view's coverage is wide. The edge that it blurs is made a pixel wide again.

    Raises:
        UsageError: rgb or depth is missing, or of another size than the scene.
    """
    rgb, depth = view.rgb, view.depth_planar
    if rgb is None or depth is None:
        raise UsageError("view: expected rgb and depth to lay it into a scene, found one missing; ask for both")
    check_shapes(
        rgb=(rgb, "uint8 S S 3"), depth=(depth, "float32 S S"), mask=(view.mask, "uint8 S S"), scene=(scene.picture, "S S 4")
    )
    own = np.isfinite(depth).astype(np.uint8) if view.mask is None else view.mask
    present = np.isfinite(depth) & (own != 0)
    shown = (own != 0) & (depth <= scene.center_depth)  # a label without a depth stays where the scene is nothing
    coverage = present.astype(np.float32) if view.coverage is None else view.coverage
    if view.coverage is not None:  # a field's own background has a depth and no part
        coverage = np.where(np.isfinite(depth) & ~present, np.float32(0), coverage)
    reach_px = max(FRINGE_PX, round(ray_px))
    color = _subject_color(rgb, coverage, background, reach_px)
    share = np.clip((coverage - 0.5) * max(1.0, ray_px) + 0.5, 0, 1)
    near, known = _spread(np.where(present, depth, 0)[..., None], present, reach_px)
    free = _free_share(np.where(known, near[..., 0], np.inf), scene)
    behind = rgb.astype(np.float32) / 255 if background is None else np.full(3, background, np.float32)
    return replace(
        view,
        rgb=_mixed(color, share, free, scene, behind),
        mask=np.where(shown, own, scene.center_mask),
        depth_planar=np.where(shown, depth, scene.center_depth),
        uncertainty=None,
        coverage=None,
    )


def _subject_color(
    rgb: NDArray[np.uint8], coverage: NDArray[np.floating], background: float | None, reach_px: int
) -> NDArray[np.floating]:
    """The subject's colours [S, S, 3] without what is behind it: at its edge those of the solid pixels nearby.

    Where there are none, as in parts thinner than a ray, the background is taken out by how much of it is seen.
    """
    own, a = rgb.astype(np.float32) / 255, coverage[..., None]
    solid = coverage >= SOLID
    carried, known = _spread(own, solid, reach_px)
    thin = own if background is None else np.clip((own - (1 - a) * background) / np.maximum(a, 1 / 255), 0, 1)
    return np.where(solid[..., None], own, np.where(known[..., None], carried, thin))


def _mixed(
    color: NDArray[np.floating],
    share: NDArray[np.floating],
    free: NDArray[np.floating],
    scene: SceneView,
    behind: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """The picture; see `in_scene`. Where the subject is not, or is hidden, it is the scene's to the bit.

    Args:
        color, share: of the subject, C and a; free: v; behind: what holes of the scene's picture show, [S, S, 3] or [3].
    """
    opaque = scene.picture[..., 3:].astype(np.float32) / 255
    around = np.asarray(scene.picture[..., :3].astype(np.float32) / 255 * opaque + (1 - opaque) * behind, np.float32)
    nearest, found = _neighbor_mean(around, (free == 0) & np.isfinite(scene.center_depth))
    front = np.where(((free > 0) & (free < 1) & found)[..., None], nearest, around)
    a, v = share[..., None], free[..., None]
    mixed = np.where(a > 0, v * (a * color + (1 - a) * around) + (1 - v) * front, around)
    return np.rint(255 * np.clip(mixed, 0, 1)).astype(np.uint8)


def _free_share(depth: NDArray[np.floating], scene: SceneView) -> NDArray[np.float32]:
    """float32 [S, S]: the share of a pixel's rays on which the scene is not before the subject, which lies at one depth in a pixel."""
    side, k = len(depth), scene.rays_a_side
    rays = scene.depth_planar.reshape(side, k, side, k)
    return (depth.astype(np.float32)[:, None, :, None] <= rays).mean(axis=(1, 3), dtype=np.float32)


def _spread(
    values: NDArray[np.floating], known: NDArray[np.bool_], reach_px: int
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Values [S, S, C] of the known pixels carried into the others, at most so far; and which are known then."""
    for _ in range(reach_px):
        mean, found = _neighbor_mean(values, known)
        values = np.where((~known & found)[..., None], mean, values)
        known = known | found
    return values, known


def _neighbor_mean(values: NDArray[np.floating], known: NDArray[np.bool_]) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """The mean [S, S, C] over those of a pixel's 3 x 3 that are known, itself among them, and where there are such."""
    side = len(known)
    counts = np.pad(known.astype(np.float32), 1)
    sums = np.pad(np.where(known[..., None], values, 0), ((1, 1), (1, 1), (0, 0)))
    windows = [(slice(row, row + side), slice(column, column + side)) for row in range(3) for column in range(3)]
    count: NDArray[np.floating] = np.sum([counts[window] for window in windows], axis=0)
    total: NDArray[np.floating] = np.sum([sums[window] for window in windows], axis=0)
    return total / np.maximum(count, 1)[..., None], count > 0
