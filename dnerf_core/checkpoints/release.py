"""From a checkpoint with a generator to a model file; the family that the generator is of reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnerf_core.backbone.family import named
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.checkpoints.inert.checkpoint_file import read_checkpoint, refusal
from dnerf_core.checkpoints.inert.pickle_machine import MalformedPickleError
from dnerf_core.checkpoints.model_file import ModelHeader, file_sha256, read_header, save_arrays
from dnerf_core.checkpoints.releases.camera_choice import OWN_CAMERAS, CameraChoice
from dnerf_core.checkpoints.releases.networks import find_network
from dnerf_core.errors import UsageError


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
        remarks: a line each for what the file left open or was set aside.
        licence: the terms that the weights come with.
    """

    config: BackboneConfig
    arrays: dict[str, np.ndarray]
    remarks: tuple[str, ...]
    licence: str


def read_release(path: str | Path, options: ImportOptions | None = None) -> Release:
    """The generator of a checkpoint as a config and float32 arrays by published key name, nothing of the file executed.

    Raises:
        UsageError: options that do not fit the file.
        CheckpointError: no checkpoint; a network that is no family's generator; a missing, misshapen or non-finite tensor; a
            setting that this generator does not implement, or none where the file holds weights alone.
    """
    path, options = Path(path), options or ImportOptions()
    checkpoint = read_checkpoint(path)
    try:
        network = find_network(checkpoint, path, options.network)
        release: Release = named(network.family.read_release)(network, path, options)
        return release
    except MalformedPickleError as error:
        raise refusal(path, error) from error


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
