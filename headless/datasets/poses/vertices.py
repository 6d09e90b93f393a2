"""Where the vertices of the mesh that moves with a subject are in a view, as data sets keep them, and the file that all views share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.errors import CheckpointError
from dnerf_core.files.meshes.posed_meshes import template_bytes
from dnerf_core.files.names import TEMPLATE_NAME

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import TemplateMesh
    from dnerf_core.checkpoints.model_facts import ModelFacts


def vertices_record() -> dict[str, Any]:
    """What a data set's record says of its files of vertices."""
    return {
        "frame": "world",
        "unit": "world units of the model",
        "array": "float32 [V, 3]",
        "template": f"{TEMPLATE_NAME}: faces int32 [F, 3], weights float32 [V, K] of joint_names, vertex_parts uint8 [V] of part_names",
    }


def has_template_mesh(facts: ModelFacts) -> bool:
    """Whether a mesh moves with a model's subjects."""
    return family_of(facts.config).template_mesh is not None


def template_file_of(facts: ModelFacts) -> bytes:
    """The `template.npz` of a model.

    Raises:
        CheckpointError: the model's file cannot be used, or has no such mesh.
    """
    place = family_of(facts.config).template_mesh
    if place is None:
        raise CheckpointError(
            f"{facts.path}: expected a model whose subjects are a mesh that moves, found another; leave vertices out"
        )
    read = named(place)
    path: Path = facts.path
    mesh: TemplateMesh = read(path)
    return template_bytes(mesh)
