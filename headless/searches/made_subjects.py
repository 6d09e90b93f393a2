"""Subject files that a command makes: known again by how they were made, so that the same call does only what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dnerf_core.checkpoints.subject_file import read_subject_header
from dnerf_core.errors import CheckpointError, OutputError, UsageError
from dnerf_core.files.whole import check_writable, leftovers, remove_files
from headless.work.spellings import MADE_NAMES


def made_before(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What the subject file says of how it was made, where it is the whole result of what is asked for; None: it is to be made.

    Args:
        asked: what decides the result; a part of the file's `made`, where also `finished` stands.

    Raises:
        OutputError: another call's file stands there, or something else.
    """
    if not path.exists():
        return None
    try:
        made = read_subject_header(path).made
    except CheckpointError as error:
        raise OutputError(f"{error}; it stands where this call would write: remove it, or choose another --output") from error
    different = dict.fromkeys(MADE_NAMES.get(name, name) for name in _differences(made, asked))
    if different:
        raise OutputError(
            f"{path}: expected an earlier result of this call, found one that differs in {', '.join(different)}; "
            "remove it, or choose another --output"
        )
    return made if made.get("finished") else None


def _differences(made: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    """Names of what differs, such as `settings.steps`; a camera is one thing."""
    names: list[str] = []
    for key, value in asked.items():
        found = made.get(key)
        if key == "settings" and isinstance(found, dict):
            names += _differences(found, value, f"{prefix}{key}.")
        elif found != value:
            names.append(prefix + key)
    return names


def check_inputs_stay(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Refuse a call that would write over what it reads.

    Raises:
        UsageError: an output has the path of an input.
    """
    written = {path.resolve() for path in outputs}
    for path in inputs:
        if path.resolve() in written:
            raise UsageError(
                f"{path}: expected a file that the call only reads, found that it would write there; choose another --output"
            )


def prepare_outputs(outputs: Sequence[Path]) -> None:
    """Make sure that files can be written, and remove what a killed run left of them.

    Args:
        outputs: all in one folder, which exists.

    Raises:
        OutputError: they cannot.
    """
    check_writable(outputs[0])
    names = {path.name for path in outputs}
    remove_files(leftovers(outputs[0].parent, names.__contains__))
