"""Of views whose subjects move: the poses that a cameras.json tells, and a view's file of joints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import DNeRFError, OutputError, UsageError, brief
from dnerf_core.files.opening.regular_files import read_regular_text

Pose = tuple[float, ...]
"""The numbers of a pose, row by row, as `LoadedModel.pose` takes them."""

MAX_POSE_NUMBERS = 4096
MAX_POSE_VALUE = 1e6


def poses_of_views(data: Mapping[str, Any], where: str, error: type[DNeRFError] = UsageError) -> dict[str, Pose]:
    """The pose of each view that tells one, by the views' names.

    Args:
        data: what a cameras.json parses to, whose views `cameras_from_json` has read.
        where: how a message begins.

    Raises:
        error: a pose that is no list of finite numbers.
    """
    return {view["name"]: _pose(view["pose"], f"{where}: {view['name']}", error) for view in data["views"] if "pose" in view}


def _pose(value: Any, where: str, error: type[DNeRFError]) -> Pose:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_POSE_NUMBERS or not all(map(_is_number, value)):
        raise error(f"{where}: pose: expected finite numbers, found {brief(value)}; restore the file, or make it anew")
    return tuple(map(float, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_POSE_VALUE


def joint_array(path: Path) -> NDArray[np.float64]:
    """A view's file of joints as an array [K, 6]: place in the world, place in the picture in pixels, visibility.

    Raises:
        OutputError: as `read_joints`.
    """
    joints = read_joints(path)
    return np.column_stack([joints["joints_world"], joints["joints_px"], joints["visibility"]])


def read_joints(path: Path) -> dict[str, Any]:
    """A view's file of joints: `joints_world`, three numbers a joint, `joints_px`, two, and `visibility`, one.

    Raises:
        OutputError: it is none.
    """
    try:
        data = json.loads(read_regular_text(path))
        values = {key: np.asarray(data[key], np.float64) for key in ("joints_world", "joints_px", "visibility")}
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError) as error:
        raise OutputError(f"{path}: expected a view's joints, found something else; delete it, and run again") from error
    count = len(values["visibility"]) if values["visibility"].ndim else 0
    shapes = {key: tuple(array.shape) for key, array in values.items()}
    if shapes != {"joints_world": (count, 3), "joints_px": (count, 2), "visibility": (count,)} or not count:
        raise OutputError(f"{path}: expected as many joints in the world as in the picture, found {shapes}; delete it, run again")
    if not all(np.isfinite(array).all() for array in values.values()):
        raise OutputError(f"{path}: expected finite numbers, found others; delete it, run again")
    return dict(data)
