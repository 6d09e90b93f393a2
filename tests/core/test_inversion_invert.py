"""Whole inversions: what comes out, what is told meanwhile, what stays as it was, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.embedded import model_path
from dnerf_core.errors import UsageError
from dnerf_core.inversion.descent import Progress
from dnerf_core.inversion.invert import TUNING, Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.settings import InversionSettings, inversion_steps
from dnerf_core.labels import IGNORE_ID
from dnerf_core.metrics import psnr_db
from dnerf_core.model import Model
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.subject import Subject
from tests.core.inversion_cases import check_untouched, front, picture_of, tiny_model, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = InversionSettings(candidates=3, starts=2, yaw_deg=(10.0, 30.0), pitch_deg=(10.0, 10.0), steps=8)


def quick(**changes: Any) -> InversionSettings:
    return dataclasses.replace(QUICK, **changes)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(samples_coarse=12, samples_fine=12)


@pytest.fixture(scope="module")
def picture(model: Model) -> NDArray[np.uint8]:
    return picture_of(model.subject(1), front(model))


@pytest.fixture(scope="module")
def mask(model: Model) -> NDArray[np.uint8]:
    found = model.subject(1).render(front(model), exact=True).mask
    assert found is not None
    return found


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_a_picture_is_inverted_in_every_space(model: Model, picture: NDArray[np.uint8], space: Any) -> None:
    before = weights_of(model)
    told: list[Progress] = []

    def watch(progress: Progress) -> bool:
        told.append(progress)
        return True

    found = invert_picture(model, picture, quick(space=space), watch=watch)
    assert found.finished and not found.tuned and found.subject.model is model
    assert [progress.step for progress in told] == list(range(1, 9)) and {progress.steps for progress in told} == {8}
    assert inversion_steps(quick(space=space), model.config, mask=False) == 8
    assert sum(len(stage.losses) for stage in found.losses) == 8
    assert [stage.stage for stage in found.losses][-1] == f"full size {space}" == told[-1].stage
    assert min(found.losses[0].losses) < found.losses[0].losses[0]
    # what is told of the last step is what comes out
    assert torch.equal(told[-1].ws, found.subject.ws) and not found.subject.ws.requires_grad
    assert (told[-1].yaw_deg, told[-1].pitch_deg) == pytest.approx((found.yaw_deg, found.pitch_deg), abs=1e-3)
    assert told[-1].loss == min(found.losses[-1].losses)
    ws = found.subject.ws
    assert ws.shape == (1, 8, 32)
    assert (float((ws - ws[:, :1]).abs().max()) > 1e-3) == (space == "w+")
    # the loss at full size is the mean squared error in [-1, 1]; what lies beyond is cut off in the picture, which is nearer then
    assert found.psnr_db(picture) >= -10 * np.log10(told[-1].loss / 4) - 0.1
    check_untouched(model, before)


def test_the_same_to_the_bit_on_every_run(model: Model, picture: NDArray[np.uint8]) -> None:
    before = torch.random.get_rng_state()
    one, other = (invert_picture(model, picture, quick(steps=4)) for _ in range(2))
    assert one.subject.ws.numpy().tobytes() == other.subject.ws.numpy().tobytes()
    assert one.camera.cam2world.tobytes() == other.camera.cam2world.tobytes() and one.losses == other.losses
    measured = invert_picture(model, picture, quick(steps=4), statistics=w_statistics(model, 0))
    assert torch.equal(measured.subject.ws, one.subject.ws)
    assert not torch.equal(invert_picture(model, picture, quick(steps=4, seed=1)).subject.ws, one.subject.ws)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("last", [1, 4])
def test_ended_early(model: Model, picture: NDArray[np.uint8], last: int) -> None:
    """The best so far comes out, and no tuning follows."""
    whole = invert_picture(model, picture, QUICK)
    part = invert_picture(model, picture, quick(tuning_steps=5), watch=lambda progress: progress.step < last)
    assert whole.finished and not part.finished and not part.tuned
    flat = [loss for stage in part.losses for loss in stage.losses]
    assert flat == [loss for stage in whole.losses for loss in stage.losses][:last]
    assert part.subject.model is model and np.isfinite(part.psnr_db(picture))


def test_a_known_camera_stays(model: Model, picture: NDArray[np.uint8]) -> None:
    camera = front(model)
    found = invert_picture(model, picture, QUICK, camera=camera)
    assert found.camera is camera
    assert (found.yaw_deg, found.pitch_deg) == pytest.approx((np.degrees(0.4), np.degrees(0.2)), abs=1e-6)


def test_arrays_of_any_layout_are_taken(model: Model, picture: NDArray[np.uint8], recwarn: pytest.WarningsRecorder) -> None:
    """A mirrored view of a picture, and one that may not be written to, as Pillow's are."""
    mirrored = picture[:, ::-1]
    one = invert_picture(model, mirrored, quick(steps=4))
    copy = mirrored.copy()
    copy.setflags(write=False)
    assert torch.equal(invert_picture(model, copy, quick(steps=4)).subject.ws, one.subject.ws)
    assert not [warning for warning in recwarn if "not writable" in str(warning.message)]


class MadeUpDistance:
    """Stands for a `PerceptualLoss`: the difference of the means."""

    def __init__(self) -> None:
        self.shown = 0

    def features(self, image: Tensor) -> Tensor:
        return image.mean()

    def __call__(self, image: Tensor, goal: Tensor) -> Tensor:
        self.shown += 1
        return (image.mean(dim=(1, 2, 3)) - goal).square()


def test_the_perceptual_loss_is_asked_at_full_size(model: Model, picture: NDArray[np.uint8]) -> None:
    distance: Any = MadeUpDistance()
    found = invert_picture(model, picture, quick(perceptual_weight=2.0), perceptual=distance)
    plain = invert_picture(model, picture, QUICK)
    assert distance.shown == len(found.losses[-1].losses)
    assert [stage.losses for stage in found.losses[:-1]] == [stage.losses for stage in plain.losses[:-1]]
    assert found.losses[-1].losses[0] > plain.losses[-1].losses[0]


def test_pivotal_tuning_changes_a_copy_alone(model: Model, picture: NDArray[np.uint8]) -> None:
    before, view = weights_of(model), model.subject(2).render(front(model))
    plain = invert_picture(model, picture, QUICK)
    told: list[Progress] = []

    def watch(progress: Progress) -> bool:
        told.append(progress)
        return True

    found = invert_picture(model, picture, quick(tuning_steps=6), watch=watch)
    assert found.finished and torch.equal(found.subject.ws, plain.subject.ws)
    assert [progress.step for progress in told] == list(range(1, 15)) and {progress.steps for progress in told} == {14}
    assert found.losses[-1].stage == TUNING == told[-1].stage and len(found.losses[-1].losses) == 6
    assert min(found.losses[-1].losses) < found.losses[-1].losses[0]
    assert found.psnr_db(picture) > plain.psnr_db(picture)
    # the tuned tensors are all but the mapping's, and the subject's model has them
    names = {name for name, _ in model.generator.named_parameters() if not name.startswith("backbone.mapping.")}
    assert set(found.tuned) == names
    tuned = found.subject.model
    assert tuned is not model and tuned.branch is model.branch
    state = tuned.generator.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in found.tuned.items())
    assert not torch.equal(state["decoder.net.0.weight"], before["generator.decoder.net.0.weight"])
    check_untouched(model, before)
    assert not any(parameter.requires_grad for parameter in tuned.generator.parameters())
    again = model.subject(2).render(front(model))
    assert np.array_equal(again.rgb, view.rgb) and np.array_equal(again.mask, view.mask)  # type: ignore[arg-type]


def test_tuning_ended_early_keeps_its_best(model: Model, picture: NDArray[np.uint8]) -> None:
    found = invert_picture(model, picture, quick(tuning_steps=6), watch=lambda progress: progress.step < 11)
    assert not found.finished and len(found.losses[-1].losses) == 3 and found.tuned
    at_once = invert_picture(model, picture, quick(tuning_steps=6), watch=lambda progress: progress.step < 9)
    assert not at_once.finished and len(at_once.losses[-1].losses) == 1
    own = model.generator.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in at_once.tuned.items())


def agreement(found: Inversion, mask: NDArray[np.uint8]) -> float:
    view = found.subject.render(found.camera)
    assert view.mask is not None
    return float(np.mean(view.mask == mask))


def test_a_mask_is_inverted(model: Model, mask: NDArray[np.uint8]) -> None:
    before = weights_of(model)
    (found,) = invert_mask(model, mask, quick(steps=40))
    others = [np.mean(model.subject(seed).render(front(model)).mask == mask) for seed in (4, 5, 6)]
    assert found.finished and agreement(found, mask) > max(others)
    check_untouched(model, before)


@pytest.mark.parametrize("variants", [1, 2, 3])
def test_variants_are_as_many_as_asked_and_differ(model: Model, mask: NDArray[np.uint8], variants: int) -> None:
    settings = quick(candidates=4, starts=3)
    told: list[Progress] = []
    found = invert_mask(model, mask, settings, variants=variants, watch=lambda progress: told.append(progress) or True)
    assert len(found) == variants
    assert len(told) == told[-1].steps == inversion_steps(settings, model.config, mask=True, variants=variants)
    for i in range(variants):
        for j in range(i):
            assert float((found[i].subject.ws - found[j].subject.ws).square().mean().sqrt()) > 0.1


def test_pixels_to_ignore_are_left_out(model: Model, mask: NDArray[np.uint8]) -> None:
    silent = mask.copy()
    silent[:40] = IGNORE_ID
    (one,) = invert_mask(model, silent, quick(steps=4))
    (whole,) = invert_mask(model, mask, quick(steps=4))
    assert one.losses != whole.losses and np.isfinite(one.losses[0].losses[0])


def test_what_cannot_be_inverted_is_refused(model: Model, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Before anything is computed: each would fail on the watch, too."""

    def refused(message: str, call: Any, *args: Any, **options: Any) -> None:
        def never(progress: Progress) -> bool:
            raise AssertionError

        with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
            call(*args, watch=never, **options)

    refused(
        "picture: expected uint8 [128, 128, 3], found uint8 [64, 128, 3]; resize it first",
        invert_picture,
        model,
        picture[::2],
        QUICK,
    )
    refused("picture: expected uint8 [128, 128, 3], found uint8 [128, 128]; resize it first", invert_picture, model, mask, QUICK)
    refused(
        "perceptual loss: expected its network's weights, found none; name their file, or leave its weight at 0",
        invert_picture,
        model,
        picture,
        quick(perceptual_weight=0.1),
    )
    refused("starts: expected at least 1, found 0; choose another", invert_picture, model, picture, quick(starts=0))
    refused("starts: expected at least 1, found 0; choose another", invert_mask, model, mask, quick(starts=0))
    refused(
        "mask: expected a model with a semantic branch, found none in tiny; train one first",
        invert_mask,
        tiny_model(None),
        mask,
        QUICK,
    )
    refused("mask: expected uint8 [128, 128], found uint8 [128, 64]; resize it first", invert_mask, model, mask[:, ::2], QUICK)
    colours = "mask: expected no pivotal tuning and no perceptual loss, which compare colours; leave them out"
    refused(colours, invert_mask, model, mask, quick(tuning_steps=1))
    refused(colours, invert_mask, model, mask, quick(perceptual_weight=0.1))
    refused("variants: expected at most the 2 starts, found 3; ask for more starts", invert_mask, model, mask, QUICK, variants=3)
    refused("variants: expected at least 1, found 0; ask for one or more", invert_mask, model, mask, QUICK, variants=0)
    foreign = mask.copy()
    foreign[0, :2] = 5, 77
    refused(
        "mask: expected ids 0 to 4 or 255, found 5 at column 0, row 0; paint with the model's labels",
        invert_mask,
        model,
        foreign,
        QUICK,
    )
    empty = np.zeros_like(mask)
    empty[0] = IGNORE_ID
    refused("mask: expected some part, found only background; paint the object first", invert_mask, model, empty, QUICK)


def test_a_conditioned_generator_and_a_branch_with_its_own_density() -> None:
    """c_dim 25; the search looks at one subject from several directions."""
    for semantic in (SemanticConfig(density_prior=False, density_samples=12), SemanticConfig(refiner=RefinerConfig(guide="rgb"))):
        model = tiny_model(semantic, c_dim=25, samples_coarse=12, samples_fine=12)
        view = model.subject(1).render(front(model), exact=True)
        assert view.mask is not None
        wide = quick(steps=4, yaw_deg=(-40.0, 40.0))
        (found,) = invert_mask(model, view.mask, wide)
        assert found.finished and found.subject.ws.shape == (1, 8, 32)
        assert invert_picture(model, view.rgb, wide).finished


def test_the_demos_own_picture_is_found_again() -> None:
    """16 steps in w from 4 candidates: 23.8 dB, 3 degrees off in yaw; the mean car from the right camera has 20.9 dB."""
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-cars")
    camera = camera_at(0.6, 0.25, model.config.cameras)
    picture = picture_of(model.subject(1), camera)
    statistics = w_statistics(model, 0)
    mean = Subject(model, statistics.mean.expand(1, model.config.backbone.num_ws, -1)).render(camera)
    settings = InversionSettings(space="w", candidates=4, starts=1, yaw_deg=(0.0, 60.0), steps=16, seed=3)
    found = invert_picture(model, picture, settings, statistics=statistics)
    assert found.psnr_db(picture) > psnr_db(picture, mean.rgb) + 1.5
    assert found.yaw_deg == pytest.approx(np.degrees(0.6), abs=8)
