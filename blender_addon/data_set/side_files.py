"""Files that stand beside a data set's folder, for the command to read again: cameras and poses, named by what they hold.

A name has a sum of its content, so that nothing is ever written over, and a command that was copied goes on meaning what it meant.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import make_folder, write_bytes_whole

from ..model_facts import ModelSkeleton

_SUM_DIGITS = 12


def side_folder(folder: Path) -> Path:
    """Where the cameras and poses of a data set lie: `cars-cameras` beside `cars`."""
    return folder.with_name(f"{folder.name}-cameras")


def write_cameras(folder: Path, cameras: Sequence[Camera], names: Sequence[str]) -> Path:
    """A `cameras.json` of the cameras beside a data set's folder; returns its path.

    Raises:
        OutputError: it cannot be written, or another file has its name.
        UsageError: two cameras of one name.
    """
    return _write(folder, "cameras", cameras_to_json(cameras, names))


def write_poses(folder: Path, skeleton: ModelSkeleton, poses: Sequence[Sequence[float]]) -> Path:
    """A file of poses as `dnerf_core.poses.json_poses` reads it, each joint by its name; returns its path.

    Args:
        poses: of each frame, the numbers of a pose: an axis-angle a joint, and the translation.

    Raises:
        OutputError: as `write_cameras`.
    """
    return _write(folder, "poses", {"frames": [_frame(skeleton, pose) for pose in poses]})


def _frame(skeleton: ModelSkeleton, pose: Sequence[float]) -> dict[str, Any]:
    rows = [list(pose[start : start + 3]) for start in range(0, len(pose), 3)]
    return {"joints": dict(zip(skeleton.names, rows[:-1], strict=True)), "translation": rows[-1]}


def _write(folder: Path, kind: str, content: dict[str, Any]) -> Path:
    data = (json.dumps(content) + "\n").encode()
    place = side_folder(folder)
    path = place / f"{kind}-{hashlib.sha256(data).hexdigest()[:_SUM_DIGITS]}.json"
    make_folder(place)
    if not path.exists():
        write_bytes_whole(path, data)
    elif path.read_bytes() != data:
        raise OutputError(f"{path}: expected the {kind} that its name says, found others; move it away")
    return path
