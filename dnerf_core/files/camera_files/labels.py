"""The camera labels of a data set for EG3D, its `dataset.json`; see `dnerf_core.files.camera_files.dataset_cameras`.

Convention: OpenCV camera axes, the generator's own world, intrinsics normalised by the image size, which is square.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.camera_files.dataset_cameras import dataset_cameras_of
from dnerf_core.files.camera_files.views import CameraFile, FileView

NAME = "dataset.json (EG3D)"


def recognises(data: dict[str, Any]) -> bool:
    """Whether an object has this format's form; a labels.json, which has "labels" too, tells what is ignored."""
    return "labels" in data and "ignore" not in data


def read(data: dict[str, Any], path: Path) -> CameraFile:
    """The labels of a dataset.json, named by their pictures.

    Raises:
        UsageError: no labels, or one that is no camera; the first one is named.
    """
    dataset = dataset_cameras_of(data, path)

    def view(index: int) -> FileView:
        try:
            return FileView(Camera(dataset.cam2world[index], dataset.intrinsics[index]))
        except UsageError as error:
            raise UsageError(f"{path}: labels: {brief(dataset.names[index])}: {error}") from None

    return CameraFile(path, NAME, dataset.names, view)
