"""Samples composited in one pass: read, decoded, weighted and summed a ray, all in registers.

A program takes a few neighbouring rays, whose samples lie together, and goes through those in blocks: a block's values [block, C] are
multiplied by a matrix [rays, block] that holds each sample's weight in its ray's row. No two programs write to the same place, and
each adds up in a fixed order, so the sums are the same on every run.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from dnerf_core.kernels.fields import PlaneField
from dnerf_core.kernels.reads import Rays, Table, axes_of, block_of, load_matrix, load_vector, product, read_samples, softplus
from dnerf_core.rendering.packed_planes import PackedPlanes
from dnerf_core.rendering.sample_reading import Samples
from dnerf_core.rendering.segments import run_starts
from dnerf_core.semantic.packed import PackedSemantics

RAYS = 16
"""Rays a program: what a matrix product needs at least."""

BLOCK = 32
"""Samples read at once."""

STAGES = 1
"""Blocks whose texels are on their way at once: with Triton's default of 3 a program takes more shared memory than many cards have."""


@triton.jit
def _weights_of_rays(
    weights: tl.tensor,
    index: tl.tensor,
    ray: tl.tensor,
    valid: tl.tensor,
    lead: tl.tensor,
    block_rays: tl.constexpr,
) -> tl.tensor:
    """[block_rays, block]: each sample's weight in the row of its ray, the first of which is `lead`; else 0."""
    weight = tl.load(weights + index, mask=valid, other=0.0)
    own = (lead + tl.arange(0, block_rays))[:, None] == ray[None, :]
    return tl.where(own & valid[None, :], weight[None, :], 0.0)


@triton.jit
def color_kernel(
    rays: Rays,
    table: Table,
    places: tl.tensor,
    weights: tl.tensor,
    starts: tl.tensor,
    first: tl.tensor,
    first_bias: tl.tensor,
    color: tl.tensor,
    color_bias: tl.tensor,
    sums: tl.tensor,
    hidden: tl.tensor,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_rays: tl.constexpr,
    block_channels: tl.constexpr,
    block_hidden: tl.constexpr,
) -> None:
    """See `color_sums`; a program does `block_rays` rays."""
    lead = tl.program_id(0) * block_rays
    end = tl.load(starts + tl.minimum(lead + block_rays, rays.count)).to(tl.int32)
    layer = load_matrix(first, table.channels, hidden, block_channels, block_hidden)
    layer_bias = load_vector(first_bias, hidden, block_hidden)
    last = load_matrix(color, hidden, table.channels, block_hidden, block_channels)
    last_bias = load_vector(color_bias, table.channels, block_channels)
    total = tl.zeros([block_rays, block_channels], dtype=tl.float32)
    for at in range(tl.load(starts + lead).to(tl.int32), end, block):
        index = at + tl.arange(0, block)
        valid = index < end
        place = tl.load(places + index, mask=valid, other=0).to(tl.int32)
        features = read_samples(rays, table, place, valid, axes, block, block_channels)
        active = softplus(product(features, layer) + layer_bias[None, :])
        values = tl.sigmoid(product(active, last) + last_bias[None, :]) * 1.002 - 0.001
        total += product(_weights_of_rays(weights, index, place // rays.samples, valid, lead, block_rays), values)
    ray, channel = lead + tl.arange(0, block_rays)[:, None], tl.arange(0, block_channels)[None, :]
    tl.store(sums + ray * table.channels + channel, total, mask=(ray < rays.count) & (channel < table.channels))


@triton.jit
def hidden_kernel(
    rays: Rays,
    table: Table,
    places: tl.tensor,
    weights: tl.tensor,
    starts: tl.tensor,
    bias: tl.tensor,
    sums: tl.tensor,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_rays: tl.constexpr,
    block_channels: tl.constexpr,
) -> None:
    """See `hidden_sums`; a program does `block_rays` rays."""
    lead = tl.program_id(0) * block_rays
    end = tl.load(starts + tl.minimum(lead + block_rays, rays.count)).to(tl.int32)
    shift = load_vector(bias, table.channels, block_channels)
    total = tl.zeros([block_rays, block_channels], dtype=tl.float32)
    for at in range(tl.load(starts + lead).to(tl.int32), end, block):
        index = at + tl.arange(0, block)
        valid = index < end
        place = tl.load(places + index, mask=valid, other=0).to(tl.int32)
        values = softplus(read_samples(rays, table, place, valid, axes, block, block_channels) + shift[None, :])
        total += product(_weights_of_rays(weights, index, place // rays.samples, valid, lead, block_rays), values)
    ray, channel = lead + tl.arange(0, block_rays)[:, None], tl.arange(0, block_channels)[None, :]
    tl.store(sums + ray * table.channels + channel, total, mask=(ray < rays.count) & (channel < table.channels))


def color_sums(field: PlaneField, samples: Samples, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
    """Weighted sums [M, C] of the colour features of kept samples, as `TorchSamples.color_sums`."""
    decoder, count = field.decoder, len(samples.distances)
    channels, hidden = decoder.first.shape
    sums = weights.new_empty(count, channels)
    if count == 0:
        return sums
    with torch.cuda.device_of(sums):
        color_kernel[(triton.cdiv(count, RAYS),)](
            Rays.from_samples(samples),
            Table.from_planes(field.planes),
            samples.place_of(keep),
            weights,
            run_starts(ray, count),
            decoder.first,
            decoder.first_bias,
            decoder.color,
            decoder.color_bias,
            sums,
            hidden,
            axes=axes_of(field.planes),
            block=BLOCK,
            block_rays=RAYS,
            block_channels=block_of(channels),
            block_hidden=block_of(hidden),
            num_stages=STAGES,
        )
    return sums


def hidden_sums(semantics: PackedSemantics, samples: Samples, keep: Tensor | None, weights: Tensor, ray: Tensor) -> Tensor:
    """Weighted sums [M, 64] of the hidden activations of kept samples, as `TorchSamples.hidden_sums`."""
    planes, count = semantics.table, len(samples.distances)
    assert isinstance(planes, PackedPlanes)
    channels = planes.table.shape[1]
    sums = weights.new_empty(count, channels)
    if count == 0:
        return sums
    with torch.cuda.device_of(sums):
        hidden_kernel[(triton.cdiv(count, RAYS),)](
            Rays.from_samples(samples),
            Table.from_planes(planes),
            samples.place_of(keep),
            weights,
            run_starts(ray, count),
            semantics.branch.hidden_bias,
            sums,
            axes=axes_of(planes),
            block=BLOCK,
            block_rays=RAYS,
            block_channels=block_of(channels),
            num_stages=STAGES,
        )
    return sums
