"""Raw density of samples in one pass: taps, plane reads, first layer, softplus and density row, all in registers."""

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
from dnerf_core.rendering.sample_reading import Samples

BLOCK = 64
"""Samples a program."""


@triton.jit
def density_kernel(
    rays: Rays,
    table: Table,
    places: tl.tensor,
    first: tl.tensor,
    first_bias: tl.tensor,
    density: tl.tensor,
    density_bias: tl.tensor,
    raw: tl.tensor,
    count: tl.tensor,
    hidden: tl.tensor,
    axes: tl.constexpr,
    block: tl.constexpr,
    block_channels: tl.constexpr,
    block_hidden: tl.constexpr,
) -> None:
    """See `raw_density`; a program does `block` samples. places None: every sample."""
    index = tl.program_id(0) * block + tl.arange(0, block)
    valid = index < count
    place = index if places is None else tl.load(places + index, mask=valid, other=0).to(tl.int32)
    features = read_samples(rays, table, place, valid, axes, block, block_channels)
    layer = load_matrix(first, table.channels, hidden, block_channels, block_hidden)
    active = softplus(product(features, layer) + load_vector(first_bias, hidden, block_hidden)[None, :])
    out = tl.sum(active * load_vector(density, hidden, block_hidden)[None, :], axis=1) + tl.load(density_bias)
    tl.store(raw + index, out, mask=valid)


def raw_density(field: PlaneField, samples: Samples) -> Tensor:
    """Raw density [K] of samples, as `TorchSamples.raw_density`."""
    count = samples.distances.numel() if samples.place is None else len(samples.place)
    raw = samples.distances.new_empty(count)
    if count == 0:
        return raw
    decoder = field.decoder
    channels, hidden = decoder.first.shape
    block = samples_at_once(BLOCK, field.planes)
    with torch.cuda.device_of(raw):
        density_kernel[(triton.cdiv(count, block),)](
            Rays.from_samples(samples),
            Table.from_packed(field.planes),
            samples.place,
            decoder.first,
            decoder.first_bias,
            decoder.density,
            decoder.density_bias,
            raw,
            count,
            hidden,
            axes=axes_of(field.planes),
            block=block,
            block_channels=block_of(channels),
            block_hidden=block_of(hidden),
        )
    return raw
