"""A template with the two coarse meshes that ride on it, as the numbers that a generator carries (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.config import BodyConfig, MeshCounts


@dataclass(frozen=True, eq=False)
class CoarseMesh:
    """A coarse mesh whose vertices ride on faces of the template, wherever those go: sum of barycentrics times corners + offset * normal.

    Attributes:
        faces: int32 [F', 3].
        attach_face: int32 [V'], the template's face that each vertex rides on.
        attach_bary: float32 [V', 3], barycentrics there; they sum to 1 and may lie outside of [0, 1].
        attach_offset: float32 [V'], along the face's unit normal (B - A) x (C - A), template units.
    """

    faces: NDArray[np.int32]
    attach_face: NDArray[np.int32]
    attach_bary: NDArray[np.float32]
    attach_offset: NDArray[np.float32]

    @property
    def counts(self) -> MeshCounts:
        """Its sizes."""
        return MeshCounts(len(self.attach_face), len(self.faces))


@dataclass(frozen=True, eq=False)
class Rig:
    """A template, the mesh that points are projected on, and the grown one that rays are cut by; see `coarse.coarse_meshes`."""

    template: Template
    reduced: CoarseMesh
    clip: CoarseMesh

    def config(self, scale: float = 1.0) -> BodyConfig:
        """Its sizes and names.

        Args:
            scale: world units a template unit.
        """
        template = self.template
        return BodyConfig(
            joint_names=tuple(template.names),
            parents=tuple(int(parent) for parent in template.parents),
            mesh=MeshCounts(len(template.vertices), len(template.faces)),
            reduced=self.reduced.counts,
            clip=self.clip.counts,
            shape_directions=template.num_shapes,
            part_names=tuple(template.part_names),
            scale=float(scale),
            licence=template.licence,
            source=template.source,
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Its numbers, float32, by the names that `shapes.body_shapes` has."""
        template = self.template
        arrays: dict[str, NDArray[np.generic]] = {
            "vertices": template.vertices,
            "faces": template.faces,
            "joints": template.joints,
            "weights": template.weights,
            "canonical_pose": template.canonical_pose,
        }
        if template.num_shapes:
            arrays |= {"shape_vertices": template.shape_vertices, "shape_joints": template.shape_joints}
        if template.part_names:
            arrays["vertex_parts"] = template.vertex_parts
        for name, mesh in (("reduced", self.reduced), ("clip", self.clip)):
            arrays |= {f"{name}.{key}": array for key, array in vars(mesh).items()}
        return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
