"""Poses that the generator of people is trained in: of captured motion, by chance, and the canonical one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.demo.people.rig import rig
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.training.clips import HELD_OUT, read_clips
from dnerf_core.gnarf.poser import BodyPoser

CANONICAL_SHARE = 0.1
CLIP_SHARE = 0.55
"""The canonical pose below the first, of clips below the second, by chance above."""


def people_poser() -> BodyPoser:
    """What poses the demo's rig."""
    body = rig()
    return BodyPoser(body.names, np.array(body.parents, np.int32), body.joints)


class PoseDraws:
    """Random poses float32 [K + 1, 3] for training, from a folder of clips less those held out (None: none) and the joints' own prior."""

    def __init__(self, clips: Path | None) -> None:
        read = {} if clips is None else read_clips(clips)
        self._clips: list[NDArray[np.float32]] = [poses for name, poses in read.items() if name not in HELD_OUT]
        self._poser = people_poser()

    def draw(self, rng: torch.Generator) -> Tensor:
        """A pose [K + 1, 3], a function of the generator's state alone."""
        draws = np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))
        kind = draws.random()
        if kind < CANONICAL_SHARE:
            return torch.from_numpy(canonical_pose().copy())
        if self._clips and kind < CLIP_SHARE:
            clip = self._clips[draws.integers(len(self._clips))]
            return torch.from_numpy(clip[draws.integers(len(clip))].copy())
        return torch.from_numpy(self._poser.drawn(draws, 1)[0])
