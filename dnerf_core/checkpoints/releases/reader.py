"""Reading a checkpoint's generator by what its family supplies: settings and weights, each checked against what the generator demands."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from dnerf_core.backbone.specs import Shape
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, UNUSED_KEYS, check_shapes, expected_shapes, is_filter
from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.inert.records import TensorRecord
from dnerf_core.checkpoints.release import ImportOptions, Release
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras
from dnerf_core.checkpoints.releases.given_config import read_given_config
from dnerf_core.checkpoints.releases.networks import Network, left_out
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.errors import CheckpointError, UsageError

_CORRECT_CONFIG = "nothing was written; correct it there, or name the release with these settings"

DROPPED_KEYS = UNUSED_KEYS | {"dataset_label_std"}
"""Buffers that lie in a generator and that no layer reads; the second is written by the published training loop."""

Configured = tuple[Any, tuple[str, ...]]
"""A family's configuration, and a remark for everything that was left open or set aside."""


Facts = TypeVar("Facts")


@dataclass(frozen=True)
class ReleaseReader(Generic[Facts]):
    """How one family's releases are read. `Facts` is what the shapes of its tensors tell, in the family's own words.

    Attributes:
        title: the family, as messages name it: "EG3D".
        licence: what a model file's header says of where the weights come from.
        presets: configurations of its releases by name, which `--config` takes; at least one.
        video_cameras: the cameras of its published video script, by release; none: `--video-cameras` is refused.
        of_modules: the configuration that a pickled network's modules carry, named after the file.
        read_shapes: (shapes by published name, how a message begins) -> what they tell of bare weights.
        of_options: (settings without modules, construction arguments, facts) -> the configuration of a state dict beside these arguments,
            named after the file.
        with_shapes: a given configuration, with what shapes decide in its place.
    """

    title: str
    licence: str
    presets: Mapping[str, Any]
    video_cameras: Mapping[str, CameraConfig]
    of_modules: Callable[[ReleaseSettings], Configured]
    read_shapes: Callable[[Mapping[str, Shape], str], Facts]
    of_options: Callable[[ReleaseSettings, Mapping[str, Any], Facts], Configured]
    with_shapes: Callable[[Any, Facts], Configured]

    @property
    def remedy(self) -> str:
        """How a message ends that refuses what no training of the family writes."""
        return f"nothing was written; import an unmodified generator of {self.title}"

    def read(self, network: Network, path: Path, options: ImportOptions) -> Release:
        """The network's configuration, with every tensor that it demands; see `checkpoints.release.read_release`."""
        where = f"{path}: {network.place}"
        config, remarks = self._configured(network, path, options)
        config = self.named(config)
        demanded = expected_shapes(config)
        own = {key: record for key, record in network.tensors.items() if key in demanded}
        surplus = [key for key in network.tensors if key not in demanded and key not in DROPPED_KEYS]
        shapes = {key: record.shape for key, record in own.items()}
        check_shapes(shapes, config, where, self.remedy, needs_filters=network.modules is not None)
        arrays = {}
        for key, record in own.items():
            array = record.to_array()
            _check_values(key, array, where, self.remedy)
            if not is_filter(key):
                arrays[key] = array
        return Release(config, arrays, (*remarks, *_stored_otherwise(own), *left_out(network, surplus)), self.licence)

    def named(self, config: Any) -> Any:
        """`config` under the name of the release that it equals, its own where it is one of them, else the first.

        A configuration that equals none keeps its name.
        """
        same = [name for name, known in self.presets.items() if dataclasses.replace(known, name=config.name) == config]
        return config if config.name in same or not same else dataclasses.replace(config, name=same[0])

    def _configured(self, network: Network, path: Path, options: ImportOptions) -> Configured:
        """The configuration that travels with a network, or the one that is given for it, with the remarks of either."""
        where = f"{path}: {network.place}"
        if options.config is not None and (network.modules is not None or network.options is not None):
            raise UsageError(
                f"--config {options.config}: expected none, since {path} carries its generator's own settings; leave it out"
            )
        keys, choice = frozenset(network.tensors), options.cameras
        settings = ReleaseSettings(path, where, network.modules or {}, keys, options.neural_resolution, choice, self.remedy)
        if network.modules is not None:
            return self.of_modules(settings)
        facts = self.read_shapes({key: record.shape for key, record in network.tensors.items()}, where)
        given = network.options if options.config is None else read_given_config(options.config, self.presets)
        if given is None:
            raise CheckpointError(
                f"{where}: expected settings beside the weights, found none; name those it was trained with by --config, "
                f"a release ({', '.join(self.presets)}) or a JSON file, such as the training's training_options.json"
            )
        if isinstance(given, Mapping):
            if options.config is not None:
                settings = dataclasses.replace(settings, where=f"--config {options.config}", remedy=_CORRECT_CONFIG)
            return self.of_options(settings, given, facts)
        config, remarks = self.with_shapes(given, facts)
        if options.neural_resolution is not None:
            config = dataclasses.replace(
                config, rays=dataclasses.replace(config.rays, neural_resolution=options.neural_resolution)
            )
        release = next((name for name, known in self.presets.items() if known.cameras == config.cameras), None)
        cameras, camera_remarks = chosen_cameras(
            config.cameras, choice, release=release, video_cameras=self.video_cameras, is_assumed=False
        )
        return dataclasses.replace(config, name=file_stem(path), cameras=cameras), (*remarks, *camera_remarks)


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
