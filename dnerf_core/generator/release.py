"""EG3D's generator out of a checkpoint: weights and settings, each checked against what the generator demands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dnerf_core.checkpoints.camera_choice import chosen_cameras, preset_of
from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, UNUSED_KEYS, check_shapes, expected_shapes, is_filter
from dnerf_core.checkpoints.given_config import read_given_config
from dnerf_core.checkpoints.inert_records import TensorRecord
from dnerf_core.checkpoints.mapped_file import file_stem
from dnerf_core.checkpoints.networks import UNMODIFIED, Network, left_out
from dnerf_core.checkpoints.release import ImportOptions, Release
from dnerf_core.checkpoints.release_config import ReleaseSettings, named_config, release_config, settings_of_options
from dnerf_core.checkpoints.shape_facts import shape_facts, with_shapes
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import PRESETS, GeneratorConfig

SOURCE_LICENCE = (
    "Weights converted from an EG3D release. NVIDIA published EG3D's weights under the NVIDIA Source Code License for "
    "non-commercial use; the terms that came with the release govern these weights too."
)

_CORRECT_CONFIG = "nothing was written; correct it there, or name the release with these settings"

DROPPED_KEYS = UNUSED_KEYS | {"dataset_label_std"}
"""Buffers that lie in a generator and that no layer reads; the second is written by the published training loop."""


def read_eg3d(network: Network, path: Path, options: ImportOptions) -> Release:
    """The network's configuration, with every tensor that it demands; see `checkpoints.release.read_release`."""
    where = f"{path}: {network.place}"
    config, remarks = _configured(network, path, options)
    demanded = expected_shapes(config)
    own = {key: record for key, record in network.tensors.items() if key in demanded}
    surplus = [key for key in network.tensors if key not in demanded and key not in DROPPED_KEYS]
    shapes = {key: record.shape for key, record in own.items()}
    check_shapes(shapes, config, where, UNMODIFIED, needs_filters=network.modules is not None)
    arrays = {}
    for key, record in own.items():
        array = record.to_array()
        _check_values(key, array, where)
        if not is_filter(key):
            arrays[key] = array
    return Release(config, arrays, (*remarks, *_stored_otherwise(own), *left_out(network, surplus)), SOURCE_LICENCE)


def _configured(network: Network, path: Path, options: ImportOptions) -> tuple[GeneratorConfig, tuple[str, ...]]:
    """The configuration that travels with a network, or the one that is given for it, with the remarks of either."""
    keys = frozenset(network.tensors)
    where = f"{path}: {network.place}"
    if options.config is not None and (network.modules is not None or network.options is not None):
        raise UsageError(
            f"--config {options.config}: expected none, since {path} carries its generator's own settings; leave it out"
        )
    settings = ReleaseSettings(path, where, network.modules or {}, keys, options.neural_resolution, options.cameras)
    if network.modules is not None:
        return release_config(settings)
    facts = shape_facts({key: record.shape for key, record in network.tensors.items()}, where)
    given = read_given_config(options.config) if options.config is not None else network.options
    if given is None:
        raise CheckpointError(
            f"{where}: expected settings beside the weights, found none; name those it was trained with by --config, "
            f"a release ({', '.join(PRESETS)}) or a JSON file, such as the training's training_options.json"
        )
    if isinstance(given, GeneratorConfig):
        made, remarks = with_shapes(given, facts)
        if options.neural_resolution is not None:
            made = dataclasses.replace(made, rays=dataclasses.replace(made.rays, neural_resolution=options.neural_resolution))
        cameras, told = chosen_cameras(made.cameras, options.cameras, release=preset_of(made.cameras), is_assumed=False)
        return named_config(dataclasses.replace(made, name=file_stem(path), cameras=cameras)), (*remarks, *told)
    if options.config is not None:
        settings = dataclasses.replace(settings, where=f"--config {options.config}", remedy=_CORRECT_CONFIG)
    settings, changed = settings_of_options(settings, given, facts)
    config, remarks = release_config(settings)
    return config, (*changed, *remarks)


def _stored_otherwise(records: Mapping[str, TensorRecord]) -> tuple[str, ...]:
    kinds = sorted({record.dtype for record in records.values()} - {"float32"})
    return (f"weights stored as {' and '.join(kinds)} become float32",) if kinds else ()


def _check_values(key: str, array: np.ndarray, where: str) -> None:
    if not np.isfinite(array).all():
        raise CheckpointError(f"{where}: {key}: expected finite values, found infinite ones or NaN; {UNMODIFIED}")
    if is_filter(key):
        expected = np.outer(FILTER_TAPS, FILTER_TAPS) / 64
        if array.shape != (4, 4) or np.abs(array - expected).max() > 1e-6:
            raise CheckpointError(f"{where}: {key}: expected outer([1, 3, 3, 1]) / 64, found another filter; {UNMODIFIED}")
