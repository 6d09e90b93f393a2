"""A folder that takes an earlier one's place: filled beside it, and in its place only when it is whole.

.tmp-0123456789-NAME  is being filled      .was-NAME  is the earlier one, for the moment between two renames
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnerf_core.files.names import RECORD_NAME
from dnerf_core.files.whole import output_error, temporary_for


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """Where to fill the folder that takes the place of `place`, which may be missing, when the block ends well; else nothing changes.

    The caller alone is at work on `place`, has called `put_back`, and knows that nothing in it is lost with it.

    Raises:
        OutputError: it cannot take the place.
    """
    fresh = place.with_name(f".tmp-{secrets.randbelow(10**10):010d}-{place.name}")
    try:
        yield fresh
        _swap(fresh, place)
    finally:
        _remove(fresh)


def put_back(place: Path) -> None:
    """Clear what a killed process left beside a folder; an earlier folder that was about to be replaced is in its place again.

    Raises:
        OutputError: it cannot be cleared.
    """
    former = _former(place)
    try:
        if former.is_dir() and not (place / RECORD_NAME).exists():
            if place.exists():
                place.rmdir()
            os.rename(former, place)
        siblings = list(place.parent.iterdir()) if place.parent.is_dir() else []
    except OSError as error:
        raise output_error(place, error) from error
    for path in [former, *(path for path in siblings if temporary_for(path.name) == place.name)]:
        _remove(path)


def _swap(fresh: Path, place: Path) -> None:
    former = _former(place)
    try:
        if place.exists():
            os.rename(place, former)
        try:
            os.rename(fresh, place)
        except OSError:
            if former.exists():
                os.rename(former, place)
            raise
    except OSError as error:
        raise output_error(place, error) from error
    _remove(former)


def _former(place: Path) -> Path:
    return place.with_name(f".was-{place.name}")


def _remove(folder: Path) -> None:
    """Remove a folder of our own; one that is not there is no matter."""
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise output_error(folder, error) from error
