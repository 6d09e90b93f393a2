"""A stand-in for the subjects of a family that moves: its template's mesh, with looks that are linear in a latent's code.

Reading a field costs seconds for a few guesses; the stand-in shows hundreds in that time, well enough to tell which poses may be meant.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.backbone.family import named
from dnerf_core.backbone.protocols import Planes
from dnerf_core.backbone.registry import family_of
from dnerf_core.inversion.descent import Look, Viewpoint
from dnerf_core.inversion.latents import LatentSpace, WStatistics, random_candidates
from dnerf_core.inversion.objectives import SoughtObjective
from dnerf_core.inversion.settings import Stage
from dnerf_core.inversion.splats import area_vectors, splatted, with_centres
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.rendering.volume import RayBundle, sample_rays
from dnerf_core.work.interruption import checkpoint

DRAWS = 48
"""Latents whose looks the stand-in is fitted to."""
PLANES_PX = 64
"""Their planes are made no finer than this where they are read for colours only."""
_DAMPING = 0.05
"""Of the fit, in variances of a code's numbers: what few draws cannot tell stays out."""
_REACH = 0.03
"""How far from the template a surface is looked for, shares of the box's side."""
_SAMPLES = 24
_COLORS = 3
_CENTRES_FROM_PX = 48
"""Pictures of this side and more would see through between vertices: triangles' centres are splatted, too."""
_LEAST_OPACITY = 0.5
_ONE_LAYER = 0.03
"""Vertices this far behind the nearest are hidden, shares of the box's side."""


@dataclass(frozen=True, eq=False)
class StandIn:
    """See above. What a vertex has: how far the surface lies above it (world units), and looks, which are colours [3] in about [-1, 1] and
    then shares of the classes where they were asked for.

    Attributes:
        model, space: whose subjects, and of which codes.
        faces: int64 [F, 3], of the template.
        classes: of the shares; 0: none were asked for.
        home: [1 or B, D], codes that are shown exactly.
        there: [1 or B, (V + 1) * (1 + C)], what vertices have there, and last what is behind.
        gain: [D, (V + 1) * (1 + C)], what that changes by a code's numbers.
    """

    model: LoadedModel
    space: LatentSpace
    faces: Tensor
    classes: int
    home: Tensor
    there: Tensor
    gain: Tensor

    @property
    def num_vertices(self) -> int:
        """V."""
        return self.gain.shape[1] // (1 + _COLORS + self.classes) - 1

    @torch.no_grad()
    def about(self, codes: Tensor) -> StandIn:
        """The stand-in of B subjects near codes [B, D]."""
        there = []
        for code in codes:
            checkpoint()
            there.append(_vertices_have(self.model, self.space, code, self.faces, labels=self.classes > 0))
        return dataclasses.replace(self, home=codes.flatten(1), there=torch.stack(there))

    def bodies(self, codes: Tensor, poses: Tensor | None) -> Bodies:
        """Of codes [B or 1, D] in poses [B, *pose_shape]."""
        assert poses is not None
        vertices = self.model.generator.vertices_in(self.space.ws(codes), poses)
        assert vertices is not None
        have = (self.there + (codes.flatten(1) - self.home) @ self.gain).unflatten(1, (1 + self.num_vertices, -1))
        lift, looks, areas = have[:, :-1, :1], have[:, :, 1:], area_vectors(vertices, self.faces)
        return Bodies(vertices + lift * F.normalize(areas, dim=2), areas, looks[:, :-1], looks[:, -1])

    def see(self, bodies: Bodies, where: tuple[Tensor, Tensor], side_px: int, blur_px: float) -> Tensor:
        """Pictures [B, C, R, R] of bodies from cameras [B, 4, 4] and [B or 1, 3, 3]; see `splats.splatted`."""
        layer = _ONE_LAYER * self.model.config.box_side
        parts = bodies.points, bodies.areas, bodies.looks
        if side_px >= _CENTRES_FROM_PX:
            parts = with_centres(*parts, self.faces)
        return splatted(*parts, bodies.behind, *where, side_px, blur_px, layer)


@dataclass(frozen=True, eq=False)
class Bodies:
    """Bodies as they are splatted: points and area vectors [B, V, 3], looks [B, V, C] and those of what is behind [B, C]."""

    points: Tensor
    areas: Tensor
    looks: Tensor
    behind: Tensor

    def times(self, count: int) -> Bodies:
        """The only body, so many times."""
        points, areas, looks = (part.expand(count, -1, -1) for part in (self.points, self.areas, self.looks))
        return Bodies(points, areas, looks, self.behind.expand(count, -1))


def stand_in_look(stand_in: StandIn, viewpoint: Viewpoint, objective: SoughtObjective, stage: Stage) -> Look:
    """A stage's look at the stand-in in place of the subjects' fields."""

    def look(codes: Tensor, angles: Tensor, pose_codes: Tensor | None) -> tuple[Tensor, Tensor, list[float]]:
        bodies = stand_in.bodies(codes, viewpoint.pose_of(pose_codes))
        seen = stand_in.see(bodies, viewpoint.tensors(angles), stage.side_px, stage.blur_px)
        loss = objective.stand_in_loss(seen, stage.blur_px)
        return loss, seen[:, :3], loss.tolist()

    return look


@torch.no_grad()
def stand_in_of(model: LoadedModel, space: LatentSpace, statistics: WStatistics, seed: int, *, labels: bool) -> StandIn:
    """The stand-in of a model's subjects.

    Args:
        labels: whether it shows shares of the classes, too; the model has a semantic branch.
    """
    place = family_of(model.config).template_mesh
    assert place is not None
    faces = torch.from_numpy(named(place)(model.header.path).faces).long().to(model.device)
    codes, there = [], []
    for candidate in random_candidates(model, statistics, DRAWS, seed + 2, mean=False):
        checkpoint()
        code = space.code(candidate)
        there.append(_vertices_have(model, space, code, faces, labels=labels))
        codes.append(code.flatten())
    x, y = torch.stack(codes), torch.stack(there)
    home, mean = x.mean(dim=0, keepdim=True), y.mean(dim=0, keepdim=True)
    centred = x - home
    damping = _DAMPING * len(x) * centred.square().mean() * torch.eye(x.shape[1], device=x.device)
    gain = torch.linalg.solve(centred.T @ centred + damping, centred.T @ (y - mean))
    classes = model.branch.config.num_classes if labels and model.branch is not None else 0
    return StandIn(model, space, faces, classes, home, mean, gain)


def _vertices_have(model: LoadedModel, space: LatentSpace, code: Tensor, faces: Tensor, *, labels: bool) -> Tensor:
    """What the vertices have of a subject of a code [D], and then what is behind, [(V + 1) * (1 + C)]."""
    until = None if labels else max((side for side in model.config.source.scales if side <= PLANES_PX), default=None)
    planes = model.generator.planes(space.ws(code[None]), until=until)
    vertices = model.generator.posed_vertices(planes)
    assert vertices is not None
    normals = F.normalize(area_vectors(vertices, faces)[0], dim=1)
    lift = _lift(model, planes, vertices[0], normals)
    looks = _looks_at(model, planes, vertices[0] + lift[:, None] * normals, labels=labels)
    return torch.cat([torch.cat([lift, lift.new_zeros(1)])[:, None], looks], dim=1).flatten()


def _lift(model: LoadedModel, planes: Planes, vertices: Tensor, normals: Tensor) -> Tensor:
    """How far above vertices [V, 3] the only subject's surface is, along normals [V, 3]; 0 where there is none near."""
    reach = _REACH * model.config.box_side
    start = torch.zeros(len(normals), device=normals.device)
    rays = RayBundle(vertices + reach * normals, -normals, start, start + 2 * reach)
    samples = sample_rays(model.generator.field(planes).raw_density, rays, _SAMPLES, 0)
    return torch.where(samples.opacity >= _LEAST_OPACITY, reach - samples.distance, 0.0)


def _looks_at(model: LoadedModel, planes: Planes, points: Tensor, *, labels: bool) -> Tensor:
    """Looks [N + 1, C] of the only subject at points [N, 3] of its surface, and of what is behind."""
    generator, count = model.generator, len(points)
    _, color = generator.field(planes).density_and_colors(points, None)
    side = math.ceil(math.sqrt(count + 1))  # a family composes whole pictures
    whole, opacity = color.new_zeros(side * side, color.shape[1]), color.new_zeros(side * side)
    whole[:count], opacity[:count] = color, 1.0
    looks = generator.compose(whole, opacity, planes, side).image[0].flatten(1)[:, : count + 1].t()
    if not labels:
        return looks
    branch = model.branch
    assert branch is not None
    scores, _ = branch.decode(branch.project(generator.source(planes)), points)
    # a branch is less sure of a point than its refiner is of a pixel
    every = torch.cat([scores, branch.background[None, : branch.config.num_classes]]).argmax(dim=1)
    return torch.cat([looks, F.one_hot(every, branch.config.num_classes).to(looks.dtype)], dim=1)
