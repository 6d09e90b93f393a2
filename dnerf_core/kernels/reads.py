"""What the kernels share: arguments in groups, and the read of a packed table at samples along rays.

A sample is a place in the distances [M, S] of M rays: ray place // S at its distance. Its point and its taps, which are those of
`PackedPlanes.taps`, live in registers only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from dnerf_core.rendering.packed.grids import PackedGrids
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.rendering.sample_reading import Samples
from dnerf_core.rendering.triplane import AXIS


class Rays(NamedTuple):
    """Rays as a kernel takes them: origins and directions float32 [3, M], distances [M, S], and the numbers M and S."""

    origins: Any
    directions: Any
    distances: Any
    count: Any
    samples: Any

    @classmethod
    def from_samples(cls, samples: Samples) -> Rays:
        """The rays of samples."""
        distances = samples.distances
        return cls(samples.origins.contiguous(), samples.directions.contiguous(), distances.contiguous(), *distances.shape)


class Table(NamedTuple):
    """A packed table as a kernel takes it: float32 [rows, C], and position = coordinate * scale + shift, in texels.

    Of planes `resolution` is R; of grids also `depth` is D, with a scale and a shift of its own, and `pictures` is P * D. Else those are 0.
    """

    texels: Any
    channels: Any
    resolution: Any
    scale: Any
    shift: Any
    pictures: Any
    depth: Any
    depth_scale: Any
    depth_shift: Any

    @classmethod
    def from_packed(cls, packed: PackedPlanes | PackedGrids) -> Table:
        """The table of packed planes or grids."""
        size, side = packed.resolution, packed.side
        lead = packed.table, packed.table.shape[1], size, size / side
        if isinstance(packed, PackedPlanes):
            return cls(*lead, size / 2 + 0.5, 0, 0, 0.0, 0.0)  # the rim of zeros comes first
        depth = packed.depth
        return cls(*lead, size / 2 - 0.5, len(packed.axes) * depth, depth, depth / side, depth / 2 - 0.5)


def axes_of(packed: PackedPlanes | PackedGrids) -> tuple[tuple[int, ...], ...]:
    """Coordinates that each plane reads: across, down, and of a grid along its slices."""
    return tuple(tuple(AXIS[axis] for axis in axes) for axes in packed.axes)


def samples_at_once(most: int, packed: PackedPlanes | PackedGrids) -> int:
    """Of `most`, which planes leave registers for, half where grids ask for twice the texels; at least what a matrix product needs."""
    return most if isinstance(packed, PackedPlanes) else max(16, most // 2)


def block_of(length: int) -> int:
    """Block size for an axis of `length`: a power of two, and at least the 16 that a matrix product needs."""
    return max(16, triton.next_power_of_2(length))


@triton.jit
def softplus(x: tl.tensor) -> tl.tensor:
    """log(1 + exp(x)), without overflow."""
    return tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))


@triton.jit
def product(left: tl.tensor, right: tl.tensor) -> tl.tensor:
    """Matrix product in float32, as the reference's; what Triton does by default would round to TF32."""
    return tl.dot(left, right, input_precision="ieee")


@triton.jit
def load_vector(start: tl.tensor, length: tl.tensor, block: tl.constexpr) -> tl.tensor:
    """[block] with the `length` numbers from `start` on, then zeros."""
    index = tl.arange(0, block)
    return tl.load(start + index, mask=index < length, other=0.0)


@triton.jit
def load_matrix(
    start: tl.tensor, rows: tl.tensor, columns: tl.tensor, block_rows: tl.constexpr, block_columns: tl.constexpr
) -> tl.tensor:
    """[block_rows, block_columns] with the matrix [rows, columns] at `start` in its corner, and zeros."""
    row, column = tl.arange(0, block_rows)[:, None], tl.arange(0, block_columns)[None, :]
    return tl.load(start + row * columns + column, mask=(row < rows) & (column < columns), other=0.0)


@triton.jit
def _coordinate(rays: Rays, ray: tl.tensor, distance: tl.tensor, valid: tl.tensor, axis: tl.constexpr) -> tl.tensor:
    """Where each sample is along one axis, world units."""
    origin = tl.load(rays.origins + axis * rays.count + ray, mask=valid, other=0.0)
    return origin + distance * tl.load(rays.directions + axis * rays.count + ray, mask=valid, other=0.0)


@triton.jit
def _in_rim(coordinate: tl.tensor, table: Table) -> Any:
    """The texel before each sample along an axis of planes with a rim of zeros, int32 [B], and the share of the texel after it."""
    position = coordinate * table.scale + table.shift
    position = tl.minimum(tl.maximum(position, 0.0), table.resolution + 1.0)
    corner = tl.minimum(position.to(tl.int32), table.resolution)
    return corner, position - corner.to(tl.float32)


@triton.jit
def _ends(coordinate: tl.tensor, scale: tl.tensor, shift: tl.tensor, length: tl.tensor) -> Any:
    """The two texels that each sample lies between along an axis without a rim: index and weight of each, 0 for one that is not there."""
    position = tl.minimum(tl.maximum(coordinate * scale + shift, -1.0), length * 1.0)
    low = tl.floor(position)
    after = position - low
    first = low.to(tl.int32)
    before = tl.where((first >= 0) & (first < length), 1.0 - after, 0.0)
    after = tl.where(first < length - 1, after, 0.0)
    last = length - 1
    return tl.minimum(tl.maximum(first, 0), last), before, tl.minimum(first + 1, last), after


@triton.jit
def read_samples(
    rays: Rays,
    table: Table,
    place: tl.tensor,
    valid: tl.tensor,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_channels: tl.constexpr,
) -> tl.tensor:
    """Sum over planes or grids [block, block_channels] of their reads at places int32 [block]; 0 where not valid, and beyond C."""
    ray = place // rays.samples
    distance = tl.load(rays.distances + place, mask=valid, other=0.0)
    channel = tl.arange(0, block_channels)
    mask = valid[:, None] & (channel < table.channels)[None, :]
    total = tl.zeros([block, block_channels], dtype=tl.float32)
    for plane in tl.static_range(len(axes)):
        across = _coordinate(rays, ray, distance, valid, axes[plane][0])
        down = _coordinate(rays, ray, distance, valid, axes[plane][1])
        if len(axes[plane]) == 2:
            pitch = table.resolution + 2
            column, right = _in_rim(across, table)
            row, below = _in_rim(down, table)
            first = (plane * pitch + row) * pitch + column
            for y in tl.static_range(2):
                for x in tl.static_range(2):
                    texel = (first + y * pitch + x) * table.channels
                    weight = (below if y else 1.0 - below) * (right if x else 1.0 - right)
                    total += weight[:, None] * tl.load(table.texels + texel[:, None] + channel[None, :], mask=mask, other=0.0)
        else:
            along = _coordinate(rays, ray, distance, valid, axes[plane][2])
            left, on_left, right, on_right = _ends(across, table.scale, table.shift, table.resolution)
            upper, on_upper, lower, on_lower = _ends(down, table.scale, table.shift, table.resolution)
            near, on_near, far, on_far = _ends(along, table.depth_scale, table.depth_shift, table.depth)
            for y in tl.static_range(2):
                for x in tl.static_range(2):
                    for z in tl.static_range(2):
                        texel = (lower if y else upper) * table.resolution + (right if x else left)
                        texel = (texel * table.pictures + plane * table.depth + (far if z else near)) * table.channels
                        weight = (on_lower if y else on_upper) * (on_right if x else on_left) * (on_far if z else on_near)
                        total += weight[:, None] * tl.load(table.texels + texel[:, None] + channel[None, :], mask=mask, other=0.0)
    return total
