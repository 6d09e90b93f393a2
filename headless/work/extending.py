"""A folder of results that becomes that of a larger call: what is in it stays, and what told of all of it is written anew.

Lists go before the record of the larger call takes the place of the earlier one's, so that a call that is killed in between finds a folder
of either call, and never lists of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError
from dnerf_core.files.names import RECORD_NAME, json_bytes
from dnerf_core.files.whole import remove_files, write_bytes_whole
from dnerf_core.seeds import parse_seeds
from headless.work.at_work import alone
from headless.work.checksums import GONE

if TYPE_CHECKING:
    from headless.work.result_folder import ResultFolder

SUBJECTS = frozenset({"seeds", "subjects_sha256"})
"""Entries of plans that more subjects change."""

CheckEarlier = Callable[["ResultFolder", dict[str, Any]], None]
"""Makes sure that a call has all that a folder's earlier plan has; OutputError where it has not."""

Stale = Callable[[dict[str, Any]], list[str]]
"""From the earlier plan to the names, relative to the folder, of files to be written anew; OutputError where it cannot grow."""


def _check_subjects(folder: ResultFolder, earlier: dict[str, Any]) -> None:
    plan = folder.record["plan"]
    before, now = earlier.get("subjects_sha256"), plan.get("subjects_sha256")
    if before is not None or now is not None:
        if not before or not now or now[: len(before)] != before:
            raise OutputError(
                f"{folder.path}: --extend: expected the earlier --subject files first, in the same order, found others; give them so"
            )
        return
    missing = sorted({*parse_seeds(earlier["seeds"])} - {*parse_seeds(plan["seeds"])})
    if missing:
        raise OutputError(
            f"{folder.path}: --extend: expected --seeds with those that are there, found {plan['seeds']} without {missing[0]}; "
            f"there are {earlier['seeds']}"
        )


def extend(
    folder: ResultFolder,
    stale: Stale = lambda plan: [],
    growing: frozenset[str] = SUBJECTS,
    check_earlier: CheckEarlier = _check_subjects,
) -> None:
    """Make a folder that an earlier, smaller call filled this call's; a new folder, or one that is this call's already, stays as it is.

    Args:
        folder: this call is at work there.
        growing: entries of the plan that may differ.

    Raises:
        OutputError: it is of a call that this one does not contain, or cannot be read or written.
    """
    with alone(folder.path):
        earlier = folder.differences()
        if earlier is None or not earlier.labels:
            return
        for key, label in earlier.labels.items():
            if key not in growing:
                raise OutputError(
                    f"{folder.path}: --extend: expected a call that makes more of the same, found {label} which was {earlier.shown(key)} "
                    f"and is now {folder.shown(key)}; repeat the other options, or choose another --output"
                )
        check_earlier(folder, earlier.plan)
        names = [name for name in stale(earlier.plan) if not folder.lacks(name)]
        remove_files(folder.path / name for name in names)
        for name in names:
            folder.journal.note(name, GONE)
        write_bytes_whole(folder.path / RECORD_NAME, json_bytes(folder.record))
