"""A hash of a generator alone: the same whatever semantic branch or record lies beside it. Needs no torch for a file.

It is over the configuration as JSON and then, in the order of their names, every tensor's name and float32 bytes; the configuration
demands their shapes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.checkpoints.expected_shapes import is_filter
from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.checkpoints.safetensors_layout import DAMAGED, stored_values

if TYPE_CHECKING:
    from dnerf_core.backbone.protocols import Backbone

_PREFIX = "generator."


def generator_sha256(path: Path) -> str:
    """The hash of a model file's generator. Two models with the same hash make the same subjects and the same images.

    Raises:
        CheckpointError: the file cannot be used.
    """
    header = read_header(path)
    own = {name: info for name, info in sorted(header.tensors.items()) if name.startswith(_PREFIX) and not is_filter(name)}
    with path.open("rb") as file:
        return _digest(header.generator_config, stored_values(file, path, own, header.data_start, DAMAGED))


def loaded_generator_sha256(generator: Backbone[Any]) -> str:
    """The same hash of a generator in memory, on any device."""
    state = sorted(generator.state_dict().items())
    arrays = ((_PREFIX + name, tensor.cpu().numpy()) for name, tensor in state if not is_filter(name))
    return _digest(generator.config, arrays)


def _digest(config: BackboneConfig, arrays: Iterable[tuple[str, NDArray[np.float32]]]) -> str:
    digest = hashlib.sha256(json.dumps(config_to_json(config), sort_keys=True).encode())
    for name, array in arrays:
        digest.update(name.encode())
        digest.update(array.astype("<f4", copy=False).tobytes())
    return digest.hexdigest()
