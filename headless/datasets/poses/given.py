"""Poses that the views of a call's subjects take: the frames of a motion in their order, or poses by chance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.view_poses import Pose

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import Motion, Poser

_POSES_STREAM = 1
"""Sets the chance of a view's pose apart from that of its camera, which is keyed by (seed, view) too."""


@dataclass(frozen=True, eq=False)
class GivenPoses:
    """Which pose each view takes. It can be pickled and sent to another process.

    Attributes:
        title: of the motion, for people.
        frames: float32 [F, *pose_shape], the motion's; None: poses are drawn within what joints can do.
        is_drawn: whether each view takes a pose by chance, of the frames where there are any; else frames follow each other.
        poser: draws where there are no frames.
        lines: how the motion's joints were taken for the body's, for people.
        remarks: what is to be warned of.
    """

    title: str
    frames: NDArray[np.float32] | None
    is_drawn: bool
    poser: Poser
    lines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def of_view(self, seed: int, view: int, views: int) -> Pose:
        """The pose of view number `view` of `views`; of frames that follow each other the first view has the first, the last the last."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, view, _POSES_STREAM])))
        if self.frames is None:
            return numbers(self.poser.drawn(rng, 1)[0])
        if self.is_drawn:
            return numbers(self.frames[int(rng.integers(len(self.frames)))])
        along = view / (views - 1) if views > 1 else 0.0
        return numbers(self.frames[round(along * (len(self.frames) - 1))])

    def to_json(self) -> dict[str, Any]:
        """As a record names them: by what they are, wherever they came from."""
        sha256 = None if self.frames is None else hashlib.sha256(self.frames.tobytes()).hexdigest()
        return {"poses": self.title, "poses_drawn": self.is_drawn, "poses_sha256": sha256}


def numbers(pose: NDArray[np.float32]) -> Pose:
    """A pose [*pose_shape] as plain numbers, row by row."""
    return tuple(float(value) for value in pose.ravel())


def motion_json(motion: Motion) -> dict[str, Any]:
    """As a record names a motion that subjects follow: by what it is, wherever it came from."""
    return {"poses": motion.title, "poses_sha256": hashlib.sha256(motion.poses.tobytes()).hexdigest()}
