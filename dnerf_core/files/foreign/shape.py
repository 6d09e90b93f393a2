"""A cloud or a mesh of another program, as arrays (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.camera_files.turning import FileUp

ShapeFormat = Literal["ply", "glb", "obj", "npz", "las", "laz"]
SHAPE_FORMATS: tuple[ShapeFormat, ...] = ("ply", "glb", "obj", "npz", "las", "laz")


@dataclass(frozen=True, eq=False)
class ForeignShape:
    """A cloud, or a mesh where there are faces.

    Attributes:
        points: float64 [N, 3], the file's own unit and frame, finite.
        faces: int64 [F, 3] of a mesh, indices of points; None: a cloud.
        normals: float32 [N, 3], as the file has them; None: it has none.
        up: which axis points up, where the file or its format says; None: it does not.
        left_out: points of the file that are not finite and not among these.
        kept: bool [M], which of the file's points these are.
        arrays: of NPZ: all of the file's arrays.
        las: of LAS and LAZ: laspy's own object of the file.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int64] | None = None
    normals: NDArray[np.float32] | None = None
    up: FileUp | None = None
    left_out: int = 0
    kept: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    las: Any = None


def shape_format(path: Path) -> ShapeFormat | None:
    """The format that a name ends in; None: none of these."""
    ending = path.suffix.lower().removeprefix(".")
    return next((name for name in SHAPE_FORMATS if name == ending), None)
