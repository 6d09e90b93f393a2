"""Our own map from the posed skin to the canonical one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dnerf_core.gnarf.body.posing import blended_turns, conjugate, joint_motions, quaternion_product, rotation_matrices, skin
from dnerf_core.gnarf.warp.closest import ClosestMap
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

ROOT = Path(__file__).parents[3]
PARENTS = (-1, 0)
JOINTS = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def tube(rings: int = 40, around: int = 24, radius: float = 0.15) -> tuple[Tensor, Tensor, Tensor]:
    """A closed tube along y from 0 to 2 that bends at 1: vertices, faces and weights of two joints."""
    height = torch.linspace(0, 2, rings)
    angle = torch.arange(around) / around * 2 * torch.pi
    ring = torch.stack([angle.cos() * radius, torch.zeros(around), -angle.sin() * radius], dim=1)
    vertices = (ring[None] + torch.stack([torch.zeros(rings), height, torch.zeros(rings)], dim=1)[:, None]).reshape(-1, 3)
    faces = []
    for i in range(rings - 1):
        for j in range(around):
            a, b = i * around + j, i * around + (j + 1) % around
            faces += [(a, b, b + around), (a, b + around, a + around)]
    bottom, top = len(vertices), len(vertices) + 1
    last = (rings - 1) * around
    for j in range(around):
        k = (j + 1) % around
        faces += [(bottom, k, j), (top, last + j, last + k)]
    vertices = torch.cat([vertices, torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])])
    upper = ((vertices[:, 1] - 0.75) / 0.5).clamp(0, 1)
    return vertices, torch.tensor(faces), torch.stack([1 - upper, upper], dim=1)


def bent(vertices: Tensor, weights: Tensor, pose: Tensor) -> Tensor:
    motions = joint_motions(pose[None], JOINTS.to(pose)[None], PARENTS)
    return skin(vertices.to(pose)[None], weights.to(pose), motions, pose[None, -1])[0]


def closest_map(pose: Tensor) -> tuple[ClosestMap, Tensor, Tensor, Tensor]:
    vertices, faces, weights = tube()
    turns = conjugate(blended_turns(pose[None], PARENTS, weights.to(pose))[0])
    return ClosestMap(bent(vertices, weights, pose), vertices.to(pose), faces, turns), vertices, faces, weights


def at_random(faces: Tensor, count: int = 3000) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(count, 3, generator=generator)
    return torch.randint(len(faces), (count,), generator=generator), shares / shares.sum(dim=1, keepdim=True)


def points_of(vertices: Tensor, faces: Tensor, face: Tensor, shares: Tensor) -> Tensor:
    return (vertices[faces[face]] * shares.to(vertices)[..., None]).sum(dim=1)


def test_turns_are_the_rotations_of_matrices() -> None:
    rotation = torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * 2
    pose = torch.stack([rotation, torch.zeros_like(rotation)], dim=1)
    turn = blended_turns(pose, (-1,), torch.ones(1, 1))[:, 0]
    vector = torch.randn(50, 3, generator=torch.Generator().manual_seed(2))
    spun = quaternion_product(turn, quaternion_product(torch.cat([vector, torch.zeros(50, 1)], dim=1), conjugate(turn)))[:, :3]
    torch.testing.assert_close(spun, (rotation_matrices(rotation) @ vector[..., None])[..., 0], atol=1e-5, rtol=0)


def test_the_rest_pose_moves_nothing_and_tells_the_distance() -> None:
    mapped, *_ = closest_map(torch.zeros(3, 3))
    points = torch.tensor([[0.25, 1.0, 0.0], [0.05, 0.5, 0.0], [0.0, 2.5, 0.0]])
    carried, distance = mapped.carry(points)
    torch.testing.assert_close(carried, points, atol=1e-6, rtol=0)
    torch.testing.assert_close(distance, torch.tensor([0.10, -0.10, 0.5]), atol=2e-3, rtol=0)


def test_a_whole_turn_and_shift_are_undone() -> None:
    pose = torch.tensor([[0.4, 1.2, -0.7], [0.0, 0.0, 0.0], [0.3, -2.0, 1.0]])
    mapped, *_ = closest_map(pose)
    rest = torch.randn(500, 3, generator=torch.Generator().manual_seed(3))
    moved = rest @ rotation_matrices(pose[0]).T + pose[2]
    carried, _ = mapped.carry(moved)
    torch.testing.assert_close(carried, rest, atol=1e-5, rtol=0)


def test_the_bent_skin_goes_back_to_the_straight_one() -> None:
    mapped, vertices, faces, _ = closest_map(torch.tensor([[0.0, 0.3, 0.0], [1.2, 0.0, 0.0], [0.0, 0.0, 0.1]]))
    face, shares = at_random(faces)
    carried, distance = mapped.carry(points_of(mapped.posed, faces, face, shares))
    error = (carried - points_of(vertices, faces, face, shares)).norm(dim=1)
    assert error.quantile(0.95) < 1e-5  # where the fold runs through itself, two places of the skin are one point
    assert distance.abs().max() < 1e-5


def test_every_distance_from_the_skin_is_kept_and_the_map_is_smooth_along_the_outer_bend() -> None:
    mapped, *_ = closest_map(torch.tensor([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    # a path 4 cm off the skin, along the outside of the bend
    angle = torch.linspace(0, 1.2, 400)
    straight = torch.linspace(0.5, 1.0, 200)
    path = torch.cat(
        [
            torch.stack([torch.zeros(200), straight, torch.full((200,), -0.19)], dim=1),
            torch.stack([torch.zeros(400), 1 + 0.19 * angle.sin(), -0.19 * angle.cos()], dim=1),
        ]
    )
    carried, distance = mapped.carry(path)
    off_axis = carried[:, [0, 2]].norm(dim=1) - 0.15
    torch.testing.assert_close(off_axis, distance, atol=3e-3, rtol=0)  # the tube has 24 sides
    assert (carried[1:] - carried[:-1]).norm(dim=1).max() < 0.02


def test_limbs_that_touch_are_not_joined() -> None:
    """Two limbs that are far apart in canonical space lie 2 mm apart in the pose: each point between them belongs to the nearer one."""
    limb, sides, _ = tube()
    away = torch.tensor([1.0, 0.0, 0.0])
    canonical, faces = torch.cat([limb, limb + away]), torch.cat([sides, sides + len(limb)])
    posed = torch.cat([limb, limb + torch.tensor([0.302, 0.0, 0.0])])
    turns = torch.tensor([[0.0, 0.0, 0.0, 1.0]]).expand(len(posed), -1)
    across = torch.linspace(0.1501, 0.1519, 20)
    points = torch.stack([across, torch.full_like(across, 0.7), torch.zeros_like(across)], dim=1)
    carried, distance = ClosestMap(posed, canonical, faces, turns).carry(points)
    torch.testing.assert_close(carried[:10, 0], across[:10], atol=1e-5, rtol=0)
    torch.testing.assert_close(carried[10:, 0], across[10:] - 0.302 + 1.0, atol=1e-5, rtol=0)
    assert (distance > 0).all()
    assert distance.max() < 1.01e-3


def test_rays_enter_first_and_leave_last() -> None:
    limb, sides, _ = tube()
    both, faces = torch.cat([limb, limb + torch.tensor([1.0, 0.0, 0.0])]), torch.cat([sides, sides + len(limb)])
    origins = torch.tensor([[-2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.5, 1.0, -3.0], [0.0, 5.0, 0.0]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    start, end = MeshSearch(both, faces).crossed(origins, directions)
    torch.testing.assert_close(start, torch.tensor([1.85, 0.0, 0.0, 3.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(end, torch.tensor([3.15, 1.15, 0.0, 5.0]), atol=1e-3, rtol=0)
    empty, _ = MeshSearch(both, faces).crossed(origins[:0], directions[:0])
    assert empty.shape == (0,)


def test_far_points_may_stay_and_are_told_by_their_distance() -> None:
    mapped, *_ = closest_map(torch.tensor([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    points = torch.tensor([[0.0, 0.5, 0.16], [0.0, 0.5, 3.0]])
    carried, distance = mapped.carry(points, farthest=0.05)
    assert distance[1] == pytest.approx(0.05)
    torch.testing.assert_close(carried[1], points[1])
    assert distance[0] < 0.02
    empty, none = mapped.carry(points[:0])
    assert empty.shape == (0, 3)
    assert none.shape == (0,)


@pytest.mark.parametrize("off", [0.0, 0.05, -0.05])
def test_gradients_are_those_of_small_steps(off: float) -> None:
    vertices, faces, weights = tube()
    pose = torch.tensor([[0.1, 0.2, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 0.1]], dtype=torch.float64)
    face, shares = at_random(faces, 1000)
    normal = torch.nn.functional.normalize(vertices * torch.tensor([1.0, 0.0, 1.0]), dim=1)
    points = points_of(bent(vertices + off * normal, weights, pose), faces, face, shares)

    def carry(at: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        turns = conjugate(blended_turns(at[None], PARENTS, weights.to(at))[0])
        found = ClosestMap(bent(vertices, weights, at), vertices.to(at), faces, turns).carry(where.requires_grad_())
        return found

    generator = torch.Generator().manual_seed(5)
    step = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    move = torch.randn(1000, 3, generator=generator, dtype=torch.float64)
    if off == 0.0:
        step[:] = 0  # a point that lies on the skin has no side to keep, once the skin moves through it
    followed = pose.clone().requires_grad_()
    where = points.clone().requires_grad_()
    outputs = torch.cat([x.reshape(1000, -1) for x in carry(followed, where)], dim=1)[:, : 3 if off == 0.0 else 4]
    probe = torch.zeros_like(outputs, requires_grad=True)
    to_pose, to_points = torch.autograd.grad(outputs, (followed, where), probe, create_graph=True)
    (slope,) = torch.autograd.grad((to_pose * step).sum() + (to_points * move).sum(), probe)
    h = 1e-4
    ahead, behind = (
        torch.cat([x.detach().reshape(1000, -1) for x in carry(pose + s * h * step, points + s * h * move)], dim=1)[
            :, : outputs.shape[1]
        ]
        for s in (1, -1)
    )
    error = (slope - (ahead - behind) / (2 * h)).norm(dim=1) / (1 + slope.norm(dim=1))
    assert error.quantile(0.97) < 2e-3  # the rest change their triangle within the step


def test_the_library_says_nothing_and_needs_no_home(tmp_path: Path) -> None:
    """A command's JSON and the worker's protocol are on the streams that Warp would write to."""
    code = "import torch; from dnerf_core.gnarf.warp.mesh_queries import MeshSearch as S; f = torch.tensor([[0, 1, 2]]);"
    code += "S(torch.eye(3), f).carry(torch.zeros(1, 3), torch.eye(3), torch.tensor([[0., 0, 0, 1]] * 3)); print('done')"
    home = tmp_path / "home"
    home.write_text("a file, where no folder can be made")
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
