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
from dnerf_core.errors import UsageError
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.generator.eg3d import Generator, Planes, Rendering
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.depth import OPAQUE, ray_cosines, resample_depth

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

    def __init__(self, generator: Generator, header: ModelHeader, sha256: str, device: torch.device) -> None:
        self.generator, self.header, self.sha256, self.device = generator, header, sha256, device

    @staticmethod
    def load(name_or_path: str | Path, device: str | torch.device = "cpu") -> Model:
        """Load a model file, or an embedded model by name ("demo-cars").

        Raises:
            CheckpointError: no such file, or it cannot be used.
        """
        loaded = load_model_file(model_path(name_or_path))
        generator = Generator(loaded.header.generator_config)
        generator.load_published(loaded.generator_state)
        place = torch.device(device)
        return Model(generator.to(place).eval().requires_grad_(False), loaded.header, loaded.sha256, place)

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
        return self.header.has_semantics

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

    def render(self, camera: Camera, size_px: int | None = None) -> LabeledView:
        """See the subject from a camera.

        Args:
            size_px: side of the pictures in pixels; None: the generator's image size.
        """
        generator, device = self.model.generator, self.model.device
        size = size_px or self.model.config.image_size
        cam2world = torch.from_numpy(camera.cam2world).float()[None].to(device)
        intrinsics = torch.from_numpy(camera.intrinsics).float()[None].to(device)
        with torch.no_grad():
            rendering = generator.render(self.planes.planes, cam2world, intrinsics, epsilon=VALUE_EPSILON)
            image = generator.superresolve(rendering.features, self.ws)
            depth = self._depth(rendering, intrinsics, size)
        return LabeledView(camera, to_uint8(image, size)[0], None, depth[0].cpu().numpy())

    def _depth(self, rendering: Rendering, intrinsics: Tensor, size: int) -> Tensor:
        planar = rendering.distance * ray_cosines(intrinsics, rendering.distance.shape[-1])
        planar = torch.where(rendering.opacity >= OPAQUE, planar, torch.full_like(planar, torch.inf))
        return resample_depth(planar, rendering.opacity, size, SAME_SURFACE * self.model.config.triplane.box_warp)


def to_uint8(image: Tensor, size_px: int) -> NDArray[np.uint8]:
    """Image [B, 3, S, S] in [-1, 1] as uint8 [B, H, W, 3] at another size (bilinear, antialiased)."""
    if image.shape[-1] != size_px:
        image = F.interpolate(image, size=(size_px, size_px), mode="bilinear", align_corners=False, antialias=True)
    pixels: NDArray[np.uint8] = (image * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels
