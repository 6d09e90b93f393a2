"""Data sets as WebDataset shards: tar files of up to 1 GB, but at least 8 a split, in which the members of a view share its name.

    webdataset/views-000000.tar   webdataset/index.json

Members: `s0003_v01.image.png`, `.mask.png`, `.depth.exr` (or `.depth.npy`), `.normal.png`, `.uncertainty.npy` and `.json`; with splits,
shards are called after their split. A loader hands whole shards to its workers and refuses to have more of them than shards; hence the
least number. What the reader's decoders would spoil is stored otherwise than in the folder: they make pictures RGB
of 8 bits, so masks are gray here, not of a palette whose colours would take the ids' place, uncertainty is float16 [H, W], and depth of
16-bit pictures float32 [H, W].
Equal views give equal bytes: members carry no time, owner or order of their own.
"""

from __future__ import annotations

import bisect
import io
import itertools
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError, brief
from dnerf_core.files.pictures import MAKE_AGAIN
from dnerf_core.files.whole import leftovers, make_folder, output_error, remove_files
from headless.datasets.channels import BY_FOLDER
from headless.datasets.formats.export import Export
from headless.datasets.plan import PlannedView, plan_subject
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.datasets.listed import Listed

FOLDER = "webdataset"
INDEX_NAME = f"{FOLDER}/index.json"
SHARD_BYTES = 10**9
LEAST_SHARDS = 8
"""Of a split that has so many views: as many workers may read it."""

_DELETE_INDEX = "delete it, and run again"
_DELETE_BOTH = "delete it and index.json beside it, and run again"


_Piece = list[tuple[int, int]]
"""Views that stay together: the number of each in the plan, and its bytes."""


@dataclass(frozen=True)
class Part:
    """One shard: its name, and the numbers of its views in the plan, which follow one another."""

    name: str
    views: tuple[int, ...]


def write_split(listing: Listed, split: str) -> None:
    """Write the shards of a split that are missing, and then their index.

    Raises:
        OutputError: a file cannot be read or written.
        AnnotationError: a mask cannot be read.
    """
    folder = listing.folder
    place = folder.split_folder(split)
    make_folder(place / FOLDER)
    parts = shards(listing, split)

    def write(part: Part) -> None:
        path = place / FOLDER / part.name
        folder.fill_once(folder.named(path), lambda temporary: _write_tar(listing, part, temporary))

    with listing.reporter.progress("shards", len(parts)) as advance:
        for _ in run_tasks(([part] for part in parts), write, listing.workers):
            advance()
    index: dict[str, Any] = {
        "shards": [
            {"file": part.name, "samples": len(part.views), "bytes": _whole_size(listing, part, place / FOLDER / part.name)}
            for part in parts
        ],
        "samples": sum(len(part.views) for part in parts),
    }
    if listing.options.shard_views is not None:
        index["shard_views"] = listing.options.shard_views
    if listing.labels is not None:
        index["labels"] = listing.labels.to_json()
    folder.write_once(folder.named(place / INDEX_NAME), (json.dumps(index, indent=1) + "\n").encode())
    remove_files(leftovers(place / FOLDER, {"index.json", *(part.name for part in parts)}.__contains__))


def check_split(listing: Listed, split: str) -> None:
    """Compare the shards of a split that is complete with its index: are they there, and as long as they were?

    Raises:
        OutputError: one is not, or the index cannot be read.
    """
    place = listing.folder.split_folder(split)
    path = place / INDEX_NAME
    try:
        index = json.loads(path.read_bytes())
        sizes = {str(shard["file"]): int(shard["bytes"]) for shard in index["shards"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: expected the index of the shards, found {brief(str(error))}; {_DELETE_INDEX}") from error
    chosen, held = listing.options.shard_views, index.get("shard_views")
    if chosen is not None and held != chosen:
        raise OutputError(
            f"{path}: expected shards of {chosen} views, as --shard-views says, found others; delete {place / FOLDER}, and run again"
        )
    for name in sizes:
        if re.fullmatch(rf"{re.escape(_prefix(split))}-[0-9]{{6}}\.tar", name) is None:
            raise OutputError(f"{path}: expected names such as {_name(split, 0)}, found {brief(name)}; {_DELETE_INDEX}")
    for name, size in sizes.items():
        shard = place / FOLDER / name
        try:
            actual = f"{shard.stat().st_size} bytes"
        except FileNotFoundError:
            actual = "none"
        except OSError as error:
            raise output_error(shard, error) from error
        if actual != f"{size} bytes":
            raise OutputError(f"{shard}: expected {size} bytes, found {actual}; {_DELETE_BOTH}")


def _whole_size(listing: Listed, part: Part, path: Path) -> int:
    """Bytes of a shard, after a look at its members' headers: one that an earlier run left may have been damaged since.

    Raises:
        OutputError: it is no tar, or its members are not those that it should have.
    """
    names = [f"{view.name}.{member}" for view, _ in _views(listing, part) for member in _member_names(listing)]
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            members = [member.name for member in tar]
            ended = tar.offset + 2 * tarfile.BLOCKSIZE <= size  # the two empty blocks after the last member
    except tarfile.TarError as error:
        raise OutputError(f"{path}: expected a whole shard, found a damaged one ({error}); {_DELETE_BOTH}") from error
    except OSError as error:
        raise output_error(path, error) from error
    if members != names or not ended:
        raise OutputError(f"{path}: expected {len(names)} members, found {len(members)} that are whole or others; {_DELETE_BOTH}")
    return size


def _member_names(listing: Listed) -> list[str]:
    """What a view's members are called after its name, in order."""
    entries = [(BY_FOLDER[kind], listing.folder.suffix(kind)) for kind in listing.folder.kinds]
    plan = listing.plan
    return [f"{entry.member}{entry.packed_suffix if entry.is_packed(plan) else suffix}" for entry, suffix in entries] + ["json"]


def shards(listing: Listed, split: str) -> list[Part]:
    """The shards of a split: its views in the order of the plan, a new shard before what would pass `SHARD_BYTES`.

    With `shard_views` each has so many views, the last one fewer. Else no subject is divided where there are `LEAST_SHARDS` of them, and
    what would be fewer shards than that is dealt out evenly to so many, or to as many as there are views. By the sizes of the views'
    files, so the same whoever asks, once they are all there.

    Raises:
        OutputError: a file is missing.
    """
    subjects = [[(index, _size(listing, view)) for index, view in views] for views in listing.subjects(split)]
    pieces = subjects
    if listing.options.shard_views is not None or len(subjects) < LEAST_SHARDS:
        pieces = [[view] for views in subjects for view in views]
    if listing.options.shard_views is not None:
        groups = [
            pieces[first : first + listing.options.shard_views] for first in range(0, len(pieces), listing.options.shard_views)
        ]
        groups = [part for group in groups for part in _filled(group)]
    elif len(groups := _filled(subjects)) < LEAST_SHARDS:
        count = min(LEAST_SHARDS, len(pieces))
        edges = [len(pieces) * number // count for number in range(count + 1)] if count else []
        groups = [part for first, end in itertools.pairwise(edges) for part in _filled(pieces[first:end])]
    views_of = [tuple(index for piece in group for index, _ in piece) for group in groups]
    return [Part(_name(split, number), views) for number, views in enumerate(views_of)]


def _filled(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Pieces that follow one another in groups of up to `SHARD_BYTES`; a piece larger than that is a group of its own."""
    groups: list[list[_Piece]] = []
    filled = 0
    for piece in pieces:
        size = sum(held for _, held in piece)
        if not groups or filled + size > SHARD_BYTES:
            groups.append([])
            filled = 0
        groups[-1].append(piece)
        filled += size
    return groups


def _name(split: str, number: int) -> str:
    return f"{_prefix(split)}-{number:06d}.tar"


def _prefix(split: str) -> str:
    """What the names of a split's shards begin with."""
    return split or "views"


def _size(listing: Listed, view: PlannedView) -> int:
    entries = [
        (kind, BY_FOLDER[kind].packed_bytes_a_pixel if BY_FOLDER[kind].is_packed(listing.plan) else None)
        for kind in listing.folder.kinds
    ]
    arrays = sum(held for _, held in entries if held is not None) * listing.plan.resolution_px**2
    try:
        return arrays + sum(listing.folder.file(kind, view.name).stat().st_size for kind, held in entries if held is None)
    except OSError as error:
        raise OutputError(f"{error.filename}: expected a file of {view.name}, found none; {MAKE_AGAIN}") from error


def _write_tar(listing: Listed, part: Part, path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for view, index in _views(listing, part):
            for name, data in _members(listing, index, view):
                member = tarfile.TarInfo(name)  # mode 644, and no time and owner unless told
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def _views(listing: Listed, part: Part) -> Iterator[tuple[PlannedView, int]]:
    """The views of a shard with their numbers in the plan."""
    firsts = listing.plan.firsts
    for row, indices in itertools.groupby(part.views, lambda index: bisect.bisect_right(firsts, index) - 1):
        views = plan_subject(listing.plan, listing.cameras, listing.plan.seeds[row])
        yield from ((views[index - firsts[row]], index) for index in indices)


def _members(listing: Listed, index: int, view: PlannedView) -> Iterator[tuple[str, bytes]]:
    *members, last = _member_names(listing)
    for kind, member in zip(listing.folder.kinds, members, strict=True):
        path = listing.folder.file(kind, view.name)
        packed = BY_FOLDER[kind].packed if BY_FOLDER[kind].is_packed(listing.plan) else None
        data = path.read_bytes() if packed is None else packed(path, listing.labels, listing.plan.resolution_px)
        yield f"{view.name}.{member}", data
    files = listing.folder.files_of(view)
    row = {key: value for key, value in listing.row(index, view).items() if key not in files}
    row |= {"image_size_px": [listing.plan.resolution_px] * 2, **view.camera.to_json()}
    yield f"{view.name}.{last}", json.dumps(row).encode()


EXPORT = Export((INDEX_NAME,), write_split, check_split)
