"""Model = generator + semantic branch + label set; a latent made solid is a Subject; a Subject seen from a camera is a LabeledView."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera, sphere_camera
from dnerf_core.checkpoints.model_file import ModelHeader, load_model_file
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import GeneratorConfig, config_from_json
from dnerf_core.generator.eg3d import Generator, Planes, Rendering
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.depth import OPAQUE, ray_cosines, resample_depth
from dnerf_core.rendering.volume import RayBundle, RaySamples
from dnerf_core.semantic.branch import SemanticBranch, label_mask
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.triplane import ProjectedPlanes
from dnerf_core.semantic.visibility import VisibleSamples, join_visible, visible_samples

VALUE_EPSILON = 1e-4
"""Colours are read only at samples whose weight exceeds this; at 96 samples a pixel is off by less than 0.01 in the worst case."""

SAME_SURFACE = 0.02
"""Depth difference, as a fraction of the box's side, above which neighbouring pixels show different surfaces."""


@dataclass(frozen=True, eq=False)
class LabeledView:
    """One view, on the CPU.

    Attributes:
        camera: where it was seen from.
        rgb: uint8 [H, W, 3].
        mask: uint8 [H, W] of label ids, 0 background; None when the model has no semantic branch.
        depth_planar: float32 [H, W], along the optical axis, world units, +inf at background.
    """

    camera: Camera
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    depth_planar: NDArray[np.float32]


class Model:
    """A frozen generator, its semantic branch if there is one, and what the classes mean, on one device."""

    def __init__(
        self, generator: Generator, branch: SemanticBranch | None, header: ModelHeader, sha256: str, device: torch.device
    ) -> None:
        self.generator, self.branch = generator, branch
        self.header, self.sha256, self.device = header, sha256, device

    @staticmethod
    def load(name_or_path: str | Path, device: str | torch.device = "cpu") -> Model:
        """Load a model file, or an embedded model by name ("demo-cars").

        Raises:
            CheckpointError: no such file, or it cannot be used.
        """
        loaded = load_model_file(model_path(name_or_path))
        with torch.device("meta"):  # no first weights are drawn, so loading is quick and leaves global random state alone
            generator = Generator(loaded.header.generator_config)
        generator.load_published(loaded.generator_state)
        place = torch.device(device)
        generator.to(place).eval().requires_grad_(False)
        branch = None
        if loaded.semantic_state is not None:
            branch = _load_branch(loaded.header, loaded.semantic_state).to(place).eval().requires_grad_(False)
        return Model(generator, branch, loaded.header, loaded.sha256, place)

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


class Subject:
    """One latent made solid: its planes are synthesised once, on first need, and every view reads them."""

    def __init__(self, model: Model, ws: Tensor) -> None:
        """ws [1, num_ws, w_dim] on the model's device."""
        self.model, self.ws = model, ws

    @cached_property
    def planes(self) -> Planes:
        """The subject's planes and block features."""
        with torch.no_grad():
            return self.model.generator.planes(self.ws)

    @cached_property
    def projected(self) -> ProjectedPlanes:
        """The subject's semantic tri-plane, after the decoder's first layer."""
        assert self.model.branch is not None
        with torch.no_grad():
            return self.model.branch.project(self.planes)

    def render(self, camera: Camera, size_px: int | None = None) -> LabeledView:
        """See the subject from a camera.

        Args:
            size_px: side of the pictures in pixels; None: the generator's image size.
        """
        generator, branch, device = self.model.generator, self.model.branch, self.model.device
        size = size_px or self.model.config.image_size
        cam2world = torch.tensor(camera.cam2world, dtype=torch.float32, device=device)[None]
        intrinsics = torch.tensor(camera.intrinsics, dtype=torch.float32, device=device)[None]
        pieces: list[VisibleSamples] = []
        resolution = self.model.config.rays.neural_resolution

        def keep_visible(rays: RayBundle, samples: RaySamples, ray: Tensor) -> None:
            if branch is not None:
                pieces.append(visible_samples(rays, samples, ray, 1, resolution, branch.config))

        with torch.no_grad():
            rendering = generator.render(self.planes.planes, cam2world, intrinsics, epsilon=VALUE_EPSILON, observe=keep_visible)
            image = generator.superresolve(rendering.features, self.ws)
            depth = self._depth(rendering, intrinsics, size)
            mask = None
            if branch is not None:
                scores = self._scores(branch, pieces, rendering, image)
                mask = label_mask(_resized(scores, size))[0].cpu().numpy()
        return LabeledView(camera, to_uint8(image, size)[0], mask, depth[0].cpu().numpy())

    def _scores(self, branch: SemanticBranch, pieces: list[VisibleSamples], rendering: Rendering, image: Tensor) -> Tensor:
        """Full-size class scores [1, C, S, S] from the samples that the RGB branch's density pass found."""
        resolution = rendering.distance.shape[-1]
        visible = join_visible(pieces) if pieces else _nothing_visible(branch.config, resolution, image)
        guides = {"none": None, "rendered": rendering.features, "rgb": image}
        return branch.refine(branch.maps(self.projected, visible), guides[branch.config.refiner.guide])

    def _depth(self, rendering: Rendering, intrinsics: Tensor, size: int) -> Tensor:
        planar = rendering.distance * ray_cosines(intrinsics, rendering.distance.shape[-1])
        planar = torch.where(rendering.opacity >= OPAQUE, planar, torch.full_like(planar, torch.inf))
        return resample_depth(planar, rendering.opacity, size, SAME_SURFACE * self.model.config.triplane.box_warp)


def _nothing_visible(config: SemanticConfig, resolution: int, like: Tensor) -> VisibleSamples:
    """What a camera that looks past the box sees."""
    distances = None if config.density_prior else like.new_zeros(0, config.density_samples)
    ray = torch.zeros(0, dtype=torch.int64, device=like.device)
    return VisibleSamples(1, resolution, ray, like.new_zeros(0, 3), like.new_zeros(0), distances)


def _load_branch(header: ModelHeader, state: dict[str, Tensor]) -> SemanticBranch:
    config = config_from_json(SemanticConfig, header.semantic_config, f"{header.path}: semantic")
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


def _resized(image: Tensor, size_px: int) -> Tensor:
    if image.shape[-1] == size_px:
        return image
    return F.interpolate(image, size=(size_px, size_px), mode="bilinear", align_corners=False, antialias=True)


def to_uint8(image: Tensor, size_px: int) -> NDArray[np.uint8]:
    """Image [B, 3, S, S] in [-1, 1] as uint8 [B, H, W, 3] at another size (bilinear, antialiased)."""
    image = _resized(image, size_px)
    pixels: NDArray[np.uint8] = (image * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels
