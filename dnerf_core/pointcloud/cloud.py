"""The result: points with normals, colours, labels and how sure the labels are (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

# Relative, because the extension may carry this module under a package name of Blender's choosing.
from ..camera import WorldUp
from ..errors import UsageError, counted
from ..labels import LabelSet
from ..shapes import check_shapes

if TYPE_CHECKING:
    from ..files.clouds import CloudColor


def check_labelled(where: str, labels: object | None, confidence: object | None, label_set: LabelSet | None) -> None:
    """Refuse labels without a confidence, or the other way round, and a label set without labels.

    Raises:
        UsageError: that; `where` begins the message.
    """
    if (labels is None) != (confidence is None):
        raise UsageError(f"{where}: expected labels and confidence, found one without the other; give both or neither")
    if label_set is not None and labels is None:
        raise UsageError(f"{where}: expected labels with the label set, found none; give both or neither")


@dataclass(frozen=True, eq=False, repr=False)
class PointCloud:
    """N points of an object's surface, in the world frame of the cameras they were seen by.

    Attributes:
        points: float32 [N, 3], world units.
        normals: float32 [N, 3], unit, outward: to the side that the cameras were on; 0 where sides in one voxel cancel exactly.
        colors: uint8 [N, 3], RGB as in the pictures.
        labels: uint8 [N], part ids, never 0 (background) or 255 (ignore) but where no view gave a part; None without masks.
        confidence: float32 [N] in [0, 1], the winning label's share of the votes, 0 without votes; None without masks.
        label_set: what the labels mean, which a file takes along; None: not told.
        world_up: the world axis that points up.

    Raises:
        UsageError: an array of another type or shape, or labels without confidence.

    Example:
        >>> cloud = Model.load("demo-cars").subject(seed=3).point_cloud()
        >>> cloud.save("car.ply")
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    label_set: LabelSet | None = None
    world_up: WorldUp = "y"

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
        check_labelled("point cloud", self.labels, self.confidence, self.label_set)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        if self.labels is None:
            labels_text = "no labels"
        else:
            labels_text = "labels not named" if self.label_set is None else f"labels {self.label_set.names_text()}"
        return f"PointCloud({counted(len(self), 'point')}, {labels_text}, {self.world_up} up)"

    def select(self, chosen: NDArray[np.integer]) -> PointCloud:
        """The points of the indices [M], in their order."""
        return PointCloud(
            self.points[chosen],
            self.normals[chosen],
            self.colors[chosen],
            None if self.labels is None else self.labels[chosen],
            None if self.confidence is None else self.confidence[chosen],
            self.label_set,
            self.world_up,
        )

    def save(self, path: str | Path, color: CloudColor = "rgb") -> None:
        """Write a file, whole or not at all; a file of that name is replaced. The ending of the name says which.

        `.ply` and `.npz` hold everything (`load` reads them back), `.glb` points and colours, for viewers. Equal clouds give equal bytes.

        Args:
            path: in a folder that is there.
            color: the colours of PLY and GLB: the pictures' ("rgb"), or those of the labels ("label"). NPZ holds the pictures'.

        Raises:
            UsageError: another ending, or the labels' colours of a cloud without labels or label set.
            OutputError: it cannot be written.
        """
        from ..files.cloud_formats import save_cloud

        save_cloud(Path(path), self, self.label_set, self.world_up, color)

    @classmethod
    def load(cls, path: str | Path) -> PointCloud:
        """Read a `.ply` or `.npz` that `save` or `dnerf-headless pointcloud` wrote; nothing in it is executed.

        PLY names its labels without their colours, so that they get `dnerf_core.labels.default_colors`; NPZ does not tell which axis
        points up, so that it is y.

        Raises:
            UsageError: it cannot be read, or is no such point cloud.
        """
        from ..files.cloud_reading import read_cloud

        try:
            return cls(**read_cloud(Path(path)))
        except UsageError as error:
            raise error if str(error).startswith(str(path)) else UsageError(f"{path}: {error}") from None
