"""The state file of a training that is under way, beside its output: written whole, read without executing anything of it."""

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

from dnerf_core.errors import OutputError
from dnerf_core.files.whole import write_bytes_whole

STATE_FORMAT = "datasetnerf-training-state"
STATE_VERSION = 1

BRANCH_STATE: Mapping[str, type] = {"fingerprint": str, "losses": list, "branch": dict, "optimizer": dict}
"""What the state of a semantic branch's training holds."""

TrainingCall = Mapping[str, Any]
"""All that decides what a training's result is, as JSON values by the words in which a message names them."""


@dataclass(frozen=True)
class KeptState:
    """What a state file holds: the training's own state, and the seconds spent so far."""

    state: dict[str, Any]
    seconds: float


def state_path(output: Path) -> Path:
    """Where the state of a training to `output` lies."""
    return output.with_name(f".{output.stem}.training-state.pt")


def write_state(path: Path, call: TrainingCall, kept: KeptState) -> None:
    """Write a state file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    data = {
        "format": STATE_FORMAT,
        "version": STATE_VERSION,
        "call": json.dumps(call),
        "seconds": kept.seconds,
        "state": kept.state,
    }
    # To memory first: torch.save turns the system's refusals into a RuntimeError of its own.
    buffer = io.BytesIO()
    torch.save(data, buffer)
    write_bytes_whole(path, buffer.getvalue())


def read_state(path: Path, call: TrainingCall, kinds: Mapping[str, type] = BRANCH_STATE) -> KeptState | None:
    """The state that an interrupted run of this call left; None where there is none.

    Args:
        kinds: what a training's state must hold, by its keys, `losses` among them.

    Raises:
        OutputError: the file cannot be read, or is another call's.
    """
    if not path.exists():
        return None
    remedy = "remove the file to start anew"
    try:
        data = torch.load(path, map_location="cpu", weights_only=True) if zipfile.is_zipfile(path) else None
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as error:
        raise OutputError(f"{path}: expected the state of an interrupted training, it cannot be read; {remedy}") from error
    if not isinstance(data, dict) or data.get("format") != STATE_FORMAT or data.get("version") != STATE_VERSION:
        raise OutputError(f"{path}: expected format {STATE_FORMAT} {STATE_VERSION}, found another; {remedy}")
    theirs, ours = _call_of(data), json.loads(json.dumps(call))
    if theirs is None or not _is_whole(data, kinds):
        raise OutputError(f"{path}: expected the whole state of an interrupted training, found less or something else; {remedy}")
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise OutputError(
            f"{path}: expected the state of this training, found another's, with a different value of {', '.join(different)}; "
            f"repeat that call to finish it, choose another --output, or {remedy}"
        )
    return KeptState(data["state"], float(data["seconds"]))


def _call_of(data: dict[Any, Any]) -> dict[str, Any] | None:
    """The call that a state file names; None where it names none."""
    try:
        call = json.loads(data["call"])
    except (LookupError, TypeError, ValueError, RecursionError):
        return None
    return call if isinstance(call, dict) else None


def _is_whole(data: dict[Any, Any], kinds: Mapping[str, type]) -> bool:
    """Whether a state file holds seconds and a training's state; whether that is this training's is found by its fingerprint."""
    seconds, state = data.get("seconds"), data.get("state")
    return (
        isinstance(seconds, float | int)
        and 0 <= seconds < math.inf
        and isinstance(state, dict)
        and all(isinstance(state.get(name), kind) for name, kind in kinds.items())
        and all(isinstance(loss, float) for loss in state["losses"])
    )
