"""Cameras without rendering: `transforms.json` for NeRF programs, and the subject's cloud as `points3d.ply` beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnerf_core.camera import Camera, WorldUp
from dnerf_core.errors import OutputError
from dnerf_core.files.camera_files.nerf_transforms import NerfView, transforms_json
from dnerf_core.files.clouds import CloudStyle, ply_bytes
from dnerf_core.files.names import view_name
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.whole import make_folder, write_bytes_whole
from dnerf_core.pointcloud.cloud import PointCloud

from ..version import ADDON_VERSION
from .side_files import side_folder

CLOUD_NAME = "points3d.ply"
_WRITTEN_BY = "written_by"
_PROGRAM = "datasetnerf"


def transforms_path(folder: Path, part: str) -> Path:
    """The file beside a data set's folder.

    Args:
        part: "train" or "test" where there are two; "": there is one.
    """
    return side_folder(folder) / (f"transforms_{part}.json" if part else "transforms.json")


def check_ours(folder: Path, parts: Sequence[str], *, with_cloud: bool) -> None:
    """Make sure that nobody else's file is written over.

    Args:
        folder: of the data set, beside which files are to be written.
        parts: as `transforms_path` has them.
        with_cloud: whether the cloud is to be written, too.

    Raises:
        OutputError: there is a file that this program did not write.
    """
    cloud = side_folder(folder) / CLOUD_NAME
    there = [path for part in parts if (path := transforms_path(folder, part)).exists()]
    ours = [path for path in there if _is_ours(path)]
    strange = [path for path in there if path not in ours]
    if with_cloud and cloud.exists() and not ours:
        strange.append(cloud)
    if strange:
        raise OutputError(f"{strange[0]}: expected none, or one that was written here, found another file; choose another folder")


def _is_ours(path: Path) -> bool:
    try:
        data = json.loads(read_regular_text(path))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and str(data.get(_WRITTEN_BY, "")).startswith(f"{_PROGRAM} ")


def write_transforms(
    path: Path, cameras: Sequence[Camera], side_px: int, images: Path, subject: int, *, aabb_scale: int | None, with_cloud: bool
) -> None:
    """Write the cameras of square pictures, which data sets are of.

    Args:
        images: the folder that `render` writes the images of these views to, which need not be there yet.
        subject: the number of the subject that the images are named by.
        aabb_scale, with_cloud: see `nerf_transforms.transforms_json`.

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent)
    place = Path(os.path.relpath(images, path.parent)).as_posix()
    views = [
        NerfView(f"{place}/{view_name(subject, number)}.png", camera, (side_px, side_px)) for number, camera in enumerate(cameras)
    ]
    ply_file = CLOUD_NAME if with_cloud else None
    data: dict[str, Any] = {
        _WRITTEN_BY: f"{_PROGRAM} {ADDON_VERSION}",
        **transforms_json(views, aabb_scale=aabb_scale, ply_file=ply_file),
    }
    write_bytes_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def write_cloud(folder: Path, cloud: PointCloud, world_up: WorldUp) -> Path:
    """The subject's cloud beside the cameras, in their world; returns its path.

    Raises:
        OutputError: it cannot be written.
    """
    path = side_folder(folder) / CLOUD_NAME
    make_folder(path.parent)
    write_bytes_whole(path, ply_bytes(cloud, CloudStyle(cloud.label_set, "rgb", world_up)))
    return path
