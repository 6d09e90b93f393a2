"""A mesh as soft splats: as much of a picture as it covers, where it is, in front of what it hides; and with gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from dnerf_core.camera import sphere_camera
from dnerf_core.inversion.splats import area_vectors, blurred, splatted, with_centres
from dnerf_core.rendering.camera_tensors import camera_tensors

pytestmark = pytest.mark.usefixtures("one_thread")

FOCAL, RADIUS = 1.5, 3.0
CAMERA = camera_tensors(sphere_camera(0.0, 0.0, radius=RADIUS, focal=FOCAL))
BLACK = torch.zeros(1, 1)


def ball(radius: float = 0.5, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> tuple[Tensor, Tensor]:
    mesh = trimesh.creation.icosphere(subdivisions=4)
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32) * radius + torch.tensor(centre)
    return vertices[None], torch.tensor(mesh.faces)


def seen(vertices: Tensor, faces: Tensor, values: Tensor, side_px: int = 48, blur_px: float = 0.8) -> Tensor:
    return splatted(vertices, area_vectors(vertices, faces), values, BLACK, *CAMERA, side_px, blur_px, 0.05)


def test_area_vectors_are_the_surface() -> None:
    vertices, faces = ball()
    areas = area_vectors(vertices, faces)
    assert float(areas.norm(dim=2).sum()) == pytest.approx(4 * math.pi * 0.25, rel=0.01)
    assert float(((areas * vertices).sum(dim=2) > 0).float().mean()) == 1.0  # outwards
    with_them = with_centres(vertices, areas, torch.ones(1, vertices.shape[1], 1), faces)
    assert [part.shape[1] for part in with_them] == 3 * [vertices.shape[1] + len(faces)]
    assert float(with_them[1].norm(dim=2).sum()) == pytest.approx(4 * math.pi * 0.25, rel=0.01)
    torch.testing.assert_close(with_them[1].sum(dim=1), torch.zeros(1, 3), atol=1e-5, rtol=0)  # a closed surface


@pytest.mark.parametrize("blur_px", [0.6, 1.5])
def test_a_ball_is_a_blurred_disc(blur_px: float) -> None:
    vertices, faces = ball()
    found = seen(vertices, faces, torch.ones(1, vertices.shape[1], 1), blur_px=blur_px)[0, 0]
    fine = 48 * 8
    steps = (torch.arange(fine) + 0.5) / fine - 0.5
    radius = FOCAL * 0.5 / math.sqrt(RADIUS**2 - 0.25)  # of the silhouette of a sphere
    disc = (steps[:, None].square() + steps.square() <= radius**2).float()
    expected = blurred(torch.nn.functional.avg_pool2d(disc[None, None], 8), blur_px)[0, 0]
    assert float((found - expected).abs().mean()) < 0.02
    assert float((found - expected).abs().max()) < 0.3  # opacity bends at the rim
    middle = slice(20, 28)
    assert float(found[middle, middle].min()) > 0.95


def test_what_is_behind_is_hidden_and_what_is_beside_is_not() -> None:
    (near, faces), (far, more) = ball(0.3, (0.0, 0.0, 0.6)), ball(0.3, (0.0, 0.0, -0.6))
    (beside, _) = ball(0.3, (0.8, 0.0, -0.6))
    count = near.shape[1]
    values = torch.cat([torch.ones(1, count, 1), torch.full((1, count, 1), 0.5)], dim=1)
    for other, sees in ((far, False), (beside, True)):
        picture = seen(torch.cat([near, other], dim=1), torch.cat([faces, more + count]), values)[0, 0]
        assert float(picture[24, 24]) > 0.95
        half = (picture > 0.4) & (picture < 0.6)
        assert (int(half.sum()) > 60) is sees


def test_gradients_lead_to_where_a_picture_shows_it() -> None:
    vertices, faces = ball(0.3)
    values = torch.ones(1, vertices.shape[1], 1)
    goal = seen(vertices + torch.tensor([0.2, -0.1, 0.0]), faces, values, 24, 2.0)
    shift = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        (seen(vertices + shift, faces, values, 24, 2.0) - goal).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(shift.detach()[:2], torch.tensor([0.2, -0.1]), atol=0.01, rtol=0)


def test_what_is_out_of_sight_leaves_the_background() -> None:
    vertices, faces = ball(0.3, (0.0, 0.0, 9.0))  # behind the camera
    found = seen(vertices, faces, torch.ones(1, vertices.shape[1], 1))
    assert bool(found.isfinite().all()) and float(found.abs().max()) < 1e-3


def test_blur_keeps_means_and_flat_pictures() -> None:
    picture = torch.zeros(1, 2, 9, 9)
    picture[0, 0, 4, 4] = 1.0
    picture[0, 1] = 3.0
    found = blurred(picture, 0.8)
    assert float(found[0, 0].sum()) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(found[0, 1], 3.0, rtol=1e-6)
    torch.testing.assert_close(found[0, 0], found[0, 0].flip(0, 1))
