"""The model file: a .safetensors with a generator, its semantic branch if there is one, and a JSON header that describes both.

docs/model-file.md describes the format. Reading a header needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.backbone.registry import UNNAMED, family_named, family_of
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.checkpoints.config_ranges import check_ranges
from dnerf_core.checkpoints.expected_shapes import check_shapes, is_filter
from dnerf_core.checkpoints.safetensors_layout import (
    DAMAGED,
    MODEL,
    SUM_KEY,
    TYPE_NAMES,
    TensorInfo,
    checked_fields,
    content_sha256,
    read_layout,
    stored_values,
)
from dnerf_core.errors import AnnotationError, CheckpointError
from dnerf_core.files.whole import output_error, sync_folder, whole_file
from dnerf_core.labels import LabelSet

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1
METADATA_KEY = MODEL.key

StoredFloat = Literal["float32", "float16"]

_FIELDS = {"format_version", "generator", "semantic", "labels", "source", "training"}
_OPTIONAL_FIELDS = frozenset({"family"})


@dataclass(frozen=True, eq=False)
class ModelHeader:
    """What a model file says about itself.

    Attributes:
        generator_config: what function the generator's weights are; its class says of which family.
        semantic_config: the semantic branch's configuration as JSON values, None without a branch.
        labels: what the branch's classes mean.
        source: where the weights come from: "file", "sha256", "licence", and what an import has to remark.
        training: seed, label count and scores of a training run.
        tensors: every tensor of the file by its full name.
        data_start: byte where the tensors begin.
    """

    path: Path
    format_version: int
    generator_config: BackboneConfig
    semantic_config: dict[str, Any] | None
    labels: LabelSet | None
    source: dict[str, Any] | None
    training: dict[str, Any] | None
    tensors: dict[str, TensorInfo]
    data_start: int

    @property
    def has_semantics(self) -> bool:
        """Whether the file carries a semantic branch."""
        return self.semantic_config is not None


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A model file in memory: states of float32 tensors on the CPU, keys without their prefix; `sha256` is the whole file's."""

    header: ModelHeader
    generator_state: dict[str, Tensor]
    semantic_state: dict[str, Tensor] | None
    sha256: str


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Reading


def read_header(path: str | Path) -> ModelHeader:
    """The header of a model file, with the generator's tensors checked against the config by name and shape.

    Raises:
        CheckpointError: no readable file, not a model file, another format version, a config out of range, or tensors that the
            config does not demand.
    """
    path = Path(path)
    layout = read_layout(path, MODEL)
    fields = checked_fields(layout, path, MODEL, FORMAT_VERSION, _FIELDS, _OPTIONAL_FIELDS)
    for name in ("semantic", "labels", "source", "training"):
        if not isinstance(fields[name], dict | None):
            raise CheckpointError(f"{path}: header field {name!r}: expected an object or null; {DAMAGED}")
    family = family_named(fields.get("family", UNNAMED), f"{path}: family")
    config: BackboneConfig = config_from_json(family.config_class, fields["generator"], f"{path}: generator")
    check_ranges(config, f"{path}: generator", DAMAGED)
    _check_tensors(layout.tensors, config, fields["semantic"] is not None, path)
    try:
        labels = None if fields["labels"] is None else LabelSet.from_json(fields["labels"], f"{path}: labels")
    except AnnotationError as error:
        raise CheckpointError(str(error)) from error
    return ModelHeader(
        path=path,
        format_version=FORMAT_VERSION,
        generator_config=config,
        semantic_config=fields["semantic"],
        labels=labels,
        source=fields["source"],
        training=fields["training"],
        tensors=layout.tensors,
        data_start=layout.data_start,
    )


def load_model_file(path: str | Path) -> ModelFile:
    """A model file with its weights as float32 tensors on the CPU, whatever the file stores them as.

    Raises:
        CheckpointError: as `read_header`, or a tensor with a value that is not finite.
    """
    import torch

    header = read_header(path)
    states: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in MODEL.prefixes}
    with header.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        for name, values in stored_values(file, header.path, header.tensors, header.data_start, DAMAGED):
            prefix = next(prefix for prefix in MODEL.prefixes if name.startswith(prefix))
            key = name.removeprefix(prefix)
            if prefix == "semantic." or not is_filter(key):
                states[prefix][key] = torch.from_numpy(values)
    return ModelFile(header, states["generator."], states["semantic."] if header.has_semantics else None, sha256)


def _check_tensors(tensors: Mapping[str, TensorInfo], config: BackboneConfig, is_semantic: bool, path: Path) -> None:
    shapes = {name.removeprefix("generator."): info.shape for name, info in tensors.items() if name.startswith("generator.")}
    check_shapes(shapes, config, f"{path}: generator", DAMAGED)
    exact = family_of(config).exact_tensors
    for name in shapes:
        if name.startswith(exact) and (dtype := tensors[f"generator.{name}"].dtype) != np.float32:
            raise CheckpointError(f"{path}: generator.{name}: expected float32 values, found {dtype}; save the model again")
    has_weights = len(shapes) < len(tensors)
    if has_weights != is_semantic:
        lacks = "weights" if is_semantic else "a configuration"
        raise CheckpointError(f"{path}: semantic branch: expected configuration and weights, found none of {lacks}; {DAMAGED}")


# Writing


def save_model(
    path: str | Path,
    generator_config: BackboneConfig,
    generator_state: Mapping[str, Tensor],
    *,
    semantic_config: dict[str, Any] | None = None,
    semantic_state: Mapping[str, Tensor] | None = None,
    labels: LabelSet | None = None,
    source: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    stored: StoredFloat = "float32",
) -> None:
    """Writes a model file, whole or not at all; a file of that name is replaced.

    Args:
        path: the .safetensors to write.
        generator_state: float tensors by published key name, as `generator_config` demands them; upsampling filters, which are
            constants, may be there or not and are left out.
        semantic_config: JSON values; given exactly when `semantic_state` is.
        source, training: JSON values for the header.
        stored: type of every value on disk but a family's `exact_tensors`; "float16" halves the file.

    Raises:
        CheckpointError: the config is out of range, or the tensors are not those it demands, or not finite as `stored`.
        OutputError: the file cannot be written.
    """
    arrays = {key: tensor.detach().cpu().float().numpy() for key, tensor in generator_state.items()}
    semantic = None if semantic_state is None else {k: t.detach().cpu().float().numpy() for k, t in semantic_state.items()}
    save_arrays(
        path, generator_config, arrays, semantic_config=semantic_config, semantic_arrays=semantic, labels=labels, source=source,
        training=training, stored=stored,
    )  # fmt: skip


def save_arrays(
    path: str | Path,
    generator_config: BackboneConfig,
    generator_arrays: Mapping[str, np.ndarray],
    *,
    semantic_config: dict[str, Any] | None = None,
    semantic_arrays: Mapping[str, np.ndarray] | None = None,
    labels: LabelSet | None = None,
    source: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    stored: StoredFloat = "float32",
) -> None:
    """`save_model` for numpy arrays; needs no torch."""
    path = Path(path)
    check_ranges(generator_config, f"{path}: generator", "not written")
    check_shapes(
        {key: array.shape for key, array in generator_arrays.items()}, generator_config, f"{path}: generator", "not written"
    )
    if (semantic_config is None) != (semantic_arrays is None):
        raise CheckpointError(f"{path}: semantic branch: expected configuration and weights together, found one; not written")
    named = {f"generator.{key}": array for key, array in generator_arrays.items() if not is_filter(key)}
    named |= {f"semantic.{key}": array for key, array in (semantic_arrays or {}).items()}
    family = family_of(generator_config)
    exact = tuple(f"generator.{prefix}" for prefix in family.exact_tensors)
    with np.errstate(over="ignore"):  # found by the check below, with the tensor's name
        tensors = {
            name: np.ascontiguousarray(array, "float32" if name.startswith(exact) else stored).reshape(array.shape)
            for name, array in named.items()
        }
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {name}: expected finite values as {stored}, found others; not written")
    header = {
        "format_version": FORMAT_VERSION,
        **({} if family.name == UNNAMED else {"family": family.name}),
        "generator": config_to_json(generator_config),
        "semantic": semantic_config,
        "labels": None if labels is None else labels.to_json(),
        "source": source,
        "training": training,
    }
    text = json.dumps(header, allow_nan=False, sort_keys=True)
    write_tensors(path, tensors, METADATA_KEY, text)


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], key: str, text: str) -> None:
    """Writes a .safetensors whose metadata has one text and the content's check sum, whole or not at all; a file of that name is replaced.

    The layout is that of the safetensors library, wide types first and then by name; it writes several texts in an order that changes from
    run to run, which equal calls must not.

    Args:
        tensors: contiguous arrays, little-endian, of a type that a .safetensors of that kind may have.

    Raises:
        OutputError: the file cannot be written.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])))
    data = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in ordered.values()]
    described = [(name, array.dtype, array.shape) for name, array in ordered.items()]
    table: dict[str, Any] = {"__metadata__": {key: text, SUM_KEY: content_sha256(text, described, data)}}
    end = 0
    for (name, dtype, shape), piece in zip(described, data, strict=True):
        table[name] = {"dtype": TYPE_NAMES[dtype], "shape": list(shape), "data_offsets": [end, end + len(piece)]}
        end += len(piece)
    header = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    try:
        with whole_file(path) as temporary, temporary.open("xb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.writelines(data)
        sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
