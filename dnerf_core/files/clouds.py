"""A cloud as binary PLY and as NPZ: what the command line and the extension both write (numpy only); `cloud_reading` reads them.

Equal clouds give equal bytes: no format carries a time stamp. Background and unlabelled points are label 0.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..camera import WorldUp
from ..errors import UsageError
from ..labels import LabelSet

CloudColor = Literal["rgb", "label"]


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
        """Car is the benchmark's own, with its synset and its parts from 8 on; any other name is a category of its own, from 0 on.

        Which part of a car has which number, its name tells: see `dnerf_core.files.shapenetpart`.
        """
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
        frame: what PLY says of the frame instead, where that is not the cameras' world or neither y nor z is up in it; "": it is.
    """

    labels: LabelSet | None
    color: CloudColor
    world_up: WorldUp
    category: Category = CAR
    frame: str = ""


def cloud_bytes(cloud: CloudArrays, suffix: str, style: CloudStyle, where: str) -> bytes:
    """A file's content, by its name's ending: `.ply` or `.npz`.

    Raises:
        UsageError: another ending; the message starts with `where`.
    """
    encoders = {".ply": ply_bytes, ".npz": npz_bytes}
    if suffix not in encoders:
        raise UsageError(f"{where}: expected a name that ends in .ply or .npz, found {suffix or 'no ending'}; rename it")
    return encoders[suffix](cloud, style)


def shown_colors(cloud: CloudArrays, style: CloudStyle) -> npt.NDArray[np.uint8]:
    """uint8 [N, 3], sRGB: the pictures' colours or the labels'."""
    if style.color == "rgb" or cloud.labels is None or style.labels is None:
        return cloud.colors
    return style.labels.palette()[cloud.labels]


def linear_from_srgb(srgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Colours 0 to 255 as linear light in [0, 1] (IEC 61966-2-1), which glTF and USD hold."""
    share = srgb / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def distinct(words: Sequence[tuple[int, str]]) -> list[str]:
    """Names that a format has made of labels' names, (id, word): those that became alike get the id behind them."""
    alike = [word for _, word in words]
    return [f"{word}_{label}" if alike.count(word) > 1 else word for label, word in words]


def vertex_table(cloud: CloudArrays, style: CloudStyle) -> tuple[npt.NDArray[np.void], list[tuple[str, str]]]:
    """A PLY's vertices [N], and the type and name of each of their properties: see `ply_bytes`."""
    fields = [(name, "<f4", "float") for name in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(name, "u1", "uchar") for name in ("red", "green", "blue")]
    columns: list[npt.NDArray[np.generic]] = [*cloud.points.T, *cloud.normals.T, *shown_colors(cloud, style).T]
    if cloud.labels is not None and cloud.confidence is not None:
        fields += [("label", "<i4", "int"), ("scalar_label", "<f4", "float"), ("confidence", "<f4", "float")]
        columns += [cloud.labels, cloud.labels, cloud.confidence]
    vertices = np.empty(len(cloud), dtype=[(name, kind) for name, kind, _ in fields])
    for (name, _, _), column in zip(fields, columns, strict=True):
        vertices[name] = column
    return vertices, [(kind, name) for name, _, kind in fields]


def ply_header(cloud: CloudArrays, style: CloudStyle, kinds: list[tuple[str, str]], more: Sequence[str] = ()) -> bytes:
    """A PLY's header; `more` are the lines of elements that follow the vertices."""
    comments = [style.frame or f"world frame of the cameras, {style.world_up} up"]
    if cloud.labels is not None:
        comments += [f"label {label.id} {label.name}" for label in (style.labels.labels if style.labels else ())]
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {len(cloud)}", *(f"property {kind} {name}" for kind, name in kinds), *more, "end_header"]
    return "\n".join(header).encode("ascii", "replace") + b"\n"


def ply_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """Binary little-endian PLY: x y z, nx ny nz, red green blue, and with labels `label` (int), `scalar_label` (float) and `confidence`.

    int, because MeshLab drops labels that are unsigned short; twice, because CloudCompare shows as a scalar field what is called so.
    """
    vertices, kinds = vertex_table(cloud, style)
    return ply_header(cloud, style, kinds) + vertices.tobytes()


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
