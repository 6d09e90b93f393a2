"""Does the same place on a body get the same label in two poses? Masks are asked where the exact world says that it is seen in both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.people.framing import intrinsics
from dnerf_core.demo.people.trace import PosedMesh
from dnerf_core.demo.people.world import People, body_tensors
from dnerf_core.rendering.rays import pixel_rays

_SAME_PLACE = 0.012
"""A place is seen by a pixel whose central ray meets the body no farther from it than this, metres: about a pixel's width."""


def labels_of_places(
    person: People, pose: Tensor, cam2world: Tensor, mask: Tensor, face: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Labels int64 [N] that a mask [S, S] gives places on one person's body in a pose [K + 1, 3], and which of them are seen, bool [N].

    Args:
        cam2world: [4, 4], with the demo's intrinsics.
        face, weights: triangles [N] and barycentric weights [N, 3] of the places.
    """
    side = mask.shape[0]
    vertices = person.posed_vertices(pose[None])[0]
    points = (vertices[body_tensors().faces[face]] * weights[..., None]).sum(dim=1)
    in_camera = (points - cam2world[:3, 3]) @ cam2world[:3, :3]
    focal = float(intrinsics(1)[0, 0, 0])
    pixel = ((in_camera[:, :2] / in_camera[:, 2:] * focal + 0.5) * side).floor().long()
    inside = ((pixel >= 0) & (pixel < side)).all(dim=1)
    uv = (pixel + 0.5) / side
    origins, directions = pixel_rays(cam2world[None], intrinsics(1), uv[None])
    distance, _, _ = PosedMesh(vertices, body_tensors().faces).meet(origins[0], directions[0])
    met = origins[0] + directions[0] * torch.where(distance.isfinite(), distance, 0.0)[:, None]
    seen = inside & distance.isfinite() & ((met - points).norm(dim=1) < _SAME_PLACE)
    column, row = pixel.clamp(0, side - 1).unbind(dim=1)
    return mask.long()[row, column], seen


def random_places(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places spread evenly over the mean body: triangles [count] and barycentric weights [count, 3]."""
    body = body_tensors()
    a, b, c = (body.canonical.position[0][body.faces[:, corner]] for corner in range(3))
    face = torch.multinomial(torch.linalg.cross(b - a, c - a).norm(dim=1), count, replacement=True, generator=rng)
    two = torch.rand(count, 2, generator=rng)
    two = torch.where((two.sum(dim=1) > 1)[:, None], 1 - two, two)
    return face, torch.cat([two, 1 - two.sum(dim=1, keepdim=True)], dim=1)


@dataclass(frozen=True)
class PoseConsistency:
    """Of two views of one person in two poses.

    Attributes:
        seen: places that the exact world shows in both.
        shown: how many of those neither mask calls background.
        same: how many of those get the same label in both.
    """

    seen: int
    shown: int
    same: int

    def __add__(self, other: PoseConsistency) -> PoseConsistency:
        return PoseConsistency(self.seen + other.seen, self.shown + other.shown, self.same + other.same)


def pose_consistency(
    person: People, poses: Tensor, cam2world: Tensor, masks: Tensor, rng: torch.Generator, places: int = 20_000
) -> PoseConsistency:
    """Of places spread over one person's body.

    Args:
        poses: [2, K + 1, 3]; cam2world: [2, 4, 4]; masks: [2, S, S], part ids, 0 the background.
    """
    face, weights = random_places(places, rng)
    (first, in_first), (second, in_second) = (
        labels_of_places(person, poses[index], cam2world[index], masks[index], face, weights) for index in range(2)
    )
    first, second = first[in_first & in_second], second[in_first & in_second]
    shown = (first > 0) & (second > 0)
    return PoseConsistency(len(first), int(shown.sum()), int((shown & (first == second)).sum()))
