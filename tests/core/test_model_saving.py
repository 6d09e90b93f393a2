"""A model with another branch, and models saved: what is kept, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.errors import CheckpointError, OutputError, UsageError
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core.semantic_cases import TINY, tiny_camera, tiny_generator

LABELS = LabelSet.from_names(["a", "b", "c", "d"])
SOURCE = {"file": "a release", "licence": "theirs"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file without a branch, that tells where it comes from, of values that float16 does not hold."""
    path = tmp_path_factory.mktemp("models") / "bare.safetensors"
    training = {"generator": {"seed": 3}, "semantic": {"steps": 1}}
    save_model(path, TINY, tiny_generator().state_dict(), source=SOURCE, training=training)
    return path


@pytest.fixture(scope="module")
def branch() -> SemanticBranch:
    return SemanticBranch(SemanticConfig(num_classes=5), TINY, seed=1)


def test_a_branch_gives_masks_and_the_rest_stays(bare: Path, branch: SemanticBranch) -> None:
    model = Model.load(bare, exact=True)
    labelled = model.with_branch(branch, LABELS)
    assert (model.has_semantics, labelled.has_semantics, labelled.labels) == (False, True, LABELS)
    assert labelled.generator is model.generator
    assert (labelled.exact, labelled.kernels, labelled.device) == (True, "torch", model.device)
    before, after = (one.subject(1).render(tiny_camera(0.3), exact=False) for one in (model, labelled))
    assert before.mask is None and after.mask is not None
    assert np.array_equal(before.rgb, after.rgb) and np.array_equal(before.depth_planar, after.depth_planar)


def test_the_branch_is_a_copy_ready_to_be_read(bare: Path) -> None:
    own = SemanticBranch(SemanticConfig(num_classes=5), TINY, seed=1)
    labelled = Model.load(bare).with_branch(own, LABELS)
    mask = labelled.subject(1).render(tiny_camera()).mask
    with torch.no_grad():
        own.out_bias.add_(100)
    assert labelled.branch is not None and not labelled.branch.training
    assert not any(parameter.requires_grad for parameter in labelled.branch.parameters())
    assert own.training and own.out_bias.requires_grad
    assert np.array_equal(labelled.subject(1).render(tiny_camera()).mask, mask)


def test_a_branch_that_does_not_belong_is_refused(bare: Path, branch: SemanticBranch) -> None:
    model = Model.load(bare)
    with pytest.raises(UsageError, match=r"^labels: expected 5 with background, one a class of the branch, found 3; pass"):
        model.with_branch(branch, LabelSet.from_names(["a", "b"]))
    with pytest.raises(UsageError, match=r"^branch: expected one of demo-cars, found one of tiny; train it on this model$"):
        Model.load("demo-cars").with_branch(branch, LABELS)


def test_a_saved_model_is_the_same(bare: Path, branch: SemanticBranch, tmp_path: Path) -> None:
    labelled = Model.load(bare).with_branch(branch, LABELS)
    labelled.save(tmp_path / "a.safetensors")
    header = read_header(tmp_path / "a.safetensors")
    assert (header.source, header.labels) == (SOURCE, LABELS)
    assert header.semantic_config == json.loads(json.dumps(config_to_json(branch.config)))
    assert header.training == {"generator": {"seed": 3}}  # what an earlier branch was trained on says nothing of this one
    assert {info.dtype.itemsize for info in header.tensors.values()} == {4}
    one, other = (model.subject(2).render(tiny_camera(0.4)) for model in (labelled, Model.load(tmp_path / "a.safetensors")))
    for name in ("rgb", "mask", "depth_planar"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    labelled.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_model_without_a_branch_is_saved_without_one(bare: Path, tmp_path: Path) -> None:
    Model.load(bare).save(str(tmp_path / "a.safetensors"))
    header = read_header(tmp_path / "a.safetensors")
    assert not header.has_semantics and header.labels is None
    assert header.training == {"generator": {"seed": 3}, "semantic": {"steps": 1}}


def test_half_precision_is_kept_where_it_loses_nothing(tmp_path: Path) -> None:
    demo = Model.load("demo-cars")
    demo.save(tmp_path / "a.safetensors")
    found = read_header(tmp_path / "a.safetensors")
    assert found.tensors == demo.header.tensors
    assert {info.dtype.itemsize for info in found.tensors.values()} == {2}
    sizes = [
        header.path.stat().st_size - header.data_start for header in (found, demo.header)
    ]  # without the sum, which the demo lacks
    assert sizes[0] == sizes[1]
    demo.save(tmp_path / "b.safetensors", stored="float32")
    assert {info.dtype.itemsize for info in read_header(tmp_path / "b.safetensors").tensors.values()} == {4}


def test_what_cannot_be_saved_leaves_nothing(bare: Path, branch: SemanticBranch, tmp_path: Path) -> None:
    model = Model.load(bare)
    with pytest.raises(OutputError, match="expected to write this file"):
        model.save(tmp_path / "nowhere" / "a.safetensors")
    broken = SemanticBranch(branch.config, TINY, seed=1)
    with torch.no_grad():
        broken.out_bias[0] = torch.nan
    with pytest.raises(
        CheckpointError, match=r"semantic\.out_bias: expected finite values as float32, found others; not written"
    ):
        model.with_branch(broken, LABELS).save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []
