"""Pictures of point clouds in the colours of their labels, seen from above and aside; and a grid of truth beside prediction. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID, LabelSet
from headless.pictures.picture_grid import picture_grid

SIDE_PX = 192
_PLAIN = (90, 100, 115)
_PAPER, _UNKNOWN, _RIGHT, _WRONG = (250, 250, 248), (150, 150, 150), (190, 190, 188), (200, 30, 40)
_YAW_DEG, _PITCH_DEG = 35.0, 25.0
_SUPER = 2
"""Drawn this many times as large and shrunk."""
_FAR_SHARE = 0.35
"""How much the farthest points fade."""


def cloud_picture(points: NDArray[np.floating], colors: NDArray[np.uint8], side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """The picture uint8 [side_px, side_px, 3] of a cloud, without perspective, nearer points over farther ones.

    Args:
        points: [N, 3] finite, y up; the picture is as large as the cloud, but for the 1% of points that are farthest off along each axis.
        colors: uint8 [N, 3].
    """
    seen = (points - np.median(points, axis=0)) @ _view().T
    low, high = np.percentile(seen, 0.5, axis=0), np.percentile(seen, 99.5, axis=0)
    size = side_px * _SUPER
    scale = 0.9 * size / max(float((high - low)[:2].max()), 1e-30)
    place = (seen[:, :2] - (low + high)[:2] / 2) * scale * (1.0, -1.0) + size / 2
    nearness = np.clip((seen[:, 2] - low[2]) / max(float(high[2] - low[2]), 1e-30), 0, 1)
    shade = (_FAR_SHARE * (1 - nearness))[:, None]
    shown = np.rint((1 - shade) * colors + shade * np.array(_PAPER)).astype(np.uint8)
    radius = max(1, round(0.5 * size / math.sqrt(max(len(points), 1))))
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = _PAPER
    order = np.argsort(seen[:, 2], kind="stable")
    columns, rows = np.floor(np.clip(place[order], -1e6, 1e6)).astype(np.int64).T
    picture_depth = np.full(size * size, -1, np.int64)
    rank = np.arange(len(order))
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down**2 + right**2 > radius**2:
                continue
            row, column = rows + down, columns + right
            inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
            np.maximum.at(picture_depth, row[inside] * size + column[inside], rank[inside])
    covered = picture_depth >= 0
    picture.reshape(-1, 3)[covered] = shown[order][picture_depth[covered]]
    small = picture.reshape(side_px, _SUPER, side_px, _SUPER, 3).mean(axis=(1, 3))
    return np.rint(small).astype(np.uint8)


def clouds_grid(
    title: str,
    clouds: Sequence[tuple[str, NDArray[np.floating], NDArray[np.uint8], NDArray[np.uint8]]],
    labels: LabelSet,
    call_sha256: str,
) -> bytes:
    """A PNG: a row a cloud with its truth, its prediction, and where they differ.

    Args:
        clouds: text, points [N, 3], truth uint8 [N] and prediction uint8 [N] of each.
        call_sha256: see `picture_grid`.
    """
    palette = labels.palette().copy()
    palette[[0, IGNORE_ID]] = _UNKNOWN
    rows = []
    for name, points, truth, predicted in clouds:
        known = (truth != 0) & (truth != IGNORE_ID)
        judged = np.where((known & (truth != predicted))[:, None], np.array(_WRONG, np.uint8), np.array(_RIGHT, np.uint8))
        pictures = [cloud_picture(points, colors) for colors in (palette[truth], palette[predicted], judged)]
        rows.append((name, pictures))
    return picture_grid(title, ("truth", "prediction", "wrong"), rows, labels, call_sha256=call_sha256)


def clouds_beside(
    title: str,
    columns: Sequence[str],
    clouds: Sequence[tuple[str, NDArray[np.floating], Sequence[NDArray[np.uint8]]]],
    labels: LabelSet,
) -> bytes:
    """A PNG: a row a cloud, plain and with each of some labellings.

    Args:
        columns: a name for the plain cloud and for each labelling.
        clouds: text, points [N, 3], and labellings uint8 [N] of each.
    """
    palette = labels.palette().copy()
    palette[[0, IGNORE_ID]] = _UNKNOWN
    rows = []
    for name, points, labellings in clouds:
        plain = np.broadcast_to(np.array(_PLAIN, np.uint8), points.shape)
        rows.append((name, [cloud_picture(points, colors) for colors in (plain, *(palette[ids] for ids in labellings))]))
    return picture_grid(title, columns, rows, labels)


def _view() -> NDArray[np.float64]:
    """The rotation float64 [3, 3] from y up to the picture: x right, y up, z towards the eye."""
    yaw, pitch = math.radians(_YAW_DEG), math.radians(_PITCH_DEG)
    turn = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    lower = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    return lower @ turn
