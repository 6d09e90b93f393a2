"""How different subjects are that all look like one mask: what a mask leaves open (paper section 5.4, figure 7)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dnerf_core.inversion.pose import camera_at
from dnerf_core.subject import Subject

YAWS_DEG = (-135.0, -45.0, 45.0, 135.0)
RANDOM_SUBJECTS = 16


@dataclass(frozen=True)
class Diversity:
    """Means over all pairs of subjects.

    Attributes:
        latent: root mean square distance of their ws, as a share of that of random subjects: 1 is as different as those.
        color: mean absolute difference of colours, of 255, over pixels that show either subject, in four views around.
        labels: share of these pixels whose labels differ.
    """

    latent: float
    color: float
    labels: float


def diversity(subjects: Sequence[Subject]) -> Diversity:
    """Of two or more subjects of one model, which has labels."""
    model = subjects[0].model
    cameras = [
        camera_at(math.radians(yaw), math.radians(model.config.cameras.pitch_deg), model.config.cameras) for yaw in YAWS_DEG
    ]
    views = [[subject.render(camera) for camera in cameras] for subject in subjects]
    color, labels = [], []
    for one, other in itertools.combinations(views, 2):
        for first, second in zip(one, other, strict=True):
            assert first.mask is not None
            assert second.mask is not None
            shown = (first.mask != 0) | (second.mask != 0)
            if shown.any():
                apart = np.abs(first.rgb.astype(np.int16) - second.rgb.astype(np.int16))
                color.append(float(apart[shown].mean()))
                labels.append(float((first.mask != second.mask)[shown].mean()))
    with torch.no_grad():
        rng = torch.Generator().manual_seed(0)
        z = torch.randn(RANDOM_SUBJECTS, model.config.latent.z_dim, generator=rng).to(model.device)
        usual = _distance(list(model.ws(z)))
    return Diversity(_distance([subject.ws[0] for subject in subjects]) / usual, _mean(color), _mean(labels))


def _distance(ws: Sequence[torch.Tensor]) -> float:
    """Root mean square distance of all pairs."""
    return math.sqrt(_mean([float((one - other).square().mean()) for one, other in itertools.combinations(ws, 2)]))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
