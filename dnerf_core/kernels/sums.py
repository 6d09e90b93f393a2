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
from dnerf_core.kernels.reads import (
    Rays,
    Table,
    axes_of,
    block_of,
    load_matrix,
    load_vector,
    product,
    read_samples,
    samples_at_once,
    softplus,
)
from dnerf_core.rendering.packed.grids import PackedGrids
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.rendering.sample_reading import Samples
from dnerf_core.rendering.segments import run_starts
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.stylegan2.networks import LRELU_GAIN, LRELU_SLOPE

RAYS = 16
"""Rays a program: what a matrix product needs at least."""

BLOCK = 32
"""Samples read at once."""

STAGES = 1
"""Blocks whose texels are on their way at once: with Triton's default of 3 a program takes more shared memory than many cards have."""


@triton.jit
def _weights_of_rays(
    weights: tl.tensor,
    own_rays: tl.tensor,
    index: tl.tensor,
    valid: tl.tensor,
    lead: tl.tensor,
    block_rays: tl.constexpr,
) -> tl.tensor:
    """[block_rays, block]: each sample's weight in the row of its ray, the first of which is `lead`; else 0."""
    weight = tl.load(weights + index, mask=valid, other=0.0)
    ray = tl.load(own_rays + index, mask=valid, other=0).to(tl.int32)
    own = (lead + tl.arange(0, block_rays))[:, None] == ray[None, :]
    return tl.where(own & valid[None, :], weight[None, :], 0.0)


@triton.jit
def color_kernel(
    rays: Rays,
    table: Table,
    places: tl.tensor,
    weights: tl.tensor,
    own_rays: tl.tensor,
    starts: tl.tensor,
    first: tl.tensor,
    first_bias: tl.tensor,
    color: tl.tensor,
    color_bias: tl.tensor,
    sums: tl.tensor,
    hidden: tl.tensor,
    count: tl.tensor,
    slope: tl.tensor,
    gain: tl.tensor,
    activation: tl.constexpr,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_rays: tl.constexpr,
    block_channels: tl.constexpr,
    block_hidden: tl.constexpr,
) -> None:
    """See `color_sums`; a program does `block_rays` rays."""
    lead = tl.program_id(0) * block_rays
    end = tl.load(starts + tl.minimum(lead + block_rays, count)).to(tl.int32)
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
        values = product(active, last) + last_bias[None, :]
        if activation == "sigmoid":
            values = tl.sigmoid(values) * 1.002 - 0.001
        elif activation == "lrelu":
            values = tl.where(values < 0.0, values * slope, values) * gain
        total += product(_weights_of_rays(weights, own_rays, index, valid, lead, block_rays), values)
    ray, channel = lead + tl.arange(0, block_rays)[:, None], tl.arange(0, block_channels)[None, :]
    tl.store(sums + ray * table.channels + channel, total, mask=(ray < count) & (channel < table.channels))


@triton.jit
def hidden_kernel(
    rays: Rays,
    table: Table,
    places: tl.tensor,
    weights: tl.tensor,
    own_rays: tl.tensor,
    starts: tl.tensor,
    bias: tl.tensor,
    sums: tl.tensor,
    count: tl.tensor,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_rays: tl.constexpr,
    block_channels: tl.constexpr,
) -> None:
    """See `hidden_sums`; a program does `block_rays` rays."""
    lead = tl.program_id(0) * block_rays
    end = tl.load(starts + tl.minimum(lead + block_rays, count)).to(tl.int32)
    shift = load_vector(bias, table.channels, block_channels)
    total = tl.zeros([block_rays, block_channels], dtype=tl.float32)
    for at in range(tl.load(starts + lead).to(tl.int32), end, block):
        index = at + tl.arange(0, block)
        valid = index < end
        place = tl.load(places + index, mask=valid, other=0).to(tl.int32)
        values = softplus(read_samples(rays, table, place, valid, axes, block, block_channels) + shift[None, :])
        total += product(_weights_of_rays(weights, own_rays, index, valid, lead, block_rays), values)
    ray, channel = lead + tl.arange(0, block_rays)[:, None], tl.arange(0, block_channels)[None, :]
    tl.store(sums + ray * table.channels + channel, total, mask=(ray < count) & (channel < table.channels))


def color_sums(field: PlaneField, samples: Samples, keep: Tensor | None, weights: Tensor, ray: Tensor, count: int) -> Tensor:
    """Weighted sums [M, C] of the colour features of kept samples, as `TorchSamples.color_sums`.

    Args:
        samples: as `PlaneField.placed` has them; keep: into these.
        ray: int64 [L], not decreasing, the ray of each kept sample; count: M.
    """
    decoder = field.decoder
    channels, hidden = decoder.first.shape
    sums = weights.new_empty(count, channels)
    if count == 0:
        return sums
    with torch.cuda.device_of(sums):
        color_kernel[(triton.cdiv(count, RAYS),)](
            Rays.from_samples(samples),
            Table.from_packed(field.planes),
            samples.place_of(keep),
            weights,
            ray,
            run_starts(ray, count),
            decoder.first,
            decoder.first_bias,
            decoder.color,
            decoder.color_bias,
            sums,
            hidden,
            count,
            LRELU_SLOPE,
            LRELU_GAIN,
            activation=field.color_activation,
            axes=axes_of(field.planes),
            block=samples_at_once(BLOCK, field.planes),
            block_rays=RAYS,
            block_channels=block_of(channels),
            block_hidden=block_of(hidden),
            num_stages=STAGES,
        )
    return sums


def hidden_sums(
    semantics: PackedSemantics, samples: Samples, keep: Tensor | None, weights: Tensor, ray: Tensor, count: int
) -> Tensor:
    """Weighted sums [M, 64] of the hidden activations of kept samples, as `TorchSamples.hidden_sums`; arguments as `color_sums`."""
    planes = semantics.table
    assert isinstance(planes, PackedPlanes | PackedGrids)
    channels = planes.table.shape[1]
    sums = weights.new_empty(count, channels)
    if count == 0:
        return sums
    with torch.cuda.device_of(sums):
        hidden_kernel[(triton.cdiv(count, RAYS),)](
            Rays.from_samples(samples),
            Table.from_packed(planes),
            samples.place_of(keep),
            weights,
            ray,
            run_starts(ray, count),
            semantics.branch.hidden_bias,
            sums,
            count,
            axes=axes_of(planes),
            block=samples_at_once(BLOCK, planes),
            block_rays=RAYS,
            block_channels=block_of(channels),
            num_stages=STAGES,
        )
    return sums
