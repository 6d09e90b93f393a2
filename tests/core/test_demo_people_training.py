"""The training of people: what it learns from agrees with the world, it resumes exactly, and what it writes is what was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.demo.budget import STATE_NAME, save_state
from dnerf_core.demo.people.body import people_generator
from dnerf_core.demo.people.framing import body_frame, cameras_about
from dnerf_core.demo.people.rig import rig
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.training.clips import HELD_OUT, read_clips
from dnerf_core.demo.people.training.export import plain_generator
from dnerf_core.demo.people.training.losses import OFFSET, SHARPNESS, TRUNCATION, point_batch
from dnerf_core.demo.people.training.pictures import patch_losses, patch_of, random_patch, shaped_body
from dnerf_core.demo.people.training.pool import PointPool, box_points, near_points
from dnerf_core.demo.people.training.refine import Refinement, RefineRecipe
from dnerf_core.demo.people.training.train import Recipe, Training
from dnerf_core.demo.people.world import Z_DIM, People, body_tensors
from dnerf_core.errors import UsageError
from dnerf_core.gnarf.body.posing import joint_motions
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

SMALL = Recipe(
    stages=((0.5, 32, 2, 64), (1.0, 64, 2, 64)), box_points=16, guided_people=8, mapping_steps=60, near_pool=4000, box_pool=500,
    patch_from=0.6, patch_every=1, patch_people=1, patch_px=16,
)  # fmt: skip


def one_person(seed: int = 1) -> People:
    return People.from_latent(torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(seed)))


def test_points_carry_the_clothed_surface_of_the_canonical_body() -> None:
    rng = torch.Generator().manual_seed(0)
    near, box = PointPool(near_points(20_000, rng)), PointPool(box_points(2000, (0.7, 0.96, 0.2), rng))
    person = one_person()
    batch = point_batch(person, near, box, rng, count=1500, in_box=200)
    assert batch.points.shape == (1, 1700, 3) and bool((batch.weight[:, 1500:] == 0).all())
    body = body_tensors()
    clothed = body.canonical.position + person.vertex_thickness[..., None] * body.canonical.normal
    found = MeshSearch(clothed[0], body.faces).closest(batch.points[0])
    foot = (clothed[0][body.faces[found.face]] * found.shares[..., None]).sum(dim=1)
    exact = (-(batch.points[0] - foot).norm(dim=1) * found.sign / TRUNCATION).clamp(-1, 1)
    error = (batch.f[0] - exact).abs() * TRUNCATION
    # at the surface itself the stand-off along the normal is exact; creases and hems, where it is not a distance, are few
    assert float(error.median()) < 2e-4 and float(error.quantile(0.95)) < 4e-3
    assert bool((batch.f.abs() < 1).any()) and bool((batch.f == 1).any()) and bool((batch.f == -1).any())


def test_half_of_the_points_crowd_at_borders() -> None:
    rng = torch.Generator().manual_seed(0)
    near = PointPool(near_points(20_000, rng))
    box = PointPool(box_points(100, (0.7, 0.96, 0.2), rng))
    batch = point_batch(one_person(), near, box, rng, count=1000, in_box=10)
    close = (batch.borders[0, :1000].abs() < 0.5).any(dim=1).float()
    assert float(close[500:].mean()) > 2 * float(close[:500].mean())


@pytest.mark.parametrize("progress", [0.1, 0.7])
def test_training_resumes_exactly(tmp_path: Path, progress: float) -> None:
    whole = Training(SMALL)
    whole.one_step(progress)
    save_state(whole, tmp_path)
    expected = whole.one_step(progress)
    resumed = Training(SMALL)
    resumed.load(torch.load(tmp_path / STATE_NAME, weights_only=True))
    assert resumed.one_step(progress) == expected
    for name, value in whole.weights().items():
        assert torch.equal(value, resumed.weights()[name]), name
    assert [path.name for path in tmp_path.iterdir()] == [STATE_NAME]


def test_mapping_and_shape_head_are_settled_first_and_then_kept() -> None:
    training = Training(SMALL)
    before, first = training.weights(), training.settle()
    settled = {name: value.clone() for name, value in training.weights().items()}
    assert set(first) == {"guide", "shape_cm"} and all(
        torch.equal(training.average[name], value) for name, value in settled.items()
    )
    training.one_step(0.1)
    after = training.weights()
    kept = {name for name in settled if torch.equal(after[name], settled[name])}
    fixed = {name for name in settled if name.startswith(("backbone.mapping.", "shape_head."))}
    assert fixed <= kept and len(kept) < len(settled)
    assert before.keys() == after.keys()


def test_settling_teaches_the_shape() -> None:
    training = Training(replace(SMALL, guided_people=64, mapping_steps=300))
    z = torch.randn(200, Z_DIM, generator=torch.Generator().manual_seed(9))
    shape, generator = People.from_latent(z).shape, training.generator
    before = (generator.shape(generator.mapping(z)) - shape).square().mean()
    training.settle()
    after = (generator.shape(generator.mapping(z)) - shape).square().mean()
    assert float(after.detach()) < 0.4 * float(before.detach())


def test_pictures_leave_geometry_to_the_points() -> None:
    generator, person = people_generator(), one_person()
    with torch.no_grad():
        generator.decoder.net[2].bias[0] = 100.0  # something is seen, whatever the random weights
    rng = torch.Generator().manual_seed(3)
    pose = torch.from_numpy(canonical_pose().copy())
    body = shaped_body(generator, pose, person.shape[0])
    patch = random_patch(person, pose, body, generator, 16, rng)
    ws = generator.mapping(torch.ones(1, Z_DIM))
    planes = generator.planes(ws, noise_mode="none").canonical.triplane
    losses = patch_losses(generator, planes, ws, [(body, patch)], rng, join=True)
    (grad,) = torch.autograd.grad(losses.raw + losses.final, generator.decoder.net[2].weight)
    assert bool((grad[0] == 0).all()) and bool((grad[1:4] != 0).any())


def test_rays_of_a_patch_meet_the_person_between_their_limits() -> None:
    generator, person = people_generator(), one_person(2)
    pose = torch.zeros(len(body_tensors().parents) + 1, 3)
    body = shaped_body(generator, pose, person.shape[0])
    cam2world = cameras_about(*body_frame(person.posed_vertices(pose[None])), torch.tensor([0.4]), torch.tensor([0.1]))
    patch = patch_of(person, pose, body, generator, cam2world, (0, 0), 128)
    depth = patch.truth.depth_planar[0]
    # a neural pixel's centre is the corner of four output pixels: where all show the person, its ray meets them
    four = depth.reshape(128, 2, 128, 2).permute(0, 2, 1, 3).reshape(-1, 4)
    whole = four.isfinite().all(dim=1)
    assert bool(whole[patch.pixel].any()) and int(whole.sum()) == int(whole[patch.pixel].sum())
    near, far = four[patch.pixel].amin(dim=1), four[patch.pixel].amax(dim=1)
    forward = patch.rays.directions @ cam2world[0, :3, 2]
    seen = whole[patch.pixel]
    assert bool((patch.rays.start * forward < near)[seen].all()) and bool((far < patch.rays.end * forward)[seen].all())


def test_the_plain_generator_is_the_trained_function() -> None:
    training = Training(SMALL)
    training.one_step(0.1)
    training.average["backbone.synthesis.b16.conv1.noise_strength"].fill_(0.5)
    plain = plain_generator(training.average, 0)
    trained = people_generator()
    trained.load_state_dict({**trained.state_dict(), **training.average})
    assert float(plain.backbone.mapping.w_avg.abs().max()) > 0
    points = (torch.rand(50, 3, generator=torch.Generator().manual_seed(2)) - 0.5) * torch.tensor([1.3, 1.8, 0.4])
    with torch.no_grad():
        z = torch.ones(1, Z_DIM)
        planes = trained.planes(trained.mapping(z), noise_mode="none").canonical.triplane
        expected = SHARPNESS * trained.canonical_field(planes).raw_density(points, None) + OFFSET
        found = plain.canonical_field(plain.planes(plain.mapping(z))).raw_density(points, None)
    torch.testing.assert_close(found, expected, atol=0.1, rtol=1e-3)


def test_refining_teaches_the_super_resolution_and_nothing_else() -> None:
    run = Refinement(plain_generator({}, 0), RefineRecipe(steps=2, views_per_step=2, kept_views=2))
    before = {name: value.clone() for name, value in run.generator.state_dict().items()}
    assert np.isfinite(run.one_step())
    changed = {name for name, value in run.generator.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("superresolution.") for name in changed)


def test_clips_become_poses_of_the_rig(tmp_path: Path) -> None:
    still = (
        [0.03, 0, 0, 0] + [1, 0, 0, 0] * 4 + [-1.5707963] + [1, 0, 0, 0] * 2 + [0] + [1, 0, 0, 0] + [0] + [1, 0, 0, 0] * 2 + [0]
    )
    (tmp_path / "humanoid3d_bend.txt").write_text(f'{{"Frames": [{still}]}}')
    (poses,) = read_clips(tmp_path).values()
    body = body_tensors()
    motions = joint_motions(torch.from_numpy(poses), body.joints, body.parents)
    at = ((motions[..., :3] @ body.joints[..., None])[..., 0] + motions[..., 3])[0]
    shin = at[rig().joint("RightFoot")] - at[rig().joint("RightLeg")]
    torch.testing.assert_close(shin / shin.norm(), torch.tensor([0.0, 0.0, -1.0]), atol=1e-4, rtol=0)
    assert len(HELD_OUT) == 4


def test_a_folder_without_clips_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        read_clips(tmp_path)
    (tmp_path / "humanoid3d_x.txt").write_text('{"Frames": [[1, 2]]}')
    with pytest.raises(UsageError, match="expected frames of 44 finite numbers"):
        read_clips(tmp_path)
