"""A trained network as ONNX, which other programs run without torch: what all kinds of networks share."""

from __future__ import annotations

import copy
import importlib.util
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnerf_core import __version__
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import write_bytes_whole

REMEDY = "install it with pip install 'datasetnerf[downstream]'"


def require_onnx() -> None:
    """Refuse a machine without the onnx package, without importing it.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UsageError(f"--onnx: expected the package onnx, found none installed; {REMEDY}")


def write_network(
    path: Path, network: nn.Module, example: Tensor, given: str, free: Mapping[int, str], facts: Mapping[str, str], opset: int
) -> None:
    """Writes a network on the CPU, whole or not at all; a file of that name is replaced, the network stays as and where it is.

    Args:
        network: of one input to one output, `logits`.
        example: an input; its axes in `free`, and the output's, may be of any length.
        given: the input's name.
        facts: metadata, beside what wrote it.

    Raises:
        UsageError: the onnx package is not installed.
        OutputError: the file cannot be written.
    """
    require_onnx()
    import onnx

    buffer: Any = io.BytesIO()  # which the exporter takes, and does not say so
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, which is the older of torch's two: the other one writes weights beside
        torch.onnx.export(
            copy.deepcopy(network).eval().cpu(),
            (example,),
            buffer,
            input_names=[given],
            output_names=["logits"],
            dynamic_axes={given: dict(free), "logits": dict(free)},
            opset_version=opset,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    for key, value in {**facts, "written_by": f"datasetnerf {__version__}"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    write_bytes_whole(path, model.SerializeToString())
