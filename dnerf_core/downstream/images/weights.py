"""Weights that a segmenter begins from, out of a file that the user names: what torchvision publishes, or a network file of ours.

Taken are .pth of torch.save and .safetensors, of the whole segmenter (those of COCO have 21 classes: the last layer stays new) or of the
backbone alone, as torchvision publishes those of ImageNet. Nothing is downloaded or executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dnerf_core.checkpoints.inert.mapped_file import map_file
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError, shown
from dnerf_core.checkpoints.inert.records import TensorRecord
from dnerf_core.checkpoints.inert.safetensors_state import is_safetensors, read_safetensors
from dnerf_core.checkpoints.inert.torch_file import ZIP_MAGIC, read_legacy, read_zip
from dnerf_core.checkpoints.safetensors_layout import NETWORK, file_kind
from dnerf_core.downstream.network_file import load_network_file
from dnerf_core.errors import CheckpointError

_WHAT = "weights of a segmenter or its backbone (.pth of torch.save, or .safetensors)"
_REMEDY = "name a file that torchvision publishes for this network, or one that train-segmenter wrote"
_GET_AGAIN = "get it again from its publisher"
_COUNTER = "num_batches_tracked"
_NESTED = ("state_dict", "model")
"""Keys below which training programs keep the state dict."""
_UNUSED = ("aux_classifier.", "fc.", "classifier.0.", "classifier.3.")
"""Of whole classifiers of ImageNet and helpers of training: what a segmenter does not have."""


@dataclass(frozen=True)
class StartWeights:
    """What a network began from.

    Attributes:
        taken: tensors that were filled in.
        new: names of tensors that stayed as they were drawn.
        part: "whole", "all but the last layer" or "backbone".
    """

    taken: int
    new: tuple[str, ...]
    part: str


def fill_from(network: nn.Module, name: str, path: Path) -> StartWeights:
    """Give a network the values of a file.

    Args:
        name: the network's, see `registry`.

    Raises:
        CheckpointError: no such file, another format, tensors of another network, or with values that are not finite.
    """
    found = _read(path, name)
    own = {key: value for key, value in network.state_dict().items() if not key.endswith(_COUNTER)}
    head = head_names(own)
    renamed = _in_place(found, own)
    backbone = {key for key in own if key.startswith("backbone.")}
    whole = not backbone or any(key in renamed for key in own.keys() - backbone)
    wanted = set(own) if whole else backbone
    where = f"{path}: weights for {name}"
    missing = sorted(wanted - renamed.keys() - head)
    surplus = sorted(key for key in renamed.keys() - own.keys() if not key.startswith(_UNUSED))
    if missing or surplus:
        faults = [f"no {missing[0]}" if missing else "", f"a tensor {shown(surplus[0])}" if surplus else ""]
        raise CheckpointError(
            f"{where}: expected {len(wanted)} tensors of that network, found {' and '.join(filter(None, faults))}; {_REMEDY}"
        )
    fresh = {key for key in head if key not in renamed or renamed[key].shape != tuple(own[key].shape)}
    if fresh:
        fresh = set(head)
    values = {}
    for key in sorted(wanted - fresh):
        if renamed[key].shape != tuple(own[key].shape):
            raise CheckpointError(f"{where}: {key}: expected {list(own[key].shape)}, found {list(renamed[key].shape)}; {_REMEDY}")
        values[key] = _values(renamed[key], f"{where}: {key}")
    network.load_state_dict(values, strict=False)
    new = tuple(key for key in own if key not in values)
    part = "backbone" if not whole else ("all but the last layer" if fresh else "whole")
    return StartWeights(len(values), new, part)


def head_names(own: Mapping[str, Tensor]) -> set[str]:
    """The tensors of the last layer, by which classes are told apart."""
    last = [key for key in own if key.startswith("classifier")][-1].rpartition(".")[0]
    return {key for key in own if key.rpartition(".")[0] == last}


def _in_place(found: Mapping[str, Any], own: Mapping[str, Tensor]) -> dict[str, Any]:
    """A file's tensors by the network's names: those of a backbone alone go below `backbone.`; what DataParallel adds is taken off."""
    named = {key.removeprefix("module."): value for key, value in found.items() if not key.endswith(_COUNTER)}
    if any(key.startswith("backbone.") for key in named) or not any(key.startswith("backbone.") for key in own):
        return named
    return {_of_backbone(key, own): value for key, value in named.items()}


def _of_backbone(key: str, own: Mapping[str, Tensor]) -> str:
    """ResNets keep their names below `backbone.`; MobileNets lose `features.`, whose place the backbone takes."""
    inside = f"backbone.{key.removeprefix('features.')}"
    return inside if inside in own else key


def _read(path: Path, name: str) -> Mapping[str, Any]:
    """Every tensor of a file: records, or torch's own of a network file."""
    if file_kind(path) == NETWORK:
        file = load_network_file(path, "image")
        if file.header.network != name:
            raise CheckpointError(
                f"{path}: expected weights for {name}, found those of {shown(file.header.network)}; name another file"
            )
        return file.state
    data = map_file(path, _WHAT, _GET_AGAIN)
    if is_safetensors(data):
        return read_safetensors(path, data)
    head = bytes(data[:4])
    if head != ZIP_MAGIC and head[:1] != b"\x80":
        raise CheckpointError(f"{path}: expected {_WHAT}, found bytes that begin {head.hex(' ')}; {_REMEDY}")
    try:
        state = read_zip(data) if head == ZIP_MAGIC else read_legacy(data)
    except MalformedPickleError as error:
        remedy = (
            _GET_AGAIN
            if isinstance(error, DamagedPickleError)
            else "save its state dict alone, by torch.save(network.state_dict(), ..)"
        )
        raise CheckpointError(
            f"{path}: expected {_WHAT}, found a file that {error}; nothing of it was executed; {remedy}"
        ) from error
    for key in _NESTED:
        if type(state) is dict and type(state.get(key)) is dict:
            state = state[key]
    if type(state) is not dict or not all(type(key) is str and type(value) is TensorRecord for key, value in state.items()):
        raise CheckpointError(
            f"{path}: expected {_WHAT}, found no dictionary of tensors alone; save a state dict, by torch.save(network.state_dict(), ..)"
        )
    return state


def _values(tensor: Any, where: str) -> Tensor:
    array = tensor.numpy() if isinstance(tensor, Tensor) else tensor.to_array()
    if not np.isfinite(array).all():
        raise CheckpointError(f"{where}: expected finite values, found others; {_GET_AGAIN}")
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
