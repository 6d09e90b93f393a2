"""The tensors that a GNARF generator has: every key name with its shape. No torch."""

from __future__ import annotations

from dnerf_core.backbone.specs import Shape
from dnerf_core.gnarf.config import BodyConfig, GnarfConfig
from dnerf_core.stylegan2.shapes import linear_shapes, plane_generator_shapes


def gnarf_shapes(config: GnarfConfig) -> dict[str, Shape]:
    """Every key of the generator's state and its shape, in no particular order: EG3D's, the body's, and the shape head's."""
    shapes = plane_generator_shapes(config) | {f"body.{key}": shape for key, shape in body_shapes(config.body).items()}
    w_dim, directions, hidden = config.mapping.w_dim, config.body.shape_directions, config.shape_hidden
    if directions and hidden:
        shapes |= linear_shapes("shape_head.fc0", w_dim, hidden) | linear_shapes("shape_head.fc1", hidden, directions)
    elif directions:
        shapes |= linear_shapes("shape_head.fc0", w_dim, directions)
    return shapes


def body_shapes(body: BodyConfig) -> dict[str, Shape]:
    """Of a body's numbers, without the prefix `body.`; all float32, see `body.tables.BodyTables`."""
    joints, vertices, directions = body.num_joints, body.mesh.vertices, body.shape_directions
    shapes: dict[str, Shape] = {
        "vertices": (vertices, 3),
        "faces": (body.mesh.faces, 3),
        "joints": (joints, 3),
        "weights": (vertices, joints),
        "canonical_pose": (joints + 1, 3),
    }
    if directions:
        shapes |= {"shape_vertices": (directions, vertices, 3), "shape_joints": (directions, joints, 3)}
    if body.pose_correctives:
        shapes["pose_correctives"] = (9 * (joints - 1), vertices, 3)
    if body.part_names:
        shapes["vertex_parts"] = (vertices,)
    for name, mesh in (("reduced", body.reduced), ("clip", body.clip)):
        shapes |= {
            f"{name}.faces": (mesh.faces, 3),
            f"{name}.attach_face": (mesh.vertices,),
            f"{name}.attach_bary": (mesh.vertices, 3),
            f"{name}.attach_offset": (mesh.vertices,),
        }
    return shapes
