"""Where commands meet the engine: which file a model argument means, what is inside it, and the model on its device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.embedded import EMBEDDED_MODELS, model_path
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.labels import LabelSet

if TYPE_CHECKING:
    from dnerf_core.files.annotated_folder import Annotations
    from dnerf_core.model import Model


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
    config: GeneratorConfig
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
        raise UsageError(
            f"{name_or_path}: expected the embedded model {' or '.join(EMBEDDED_MODELS)} or a model file, found no such file; "
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


def pick_device(asked: str) -> str:
    """The torch device for `--device`: "cpu" or "cuda".

    Raises:
        UsageError: "cuda" is asked for and torch sees none.
    """
    import torch

    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise UsageError(
            "--device cuda: expected a CUDA device, torch sees none; use --device cpu, or see `dnerf-headless doctor`"
        )
    return "cuda" if available and asked != "cpu" else "cpu"


def load_model(name_or_path: str, device: str, *, exact: bool = False) -> Model:
    """The model on `device` ("auto", "cpu" or "cuda"); `exact` as `Model.load`.

    Raises:
        UsageError: the device is not there.
        CheckpointError: no such model, or its file cannot be used.
    """
    chosen = pick_device(device)
    from dnerf_core.model import Model

    return Model.load(model_path(name_or_path), device=chosen, exact=exact)


@contextmanager
def one_thread_a_view() -> Iterator[None]:
    """Meanwhile torch computes each call in the thread that makes it, and several views side by side take the cores instead.

    Sums that are split among threads round differently with each number of them; like this a view's bytes depend on none.
    """
    with threads_a_view(1):
        yield


@contextmanager
def threads_a_view(count: int) -> Iterator[None]:
    """Meanwhile torch splits each call among so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def recorded_name(name_or_path: str) -> str:
    """How a record that outlives the current folder names a model: an embedded one by name, a file by its absolute path."""
    return name_or_path if name_or_path in EMBEDDED_MODELS else str(Path(name_or_path).resolve())


def check_generator(annotations: Annotations, path: Path) -> None:
    """Refuse a model whose generator did not make the images of annotated folders.

    Raises:
        CheckpointError: it did not, or the file cannot be used.
    """
    from dnerf_core.checkpoints.generator_hash import generator_sha256

    found = generator_sha256(path)
    if found != annotations.generator_sha256:
        raise CheckpointError(
            f"{path}: expected the generator that {annotations.folders[0]} was sampled from "
            f"({annotations.generator_sha256[:12]}), found another ({found[:12]}); name the right one with --model"
        )
