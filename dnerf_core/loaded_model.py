"""A generator and its semantic branch on a device, and what views of any subject share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.registry import family_of
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.checkpoints.generator_hash import loaded_generator_sha256
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.convolutions.choice import chosen_form
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.errors import UsageError
from dnerf_core.kernels.choice import KernelChoice, sample_reader
from dnerf_core.labels import LabelSet
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.refiner import PreparedRefiner
from dnerf_core.work.made_once import MadeOnce, Making
from dnerf_core.work.precision import reproducible_convolutions
from dnerf_core.work.transfers import uploaded

if TYPE_CHECKING:
    from typing import Self

    from dnerf_core.backbone.protocols import Backbone


def seed_latent(seed: int, length: int) -> NDArray[np.float32]:
    """The latent [length] of a seed: numpy's RandomState(seed).randn, as the field's published sampling scripts number their subjects."""
    return np.random.RandomState(seed).randn(length).astype(np.float32)


class LoadedModel(Making):
    """A frozen generator, its semantic branch if there is one, and what the classes mean, on one device."""

    def __init__(
        self,
        generator: Backbone[Any],
        branch: SemanticBranch | None,
        header: ModelHeader,
        sha256: str,
        device: torch.device,
        *,
        exact: bool = False,
        kernels: KernelChoice = "torch",
        convolutions: ConvolutionForm | None = None,
    ) -> None:
        """convolutions: the form that the super-resolutions of views which are not exact run in; None: `chosen_form`'s."""
        super().__init__()
        self.generator, self.branch = generator, branch
        self.header, self.sha256, self.device = header, sha256, device
        self.exact, self.kernels = exact, kernels
        self.convolutions = convolutions or chosen_form(device)
        self.sample_reader = sample_reader(kernels)

    @property
    def config(self) -> BackboneConfig:
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

    def with_generator_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """The model with some of its generator's tensors replaced; the others and the branch are this model's own, not copies.

        Args:
            tensors: by the names of the generator's state, float32 on any device.

        Raises:
            CheckpointError: a name that the generator does not have, or another shape.
        """
        placed = {name: tensor.detach().to(self.device) for name, tensor in tensors.items()}
        with torch.device("meta"):
            generator = family_of(self.generator.config).build(self.generator.config)
        generator.load_published({**self.generator.state_dict(), **placed})
        generator.eval().requires_grad_(False)
        return type(self)(generator, self.branch, self.header, self.sha256, self.device, **self._ways)

    def with_convolutions(self, form: ConvolutionForm) -> Self:
        """The model whose super-resolutions run in another form; generator and branch are this model's own, not copies."""
        if form == self.convolutions:
            return self
        ways = self._ways | {"convolutions": form}
        return type(self)(self.generator, self.branch, self.header, self.sha256, self.device, **ways)

    @property
    def _ways(self) -> dict[str, Any]:
        """How views are computed, as models made of this one have it, too."""
        return {"exact": self.exact, "kernels": self.kernels, "convolutions": self.convolutions}

    @MadeOnce
    def generator_sha256(self) -> str:
        """See `generator_hash`: the same for every model with this generator, whatever its branch."""
        return loaded_generator_sha256(self.generator)

    @MadeOnce
    def prepared_refiner(self) -> PreparedRefiner:
        """The semantic super-resolution, prepared for inference."""
        assert self.branch is not None
        with torch.no_grad():
            return PreparedRefiner(self.branch.refiner, self.convolutions.dtype, self.convolutions.memory_format)

    def latent(self, seed: int) -> NDArray[np.float32]:
        """z [z_dim] of a seed, see `seed_latent`.

        Raises:
            UsageError: the seed is not in 0 .. 2^32 - 1.
        """
        if not 0 <= seed < 2**32:
            raise UsageError(f"seed {seed}: expected a whole number from 0 to 4294967295; choose another")
        return seed_latent(seed, self.config.latent.z_dim)

    def pose(self, numbers: Sequence[float]) -> Tensor:
        """A pose [1, *pose_shape] of its numbers, row by row.

        Raises:
            UsageError: the generator's subjects have no pose, or one of another size.
        """
        shape = self.config.latent.pose_shape
        if shape is None or math.prod(shape) != len(numbers):
            expected = "none, since its subjects have no pose" if shape is None else f"{math.prod(shape)} numbers, {list(shape)}"
            raise UsageError(f"pose: {self.config.name} expected {expected}, found {len(numbers)}; correct it or leave it out")
        return torch.tensor(numbers, dtype=torch.float32, device=self.device).reshape(1, *shape)

    def front_camera(self) -> Camera:
        """The camera the generator is conditioned on when it makes a subject: in front, at the horizon."""
        cameras = self.config.cameras
        return sphere_camera(0.0, 0.0, radius=cameras.radius, pivot=cameras.pivot, focal=cameras.focal, world_up=cameras.world_up)

    def ws(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim], conditioned on the front camera; differentiable in z."""
        conditioning = self.front_conditioning.to(z)
        return self.generator.mapping(z, conditioning.expand(z.shape[0], -1), truncation, cutoff)

    @MadeOnce
    def own_intrinsics(self) -> Tensor:
        """The generator's own normalised intrinsics [1, 3, 3], on the model's device."""
        focal = self.config.cameras.focal
        return uploaded(np.array([[[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]]]), self.device)

    @MadeOnce
    def front_conditioning(self) -> Tensor:
        """The front camera's numbers [25], on the model's device."""
        numbers = self.front_camera().conditioning()
        return uploaded(numbers, self.device, torch.from_numpy(numbers).dtype)
