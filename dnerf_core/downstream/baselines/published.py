"""Weights that somebody published, read into a network of the same tensor names; nothing of a file is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnerf_core.backbone.specs import Shape
from dnerf_core.checkpoints.inert.mapped_file import map_file
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError, shown
from dnerf_core.checkpoints.inert.records import TensorRecord
from dnerf_core.checkpoints.inert.safetensors_state import is_safetensors, read_safetensors
from dnerf_core.checkpoints.inert.torch_file import ZIP_MAGIC, read_legacy, read_zip
from dnerf_core.errors import CheckpointError

_GET_AGAIN = "get it again from its publisher"
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Published:
    """A file of weights, its tensors not yet read.

    Attributes:
        what: what it should be, for messages.
        remedy: what to do about another file.
        tensors: by name, counters of batch normalisation left out.
    """

    path: Path
    what: str
    remedy: str
    tensors: Mapping[str, TensorRecord]

    def shape(self, name: str) -> Shape:
        """The shape of a tensor.

        Raises:
            CheckpointError: there is none of this name.
        """
        if name not in self.tensors:
            raise CheckpointError(f"{self.path}: expected {self.what}, found no tensor {name}; {self.remedy}")
        return tuple(self.tensors[name].shape)

    def check(self, shapes: Mapping[str, Shape]) -> None:
        """Refuse a file whose tensors are not these and no others; values are not read.

        Raises:
            CheckpointError: one is missing, surplus or of another shape.
        """
        for name, shape in shapes.items():
            if self.shape(name) != tuple(shape):
                raise CheckpointError(
                    f"{self.path}: {name}: expected {list(shape)}, found {list(self.shape(name))}; {self.remedy}"
                )
        surplus = sorted(self.tensors.keys() - shapes.keys())
        if surplus:
            raise CheckpointError(f"{self.path}: expected {self.what}, found a tensor {shown(surplus[0])} besides; {self.remedy}")

    def values(self, shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
        """All of its tensors as float32, which are to be these and no others.

        Raises:
            CheckpointError: one is missing, surplus, of another shape, or has a value that is not finite.
        """
        self.check(shapes)
        return {name: self._value(name) for name in shapes}

    def _value(self, name: str) -> Tensor:
        try:
            array = self.tensors[name].to_array()
        except MalformedPickleError as error:
            raise CheckpointError(
                f"{self.path}: {name}: expected a whole tensor, found a file that {error}; {_GET_AGAIN}"
            ) from error
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.path}: {name}: expected finite values, found others; {_GET_AGAIN}")
        return torch.from_numpy(np.ascontiguousarray(array))


def open_published(path: Path, what: str, remedy: str) -> Published:
    """A state dict that torch.save wrote (.pth), or a .safetensors.

    Args:
        what: what it should be, and `remedy` what to do about another file, for messages.

    Raises:
        CheckpointError: no such file, another format, or one that holds something other than tensors by their names.
    """
    data = map_file(path, what, _GET_AGAIN)
    if is_safetensors(data):
        return Published(path, what, remedy, _tensors_alone(read_safetensors(path, data)))
    head = bytes(data[:4])
    if head != ZIP_MAGIC and head[:1] != b"\x80":
        raise CheckpointError(f"{path}: expected {what}, found bytes that begin {head.hex(' ')}; {remedy}")
    try:
        state = read_zip(data) if head == ZIP_MAGIC else read_legacy(data)
    except MalformedPickleError as error:
        advice = _GET_AGAIN if isinstance(error, DamagedPickleError) else remedy
        raise CheckpointError(
            f"{path}: expected {what}, found a file that {error}; nothing of it was executed; {advice}"
        ) from error
    if type(state) is not dict or not all(type(key) is str and type(value) is TensorRecord for key, value in state.items()):
        raise CheckpointError(f"{path}: expected {what}, found no dictionary of tensors alone; {remedy}")
    return Published(path, what, remedy, _tensors_alone(state))


def _tensors_alone(state: Mapping[str, Any]) -> dict[str, TensorRecord]:
    return {name: value for name, value in state.items() if name.rpartition(".")[2] != _COUNTER}
