"""What a model file says of itself, read without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.embedded import EMBEDDED_MODELS, model_path
from dnerf_core.errors import CheckpointError, UsageError, did_you_mean
from dnerf_core.labels import LabelSet

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class ModelFacts:
    """What a model file says of itself, read without torch.

    Attributes:
        path: the file.
        sha256: its hash, hexadecimal.
        config: the generator.
        semantic_config: the semantic branch as JSON values; None without one.
        labels: the label set; None without one.
        source: where the weights came from, with their licence note; empty if not told.
        training: the training record; empty if not told.
        parameters: number of values by part, such as {"generator": 31_000_000}.
    """

    path: Path
    sha256: str
    config: BackboneConfig
    semantic_config: dict[str, Any] | None
    labels: LabelSet | None
    source: dict[str, Any]
    training: dict[str, Any]
    parameters: dict[str, int]

    @property
    def has_semantics(self) -> bool:
        """Whether views of this model come with masks."""
        return self.semantic_config is not None


def describe_model(name_or_path: str) -> ModelFacts:
    """What a model says of itself, without torch and without reading its weights into memory.

    Raises:
        UsageError: no such model.
        CheckpointError: its file cannot be used.
    """
    from dnerf_core.checkpoints.model_file import file_sha256, read_header

    path = model_path(name_or_path)
    if not os.path.lexists(path):
        near = did_you_mean(path.name, [*EMBEDDED_MODELS, *(file.name for file in path.parent.glob("*.safetensors"))])
        raise UsageError(
            f"{name_or_path}: expected the embedded model {' or '.join(EMBEDDED_MODELS)} or a model file, found no such file{near}; "
            "correct the name, or make a model file of a published checkpoint with `dnerf-headless import`"
        )
    header = read_header(path)
    if header.has_semantics and header.labels is None:
        raise CheckpointError(
            f"{path}: expected a label set with the semantic branch, found none; train or import the file again"
        )
    parameters: dict[str, int] = {}
    for name, info in header.tensors.items():
        part = name.partition(".")[0]
        parameters[part] = parameters.get(part, 0) + info.count
    return ModelFacts(
        path=path,
        sha256=file_sha256(path),
        config=header.generator_config,
        semantic_config=header.semantic_config,
        labels=header.labels,
        source=header.source or {},
        training=header.training or {},
        parameters=parameters,
    )


def recorded_name(name_or_path: str) -> str:
    """How a record that outlives the current folder names a model: an embedded one by name, a file by its absolute path."""
    return name_or_path if name_or_path in EMBEDDED_MODELS else str(Path(name_or_path).resolve())
