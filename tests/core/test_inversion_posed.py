"""The pose of a picture's subject is found with it: of a ball, whose pose is its place, and whose place is seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.registry import FAMILIES
from dnerf_core.camera import sphere_camera
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.errors import PoseError, UsageError
from dnerf_core.inversion.invert import invert
from dnerf_core.inversion.pose_prior import PosePrior
from dnerf_core.inversion.settings import InversionSettings, inversion_steps
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core.stub_family import BallBackbone, BallConfig, BallPoser, balls

__all__ = ["balls"]


@pytest.fixture
def model(tmp_path: Path, balls: Family, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Balls with a template, by which their place can be looked for."""
    monkeypatch.setitem(FAMILIES, balls.name, dataclasses.replace(balls, template_mesh="tests.core.stub_family:ball_mesh"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        state = BallBackbone(BallConfig()).state_dict()
    path = tmp_path / "balls.safetensors"
    save_model(path, BallConfig(), state)
    return Model.load(path)


def test_likely_poses_are_a_gaussian() -> None:
    prior = PosePrior.drawn_by(BallPoser(Path()), torch.device("cpu"))
    assert prior.draws.shape[1] == 3
    torch.testing.assert_close(prior.draws.square().mean(dim=0), torch.ones(3), atol=0.05, rtol=0)
    pose = torch.tensor([0.1, -0.05, 0.15])
    torch.testing.assert_close(prior.poses(prior.code(pose)[None])[0], pose, atol=1e-5, rtol=0)
    codes = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [4.0, 0.0, 0.0]])  # no ball is drawn farther than 1.7
    none, usual, beyond = prior.penalty(codes).tolist()
    assert (none, usual) == (0.0, 1.0)
    assert beyond > 10


def test_a_pose_is_found_with_the_camera_known(model: Model) -> None:
    """With one known camera the ball's depth hides in its size; across the picture its place is plain: half the steps find it to 0.002."""
    camera = sphere_camera(0.3, 0.2, radius=3.0, focal=1.5)
    place = torch.tensor([[0.15, -0.1, 0.05]])
    picture = model.subject(7).posed(place).render(camera).rgb
    found = invert(model, picture, InversionSettings(candidates=6, starts=2, steps=170), camera=camera)
    assert found.subject.pose is not None
    apart = (found.subject.pose - place)[0].double().numpy()
    ahead = camera.forward
    across = apart - (apart @ ahead) * ahead
    assert np.linalg.norm(across) < 0.01
    assert found.psnr_db(picture) > 30
    known = invert(model, picture, InversionSettings(candidates=6, starts=3, steps=12), camera=camera, pose=place)
    torch.testing.assert_close(known.subject.pose, place)


def test_steps_are_counted_as_they_are_taken(model: Model) -> None:
    settings, steps = InversionSettings(candidates=2, starts=1, steps=8), []
    picture = model.subject(7).render(model.front_camera()).rgb
    invert(model, picture, settings, watch=lambda progress: steps.append((progress.step, progress.steps)) is None)
    assert steps[-1] == (8, 8)
    assert inversion_steps(settings, model.config, mask=False, posed=True) == 8


def test_a_body_whose_likely_poses_nothing_tells_needs_its_pose(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(poser: BallPoser, rng: np.random.Generator, count: int) -> np.ndarray:
        raise PoseError("bone map: expected joints of a known kind")

    monkeypatch.setattr(BallPoser, "drawn", unknown)
    picture = model.subject(7).render(model.front_camera()).rgb
    with pytest.raises(
        UsageError, match=r"pose: expected a body whose joints are known by .* found 'middle' and others in balls"
    ):
        invert(model, picture, InversionSettings(candidates=2, starts=1, steps=5))
    known = invert(model, picture, InversionSettings(candidates=2, starts=1, steps=5), pose=torch.zeros(1, 3))
    assert known.subject.pose is not None


def test_bodies_of_which_no_mesh_is_known_keep_their_usual_pose(
    model: Model, balls: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, balls.name, balls)
    picture = model.subject(7).render(model.front_camera()).rgb
    assert invert(model, picture, InversionSettings(candidates=2, starts=1, steps=5)).subject.pose is None


def test_a_mask_finds_the_place_of_a_ball_by_its_stand_in(model: Model) -> None:
    """Above and below are labels of the ball's own frame, so that they say where it is."""
    branch = SemanticBranch(SemanticConfig(num_classes=3), model.config, seed=3)
    with torch.no_grad():
        branch.triplane.measure([branch.triplane.inputs(model.generator.source(model.subject(seed).planes)) for seed in range(2)])
        branch.out_weight.mul_(10)
    labelled = model.with_branch(branch.eval(), LabelSet.from_names(("one", "other")))
    camera, place = sphere_camera(0.3, 0.2, radius=3.0, focal=1.5), torch.tensor([[0.15, -0.1, 0.05]])
    mask = labelled.subject(7).posed(place).render(camera).mask
    assert mask is not None
    found = invert(labelled, mask, InversionSettings(candidates=6, starts=2, steps=80), camera=camera)
    assert found.subject.pose is not None
    apart = (found.subject.pose - place)[0].double().numpy()
    across = apart - (apart @ camera.forward) * camera.forward
    assert np.linalg.norm(across) < 0.1  # its size is open, too
