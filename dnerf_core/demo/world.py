"""The demo world: a smooth family of procedural cars that knows its exact truth.

Convention: y up, a car looks along +z (a camera on +z sees its front), +x is its left; the centre of its bounding box is the
origin; world units; everything lies inside the cube [-0.87, 0.87]^3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dnerf_core.demo.car_paint import part_labels, surface_colors
from dnerf_core.demo.car_parameters import Z_DIM, CarParameters, parameters_from_latent
from dnerf_core.demo.car_shape import TYRE_PROUD, CarShape, car_shape, shape_fields
from dnerf_core.shapes import check_shapes

__all__ = ["PART_NAMES", "Z_DIM", "Cars"]

PART_NAMES = ("background", "hood", "roof", "wheels", "other")
"""Names of the part ids 0..4; 0 is never the part of a point."""

# Points per pass: temporaries of this size stay in a core's cache, which halves the time of a large batch.
_PASS_POINTS = 16384
# Step of the finite differences: wide enough for float32, narrow against every rounding radius.
_NORMAL_STEP = 2e-3
_TETRAHEDRON = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Cars:
    """A batch of B cars; every method takes points `[B, N, 3]`, float32, world units, on the cars' device.

    Every quantity is defined at every point of space: off the surface, parts and colours are those of the surface nearby.
    A car's values do not depend on the other cars in the batch.
    """

    parameters: CarParameters
    shape: CarShape

    @classmethod
    def from_latent(cls, z: Tensor) -> Cars:
        """Cars of latent codes.

        Args:
            z: `[B, Z_DIM]`, floating point, standard normal; only each row's direction matters.

        Raises:
            UsageError: z has another shape.
        """
        parameters = parameters_from_latent(z)
        return cls(parameters, car_shape(parameters))

    def __len__(self) -> int:
        return self.shape.half_length.shape[0]

    def __getitem__(self, index: slice) -> Cars:
        """The cars of a slice of the batch."""
        parameters = CarParameters(**{name: column[index] for name, column in vars(self.parameters).items()})
        return Cars(parameters, car_shape(parameters))

    @property
    def length(self) -> Tensor:
        """Exact extent along z, `[B]`, world units."""
        return 2 * self.shape.half_length[:, 0]

    @property
    def half_extents(self) -> Tensor:
        """Half sizes of the exact bounding box along x, y, z, `[B, 3]`, world units; its centre is the origin."""
        s = self.shape
        return torch.cat([s.half_width + TYRE_PROUD, s.half_height, s.half_length], dim=1)

    def signed_distance(self, points: Tensor) -> Tensor:
        """Distance to the surface `[B, N]`, negative inside; never more than the true one outside, close to it within 0.08."""
        return self._in_passes(self._total, points)

    def normals(self, points: Tensor) -> Tensor:
        """Unit outward normals `[B, N, 3]`: the gradient of the signed distance, by differences over 2e-3."""
        return self._in_passes(lambda p: self._distance_and_normal(p)[1], points)

    def parts(self, points: Tensor) -> Tensor:
        """Part ids uint8 `[B, N]` of the nearest surface: 1 hood, 2 roof, 3 wheels, 4 other."""
        return self._in_passes(self._parts_nearby, points)

    def colors(self, points: Tensor) -> Tensor:
        """Colours `[B, N, 3]` in [0, 1] of the nearest surface; they do not depend on a viewing direction."""
        return self._in_passes(self._colors_nearby, points)

    def project(self, points: Tensor, steps: int = 3) -> Tensor:
        """Move points onto the surface by `steps` times `p - distance * normal`; `[B, N, 3]`."""
        return self._in_passes(lambda p: self._projected(p, steps), points)

    def surface_points(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Random points on the surface, close to evenly spread over its area.

        Uniform points of the bounding box are kept when they lie in a thin shell around the surface, and projected.

        Args:
            count: N, points a car.
            generator: source of randomness, on the cars' device.

        Returns:
            `[B, N, 3]`, float32.
        """
        half = self.half_extents[:, None, :] + 0.03
        shape = (len(self), 8 * count, 3)
        uniform = torch.rand(shape, generator=generator, device=half.device)
        candidates = (2 * uniform - 1) * half
        # sorted indices keep the draw's own random order: any prefix of the result is a fair sample
        nearest = (
            self.signed_distance(candidates).abs().topk(count, dim=1, largest=False, sorted=False).indices.sort(dim=1).values
        )
        chosen = candidates.gather(1, nearest[..., None].expand(-1, -1, 3))
        return self.project(chosen, steps=4)

    def surface_appearance(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Colours `[B, N, 3]`, part ids `[B, N]` and normals `[B, N, 3]` of points that already lie on the surface."""
        colors, parts, normals = [], [], []
        for start in range(0, points.shape[1], self._pass_length()):
            piece = points[:, start : start + self._pass_length()]
            normal = self._distance_and_normal(piece)[1]
            color, part = self._painted(piece, normal)
            colors.append(color)
            parts.append(part)
            normals.append(normal)
        if not colors:
            return points.clone(), points.new_zeros(points.shape[:2], dtype=torch.uint8), points.clone()
        return torch.cat(colors, dim=1), torch.cat(parts, dim=1), torch.cat(normals, dim=1)

    def _pass_length(self) -> int:
        return max(1, _PASS_POINTS // len(self))

    def _in_passes(self, compute: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        check_shapes(points=(points, f"{len(self)} N 3", f"pass points for each of the {len(self)} cars"))
        length = self._pass_length()
        if points.shape[1] <= length:
            return compute(points)
        return torch.cat([compute(points[:, start : start + length]) for start in range(0, points.shape[1], length)], dim=1)

    def _distance_and_normal(self, points: Tensor) -> tuple[Tensor, Tensor]:
        gradient = torch.zeros_like(points)
        mean = torch.zeros_like(points[..., 0])
        for corner in _TETRAHEDRON:
            direction = points.new_tensor(corner)
            distance = self._total(points + _NORMAL_STEP * direction)
            gradient += distance[..., None] * direction
            mean += distance
        return mean / 4, torch.nn.functional.normalize(gradient, dim=-1)

    def _projected(self, points: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            normal = self._distance_and_normal(points)[1]
            distance = self._total(points)
            points = points - distance[..., None] * normal
        return points

    def _parts_nearby(self, points: Tensor) -> Tensor:
        return self._labelled(self._projected(points, 2))

    def _colors_nearby(self, points: Tensor) -> Tensor:
        on_surface = self._projected(points, 2)
        return self._painted(on_surface, self._distance_and_normal(on_surface)[1])[0]

    # what a world of other cars says otherwise

    def _total(self, points: Tensor) -> Tensor:
        """Signed distance `[B, N]`, of one pass."""
        return shape_fields(self.shape, points).total

    def _labelled(self, on_surface: Tensor) -> Tensor:
        """Part ids `[B, N]` of points on the surface, of one pass."""
        return part_labels(self.shape, shape_fields(self.shape, on_surface), on_surface)

    def _painted(self, on_surface: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        """Colours `[B, N, 3]` and part ids `[B, N]` of points on the surface, of one pass."""
        fields = shape_fields(self.shape, on_surface)
        colors = surface_colors(self.parameters, self.shape, fields, on_surface, normals)
        return colors, part_labels(self.shape, fields, on_surface)
