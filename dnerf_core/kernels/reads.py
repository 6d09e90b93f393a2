"""What the kernels share: arguments in groups, and the read of a packed table at samples along rays.

A sample is a place in the distances [M, S] of M rays: ray place // S at its distance. Its point and its taps, which are those of
`PackedPlanes.taps`, live in registers only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from dnerf_core.rendering.packed_planes import PackedPlanes
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
    """A packed table as a kernel takes it: float32 [rows, C], the numbers R and C, and position = coordinate * scale + shift, in texels."""

    texels: Any
    resolution: Any
    channels: Any
    scale: Any
    shift: Any

    @classmethod
    def from_planes(cls, planes: PackedPlanes) -> Table:
        """The table of packed planes."""
        resolution = planes.resolution
        return cls(planes.table, resolution, planes.table.shape[1], resolution / planes.side, resolution / 2 + 0.5)


def axes_of(planes: PackedPlanes) -> tuple[int, ...]:
    """Coordinates that each plane reads, two a plane: across, down."""
    return tuple(AXIS[axis] for axes in planes.axes for axis in axes)


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
def _coordinate(rays: Rays, table: Table, ray: tl.tensor, distance: tl.tensor, valid: tl.tensor, axis: tl.constexpr) -> Any:
    """The texel before each sample along one axis, int32 [B], and the share of the texel after it."""
    origin = tl.load(rays.origins + axis * rays.count + ray, mask=valid, other=0.0)
    direction = tl.load(rays.directions + axis * rays.count + ray, mask=valid, other=0.0)
    position = (origin + distance * direction) * table.scale + table.shift
    position = tl.minimum(tl.maximum(position, 0.0), table.resolution + 1.0)
    corner = tl.minimum(position.to(tl.int32), table.resolution)
    return corner, position - corner.to(tl.float32)


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
    """Sum over planes [block, block_channels] of their bilinear reads at places int32 [block]; 0 where not valid, and beyond C."""
    ray = place // rays.samples
    distance = tl.load(rays.distances + place, mask=valid, other=0.0)
    channel = tl.arange(0, block_channels)
    mask = valid[:, None] & (channel < table.channels)[None, :]
    pitch = table.resolution + 2
    total = tl.zeros([block, block_channels], dtype=tl.float32)
    for plane in tl.static_range(len(axes) // 2):
        column, right = _coordinate(rays, table, ray, distance, valid, axes[2 * plane])
        row, below = _coordinate(rays, table, ray, distance, valid, axes[2 * plane + 1])
        first = (plane * pitch + row) * pitch + column
        for down in tl.static_range(2):
            for across in tl.static_range(2):
                texel = (first + down * pitch + across) * table.channels
                weight = (below if down else 1.0 - below) * (right if across else 1.0 - right)
                total += weight[:, None] * tl.load(table.texels + texel[:, None] + channel[None, :], mask=mask, other=0.0)
    return total
