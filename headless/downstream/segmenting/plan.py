"""What one call of `segment` labels: which files, by which network, under which names. All of it is checked before any is labelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.downstream.network_file import NetworkHeader, NetworkKind, read_network_header
from dnerf_core.errors import UsageError, counted, listed
from dnerf_core.files.camera_files.turning import FILE_UPS
from dnerf_core.ranges import Choice, Flag, Ranged, Whole, ranged
from headless.downstream.segmenter_backgrounds import PICTURE_SUFFIXES

ItemKind = Literal["picture", "video", "shape"]

_SIGNATURES = {".ply": b"ply", ".glb": b"glTF", ".npz": b"PK", ".las": b"LASF", ".laz": b"LASF"}
"""What files begin with; OBJ is text that may begin with anything."""
_OF_IMAGES = "pictures (PNG, JPEG, WebP, TIFF, BMP, GIF) and videos (MP4, MOV, MKV, WebM, AVI)"
_OF_POINTS = "point clouds (PLY, NPZ, LAS, LAZ) and meshes (PLY, GLB, OBJ)"
_TAKEN: dict[NetworkKind, str] = {"image": _OF_IMAGES, "points": _OF_POINTS}
_OTHER: dict[NetworkKind, str] = {
    "image": "a network of points, which train-pointnet writes",
    "points": "a network of images, which train-segmenter writes",
}


@dataclass(frozen=True, kw_only=True)
class SegmentCall(Ranged):
    """What one call of `segment` asks for; None: what docs/cli.md says of an option that is not given.

    Attributes:
        paths: files, and folders of files.
        network: a network file.
        size: the longer side that a network of images sees pictures at.
        mirrored: whether pictures' mirror images are looked at, too.
        up: which axis of clouds and meshes points up.
        headings: how many turns about it clouds are seen at.

    Example:
        >>> segment(SegmentCall(paths=(Path("photos"),), network=Path("cars-net.safetensors"), output=Path("labelled")))
    """

    paths: tuple[Path, ...]
    network: Path
    output: Path = Path("dnerf-segments")
    size: int | None = ranged(Whole(32, 4096, None, "Show pictures to the network with this longer side."))
    mirrored: bool = ranged(
        Flag(False, "Look at the mirror images of pictures, too, and take the mean: a little surer, in twice the time.")
    )
    up: Literal["x", "y", "z", "-x", "-y", "-z"] | None = ranged(
        Choice(FILE_UPS, None, "Take this axis of clouds and meshes as the one that points up.")
    )
    headings: int | None = ranged(
        Whole(1, 360, None, "Look at clouds and meshes at N turns about the up axis, and take the mean.")
    )
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True)
class Item:
    """A file to label.

    Attributes:
        name: what its results are called; no other item's.
        sha256: of its content.
    """

    path: Path
    name: str
    kind: ItemKind
    sha256: str


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """A checked call.

    Attributes:
        header: what the network file says.
        network_sha256: of its content.
        remarks: what the user should know, one line each.
    """

    call: SegmentCall
    header: NetworkHeader
    network_sha256: str
    items: tuple[Item, ...]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All that decides the results, as the folder's record has it."""
        content = [[item.name, item.path.suffix.lower(), item.sha256] for item in self.items]
        return {
            "network": self.call.network.name,
            "network_sha256": self.network_sha256,
            "files": len(self.items),
            "files_sha256": hashlib.sha256(json.dumps(content).encode()).hexdigest(),
            "size": self.call.size,
            "mirrored": self.call.mirrored,
            "up": self.call.up,
            "headings": self.call.headings,
        }


def plan_segments(call: SegmentCall) -> SegmentPlan:
    """Find and look at everything that a call names.

    Raises:
        DNeRFError: a network file that cannot be used, files that it does not label, or that are none, or options of another kind.
    """
    header = read_network_header(call.network)
    _check_options(call, header.kind)
    paths, remarks = _gathered(call.paths, header.kind, call.network)
    names = unique_names(paths)
    for path, name in zip(paths, names, strict=True):
        if name != path.stem:
            remarks.append(f"{path}: another file is called {path.stem}, too; its results are called {name}")
    items = [Item(path, name, _checked(path), "") for path, name in zip(paths, names, strict=True)]
    if any(item.path.suffix.lower() in (".las", ".laz") for item in items):
        from dnerf_core.files.foreign.las import require_laspy

        require_laspy()
    if header.kind == "image":
        _check_network_of_images(header, call)
    hashed = tuple(Item(item.path, item.name, item.kind, file_sha256(item.path)) for item in items)
    return SegmentPlan(call, header, file_sha256(call.network), hashed, tuple(remarks))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name for the results of each file: its own without the ending; of those that share one, in any case of letters, the second gets
    `-2` behind it, and so on, past names that are taken.
    """
    taken = {path.stem.casefold() for path in paths}
    seen: set[str] = set()
    names = []
    for path in paths:
        name, number = path.stem, 1
        while name.casefold() in seen or (number > 1 and name.casefold() in taken):
            number += 1
            name = f"{path.stem}-{number}"
        seen.add(name.casefold())
        names.append(name)
    return names


def _check_options(call: SegmentCall, kind: NetworkKind) -> None:
    of_points = {"--up": call.up, "--headings": call.headings}
    of_images = {"--size": call.size, "--mirrored": call.mirrored or None}
    strange = of_points if kind == "image" else of_images
    for name, value in strange.items():
        if value is not None:
            raise UsageError(
                f"{name}: expected {_OTHER[kind].split(',')[0]}, found one of {'images' if kind == 'image' else 'points'}; leave it out"
            )


def _check_network_of_images(header: NetworkHeader, call: SegmentCall) -> None:
    from dnerf_core.downstream.images.registry import NETWORKS
    from dnerf_core.downstream.images.sides import mirrored_ids

    if call.mirrored:
        mirrored_ids(header.labels, "--mirrored", "leave it out")

    if header.network in NETWORKS and NETWORKS[header.network].builder is not None:
        from dnerf_core.downstream.vision import require_installed

        require_installed()


def _kind_of(path: Path) -> ItemKind | None:
    from dnerf_core.files.foreign.shape import shape_format
    from headless.clips.video_reading import VIDEO_SUFFIXES

    ending = path.suffix.lower()
    if ending in PICTURE_SUFFIXES:
        return "picture"
    if ending in VIDEO_SUFFIXES:
        return "video"
    return "shape" if shape_format(path) is not None else None


def _fits(kind: ItemKind | None, network: NetworkKind) -> bool:
    return kind is not None and (kind == "shape") == (network == "points")


def _gathered(paths: Sequence[Path], kind: NetworkKind, network: Path) -> tuple[list[Path], list[str]]:
    """The files to label, each once, in the order given and those of a folder by name, and remarks."""
    found: dict[Path, Path] = {}
    remarks: list[str] = []
    for path in paths:
        if not path.is_dir():
            _check_fit(path, kind, network)
            found.setdefault(path.resolve(), path)
            continue
        try:
            inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_file())
        except OSError as error:
            raise UsageError(f"{path}: expected a folder, it cannot be read: {error.strerror}; check the path") from error
        fitting = [entry for entry in inside if _fits(_kind_of(entry), kind)]
        if not fitting:
            known = [entry.name for entry in inside if _kind_of(entry) is not None]
            other = f"{listed(known, 2)}, for {_OTHER[kind]}" if known else "none"
            raise UsageError(
                f"{path}: expected {_TAKEN[kind]} in it, found {other}; name another (folders inside it are not searched)"
            )
        if len(inside) > len(fitting):
            others = [entry.name for entry in inside if entry not in fitting]
            remarks.append(f"{path}: {counted(len(others), 'file')} of other kinds left out: {listed(others, 3)}")
        for entry in fitting:
            found.setdefault(entry.resolve(), entry)
    return list(found.values()), remarks


def _check_fit(path: Path, kind: NetworkKind, network: Path) -> None:
    own = _kind_of(path)
    if own is None:
        raise UsageError(f"{path}: expected {_TAKEN[kind]}, found {path.suffix or 'no ending'}; convert it")
    if not _fits(own, kind):
        labels = "the pixels of pictures and videos" if kind == "image" else "the points of clouds and meshes"
        noun = {"picture": "a picture", "video": "a video", "shape": "a point cloud or mesh"}[own]
        raise UsageError(f"{path}: expected what {network} labels, {labels}, found {noun}; give it {_OTHER[kind]}")


def _checked(path: Path) -> ItemKind:
    """The kind of a file, by its name, whose first bytes say the same.

    Raises:
        DNeRFError: they do not, or there is no such file.
    """
    kind = _kind_of(path)
    assert kind is not None
    if kind == "picture":
        from dnerf_core.files.photos import picture_size

        picture_size(path)
    elif kind == "video":
        from headless.clips.video_reading import check_video

        check_video(path)
    else:
        _check_signature(path)
    return kind


def _check_signature(path: Path) -> None:
    from dnerf_core.files.opening.regular_files import open_regular

    try:
        with open_regular(path) as file:
            head = file.read(8)
    except OSError as error:
        raise UsageError(
            f"{path}: expected a point cloud or mesh, it cannot be read: {error.strerror}; check the path"
        ) from error
    ending = path.suffix.lower()
    if not head:
        raise UsageError(f"{path}: expected a point cloud or mesh, found an empty file; export it again")
    if ending in _SIGNATURES and not head.startswith(_SIGNATURES[ending]):
        raise UsageError(f"{path}: expected a file of the kind {ending} says, found another; export it again or rename it")
