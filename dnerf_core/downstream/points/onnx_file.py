"""A network of points as ONNX, which other programs run without torch.

Input `points`, float32 [batch, points, 3], y up and normalised as the recipe has it (`normalising.normalised`); output `logits`, float32
[batch, points, parts]: the label id of a point is 1 + the column of the highest. Batch and points are free. The metadata has `labels`
(names by id, JSON), `recipe`, `normalisation` and `trained_points`.
"""

from __future__ import annotations

import importlib.util
import io
import json
import warnings
from pathlib import Path
from typing import Any

import torch

from dnerf_core import __version__
from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.recipes import RECIPES
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import write_bytes_whole

OPSET = 17
REMEDY = "install it with pip install 'datasetnerf[downstream]'"


def require_onnx() -> None:
    """Refuse a machine without the onnx package, without importing it.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UsageError(f"--onnx: expected the package onnx, found none installed; {REMEDY}")


def write_onnx(path: Path, segmenter: PointSegmenter) -> None:
    """Writes a PointNet, whole or not at all; a file of that name is replaced.

    Raises:
        UsageError: the onnx package is not installed.
        OutputError: the file cannot be written.
    """
    require_onnx()
    import onnx

    free = {0: "batch", 1: "points"}
    buffer: Any = io.BytesIO()  # which the exporter takes, and does not say so
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the exporter, which is the older of torch's two: the other one writes weights beside
        torch.onnx.export(
            segmenter.network.eval().cpu(),
            (torch.rand(2, 64, 3),),
            buffer,
            input_names=["points"],
            output_names=["logits"],
            dynamic_axes={"points": free, "logits": free},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    texts = {
        "labels": json.dumps(list(segmenter.labels.names)),
        "recipe": segmenter.settings.recipe,
        "normalisation": RECIPES[segmenter.settings.recipe].normalisation,
        "trained_points": str(segmenter.settings.points),
        "written_by": f"datasetnerf {__version__}",
    }
    for key, value in texts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    write_bytes_whole(path, model.SerializeToString())
