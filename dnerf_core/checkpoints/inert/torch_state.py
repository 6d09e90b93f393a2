"""Reads named tensors out of a state dict that torch.save wrote, such as the weights that torchvision publishes; nothing is executed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from dnerf_core.checkpoints.inert.mapped_file import map_file
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError
from dnerf_core.checkpoints.inert.records import TensorRecord
from dnerf_core.checkpoints.inert.torch_file import ZIP_MAGIC, read_legacy, read_zip
from dnerf_core.errors import CheckpointError

_EXPECTED = "weights that torch.save wrote (.pth)"
_DAMAGED = "nothing of it was executed; get the file again from its publisher"
_OTHER = "nothing of it was executed; name a file that torch.save wrote of a state dict"


def read_torch_state(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The tensors named `wanted` as float32 arrays, those of them that the file has; others are passed over.

    Raises:
        CheckpointError: no such file, another format, other than float32 tensors on a little-endian machine, or damaged.
    """
    data = map_file(path, _EXPECTED, "get it again from its publisher")
    try:
        state = read_zip(data) if bytes(data[:4]) == ZIP_MAGIC else read_legacy(data)
        if type(state) is not dict:
            raise MalformedPickleError("holds no dictionary of tensors")
        tensors = {name: state[name] for name in wanted if name in state}
        if any(type(tensor) is not TensorRecord for tensor in tensors.values()):
            raise MalformedPickleError("holds something other than tensors by these names")
        return {name: tensor.to_array() for name, tensor in tensors.items()}
    except MalformedPickleError as error:
        remedy = _DAMAGED if isinstance(error, DamagedPickleError) else _OTHER
        raise CheckpointError(f"{path}: expected {_EXPECTED}, found a file that {error}; {remedy}") from error
