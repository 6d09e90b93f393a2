"""The density grid: its numbers against the field and slow loops, and that its footprint drops no ray that meets matter."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dnerf_core.camera import look_at
from dnerf_core.generator.config import PlaneAxes, TriplaneConfig
from dnerf_core.generator.eg3d import TriplaneField
from dnerf_core.generator.packed_field import FoldedDecoder, PackedField
from dnerf_core.rendering.compositing import interval_weights
from dnerf_core.rendering.density_grid import EMPTY_OPACITY, DensityGrid
from dnerf_core.rendering.rays import box_limits, camera_rays
from tests.core.semantic_cases import camera_tensors, tiny_camera, tiny_generator

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 1.6
LONGEST = math.sqrt(3) * SIDE
NOTHING, MATTER = -60.0, 40.0


def empty_values(nodes: int) -> Tensor:
    return torch.full((nodes + 2, nodes + 2, nodes + 2), NOTHING)


def build(values: Tensor, inset: float | None = 0.0) -> DensityGrid:
    return DensityGrid.build(values, SIDE, LONGEST, inset)


def random_points(count: int, reach: float = 1.4) -> Tensor:
    """[3, count], some of them outside the box and outside the ring."""
    return (torch.rand(3, count, generator=torch.Generator().manual_seed(count)) * 2 - 1) * reach * SIDE / 2


def slow_estimate(values: np.ndarray, point: list[float]) -> tuple[float, float]:
    """Trilinear value and highest of the 8 nodes round a point (x, y, z), from the convention, one node after the other."""
    nodes = values.shape[0] - 2
    # ring node 0 lies half a cell outside the box; what it holds goes on outwards
    place = [min(max(p * nodes / SIDE + nodes / 2 + 0.5, 0.0), nodes + 1.0) for p in point]
    low = [min(math.floor(u), nodes) for u in place]
    total, highest = 0.0, -math.inf
    for corner in itertools.product((0, 1), repeat=3):
        i, j, k = (low[axis] + corner[axis] for axis in range(3))
        share = 1.0
        for axis in range(3):
            fraction = place[axis] - low[axis]
            share *= fraction if corner[axis] else 1 - fraction
        total += share * float(values[k, j, i])
        highest = max(highest, float(values[k, j, i]))
    return total, highest


def test_estimate_by_hand() -> None:
    """Two nodes an axis, at -0.4 and 0.4; the ring at -1.2 and 1.2. Values 1 x + 10 y + 100 z are interpolated exactly."""
    at = torch.tensor([-1.2, -0.4, 0.4, 1.2])
    grid = build(100 * at[:, None, None] + 10 * at[None, :, None] + at[None, None, :])
    assert grid.nodes == 2
    points = torch.tensor([[0.1, -0.3, 0.2], [-0.8, 0.8, 1.0], [5.0, 0.0, -0.4]])
    values, highest = grid.estimate(points.t().contiguous())
    torch.testing.assert_close(values, torch.tensor([0.1 - 3 + 20, -0.8 + 8 + 100, 1.2 + 0 - 40]), rtol=0, atol=1e-4)
    torch.testing.assert_close(highest, torch.tensor([0.4 + 4 + 40, -0.4 + 12 + 120, 1.2 + 4 + 40]), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("count", "threads"), [(300, 1), (1501, 1), (1501, 3)])
def test_estimate_equals_a_slow_loop(count: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one lot and dealt to several threads. Tolerance: a position is off by some ulps of 7, times the steepest slope."""
    values = torch.randn(7, 7, 7, generator=torch.Generator().manual_seed(0)) * 5
    grid, points = build(values), random_points(count)
    kept = points.clone()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found, highest = grid.estimate(points)
    assert torch.equal(points, kept), "the caller's points stay as they were"
    expected = [slow_estimate(values.numpy(), point) for point in points.t().tolist()]
    torch.testing.assert_close(found, torch.tensor([e[0] for e in expected]), rtol=0, atol=1e-4)
    assert torch.equal(highest, torch.tensor([e[1] for e in expected]))
    assert bool((highest >= found - 1e-4).all()), "an upper estimate"


def test_empty_below_stops_its_share_of_the_longest_ray() -> None:
    for longest in (0.5, 3.1, 40.0):
        grid = DensityGrid.build(empty_values(4), SIDE, longest, 0.0)
        distances = torch.linspace(0, longest, 50, dtype=torch.float64)[None]
        weights = interval_weights(distances, torch.full((1, 50), grid.empty_below, dtype=torch.float64))
        assert float(weights.sum()) == pytest.approx(1 - math.exp(-EMPTY_OPACITY), rel=1e-6)


def packed_and_plain(axes: tuple[PlaneAxes, ...], resolution: int) -> tuple[PackedField, TriplaneField]:
    """A field of rough random planes, both ways."""
    config = TriplaneConfig(box_warp=SIDE, plane_axes=axes)
    planes = torch.randn(1, len(axes), 32, resolution, resolution, generator=torch.Generator().manual_seed(4)) * 2
    decoder = tiny_generator().decoder
    folded = FoldedDecoder.fold(decoder.net[0], decoder.net[2], len(axes))
    return PackedField.pack(planes, folded, config), TriplaneField(planes, decoder, config)


@pytest.mark.parametrize("axes", [("xy", "xz", "zx"), ("xy", "xz", "yz"), ("xz", "yz", "zx"), ("yz", "zy", "yz")])
@pytest.mark.parametrize("nodes", [4, 8, 24, 9])
def test_nodes_hold_the_fields_density(axes: tuple[PlaneAxes, ...], nodes: int) -> None:
    """Ring included; planes of 24 texels, read at common corners of four, at texel centres and in between.

    Tolerance: raw densities reach some hundreds here (a gain of 200), and float32 sums are ordered differently.
    """
    packed, plain = packed_and_plain(axes, 24)
    at = ((torch.arange(nodes + 2) - 0.5) / nodes - 0.5) * SIDE
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    with torch.no_grad():
        grid = packed.density_grid(nodes, LONGEST, 0.0)
        expected = plain.raw_density(torch.stack([x, y, z], dim=-1).reshape(-1, 3), None).reshape(z.shape)
    assert expected.std() > 10
    torch.testing.assert_close(grid.values[0, 0], expected, rtol=0, atol=5e-3)
    assert not torch.allclose(expected.transpose(0, 1), expected, atol=1.0), "another order of axes is seen"


def test_more_nodes_than_texels_read_the_field_inside() -> None:
    """The ring is not the field's there: half a cell outside, small planes have not faded yet."""
    packed, plain = packed_and_plain(("xy", "xz", "zx"), 6)
    at = ((torch.arange(10) + 0.5) / 10 - 0.5) * SIDE
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    with torch.no_grad():
        grid = packed.density_grid(10, LONGEST, 0.0)
        expected = plain.raw_density(torch.stack([x, y, z], dim=-1).reshape(-1, 3), None).reshape(z.shape)
    torch.testing.assert_close(grid.values[0, 0, 1:-1, 1:-1, 1:-1], expected, rtol=0, atol=5e-3)


def test_large_activations_do_not_overflow_the_grid() -> None:
    """Planes so loud that exp of a hidden activation would be infinite."""
    packed, plain = packed_and_plain(("xy", "xz", "zx"), 8)
    loud = dataclasses.replace(packed, planes=dataclasses.replace(packed.planes, table=packed.planes.table * 200))
    plain.table = plain.table * 200
    at = ((torch.arange(4) + 0.5) / 4 - 0.5) * SIDE
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(-1, 3)
    with torch.no_grad():
        assert plain.decoder.net[0](plain.features(points, None)).max() > 100
        found = loud.density_grid(4, LONGEST, 0.0).values[0, 0, 1:-1, 1:-1, 1:-1]
        torch.testing.assert_close(found.flatten(), plain.raw_density(points, None), rtol=1e-4, atol=1e-1)


def blobs(nodes: int, seed: int) -> Tensor:
    """One to three small balls of matter, some of them in corners of the box, in otherwise empty space."""
    rng = np.random.default_rng(seed)
    values = empty_values(nodes)
    for _ in range(rng.integers(1, 4)):
        centre = rng.choice([1, nodes], 3) if rng.random() < 0.4 else rng.integers(1, nodes + 1, 3)
        size = int(rng.integers(0, max(2, nodes // 8)))
        low, high = np.maximum(centre - size, 1), np.minimum(centre + size, nodes)
        values[low[0] : high[0] + 1, low[1] : high[1] + 1, low[2] : high[2] + 1] = MATTER
    return values


def random_camera(seed: int) -> tuple[Tensor, Tensor]:
    """cam2world [4, 4] and skewed intrinsics [3, 3] of a camera that sees some of the box or all of it."""
    rng = np.random.default_rng(seed)
    eye = rng.normal(size=3)
    eye *= rng.uniform(1.8, 4.0) / np.linalg.norm(eye)
    pose = look_at(tuple(eye), tuple(rng.uniform(-0.3, 0.3, 3)))
    focal = rng.uniform(0.6, 3.0)
    intrinsics = [[focal, rng.uniform(-0.2, 0.2), rng.uniform(0.3, 0.7)], [0, focal * rng.uniform(0.8, 1.2), 0.5], [0, 0, 1]]
    return torch.from_numpy(pose).float(), torch.tensor(intrinsics, dtype=torch.float32)


def meets_matter(grid: DensityGrid, pose: Tensor, intrinsics: Tensor, resolution: int, inset: float) -> Tensor:
    """Pixels bool [R * R] whose rays pass a cell that is not empty, looked for at 150 places between the ray's limits."""
    origins, directions = (x[0] for x in camera_rays(pose[None], intrinsics[None], resolution))
    start, end, hit = box_limits(origins, directions, grid.side - 2 * inset)
    distances = start[:, None] + (end - start)[:, None] * torch.linspace(0, 1, 150)
    points = origins[:, None] + distances[..., None] * directions[:, None]
    _, highest = grid.estimate(points.reshape(-1, 3).t().contiguous())
    return hit & (highest.reshape(distances.shape) >= grid.empty_below).any(dim=1)


@pytest.mark.parametrize("nodes", [12, 64, 90])
@pytest.mark.parametrize("inset", [0.0, 0.05])
def test_footprint_keeps_every_ray_that_meets_matter(nodes: int, inset: float) -> None:
    """Random matter, rims and corners too, from random cameras; and most other rays are dropped."""
    resolution, kept, met = 24, 0, 0
    for seed in range(12):
        grid = build(blobs(nodes, seed), inset)
        camera = random_camera(100 * nodes + seed)
        seen = grid.footprint(*camera, resolution)
        if seen is None:  # nearer to the matter than its cells can be bounded
            continue
        needed = meets_matter(grid, *camera, resolution, inset)
        assert not bool((needed & ~seen).any()), f"seed {seed}: {int((needed & ~seen).sum())} rays lost"
        kept, met = kept + int(seen.sum()), met + int(needed.sum())
    assert met > 200
    # a cell's sphere reaches beyond it, and a pixel more is kept all round
    assert kept < 0.75 * 12 * resolution**2


@pytest.mark.parametrize("nodes", [5, 64, 65, 80, 128])
def test_spheres_of_occupied_cells_hold_all_matter(nodes: int) -> None:
    """Every corner of the cells round a lone node of matter lies within `cell_radius` of an occupied cell's centre."""
    rng = np.random.default_rng(nodes)
    for node in [(1, 1, 1), (nodes, nodes, nodes), *(tuple(int(x) for x in rng.integers(1, nodes + 1, 3)) for _ in range(6))]:
        values = empty_values(nodes)
        values[node] = MATTER
        grid = build(values)
        assert grid.occupied is not None and len(grid.occupied) > 0
        corners = torch.tensor(
            [[node[2 - axis] + step[axis] for axis in range(3)] for step in itertools.product((-1, 1), repeat=3)]
        )
        corners = ((corners - 0.5) / nodes - 0.5) * SIDE
        nearest = torch.cdist(corners, grid.occupied).amin(dim=1)
        assert float(nearest.max()) <= grid.cell_radius * (1 + 1e-5), node


def test_inset_rims_do_not_count() -> None:
    """Eight nodes of 0.2: the outer cells reach 0.1 inside the faces, so an inset of 0.1 leaves them unentered, and 0.09 does not."""
    values = empty_values(8)
    values[1, 4, 4] = MATTER  # the cells round it: 0.3 in from the face z = -0.8, and 0.1 out
    values[:, :, 0] = MATTER  # outside the face x = -0.8
    inside, partly = build(values, 0.1), build(values, 0.09)
    assert inside.occupied is not None and partly.occupied is not None
    assert float(inside.occupied[:, 2].min()) == pytest.approx(-0.6) and len(inside.occupied) == 4
    assert float(partly.occupied[:, 0].min()) == pytest.approx(-0.8)
    # lone matter at the rim is all that a ray along the face can meet
    values = empty_values(8)
    values[0, 4, 4] = MATTER
    ring_only = build(values, 0.1)
    assert ring_only.occupied is not None and len(ring_only.occupied) == 0
    assert not bool(ring_only.footprint(*(x[0] for x in camera_tensors(tiny_camera())), 16).any())  # type: ignore[union-attr]


def test_matter_outside_rules_culling_out_where_rays_go_there() -> None:
    values = empty_values(8)
    values[4, 4, 4] = MATTER
    assert build(values, None).occupied is not None
    for ring in ((0, 4, 4), (4, 9, 4), (4, 4, 0)):
        outside = values.clone()
        outside[ring] = MATTER
        assert build(outside, None).occupied is None, ring
        assert build(outside, 0.1).occupied is not None, ring


def test_a_footprint_that_cannot_help_is_none() -> None:
    """A box full of matter, and a camera within two radii of a cell or with cells behind it."""
    ahead = tuple(x[0] for x in camera_tensors(tiny_camera()))
    assert build(torch.full((10, 10, 10), MATTER)).footprint(*ahead, 16) is None
    values = empty_values(8)
    values[4, 4, 4] = MATTER
    grid = build(values)
    assert grid.footprint(*ahead, 16) is not None
    for eye in ((0.0, 0.0, 0.3), (0.0, 0.0, -0.6)):
        pose = torch.from_numpy(look_at(eye, (0.0, 0.0, -3.0))).float()
        assert grid.footprint(pose, ahead[1], 16) is None, eye
    nothing = build(empty_values(8)).footprint(*ahead, 16)
    assert nothing is not None and nothing.shape == (256,) and not bool(nothing.any())


def test_a_footprint_by_hand() -> None:
    """One node of matter at (0.1, 0.1, 0.1), a camera on the z axis: its cells span 8 cells of radius 0.17 about it."""
    values = empty_values(8)
    values[5, 5, 5] = MATTER
    grid = build(values)
    assert grid.occupied is not None
    assert sorted(grid.occupied.unique().tolist()) == pytest.approx([0.0, 0.2], abs=1e-6)
    assert grid.cell_radius == pytest.approx(math.sqrt(3) * 0.1)
    pose = torch.eye(4)
    pose[2, 3] = -3.9  # looks along +z; x to the right, y down
    seen = grid.footprint(pose, torch.tensor([[2.0, 0, 0.51], [0, 2.0, 0.51], [0, 0, 1]]), 40)
    assert seen is not None
    # a centre at 0 is at 0.51 * 40 = 20.4 pixels, one at 0.2 at 20.4 + 80 * 0.2 / 3.9 = 24.5 or 20.4 + 80 * 0.2 / 4.1 = 24.3
    slant = math.sqrt(2) * 0.2 / 3.9
    reach = math.ceil(80 * grid.cell_radius / (3.9 - grid.cell_radius) * (1 + slant**2)) + 1
    assert reach == 5
    expected = torch.zeros(40, 40, dtype=torch.bool)
    expected[20 - reach : 25 + reach, 20 - reach : 25 + reach] = True
    assert torch.equal(seen.reshape(40, 40), expected)


def test_a_footprint_holds_the_spheres_of_its_cells() -> None:
    """Also far off the axis, where a sphere's picture is drawn out, and of spheres whose centre is outside the picture."""
    resolution, checked = 200, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        depth, slant, turn = rng.uniform(1, 2), rng.uniform(0, 3.5), rng.uniform(0, 2 * math.pi)
        centre = torch.tensor([[slant * math.cos(turn), slant * math.sin(turn), 1.0]]) * depth
        behind = centre + torch.tensor([[0.0, 0.0, 1.5]])
        radius = float(rng.uniform(0.1, 0.4) * depth)
        grid = dataclasses.replace(build(empty_values(4)), occupied=torch.cat([centre, behind]), cell_radius=radius)
        focal = rng.uniform(0.2, 0.3)
        intrinsics = torch.tensor([[focal, rng.uniform(-0.05, 0.05), 0.5], [0, focal, 0.5], [0, 0, 1]], dtype=torch.float32)
        seen = grid.footprint(torch.eye(4), intrinsics, resolution)
        assert seen is not None
        outwards = torch.from_numpy(rng.normal(size=(4000, 3))).float()
        image = (centre + radius * outwards / outwards.norm(dim=1, keepdim=True)) @ intrinsics.t()
        pixel = (image[:, :2] / image[:, 2:] * resolution).floor().long()
        pixel = pixel[((pixel >= 0) & (pixel < resolution)).all(dim=1)]
        assert bool(seen.reshape(resolution, resolution)[pixel[:, 1], pixel[:, 0]].all()), f"seed {seed}"
        checked += len(pixel)
    assert checked > 10000
