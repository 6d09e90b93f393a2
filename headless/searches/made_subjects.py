"""Subject files that a command makes: known again by how they were made, so that the same call does only what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dnerf_core.checkpoints.subject_file import read_subject_header
from dnerf_core.errors import CheckpointError, OutputError, UsageError
from dnerf_core.files.squares import format_square, parse_square
from dnerf_core.files.whole import check_writable, leftovers, remove_files
from headless.work.spellings import MADE_NAMES


def earlier_result(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """What the subject file says of how it was made, where it is the whole result of a call; None: it is to be made.

    Args:
        identity: what decides the result; a part of the file's `made`, where also `finished` stands.

    Raises:
        OutputError: another call's file stands there, or something else.
    """
    if not path.exists():
        return None
    try:
        recorded = read_subject_header(path).made
    except CheckpointError as error:
        raise OutputError(f"{error}; it stands where this call would write: remove it, or choose another --output") from error
    different = dict.fromkeys(MADE_NAMES.get(name, name) for name in _differences(recorded, identity))
    if different:
        raise OutputError(
            f"{path}: expected an earlier result of this call, found one that differs in {', '.join(different)}; "
            "remove it, or choose another --output"
        )
    return recorded if recorded.get("finished") else None


def _differences(recorded: dict[str, Any], identity: dict[str, Any], prefix: str = "") -> list[str]:
    """Names of what differs, such as `settings.steps`; a camera is one thing."""
    names: list[str] = []
    for key, value in identity.items():
        earlier = recorded.get(key)
        if key == "settings" and isinstance(earlier, dict):
            names += _differences(earlier, value, f"{prefix}{key}.")
        elif (_plain_fit(earlier) if key == "fit" else earlier) != value:
            names.append(prefix + key)
    return names


def _plain_fit(recorded: object) -> object:
    """How pictures became square, as today's records have it: earlier versions kept a square as it was spelled, such as `40, 0, 512`."""
    try:
        return format_square(parse_square(recorded)) if isinstance(recorded, str) else recorded
    except ValueError:
        return recorded  # pad or crop


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
