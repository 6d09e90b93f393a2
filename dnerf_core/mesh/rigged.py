"""A subject's mesh with the skeleton that moves it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from dnerf_core.errors import UsageError
from dnerf_core.files.meshes.rig import Rig
from dnerf_core.mesh.mesh import Mesh
from dnerf_core.mesh.surface import Surface

if TYPE_CHECKING:
    from dnerf_core.subject import Subject


def rigged_mesh(subject: Subject, mesh: Mesh) -> tuple[Mesh, Rig]:
    """A mesh of a subject in the subject's pose, as a mesh at rest and the rig that moves it: linear blend skinning by the body's weights.

    Raises:
        UsageError: the model's subjects have no skeleton.

    Example:
        >>> person = Model.load("demo-people").subject(seed=3)
        >>> mesh, rig = rigged_mesh(person, person.mesh())
    """
    with subject.model.inference():
        points = torch.from_numpy(mesh.vertices).to(subject.model.device)
        rigged = subject.model.generator.rig(subject.planes, points)
    if rigged is None:
        raise UsageError(
            f"rig: expected a model whose subjects move, found {subject.model.config.name}; take another, or a plain mesh"
        )
    normals = Surface(rigged.rest.astype(np.float64), mesh.faces.astype(np.int64)).normals().astype(np.float32)
    rig = Rig(rigged.joint_names, rigged.joint_parents, rigged.joints, rigged.weights)
    return dataclasses.replace(mesh, vertices=rigged.rest, normals=normals), rig
