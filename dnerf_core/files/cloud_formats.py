"""One cloud's files in any format: those of `dnerf_core.files.clouds`, GLB, and ShapeNetPart's text lines (`shapenetpart`).

Equal clouds give equal bytes: no format carries a time stamp. Background and unlabelled points are label 0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from dnerf_core.files.clouds import (
    Category,
    CloudArrays,
    CloudColor,
    CloudStyle,
    linear_from_srgb,
    npz_bytes,
    ply_bytes,
    shown_colors,
)
from dnerf_core.files.shapenetpart import shapenetpart_bytes
from dnerf_core.files.usd import cloud_usd_bytes
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import LabelSet

CloudFormat = Literal["ply", "npz", "glb", "shapenetpart", "usd"]

_GLTF_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def write_cloud(path: Path, cloud: CloudArrays, cloud_format: CloudFormat, style: CloudStyle) -> None:
    """Write one cloud in one format.

    Raises:
        UsageError: USD without usd-core.
        OutputError: the file cannot be written.
    """
    encoders: dict[CloudFormat, Callable[[CloudArrays, CloudStyle], bytes]] = {
        "ply": ply_bytes,
        "npz": npz_bytes,
        "glb": glb_bytes,
        "shapenetpart": shapenetpart_bytes,
        "usd": cloud_usd_bytes,
    }
    write_bytes_whole(path, encoders[cloud_format](cloud, style))


def save_cloud(path: Path, cloud: CloudArrays, labels: LabelSet | None, world_up: WorldUp, color: CloudColor = "rgb") -> None:
    """Write one cloud in the format that the ending of `path` names: `.ply`, `.npz`, `.glb` or `.usd`.

    Args:
        labels: what the cloud's labels mean, if it has any and that is known.
        world_up, color: see `CloudStyle`.

    Raises:
        UsageError: another ending, or the labels' colours of a cloud without labels or of unknown labels.
        OutputError: the file cannot be written.
    """
    formats: dict[str, CloudFormat] = {".ply": "ply", ".npz": "npz", ".glb": "glb", ".usd": "usd"}
    chosen = formats.get(path.suffix.lower())
    if chosen is None:
        ending = path.suffix or "no ending"
        raise UsageError(f"{path}: expected a name that ends in .ply, .npz, .glb or .usd, found {ending}; rename it")
    if color == "label" and (cloud.labels is None or labels is None):
        lacking = "labels" if cloud.labels is None else "label set"
        raise UsageError(f"{path}: expected a cloud with labels and a label set to colour it by, found no {lacking}; choose rgb")
    write_cloud(path, cloud, chosen, CloudStyle(labels, color, world_up, Category.named("Object")))


def glb_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """Binary glTF with one set of coloured points, y up; glTF has no place for labels that readers keep as integers.

    glTF's vertex colours are linear, the pictures' are sRGB: they are converted, so that viewers show them as they were.
    """
    import trimesh

    points = cloud.points.astype(np.float64)
    if style.world_up == "z":
        points = points @ _GLTF_FROM_Z_UP.T
    linear = linear_from_srgb(shown_colors(cloud, style))
    colors = np.concatenate([np.rint(255 * linear), np.full((len(cloud), 1), 255)], axis=1).astype(np.uint8)
    data = trimesh.PointCloud(points, colors=colors).export(file_type="glb")
    assert isinstance(data, bytes)
    return data
