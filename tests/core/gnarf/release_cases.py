"""GNARF's releases as the published training would write them, round bodies made of formulas."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.generator.config import GeneratorConfig, TriplaneConfig
from dnerf_core.gnarf.body.rig import CoarseMesh, Rig
from dnerf_core.stylegan2.config import BackboneConfig, MappingConfig, SuperResolutionConfig
from tests.core import hostile as h

NARROW = GeneratorConfig(
    name="narrow-body",
    image_size=128,
    mapping=MappingConfig(z_dim=8, w_dim=8, c_zero=True),
    backbone=BackboneConfig(resolution=32, channel_base=256, channel_max=8, plane_channels=4),
    triplane=TriplaneConfig(box_warp=1.4),
    rays=RayConfig(32, 8, 8, 0.7, 3.2, white_back=True),
    superresolution=SuperResolutionConfig(kind="2X"),
)
"""What of it is EG3D's."""

OPTIONS: dict[str, Any] = {
    "projector": "surface_field",
    "warping_mask": "mesh",
    "mesh_clip_offset": 0.05,
    "box_warp_pre_deform": False,
    "cfg_name": "free",
    "project_inside_only": False,
    "canon_logging": False,
    "c_disc_bp_conditioning_zero": False,
}


def whole_numbers(array: np.ndarray) -> h.Raw:
    """An int64 tensor."""
    data = np.ascontiguousarray(array, "<i8").tobytes()
    return h.Raw(h.tensor(h.storage(data, kind=b"ctorch\nLongStorage\n", count=array.size), array.shape))


def numpy_array(array: np.ndarray) -> h.Raw:
    """A numpy array of float64 as numpy pickles it."""
    kind = h.Raw(h.call(h.name("numpy", "dtype"), "f8", False, True) + h.dump((3, "<", None, None, None, -1, -1, 0)) + b"b")
    made = h.call(h.name("numpy.core.multiarray", "_reconstruct"), h.Raw(h.name("numpy", "ndarray")), (0,), b"b")
    state = (1, array.shape, kind, False, np.ascontiguousarray(array, "<f8").tobytes())
    return h.Raw(made + h.dump(state) + b"b")


def smpl(rig: Rig, directions: np.ndarray, correctives: np.ndarray, regressor: np.ndarray) -> h.Module:
    """The body of `smplx`, with what lies about in it."""
    template = rig.template
    buffers: dict[str, Any] = {
        "faces_tensor": whole_numbers(template.faces),
        "v_template": template.vertices,
        "shapedirs": directions,
        "J_regressor": regressor,
        "posedirs": correctives,
        "parents": whole_numbers(template.parents),
        "lbs_weights": template.weights,
    }
    attributes = {
        "faces": numpy_array(template.faces.astype(float)),
        "dtype": h.Raw(h.name("torch", "float32")),
        "age": "adult",
        "gender": "neutral",
        "num_betas": 10,
    }
    joints = h.Module("VertexJointSelector", buffers={"extra_joints_idxs": whole_numbers(np.arange(4))})
    return h.Module("SMPL", attributes, {"betas": np.zeros((1, 10))}, buffers, {"vertex_joint_selector": joints})


def regressor_of(rig: Rig) -> np.ndarray:
    """A matrix [K, V] that gives the joints of the vertices."""
    vertices = np.concatenate([rig.template.vertices, np.ones((len(rig.template.vertices), 1))], axis=1)
    goal = np.concatenate([rig.template.joints, np.ones((len(rig.template.joints), 1))], axis=1)
    found = goal @ np.linalg.pinv(vertices)
    return found.astype(np.float32)


def surface_field(vertices: np.ndarray, faces: np.ndarray, body: h.Module) -> h.Module:
    """A `SurfaceField` of a mesh."""
    buffers = {"faces": whole_numbers(faces), "v_faces": whole_numbers(np.zeros((len(vertices), 8))), "vertices_0": vertices}
    return h.Module("SurfaceField", {}, {}, buffers, {"smpl": body})


def simplified(rig: Rig, mesh: CoarseMesh, body: h.Module) -> h.Module:
    """A `SMPLSimplified`."""
    buffers = {
        "nearest_face_id": whole_numbers(mesh.attach_face),
        "weights_2d": mesh.attach_bary,
        "proj_dist": mesh.attach_offset,
        "faces_t": whole_numbers(mesh.faces),
    }
    count = len(mesh.attach_face)
    attributes = {"v_template": numpy_array(np.zeros((count, 3))), "faces": numpy_array(mesh.faces.astype(float))}
    modules = {"smpl_template": body, "sf": surface_field(rig.template.vertices, rig.template.faces, body)}
    return h.Module("SMPLSimplified", attributes, {}, buffers, modules)


def network(
    rig: Rig,
    config: GeneratorConfig = NARROW,
    options: Mapping[str, Any] = OPTIONS,
    *,
    scale: float = 1.0,
    betas: np.ndarray | None = None,
    directions: np.ndarray | None = None,
    correctives: np.ndarray | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
    label_width: int = 107,
) -> h.Module:
    """A TriPlaneGenerator whose renderer holds a body."""
    count, joints = len(rig.template.vertices), rig.template.num_joints
    directions = np.zeros((count, 3, 10), np.float32) if directions is None else directions
    correctives = np.zeros((9 * (joints - 1), 3 * count), np.float32) if correctives is None else correctives
    root = h.network(config, arrays)
    root.attributes["c_dim"] = label_width
    root.attributes["rendering_kwargs"] |= {"cam2world": np.eye(4)[None], "intrinsics": np.eye(3)[None], **options}
    body = smpl(rig, directions, correctives, regressor_of(rig))
    reduced = simplified(rig, rig.reduced, body)
    pose = rig.template.canonical_pose
    turns = np.zeros((1, 69), np.float32)
    turns[0, : 3 * (joints - 1)] = pose[1:-1].reshape(-1)
    renderer = root.at("renderer")
    renderer.buffers = {
        "smpl_avg_orient": pose[:1],
        "smpl_avg_body_pose": turns,
        "smpl_avg_transl": pose[-1:],
        "smpl_avg_betas": np.zeros((1, 10), np.float32) if betas is None else betas[None],
        "smpl_avg_scale": np.full(1, scale, np.float32),
    }
    field = surface_field(np.zeros((len(rig.reduced.attach_face), 3)), rig.reduced.faces, reduced)
    renderer.modules = {"smpl_reduced": reduced, "smpl_clip": simplified(rig, rig.clip, body), "surface_field": field}
    return root


def state(root: h.Module, prefix: str = "") -> dict[str, Any]:
    """Its parameters and buffers by full name, as the pickle has them."""
    own = {prefix + name: value for name, value in {**root.parameters, **root.buffers}.items()}
    for name, module in root.modules.items():
        own |= state(module, f"{prefix}{name}.")
    return own


def with_more(rig: Rig, **changes: Any) -> Rig:
    """The rig with another template."""
    return dataclasses.replace(rig, template=dataclasses.replace(rig.template, **changes))
