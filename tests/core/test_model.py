"""Model, Subject and LabeledView on a tiny model file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core import model as model_module
from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch, label_mask
from dnerf_core.semantic.config import SemanticConfig
from tests.core.semantic_cases import camera_tensors, tiny_camera, tiny_generator

LABELS = LabelSet.from_names(["a", "b", "c", "d"])
CONFIG = SemanticConfig(num_classes=5)


@pytest.fixture(scope="module")
def branch() -> SemanticBranch:
    generator = tiny_generator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        branch = SemanticBranch(CONFIG, generator.config)
        with torch.no_grad():
            branch.out_weight.mul_(20)  # so that several classes show
    return branch.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory, branch: SemanticBranch) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    generator = tiny_generator()
    save_model(
        path,
        generator.config,
        generator.state_dict(),
        semantic_config=config_to_json(CONFIG),
        semantic_state=branch.state_dict(),
        labels=LABELS,
    )
    return path


def test_a_view_has_everything(model_file: Path) -> None:
    model = Model.load(model_file)
    view = model.subject(3).render(tiny_camera(0.4))
    assert view.rgb.shape == (128, 128, 3) and view.rgb.dtype == np.uint8
    assert view.mask is not None and view.mask.shape == (128, 128) and view.mask.dtype == np.uint8
    assert len(np.unique(view.mask)) > 1 and view.mask.max() < LABELS.num_classes
    assert view.depth_planar.shape == (128, 128) and view.depth_planar.dtype == np.float32
    seen = np.isfinite(view.depth_planar)
    # the box of side 1.6 lies around the origin, the camera 2.6 away
    assert 0.05 < seen.mean() < 1 and view.depth_planar[seen].min() > 2.6 - 1.4 and view.depth_planar[seen].max() < 2.6 + 1.4
    assert np.isinf(view.depth_planar[~seen]).all()


def test_masks_equal_the_branchs_own_rendering(model_file: Path, branch: SemanticBranch) -> None:
    model, camera = Model.load(model_file), tiny_camera(-0.3)
    subject = model.subject(1)
    scores = branch.render(model.generator, subject.planes, *camera_tensors(camera))
    assert np.array_equal(subject.render(camera).mask, label_mask(scores)[0].numpy())


def test_same_seed_same_bytes_whatever_came_before(model_file: Path) -> None:
    model, camera = Model.load(model_file), tiny_camera()
    first = model.subject(7).render(camera)
    other = model.subject(8)
    other.render(camera)
    again = Model.load(model_file).subject(7)
    again.render(tiny_camera(1.0))
    second = again.render(camera)
    for name in ("rgb", "mask", "depth_planar"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.rgb, other.render(camera).rgb)


def test_loading_and_rendering_leave_global_random_state_alone(model_file: Path) -> None:
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    Model.load(model_file).subject(1).render(tiny_camera())
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_truncation_zero_is_the_mean_subject(model_file: Path) -> None:
    model, camera = Model.load(model_file), tiny_camera()
    assert np.array_equal(
        model.subject(1, truncation=0.0).render(camera).rgb, model.subject(2, truncation=0.0).render(camera).rgb
    )


def test_resolution_changes_the_size_and_not_the_content(model_file: Path) -> None:
    subject, camera = Model.load(model_file).subject(5), tiny_camera()
    native, small, large = (subject.render(camera, size) for size in (None, 64, 200))
    assert small.rgb.shape == (64, 64, 3) and large.rgb.shape == (200, 200, 3)
    assert small.mask is not None and native.mask is not None and small.mask.shape == (64, 64)
    assert np.mean(small.mask == native.mask[::2, ::2]) > 0.9
    reduced = native.depth_planar[::2, ::2]
    common = np.isfinite(small.depth_planar) & np.isfinite(reduced)
    assert np.abs(small.depth_planar[common] - reduced[common]).mean() < 0.05


def test_a_camera_that_looks_away_sees_background(model_file: Path) -> None:
    ahead = sphere_camera(0.0, 0.0, radius=2.6, focal=1.4)
    turned = ahead.cam2world.copy()
    turned[:3, 0], turned[:3, 2] = -turned[:3, 0], -turned[:3, 2]
    view = Model.load(model_file).subject(0).render(Camera(turned, ahead.intrinsics))
    assert np.isinf(view.depth_planar).all() and view.mask is not None and (view.mask == 0).all()


def test_plain_generator_has_no_masks(tmp_path: Path) -> None:
    generator = tiny_generator()
    path = tmp_path / "plain.safetensors"
    save_model(path, generator.config, generator.state_dict())
    model = Model.load(path)
    assert not model.has_semantics and model.labels is None
    assert model.subject(0).render(tiny_camera()).mask is None


def test_seeds_are_numbered_as_in_published_scripts(model_file: Path) -> None:
    model = Model.load(model_file)
    np.testing.assert_array_equal(model.latent(5), np.random.RandomState(5).randn(1, 16)[0].astype(np.float32))
    for seed in (-1, 2**32):
        with pytest.raises(UsageError, match="seed"):
            model.subject(seed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": 10**12}, "hidden_dim: expected 1 to 1024, found 1000000000000; the file is damaged"),
        ({"feature_dim": 0}, "feature_dim: expected 1 to 1024, found 0"),
        ({"num_classes": 10**9}, "num_classes: expected 1 to 255, found 1000000000"),
        ({"density_samples": 10**9}, "density_samples: expected 2 to 4096, found 1000000000"),
        ({"refiner": {"kind": "light", "widths": [32, 10**9], "guide": "none"}}, "refiner.widths[1]: expected 1 to 1024, found"),
        ({"weight_epsilon": -1.0}, "weight_epsilon: expected 0 to less than 1, found -1.0"),
        ({"scales": [4, 5]}, "scales: expected some of [4, 8, 16, 32] or null, found [4, 5]"),
        ({"scales": []}, "scales: expected some of [4, 8, 16, 32] or null, found []"),
        ({"scales": list(range(10**5))}, "scales: expected some of [4, 8, 16, 32] or null, found [0, 1, 2,"),
        ({"hidden_dim": "x" * 10**6}, "hidden_dim: expected int, found 'xxxx"),
        ({"x" * 10**6: 1}, "expected the names ['density_prior', "),
    ],
)
def test_a_branch_that_cannot_be_built_is_refused_before_it_is_allocated(
    changes: dict[str, object], message: str, tmp_path: Path, branch: SemanticBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_branch(*args: object) -> None:
        raise AssertionError("the branch was made")

    monkeypatch.setattr(model_module, "SemanticBranch", no_branch)
    generator, path = tiny_generator(), tmp_path / "huge.safetensors"
    config = config_to_json(CONFIG) | changes
    state = branch.state_dict()
    save_model(path, generator.config, generator.state_dict(), semantic_config=config, semantic_state=state, labels=LABELS)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        Model.load(path)
    assert str(caught.value).startswith(f"{path}: semantic")
    assert len(str(caught.value)) < 600


def damaged(branch: SemanticBranch, what: str) -> dict[str, object]:
    state = dict(branch.state_dict())
    labels = LABELS
    if what == "shape":
        state["out_bias"] = torch.zeros(3)
    elif what == "missing":
        del state["hidden_bias"]
    elif what == "surplus":
        state["extra"] = torch.zeros(1)
    else:
        labels = LabelSet.from_names(["a", "b"])
    return {"semantic_state": state, "labels": labels}


@pytest.mark.parametrize(
    ("what", "word"),
    [("shape", "out_bias"), ("missing", "hidden_bias"), ("surplus", "extra"), ("labels", "label set: expected 5")],
)
def test_damaged_branches_are_named(tmp_path: Path, branch: SemanticBranch, what: str, word: str) -> None:
    generator = tiny_generator()
    path = tmp_path / "damaged.safetensors"
    save_model(
        path,
        generator.config,
        generator.state_dict(),
        semantic_config=config_to_json(CONFIG),
        **damaged(branch, what),  # type: ignore[arg-type]
    )
    with pytest.raises(CheckpointError, match=word) as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)
