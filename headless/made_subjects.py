"""Subject files that a command makes: known again by how they were made, so that the same call does only what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.subject_file import read_subject_header


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
    different = [key for key, value in asked.items() if made.get(key) != value]
    if different:
        raise OutputError(
            f"{path}: expected an earlier result of this call, found one with other {', '.join(different)}; "
            "remove it, or choose another --output"
        )
    return made if made.get("finished") else None
