"""A folder of views that becomes that of a larger call, with more subjects or more views of each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError
from dnerf_core.files.names import CAMERAS_NAME, METADATA_NAME, SHEET_NAME
from headless.datasets.folder import REJECTED_NAME
from headless.datasets.formats.card import CARD_NAME
from headless.datasets.formats.export import exports
from headless.datasets.formats.registry import ENTRIES, Format
from headless.datasets.given_cameras import GivenCameras
from headless.datasets.set_statistics import STATISTICS_NAME
from headless.work.extending import SUBJECTS, extend

if TYPE_CHECKING:
    from pathlib import Path

    from headless.datasets.adding.views import AddedViews
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.listing import Listing
    from headless.work.result_folder import ResultFolder

GROWING = SUBJECTS | {"views", "given_cameras_sha256"}
ADDED = GROWING | {"added_sha256", "yaw_deg", "pitch_deg", "spacing", "truncation"}
"""What may differ where views are added one by one: each has its own."""


def extend_views(listing: Listing) -> None:
    """Make a folder that a smaller call filled this call's; the files of views stay. See `headless.work.extending.extend`.

    Raises:
        OutputError: it cannot be, or has another format that the call does not name.
    """
    if listing.plan.added is None:
        extend(listing.folder, partial(_stale, listing), GROWING)
    else:
        extend(listing.folder, partial(_stale, listing), ADDED, partial(check_unchanged, listing.plan.added))


def formats_there(folder: DatasetFolder) -> list[Format]:
    """The formats besides the folder itself that have files in it."""
    return [format for format in ENTRIES if any(_has_format(folder, split, format) for split in folder.splits)]


def _has_format(folder: DatasetFolder, split: str, format: Format) -> bool:
    return bool(_files_of_format(folder, split, format)) or not all(map(folder.lacks, exports([format])[0].names(split)))


def _files_of_format(folder: DatasetFolder, split: str, format: Format) -> list[str]:
    place = f"{split}/" if split else ""
    return [name for part in ENTRIES[format].folders for name in _files_below(folder.path, place + part)]


def check_unchanged(added: AddedViews, folder: ResultFolder, earlier: dict[str, Any] | None) -> None:
    """Make sure that the plan which views were joined to is the one that is there.

    Raises:
        OutputError: somebody has changed it since it was read.
    """
    if earlier != added.earlier:
        raise OutputError(f"{folder.path}: expected the data set as it was a moment ago, found it changed meanwhile; repeat it")


def _stale(listing: Listing, earlier: dict[str, Any]) -> list[str]:
    folder, plan = listing.folder, listing.plan
    more_views = plan.added is not None or earlier.get("views") != plan.views
    if plan.added is None:
        _check_views(listing, earlier)
    names = [CAMERAS_NAME, STATISTICS_NAME, CARD_NAME, REJECTED_NAME, SHEET_NAME]
    for split in folder.splits:
        place = f"{split}/" if split else ""
        names.append(place + METADATA_NAME)
        for format, entry in ENTRIES.items():
            export = exports([format])[0]
            indexes = export.names(split)
            if not _has_format(folder, split, format):
                continue
            found = _files_of_format(folder, split, format)
            if format not in listing.formats:
                raise OutputError(
                    f"{folder.path}: --extend: expected --format with {format}, whose files there tell of all views, found "
                    f"{','.join(listing.formats)}; add it, or remove its files"
                )
            if not any(map(folder.lacks, indexes)):
                export.check(listing, split)
            names += indexes
            # those of a view or of a subject stay where the lists have the same views of it
            if entry.files_of == "set" or (entry.files_of == "subject" and more_views) or plan.reject_uncertain:
                names += [name for name in found if name not in indexes]
    return names


def _check_views(listing: Listing, earlier: dict[str, Any]) -> None:
    """Make sure that the views which are there stay where they are.

    Raises:
        OutputError: they do not, or there are fewer now.
    """
    folder, plan, views = listing.folder, listing.plan, earlier.get("views")
    if views != plan.views and plan.poses is not None and not plan.poses.is_drawn:
        raise OutputError(
            f"{folder.path}: --extend: expected --views {views}, found {plan.views}: the frames of a motion are spread over all views "
            "of a subject, and those that are there would not be of this call; drawn ones (--random-poses) stay; choose another --output"
        )
    if views == plan.views and earlier.get("given_cameras_sha256") == plan.to_json().get("given_cameras_sha256"):
        return
    where = f"{folder.path}: --extend"
    if not isinstance(views, int) or views > plan.views:
        raise OutputError(
            f"{where}: expected --views {views} at least, which are there, found {plan.views}; give as many or more"
        )
    before = earlier.get("given_cameras_sha256")
    if plan.given is not None or before is not None:
        first = None if plan.given is None else GivenCameras(plan.given.cameras[:views], "").to_json()["given_cameras_sha256"]
        if first != before:
            raise OutputError(
                f"{where}: expected --cameras whose first {views} views are those that are there, found others; give those first"
            )
        if plan.consistent:
            raise OutputError(
                f"{where}: expected the same --cameras beside --consistent, whose masks depend on them all; leave one out"
            )
        return
    if plan.spacing == "even":
        raise OutputError(
            f"{where}: expected --views {views}, found {plan.views}: views in even steps all move when there are more of them, and those "
            "that are there would not be of this call; drawn ones (--view-distribution uniform or gaussian) stay; choose another --output"
        )


def _files_below(folder: Path, below: str) -> list[str]:
    """The files below a folder by name, relative to `folder`."""
    return [path.relative_to(folder).as_posix() for path in (folder / below).rglob("*") if path.is_file()]
