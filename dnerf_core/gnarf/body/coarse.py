"""The two coarse meshes that ride on a template, made once at rest (GNARF section 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.gnarf.body.rig import CoarseMesh, Rig
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.warp.surface_field import Topology, surface_place
from dnerf_core.mesh.pieces import decimated
from dnerf_core.mesh.surface import Surface

PUBLISHED_SHARE = 0.1
"""Of the template's triangles that the published coarse meshes keep."""


LEAST_SHAPE = 0.02
"""Of a sound triangle: its height over its longest edge."""


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
    """A mesh that lies about the template at rest, fastened to it by the published surface projection; faces are kept.

    Nothing is fastened to slivers, which modellers' meshes have: far from a sliver its barycentrics are numbers without end.
    """
    own = torch.from_numpy(template.vertices.astype(np.float64))
    every = torch.from_numpy(template.faces.astype(np.int64))
    sound = _sound(own[every])
    own_faces = every[sound]
    place = surface_place(own, Topology.of_faces(own_faces, len(own)), torch.from_numpy(vertices.astype(np.float64)))
    return CoarseMesh(
        faces,
        sound[place.face].numpy().astype(np.int32),
        place.bary.numpy().astype(np.float32),
        place.height.numpy().astype(np.float32),
    )


def _sound(corners: torch.Tensor) -> torch.Tensor:
    """Which of triangles [F, 3, 3] are no slivers, index int64; all of them where there is nothing else."""
    edges = corners - corners.roll(1, dims=1)
    longest = edges.square().sum(dim=2).amax(dim=1)
    twice_area = torch.linalg.cross(edges[:, 1], edges[:, 2]).norm(dim=1)
    sound = (twice_area > LEAST_SHAPE * longest).nonzero()[:, 0]
    return sound if len(sound) else torch.arange(len(corners))
