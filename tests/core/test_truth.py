"""Scores against the exact truth, summed up."""

from __future__ import annotations

import math

import numpy as np

from dnerf_core.camera import arc_cameras
from dnerf_core.demo.config import DEMO_CARS
from dnerf_core.demo.truth import ScoredView, TruthScores, summarise


def test_a_view_without_common_pixel_counts_as_a_whole_length() -> None:
    camera = arc_cameras(DEMO_CARS.cameras, (0, 0), (0, 0), count=1)[0]
    confusion = np.diag([3, 0, 0, 0, 1])
    views = [
        ScoredView(0, 0, camera, TruthScores(1.0, 30.0, 0.5), confusion),
        ScoredView(1, 0, camera, TruthScores(0.0, 10.0, math.nan), confusion),
    ]
    means, masks = summarise(views)
    assert means == TruthScores(0.5, 20.0, 0.75)
    assert masks is not None
    assert masks.miou == 1.0


def test_views_without_masks_have_no_label_scores() -> None:
    camera = arc_cameras(DEMO_CARS.cameras, (0, 0), (0, 0), count=1)[0]
    view = ScoredView(0, 0, camera, TruthScores(1.0, 30.0, 0.5), None)
    assert math.isnan(view.miou)
    assert summarise([view]) == (view.scores, None)
