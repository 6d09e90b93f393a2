"""From a checkpoint with EG3D's generator to a model file: weights and settings, each checked against what the generator demands."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.checkpoints.camera_choice import OWN_CAMERAS, CameraChoice, chosen_cameras, preset_of
from dnerf_core.checkpoints.checkpoint_file import read_checkpoint, refusal
from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, UNUSED_KEYS, check_shapes, expected_shapes, is_filter
from dnerf_core.checkpoints.given_config import read_given_config
from dnerf_core.checkpoints.inert_records import TensorRecord
from dnerf_core.checkpoints.mapped_file import file_stem
from dnerf_core.checkpoints.model_file import ModelHeader, file_sha256, read_header, save_arrays
from dnerf_core.checkpoints.networks import Network, find_network, left_out, unmodified
from dnerf_core.checkpoints.pickle_machine import MalformedPickleError
from dnerf_core.checkpoints.readers import readers
from dnerf_core.checkpoints.release_reader import Configured
from dnerf_core.checkpoints.release_settings import ReleaseSettings
from dnerf_core.errors import CheckpointError, UsageError

_CORRECT_CONFIG = "nothing was written; correct it there, or name the release with these settings"

DROPPED_KEYS = UNUSED_KEYS | {"dataset_label_std"}
"""Buffers that lie in a generator and that no layer reads; the second is written by the published training loop."""


@dataclass(frozen=True)
class ImportOptions:
    """What a user adds to what a checkpoint says.

    Attributes:
        config: settings of weights that travel without them: a release's name, or a JSON file (see `given_config`).
        network: the place of the generator to take where a file holds several.
        neural_resolution: in the place of the file's own.
        cameras: where the generator is looked at from.
    """

    config: str | None = None
    network: str | None = None
    neural_resolution: int | None = None
    cameras: CameraChoice = OWN_CAMERAS


@dataclass(frozen=True, eq=False)
class Release:
    """A checkpoint's generator, without the constant filters.

    Attributes:
        config: of its family's class.
        arrays: float32, by published key name.
        remarks: a line each for what the file left open or was set aside.
        licence: where its family's weights come from.
    """

    config: Any
    arrays: dict[str, np.ndarray]
    remarks: tuple[str, ...]
    licence: str


def read_release(path: str | Path, options: ImportOptions | None = None) -> Release:
    """The generator of a checkpoint as a config and float32 arrays by published key name, nothing of the file executed.

    Raises:
        UsageError: options that do not fit the file.
        CheckpointError: no checkpoint; a network other than EG3D's generator; a missing, misshapen or non-finite tensor; a
            setting that this generator does not implement, or none where the file holds weights alone.
    """
    path, options = Path(path), options or ImportOptions()
    checkpoint = read_checkpoint(path)
    try:
        network = find_network(checkpoint, path, readers(), options.network)
        return _checked(network, path, options)
    except MalformedPickleError as error:
        raise refusal(path, error) from error


def _checked(network: Network, path: Path, options: ImportOptions) -> Release:
    """The network's configuration, with every tensor that it demands."""
    where = f"{path}: {network.place}"
    config, remarks = _configured(network, path, options)
    demanded, remedy = expected_shapes(config), unmodified(network.reader.name)
    own = {key: record for key, record in network.tensors.items() if key in demanded}
    surplus = [key for key in network.tensors if key not in demanded and key not in DROPPED_KEYS]
    shapes = {key: record.shape for key, record in own.items()}
    check_shapes(shapes, config, where, remedy, needs_filters=network.modules is not None)
    arrays = {}
    for key, record in own.items():
        array = record.to_array()
        _check_values(key, array, where, remedy)
        if not is_filter(key):
            arrays[key] = array
    return Release(config, arrays, (*remarks, *_stored_otherwise(own), *left_out(network, surplus)), network.reader.licence)


def import_release(source: str | Path, output: str | Path, options: ImportOptions | None = None) -> ModelHeader:
    """Converts a checkpoint into a model file and returns the new file's header. The output appears whole or not at all.

    Args:
        source: the checkpoint: a release or a snapshot (.pkl), or what torch.save wrote of its generator (.pth, .pt).
        output: the .safetensors to write; a file of that name is replaced.

    Raises:
        UsageError: output and source are the same file, the output's folder does not exist, or as `read_release`.
        CheckpointError: as `read_release`.
        OutputError: the output cannot be written.
    """
    source, output = Path(source), Path(output)
    # Before anything long: a slip in the call should not cost a full read.
    if output.exists() and source.exists() and os.path.samefile(source, output):
        raise UsageError(f"{output}: expected an output other than the input, found the same file; give another output name")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: expected an existing folder to write to, found none at {output.parent}; make it first")
    release = read_release(source, options)
    origin = {
        "file": source.name,
        "sha256": file_sha256(source),
        "licence": release.licence,
        "remarks": list(release.remarks),
    }
    save_arrays(output, release.config, release.arrays, source=origin)
    return read_header(output)


def _configured(network: Network, path: Path, options: ImportOptions) -> Configured:
    """The configuration that travels with a network, or the one that is given for it, with the remarks of either."""
    keys = frozenset(network.tensors)
    where = f"{path}: {network.place}"
    if options.config is not None and (network.modules is not None or network.options is not None):
        raise UsageError(
            f"--config {options.config}: expected none, since {path} carries its generator's own settings; leave it out"
        )
    reader = network.reader
    settings = ReleaseSettings(
        path,
        where,
        network.modules or {},
        keys,
        options.neural_resolution,
        options.cameras,
        unmodified(reader.name),
    )
    if network.modules is not None:
        return reader.of_modules(settings)
    facts = reader.facts({key: record.shape for key, record in network.tensors.items()}, where)
    presets = {name: config for known in readers() for name, config in known.presets.items()}
    given = read_given_config(options.config, presets) if options.config is not None else network.options
    if given is None:
        raise CheckpointError(
            f"{where}: expected settings beside the weights, found none; name those it was trained with by --config, "
            f"a release ({', '.join(reader.presets)}) or a JSON file, such as the training's training_options.json"
        )
    if isinstance(given, Mapping):
        if options.config is not None:
            settings = dataclasses.replace(settings, where=f"--config {options.config}", remedy=_CORRECT_CONFIG)
        return reader.of_options(settings, given, facts)
    if type(given) is not type(next(iter(reader.presets.values()))):
        raise UsageError(
            f"--config {options.config}: expected settings of {reader.name}'s generator, which {path} holds, found another family's; "
            f"name one of {', '.join(reader.presets)}"
        )
    made, remarks = reader.with_shapes(given, facts)
    if options.neural_resolution is not None:
        made = dataclasses.replace(made, rays=dataclasses.replace(made.rays, neural_resolution=options.neural_resolution))
    cameras, told = chosen_cameras(made.cameras, options.cameras, release=preset_of(made.cameras), is_assumed=False)
    return reader.renamed(dataclasses.replace(made, name=file_stem(path), cameras=cameras)), (*remarks, *told)


def _stored_otherwise(records: Mapping[str, TensorRecord]) -> tuple[str, ...]:
    kinds = sorted({record.dtype for record in records.values()} - {"float32"})
    return (f"weights stored as {' and '.join(kinds)} become float32",) if kinds else ()


def _check_values(key: str, array: np.ndarray, where: str, remedy: str) -> None:
    if not np.isfinite(array).all():
        raise CheckpointError(f"{where}: {key}: expected finite values, found infinite ones or NaN; {remedy}")
    if is_filter(key):
        expected = np.outer(FILTER_TAPS, FILTER_TAPS) / 64
        if array.shape != (4, 4) or np.abs(array - expected).max() > 1e-6:
            raise CheckpointError(f"{where}: {key}: expected outer([1, 3, 3, 1]) / 64, found another filter; {remedy}")
