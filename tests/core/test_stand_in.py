"""Stand-ins of the embedded people against their own fields, and the search that uses them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dnerf_core.embedded import model_path
from dnerf_core.gnarf.poser import poser_of_model
from dnerf_core.inversion import search, stand_in
from dnerf_core.inversion.descent import Guess, Viewpoint
from dnerf_core.inversion.invert import viewpoint_of
from dnerf_core.inversion.latents import ZSpace, random_candidates, w_statistics
from dnerf_core.inversion.objectives import MaskObjective, PictureObjective
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.search import _spread, posed_starts, unlike
from dnerf_core.inversion.stand_in import StandIn, stand_in_of
from dnerf_core.model import Model
from dnerf_core.semantic.branch import label_mask
from dnerf_core.subject import Subject

pytestmark = pytest.mark.usefixtures("one_thread")

YAW, PITCH = 0.4, 0.1
Case = tuple[Model, Viewpoint, StandIn, StandIn]


@pytest.fixture(scope="module")
def case() -> Case:
    """People, from where they are looked for, and their stand-ins without and with labels."""
    if not model_path("demo-people").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-people")
    space, statistics = ZSpace(model), w_statistics(model, 0, 2000)
    plain = stand_in_of(model, space, statistics, 0, labels=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "DRAWS", 6)  # it is only asked for what it is about
        labelled = stand_in_of(model, space, statistics, 0, labels=True)
    return model, viewpoint_of(model, None, None), plain, labelled


def posed(model: Model, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A person's z [1, 22] and a pose [1, K + 1, 3]."""
    pose = poser_of_model(model.header.path).drawn(np.random.default_rng(seed), 1)
    return torch.from_numpy(model.latent(seed))[None], torch.from_numpy(pose)


@torch.no_grad()
def test_it_looks_like_the_subject_that_it_is_about(case: Case) -> None:
    model, viewpoint, plain, _ = case
    angles, camera = torch.tensor([[YAW, PITCH]]), camera_at(YAW, PITCH, model.config.cameras)
    losses = []
    for seed in (20_000, 20_002):
        z, pose = posed(model, seed)
        picture = torch.from_numpy(model.subject(seed).posed(pose).channels(camera, channels=("rgb",)).rgb).permute(2, 0, 1)
        objective = PictureObjective(picture / 127.5 - 1)
        other = posed(model, seed + 1)[1]
        shown = [
            (stand, someone, some_pose)
            for stand, someone, some_pose in (
                (plain.about(z), z, pose),  # exact
                (plain, z, pose),  # by what a code says
                (plain, plain.home, pose),  # the mean person
                (plain.about(z), z, other),  # in another pose
            )
        ]
        losses.append([
            float(objective.stand_in_loss(stand.see(stand.bodies(code, given), viewpoint.tensors(angles), 64, 0.8), 0.8))
            for stand, code, given in shown
        ])  # fmt: skip
    for exact, by_code, mean, elsewhere in losses:
        assert exact < 4e-3  # of squares up to 4
        assert exact < by_code < mean
        assert elsewhere > 4 * exact


@torch.no_grad()
def test_its_labels_are_the_subjects(case: Case) -> None:
    model, viewpoint, plain, labelled = case
    assert (plain.classes, labelled.classes) == (0, 12) and plain.num_vertices == labelled.num_vertices == 1229
    angles, camera = torch.tensor([[YAW, PITCH]]), camera_at(YAW, PITCH, model.config.cameras)
    z, pose = posed(model, 20_003)
    about = labelled.about(z)
    shown = about.see(about.bodies(z, pose), viewpoint.tensors(angles), 64, 0.6)[:, 3:]
    torch.testing.assert_close(shown.sum(dim=1), torch.ones(1, 64, 64), atol=1e-3, rtol=0)
    mask = model.subject(20_003).posed(pose).channels(camera, 64, ("mask",)).mask
    assert mask is not None
    body = mask > 0
    agreement = (label_mask(shown)[0].numpy() == mask)[body].mean()
    assert agreement > 0.75  # pixels of 4 cm; most of what differs is at borders
    right = MaskObjective(torch.from_numpy(mask).long(), torch.ones(12))
    wrong = MaskObjective(torch.from_numpy(mask[:, ::-1].copy()).long(), torch.ones(12))
    coarse = about.see(about.bodies(z, pose), viewpoint.tensors(angles), 32, 0.8)
    assert float(right.stand_in_loss(coarse, 0.8)) < 0.8 * float(wrong.stand_in_loss(coarse, 0.8))


def test_gradients_reach_code_pose_and_camera(case: Case) -> None:
    model, viewpoint, plain, _ = case
    z, pose = posed(model, 20_004)
    assert viewpoint.poses is not None
    leaves = (z.clone(), viewpoint.poses.code(pose[0])[None], torch.tensor([[YAW, PITCH]]))
    code, pose_code, angles = (leaf.requires_grad_() for leaf in leaves)
    shown = plain.see(plain.bodies(code, viewpoint.pose_of(pose_code)), viewpoint.tensors(angles), 24, 1.2)
    assert shown.shape == (1, 3, 24, 24)
    PictureObjective(torch.ones(3, 256, 256)).stand_in_loss(shown, 1.2).sum().backward()
    for leaf in (code, pose_code, angles):
        assert leaf.grad is not None and bool(leaf.grad.isfinite().all()) and float(leaf.grad.abs().max()) > 0


def test_starts_are_spread_over_poses_and_directions() -> None:
    losses = torch.full((6, 4), 9.0)
    losses[2] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    losses[:, 1] = torch.tensor([0.5, 0.6, 0.2, 0.7, 0.8, 0.9])
    kept = _spread(losses, 6)
    assert kept[:2] == [(2, 0), (2, 1)]
    poses, directions = zip(*kept, strict=True)
    assert max(poses.count(p) for p in poses) <= 2 and max(directions.count(d) for d in directions) <= 1 + 6 // 4
    assert len(_spread(torch.rand(40, 1), 12)) == 12  # one known camera


def test_what_goes_on_are_different_answers(case: Case) -> None:
    model, viewpoint, plain, _ = case
    assert viewpoint.poses is not None
    z, pose = posed(model, 20_005)
    code = viewpoint.poses.code(pose[0])
    other = viewpoint.poses.code(posed(model, 20_006)[1][0])
    ahead, behind = torch.tensor([0.0, 0.0]), torch.tensor([3.14, 0.0])
    guesses = [
        Guess(0.1, z[0], ahead, code),
        Guess(0.2, z[0], ahead, code + 0.01),
        Guess(0.3, z[0], ahead, code + 0.02),
        Guess(0.4, z[0], behind, code),
        Guess(0.5, z[0], ahead, other),
    ]
    assert [guess.loss for guess in unlike(viewpoint, plain.space, guesses, 3)] == [0.1, 0.4, 0.5]
    assert [guess.loss for guess in unlike(viewpoint, plain.space, guesses, 4)] == [0.1, 0.2, 0.4, 0.5]
    assert unlike(viewpoint, plain.space, guesses, 9) == guesses
    assert unlike(Viewpoint(model), plain.space, guesses, 2) == guesses[:2]


def test_poses_are_compared_where_they_fit_best(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of usual looks, far from the middle, in the mean pose: the first guess is that pose, moved there, though no draw stands there."""
    model, viewpoint, plain, _ = case
    poses = viewpoint.poses
    assert poses is not None
    monkeypatch.setattr(search, "SEARCHED_POSES", 24)
    there = torch.tensor([0.25, -0.12, 0.0])
    pose = poses.poses(poses.moved(torch.zeros_like(poses.draws[0]), there)[None])
    camera = camera_at(YAW, PITCH, model.config.cameras)
    usual = Subject(model, plain.space.ws(plain.home), pose)
    picture = torch.from_numpy(usual.channels(camera, channels=("rgb",)).rgb).permute(2, 0, 1)
    known = dataclasses.replace(viewpoint, camera=camera)
    candidates = random_candidates(model, w_statistics(model, 0, 2000), 4, 0, mean=False)
    starts = posed_starts(known, plain, PictureObjective(picture / 127.5 - 1), candidates, (0.0, 0.0), (0.0, 0.0), 8)
    found = torch.stack([poses.poses(start.pose_code[None])[0, -1] for start in starts if start.pose_code is not None])
    across = torch.tensor(camera.cam2world[:3, :2]).float()
    apart = (found - pose[0, -1]) * poses.scale @ across
    assert float(apart.norm(dim=1).min()) < 0.03 < float(there.norm()) / 5
    assert float(apart.norm(dim=1).median()) < 0.08


def test_a_likely_pose_is_within_reach_and_moves_as_told(case: Case) -> None:
    model, viewpoint, _, _ = case
    poses = viewpoint.poses
    assert poses is not None
    drawn = poser_of_model(model.header.path).drawn(np.random.default_rng(9), 200)
    codes = torch.stack([poses.code(torch.from_numpy(pose)) for pose in drawn])
    assert float((poses.penalty(codes) > 3).float().mean()) < 0.02
    knee = list(poser_of_model(model.header.path).joint_names).index("LeftLeg")
    assert drawn[:, knee, 0].min() > -0.1
    bent_forwards = torch.from_numpy(drawn[0]).clone()
    bent_forwards[knee, 0] = -0.5
    assert float(poses.penalty(poses.code(bent_forwards)[None])) > 10
    moved = poses.moved(codes[0], torch.tensor([0.1, 0.05, -0.2]))
    before, after = (model.subject(1).posed(poses.poses(code[None])).joints for code in (codes[0], moved))
    assert before is not None and after is not None
    np.testing.assert_allclose(after - before, np.broadcast_to([0.1, 0.05, -0.2], before.shape), atol=2e-3)
