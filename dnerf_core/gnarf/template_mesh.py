"""The template mesh of a GNARF model's bodies, as its file has it: what views of posed bodies share. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dnerf_core.backbone.poses import TemplateMesh
from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.checkpoints.safetensors_layout import DAMAGED, stored_values
from dnerf_core.errors import CheckpointError
from dnerf_core.gnarf.config import GnarfConfig

_PREFIX = "generator.body."


def template_mesh_of_model(path: Path) -> TemplateMesh:
    """The mesh of a model file.

    Raises:
        CheckpointError: the file cannot be used.
    """
    header = read_header(path)
    config = header.generator_config
    assert isinstance(config, GnarfConfig)
    body = config.body
    wanted = ["faces", "weights", *(["vertex_parts"] if body.part_names else [])]
    tensors = {f"{_PREFIX}{name}": header.tensors[f"{_PREFIX}{name}"] for name in wanted}
    with path.open("rb") as file:
        values = {
            name.removeprefix(_PREFIX): array for name, array in stored_values(file, path, tensors, header.data_start, DAMAGED)
        }
    faces, parts = values["faces"], values.get("vertex_parts", np.zeros(0, np.float32))
    for name, array, count in (("faces", faces, body.mesh.vertices), ("vertex_parts", parts, len(body.part_names))):
        if ((array != array.round()) | (array < 0) | (array >= count)).any():
            raise CheckpointError(
                f"{path}: {_PREFIX}{name}: expected whole numbers from 0 to {count - 1}, found others; {DAMAGED}"
            )
    return TemplateMesh(faces.astype(np.int32), values["weights"], body.joint_names, parts.astype(np.uint8), body.part_names)
