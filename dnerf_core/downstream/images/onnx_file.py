"""A segmenter as ONNX, which other programs run without torch.

Input `image`, float32 [batch, 3, height, width], RGB in [0, 1]; output `logits`, float32 [batch, classes, height, width]: the label of a
pixel is the class of the highest. The network's normalisation is inside. Batch, height and width are free. The metadata has `labels` (names
by id, JSON), `colors` and `size_px`, the longer side of the pictures that it was trained on.
"""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from dnerf_core import __version__
from dnerf_core.downstream.images.augment import MEAN, STD
from dnerf_core.downstream.images.registry import logits
from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import write_bytes_whole

OPSET = 18
REMEDY = "install it with pip install 'datasetnerf[downstream]'"


def require_onnx() -> None:
    """Refuse a machine without the onnx package, without importing it.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UsageError(f"--onnx: expected the package onnx, found none installed; {REMEDY}")


def write_onnx(path: Path, segmenter: Segmenter) -> None:
    """Writes the network on the CPU, whole or not at all; a file of that name is replaced.

    Raises:
        UsageError: the onnx package is not installed.
        OutputError: the file cannot be written.
    """
    require_onnx()
    import onnx

    names = ["image", "logits"]
    free = {name: {0: "batch", 2: "height", 3: "width"} for name in names}
    network = _WithNormalisation(copy.deepcopy(segmenter.network)).eval().cpu()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, which is the older of torch's two: the other one writes files beside
        torch.onnx.export(
            network,
            (torch.rand(2, 3, 64, 96),),
            buffer,  # type: ignore[arg-type]  # which the older exporter takes
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    texts = {
        "labels": json.dumps(list(segmenter.labels.names)),
        "colors": json.dumps([list(label.color) for label in segmenter.labels.labels]),
        "size_px": str(segmenter.size_px),
        "written_by": f"datasetnerf {__version__}",
    }
    for key, value in texts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    _check(onnx, model)
    write_bytes_whole(path, model.SerializeToString())


def _check(onnx: ModuleType, model: object) -> None:
    onnx.checker.check_model(model)


class _WithNormalisation(nn.Module):
    """RGB in [0, 1] to class scores."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return logits(self.network, (image - self.mean) / self.std)
