"""The two coarse meshes that ride on a template, made once at rest (GNARF section 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.gnarf.body.rig import CoarseMesh, Rig
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.warp.surface_field import surface_place, triangle_fans
from dnerf_core.mesh.pieces import decimated
from dnerf_core.mesh.surface import Surface

PUBLISHED_SHARE = 0.1
"""Of the template's triangles that the published coarse meshes keep."""


def coarse_meshes(template: Template, share: float = PUBLISHED_SHARE, clip_offset: float = 0.05) -> Rig:
    """A template with its coarse meshes: `reduced`, by quadric decimation, and `clip`, the same grown along its vertex normals.

    Args:
        share: of the template's triangles that are kept; 1 keeps the template as it is, and needs no further package.
        clip_offset: how far `clip` is grown, template units.

    Raises:
        UsageError: a package is missing (the extra `mesh` has it).
        DNeRFError: the template's pieces and handles need more triangles than that.
    """
    surface = Surface(template.vertices.astype(np.float64), template.faces.astype(np.int64))
    if share < 1:
        surface, _ = decimated(surface, max(4, round(share * len(surface.faces))))
    grown = surface.vertices + clip_offset * surface.normals()
    faces = surface.faces.astype(np.int32)
    return Rig(template, riding(template, surface.vertices, faces), riding(template, grown, faces))


def riding(template: Template, vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> CoarseMesh:
    """A mesh that lies about the template at rest, fastened to it by the published surface projection; faces are kept."""
    own = torch.from_numpy(template.vertices.astype(np.float64))
    own_faces = torch.from_numpy(template.faces.astype(np.int64))
    place = surface_place(own, own_faces, triangle_fans(own_faces, len(own)), torch.from_numpy(vertices.astype(np.float64)))
    return CoarseMesh(
        faces,
        place.face.numpy().astype(np.int32),
        place.bary.numpy().astype(np.float32),
        place.height.numpy().astype(np.float32),
    )
