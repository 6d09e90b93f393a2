"""The result: a closed surface of triangles whose vertices have normals, colours, labels and how sure the labels are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from dnerf_core.files.meshes.arrays import Part
from dnerf_core.labels import LabelSet
from dnerf_core.mesh.options import MeshOptions
from dnerf_core.mesh.painting import painted
from dnerf_core.mesh.pieces import decimated, kept_pieces
from dnerf_core.mesh.surface import Surface, is_closed, marched_surface
from dnerf_core.pointcloud.cloud import PointCloud, check_labelled
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.shapes import check_shapes

if TYPE_CHECKING:
    from trimesh import Trimesh

    from dnerf_core.files.clouds import CloudColor

_GREY = (160, 160, 160)


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """A surface of F triangles over V vertices, in the world frame.

    Attributes:
        vertices: float32 [V, 3], world units.
        faces: int32 [F, 3], indices of vertices, counterclockwise from outside.
        normals: float32 [V, 3], unit, outward.
        colors: uint8 [V, 3], RGB as in the pictures.
        labels: uint8 [V], part ids, never 0 (background) but on pieces of which no view gave a part; None without masks.
        confidence: float32 [V] in [0, 1], the label's share of the votes of the views that see the vertex; 0 where none does, and the
            label was carried there along the surface; None without masks.
        label_set: what the labels mean, which a file takes along; None: not told.
        world_up: the world axis that points up.

    Raises:
        UsageError: an array of another type or shape, or labels without confidence.

    Example:
        >>> mesh = Model.load("demo-cars").subject(seed=3).mesh()
        >>> mesh.save("car.glb")
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    label_set: LabelSet | None = None
    world_up: WorldUp = "y"

    def __post_init__(self) -> None:
        check_shapes(
            UsageError,
            "mesh",
            vertices=(self.vertices, "float32 V 3"),
            normals=(self.normals, "float32 V 3"),
            colors=(self.colors, "uint8 V 3"),
            labels=(self.labels, "uint8 V"),
            confidence=(self.confidence, "float32 V"),
            faces=(self.faces, "int32 F 3"),
        )
        check_labelled("mesh", self.labels, self.confidence, self.label_set)

    def __repr__(self) -> str:
        if self.labels is None:
            parts = "no labels"
        else:
            parts = "labels not named" if self.label_set is None else f"labels {self.label_set.names_text()}"
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} faces, {parts}, {self.world_up} up)"

    @property
    def is_watertight(self) -> bool:
        """Whether every edge lies between exactly two faces that turn the same side out."""
        return is_closed(self.faces)

    def face_labels(self) -> NDArray[np.uint8]:
        """The part of each face, uint8 [F]: that of two or three of its vertices, else of the surest one; 0 without labels."""
        if self.labels is None or self.confidence is None:
            return np.zeros(len(self.faces), np.uint8)
        labels = self.labels[self.faces]
        surest = labels[np.arange(len(labels)), self.confidence[self.faces].argmax(axis=1)]
        first, second, third = labels.T
        return np.where((first == second) | (first == third), first, np.where(second == third, second, surest))

    def parts(self) -> list[Part]:
        """The parts that have faces, by their ids. Without labels all faces are one grey part."""
        of_face, labels = self.face_labels(), {} if self.label_set is None else {one.id: one for one in self.label_set.labels}
        found: list[Part] = []
        for part in np.unique(of_face).tolist():
            chosen = np.flatnonzero(of_face == part)
            if self.labels is None:
                found.append((part, "surface", _GREY, chosen))
            elif part == 0 or part not in labels:
                found.append((part, "unlabelled" if part == 0 else f"label_{part}", _GREY, chosen))
            else:
                found.append((part, labels[part].name, labels[part].color, chosen))
        return found

    def as_cloud(self) -> PointCloud:
        """The vertices alone."""
        cloud = PointCloud(self.vertices, self.normals, self.colors, self.labels, self.confidence)
        return dataclasses.replace(cloud, label_set=self.label_set, world_up=self.world_up)

    def shown_colors(self, color: CloudColor) -> NDArray[np.uint8]:
        """uint8 [V, 3], sRGB: the pictures' colours or the labels'."""
        if color == "rgb" or self.labels is None or self.label_set is None:
            return self.colors
        return self.label_set.palette()[self.labels]

    def to_trimesh(self) -> Trimesh:
        """As a `trimesh.Trimesh`: colours in its `visual`, and `vertex_attributes["label"]` and `["confidence"]` where there are labels."""
        import trimesh

        mesh = trimesh.Trimesh(self.vertices, self.faces, vertex_normals=self.normals, vertex_colors=self.colors, process=False)
        if self.labels is not None and self.confidence is not None:
            mesh.vertex_attributes["label"] = self.labels
            mesh.vertex_attributes["confidence"] = self.confidence
            mesh.metadata["labels"] = list(self.label_set.names if self.label_set else ())
        return mesh

    def save(self, path: str | Path, color: CloudColor = "rgb") -> None:
        """Write a file, whole or not at all; a file of that name is replaced. The ending of the name says which.

        `.glb` has a material a part, and the ids as the vertices' `_LABEL`; `.ply` the vertices' label, confidence, colour and normal;
        `.obj` a material a part in a `.mtl` beside it; `.usd` a subset of the faces and a material a part, and the ids as
        `primvars:_LABEL`. Equal meshes give equal bytes.

        Args:
            path: in a folder that is there.
            color: the vertices' colours: the pictures' ("rgb"), or those of the labels ("label").

        Raises:
            UsageError: another ending, the labels' colours of a mesh without labels or label set, or `.usd` without usd-core.
            OutputError: it cannot be written.
        """
        from dnerf_core.files.meshes.formats import save_mesh

        save_mesh(Path(path), self, color)


def mesh_of(
    surface: Surface, views: Sequence[LabeledView], options: MeshOptions, label_set: LabelSet | None, world_up: WorldUp
) -> Mesh:
    """A marched surface as a mesh: painted by views, then decimated if that is asked for, which carries the paint along.

    Raises:
        UsageError: a package is missing.
        DNeRFError: see `decimated`.
    """
    paint = painted(surface, views, 0 if label_set is None else label_set.num_classes)
    if options.faces is not None:
        surface, nearest = decimated(surface, options.faces)
        paint = paint.select(nearest)
    return Mesh(
        surface.vertices.astype(np.float32),
        surface.faces.astype(np.int32),
        surface.normals().astype(np.float32),
        paint.colors,
        paint.labels,
        paint.confidence,
        None if paint.labels is None else label_set,
        world_up,
    )


def surface_of(values: NDArray[np.floating], side: float, options: MeshOptions) -> Surface:
    """The pieces that are kept of a density grid's surface; see `marched_surface` for the values, and its errors."""
    return kept_pieces(marched_surface(values, options.nodes, side, options.level), options.min_piece)
