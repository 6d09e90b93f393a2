"""Reading tri-grids: against torch's own trilinear reads of one volume at a time, and against values worked by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dnerf_core.panohead.background import background_ws, mask_of, resize_background
from dnerf_core.panohead.config import PANOHEAD, PUBLISHED_GRID_AXES, TrigridConfig
from dnerf_core.panohead.decoder import GridDecoder, activate_colors
from dnerf_core.panohead.field import CROPPED, TrigridField
from dnerf_core.panohead.trigrid import grid_table, sample_grids

COLUMN = {"x": 0, "y": 1, "z": 2}


def read_slowly(grids: torch.Tensor, points: torch.Tensor, axes: tuple[str, ...], side: float) -> torch.Tensor:
    """Sum over planes [N, C] of grids [P, C, D, H, W] at points [N, 3], one volume after the other, by `grid_sample`."""
    total = torch.zeros(len(points), grids.shape[1], dtype=grids.dtype)
    for volume, name in zip(grids, axes, strict=True):
        where = torch.stack([points[:, COLUMN[axis]] for axis in name], dim=1) * 2 / side
        read = F.grid_sample(volume[None], where[None, None, None], padding_mode="zeros", align_corners=False)
        total += read[0, :, 0, 0].t()
    return total


def random_grids(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def random_points(count: int, reach: float) -> torch.Tensor:
    """[count, 3] up to `reach` from the origin along each axis."""
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 2 - 1) * reach


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("axes", [PUBLISHED_GRID_AXES, ("zyx", "yxz", "zxy")])
def test_reads_are_torchs(depth: int, axes: tuple[str, ...]) -> None:
    grids, points = random_grids(3, 4, depth, 6, 6), random_points(500, 0.9)  # a side of 1.5: some lie outside
    found = sample_grids(grid_table(grids[None]), points, None, axes, 1.5, (depth, 6, 6))
    torch.testing.assert_close(found, read_slowly(grids, points, axes, 1.5))


def test_width_height_and_depth_differ() -> None:
    """Plane "xyz" reads x along its last axis and z along its slices; a plane of three different sizes tells them apart."""
    grids, points = random_grids(1, 2, 3, 5, 7), random_points(200, 0.6)
    found = sample_grids(grid_table(grids[None]), points, None, ("yzx",), 1.0, (3, 5, 7))
    torch.testing.assert_close(found, read_slowly(grids, points, ("yzx",), 1.0))
    assert not torch.allclose(found, read_slowly(grids, points, ("zxy",), 1.0))


def test_each_subject_reads_its_own() -> None:
    grids, points = random_grids(2, 3, 4, 3, 6, 6), random_points(100, 0.5)
    subject = torch.arange(100) % 2
    found = sample_grids(grid_table(grids), points, subject, PUBLISHED_GRID_AXES, 1.0, (3, 6, 6))
    for index in (0, 1):
        torch.testing.assert_close(
            found[subject == index], read_slowly(grids[index], points[subject == index], PUBLISHED_GRID_AXES, 1.0)
        )


def test_slices_by_hand() -> None:
    """Three slices are centred at -2/3, 0 and 2/3 of the half side, and at a face half of the last is left."""
    grids = torch.tensor([1.0, 10.0, 100.0]).reshape(1, 1, 1, 3, 1, 1).expand(1, 1, 1, 3, 4, 4).double()
    z = torch.tensor([-2 / 3, 0.0, 2 / 3, 1 / 3, 1.0, -1.0], dtype=torch.float64)
    points = torch.stack([torch.zeros_like(z), torch.zeros_like(z), z], dim=1)
    found = sample_grids(grid_table(grids), points, None, ("xyz",), 2.0, (3, 4, 4))
    expected = torch.tensor([1.0, 10.0, 100.0, 0.5 * 10 + 0.5 * 100, 0.5 * 100, 0.5 * 1], dtype=torch.float64)
    torch.testing.assert_close(found[:, 0], expected)


def test_one_slice_is_no_triplane() -> None:
    """It fades along its depth: all of it in the middle, half at the faces."""
    grids = torch.ones(1, 1, 1, 1, 4, 4, dtype=torch.float64)
    points = torch.tensor([[0, 0, 0.0], [0, 0, 0.25], [0, 0, 0.5]], dtype=torch.float64)
    found = sample_grids(grid_table(grids), points, None, ("xyz",), 1.0, (1, 4, 4))
    torch.testing.assert_close(found[:, 0], torch.tensor([1.0, 0.75, 0.5], dtype=torch.float64))


def test_gradients() -> None:
    table = grid_table(random_grids(1, 3, 2, 3, 4, 4)).requires_grad_()
    points = random_points(6, 0.4).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda t, p: sample_grids(t, p, None, PUBLISHED_GRID_AXES, 1.0, (3, 4, 4)), (table, points), eps=1e-7
    )


@pytest.mark.parametrize("activation", ["none", "lrelu", "sigmoid"])
def test_activations_by_hand(activation: str) -> None:
    raw = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    expected = {
        "none": [-2.0, 0.0, 3.0],
        "lrelu": [-2.0 * 0.2 * 2**0.5, 0.0, 3.0 * 2**0.5],
        "sigmoid": [1.002 / (1 + 2.718281828459045**2) - 0.001, 0.5, 1.002 / (1 + 2.718281828459045**-3) - 0.001],
    }[activation]
    torch.testing.assert_close(activate_colors(raw, activation), torch.tensor(expected, dtype=torch.float64))


def test_crop_is_of_pictures_and_of_x_and_z() -> None:
    config = TrigridConfig(box_warp=2.0, hidden_dim=4)
    field = TrigridField(random_grids(1, 3, 2, 3, 4, 4), GridDecoder(2, config).double(), config)
    points = torch.tensor([[0.89, 0, 0], [0.91, 0, 0], [-0.91, 0, 0], [0, 0.99, 0], [0, 0, -0.91], [0, 0, 0.9]]).double()
    raw, shape = field.raw_density(points, None), field.shape_density(points, None)
    cropped = torch.tensor([False, True, True, False, True, False])
    assert (raw[cropped] == CROPPED).all()
    assert torch.equal(raw[~cropped], shape[~cropped])
    assert (shape > CROPPED).all()


def test_background_takes_the_first_ws_or_repeats_the_last() -> None:
    ws = torch.arange(14.0).reshape(1, 14, 1).expand(2, -1, 3)
    assert background_ws(ws, 12)[0, :, 0].tolist() == list(range(12))
    assert background_ws(ws[:, :3], 5)[1, :, 2].tolist() == [0, 1, 2, 2, 2]


def test_background_is_averaged_where_it_shrinks() -> None:
    picture = torch.ones(1, 2, 8, 8)
    picture[..., ::2] = -1.0
    assert resize_background(picture, 8) is picture
    assert float(resize_background(picture, 2).abs().max()) < 0.2


def test_mask_by_hand() -> None:
    torch.testing.assert_close(mask_of(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-0.001, 0.5, 1.001]))


def test_published_cameras() -> None:
    """Published pitch -0.05 +- 0.5: height over radius is -2 pitch / pi, so 0.0318, from -0.2865 to 0.3501."""
    cameras = PANOHEAD.cameras
    assert cameras.pitch_deg == pytest.approx(1.824, abs=1e-3)
    assert cameras.pitch_range_deg == pytest.approx((-16.647, 20.496), abs=1e-3)
    assert cameras.yaw_range_deg == (-180.0, 180.0)
