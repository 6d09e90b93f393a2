"""The state file of a training of points that is under way, beside its output: written whole, read without executing anything of it."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dnerf_core.downstream.points.training import TrainingState
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import write_bytes_whole

STATE_FORMAT = "datasetnerf-points-state"
STATE_VERSION = 1
_REMEDY = "remove the file to start anew"


@dataclass(frozen=True)
class KeptState:
    """What a state file holds: the training's own state, and the seconds spent so far."""

    state: TrainingState
    seconds: float


def state_path(output: Path) -> Path:
    """Where the state of a training to `output` lies."""
    return output.with_name(f".{output.stem}.training-state.pt")


def write_state(path: Path, call: Mapping[str, Any], kept: KeptState) -> None:
    """Write a state file, whole or not at all.

    Args:
        call: all that decides the result, as JSON values by the words in which a message names them.

    Raises:
        OutputError: it cannot be written.
    """
    head = {"format": STATE_FORMAT, "version": STATE_VERSION, "call": json.dumps(call), "seconds": kept.seconds}
    buffer = io.BytesIO()  # to memory first: torch.save turns the system's refusals into a RuntimeError of its own
    torch.save({**head, **vars(kept.state)}, buffer)
    write_bytes_whole(path, buffer.getvalue())


def read_state(path: Path, call: Mapping[str, Any], network: Mapping[str, torch.Tensor]) -> KeptState | None:
    """The state that an interrupted run of this call left; None where there is none.

    Args:
        network: the state of the fresh network, whose names and shapes the file's must have.

    Raises:
        OutputError: the file cannot be read, or is another call's.
    """
    if not path.exists():
        return None
    try:
        data = torch.load(path, map_location="cpu", weights_only=True) if zipfile.is_zipfile(path) else None
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as error:
        raise OutputError(f"{path}: expected the state of an interrupted training, it cannot be read; {_REMEDY}") from error
    if not isinstance(data, dict) or data.get("format") != STATE_FORMAT or data.get("version") != STATE_VERSION:
        raise OutputError(f"{path}: expected format {STATE_FORMAT} {STATE_VERSION}, found another; {_REMEDY}")
    theirs, ours = _call_of(data), json.loads(json.dumps(call))
    if theirs is None or not _is_whole(data, network):
        raise OutputError(f"{path}: expected the whole state of an interrupted training, found less or something else; {_REMEDY}")
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise OutputError(
            f"{path}: expected the state of this training, found another's, with a different value of {', '.join(different)}; "
            f"repeat that call to finish it, choose another --output, or {_REMEDY}"
        )
    state = TrainingState(
        data["precision"], data["network"], data["optimizer"], data["losses"], [(int(k), float(v)) for k, v in data["validated"]]
    )
    return KeptState(state, float(data["seconds"]))


def _call_of(data: dict[Any, Any]) -> dict[str, Any] | None:
    """The call that a state file names; None where it names none."""
    try:
        call = json.loads(data["call"])
    except (LookupError, TypeError, ValueError, RecursionError):
        return None
    return call if isinstance(call, dict) else None


def _is_whole(data: dict[Any, Any], network: Mapping[str, torch.Tensor]) -> bool:
    seconds, tensors = data.get("seconds"), data.get("network")
    return (
        isinstance(seconds, float | int)
        and 0 <= seconds < math.inf
        and data.get("precision") in ("float32", "bfloat16")
        and isinstance(tensors, dict)
        and {name: getattr(value, "shape", None) for name, value in tensors.items()}
        == {name: value.shape for name, value in network.items()}
        and isinstance(data.get("optimizer"), dict)
        and isinstance(data.get("losses"), list)
        and all(isinstance(loss, float) for loss in data["losses"])
        and isinstance(data.get("validated"), list)
        and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in data["validated"])
    )
