"""Views of a subject whose labels come from several: some voting views are rendered and fused once, and every view's mask is re-labelled.

The voting views depend on the plan's ranges of yaw and pitch alone, or on the cameras that are given instead, so a view's mask is the
same whichever others are made with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.pointcloud.consistent import fused_votes, relabelled
from dnerf_core.pointcloud.voxels import VoxelSums
from dnerf_core.rendering.labeled_view import LabeledView, sample_side_px
from dnerf_core.work.made_once import Once

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

VOTING_VIEWS = 8
"""Of a subject. On the demo 8 gain nine tenths of the agreement that 32 gain, in a fifth of the time (benchmarks/voting_views.py)."""


def voting_cameras(config: CameraConfig, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]) -> list[Camera]:
    """Cameras evenly along an arc over the ranges; one where both are single values."""
    single = yaw_deg[0] == yaw_deg[1] and pitch_deg[0] == pitch_deg[1]
    return arc_cameras(config, yaw_deg, pitch_deg, count=1 if single else VOTING_VIEWS)


@dataclass(frozen=True)
class LabelChanges:
    """How many part pixels there were, and how many labels changed."""

    part_px: int = 0
    changed_px: int = 0

    @classmethod
    def between(cls, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> LabelChanges:
        """Those of one view's masks [H, W]."""
        return cls(int((before != 0).sum()), int((before != after).sum()))

    def plus(self, other: LabelChanges) -> LabelChanges:
        """Those of both."""
        return LabelChanges(self.part_px + other.part_px, self.changed_px + other.changed_px)

    @property
    def share(self) -> float | None:
        """Changed labels as a share of the part pixels; None without such pixels."""
        return self.changed_px / self.part_px if self.part_px else None


NO_CHANGES = LabelChanges()


def voting_subset(cameras: Sequence[Camera]) -> list[Camera]:
    """The voting ones of given cameras: evenly spaced in their order, ends included; all of them where there are no more."""
    count = min(VOTING_VIEWS, len(cameras))
    return [cameras[round(place)] for place in np.linspace(0, len(cameras) - 1, count)]


class Relabelling:
    """One subject's votes, made on first need, whichever thread needs them."""

    def __init__(self, model: Model, subject: Subject, cameras: Sequence[Camera]) -> None:
        """model: one with a semantic branch, that the subject is of. cameras: of the voting views."""
        self._model, self._subject, self._cameras = model, subject, cameras
        self._votes = Once(self._fuse)

    def mask(self, camera: Camera, mask: NDArray[np.uint8], depth_planar: NDArray[np.float32]) -> NDArray[np.uint8]:
        """A view's mask as the votes have it; see `dnerf_core.pointcloud.consistent.relabelled`."""
        return relabelled(LabeledView.without_picture(camera, mask, depth_planar), self._votes.value)

    def _fuse(self) -> VoxelSums:
        assert self._model.labels is not None
        return fused_votes([self._see(camera) for camera in self._cameras], self._model.labels.num_classes)

    def _see(self, camera: Camera) -> LabeledView:
        """At the generator's own size, whatever the plan's: enlarged labels hold no more, and small ones less."""
        size_px = self._model.config.image_size
        view = self._subject.channels(camera, size_px, ("mask", "depth"))
        assert view.mask is not None
        assert view.depth_planar is not None
        sample_px = sample_side_px(size_px, self._model.config.rays.neural_resolution)
        return LabeledView.without_picture(camera, view.mask, view.depth_planar, sample_px)
