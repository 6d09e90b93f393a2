"""Descents and the search before them: what improves, what stays, and what is told."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dnerf_core.embedded import model_path
from dnerf_core.inversion.descent import Guess, Viewpoint, descend, progress_of
from dnerf_core.inversion.latents import Candidate, WSpace, WStatistics, random_candidates, space_of, w_statistics
from dnerf_core.inversion.objectives import PictureObjective
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.search import best_starts
from dnerf_core.inversion.settings import Space, Stage
from dnerf_core.model import Model
from tests.core.inversion_cases import check_untouched, front, seen_of, tiny_model, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")

Report = Callable[[int, Guess, Tensor], bool]


def always(step: int, best: Guess, image: Tensor) -> bool:
    return True


def stage(space: Space = "w", steps: int = 8, camera_rate: float = 0.02) -> Stage:
    return Stage(16, False, steps, 2, space, 0.1, camera_rate)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(None, samples_coarse=12, samples_fine=12)


def own_picture(model: Model, seed: int = 1) -> PictureObjective:
    """The raw picture of a subject, which a view of 16 px can equal."""
    with torch.no_grad():
        return PictureObjective(seen_of(model, model.subject(seed).ws, front(model), 16).raw_image[0])


def begun(model: Model, space: Space, count: int = 2) -> tuple[object, list[Guess]]:
    statistics = w_statistics(model, 0, 500)
    found = space_of(model, statistics, space)
    candidates = random_candidates(model, statistics, count, 3, mean=False)
    return found, [Guess(0.0, found.code(one), torch.tensor([0.3, 0.1 * i])) for i, one in enumerate(candidates)]


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_every_space_is_descended_in(model: Model, space: Space) -> None:
    before = weights_of(model)
    where, guesses = begun(model, space)
    starts = [guess.code.clone() for guess in guesses]
    told: list[tuple[int, float]] = []

    def report(step: int, best: Guess, image: Tensor) -> bool:
        assert image.shape == (3, 16, 16) and not image.requires_grad
        told.append((step, best.loss))
        return True

    found, losses = descend(Viewpoint(model), where, own_picture(model), guesses, stage(space), 1e-4, report)  # type: ignore[arg-type]
    assert [step for step, _ in told] == list(range(1, 9)) and len(losses) == 8
    assert [loss for _, loss in told] == [min(losses[: i + 1]) for i in range(8)]
    assert found[0].loss == min(losses) < losses[0] and found[0].loss <= found[1].loss
    assert not any(guess.code.requires_grad or guess.angles_rad.requires_grad for guess in found)
    for guess, start in zip(guesses, starts, strict=True):  # what was handed in is left as it was
        assert torch.equal(guess.code, start)
    check_untouched(model, before)


def test_a_guess_is_what_its_loss_says(model: Model) -> None:
    """Seen again from its camera, the best guess has its loss, without the prior."""
    where, guesses = begun(model, "w")
    objective = own_picture(model)
    found, _ = descend(Viewpoint(model), where, objective, guesses, stage(), 0.5, always)  # type: ignore[arg-type]
    camera = camera_at(*found[0].angles_rad.tolist(), model.config.cameras)
    with torch.no_grad():
        seen = seen_of(model, where.ws(found[0].code[None]), camera, 16)  # type: ignore[attr-defined]
    assert float(objective.loss(seen, full=False)) == pytest.approx(found[0].loss, rel=1e-3)


def test_the_same_to_the_bit_on_every_run(model: Model) -> None:
    before = torch.random.get_rng_state()
    runs = []
    for _ in range(2):
        where, guesses = begun(model, "w+")
        runs.append(descend(Viewpoint(model), where, own_picture(model), guesses, stage("w+"), 1e-4, always))  # type: ignore[arg-type]
    (one, losses), (other, again) = runs
    assert losses == again
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.code, b.code) and torch.equal(a.angles_rad, b.angles_rad) and a.loss == b.loss
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_fixed_camera_does_not_move(model: Model) -> None:
    where, guesses = begun(model, "w")
    for camera, moves in ((front(model), False), (None, True)):
        found, losses = descend(Viewpoint(model, camera), where, own_picture(model), guesses, stage(), 1e-4, always)  # type: ignore[arg-type]
        assert min(losses) < losses[0]
        still = all(any(torch.equal(guess.angles_rad, start.angles_rad) for start in guesses) for guess in found)
        assert still != moves


def test_a_fixed_camera_is_the_camera(model: Model) -> None:
    camera = front(model)
    cam2world, intrinsics = Viewpoint(model, camera).tensors(torch.zeros(3, 2))
    assert cam2world.shape == (3, 4, 4) and intrinsics.shape == (1, 3, 3)
    torch.testing.assert_close(cam2world[2], torch.tensor(camera.cam2world, dtype=torch.float32))
    free, own = Viewpoint(model).tensors(torch.tensor([[0.4, 0.2]]))
    torch.testing.assert_close(free[0], cam2world[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(own, intrinsics)


def test_ended_early_it_keeps_the_best_so_far(model: Model) -> None:
    where, guesses = begun(model, "w")
    whole, losses = descend(Viewpoint(model), where, own_picture(model), guesses, stage(), 1e-4, always)  # type: ignore[arg-type]
    part, few = descend(Viewpoint(model), where, own_picture(model), guesses, stage(), 1e-4, lambda step, *_: step < 3)  # type: ignore[arg-type]
    assert few == losses[:3] and part[0].loss == min(few) > whole[0].loss


def test_the_prior_keeps_latents_usual(model: Model) -> None:
    where, guesses = begun(model, "w")
    far = [Guess(0.0, guess.code * 3, guess.angles_rad) for guess in guesses]
    lengths = []
    for prior in (0.0, 10.0):
        heavy = Stage(16, False, 20, 2, "w", 0.1, 0.0)
        codes: list[Tensor] = []

        def report(step: int, best: Guess, image: Tensor, codes: list[Tensor] = codes) -> bool:
            codes.append(best.code)
            return True

        objective = RisingObjective(own_picture(model))
        found, _ = descend(Viewpoint(model, front(model)), where, objective, far, heavy, prior, report)  # type: ignore[arg-type]
        lengths.append(sum(float(guess.code.norm()) for guess in found))
    assert lengths[1] < 0.9 * lengths[0]


class RisingObjective:
    """An objective whose every value is below the one before, so that the last guess is kept as the best."""

    def __init__(self, inner: PictureObjective) -> None:
        self.inner, self.calls = inner, 0

    def loss(self, seen: object, *, full: bool) -> Tensor:
        self.calls += 1
        return self.inner.loss(seen, full=full) - 1000.0 * self.calls  # type: ignore[arg-type]


def test_progress_by_hand() -> None:
    guess = Guess(0.5, torch.tensor([3.0]), torch.tensor([math.radians(200), math.radians(10)]))
    space = WSpace(WStatistics(torch.tensor([1.0]), torch.tensor([[2.0]]), torch.tensor([[0.5]])), 2)
    told = progress_of(Stage(64, True, 5, 1, "w+", 0.1, 0.1), space, Viewpoint(None), 3, 9, guess, torch.zeros(3, 4, 4))  # type: ignore[arg-type]
    assert told.ws.tolist() == [[[7], [7]]]
    assert (told.stage, told.step, told.steps, told.loss) == ("full size w+", 3, 9, 0.5)
    assert (told.yaw_deg, told.pitch_deg) == pytest.approx((-160, 10), abs=1e-4)


def test_the_search_finds_subject_and_direction(model: Model) -> None:
    """Among candidates with the right one, and directions with the right one."""
    statistics = w_statistics(model, 0, 500)
    space = WSpace(statistics, model.config.backbone.num_ws)
    truth = Candidate(None, model.subject(1).ws[0, 0])
    others = random_candidates(model, statistics, 3, 3, mean=True)
    target = camera_at(math.radians(20), math.radians(10), model.config.cameras)
    with torch.no_grad():
        picture = seen_of(model, model.subject(1).ws, target, 16).raw_image[0]
    candidates = [*others[:2], truth, others[2]]
    found = best_starts(Viewpoint(model), space, PictureObjective(picture), candidates, (-40.0, 40.0), (10.0, 10.0), 2)
    assert len(found) == 2 and found[0].loss < 1e-3 < found[1].loss
    torch.testing.assert_close(found[0].code, space.code(truth))
    assert [math.degrees(float(angle)) for angle in found[0].angles_rad] == pytest.approx([20, 10], abs=1e-4)
    # with the camera known, only it is looked from
    known = best_starts(Viewpoint(model, target), space, PictureObjective(picture), candidates, (-40.0, 40.0), (10.0, 10.0), 4)
    assert len(known) == 4 and known[0].loss < 1e-3
    # whose angles are reported as its own
    assert all([math.degrees(float(angle)) for angle in one.angles_rad] == pytest.approx([20, 10], abs=1e-3) for one in known)


def test_the_demos_camera_is_found_from_15_degrees_off() -> None:
    """From half way to the mean latent, at 32 px: 0.2 degrees of yaw and 0.18 of the loss are left."""
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-cars")
    subject, camera = model.subject(1), camera_at(0.6, 0.25, model.config.cameras)
    with torch.no_grad():
        picture = seen_of(model, subject.ws, camera, 32).raw_image[0]
    space = WSpace(w_statistics(model, 0), model.config.backbone.num_ws)
    start = Guess(0.0, space.code_of_ws(subject.ws[0]) / 2, torch.tensor([0.6 - math.radians(15), 0.2]))
    plan = Stage(32, False, 25, 1, "w", 0.08, 0.06)
    found, losses = descend(Viewpoint(model), space, PictureObjective(picture), [start], plan, 3e-4, always)
    assert found[0].loss < 0.4 * losses[0]
    assert math.degrees(float(found[0].angles_rad[0])) == pytest.approx(math.degrees(0.6), abs=3)
