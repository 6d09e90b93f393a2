"""Training the semantic branch: it learns, repeats, resumes and leaves the generator alone."""

from __future__ import annotations

import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.generator.eg3d import Generator
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.semantic.branch import label_mask
from dnerf_core.semantic.config import BranchTrainingConfig, RefinerConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import TrainedBranch, TrainingProgress, class_weights, log_weights, train_branch, views_of_step
from tests.core.semantic_cases import camera_tensors, octant_mask, tiny_camera, tiny_generator, tiny_views, tiny_ws

SHORT = BranchTrainingConfig(steps=4, checkpoint_every=2, seed=3)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def case() -> tuple[Generator, torch.Tensor, list[AnnotatedView]]:
    generator = tiny_generator()
    ws = tiny_ws(generator, 4)
    return generator, ws, tiny_views(generator, ws[:3], [-0.4, 0.4], SemanticConfig())


def same_weights(one: TrainedBranch, other: TrainedBranch) -> bool:
    a, b = one.branch.state_dict(), other.branch.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_and_leaves_the_generator_alone(case: Any) -> None:
    """On an unseen subject the score rises from under 0.2 to well above it; not a bit of the generator changes."""
    generator, ws, views = case
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    camera = tiny_camera(0.1)
    truth = octant_mask(generator, ws[3:], camera, SemanticConfig())
    scores = []
    for steps in (1, 60):
        trained = train_branch(generator, ws, views, SemanticConfig(), BranchTrainingConfig(steps=steps))
        with torch.no_grad():
            logits = trained.branch.render(generator, generator.planes(ws[3:]), *camera_tensors(camera))
        predicted = label_mask(logits)[0].numpy()
        scores.append(segmentation_scores(confusion_matrix(truth, predicted, 5)).miou)
    assert scores[0] < 0.3 and scores[1] > 0.6, scores
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert not any(parameter.requires_grad for parameter in trained.branch.parameters())


def test_resumed_equals_uninterrupted_to_the_bit(case: Any) -> None:
    """Through a saved state, loaded without executing anything."""
    generator, ws, views = case
    states: list[dict[str, Any]] = []
    seen: list[TrainingProgress] = []
    whole = train_branch(generator, ws, views, SemanticConfig(), SHORT, checkpoint=states.append, progress=seen.append)
    assert [state["step"] for state in states] == [2, 4]
    assert [(p.step, p.steps) for p in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [p.loss for p in seen] == whole.losses
    file = io.BytesIO()
    torch.save(states[0], file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    rest: list[TrainingProgress] = []
    resumed = train_branch(generator, ws, views, SemanticConfig(), SHORT, resume=state, progress=rest.append)
    assert [p.step for p in rest] == [3, 4]
    assert same_weights(whole, resumed) and whole.losses == resumed.losses
    finished = train_branch(generator, ws, views, SemanticConfig(), SHORT, resume=states[-1])
    assert same_weights(whole, finished)


def test_a_seed_decides_everything(case: Any) -> None:
    generator, ws, views = case
    global_state = torch.get_rng_state()
    one, same, other = (
        train_branch(generator, ws, views, SemanticConfig(), dataclasses.replace(SHORT, seed=seed, steps=2)) for seed in (3, 3, 4)
    )
    assert same_weights(one, same)
    assert not same_weights(one, other)
    assert torch.equal(torch.get_rng_state(), global_state)


@pytest.mark.parametrize(
    "config",
    [
        SemanticConfig(density_prior=False, density_samples=8),
        SemanticConfig(feature_kind="planes", scales=(32,)),
        SemanticConfig(refiner=RefinerConfig(guide="rgb")),
        SemanticConfig(refiner=RefinerConfig(guide="rendered")),
        SemanticConfig(refiner=RefinerConfig(kind="bilinear")),
    ],
)
def test_every_variant_trains(case: Any, config: SemanticConfig) -> None:
    """All of its parameters move, and the loss is finite."""
    generator, ws, views = case
    states: list[dict[str, Any]] = []
    settings = BranchTrainingConfig(steps=3, checkpoint_every=1)
    trained = train_branch(generator, ws, views, config, settings, checkpoint=states.append)
    assert np.isfinite(trained.losses).all()
    still = [
        name
        for name, parameter in trained.branch.named_parameters()
        if torch.equal(parameter, states[0]["branch"][name]) and parameter.numel() > 0
    ]
    assert not still


def test_resume_of_another_training_is_refused(case: Any) -> None:
    generator, ws, views = case
    states: list[dict[str, Any]] = []
    train_branch(generator, ws, views, SemanticConfig(), SHORT, checkpoint=states.append)
    painted = dataclasses.replace(views[0], mask=np.ones_like(views[0].mask))
    with pytest.raises(UsageError, match=r"training state: expected one of this training .*resume with the same model"):
        train_branch(generator, ws, [painted, *views[1:]], SemanticConfig(), SHORT, resume=states[0])
    with pytest.raises(UsageError, match="training state"):
        train_branch(generator, ws, views, SemanticConfig(), dataclasses.replace(SHORT, steps=5), resume=states[0])


def test_bad_views_are_named(case: Any) -> None:
    generator, ws, views = case
    good = views[0]
    strange = good.mask.copy()
    strange[3, 4] = 5
    bad = {
        r"view 1: mask: expected uint8 \[128, 128\], found uint8 \[64, 64\]; paint it": {"mask": good.mask[:64, :64]},
        r"view 1: mask: expected uint8 \[128, 128\], found int64": {"mask": good.mask.astype(np.int64)},
        r"view 1: mask: expected ids 0 to 4 or 255, found 5 at column 4, row 3; use the label set": {"mask": strange},
        r"view 1: mask: expected some labelled pixels, found only 255": {"mask": np.full_like(good.mask, 255)},
        r"view 1: subject: expected 0 to 3, found 4; pass its latent too": {"subject": 4},
    }
    for message, change in bad.items():
        with pytest.raises(AnnotationError, match=message):
            train_branch(generator, ws, [good, dataclasses.replace(good, **change)], SemanticConfig(), SHORT)
    with pytest.raises(AnnotationError, match="annotated views: expected at least one, found none"):
        train_branch(generator, ws, [], SemanticConfig(), SHORT)


def test_ignored_pixels_do_not_matter(case: Any) -> None:
    """The first loss is the same whatever an ignored pixel's neighbours would have said, and differs when it is labelled."""
    generator, ws, views = case
    one_view = [dataclasses.replace(views[0], mask=views[0].mask.copy())]
    settings = BranchTrainingConfig(steps=1, class_balance="none", views_per_step=1)
    full = train_branch(generator, ws, one_view, SemanticConfig(), settings).losses[0]
    half = views[0].mask.copy()
    half[64:] = 255
    other = views[0].mask.copy()
    other[:64] = 255
    parts = [
        train_branch(generator, ws, [dataclasses.replace(views[0], mask=mask)], SemanticConfig(), settings).losses[0]
        for mask in (half, other)
    ]
    assert full == pytest.approx(sum(parts) / 2, rel=1e-5)
    assert parts[0] != pytest.approx(parts[1], rel=1e-3)


def test_class_weights_by_hand() -> None:
    """Shares 0.64, 0.16, 0.16, 0.04 and an absent class; 255 is not counted."""
    masks = torch.tensor([0] * 64 + [1] * 16 + [2] * 16 + [3] * 4 + [255] * 50, dtype=torch.uint8)[None, None]
    assert class_weights(masks, 5, "none").tolist() == [1, 1, 1, 1, 0]
    torch.testing.assert_close(class_weights(masks, 5, "sqrt"), torch.tensor([1.0, 2, 2, 4, 0]))
    torch.testing.assert_close(class_weights(masks, 5, "full"), torch.tensor([1.0, 4, 4, 10, 0]))


@pytest.mark.parametrize("kind", ["light", "bilinear"])
def test_what_is_learned_does_not_favour_rare_parts(case: Any, kind: str) -> None:
    """Two fifths of the object's pixels, drawn at random, show a part, the others none: the likelier label is none. By the weights alone
    the part would have all of them."""
    generator, ws, views = case
    rng = np.random.default_rng(0)
    drawn = [np.where((view.mask > 0) & (rng.random(view.mask.shape) < 0.4), 1, 0).astype(np.uint8) for view in views]
    views = [dataclasses.replace(view, mask=mask) for view, mask in zip(views, drawn, strict=True)]
    semantic = SemanticConfig(refiner=RefinerConfig(kind=kind))  # type: ignore[arg-type]
    weights = class_weights(torch.from_numpy(np.stack(drawn)), semantic.num_classes, "full")
    assert weights[1] / weights[0] > 1.55  # of two to three more than as likely
    trained = train_branch(generator, ws, views, semantic, BranchTrainingConfig(steps=40, class_balance="full"))
    with torch.no_grad():
        planes = generator.planes(ws[:1])
        scores = trained.branch.render(generator, planes, *camera_tensors(tiny_camera(0.1)))
        shifted = scores + log_weights(weights)[:, None, None]  # as they were learned
    seen = octant_mask(generator, ws[:1], tiny_camera(0.1), semantic) > 0
    assert (label_mask(scores)[0].numpy()[seen] == 1).mean() < 0.1
    assert (label_mask(shifted)[0].numpy()[seen] == 1).mean() > 0.6


def test_a_class_that_nobody_painted_gains_nothing() -> None:
    assert log_weights(torch.tensor([1.0, 4.0, 0.0])).tolist() == pytest.approx([0, math.log(4), math.log(4)])


def test_every_epoch_sees_every_view_once() -> None:
    order = [view for step in range(14) for view in views_of_step(step, 7, 3, seed=1)]
    epochs = [order[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert len(views_of_step(0, 2, 4, seed=1)) == 2
