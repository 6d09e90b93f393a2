"""A cloud as arrays, and as the files that `dnerf-headless pointcloud` writes, byte for byte."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.errors import AnnotationError
from dnerf_core.labels import Label, LabelSet

from .errors import SceneError


@dataclass(frozen=True, eq=False)
class Cloud:
    """N points of a surface in the model's world.

    Attributes:
        points: float32 [N, 3].
        normals: float32 [N, 3], unit, outward.
        colors: uint8 [N, 3], the pictures', sRGB.
        labels: uint8 [N] part ids; None without masks.
        confidence: float32 [N] in [0, 1]; None without masks.
        label_set: what the labels mean.

    Raises:
        SceneError: an array of another type or shape, or one of labels, confidence and label set without the others.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    label_set: LabelSet | None = None

    def __post_init__(self) -> None:
        count = len(self.points)
        rows: dict[str, tuple[type, tuple[int, ...]]] = {
            "points": (np.float32, (count, 3)),
            "normals": (np.float32, (count, 3)),
            "colors": (np.uint8, (count, 3)),
            "labels": (np.uint8, (count,)),
            "confidence": (np.float32, (count,)),
        }
        for name, (dtype, shape) in rows.items():
            array = getattr(self, name)
            if array is not None and (array.dtype != dtype or array.shape != shape):
                raise SceneError(
                    f"point cloud: {name}: expected {np.dtype(dtype)} {list(shape)}, found {array.dtype} {list(array.shape)}; "
                    "give every point one row"
                )
        given = [self.labels is not None, self.confidence is not None, self.label_set is not None]
        if any(given) and not all(given):
            raise SceneError("point cloud: expected labels, confidence and label set, found some of them; give all or none")

    def __len__(self) -> int:
        return len(self.points)

    def select(self, chosen: NDArray[np.integer]) -> Cloud:
        """The points of the indices [M], in their order."""
        return Cloud(
            self.points[chosen],
            self.normals[chosen],
            self.colors[chosen],
            None if self.labels is None else self.labels[chosen],
            None if self.confidence is None else self.confidence[chosen],
            self.label_set,
        )


def load_cloud(path: Path) -> Cloud:
    """The cloud of an NPZ file of `dnerf-headless pointcloud`; nothing in it is executed.

    Raises:
        SceneError: it cannot be read, or is no cloud.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        label_set = None
        if "labels" in arrays:
            pairs = zip(arrays["label_names"].tolist(), arrays["label_colors"].tolist(), strict=True)
            label_set = LabelSet(tuple(Label(k, str(name), tuple(color)) for k, (name, color) in enumerate(pairs)))
        points, normals, colors = (arrays[name] for name in ("points", "normals", "colors"))
        return Cloud(points, normals, colors, arrays.get("labels"), arrays.get("confidence"), label_set)
    except (OSError, ValueError, EOFError, KeyError, AttributeError, AnnotationError) as error:
        raise SceneError(f"{path}: expected an NPZ point cloud, it cannot be read ({error}); make it with pointcloud") from None


def cloud_bytes(cloud: Cloud, suffix: str, world_up: WorldUp, where: str) -> bytes:
    """A file's content, by its name's ending: `.ply`, with the pictures' colours, or `.npz`.

    Raises:
        SceneError: another ending; the message starts with `where`.
    """
    if suffix == ".npz":
        return _npz(cloud)
    if suffix == ".ply":
        return _ply(cloud, world_up)
    raise SceneError(f"{where}: expected a name that ends in .ply or .npz, found {suffix or 'no ending'}; rename it")


def _npz(cloud: Cloud) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {"points": cloud.points, "normals": cloud.normals, "colors": cloud.colors}
    if cloud.labels is not None and cloud.confidence is not None and cloud.label_set is not None:
        arrays |= {"labels": cloud.labels, "confidence": cloud.confidence, "label_names": np.array(cloud.label_set.names)}
        arrays["label_colors"] = np.array([label.color for label in cloud.label_set.labels], np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _ply(cloud: Cloud, world_up: WorldUp) -> bytes:
    columns: list[tuple[str, str, str, NDArray[np.generic]]] = []
    for names, values in ((("x", "y", "z"), cloud.points), (("nx", "ny", "nz"), cloud.normals)):
        columns += [(name, "<f4", "float", column) for name, column in zip(names, values.T, strict=True)]
    columns += [(name, "u1", "uchar", column) for name, column in zip(("red", "green", "blue"), cloud.colors.T, strict=True)]
    comments = [f"world frame of the cameras, {world_up} up"]
    if cloud.labels is not None and cloud.confidence is not None and cloud.label_set is not None:
        columns += [("label", "<i4", "int", cloud.labels), ("confidence", "<f4", "float", cloud.confidence)]
        comments += [f"label {label.id} {label.name}" for label in cloud.label_set.labels]
    vertices = np.empty(len(cloud), dtype=[(name, kind) for name, kind, _, _ in columns])
    for name, _, _, column in columns:
        vertices[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments), f"element vertex {len(cloud)}"]
    header += [*(f"property {kind} {name}" for name, _, kind, _ in columns), "end_header"]
    return "\n".join(header).encode("ascii", "replace") + b"\n" + vertices.tobytes()
