"""From an EG3D release (.pkl) to a model file: G_ema's weights and settings, each checked against what the generator demands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, check_shapes, is_filter
from dnerf_core.checkpoints.model_file import ModelHeader, file_sha256, read_header, save_arrays
from dnerf_core.checkpoints.pickle_machine import shown
from dnerf_core.checkpoints.pickle_reader import ModuleRecord, TensorRecord, read_release_pickle
from dnerf_core.checkpoints.release_config import ReleaseSettings, release_config
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import GeneratorConfig

SOURCE_LICENCE = (
    "Weights converted from an EG3D release. NVIDIA published EG3D's weights under the NVIDIA Source Code License for "
    "non-commercial use; the terms that came with the release govern these weights too."
)

MAX_MODULES = 5_000
"""A release's G_ema has about 150 modules."""

_REMEDY = "nothing was written; import an unmodified release of EG3D"


@dataclass(frozen=True, eq=False)
class Release:
    """G_ema of a release, without the constant filters. `remarks`: a line each for what the file left open or was set aside."""

    config: GeneratorConfig
    arrays: dict[str, np.ndarray]
    remarks: tuple[str, ...]


def read_release(path: str | Path) -> Release:
    """G_ema of a release as a config and float32 arrays by published key name, nothing of the file executed.

    Raises:
        CheckpointError: no release; a network other than EG3D's generator; a missing, surplus, misshapen or non-finite tensor; a
            setting that this generator does not implement.
    """
    path = Path(path)
    tree = read_release_pickle(path)
    root = tree.get("G_ema") if type(tree) is dict else None
    if type(root) is not ModuleRecord:
        raise CheckpointError(f"{path}: expected a dictionary with the network 'G_ema', found none; {_REMEDY}")
    if root.class_name != "TriPlaneGenerator":
        raise CheckpointError(f"{path}: G_ema: expected a TriPlaneGenerator, found {shown(root.class_name)}; {_REMEDY}")
    modules = dict(_walk(root, f"{path}: G_ema"))
    records = _tensors(modules, f"{path}: G_ema")
    config, remarks = release_config(ReleaseSettings(path, modules, frozenset(records)))
    check_shapes({key: record.shape for key, record in records.items()}, config, f"{path}: G_ema", _REMEDY, needs_filters=True)
    arrays = {}
    for key, record in records.items():
        array = record.to_array()
        _check_values(key, array, path)
        if not is_filter(key):
            arrays[key] = array
    return Release(config, arrays, remarks)


def import_release(source: str | Path, output: str | Path) -> ModelHeader:
    """Converts a release into a model file and returns the new file's header. The output appears whole or not at all.

    Args:
        source: the release's .pkl.
        output: the .safetensors to write; a file of that name is replaced.

    Raises:
        UsageError: output and source are the same file, or the output's folder does not exist.
        CheckpointError: as `read_release`.
        OutputError: the output cannot be written.
    """
    source, output = Path(source), Path(output)
    # Before anything long: a slip in the call should not cost a full read.
    if output.exists() and source.exists() and os.path.samefile(source, output):
        raise UsageError(f"{output}: expected an output other than the input, found the same file; give another output name")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: expected an existing folder to write to, found none at {output.parent}; make it first")
    release = read_release(source)
    origin = {
        "file": source.name,
        "sha256": file_sha256(source),
        "licence": SOURCE_LICENCE,
        "remarks": list(release.remarks),
    }
    save_arrays(output, release.config, release.arrays, source=origin)
    return read_header(output)


def _walk(root: ModuleRecord, where: str) -> Iterator[tuple[str, ModuleRecord]]:
    """Every module with its dotted name, the root as ''. Bounded: a file may nest a module in itself."""
    waiting, count = [("", root, 0)], 0
    while waiting:
        name, module, depth = waiting.pop()
        count += 1
        if count > MAX_MODULES or depth > 16:
            raise CheckpointError(f"{where}: expected some 150 modules, found far more; {_REMEDY}")
        yield name, module
        for key, child in _attribute(module, "_modules", f"{where}.{name}").items():
            if child is None:
                continue
            if type(child) is not ModuleRecord:
                raise CheckpointError(f"{where}.{name}: module {key!r}: expected a module, found {shown(child)}; {_REMEDY}")
            waiting.append((f"{name}.{key}" if name else key, child, depth + 1))


def _attribute(module: ModuleRecord, attribute: str, where: str) -> dict[str, Any]:
    found = module.state.get(attribute)
    if type(found) is not dict or not all(type(key) is str and re.fullmatch(r"\w{1,80}", key, re.ASCII) for key in found):
        raise CheckpointError(f"{where}: expected {attribute!r} to be a dictionary of names, found another value; {_REMEDY}")
    return found


def _tensors(modules: Mapping[str, ModuleRecord], where: str) -> dict[str, TensorRecord]:
    """The state dict: parameters and persistent buffers by full name."""
    records: dict[str, TensorRecord] = {}
    for name, module in modules.items():
        passing = module.state.get("_non_persistent_buffers_set")
        skipped = passing if type(passing) is set else set()
        owned = _attribute(module, "_parameters", f"{where}.{name}") | {
            key: value for key, value in _attribute(module, "_buffers", f"{where}.{name}").items() if key not in skipped
        }
        for key, record in owned.items():
            full = f"{name}.{key}" if name else key
            if record is None:
                continue
            if type(record) is not TensorRecord:
                raise CheckpointError(f"{where}: {full}: expected a float32 tensor, found {shown(record)}; {_REMEDY}")
            records[full] = record
    return records


def _check_values(key: str, array: np.ndarray, path: Path) -> None:
    if not np.isfinite(array).all():
        raise CheckpointError(f"{path}: G_ema: {key}: expected finite values, found infinite ones or NaN; {_REMEDY}")
    if is_filter(key):
        expected = np.outer(FILTER_TAPS, FILTER_TAPS) / 64
        if array.shape != (4, 4) or np.abs(array - expected).max() > 1e-6:
            raise CheckpointError(f"{path}: G_ema: {key}: expected outer([1, 3, 3, 1]) / 64, found another filter; {_REMEDY}")
