"""A folder of results taken for a call: locked, grown and looked through as the call asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from headless.work.at_work import WHOLE, Part
from headless.work.extending import extend
from headless.work.verification import MakesAgain, Verified, verify
from headless.work.workers import default_workers

if TYPE_CHECKING:
    from headless.runs.shared_calls import KeptFolderCall
    from headless.work.reporting import Reporter
    from headless.work.result_folder import ResultFolder


def taken(
    folder: ResultFolder,
    reporter: Reporter,
    held: ExitStack,
    call: KeptFolderCall,
    *,
    part: Part = WHOLE,
    grow: Callable[[], None] | None = None,
    makes_again: MakesAgain | None = None,
    workers: int | None = None,
) -> Verified | None:
    """Take a folder for a call, and let it grow or look through it where the call asks for that; gives what was found.

    Args:
        held: what ends the call's work there when it is closed.
        part: which part of the call it is.
        grow: makes a folder of a smaller call this one's; None: `extend`, of a folder without lists.
        makes_again: see `verify`.
        workers: threads that read files; None: as many as usual.

    Raises:
        OutputError: another call is at work there, the folder is another call's, or it cannot be read.
    """
    held.enter_context(folder.in_use(reporter, part))
    if call.extend:
        if grow is None:
            extend(folder)
        else:
            grow()
    return verify(folder, reporter, workers or default_workers(), makes_again) if call.verify else None
