"""Surveys' clouds, LAS and LAZ, by laspy: read, and written back with labels, everything else as it was."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.files.foreign.shape import ForeignShape
from dnerf_core.files.opening.regular_files import read_regular_bytes
from dnerf_core.files.whole import write_bytes_whole

LABEL, CONFIDENCE = "label", "confidence"
"""Extra dimensions of each point that labels go to."""

_MANY_CLASSES_FORMAT = 6
"""From this point format on a classification has 8 bits, before it 5."""


def require_laspy() -> None:
    """Refuse a machine without laspy, and LAZ's decoder.

    Raises:
        UsageError: one is missing.
    """
    if importlib.util.find_spec("laspy") is None or importlib.util.find_spec("lazrs") is None:
        raise UsageError(
            "LAS and LAZ: expected the packages laspy and lazrs, found them not installed; pip install 'datasetnerf[las]'"
        )


def read_las(path: Path) -> ForeignShape:
    """A LAS or LAZ file. Its z axis points up, as that of surveys does.

    Raises:
        UsageError: laspy is missing, or the file is damaged, truncated or none of these.
    """
    require_laspy()
    import laspy
    import lazrs

    try:
        las = laspy.read(io.BytesIO(read_regular_bytes(path)))
        claimed = int(las.header.point_count)
        if len(las.points) != claimed:
            raise ValueError(f"expected {claimed} points as it says, found {len(las.points)}")
        points = np.asarray(las.xyz, np.float64).reshape(-1, 3)
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
        MemoryError,
        lazrs.LazrsError,
        laspy.LaspyException,
    ) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise UsageError(
            f"{path}: expected a LAS or LAZ point cloud, it cannot be read: {reason[:200]}; export it again"
        ) from error
    return ForeignShape(points, up="z", las=las)


def fits_classification(las: Any, highest: int) -> bool:
    """Whether ids up to `highest` have room in a file's classification."""
    return int(las.header.point_format.id) >= _MANY_CLASSES_FORMAT or highest < 32


def write_las(path: Path, shape: ForeignShape, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
    """The file again with the labels as classification, where that has room for them, and as extra bytes `label` and `confidence`.

    All else is as it was: coordinates to the bit, intensities, times, colours, records of the header.

    Args:
        path: what ends in .laz is compressed.
        shape: of `read_las`; its points are all of the file's.

    Raises:
        UsageError: the file has a dimension of such a name that takes no such values.
        OutputError: it cannot be written.
    """
    import laspy

    las = shape.las
    known = set(las.point_format.dimension_names)
    new = [
        laspy.ExtraBytesParams(name, kind, text)
        for name, kind, text in ((LABEL, np.uint8, "part id"), (CONFIDENCE, np.float32, "of the label"))
        if name not in known
    ]
    if new:
        las.add_extra_dims(new)
    try:
        las[LABEL], las[CONFIDENCE] = labels, confidence
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{path}: expected to fill {LABEL} and {CONFIDENCE}, the file has others: {error}; rename them"
        ) from error
    if fits_classification(las, int(labels.max())):
        las.classification = labels
    buffer = io.BytesIO()
    las.write(buffer, do_compress=path.suffix.lower() == ".laz")
    write_bytes_whole(path, buffer.getvalue())
