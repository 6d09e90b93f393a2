"""A cloud as binary PLY and as NPZ, and an NPZ read back: what the command line and the extension both speak (numpy only).

Equal clouds give equal bytes: no format carries a time stamp. Background and unlabelled points are label 0.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..camera import WorldUp
from ..errors import AnnotationError, UsageError
from ..labels import Label, LabelSet
from ..pointcloud.cloud import PointCloud

CloudColor = Literal["rgb", "label"]


@dataclass(frozen=True)
class Category:
    """Under which name ShapeNetPart lists an object: its category, the folder's synset, and the first of its part ids."""

    name: str
    synset: str
    first_part: int

    @classmethod
    def named(cls, name: str) -> Category:
        """Car is the benchmark's own, with its synset and its parts from 8 on; any other name is a category of its own, from 0 on."""
        return CAR if name == "Car" else cls(name, name.lower(), 0)


CAR = Category("Car", "02958343", 8)
"""As the benchmark has it."""


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
    category: Category = CAR


def cloud_bytes(cloud: PointCloud, suffix: str, style: CloudStyle, where: str) -> bytes:
    """A file's content, by its name's ending: `.ply` or `.npz`.

    Raises:
        UsageError: another ending; the message starts with `where`.
    """
    encoders = {".ply": ply_bytes, ".npz": npz_bytes}
    if suffix not in encoders:
        raise UsageError(f"{where}: expected a name that ends in .ply or .npz, found {suffix or 'no ending'}; rename it")
    return encoders[suffix](cloud, style)


def load_cloud(path: Path) -> PointCloud:
    """The cloud of an NPZ file of `dnerf-headless pointcloud`, with its label set where it has one; nothing in it is executed.

    Raises:
        UsageError: it cannot be read, or is no cloud.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        label_set = None
        if "label_names" in arrays:
            pairs = zip(arrays["label_names"].tolist(), arrays["label_colors"].tolist(), strict=True)
            label_set = LabelSet(tuple(Label(k, str(name), tuple(color)) for k, (name, color) in enumerate(pairs)))
        points, normals, colors = (arrays[name] for name in ("points", "normals", "colors"))
        return PointCloud(points, normals, colors, arrays.get("labels"), arrays.get("confidence"), label_set)
    except (OSError, ValueError, EOFError, KeyError, AttributeError, AnnotationError, UsageError) as error:
        raise UsageError(f"{path}: expected an NPZ point cloud, it cannot be read ({error}); make it with pointcloud") from None


def shown_colors(cloud: PointCloud, style: CloudStyle) -> npt.NDArray[np.uint8]:
    """uint8 [N, 3], sRGB: the pictures' colours or the labels'."""
    if style.color == "rgb" or cloud.labels is None or style.labels is None:
        return cloud.colors
    return style.labels.palette()[cloud.labels]


def ply_bytes(cloud: PointCloud, style: CloudStyle) -> bytes:
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


def npz_bytes(cloud: PointCloud, style: CloudStyle) -> bytes:
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
