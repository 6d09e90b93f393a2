"""Packed grids read what `trigrid.sample_grids` reads."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.panohead.config import PUBLISHED_GRID_AXES
from dnerf_core.panohead.trigrid import grid_table, picture_taps, sample_grids
from dnerf_core.rendering.packed.grids import PackedGrids


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
@pytest.mark.parametrize("axes", [PUBLISHED_GRID_AXES, ("zyx", "yxz", "zxy")])
def test_reads_are_the_unpacked_ones(depth: int, axes: tuple[str, ...]) -> None:
    rng = torch.Generator().manual_seed(depth)
    grids = torch.randn(1, 3, 4, depth, 8, 8, generator=rng, dtype=torch.float64)
    points = torch.cat(
        [
            (torch.rand(800, 3, generator=rng, dtype=torch.float64) * 2 - 1) * 0.9,  # beyond the box's half side 0.6 too
            torch.tensor([[0.6, 0.6, 0.6], [-0.6, -0.6, -0.6], [0, 0, 0], [50.0, 0, -50.0], [0.6 - 1e-9, -0.6, 0.0]]).double(),
        ]
    )
    packed = PackedGrids.pack(grids[0].permute(0, 2, 3, 4, 1).flatten(0, 1), axes, 1.2)
    taps = packed.taps(points.t().contiguous(), 0.5)
    expected = sample_grids(grid_table(grids), points, None, axes, 1.2, (depth, 8, 8))
    torch.testing.assert_close(packed.read(taps), expected)
    some = torch.tensor([3, 700, 801])
    torch.testing.assert_close(packed.read(taps.select(some)), expected[some])
    assert torch.equal(taps.cropped, (points[:, 0].abs() > 0.5) | (points[:, 2].abs() > 0.5))


def test_pictures_that_alternate_texel_by_texel_are_not_copied() -> None:
    """As a semantic branch projects them."""
    table = torch.randn(4 * 4 * 9, 5)
    packed = PackedGrids.pack(table.view(4, 4, 9, 5).permute(2, 0, 1, 3), PUBLISHED_GRID_AXES, 1.0)
    assert packed.table.data_ptr() == table.data_ptr()
    assert (packed.resolution, packed.depth) == (4, 3)


@pytest.mark.parametrize("depth", [1, 3])
def test_taps_of_pictures_are_those_of_the_packed_table(depth: int) -> None:
    rng = torch.Generator().manual_seed(1)
    table = torch.randn(5 * 5 * 3 * depth, 2, generator=rng, dtype=torch.float64)
    points = (torch.rand(300, 3, generator=rng, dtype=torch.float64) * 2 - 1) * 0.7
    rows, weights = picture_taps(points, PUBLISHED_GRID_AXES, 1.0, depth, 5)
    packed = PackedGrids(table, PUBLISHED_GRID_AXES, 1.0, 5, depth)
    expected = packed.read(packed.taps(points.t().contiguous(), 0.4))
    torch.testing.assert_close((table[rows] * weights[..., None]).sum(dim=1), expected)
