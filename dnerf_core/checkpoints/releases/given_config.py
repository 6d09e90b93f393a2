"""`--config`: the settings of weights that travel without them, by a release's name or out of a JSON file.

The JSON is a model file's own configuration (as `dnerf-headless info --json` prints it), a generator's construction arguments (with
`rendering_kwargs` among them), or the `training_options.json` that its training writes beside its snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerf_core.backbone.config_json import config_from_json
from dnerf_core.checkpoints.config_ranges import check_ranges
from dnerf_core.checkpoints.safetensors_layout import parsed_json
from dnerf_core.errors import CheckpointError, UsageError, brief

MAX_CONFIG_BYTES = 16 * 2**20
_REMEDY = "pass the settings that the training wrote (training_options.json), or a release's name"


def read_given_config(name_or_path: str, presets: Mapping[str, Any]) -> Any:
    """A preset or our own configuration as such; construction arguments as a dictionary with `rendering_kwargs`.

    Args:
        presets: configurations by name, all of the one family that is wanted.

    Raises:
        UsageError: no preset of that name, and no such file.
        CheckpointError: the file holds no settings.
    """
    if name_or_path in presets:
        return presets[name_or_path]
    path = Path(name_or_path)
    try:
        if not path.is_file():
            raise UsageError(
                f"--config {name_or_path}: expected a release ({', '.join(presets)}) or a JSON file, found neither; check the name"
            )
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"--config {path}: expected at most {MAX_CONFIG_BYTES} bytes, found {size}; {_REMEDY}")
        raw = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"--config {path}: cannot be read: {error.strerror or error}; check the path") from error
    config_class = type(next(iter(presets.values())))
    return _interpreted(parsed_json(raw, f"--config {path}", _REMEDY), config_class, f"--config {path}")


def _interpreted(data: dict[str, Any], config_class: type[Any], where: str) -> Any:
    if isinstance(data.get("G_kwargs"), dict):
        return _of_training(data, where)
    if isinstance(data.get("init_kwargs"), dict) and "rendering_kwargs" not in data:
        data = data["init_kwargs"]
    if isinstance(data.get("rendering_kwargs"), dict):
        return data
    if isinstance(data.get("generator"), dict):
        data = data["generator"]
    if "rays" in data:  # which every family's configuration has
        config = config_from_json(config_class, data, where)
        check_ranges(config, where, _REMEDY)
        return config
    raise CheckpointError(f"{where}: expected settings of a generator, found the names {brief(sorted(data))}; {_REMEDY}")


def _of_training(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Construction arguments out of training_options.json; resolutions stand with the data set and the loss."""
    options = dict(data["G_kwargs"])
    if not isinstance(options.get("rendering_kwargs"), dict):
        raise CheckpointError(f"{where}: G_kwargs: expected rendering_kwargs, as the training writes them, found none; {_REMEDY}")
    loss = data.get("loss_kwargs")
    if isinstance(loss, dict):
        last = loss.get("neural_rendering_resolution_final")
        options.setdefault(
            "neural_rendering_resolution", last if last is not None else loss.get("neural_rendering_resolution_initial")
        )
    return options
