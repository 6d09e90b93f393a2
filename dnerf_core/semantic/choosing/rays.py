"""What small branches read of a view: for each ray that meets something, its samples' multi-scale features, composited and sketched.

A branch's first layer is linear in the generator's features, and compositing is linear, too. Here a fixed random projection stands in for
that layer (Johnson and Lindenstrauss: it keeps distances), so that one pass over a view serves every member of an ensemble, and a member
that is trained on the composited sketch takes seconds instead of minutes. Where a ray's samples lie close together, as on a surface, this
is what the branch itself sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.protocols import Backbone, Planes
from dnerf_core.labels import IGNORE_ID
from dnerf_core.semantic.branch import sums_of_rays
from dnerf_core.semantic.config import SemanticConfig
from dnerf_core.semantic.guided_visibility import GuidedPlanes
from dnerf_core.semantic.triplane import SemanticTriplane, read_table

SKETCH_DIM = 128
"""Numbers that a ray's features are sketched in."""

MIN_OPACITY = 0.02
"""Rays that let more light through than all but this show background, which nobody has to be asked about."""

_SKETCH_SEED = 0


@dataclass(frozen=True, eq=False)
class ViewRays:
    """The rays of one view of R x R that meet something.

    Attributes:
        resolution: R.
        pixel: int64 [M], increasing: row * R + column of each ray.
        features: float32 [M, SKETCH_DIM + 1]: the composited sketch, and the ray's opacity.
    """

    resolution: int
    pixel: Tensor
    features: Tensor


class RaySketch:
    """Sketches of the rays of a generator's views."""

    def __init__(self, generator: Backbone[Any], subjects: Iterable[Planes]) -> None:
        """A sketch whose inputs are normalised by the statistics of these subjects."""
        self.generator = generator
        self.config = SemanticConfig(hidden_dim=SKETCH_DIM)
        self.triplane = SemanticTriplane(self.config, generator.config.source, torch.Generator().manual_seed(_SKETCH_SEED))
        self.triplane.to(next(iter(generator.named_parameters()))[1].device)
        self.triplane.requires_grad_(False)
        self.triplane.measure(self.triplane.inputs(generator.source(planes)) for planes in subjects)

    @torch.no_grad()
    def table(self, planes: Planes) -> Tensor:
        """What the views of one subject read [R*R*P, SKETCH_DIM], whatever its pose where its planes serve every pose."""
        return self.triplane.project(self.triplane.inputs(self.generator.source(planes)))[0]

    @torch.no_grad()
    def guided(self, planes: Planes) -> GuidedPlanes:
        """What the views of one subject in one pose have in common."""
        return GuidedPlanes.pack(self.generator, planes)

    @torch.no_grad()
    def view(self, guided: GuidedPlanes, table: Tensor, cam2world: Tensor, intrinsics: Tensor, resolution: int) -> ViewRays:
        """The rays of one view of one subject.

        Args:
            cam2world, intrinsics: [1, 4, 4] and [1, 3, 3] (OpenCV axes; normalised).
        """
        visible = guided.samples(cam2world, intrinsics, resolution, self.config.weight_epsilon)
        rows, weights = self.generator.source(guided.planes).finder(visible.points, None)
        sums, opacity = sums_of_rays(read_table(table, rows, weights), visible.weight, visible.ray, visible.num_rays)
        pixel = (opacity > MIN_OPACITY).nonzero()[:, 0]
        return ViewRays(resolution, pixel, torch.cat([sums[pixel], opacity[pixel, None]], dim=1))


def label_shares(mask: NDArray[np.uint8], num_classes: int, resolution: int) -> NDArray[np.float32]:
    """Share of each class among the painted pixels that each ray stands for, float32 [R*R, C]; all 0 where none is painted.

    Args:
        mask: uint8 [S, S] of class ids, 255 where nothing is known.
        resolution: R.
    """
    side = mask.shape[0]
    cell = np.minimum((np.arange(side) + 0.5) * resolution / side, resolution - 1).astype(np.int64)
    index = (cell[:, None] * resolution + cell[None, :])[mask != IGNORE_ID]
    counts = np.zeros((resolution * resolution, num_classes), np.float32)
    np.add.at(counts, (index, mask[mask != IGNORE_ID]), 1.0)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
