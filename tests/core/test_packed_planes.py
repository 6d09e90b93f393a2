"""Packed planes against the plain reader, the in-place softplus against float64."""

from __future__ import annotations

import math

import pytest
import torch

from dnerf_core.rendering.packed.planes import PackedPlanes, merge_transposed
from dnerf_core.rendering.softplus import EXP_LIMIT, softplus_
from dnerf_core.rendering.triplane import plane_table, sample_planes

SIDE = 1.6
AXES = [("xy", "xz", "zx"), ("xy", "xz", "yz")]


def random_planes(resolution: int, channels: int = 5) -> torch.Tensor:
    """Planes [3, C, R, R]."""
    return torch.randn(3, channels, resolution, resolution, generator=torch.Generator().manual_seed(resolution))


def pack(planes: torch.Tensor, axes: tuple[str, ...]) -> PackedPlanes:
    return PackedPlanes.pack(planes.permute(0, 2, 3, 1), axes, SIDE)


def read(packed: PackedPlanes, points: torch.Tensor) -> torch.Tensor:
    """[N, C] at points [N, 3]."""
    return packed.read(packed.taps(points.t().contiguous()))


def plain(planes: torch.Tensor, points: torch.Tensor, axes: tuple[str, ...]) -> torch.Tensor:
    return sample_planes(plane_table(planes[None]), points, None, axes, SIDE, (planes.shape[-2], planes.shape[-1]))


def test_transposed_twins_merge_by_hand() -> None:
    """Reading (z, x) of a plane is reading (x, z) of its transpose; three planes that share no pair of axes stay as they are."""
    planes = torch.arange(12.0).reshape(3, 2, 2, 1)
    merged, axes = merge_transposed(planes, ("xy", "xz", "zx"))
    assert axes == ("xy", "xz")
    assert merged[:, :, :, 0].tolist() == [[[0, 1], [2, 3]], [[4 + 8, 5 + 10], [6 + 9, 7 + 11]]]
    apart, axes = merge_transposed(planes, ("xy", "xz", "yz"))
    assert axes == ("xy", "xz", "yz") and torch.equal(apart, planes)
    doubled, axes = merge_transposed(planes, ("yz", "zy", "yz"))
    assert axes == ("yz",)
    assert doubled[0, :, :, 0].tolist() == [[0 + 4 + 8, 1 + 6 + 9], [2 + 5 + 10, 3 + 7 + 11]]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("resolution", [8, 13])
def test_packed_reads_equal_plain_reads(axes: tuple[str, ...], resolution: int) -> None:
    """Inside, on the faces, and within half a texel outside, where planes fade.

    Tolerance: positions are worked out in another order, so a weight is off by a few ulps of a position below 14.
    """
    rng = torch.Generator().manual_seed(1)
    planes = random_planes(resolution)
    packed = pack(planes, axes)
    inside = (torch.rand(500, 3, generator=rng) - 0.5) * SIDE
    on_faces = inside.clone()
    on_faces[torch.arange(500), torch.arange(500) % 3] = torch.tensor([-SIDE / 2, SIDE / 2]).repeat_interleave(250)
    just_outside = on_faces * (1 + 0.9 / resolution * torch.rand(500, 1, generator=rng))
    for points in (inside, on_faces, just_outside):
        found, expected = read(packed, points), plain(planes, points, axes)
        assert expected.abs().max() > 0.5
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    swapped = plain(planes, inside, (axes[0], axes[1], axes[2][::-1]))
    assert (read(packed, inside) - swapped).abs().max() > 0.5


@pytest.mark.parametrize("axes", AXES)
def test_texel_centres_are_read_exactly(axes: tuple[str, ...]) -> None:
    """A point over texel (i, j) of one plane, by hand: plane "ab" has coordinate a along its width and b along its height."""
    planes = random_planes(8)
    column = {"x": 1, "y": 6, "z": 4}
    point = torch.tensor([[(column[axis] + 0.5) / 8 * SIDE - SIDE / 2 for axis in "xyz"]])
    expected = sum(plane[:, column[pair[1]], column[pair[0]]] for plane, pair in zip(planes, axes, strict=True))
    torch.testing.assert_close(read(pack(planes, axes), point)[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("axes", AXES)
def test_outside_is_exactly_zero(axes: tuple[str, ...]) -> None:
    """From half a texel outside on, however far; and past one face only, the plane that lies along it is still read."""
    planes = random_planes(8)
    packed = pack(planes, axes)
    edge = SIDE / 2 * (1 + 1.001 / 8)
    corners = torch.tensor([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    far = torch.cat([corners * edge, corners * 3, corners * 1e6, corners * 1e30])
    assert read(packed, far).abs().max() == 0
    past_z = torch.tensor([[0.1, -0.2, 0.9], [0.1, -0.2, 1e20]])
    found = read(packed, past_z)
    assert torch.equal(found[0], found[1]) and found.abs().max() > 0.1
    torch.testing.assert_close(found, plain(planes, past_z, axes), rtol=0, atol=1e-5)


def test_taps_serve_every_table_of_one_shape_and_can_be_selected() -> None:
    planes, others = random_planes(8), random_planes(8, channels=3)
    packed, other = pack(planes, AXES[0]), pack(others, AXES[0])
    points = (torch.rand(50, 3, generator=torch.Generator().manual_seed(2)) - 0.5) * SIDE
    taps = packed.taps(points.t().contiguous())
    assert taps.rows.shape == taps.weights.shape == (50, 8)
    torch.testing.assert_close(other.read(taps), plain(others, points, AXES[0]), rtol=0, atol=2e-5)
    keep = torch.tensor([3, 40, 7])
    assert torch.equal(packed.read(taps.select(keep)), packed.read(taps)[keep])
    mask = torch.zeros(50, dtype=torch.bool)
    mask[[5, 9]] = True
    assert torch.equal(packed.read(taps.select(mask)), packed.read(taps)[mask])


def test_softplus_equals_float64() -> None:
    """1 + exp(x) is rounded to 6e-8, and a result above 1 to its own last digit."""
    x = torch.cat([torch.linspace(-30, EXP_LIMIT - 1, 4001), torch.tensor([-1e30, -1e4, -200.0, -0.0, 0.0])])
    expected = [math.log1p(math.exp(v)) if v < 700 else v for v in x.tolist()]
    found = softplus_(x)
    torch.testing.assert_close(found.double(), torch.tensor(expected, dtype=torch.float64), rtol=1.2e-7, atol=1.2e-7)
    assert found is x, "in place"
    assert found[-5:-2].tolist() == [0, 0, 0]


def test_softplus_of_large_numbers_does_not_overflow() -> None:
    x = torch.tensor([EXP_LIMIT + 1, 1e3, 1e30, 0.0, -50.0])
    expected = torch.tensor([EXP_LIMIT + 1, 1e3, 1e30, math.log(2), 0.0])
    torch.testing.assert_close(softplus_(x.clone()), expected)
    assert softplus_(x, bounded=True).isinf().any(), "who says that x is bounded is believed"


def test_softplus_of_nothing() -> None:
    assert softplus_(torch.zeros(0, 64)).shape == (0, 64)
