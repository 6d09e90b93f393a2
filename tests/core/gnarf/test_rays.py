"""Where the rays of a posed body are sampled: the rasterised clip mesh, and views that miss it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.camera import sphere_camera
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.warp import rasterise
from dnerf_core.gnarf.warp.rasterise import NEAREST_HITS, mesh_depths
from dnerf_core.rendering.rays import ViewRays, box_limits, camera_rays
from dnerf_core.rendering.view import render_view
from tests.core.gnarf.cases import bent, tiny_config, tiny_generator, worm_rig
from tests.core.semantic_cases import camera_tensors

pytestmark = pytest.mark.usefixtures("one_thread")
RIG = worm_rig()


def look(yaw: float = 0.4, radius: float = 3.0, **changes: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return camera_tensors(sphere_camera(yaw, 0.1, radius=radius, pivot=(0.0, 0.0, 0.0), focal=2.0, world_up="y", **changes))


def literal_depths(
    vertices: torch.Tensor, faces: torch.Tensor, cam2world: torch.Tensor, intrinsics: torch.Tensor, side: int, subpixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every ray against every triangle (Moller and Trumbore, 1997), in float64."""
    origins, directions = (
        x[0].numpy() for x in camera_rays(cam2world[None].double(), intrinsics[None].double(), side * subpixels)
    )
    forward = directions @ cam2world[:3, 2].double().numpy()
    a, b, c = (vertices.double().numpy()[faces[:, k].numpy()] for k in range(3))
    near, far = np.full((side, side), np.inf), np.full((side, side), -np.inf)
    for index, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        p = np.cross(direction, c - a)
        det = ((b - a) * p).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = ((origin - a) * p).sum(axis=1) / det
            q = np.cross(origin - a, b - a)
            v, t = (direction * q).sum(axis=1) / det, ((c - a) * q).sum(axis=1) / det
        hits = np.sort(t[(u > 0) & (v > 0) & (u + v < 1) & (t > 0)] * forward[index])[:NEAREST_HITS]
        row, column = divmod(index, side * subpixels)
        if len(hits):
            pixel = row // subpixels, column // subpixels
            near[pixel], far[pixel] = min(near[pixel], hits[0]), max(far[pixel], hits[-1])
    return near, far


@pytest.mark.parametrize(
    ("radius", "skew"),
    [(3.0, 0.0), (0.75, 0.0), (0.15, 0.0), (2.0, 0.2)],
    ids=["whole", "close", "inside", "skewed"],
)
def test_depths_are_those_of_every_ray(monkeypatch: pytest.MonkeyPatch, radius: float, skew: float) -> None:
    """Also where triangles lie behind the camera, and where pixels are not square."""
    monkeypatch.setattr(rasterise, "PAIRS_AT_ONCE", 1000)
    planes = generator().planes(torch.zeros(1, 8, 32), bent(RIG))
    body = planes.bodies[0]
    cam2world, intrinsics = look(radius=radius)
    if skew:
        intrinsics = intrinsics.clone()
        intrinsics[0, 0, 1], intrinsics[0, 0, 0], intrinsics[0, 0, 2] = skew, 1.3, 0.55
    arguments = (body.clip, body.table.clip.faces, cam2world[0], intrinsics[0], 12, 2)
    found, expected = mesh_depths(*arguments), literal_depths(*arguments)
    for own, other in zip(found, expected, strict=True):
        assert (np.isfinite(own.numpy().reshape(12, 12)) == np.isfinite(other)).mean() > 0.99
        both = np.isfinite(own.numpy().reshape(12, 12)) & np.isfinite(other)
        assert both.sum() > 10
        np.testing.assert_allclose(own.numpy().reshape(12, 12)[both], other[both], atol=1e-5)


def test_only_the_nearest_hits_count() -> None:
    """Twelve walls behind each other: the eighth is the last; in two sub-pixels of one pixel the farther eighth."""
    depth = torch.arange(1.0, 13.0)
    corners = torch.tensor([[-9.0, -9.0], [30.0, -9.0], [-9.0, 30.0]])
    walls = torch.cat([torch.cat([corners, depth[k].expand(3, 1)], dim=1) for k in range(12)])
    faces = torch.arange(36).reshape(12, 3)
    intrinsics = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    near, far = mesh_depths(walls, faces.flip(0), torch.eye(4), intrinsics, 3, 2)
    assert near.tolist() == [1.0] * 9 and far.tolist() == [8.0] * 9
    near, far = mesh_depths(walls[:24], faces[:8], torch.eye(4), intrinsics, 3, 2)
    assert near.tolist() == [1.0] * 9 and far.tolist() == [8.0] * 9
    near, far = mesh_depths(walls, faces, torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])), intrinsics, 3, 2)
    assert near.isinf().all() and far.isinf().all()  # all behind the camera


def generator(**warp: Any) -> Gnarf:
    config = tiny_config(RIG)
    return tiny_generator(RIG, dataclasses.replace(config, warp=dataclasses.replace(config.warp, **warp)))


def away() -> tuple[torch.Tensor, torch.Tensor]:
    """A camera that looks away from all."""
    cam2world, intrinsics = look()
    turned = cam2world.clone()
    turned[:, :3, [0, 2]] *= -1
    return turned, intrinsics


@pytest.mark.parametrize("white", [False, True])
@torch.no_grad()
def test_a_view_that_misses_the_body_is_empty(white: bool) -> None:
    """Alone, and as one of a batch, in which the others stay what they are."""
    own = generator()
    own.config = dataclasses.replace(own.config, rays=dataclasses.replace(own.config.rays, white_back=white))
    ws, pose = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1)), torch.cat([bent(RIG, 0), bent(RIG, 1)])
    planes = own.planes(ws, pose)
    alone = render_view(own, own.planes(ws[:1], pose[:1]), *away())
    for rendering, index in ((alone, 0), (render_view(own, planes, *_pair(look(), away())), 1)):
        assert not rendering.opacity[index].any() and rendering.distance[index].isinf().all()
        assert torch.equal(rendering.raw.image[index], torch.full((3, 32, 32), 1.0 if white else -1.0))
    none = render_view(own, planes, *_pair(away(), away()))
    assert not none.opacity.any() and none.raw.features.isfinite().all()
    assert own.superresolve(none.raw, ws).isfinite().all()
    first, both = render_view(own, own.planes(ws[:1], pose[:1]), *look()), render_view(own, planes, *_pair(look(), away()))
    torch.testing.assert_close(both.raw.image[0], first.raw.image[0], rtol=0, atol=1e-5)
    assert 0.02 < float((first.opacity > 0.5).float().mean()) < 0.5


def _pair(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]])


@torch.no_grad()
def test_each_body_is_seen_in_its_own_pose() -> None:
    own = generator()
    ws, pose = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1)), torch.cat([bent(RIG, 0), bent(RIG, 1)])
    both = render_view(own, own.planes(ws, pose), *_pair(look(), look(2.0)))
    for index, camera in enumerate((look(), look(2.0))):
        one = slice(index, index + 1)
        single = render_view(own, own.planes(ws[one], pose[one]), *camera)
        torch.testing.assert_close(both.raw.image[index], single.raw.image[0], rtol=0, atol=1e-4)
    assert not torch.equal(both.opacity[0], both.opacity[1])


@torch.no_grad()
def test_the_canonical_view_is_undeformed() -> None:
    """Without a projector, at home: the same picture as with one."""
    ws = torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(1))
    own, plain = generator(), generator(projector="none")
    pictures = [render_view(one, one.planes(ws), *look()).raw.image for one in (own, plain)]
    torch.testing.assert_close(pictures[0], pictures[1], rtol=0, atol=2e-3)


@torch.no_grad()
def test_masks() -> None:
    ws, (cam2world, intrinsics) = torch.zeros(1, 8, 32), look()
    rays = ViewRays.from_cameras(cam2world, intrinsics, 32)
    flat = rays.origins[0], rays.directions[0]
    by_mask = {}
    for mask, inside in (("mesh", False), ("cube", False), ("cube", True), ("none", False)):
        own = generator(mask=mask, project_inside_only=inside)
        by_mask[mask, inside] = own.limits(rays, own.planes(ws, bent(RIG)))
    cube = by_mask["cube", False]
    start, end, hit = box_limits(*flat, 1.4)
    assert torch.equal(cube.start, start) and torch.equal(cube.end, end) and torch.equal(cube.hit, hit) and not cube.void_outside
    plain = by_mask["none", False]
    assert plain.hit.all() and (plain.start == 1.5).all() and (plain.end == 4.5).all()
    mesh, inside = by_mask["mesh", False], by_mask["cube", True]
    assert inside.void_outside and 0 < int(inside.hit.sum()) <= int(mesh.hit.sum()) < len(mesh.hit) / 2
    assert (inside.start >= mesh.start * inside.hit).all() and (inside.end <= mesh.end.clamp(min=0)).all()
    some = torch.arange(0, 1024, 7)
    part = generator().limits(ViewRays.from_cameras(cam2world, intrinsics, 32, some), generator().planes(ws, bent(RIG)))
    assert torch.equal(part.start, mesh.start[some]) and torch.equal(part.hit, mesh.hit[some])


@torch.no_grad()
def test_points_may_be_scaled_before_they_are_carried() -> None:
    """In a box of side 2 it is the same; else canonical coordinates are those of the planes."""
    ws = torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(1))
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(3)) - 0.5
    own, scaled = generator(), generator(box_warp_pre_deform=True)
    found, _ = scaled.planes(ws, bent(RIG)).warp(points * 0.7, None)
    expected, _ = own.planes(ws, bent(RIG)).warp(points, None)
    torch.testing.assert_close(found, expected * 0.7)


def test_axes_are_stretched_into_the_planes() -> None:
    config = tiny_config(RIG)
    config = dataclasses.replace(config, triplane=dataclasses.replace(config.triplane, axis_stretch=(1.5, 1.0, 3.0)))
    wide, own = tiny_generator(RIG, config), tiny_generator(RIG, tiny_config(RIG))
    own.load_state_dict(wide.state_dict())
    with torch.no_grad():
        planes = wide.planes(torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(1)), bent(RIG))
        points = (torch.rand(80, 3, generator=torch.Generator().manual_seed(3)) - 0.5) * 0.4
        expected = own.canonical_field(planes.canonical.triplane).raw_density(points * torch.tensor([1.5, 1.0, 3.0]), None)
        torch.testing.assert_close(wide.canonical_field(planes).raw_density(points, None), expected)
        body = planes.bodies[0]
        found = wide.field(planes).raw_density(body.reduced, None)
        torch.testing.assert_close(
            found, wide.canonical_field(planes).raw_density(body.canonical_reduced, None), rtol=1e-3, atol=1e-2
        )
