"""The result: points with normals, colours, labels and how sure the labels are (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.shapes import check_shapes


@dataclass(frozen=True, eq=False)
class PointCloud:
    """N points of an object's surface, in the world frame of the cameras they were seen by.

    Attributes:
        points: float32 [N, 3], world units.
        normals: float32 [N, 3], unit, outward: to the side that the cameras were on; 0 where sides in one voxel cancel exactly.
        colors: uint8 [N, 3], RGB as in the pictures.
        labels: uint8 [N], part ids, never 0 (background) or 255 (ignore) but where no view gave a part; None without masks.
        confidence: float32 [N] in [0, 1], the winning label's share of the votes, 0 without votes; None without masks.

    Raises:
        UsageError: an array of another type or shape, or labels without confidence.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        expected = {
            "points": "float32 N 3",
            "normals": "float32 N 3",
            "colors": "uint8 N 3",
            "labels": "uint8 N",
            "confidence": "float32 N",
        }
        check_shapes(
            UsageError,
            "point cloud",
            **{name: (getattr(self, name), shape, "give every point one row") for name, shape in expected.items()},
        )
        if (self.labels is None) != (self.confidence is None):
            raise UsageError("point cloud: expected labels and confidence, found one without the other; give both or neither")

    def __len__(self) -> int:
        return len(self.points)

    def select(self, chosen: NDArray[np.integer]) -> PointCloud:
        """The points of the indices [M], in their order."""
        return PointCloud(
            self.points[chosen],
            self.normals[chosen],
            self.colors[chosen],
            None if self.labels is None else self.labels[chosen],
            None if self.confidence is None else self.confidence[chosen],
        )
