"""From posed to canonical space on bodies made of formulas: what must hold for every body, pose and projector."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import numpy as np
import pytest
import torch

from dnerf_core.gnarf.body.posed import PosedBody, pose_body
from dnerf_core.gnarf.body.posing import rotation_matrices
from dnerf_core.gnarf.body.rig import Rig
from dnerf_core.gnarf.body.tables import BodyTable, BodyTables
from dnerf_core.gnarf.config import Projector, WarpConfig
from dnerf_core.gnarf.warp.bones import segment_distances
from dnerf_core.gnarf.warp.mean_values import mean_value_map
from dnerf_core.gnarf.warp.projectors import project
from dnerf_core.gnarf.warp.surface_field import Topology, barycentrics, nearest_vertex, triangle_fans
from tests.core.gnarf.cases import bent, worm, worm_rig

pytestmark = pytest.mark.usefixtures("one_thread")

PROJECTORS: tuple[Projector, ...] = tuple(name for name in get_args(Projector) if name != "none")
BODIES = {"one-joint": {"joints": 1, "rings": 3, "around": 3}, "worm": {}, "long": {"joints": 40, "rings": 90, "around": 60}}


def table_of(rig: Rig, scale: float = 1.0) -> tuple[Any, BodyTable]:
    config = rig.config(scale)
    tables = BodyTables(config)
    tables.fill(rig.arrays())
    return config, tables.table()


def body_of(rig: Rig, pose: torch.Tensor | None = None, scale: float = 1.0) -> PosedBody:
    config, table = table_of(rig, scale)
    return pose_body(config, table, None if pose is None else pose[0])


def near(body: PosedBody, count: int = 400, spread: float = 0.03, seed: int = 2) -> torch.Tensor:
    """Points about the skin of a posed body."""
    rng = torch.Generator().manual_seed(seed)
    corners = body.vertices[body.table.faces[torch.randint(len(body.table.faces), (count,), generator=rng)]]
    shares = torch.rand(count, 3, 1, generator=rng)
    on_skin = (corners * shares / shares.sum(dim=1, keepdim=True)).sum(dim=1)
    return on_skin + spread * torch.randn(count, 3, generator=rng)


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize("name", BODIES)
def test_at_home_points_stay(name: str, projector: Projector) -> None:
    if (name, projector) == ("long", "mvc_grid"):
        pytest.skip("half a minute, for what mvc tells of that body already")
    body = body_of(worm_rig(**BODIES[name]))
    points = near(body, 100 if projector == "mvc" else 400)
    found, void = project(body, points, WarpConfig(projector))
    torch.testing.assert_close(found, points, rtol=0, atol=2e-5)
    assert not void.any()


@pytest.mark.parametrize("projector", ["closest", "surface_field", "skinning", "mvc"])
def test_a_turn_of_the_root_is_undone(projector: Projector) -> None:
    """The root turns about its own joint; then all is moved."""
    rig = worm_rig()
    turn = torch.tensor([0.4, -1.1, 0.7])
    pose = torch.from_numpy(rig.template.canonical_pose).clone()[None]
    pose[0, 0], pose[0, -1] = turn, torch.tensor([0.3, 0.1, -0.2])
    body = body_of(rig, pose)
    home = near(body_of(rig))
    joint = body.canonical_joints[0]
    posed = (home - joint) @ rotation_matrices(turn).t() + joint + pose[0, -1]
    found, _ = project(body, posed, WarpConfig(projector))
    torch.testing.assert_close(found, home, rtol=0, atol=2e-5)
    torch.testing.assert_close(
        body.vertices, (body.canonical_vertices - joint) @ rotation_matrices(turn).t() + joint + pose[0, -1], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("projector", ["closest", "surface_field", "mvc"])
def test_a_larger_template_of_a_smaller_scale_is_the_same_body(projector: Projector) -> None:
    pose = bent(worm_rig())
    larger = pose.clone()
    larger[0, -1] *= 4
    body, other = body_of(worm_rig(), pose), body_of(worm_rig(size=4.0), larger, 0.25)
    torch.testing.assert_close(other.vertices, body.vertices, rtol=0, atol=1e-6)
    torch.testing.assert_close(other.motions, body.motions, rtol=0, atol=1e-6)
    points = near(body, spread=0.02)
    found, again = (project(one, points, WarpConfig(projector))[0] for one in (body, other))
    apart = (found - again).abs().amax(dim=1)
    assert float(apart.quantile(0.97)) < 1e-5  # a choice may flip by rounding


@pytest.mark.parametrize("projector", ["closest", "surface_field"])
@pytest.mark.parametrize("name", BODIES)
def test_the_skin_goes_home(name: str, projector: Projector) -> None:
    """Vertices of the mesh that a projector stands on have their canonical places."""
    rig = worm_rig(**BODIES[name])
    body = body_of(rig, bent(rig, strength=0.2))
    found, _ = project(body, body.reduced, WarpConfig(projector))
    torch.testing.assert_close(found, body.canonical_reduced, rtol=0, atol=2e-5)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_every_finite_point_has_a_place(projector: Projector) -> None:
    """Far points, none, and vertices themselves; a template with a loose vertex and a triangle without an area."""
    template = worm()
    vertices = np.concatenate([template.vertices, [[0.0, 9.0, 0.0]]]).astype(np.float32)
    weights = np.concatenate([template.weights, template.weights[:1]])
    faces = np.concatenate([template.faces, [[3, 3, 4]]]).astype(np.int32)
    whole = worm_rig()
    rig = dataclasses.replace(whole, template=dataclasses.replace(template, vertices=vertices, faces=faces, weights=weights))
    body = body_of(rig, bent(rig))
    points = torch.cat([near(body), 100 * torch.eye(3), body.reduced[:5], torch.zeros(1, 3)])
    found, void = project(body, points, WarpConfig(projector))
    assert found.isfinite().all() and found.shape == points.shape and void.dtype == torch.bool and void.shape == (len(points),)
    none, empty = project(body, points[:0], WarpConfig(projector))
    assert none.shape == (0, 3) and empty.shape == (0,)


def test_what_is_out_of_reach_is_void() -> None:
    rig = worm_rig()
    body = body_of(rig, bent(rig))
    points = body.vertices.mean(dim=0) + torch.tensor([[5.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert project(body, points, WarpConfig("closest", reach=0.05))[1].tolist() == [True, False]
    assert project(body, points, WarpConfig("closest"))[1].tolist() == [False, False]


@pytest.mark.parametrize("projector", ["closest", "surface_field", "skinning"])
def test_gradients_go_to_points_and_to_the_pose(projector: Projector) -> None:
    """Against finite differences of one number, where no choice flips within the step."""
    rig = worm_rig()
    config, table = table_of(rig)
    points = near(body_of(rig, bent(rig)), 200, 0.01)
    direction = torch.randn(200, 3, generator=torch.Generator().manual_seed(5))

    def value(pose: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return (project(pose_body(config, table, pose), places, WarpConfig(projector))[0] * direction).sum(dim=1)

    pose, step = bent(rig)[0].requires_grad_(), 2e-4
    shift = torch.randn(pose.shape, generator=torch.Generator().manual_seed(6))
    moved = value(pose, points)
    per_point = torch.stack([torch.autograd.grad(one, pose, retain_graph=True)[0].mul(shift).sum() for one in moved[:40]])
    with torch.no_grad():
        expected = (value(pose + step * shift, points) - value(pose - step * shift, points))[:40] / (2 * step)
    close = (per_point - expected).abs() < 0.02 * expected.abs().clamp_min(0.1)
    assert close.float().mean() > 0.9
    places = points.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(pose.detach(), places).sum(), places)
    with torch.no_grad():
        expected = (value(pose, points + step * direction) - value(pose, points - step * direction)) / (2 * step)
    close = ((slope * direction).sum(dim=1) - expected).abs() < 0.02 * expected.abs().clamp_min(0.1)
    assert close.float().mean() > 0.9


def test_shape_coefficients_move_the_body_and_not_its_home() -> None:
    rig = worm_rig(shapes=2)
    config, table = table_of(rig, 2.0)
    pose, shape = bent(rig)[0], torch.tensor([0.5, -1.0])
    body, mean = pose_body(config, table, pose, shape), pose_body(config, table, pose)
    expected = (table.vertices * torch.tensor([1.15, 0.7, 1.0])) * 2
    torch.testing.assert_close(body.rest, expected)
    assert torch.equal(body.canonical_vertices, mean.canonical_vertices)
    blended = torch.einsum("vk,kij->vij", table.weights, body.motions)
    again = (blended[:, :, :3] @ body.rest[:, :, None])[:, :, 0] + blended[:, :, 3]
    torch.testing.assert_close(body.vertices, again, rtol=0, atol=1e-5)
    torch.testing.assert_close(pose_body(config, table, pose, torch.zeros(2)).vertices, mean.vertices)


def literal_surface_field(body: PosedBody, point: np.ndarray) -> tuple[np.ndarray, float]:
    """One point by the published rules, one step after the other in float64, and the least margin of its two choices."""
    posed, canonical = body.reduced.double().numpy(), body.canonical_reduced.double().numpy()
    faces = body.table.reduced.faces.numpy()
    away = np.linalg.norm(posed - point, axis=1)
    first, second = np.argsort(away)[:2]
    way = (point - posed[first]) / max(away[first], 1e-8)
    slants = []
    for face in np.flatnonzero((faces == first).any(axis=1)):
        a, b, c = posed[faces[face]]
        normal = np.cross(b - a, c - a)
        slants.append((abs(way @ normal) / np.linalg.norm(normal), face))
    slants.sort(reverse=True)
    a, b, c = posed[faces[slants[0][1]]]
    normal = np.cross(b - a, c - a) / np.linalg.norm(np.cross(b - a, c - a))
    height = normal @ (point - posed[first])
    # barycentrics by the linear system of the plane
    shares = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), point - height * normal - a, rcond=None)[0]
    there = canonical[faces[slants[0][1]]]
    turned = np.cross(there[1] - there[0], there[2] - there[0])
    margin = min(away[second] - away[first], slants[0][0] - slants[1][0])
    place = there[0] + shares @ (there[1:] - there[0]) + height * turned / np.linalg.norm(turned)
    return place, float(margin)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_surface_field_by_the_published_rules(name: str, share: float) -> None:
    """On other templates, scales, poses and coarse meshes than the published numbers are of; far points too."""
    if share < 1 and name == "one-joint":
        pytest.skip("it has no triangles to spare")
    rig = worm_rig(share, **BODIES[name])
    body = body_of(rig, bent(rig, 3, 0.3), 2.5)
    points = torch.cat([near(body, 60, 0.05), near(body, 40, 1.0)])
    found, _ = project(body, points, WarpConfig("surface_field"))
    checked = 0
    for point, place in zip(points.double().numpy(), found.numpy(), strict=True):
        expected, margin = literal_surface_field(body, point)
        if margin > 1e-4:
            np.testing.assert_allclose(place, expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
            checked += 1
    assert checked > 50


# The parts


def test_barycentrics_by_hand() -> None:
    corners = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]).expand(3, -1, -1)
    points = torch.tensor([[0.25, 0.5, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    normal = torch.tensor([[0.0, 0.0, 1.0]]).expand(3, -1)
    expected = torch.tensor([[0.25, 0.25, 0.5], [1 - 5.0, 2.0, 3.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(barycentrics(points, corners, normal), expected)


def test_fans_by_hand() -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    assert triangle_fans(faces, 5).tolist() == [[0, -1], [0, 1], [0, 1], [1, -1], [-1, -1]]


def test_the_nearest_vertex_is_the_nearest() -> None:
    rng = torch.Generator().manual_seed(0)
    vertices, points = torch.randn(2000, 3, generator=rng) + 5, torch.randn(5000, 3, generator=rng) + 5
    faces = torch.arange(1998).reshape(-1, 3)  # two vertices have no face
    found = nearest_vertex(points, vertices, Topology.of_faces(faces, 2000).used)
    exact = torch.cdist(points.double(), vertices[:1998].double())
    assert (found == exact.argmin(dim=1)).float().mean() > 0.999
    torch.testing.assert_close(exact.gather(1, found[:, None])[:, 0], exact.amin(dim=1), rtol=0, atol=1e-4)


def test_distances_to_bones_by_hand() -> None:
    begins, ends = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    points = torch.tensor([[1.0, 3.0, 0.0], [5.0, 4.0, 0.0]])
    assert segment_distances(points, begins, ends).tolist() == [[9.0, 0 + 4 + 1], [9 + 16.0, 16 + 9 + 1.0]]


def test_mean_values_have_linear_precision() -> None:
    """A closed mesh that an affine map moves takes every point along: inside, outside, on a face and on a corner."""
    template = worm(joints=1, rings=4, around=5)
    vertices, faces = torch.from_numpy(template.vertices), torch.from_numpy(template.faces.astype(np.int64))
    matrix, shift = torch.tensor([[1.2, 0.3, 0.0], [-0.2, 0.8, 0.1], [0.0, 0.4, 1.1]]), torch.tensor([0.1, -0.2, 0.3])
    middle = vertices[faces[7]].mean(dim=0, keepdim=True)
    points = torch.cat([near(body_of(worm_rig(joints=1, rings=4, around=5)), 60, 0.3), middle, vertices[3:4], torch.ones(1, 3)])
    found = mean_value_map(points, vertices, vertices @ matrix.t() + shift, faces)
    torch.testing.assert_close(found, points @ matrix.t() + shift, rtol=0, atol=1e-4)
