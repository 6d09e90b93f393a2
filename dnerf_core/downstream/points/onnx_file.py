"""A network of points as ONNX, which other programs run without torch.

Input `points`, float32 [batch, points, 3], y up and normalised as the recipe has it (`normalising.normalised`); output `logits`, float32
[batch, points, parts]: the label id of a point is 1 + the column of the highest. Batch and points are free. The metadata has `labels`
(names by id, JSON), `recipe`, `normalisation` and `trained_points`.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from dnerf_core.downstream.onnx_writing import write_network
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.recipes import RECIPES

OPSET = 17


def write_onnx(path: Path, segmenter: PointSegmenter) -> None:
    """Writes a PointNet, whole or not at all; a file of that name is replaced.

    Raises:
        UsageError: the onnx package is not installed.
        OutputError: the file cannot be written.
    """
    facts = {
        "labels": json.dumps(list(segmenter.labels.names)),
        "recipe": segmenter.settings.recipe,
        "normalisation": RECIPES[segmenter.settings.recipe].normalisation,
        "trained_points": str(segmenter.settings.points),
    }
    write_network(path, segmenter.network, torch.rand(2, 64, 3), "points", {0: "batch", 1: "points"}, facts, OPSET)
