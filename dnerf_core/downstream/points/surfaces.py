"""The labels of a mesh's vertices: of points drawn evenly on its surface, since vertices lie where a modeller wanted them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.points.neighbours import nearest
from dnerf_core.downstream.points.prediction import DRAWS, NEIGHBOURS, PointSegmenter
from dnerf_core.errors import UsageError
from dnerf_core.files.camera_files.turning import FileUp
from dnerf_core.shapes import check_shapes

SAMPLES_A_POINT = 8
"""Points drawn on a surface for each that the network is shown: so dense that a vertex finds one near it."""


def surface_points(vertices: NDArray[np.floating], faces: NDArray[np.integer], count: int, seed: int = 0) -> NDArray[np.float64]:
    """Points float64 [count, 3] drawn evenly by area on triangles.

    Args:
        vertices: [V, 3] finite.
        faces: [F, 3] indices.

    Raises:
        UsageError: the surface has no area.
    """
    check_shapes(UsageError, vertices=(vertices, "float V 3"))
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    size = float((high - low).max())
    a, b, c = ((vertices[faces[:, corner]] - low) / (size or 1.0) for corner in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    total = float(areas.sum())
    if not total > 0:
        raise UsageError("mesh: expected faces with an area, found none; choose another mesh")
    chance = np.random.default_rng(seed)
    chosen = chance.choice(len(faces), count, p=areas / total)
    u, v = chance.random((2, count, 1))
    beyond = u + v > 1  # of the other half of the parallelogram
    u, v = np.where(beyond, 1 - u, u), np.where(beyond, 1 - v, v)
    places = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return np.asarray(places * (size or 1.0) + low, np.float64)


def vertex_probabilities(
    segmenter: PointSegmenter,
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    *,
    up: FileUp = "y",
    headings: int | None = None,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Probabilities of the parts at each vertex, float32 [V, P]: means of the nearest drawn points, by the inverse of their distance.

    Raises:
        UsageError: a surface without an area, or an option that `PointSegmenter.probabilities` refuses.
    """
    drawn = surface_points(vertices, faces, SAMPLES_A_POINT * DRAWS * segmenter.settings.points, seed)
    scores = segmenter.probabilities(drawn, up=up, headings=headings, seed=seed)
    distance, index = nearest(drawn, vertices, min(NEIGHBOURS, len(drawn)))
    scale = float(np.ptp(drawn, axis=0).max()) or 1.0
    weights = 1.0 / (distance / scale + 1e-9)
    weights /= weights.sum(axis=1, keepdims=True)
    result = np.empty((len(vertices), scores.shape[1]), np.float32)
    np.einsum("vk,vkp->vp", weights, scores[index], out=result)
    return result
