"""A coarse grid of a subject's raw density, made once and shared by all its views: it says where samples are worth reading.

The grid never decides what is seen. It proposes sample distances in place of the coarse pass, and rules out samples that are
empty or hidden; every sample that is left is read from the tri-plane itself.

Convention: G nodes an axis at the centres of G^3 cells that fill the box, [z, y, x], and one more ring of nodes outside. What a ring
node holds goes on outwards for ever: past one of the box's faces the plane that lies along it is still read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

EMPTY_OPACITY = 1e-3
"""What is ruled out as empty on a ray may have stopped at most this share of its light, as far as the grid resolves the field."""

_FOOTPRINT_CELLS = 65
"""Cells a side of the coarser grid whose occupied cells are projected to find the pixels that can see anything."""


@dataclass(frozen=True)
class DensityGrid:
    """Raw density of one subject on a grid.

    Attributes:
        values: [1, 1, G + 2, G + 2, G + 2], frame [z, y, x]: raw density at the nodes, ring included.
        highest: [(G + 1)^3], the same frame: the highest of the 8 nodes round each cell between them.
        nodes: G.
        side: of the box, world units.
        empty_below: a raw density whose matter, along the longest possible ray, stops `EMPTY_OPACITY` of the light.
        occupied: [K, 3], world frame: centres of the coarse cells that are not empty; None where culling is not worth it.
        cell_radius: half the diagonal of such a cell, world units.
        middle: [3], of the box, world frame; None: the world's origin.
    """

    values: Tensor
    highest: Tensor
    nodes: int
    side: float
    empty_below: float
    occupied: Tensor | None
    cell_radius: float
    middle: Tensor | None = None

    @classmethod
    def build(
        cls, values: Tensor, side: float, longest_ray: float, inset: float | None, middle: Tensor | None = None
    ) -> DensityGrid:
        """From the raw density [G + 2, G + 2, G + 2] (z, y, x) at the cells' centres of a box of `side` and the ring round them.

        Args:
            longest_ray: length of the longest sampled stretch of a ray, world units.
            inset: how far inside the box's faces rays stop, world units; None: they go on outside, and what is there rules culling out.
            middle: [3], of the box, world frame; None: the world's origin.
        """
        nodes = values.shape[0] - 2
        highest = values
        for axis in range(3):
            between = highest.shape[axis] - 1
            highest = torch.maximum(highest.narrow(axis, 0, between), highest.narrow(axis, 1, between))
        # softplus(raw - 1) * length = opacity, for small opacities
        empty_below = 1 + math.log(math.expm1(EMPTY_OPACITY / longest_ray))
        occupied, radius = None, 0.0
        if (
            values.is_cuda
        ):  # there no ray is ruled out by its pixel, see `device_view`: the host would have to wait to learn how many are left
            return cls(values[None, None], highest.flatten(), nodes, side, empty_below, None, radius, middle)
        cells = min(_FOOTPRINT_CELLS, nodes + 1)
        ring = float(torch.stack([values.select(axis, end).max() for axis in range(3) for end in (0, -1)]).max())
        if inset is not None or ring < empty_below:
            # the outer cells that no ray enters do not count; only the half step by which samples lie past a ray's end may
            skipped = int((inset or 0.0) * nodes / side + 0.5)
            entered = slice(skipped, nodes + 1 - skipped)
            reachable = F.pad(highest[entered, entered, entered], (skipped,) * 6, value=-math.inf)
            coarse = F.adaptive_max_pool3d(reachable[None, None], cells)[0, 0]
            index = (coarse >= empty_below).nonzero()
            if len(index) < coarse.numel() // 2:
                cube = side * (nodes + 1) / nodes
                occupied = ((index.flip(1) + 0.5) / cells - 0.5) * cube
                # adaptive windows overlap where they do not divide, and reach half a window past their share at most
                occupied = occupied if middle is None else occupied + middle
                radius = math.sqrt(3) * (0.5 if (nodes + 1) % cells == 0 else 1.0) * cube / cells
        return cls(values[None, None], highest.flatten(), nodes, side, empty_below, occupied, radius, middle)

    def estimate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N], trilinear, and the highest near by [N], at points [3, N] (world frame)."""
        count = points.shape[1]
        # the CPU kernel runs one thread a batch entry, so the points are dealt to a few
        parts = 1 if count < 1024 or points.is_cuda else torch.get_num_threads()
        lot = -(-count // parts)
        if self.middle is not None:
            points = points - self.middle[:, None]
        in_cube = points * (2 / (self.side * (self.nodes + 2) / self.nodes))
        where = torch.stack(in_cube.unbind(), dim=1)
        if lot * parts > count:
            where = F.pad(where, (0, 0, 0, lot * parts - count))
        values = F.grid_sample(
            self.values.expand(parts, -1, -1, -1, -1),
            where.view(parts, 1, 1, lot, 3),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        cell = in_cube.add_(1).mul_((self.nodes + 2) / 2).sub_(0.5).clamp_(0, self.nodes).int()
        pitch = self.nodes + 1
        index = torch.add(cell[0], cell[1], alpha=pitch).add_(cell[2], alpha=pitch * pitch)
        return values.flatten()[:count], self.highest.index_select(0, index)

    @property
    def read_in_fog(self) -> slice | None:
        """Which coarse samples of a foggy ray are read besides its fine ones; None: the two ends alone."""
        return None

    def footprint(self, cam2world: Tensor, intrinsics: Tensor, resolution: int) -> Tensor | None:
        """Pixels bool [R * R] that can see a cell that is not empty; None: nothing can be ruled out.

        Args:
            cam2world, intrinsics: [4, 4] and [3, 3] (OpenCV axes; normalised).
        """
        if self.occupied is None:
            return None
        if len(self.occupied) == 0:
            return torch.zeros(resolution * resolution, dtype=torch.bool, device=self.values.device)
        in_camera = (self.occupied - cam2world[:3, 3]) @ cam2world[:3, :3]
        depth = in_camera[:, 2]
        # a sphere off the axis covers a little more than f r / z: by no more than the ray's inclination and its own nearness
        steepest = (in_camera[:, :2].norm(dim=1) / depth).max()
        # all that the host needs in one go, because a CUDA device has to be waited for each time
        numbers = torch.cat([torch.stack([depth.min(), steepest]), intrinsics[:2, :2].flatten()]).cpu()
        nearest, slant = numbers[:2].tolist()
        if nearest < 2 * self.cell_radius:  # too near to bound what a cell covers
            return None
        image = in_camera @ intrinsics.t()
        pixel = (image[:, :2] / depth[:, None] * resolution).floor()
        # on the host: a GPU would load its solver library for the singular values of four numbers
        focal = float(torch.linalg.matrix_norm(numbers[2:].view(2, 2), 2))
        reach = math.ceil(focal * resolution * self.cell_radius / (nearest - self.cell_radius) * (1 + slant**2)) + 1
        wide = resolution + 2 * reach
        inside = ((pixel >= -reach) & (pixel < resolution + reach)).all(dim=1)
        place = pixel[inside].long() + reach
        marks = self.values.new_zeros(wide * wide)
        marks[place[:, 1] * wide + place[:, 0]] = 1.0
        size = 2 * reach + 1
        seen = F.max_pool2d(F.max_pool2d(marks.view(1, 1, wide, wide), (size, 1), 1), (1, size), 1)
        return seen.flatten() > 0


def grid_at_nodes(
    density: Callable[[Tensor], Tensor], nodes: int, side: float, longest_ray: float, inset: float | None, like: Tensor
) -> DensityGrid:
    """The grid of any field, read at every node.

    Args:
        density: points [3, N] (world frame) -> raw density [N]; called with a layer of nodes at a time.
        nodes: G.
        side, longest_ray, inset: see `DensityGrid.build`.
        like: of the points' dtype and device.
    """
    centres = (torch.arange(-1, nodes + 1, dtype=like.dtype, device=like.device) + 0.5) * (side / nodes) - side / 2
    down, across = torch.meshgrid(centres, centres, indexing="ij")
    layers = [density(torch.stack([across, down, deep.expand_as(down)]).flatten(1)).view_as(down) for deep in centres]
    return DensityGrid.build(torch.stack(layers), side, longest_ray, inset)
