"""One cloud's files: binary PLY, NPZ, GLB, and the text lines that PointNet code reads for ShapeNetPart.

Equal clouds give equal bytes: no format carries a time stamp. Background and unlabelled points are label 0.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import LabelSet

CloudFormat = Literal["ply", "npz", "glb", "shapenetpart"]
CloudColor = Literal["rgb", "label"]

_GLTF_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class CloudArrays(Protocol):
    """The arrays of a `dnerf_core.pointcloud.cloud.PointCloud`, which saves itself by this module."""

    @property
    def points(self) -> npt.NDArray[np.float32]: ...
    @property
    def normals(self) -> npt.NDArray[np.float32]: ...
    @property
    def colors(self) -> npt.NDArray[np.uint8]: ...
    @property
    def labels(self) -> npt.NDArray[np.uint8] | None: ...
    @property
    def confidence(self) -> npt.NDArray[np.float32] | None: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Category:
    """Under which name ShapeNetPart lists an object: its category, the folder's synset, and the first of its part ids."""

    name: str
    synset: str
    first_part: int

    @classmethod
    def named(cls, name: str) -> Category:
        """Car is the benchmark's own, with its synset and its parts from 8 on; any other name is a category of its own, from 0 on."""
        return cls("Car", "02958343", 8) if name == "Car" else cls(name, name.lower(), 0)


@dataclass(frozen=True)
class CloudStyle:
    """What the files say beside the points.

    Attributes:
        labels: names and colours; None for clouds without labels.
        color: the colours of PLY and GLB: the pictures', or the labels'. NPZ holds the pictures' beside the labels.
        world_up: the up axis of the cloud's frame; GLB turns z-up clouds, since glTF is y-up.
        category: of ShapeNetPart.
    """

    labels: LabelSet | None
    color: CloudColor
    world_up: WorldUp
    category: Category


def write_cloud(path: Path, cloud: CloudArrays, cloud_format: CloudFormat, style: CloudStyle) -> None:
    """Write one cloud in one format.

    Raises:
        OutputError: the file cannot be written.
    """
    encoders: dict[CloudFormat, Callable[[CloudArrays, CloudStyle], bytes]] = {
        "ply": ply_bytes,
        "npz": npz_bytes,
        "glb": glb_bytes,
        "shapenetpart": shapenetpart_bytes,
    }
    write_bytes_whole(path, encoders[cloud_format](cloud, style))


def save_cloud(path: Path, cloud: CloudArrays, labels: LabelSet | None, world_up: WorldUp, color: CloudColor = "rgb") -> None:
    """Write one cloud in the format that the ending of `path` names: `.ply`, `.npz` or `.glb`.

    Args:
        labels: what the cloud's labels mean, if it has any and that is known.
        world_up, color: see `CloudStyle`.

    Raises:
        UsageError: another ending, or the labels' colours of a cloud without labels or of unknown labels.
        OutputError: the file cannot be written.
    """
    formats: dict[str, CloudFormat] = {".ply": "ply", ".npz": "npz", ".glb": "glb"}
    chosen = formats.get(path.suffix.lower())
    if chosen is None:
        found = path.suffix or "no ending"
        raise UsageError(f"{path}: expected a name that ends in .ply, .npz or .glb, found {found}; rename it")
    if color == "label" and (cloud.labels is None or labels is None):
        lacking = "labels" if cloud.labels is None else "label set"
        raise UsageError(f"{path}: expected a cloud with labels and a label set to colour it by, found no {lacking}; choose rgb")
    write_cloud(path, cloud, chosen, CloudStyle(labels, color, world_up, Category.named("Object")))


def shown_colors(cloud: CloudArrays, style: CloudStyle) -> npt.NDArray[np.uint8]:
    """uint8 [N, 3], sRGB: the pictures' colours or the labels'."""
    if style.color == "rgb" or cloud.labels is None or style.labels is None:
        return cloud.colors
    return style.labels.palette()[cloud.labels]


def ply_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """Binary little-endian PLY: x y z, nx ny nz, red green blue, and with labels `label` (int) and `confidence` (float).

    int, because MeshLab drops labels that are unsigned short.
    """
    fields = [(name, "<f4", "float") for name in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(name, "u1", "uchar") for name in ("red", "green", "blue")]
    columns: list[npt.NDArray[np.generic]] = [*cloud.points.T, *cloud.normals.T, *shown_colors(cloud, style).T]
    comments = [f"world frame of the cameras, {style.world_up} up"]
    if cloud.labels is not None and cloud.confidence is not None:
        fields += [("label", "<i4", "int"), ("confidence", "<f4", "float")]
        columns += [cloud.labels, cloud.confidence]
        comments += [f"label {label.id} {label.name}" for label in (style.labels.labels if style.labels else ())]
    vertices = np.empty(len(cloud), dtype=[(name, kind) for name, kind, _ in fields])
    for (name, _, _), column in zip(fields, columns, strict=True):
        vertices[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {len(cloud)}", *(f"property {kind} {name}" for name, _, kind in fields), "end_header"]
    return "\n".join(header).encode("ascii", "replace") + b"\n" + vertices.tobytes()


def npz_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """NumPy archive: points, normals, colors (the pictures'), and with labels `labels`, `confidence`, `label_names`, `label_colors`."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"points": cloud.points, "normals": cloud.normals, "colors": cloud.colors}
    if cloud.labels is not None and cloud.confidence is not None:
        arrays |= {"labels": cloud.labels, "confidence": cloud.confidence}
        if style.labels is not None:
            arrays["label_names"] = np.array(style.labels.names)
            arrays["label_colors"] = np.array([label.color for label in style.labels.labels], dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def glb_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """Binary glTF with one set of coloured points, y up; glTF has no place for labels that readers keep as integers.

    glTF's vertex colours are linear, the pictures' are sRGB: they are converted, so that viewers show them as they were.
    """
    import trimesh

    points = cloud.points.astype(np.float64)
    if style.world_up == "z":
        points = points @ _GLTF_FROM_Z_UP.T
    srgb = shown_colors(cloud, style) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    colors = np.concatenate([np.rint(255 * linear), np.full((len(cloud), 1), 255)], axis=1).astype(np.uint8)
    data = trimesh.PointCloud(points, colors=colors).export(file_type="glb")
    assert isinstance(data, bytes)
    return data


def shapenetpart_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """Lines `x y z nx ny nz label`; a part's label is the category's first + its id - 1. Points without a part are left out."""
    assert cloud.labels is not None
    parts = cloud.labels > 0
    rows = np.concatenate([cloud.points[parts], cloud.normals[parts]], axis=1)
    numbers = cloud.labels[parts].astype(np.int64) - 1 + style.category.first_part
    lines = [f"{' '.join(f'{value:.6f}' for value in row)} {label}.000000\n" for row, label in zip(rows, numbers, strict=True)]
    return "".join(lines).encode()


def shapenetpart_lists(names: Sequence[str], category: Category) -> dict[str, bytes]:
    """The files that PointNet code looks its clouds up in, by their names in the layout's folder.

    Of every ten clouds in order seven are for training, the eighth for validation, the last two for testing: the benchmark's own
    shares, and a cloud's does not depend on how many follow.
    """
    chosen: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for index, name in enumerate(names):
        split = "train" if index % 10 < 7 else "val" if index % 10 == 7 else "test"
        chosen[split].append(f"shape_data/{category.synset}/{name}")
    lists = {"synsetoffset2category.txt": f"{category.name}\t{category.synset}\n".encode()}
    for split, entries in chosen.items():
        lists[f"train_test_split/shuffled_{split}_file_list.json"] = (json.dumps(entries) + "\n").encode()
    return lists
