"""The demo world of people: a smooth family of clothed bodies in any pose, which knows its exact truth.

Convention: y up, a body at rest looks along +z, +x is its left; metres; poses are those of `gnarf.body.template.Template` for the
demo's rig (31 joints and a translation).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.demo.people.clothing import Borders, Landmarks, Places, borders, colors, parts, thickness
from dnerf_core.demo.people.parameters import Z_DIM, PersonParameters, parameters_from_latent, shape_coefficients
from dnerf_core.demo.people.rig import rig
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.gnarf.body.posing import joint_motions, skin
from dnerf_core.shapes import check_shapes

__all__ = ["Z_DIM", "BodyTensors", "People", "body_tensors"]


@dataclass(frozen=True, eq=False)
class BodyTensors:
    """What every person shares, as tensors.

    Attributes:
        vertices: [1, V, 3], mean body at rest; shape_vertices: [S, V, 3]; weights: [V, K].
        joints: [1, K, 3]; shape_joints: [S, K, 3]; parents: K numbers.
        faces: int64 [F, 3]; corners: see `Rig.corner_coefficients`.
        canonical: places of all vertices, [1, V, ...].
        landmarks: of the canonical mean body.
    """

    vertices: Tensor
    shape_vertices: Tensor
    weights: Tensor
    joints: Tensor
    shape_joints: Tensor
    parents: tuple[int, ...]
    faces: Tensor
    corners: Tensor
    canonical: Places
    landmarks: Landmarks


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals [B, V, 3], the sums of the adjacent triangles' by area."""
    a, b, c = (vertices[:, faces[:, i]] for i in range(3))
    normal = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for i in range(3):
        total.index_add_(1, faces[:, i], normal)
    return F.normalize(total, dim=-1)


@functools.cache
def body_tensors() -> BodyTensors:
    """The rig's tensors, made once; they are not to be changed."""
    body = rig()
    vertices, joints = torch.from_numpy(body.full.vertices)[None], torch.from_numpy(body.joints)[None]
    weights, faces = torch.from_numpy(body.full.weights), torch.from_numpy(body.full.faces).long()
    pose = torch.from_numpy(canonical_pose().copy())[None]
    motions = joint_motions(pose, joints, body.parents)
    normals = torch.einsum("vk,bkij,bvj->bvi", weights, motions[..., :3], vertex_normals(vertices, faces))
    at = ((motions[..., :3] @ joints[..., None])[..., 0] + motions[..., 3] + pose[:, -1:])[0]

    def joint(name: str) -> Tensor:
        return at[body.joint(name)]

    shoulder, elbow, wrist = joint("LeftArm"), joint("LeftForeArm"), joint("LeftHand")
    hip, knee, ankle = joint("LeftUpLeg"), joint("LeftLeg"), joint("LeftFoot")

    def share(start: Tensor, middle: Tensor, end: Tensor) -> float:
        way = (end - start)[:2]
        return float((middle - start)[:2] @ way / way.square().sum())

    return BodyTensors(
        vertices=vertices,
        shape_vertices=torch.from_numpy(body.full.shape_vertices),
        weights=weights,
        joints=joints,
        shape_joints=torch.from_numpy(body.shape_joints),
        parents=body.parents,
        faces=faces,
        corners=torch.from_numpy(body.corner_coefficients),
        canonical=Places(skin(vertices, weights, motions, pose[:, -1]), normals, weights[:, list(body.arm_joints)].sum(dim=1)[None]),
        landmarks=Landmarks(
            shoulder, wrist, share(shoulder, elbow, wrist), hip, ankle, share(hip, knee, ankle), joint("Head"), joint("Neck"),
            float(joint("LowerBack")[1]),
        ),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Spots:
    """Points on the bodies of B people: triangles int64 [B, N] and barycentric weights [B, N, 3]."""

    face: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class People:
    """A batch of B people; a person's values do not depend on the other people in the batch."""

    parameters: PersonParameters

    @classmethod
    def from_latent(cls, z: Tensor) -> People:
        """People of latent codes [B, Z_DIM], standard normal; only each row's direction matters.

        Raises:
            UsageError: z has another shape.
        """
        return cls(parameters_from_latent(z))

    def __len__(self) -> int:
        return len(self.parameters.gender)

    def __getitem__(self, index: slice) -> People:
        """The people of a slice of the batch."""
        return People(PersonParameters(**{name: column[index] for name, column in vars(self.parameters).items()}))

    @functools.cached_property
    def shape(self) -> Tensor:
        """Coefficients [B, S] of the directions of shape; 0 is the mean body."""
        return shape_coefficients(self.parameters, body_tensors().corners)

    def posed_vertices(self, pose: Tensor) -> Tensor:
        """Vertices [B, V, 3] of the clothed bodies in poses [B, K + 1, 3], world frame.

        Hair and clothes stand off along the normals of the naked body at rest; then linear blend skinning carries all.
        """
        body = body_tensors()
        check_shapes(pose=(pose, f"{len(self)} {len(body.parents) + 1} 3", "pass one pose for each person"))
        rest = body.vertices + torch.einsum("bs,svc->bvc", self.shape, body.shape_vertices)
        joints = body.joints + torch.einsum("bs,skc->bkc", self.shape, body.shape_joints)
        rest = rest + self.vertex_thickness[..., None] * vertex_normals(rest, body.faces)
        return skin(rest, body.weights, joint_motions(pose, joints, body.parents), pose[:, -1])

    @functools.cached_property
    def heights(self) -> Tensor:
        """How tall each person is in the rig's rest pose, from shoes to hair, [B], metres."""
        rest = torch.zeros(len(self), len(body_tensors().parents) + 1, 3)
        y = self.posed_vertices(rest)[..., 1]
        return y.amax(dim=1) - y.amin(dim=1)

    @functools.cached_property
    def vertex_thickness(self) -> Tensor:
        """How far hair and clothes stand off at each vertex [B, V], metres."""
        return self.thickness(self.borders(body_tensors().canonical))

    def places(self, spots: Spots) -> Places:
        """Where spots lie on the canonical mean body."""
        body = body_tensors()
        corner = body.faces[spots.face]

        def mixed(values: Tensor) -> Tensor:
            return (values[0, corner] * spots.weights[..., None]).sum(dim=-2)

        return Places(mixed(body.canonical.position), mixed(body.canonical.normal), mixed(body.canonical.arm[..., None])[..., 0])

    def borders(self, places: Places) -> Borders:
        """Signed lengths [B, N] from the borders of hair and clothes."""
        return borders(places, self.parameters, body_tensors().landmarks)

    def thickness(self, edges: Borders) -> Tensor:
        """How far hair and clothes stand off the body [B, N], metres, where their borders are `edges`."""
        return thickness(edges, self.parameters)

    def appearance(self, places: Places) -> tuple[Tensor, Tensor]:
        """Colours [B, N, 3] in [0, 1] and part ids uint8 [B, N] of places."""
        marks = body_tensors().landmarks
        return colors(places, self.borders(places), self.parameters, marks), parts(places, self.parameters, marks)
