"""DatasetGAN on a 3D GAN: what its classifiers read of any family's views, how they are folded, how they vote."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core import subject as subject_module
from dnerf_core.backbone.family import Family
from dnerf_core.camera import sphere_camera
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.downstream.baselines import gan_ensemble, gan_features
from dnerf_core.downstream.baselines.datasetgan import GanLabeller, mask_at
from dnerf_core.downstream.baselines.gan_ensemble import PixelEnsemble, PixelTraining, train_pixels
from dnerf_core.downstream.baselines.gan_features import generator_view, view_features
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.seeing.raw_view import RawView, guided_raw
from dnerf_core.semantic.choosing.ensemble import disagreement
from dnerf_core.stylegan2.networks import upsample_image
from dnerf_core.stylegan2.superresolution import input_of
from tests.core import inversion_cases, panohead_models
from tests.core.stub_family import BallBackbone, BallConfig, balls  # noqa: F401  # a fixture

QUICK = PixelTraining(members=3, steps=80, batch=64)


def ball_model() -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = BallBackbone(BallConfig()).eval().requires_grad_(False)
    return Model(
        backbone, None, ModelHeader(Path("balls"), 1, BallConfig(), None, None, None, None, {}, 0), "", torch.device("cpu")
    )


def tiny_eg3d() -> Model:
    return inversion_cases.tiny_model(semantic=None)


@pytest.mark.parametrize("make", [tiny_eg3d, panohead_models.tiny_model])
def test_features_are_the_rendered_ones_and_the_superresolutions(make: Callable[[], Model]) -> None:
    model = make()
    camera, subject = model.front_camera(), model.subject(1)
    size, generator = model.config.image_size, model.generator
    found = view_features(subject, generator_view(subject, camera), size)
    with torch.no_grad():
        picture = guided_raw(subject, *camera_tensors(camera), None, True).picture
        assert picture is not None
        first, second = generator.superresolution_activations(picture, subject.ws)
        # the images that the blocks make of these channels, added up, are the picture
        image, network, w = input_of(generator.superresolution, picture.image), generator.superresolution, subject.ws[:, -1]
        for block, hidden in ((network.block0, first), (network.block1, second)):
            image = block.torgb(hidden, w) + (upsample_image(image) if block.up else image)
        torch.testing.assert_close(image, generator.superresolve(picture, subject.ws), atol=1e-5, rtol=1e-5)
    widths = [picture.features.shape[1], first.shape[1], second.shape[1]]
    assert found.shape == (size, size, sum(widths))
    for part, own in zip(found.permute(2, 0, 1)[None].split(widths, dim=1), (picture.features, first, second), strict=True):
        torch.testing.assert_close(part, F.interpolate(own, size=(size, size), mode="bilinear", align_corners=False))
    assert view_features(subject, generator_view(subject, camera), 24).shape == (24, 24, sum(widths))


def test_features_of_posed_people() -> None:
    model = Model.load("demo-people")
    subject = model.subject(0)
    found = view_features(subject, generator_view(subject, model.front_camera()), 32)
    assert found.shape == (32, 32, 80)
    assert found.std(dim=(0, 1)).min() > 0


def test_features_of_a_family_without_blocks_are_the_rendered_ones(balls: Family) -> None:  # noqa: F811
    model = ball_model()
    camera = sphere_camera(0.2, 0.1, radius=3.0, pivot=(0.0, 0.0, 0.0), focal=1.5, world_up="y")
    subject = model.subject(0)
    found = view_features(subject, generator_view(subject, camera), model.config.image_size)
    assert found.shape == (64, 64, model.config.feature_channels)
    assert found.isfinite().all()
    assert balls.name == "balls"


def test_a_view_and_its_labels_are_of_rays_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_eg3d()
    camera, subject, size = model.front_camera(), model.subject(1), model.config.image_size
    features = view_features(subject, generator_view(subject, camera), size).flatten(0, 1)
    ensemble = train_pixels(features, torch.arange(len(features)) % 3, 3, QUICK)
    labeller = GanLabeller(ensemble, SHAPENET_CAR_LABELS, size)
    mask, divergence = labeller.label(subject, camera)
    picture = subject.channels(camera, size, ("rgb",)).rgb
    made: list[int] = []
    for module in (gan_features, subject_module):
        whole = module.guided_raw
        monkeypatch.setattr(module, "guided_raw", lambda *args, of=whole, **kwargs: (made.append(1), of(*args, **kwargs))[1])
    seen = labeller.seen(subject, camera, size)
    assert len(made) == 1
    assert seen.rgb is not None
    assert np.array_equal(seen.rgb, picture)
    assert np.array_equal(seen.mask, mask)
    assert np.array_equal(seen.uncertainty, divergence)


def test_features_of_a_view_whose_rays_were_left_short_are_of_the_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_eg3d()
    subject, asked = model.subject(1), []

    def short_once(*args: object, whole: bool = False) -> RawView:
        asked.append(whole)
        raw = guided_raw(*args)
        return raw if whole else dataclasses.replace(raw, short=torch.tensor(True))

    monkeypatch.setattr(gan_features, "guided_raw", short_once)
    assert generator_view(subject, model.front_camera()).short is None
    assert asked == [False, True]


def two_clouds() -> tuple[Tensor, Tensor]:
    """Pixels of three classes that are told apart by a curve, on scales of their own."""
    rng = torch.Generator().manual_seed(2)
    x = torch.randn(900, 4, generator=rng)
    labels = torch.where(x[:, 0].square() + x[:, 1].square() < 0.8, 0, torch.where(x[:, 2] > 0, 1, 2))
    return x * torch.tensor([1.0, 30.0, 0.1, 5.0]) + torch.tensor([0.0, 100.0, -3.0, 1.0]), labels


def test_classifiers_learn_and_disagree_where_nothing_was_seen() -> None:
    features, labels = two_clouds()
    ensemble = train_pixels(features, labels, 3, PixelTraining(members=4, steps=250, batch=128))
    voted, divergence = ensemble.labelled(features)
    assert (voted == labels).float().mean() > 0.9
    far = features + torch.tensor([0.0, 0.0, 0.0, 400.0])
    assert ensemble.labelled(far)[1].mean() > 2 * divergence.mean()
    again = train_pixels(features, labels, 3, PixelTraining(members=4, steps=250, batch=128))
    assert all(torch.equal(one, other) for one, other in zip(ensemble.weights, again.weights, strict=True))


def test_folding_leaves_what_a_classifier_says(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = two_clouds()
    kept: list[nn.Sequential] = []
    trained = gan_ensemble._trained

    def keep(*args: object) -> nn.Sequential:
        kept.append(trained(*args))  # type: ignore[arg-type]
        return kept[-1]

    monkeypatch.setattr(gan_ensemble, "_trained", keep)
    ensemble = train_pixels(features, labels, 3, QUICK)
    normal = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)
    with torch.no_grad():
        expected = torch.stack([network(normal).softmax(dim=1) for network in kept])
    torch.testing.assert_close(ensemble.probabilities(features), expected, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(expected[0], expected[1], atol=1e-2)


def test_the_majority_wins_and_among_equals_the_more_probable(monkeypatch: pytest.MonkeyPatch) -> None:
    said = torch.tensor(
        [
            [[0.6, 0.4, 0.0], [0.9, 0.1, 0.0]],
            [[0.6, 0.4, 0.0], [0.9, 0.1, 0.0]],
            [[0.0, 1.0, 0.0], [0.4, 0.6, 0.0]],
            [[0.1, 0.3, 0.6], [0.4, 0.6, 0.0]],
        ]
    )
    monkeypatch.setattr(PixelEnsemble, "probabilities", lambda self, features: said)
    zero = torch.zeros(1)
    voted, divergence = PixelEnsemble((zero, zero, zero), (zero, zero, zero)).labelled(torch.zeros(1, 2, 4))
    assert voted.tolist() == [[0, 0]]  # two votes against one and one, though class 1 is the more probable; two against two
    torch.testing.assert_close(divergence[0], disagreement(said))


def test_smaller_masks_lie_where_the_larger_ones_do() -> None:
    """Halved, a disc off the middle is the mirror image of the halved mirrored disc: no side of a pixel is preferred."""
    rows, columns = np.mgrid[:64, :64]
    disc = ((rows - 25.3) ** 2 + (columns - 37.8) ** 2 < 15.2**2).astype(np.uint8)
    for axes in ((0,), (1,), (0, 1)):
        mirrored = np.flip(mask_at(np.flip(disc, axes).copy(), 32), axes)
        assert (mirrored != mask_at(disc, 32)).mean() < 2e-3
