"""Model = generator + semantic branch + label set; it makes a Subject of a latent (`dnerf_core.subject`)."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.backbone.registry import family_of
from dnerf_core.checkpoints.config_ranges import check_branch_ranges
from dnerf_core.checkpoints.model_file import ModelHeader, StoredFloat, load_model_file, save_model
from dnerf_core.checkpoints.safetensors_layout import DAMAGED
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.kernels.choice import KernelChoice, check_family_kernels, check_kernels
from dnerf_core.labels import LabelSet
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.subject import Subject
from dnerf_core.work.transfers import uploaded


class Model(LoadedModel):
    """A frozen generator, its semantic branch if there is one, and what the classes mean, on one device."""

    @staticmethod
    def load(
        name_or_path: str | Path, device: str | torch.device = "cpu", *, exact: bool = False, kernels: KernelChoice = "torch"
    ) -> Model:
        """Load a model file, or an embedded model by name ("demo-cars").

        Args:
            exact: views are the literal method's to 1e-4, and slow; see `Subject.channels`.
            kernels: "triton" reads and composites the samples of views that are not exact by fused kernels; see docs/gpu.md.
        Raises:
            CheckpointError: no such file, or it cannot be used.
            UsageError: the kernels cannot run here.
        """
        place = torch.device(device)
        check_kernels(kernels, place)
        loaded = load_model_file(model_path(name_or_path))
        family = family_of(loaded.header.generator_config)
        check_family_kernels(kernels, family)
        with torch.device("meta"):  # no first weights are drawn, so loading is quick and leaves global random state alone
            generator = family.build(loaded.header.generator_config)
        generator.load_published(loaded.generator_state)
        generator.to(place).eval().requires_grad_(False)
        branch = None
        if loaded.semantic_state is not None:
            branch = _load_branch(loaded.header, loaded.semantic_state).to(place).eval().requires_grad_(False)
        return Model(generator, branch, loaded.header, loaded.sha256, place, exact=exact, kernels=kernels)

    def __repr__(self) -> str:
        labels = "no labels" if self.labels is None else f"labels {self.labels.names_text()}"
        return f"Model({self.config.name}, {self.config.image_size} x {self.config.image_size} px, {labels}, on {self.device})"

    def with_branch(self, branch: SemanticBranch, labels: LabelSet) -> Model:
        """The model with a semantic branch, such as `train_branch` gives, in the place of its own; the generator is shared, not copied.

        Args:
            branch: of this generator; the model has a copy of it on its own device, so that training it on changes nothing here.
            labels: what its classes mean.

        Raises:
            UsageError: a branch of another kind of generator, or not one label a class.

        Example:
            >>> model.with_branch(trained.branch, LabelSet.from_names(["left", "right"])).save("labelled.safetensors")
        """
        if branch.generator_config != self.config:
            raise UsageError(
                f"branch: expected one of {self.config.name}, found one of {branch.generator_config.name}; train it on this model"
            )
        if branch.config.num_classes != labels.num_classes:
            raise UsageError(
                f"labels: expected {branch.config.num_classes} with background, one a class of the branch, found {labels.num_classes}; "
                "pass the set that it was trained with"
            )
        own = copy.deepcopy(branch).to(self.device).eval().requires_grad_(False)
        # what is told of the training of an earlier branch is not true of this one
        training = {name: record for name, record in (self.header.training or {}).items() if name != "semantic"} or None
        header = dataclasses.replace(self.header, semantic_config=config_to_json(branch.config), labels=labels, training=training)
        return Model(self.generator, own, header, self.sha256, self.device, **self._ways)

    def save(self, path: str | Path, stored: StoredFloat | None = None) -> None:
        """Write a model file, whole or not at all, that `Model.load` takes; a file of that name is replaced.

        What the model's own file tells of where its weights come from, and of their training, is kept.

        Args:
            path: the .safetensors to write.
            stored: type of every value on disk; None: float16 where that loses nothing, as of a file stored so, else float32.

        Raises:
            CheckpointError: a value that is not finite as `stored`.
            OutputError: the file cannot be written.
        """
        states = [self.generator.state_dict(), {} if self.branch is None else self.branch.state_dict()]
        kept = family_of(self.config).exact_tensors
        states_to_store = [{name: x for name, x in states[0].items() if not name.startswith(kept)}, states[1]]
        exact = all(torch.equal(x.half().to(x.dtype), x) for state in states_to_store for x in state.values())
        save_model(
            path,
            self.config,
            states[0],
            semantic_config=None if self.branch is None else self.header.semantic_config,
            semantic_state=None if self.branch is None else states[1],
            labels=None if self.branch is None else self.labels,
            source=self.header.source,
            training=self.header.training,
            stored=stored or ("float16" if exact else "float32"),
        )

    def subject(self, seed: int, truncation: float = 1.0, pose: Tensor | None = None, shape: Tensor | None = None) -> Subject:
        """The subject of a seed.

        Args:
            truncation: psi, 1 keeps the latent, 0 gives the mean subject.
            pose: [1, *pose_shape] on the model's device, see `LatentSpec`; None: the family's usual pose, or it has none.
            shape: [1, shape_size], coefficients of a body's shape; None: those of the latents, or it has none.
        """
        with torch.no_grad():
            z = uploaded(self.latent(seed)[None], self.device)
            return Subject(self, self.ws(z, truncation), pose, shape)

    def between(self, first_seed: int, second_seed: int, share: float, truncation: float = 1.0) -> Subject:
        """A subject on the straight line in w from that of one seed (share 0) to that of another (share 1)."""
        with torch.no_grad():
            first, second = self.subject(first_seed, truncation).ws, self.subject(second_seed, truncation).ws
            return Subject(self, torch.lerp(first, second, share))


def _load_branch(header: ModelHeader, state: dict[str, Tensor]) -> SemanticBranch:
    config = config_from_json(SemanticConfig, header.semantic_config, f"{header.path}: semantic")
    check_branch_ranges(config, header.generator_config, f"{header.path}: semantic", DAMAGED)
    branch = SemanticBranch(config, header.generator_config)
    own = branch.state_dict()
    for name in sorted(own.keys() | state.keys()):
        expected = tuple(own[name].shape) if name in own else None
        actual = tuple(state[name].shape) if name in state else None
        if expected != actual:
            raise CheckpointError(
                f"{header.path}: semantic.{name}: expected shape {expected}, found {actual}; the file is damaged, train the branch again"
            )
    if header.labels is None or header.labels.num_classes != config.num_classes:
        labels = "none" if header.labels is None else str(header.labels.num_classes)
        raise CheckpointError(
            f"{header.path}: label set: expected {config.num_classes} labels with background, found {labels}; train the branch again"
        )
    branch.load_state_dict(state)
    return branch
