"""The poses that a cameras.json tells of its views, where its subjects move (standard library only)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnerf_core.errors import DNeRFError, UsageError, brief

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
