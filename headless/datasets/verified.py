"""A folder of views taken for a call and, by option, looked through against its sums; what has to go to have a file made again."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError
from headless.datasets.extending import extend_views
from headless.datasets.formats.export import exports
from headless.datasets.formats.registry import ENTRIES, Format
from headless.datasets.plan import WHOLE, Shard
from headless.work.taking import taken

if TYPE_CHECKING:
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.listing import Listing
    from headless.runs.shared_calls import KeptViewsCall
    from headless.work.reporting import Reporter
    from headless.work.verification import Verified


def opened(
    folder: DatasetFolder,
    reporter: Reporter,
    held: ExitStack,
    call: KeptViewsCall,
    listing: Listing,
    shard: Shard = WHOLE,
    *,
    only_look: bool = False,
) -> Verified | None:
    """Take a folder for a call and open it, after it has grown or been looked through where the call asks for that; gives what was found.

    Args:
        held: what ends the call's work there when it is closed.
        listing: what the call lists there.
        shard: which part of the call it is.
        only_look: nothing is going to be written, so the folder is neither taken nor cleared.

    Raises:
        UsageError: a part is to be verified.
        OutputError: another call is at work there, the folder is another call's, or it cannot be read.
    """
    if call.verify and shard != WHOLE:
        raise UsageError(f"--verify: expected a whole call, found --shard {shard}; verify without --shard")
    found = None
    if not only_look:
        found = taken(
            folder,
            reporter,
            held,
            call,
            part=(shard.number, shard.count),
            grow=partial(extend_views, listing),
            makes_again=partial(made_again, folder, listing.formats),
            workers=call.workers,
        )
    folder.open(None if shard == WHOLE else frozenset(shard.seeds(folder.plan)), only_look=only_look)
    return found


def made_again(folder: DatasetFolder, formats: tuple[Format, ...], name: str) -> list[str] | None:
    """What has to go so that a file is made again, by names relative to the folder: with one of another format the format's indexes.

    None: the call does not make it. What people paint is never made again.
    """
    if not folder.is_recorded(name):
        return None
    split, _, rest = name.partition("/")
    split, below = (split, rest) if split and split in folder.splits else ("", name)
    for format, entry in ENTRIES.items():
        export = exports([format])[0]
        if below in export.indexes or below.split("/")[0] in entry.folders:
            return [name, *export.names(split)] if format in formats else None
    return [name]
