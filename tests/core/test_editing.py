"""Editing by a repainted mask: the region, the loss and the scores by hand, and edits of whole subjects."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.editing.edit import Edit, EditObjective, edit_subject
from dnerf_core.editing.region import edited_labels, region_of
from dnerf_core.editing.scores import TURNS_DEG, change_seen, edit_scores, turned_cameras
from dnerf_core.editing.settings import EditSettings, edit_stages
from dnerf_core.embedded import model_path
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import CameraConfig
from dnerf_core.inversion.descent import Progress
from dnerf_core.inversion.latents import WStatistics, w_statistics
from dnerf_core.inversion.objectives import MaskObjective
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.labels import IGNORE_ID
from dnerf_core.model import Model
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.subject import LabeledView, Subject
from tests.core.inversion_cases import MadeUpView, check_untouched, front, tiny_model, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")

Mask = NDArray[np.uint8]
HOOD, ROOF, BODY = 1, 2, 4


def car() -> Mask:
    """8 x 8: a body of 4 x 6 with a hood of 2 x 2 in it and a roof of 1 x 2 above."""
    mask = np.zeros((8, 8), np.uint8)
    mask[3:7, 1:7] = BODY
    mask[3:5, 1:3] = HOOD
    mask[2, 3:5] = ROOF
    return mask


def labels_of(before: Mask, after: Mask) -> tuple[int, ...]:
    return edited_labels(before, after, (before != after) & (after != IGNORE_ID))


def test_a_hood_drawn_over_the_body_is_about_the_hood() -> None:
    after = car()
    after[3:5, 3] = HOOD
    region = region_of(car(), after, 0)
    assert region.labels == (HOOD,)
    assert np.argwhere(region.edited).tolist() == [[3, 3], [4, 3]] and np.array_equal(region.near, region.edited)
    expected = np.zeros((8, 8), bool)
    expected[3:5, 1:4] = True
    assert np.array_equal(region.inside, expected)


def test_a_part_erased_or_painted_on_the_background_is_about_that_part() -> None:
    """Background is everything round the object, and never what an edit is about."""
    erased, added = car(), car()
    erased[2, 3:5] = 0
    assert labels_of(car(), erased) == labels_of(erased, car()) == (ROOF,)
    added[1, 3:5] = ROOF
    region = region_of(car(), added, 0)
    assert region.labels == (ROOF,)
    assert np.argwhere(region.inside).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]


def test_labels_swapped_are_settled_by_area_then_number() -> None:
    swapped = car()
    swapped[car() == HOOD], swapped[car() == ROOF] = ROOF, HOOD
    # each covers 4 + 2 pixels in one mask or the other: the lower number
    assert labels_of(car(), swapped) == (HOOD,)
    swapped[0, 0] = HOOD
    swapped[1, :3] = ROOF
    assert labels_of(car(), swapped) == (HOOD, ROOF)  # each was painted on background, so both are edited
    exchanged = car()
    exchanged[car() == HOOD], exchanged[car() == BODY] = BODY, HOOD
    assert labels_of(car(), exchanged) == (HOOD,)


def test_several_parts_are_edited_together() -> None:
    """Hood over body and roof off: one set for both; a body repainted by both is cheaper than they are only if it is smaller."""
    after = car()
    after[5, 1:3] = HOOD
    after[2, 3] = 0
    assert labels_of(car(), after) == (HOOD, ROOF)
    small = np.zeros((8, 8), np.uint8)
    small[:3], small[3:6], small[7, :2] = 1, 2, 3
    repainted = small.copy()
    repainted[7, 0], repainted[7, 1] = 1, 2
    assert labels_of(small, repainted) == (3,)


def test_pixels_to_ignore_are_not_edits() -> None:
    after = car()
    after[3:7, 1:7] = IGNORE_ID
    with pytest.raises(UsageError, match=r"^edited mask: expected some pixels that differ .* found none; paint something$"):
        region_of(car(), after, 4)
    after[2, 3] = 0
    region = region_of(car(), after, 0)
    assert region.labels == (ROOF,) and int(region.edited.sum()) == 1 and not region.inside[3:7].any()


def test_the_margin_reaches_beside_and_above() -> None:
    after = car()
    after[2, 3] = 0
    region = region_of(car(), after, 2)
    near = region.near
    expected = np.zeros((8, 8), bool)
    expected[0:5, 1:6] = True
    assert np.array_equal(near, expected) and np.array_equal(region.inside, expected)


def slow_labels(before: Mask, after: Mask) -> tuple[int, ...]:
    """Every set of labels, the smallest first."""
    edited = before != after
    changes = {tuple(pair) for pair in np.stack([before[edited], after[edited]], axis=1).tolist()}
    parts = sorted({label for pair in changes for label in pair} - {0})
    subsets = [[part for bit, part in enumerate(parts) if number >> bit & 1] for number in range(2 ** len(parts))]
    able = [chosen for chosen in subsets if all(set(pair) & set(chosen) for pair in changes)]
    area = {part: int(((before == part) | (after == part)).sum()) for part in parts}
    return tuple(min(able, key=lambda chosen: (sum(area[part] for part in chosen), len(chosen), chosen)))


def test_edited_labels_against_every_set() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        classes, side = rng.integers(2, 8), rng.integers(2, 6)
        before = rng.integers(0, classes, (side, side)).astype(np.uint8)
        after = np.where(rng.random((side, side)) < rng.random(), rng.integers(0, classes, (side, side)), before).astype(np.uint8)
        if (before != after).any():
            assert labels_of(before, after) == slow_labels(before, after)


def test_noise_between_many_labels_is_soon_settled() -> None:
    """40 labels, all changing with all: trying each set of them would take 2^40 tries."""
    rng = np.random.default_rng(0)
    before, after = (rng.integers(0, 40, (256, 256)).astype(np.uint8) for _ in range(2))
    started = time.monotonic()
    assert labels_of(before, after) == tuple(range(1, 40))  # every label changes with background
    before[before == 0], after[after == 0] = 1, 1
    assert len(labels_of(before, after)) == 38
    assert time.monotonic() - started < 5


def view_of(mask: Mask, rgb: NDArray[np.uint8] | None = None) -> LabeledView:
    colors = np.zeros((*mask.shape, 3), np.uint8) if rgb is None else rgb
    camera = camera_at(0.0, 0.0, CameraConfig())
    return LabeledView(camera, colors, mask, np.ones(mask.shape, np.float32))


def test_scores_by_hand() -> None:
    """The hood grows by two pixels of which one is taken; one more is lost, and the body gets a hole and another colour."""
    before = car()
    asked = before.copy()
    asked[3:5, 3] = HOOD
    asked[7] = IGNORE_ID
    region = region_of(before, asked, 0)
    got = before.copy()
    got[3, 3], got[3, 1], got[6, 6], got[7, 0] = HOOD, BODY, 0, BODY
    old, new = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 100, np.uint8)
    new[6, 1] = 110
    scores = edit_scores(view_of(before, old), view_of(got, new), asked, region)
    assert scores.edited_taken == 0.5
    assert scores.agreement_inside == pytest.approx(4 / 6)  # of six pixels (4, 3) and (3, 1) differ
    assert scores.agreement_outside == pytest.approx((64 - 8 - 6 - 1) / (64 - 8 - 6))
    assert scores.psnr_outside_db == pytest.approx(10 * math.log10(255**2 / (100 / 58)))
    assert scores.psnr_kept_db == pytest.approx(
        10 * math.log10(255**2 / (100 / (26 - 2)))
    )  # hood and body and roof, less the edit


def test_scores_where_nothing_is_outside() -> None:
    before = np.full((4, 4), HOOD, np.uint8)
    asked = np.full((4, 4), BODY, np.uint8)
    scores = edit_scores(view_of(before), view_of(asked), asked, region_of(before, asked, 0))
    assert scores.edited_taken == scores.agreement_inside == 1
    assert math.isnan(scores.agreement_outside) and math.isnan(scores.psnr_outside_db) and math.isnan(scores.psnr_kept_db)


def test_change_seen_by_hand() -> None:
    """Over the pixels that show the object before or after: 26 and one more."""
    before, after = car(), car()
    after[0, 0] = after[6, 6] = ROOF
    old, new = np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 200, np.uint8)
    new[6, 6], new[7, 7] = (230, 200, 170), 0  # the latter shows no object
    change = change_seen(view_of(before, old), view_of(after, new), 45.0)
    assert change.yaw_deg == 45
    assert change.labels_changed == pytest.approx(2 / 27)
    assert change.color_change == pytest.approx(60 / 3 / 27)
    nothing = change_seen(view_of(np.zeros((8, 8), np.uint8), old), view_of(np.zeros((8, 8), np.uint8), new), 0.0)
    assert (nothing.labels_changed, nothing.color_change) == (0, 0)


@pytest.mark.parametrize("up", ["y", "z"])
def test_the_other_views_are_turned_about_the_object(up: Any) -> None:
    cameras = CameraConfig(radius=2.0, pivot=(0.0, 0.0, 0.0), focal=1.7, world_up=up)
    found = [sphere_angles_deg(camera.cam2world, cameras) for camera in turned_cameras(camera_at(0.5, 0.3, cameras), cameras)]
    for (yaw, pitch), turn in zip(found, TURNS_DEG, strict=True):
        assert pitch == pytest.approx(math.degrees(0.3))
        assert math.cos(math.radians(yaw - turn) - 0.5) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("steps", [2, 3, 10, 80])
def test_stages_use_every_step(steps: int) -> None:
    coarse, full = edit_stages(EditSettings(steps=steps), 128)
    assert coarse.steps + full.steps == steps and min(coarse.steps, full.steps) >= 1
    assert (coarse.side_px, coarse.full, full.side_px, full.full) == (64, False, 128, True)
    assert [stage.side_px for stage in edit_stages(EditSettings(steps=steps), 32)] == [32, 32]


class OnceSuperResolved(MadeUpView):
    """Whose classes at full size are asked for of the picture that was made already."""

    def scores(self, image: Tensor | None = None) -> Tensor:
        assert image is self.full_image  # super-resolved once
        return super().scores(image)


def test_the_loss_by_hand() -> None:
    """Pixels near the edit have weight 0, the rest of r a half; a coarse pixel counts as its least one."""
    mask = torch.zeros(4, 4, dtype=torch.int64)
    mask[:2] = 1
    kept = torch.tensor([[0.0, 0.5, 1, 1], [1, 1, 1, 1], [0.5, 1, 1, 1], [1, 1, 1, 1]])[None, None]
    before = {2: torch.zeros(1, 3, 2, 2), 4: torch.zeros(1, 3, 4, 4)}
    raw, full = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 4, 4)
    raw[..., 0, 0], raw[..., 1, 0], raw[..., 0, 1] = 9.0, 0.2, 0.4
    full[..., 0, 0], full[..., 0, 1], full[..., 3, 3] = 9.0, 0.2, 0.4
    seen: Any = OnceSuperResolved(raw, full, torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 4, 4))
    settings = EditSettings(label_weight=2.0, rgb_weight=3.0, perceptual_weight=5.0)
    goal: Any = "goal"

    def perceptual(image: Tensor, features: object) -> Tensor:
        assert image is full and features is goal
        return torch.tensor([0.25])

    labels = MaskObjective(mask, torch.ones(2))
    objective = EditObjective(settings, labels, kept, before, perceptual, goal)  # type: ignore[arg-type]
    coarse = 2 * math.log(2) + 3 * (0.5 * 0.2**2 + 1 * 0.4**2) / (0 + 1 + 0.5 + 1)
    whole = 2 * math.log(2) + 3 * (0.5 * 0.2**2 + 1 * 0.4**2) / 14 + 5 * 0.25
    for _ in range(2):
        assert objective.loss(seen, full=False).tolist() == pytest.approx([coarse], rel=1e-6)
        assert objective.loss(seen, full=True).tolist() == pytest.approx([whole], rel=1e-6)
    without = EditObjective(settings, labels, kept, before, None, None)
    assert without.loss(seen, full=True).tolist() == pytest.approx([whole - 1.25], rel=1e-6)


def test_no_colour_is_kept_where_all_may_change() -> None:
    kept, before = torch.zeros(1, 1, 4, 4), {4: torch.zeros(1, 3, 4, 4)}
    seen: Any = OnceSuperResolved(
        torch.ones(1, 3, 2, 2), torch.ones(1, 3, 4, 4), torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 4, 4)
    )
    labels = MaskObjective(torch.zeros(4, 4, dtype=torch.int64), torch.ones(2))
    loss = EditObjective(EditSettings(), labels, kept, before, None, None).loss(seen, full=True)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("side", [3, 5, 6, 7])
def test_a_side_that_does_not_divide_the_picture_leaves_no_edited_pixel_out(side: int) -> None:
    for place in range(8):
        kept = torch.ones(1, 1, 8, 8)
        kept[..., place, place] = 0
        at_side = EditObjective(EditSettings(), MaskObjective(torch.zeros(1), torch.ones(1)), kept, {}, None, None)._kept(side)
        assert at_side.shape == (1, 1, side, side)
        assert at_side[..., int((place + 0.5) * side / 8), int((place + 0.5) * side / 8)] == 0
        assert at_side.mean() > 0.4


def grown(mask: Mask, label: int, over: int, by_px: int) -> Mask:
    """The label drawn that much larger over another one."""
    where = torch.from_numpy(mask == label)[None, None].float()
    near = torch.nn.functional.max_pool2d(where, 2 * by_px + 1, stride=1, padding=by_px)[0, 0].numpy() > 0
    return np.where(near & (mask == over), np.uint8(label), mask)


def painted(subject: Subject, camera: Camera, label: int = 3, over: int = 1) -> Mask:
    mask = subject.render(camera).mask
    assert mask is not None
    edited = grown(mask, label, over, 4)
    assert int((edited != mask).sum()) > 50
    return edited


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(samples_coarse=12, samples_fine=12)


def quick_edit(model: Model, **options: Any) -> Edit:
    subject, camera = model.subject(1), front(model)
    settings = EditSettings(**{"steps": 6} | options.pop("settings", {}))
    return edit_subject(subject, camera, painted(subject, camera), settings, **options)


def test_an_edit_takes_painted_pixels_and_leaves_all_else(model: Model) -> None:
    before, subject, camera = weights_of(model), model.subject(1), front(model)
    ws, view, mask = subject.ws.clone(), subject.render(camera), painted(subject, camera)
    copy = mask.copy()
    told: list[Progress] = []
    edit = edit_subject(subject, camera, mask, EditSettings(steps=6), watch=lambda progress: told.append(progress) or True)
    assert [progress.step for progress in told] == list(range(1, 7)) and {progress.steps for progress in told} == {6}
    assert len(edit.losses) == 6 and edit.finished and edit.region.labels == (3,)
    # by its meaning nothing is taken before
    assert view.mask is not None and not (view.mask == mask)[edit.region.edited].any()
    assert edit.scores.edited_taken > 0.3
    assert edit.scores == edit_scores(edit.before, edit.after, mask, edit.region)
    assert torch.equal(subject.ws, ws) and np.array_equal(mask, copy)
    assert not torch.equal(edit.subject.ws, ws) and edit.subject.model is model and not edit.subject.ws.requires_grad
    assert torch.equal(told[-1].ws, edit.subject.ws)
    for one, other in ((edit.before, view), (edit.after, edit.subject.render(camera)), (subject.render(camera), view)):
        assert np.array_equal(one.rgb, other.rgb) and np.array_equal(one.mask, other.mask)  # type: ignore[arg-type]
    check_untouched(model, before)


def test_an_edit_is_the_same_on_every_run_and_starts_where_the_subject_is(model: Model) -> None:
    one, other = quick_edit(model), quick_edit(model, statistics=w_statistics(model, 0))
    assert torch.equal(one.subject.ws, other.subject.ws) and one.losses == other.losses
    still = quick_edit(model, watch=lambda progress: False)
    assert not still.finished and len(still.losses) == 1
    torch.testing.assert_close(still.subject.ws, model.subject(1).ws, rtol=0, atol=1e-5)
    # also where the axes do not reach the subject
    whole = w_statistics(model, 0)
    few = WStatistics(whole.mean, whole.axes[-5:], whole.inverse[:, -5:])
    still = quick_edit(model, watch=lambda progress: False, statistics=few)
    torch.testing.assert_close(still.subject.ws, model.subject(1).ws, rtol=0, atol=1e-5)


def test_weights_of_the_loss_say_what_matters(model: Model) -> None:
    """With heavy colours the picture outside stays nearer than with none."""
    loose = quick_edit(model, settings={"rgb_weight": 0.0, "steps": 12})
    tight = quick_edit(model, settings={"rgb_weight": 300.0, "steps": 12})
    assert tight.scores.psnr_outside_db > loose.scores.psnr_outside_db + 1


@pytest.mark.parametrize("c_dim", [0, 25])
@pytest.mark.parametrize(
    "semantic",
    [
        SemanticConfig(density_prior=False, density_samples=12),
        SemanticConfig(refiner=RefinerConfig(guide="rendered")),
        SemanticConfig(refiner=RefinerConfig(guide="rgb")),
    ],
)
def test_every_kind_of_branch_is_edited(semantic: SemanticConfig, c_dim: int) -> None:
    model = tiny_model(semantic, c_dim, samples_coarse=12, samples_fine=12, neural_resolution=24)
    subject, camera = model.subject(1), front(model)
    mask = subject.render(camera).mask
    assert mask is not None
    part, over = np.argsort(np.bincount(mask.ravel(), minlength=5))[-2:].tolist()
    edited = grown(mask, part, over, 3)
    edit = edit_subject(subject, camera, edited, EditSettings(steps=8))
    assert edit.finished and edit.scores.edited_taken > 0.05


def test_the_perceptual_loss_sees_what_is_outside(model: Model) -> None:
    regions = []

    class MadeUpDistance:
        def features(self, image: Tensor, region: Tensor) -> Tensor:
            regions.append(region)
            return image.mean()

        def __call__(self, image: Tensor, goal: Tensor) -> Tensor:
            return (image.mean(dim=(1, 2, 3)) - goal).square()

    distance: Any = MadeUpDistance()
    edit = quick_edit(model, settings={"perceptual_weight": 1.0}, perceptual=distance)
    assert np.array_equal(regions[0][0, 0].bool().numpy(), ~edit.region.inside)
    quick_edit(model, perceptual=distance)  # which the settings do not weigh
    assert len(regions) == 1


def test_the_demos_hood_is_drawn_longer() -> None:
    """9 steps of 80: 11 % of the repainted pixels are taken, 99.9 % of the labels outside stay."""
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-cars")
    subject, camera = model.subject(1), camera_at(0.6, 0.25, model.config.cameras)
    view = subject.render(camera)
    assert view.mask is not None
    edit = edit_subject(subject, camera, grown(view.mask, HOOD, BODY, 6), EditSettings(steps=9))
    assert edit.region.labels == (HOOD,)
    assert edit.scores.edited_taken > 0.05 and edit.scores.agreement_outside > 0.99
    assert np.array_equal(subject.render(camera).rgb, view.rgb)


REFUSED: list[tuple[dict[str, Any], str]] = [
    *[
        ({name: -0.1}, "edit: expected weights of at least 0, found a negative one; choose another")
        for name in ("label_weight", "rgb_weight", "perceptual_weight", "keep_inside", "prior")
    ],
    ({"label_weight": 0.0}, "edit: expected a weight of the labels above 0, found 0: nothing would change; choose another"),
    ({"edited_weight": 0.5}, "edit: edited_weight: expected at least 1, found 0.5; choose another"),
    ({"margin_px": -1}, "edit: margin_px: expected at least 0, found -1; choose another"),
    ({"steps": 1}, "edit: steps: expected at least 2, found 1; choose another"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_say_nothing_useful_are_refused(model: Model, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        quick_edit(model, settings=settings)


def test_masks_that_cannot_be_followed_are_refused(model: Model) -> None:
    subject, camera = model.subject(1), front(model)
    own = subject.render(camera).mask
    assert own is not None

    def refused(message: str, mask: Mask, subject: Subject = subject, **settings: Any) -> None:
        with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
            edit_subject(subject, camera, mask, EditSettings(**settings))

    refused("edited mask: expected uint8 [128, 128], found uint8 [64, 128]; resize it first", own[::2])
    foreign = own.copy()
    foreign[0, :2] = 5, 200
    refused("edited mask: expected ids 0 to 4 or 255, found 5 at column 0, row 0; paint with the model's labels", foreign)
    refused("edited mask: expected some pixels that differ from the subject's own mask, found none; paint something", own)
    silent = own.copy()
    silent[:64] = IGNORE_ID
    refused("edited mask: expected some pixels that differ from the subject's own mask, found none; paint something", silent)
    message = "edit: expected the perceptual network's weights, found none; name their file, or leave its weight at 0"
    refused(message, painted(subject, camera), perceptual_weight=0.5)
    unlabelled = tiny_model(None).subject(1)
    refused("edit: expected a model with a semantic branch, found none in tiny; train one first", own, unlabelled)
