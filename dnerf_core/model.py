"""Model = generator + semantic branch + label set; it makes a Subject of a latent (`dnerf_core.subject`)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.checkpoints.config_ranges import check_branch_ranges
from dnerf_core.checkpoints.generator_hash import loaded_generator_sha256
from dnerf_core.checkpoints.model_file import ModelHeader, StoredFloat, load_model_file, save_model
from dnerf_core.checkpoints.safetensors_layout import DAMAGED
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import GeneratorConfig, config_from_json, config_to_json
from dnerf_core.generator.eg3d import Generator
from dnerf_core.kernels.choice import KernelChoice, check_kernels, sample_reader
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import MadeOnce, Making
from dnerf_core.precision import convolution_dtype, reproducible_convolutions
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.refiner import PreparedRefiner
from dnerf_core.subject import Subject


class Model(Making):
    """A frozen generator, its semantic branch if there is one, and what the classes mean, on one device."""

    def __init__(
        self,
        generator: Generator,
        branch: SemanticBranch | None,
        header: ModelHeader,
        sha256: str,
        device: torch.device,
        *,
        exact: bool = False,
        kernels: KernelChoice = "torch",
    ) -> None:
        super().__init__()
        self.generator, self.branch = generator, branch
        self.header, self.sha256, self.device = header, sha256, device
        self.exact, self.kernels, self.convolution_dtype = exact, kernels, convolution_dtype(device)
        self.sample_reader = sample_reader(kernels)

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
        with torch.device("meta"):  # no first weights are drawn, so loading is quick and leaves global random state alone
            generator = Generator(loaded.header.generator_config)
        generator.load_published(loaded.generator_state)
        generator.to(place).eval().requires_grad_(False)
        branch = None
        if loaded.semantic_state is not None:
            branch = _load_branch(loaded.header, loaded.semantic_state).to(place).eval().requires_grad_(False)
        return Model(generator, branch, loaded.header, loaded.sha256, place, exact=exact, kernels=kernels)

    @property
    def config(self) -> GeneratorConfig:
        """The generator's configuration."""
        return self.header.generator_config

    @property
    def labels(self) -> LabelSet | None:
        """What the classes mean; None without a semantic branch."""
        return self.header.labels

    @property
    def has_semantics(self) -> bool:
        """Whether views come with masks."""
        return self.branch is not None

    @contextmanager
    def inference(self) -> Iterator[None]:
        """What views are computed in: no gradients, and the same numbers on every run."""
        with torch.no_grad(), reproducible_convolutions(self.device):
            yield

    def with_generator_tensors(self, tensors: Mapping[str, Tensor]) -> Model:
        """The model with some of its generator's tensors replaced; the others and the branch are this model's own, not copies.

        Args:
            tensors: by the names of the generator's state, float32 on any device.

        Raises:
            CheckpointError: a name that the generator does not have, or another shape.
        """
        placed = {name: tensor.detach().to(self.device) for name, tensor in tensors.items()}
        with torch.device("meta"):
            generator = Generator(self.generator.config)
        generator.load_published(self.generator.state_dict() | placed)
        generator.eval().requires_grad_(False)
        return Model(generator, self.branch, self.header, self.sha256, self.device, exact=self.exact, kernels=self.kernels)

    def __repr__(self) -> str:
        labels = "no labels" if self.labels is None else f"labels {self.labels.told_names()}"
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
        return Model(self.generator, own, header, self.sha256, self.device, exact=self.exact, kernels=self.kernels)

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
        exact = all(torch.equal(tensor.half().to(tensor.dtype), tensor) for state in states for tensor in state.values())
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

    @MadeOnce
    def generator_sha256(self) -> str:
        """See `generator_hash`: the same for every model with this generator, whatever its branch."""
        return loaded_generator_sha256(self.generator)

    @MadeOnce
    def prepared_refiner(self) -> PreparedRefiner:
        """The semantic super-resolution, prepared for inference."""
        assert self.branch is not None
        with torch.no_grad():
            return PreparedRefiner(self.branch.refiner, self.convolution_dtype)

    def latent(self, seed: int) -> NDArray[np.float32]:
        """z [z_dim] of a seed: numpy's RandomState(seed).randn, as the field's published sampling scripts number their subjects.

        Raises:
            UsageError: the seed is not in 0 .. 2^32 - 1.
        """
        if not 0 <= seed < 2**32:
            raise UsageError(f"seed {seed}: expected a whole number from 0 to 4294967295; choose another")
        return np.random.RandomState(seed).randn(self.config.mapping.z_dim).astype(np.float32)

    def front_camera(self) -> Camera:
        """The camera the generator is conditioned on when it makes a subject: in front, at the horizon."""
        cameras = self.config.cameras
        return sphere_camera(0.0, 0.0, radius=cameras.radius, pivot=cameras.pivot, focal=cameras.focal, world_up=cameras.world_up)

    def ws(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim], conditioned on the front camera; differentiable in z."""
        conditioning = torch.from_numpy(self.front_camera().conditioning()).to(z)
        return self.generator.mapping(z, conditioning.expand(z.shape[0], -1), truncation, cutoff)

    def subject(self, seed: int, truncation: float = 1.0) -> Subject:
        """The subject of a seed.

        Args:
            truncation: psi, 1 keeps the latent, 0 gives the mean subject.
        """
        with torch.no_grad():
            z = torch.from_numpy(self.latent(seed))[None].to(self.device)
            return Subject(self, self.ws(z, truncation))

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
        found = tuple(state[name].shape) if name in state else None
        if expected != found:
            raise CheckpointError(
                f"{header.path}: semantic.{name}: expected shape {expected}, found {found}; the file is damaged, train the branch again"
            )
    if header.labels is None or header.labels.num_classes != config.num_classes:
        labels = "none" if header.labels is None else str(header.labels.num_classes)
        raise CheckpointError(
            f"{header.path}: label set: expected {config.num_classes} labels with background, found {labels}; train the branch again"
        )
    branch.load_state_dict(state)
    return branch
