"""Tiny models in memory for the tests of inversion and editing: any ray configuration, conditioning and branch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.generator.config import CameraConfig, GeneratorConfig
from dnerf_core.generator.eg3d import Generator
from dnerf_core.inversion.pose import camera_at, sphere_cam2world
from dnerf_core.inversion.view import SeenView, intrinsics_of, see
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch, SemanticMaps
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.subject import Subject
from tests.core.semantic_cases import TINY, camera_tensors

SPHERE = CameraConfig(radius=2.6, pivot=(0.0, 0.0, 0.0), focal=1.4, world_up="y", pitch_deg=10.0)
FIVE_CLASSES = SemanticConfig()


def tiny_config(c_dim: int = 0, **rays: object) -> GeneratorConfig:
    """The tiny generator's, seen from a sphere from which the whole box is seen."""
    return dataclasses.replace(
        TINY,
        cameras=SPHERE,
        mapping=dataclasses.replace(TINY.mapping, c_dim=c_dim),
        rays=dataclasses.replace(TINY.rays, **rays),  # type: ignore[arg-type]
    )


def tiny_model(semantic: SemanticConfig | None = FIVE_CLASSES, c_dim: int = 0, **rays: object) -> Model:
    """A model of random weights whose field is a cloud with clear inside and outside, and whose labels are several."""
    config = tiny_config(c_dim, **rays)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = Generator(config).eval().requires_grad_(False)
    header = ModelHeader(Path("tiny"), 1, config, None, None, None, None, {}, 0)
    model = Model(generator, None, header, "", torch.device("cpu"))
    _make_a_cloud(model)
    if semantic is not None:
        model.branch = _branch(semantic, model)
    return model


def _make_a_cloud(model: Model) -> None:
    """Steep densities, above 0 in a fifth of the box."""
    last = model.generator.decoder.net[2]
    last.weight[0] *= 200
    points = torch.rand(1000, 3, generator=torch.Generator().manual_seed(6)) * 1.6 - 0.8
    fields = [model.generator.field(model.subject(seed).planes) for seed in range(4)]
    last.bias[0] -= torch.cat([field.raw_density(points, None) for field in fields]).quantile(0.8)


@torch.no_grad()
def _branch(semantic: SemanticConfig, model: Model) -> SemanticBranch:
    branch = SemanticBranch(semantic, model.config, seed=3)
    branch.triplane.measure([branch.triplane.inputs(model.subject(seed).planes) for seed in range(2)])
    branch.hidden_bias.normal_(generator=torch.Generator().manual_seed(2))
    branch.out_weight.mul_(10)
    if semantic.refiner.kind == "light":
        branch.refiner.out.weight.normal_(generator=torch.Generator().manual_seed(1)).mul_(0.3)
    if not semantic.density_prior:
        branch.density_weight.mul_(20)
    return branch.eval().requires_grad_(False)


def front(model: Model, yaw_rad: float = 0.4, pitch_rad: float = 0.2) -> Camera:
    """A camera on the model's sphere."""
    return camera_at(yaw_rad, pitch_rad, model.config.cameras)


def seen_of(model: Model, ws: Tensor, camera: Camera, side_px: int) -> SeenView:
    """One view."""
    return see(model, ws, *camera_tensors(camera), side_px)


def seen_by_angles(model: Model, ws: Tensor, angles_rad: Tensor, side_px: int) -> SeenView:
    """Views from the model's sphere, differentiable in the angles [B, 2]."""
    return see(model, ws, sphere_cam2world(angles_rad, model.config.cameras), intrinsics_of(model), side_px)


def picture_of(subject: Subject, camera: Camera) -> NDArray[np.uint8]:
    """Its exact view, uint8 [S, S, 3]."""
    return subject.render(camera, exact=True).rgb


def weights_of(model: Model) -> dict[str, Tensor]:
    """A copy of every tensor of the generator and the branch."""
    parts = {"generator": model.generator, "semantic": model.branch}
    return {
        f"{part}.{name}": tensor.detach().clone()
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }


def check_untouched(model: Model, before: dict[str, Tensor]) -> None:
    """The model's weights are equal to the bit, frozen and without gradients."""
    after = weights_of(model)
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    for module in (model.generator, model.branch):
        for parameter in [] if module is None else module.parameters():
            assert not parameter.requires_grad and parameter.grad is None


@dataclasses.dataclass
class MadeUpView:
    """Stands for a `SeenView`: a coarse and a full-size picture and their class scores."""

    raw_image: Tensor
    full_image: Tensor
    raw_scores: Tensor
    full_scores: Tensor

    def image(self) -> Tensor:
        return self.full_image

    def maps(self) -> SemanticMaps:
        return SemanticMaps(self.raw_scores, self.raw_scores)

    def scores(self, image: Tensor | None = None) -> Tensor:
        return self.full_scores
