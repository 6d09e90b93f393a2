"""How long a call will take and how much it will write, told before any of it: coarsely, by figures, or better, by one measured view.

The figures are of 2 cores without a GPU, for pictures of photographs' detail; they are there to tell an hour from a month.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError, counted
from dnerf_core.files.whole import output_error

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig
    from headless.work.reporting import Reporter

FULL_SIZE_VIEW_S, FULL_SIZE_PX, FULL_SIZE_NEURAL, FULL_SIZE_SAMPLES = 1.2, 512, 128, 96
"""One labelled view of a full-size model by one thread, and that model: docs/performance.md has it by two."""
EXACT_TIMES = 20.0
PIXEL_S = 0.6e-6
"""To label, resize and write a pixel."""
CLOUD_PIXEL_S = 2e-6
"""To fuse a pixel of a view."""
BYTES_A_PIXEL: Mapping[str, float] = {
    "rgb": 1.0,
    "mask": 0.03,
    "depth": 1.5,
    "normal": 1.0,
    "uncertainty": 1.0,
    "parts": 0.0,
    "joints": 0.05,
    "vertices": 1.0,
}
"""Of a view's files by channel, compressed."""
NPY_BYTES = 4.0
OTHER_BYTES = 1.0
"""Of a channel that is not among these."""
SHARE_OF_FORMAT: Mapping[str, float] = {"folder": 1.0, "coco": 0.05, "coco-keypoints": 0.05, "nerfstudio": 0.3, "webdataset": 1.0}
"""What a format adds, over the folder's own files; images that are copied are counted by themselves."""
CLIP_BYTES_A_PIXEL = 0.3
"""Of a frame, all files of a clip together."""
BYTES_A_POINT: Mapping[str, float] = {"ply": 39.0, "npz": 20.0, "glb": 30.0, "shapenetpart": 60.0}
BYTES_A_FACE: Mapping[str, float] = {"glb": 30.0, "ply": 33.0, "obj": 83.0, "usd": 21.0}
FACES_A_NODE = 2.8
"""Of a mesh over the square of its grid's nodes an axis."""
NODE_S, FACE_S = 1e-6, 2e-5
"""To read the density of a full-size model at a node; to paint, collapse and write a face."""
SCENE_POINTS_A_PIXEL = 0.11
"""Of the cloud in nerfstudio's scene over the pixels of a view and the root of the views that are fused."""
POINTS_A_PIXEL = 0.5
"""Of the clouds' points over the pixels of one view of all that are fused."""

LONG_S, LARGE_BYTES = 12 * 3600.0, 100e9
"""What takes longer or is larger is told without being asked for."""
MUCH_TOO_SMALL = 0.5
"""Less free disk than this share of an estimate is too little, however coarse it is."""


@dataclass(frozen=True)
class Estimate:
    """What a call has still to make.

    Attributes:
        views: of these, or frames.
        files: that they become; lists beside them are not counted.
        size_bytes: of the files.
        seconds: until they are there, by this process on this machine.
        measured: whether time, and of data sets size, were measured by a view.
    """

    views: int
    files: int
    size_bytes: float
    seconds: float
    measured: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a summary tells it."""
        return {
            "views": self.views,
            "files": self.files,
            "bytes": math.ceil(self.size_bytes),
            "seconds": round(self.seconds, 1),
            "measured": self.measured,
        }


def view_seconds(config: BackboneConfig, size_px: int, *, exact: bool) -> float:
    """One labelled view by one thread, by figures."""
    rays = config.rays
    share = (rays.neural_resolution / FULL_SIZE_NEURAL) ** 2 * (rays.samples_coarse + rays.samples_fine) / FULL_SIZE_SAMPLES
    share *= (config.image_size / FULL_SIZE_PX) ** 2
    return FULL_SIZE_VIEW_S * share * (EXACT_TIMES if exact else 1.0) + PIXEL_S * size_px**2


@dataclass(frozen=True)
class Formats:
    """What a data set is written as.

    Attributes:
        names: of the formats.
        copies_images: whether nerfstudio's scenes have images and masks of their own.
    """

    names: tuple[str, ...] = ()
    copies_images: bool = False

    def share(self, channels: tuple[str, ...], depth_format: str | None) -> float:
        """What all formats take, over the folder's own files."""
        share = 1.0 + sum(SHARE_OF_FORMAT.get(name, 1.0) for name in self.names if name != "folder")
        if self.copies_images and "nerfstudio" in self.names:
            copied = tuple(channel for channel in channels if channel in ("rgb", "mask"))
            share += _bytes_a_pixel(copied, depth_format) / _bytes_a_pixel(channels, depth_format)
        return share

    def scene_bytes(self, channels: tuple[str, ...], views: int, size_px: int) -> float:
        """The cloud of a subject of so many views in nerfstudio's scene, which is fused where depth is written."""
        if "nerfstudio" not in self.names or "depth" not in channels:
            return 0.0
        return SCENE_POINTS_A_PIXEL * size_px**2 * math.sqrt(views) * BYTES_A_POINT["ply"]


def view_bytes(channels: tuple[str, ...], depth_format: str | None, formats: Formats, size_px: int) -> float:
    """A view's files in a data set and its formats, by figures."""
    return _bytes_a_pixel(channels, depth_format) * size_px**2 * formats.share(channels, depth_format)


def _bytes_a_pixel(channels: tuple[str, ...], depth_format: str | None) -> float:
    figures = {**BYTES_A_PIXEL, **({"depth": NPY_BYTES} if depth_format == "npy" else {})}
    return sum(figures.get(channel, OTHER_BYTES) for channel in channels)


def check_disk(estimate: Estimate, output: Path, *, ignored: bool) -> None:
    """Refuse a call whose results the disk cannot hold by far.

    Args:
        ignored: whether the user has said that it can.

    Raises:
        OutputError: it cannot.
    """
    free = free_bytes(output)
    if not ignored and free < MUCH_TOO_SMALL * estimate.size_bytes:
        raise OutputError(
            f"{output}: expected about {size_text(estimate.size_bytes)} of free disk, found {size_text(free)}; free some, choose another "
            "--output, ask for less, or give --ignore-disk-space where the figure is wrong"
        )


def free_bytes(output: Path) -> int:
    """What is free on the disk that a folder is, or will be, on.

    Raises:
        OutputError: the disk does not tell.
    """
    place = output.resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError as error:
        raise output_error(output, error) from error


def weighed(estimate: Estimate, output: Path, what: str, *, ignored: bool) -> list[str]:
    """What is to be warned of before a call begins: that it takes very long or writes very much; nothing of any other.

    Args:
        what: its views, for people.
        ignored: as `check_disk`.

    Raises:
        OutputError: the disk cannot hold it.
    """
    check_disk(estimate, output, ignored=ignored)
    if estimate.seconds <= LONG_S and estimate.size_bytes <= LARGE_BYTES:
        return []
    return [f"{output}: {cost_text(estimate)} for {what}; --dry-run measures it and writes nothing"]


def tell_dry_run(
    estimate: Estimate, output: Path, what: str, reporter: Reporter, fields: Mapping[str, Any], remarks: Sequence[str] = ()
) -> None:
    """The summary of a call that only says what it would do.

    Args:
        what: its views, for people.
        fields: what the summary of the real call begins with.
        remarks: what the real call would warn of.
    """
    for remark in remarks:
        reporter.warning(remark)
    free = free_bytes(output)
    enough = "" if free >= MUCH_TOO_SMALL * estimate.size_bytes else ", which is refused without --ignore-disk-space"
    how = "one view was measured" if estimate.measured else "by figures"
    reporter.summary(
        [
            f"{output}: {what}, {counted(estimate.views, 'view')} to be made, {counted(estimate.files, 'file')}: "
            f"{cost_text(estimate)}; {how}",
            f"free on that disk: {size_text(free)}{enough}",
            "nothing was written; leave out --dry-run to make it",
        ],
        **{**fields, "dry_run": True, "estimate": estimate.to_json(), "free_bytes": free},
    )


def cost_text(estimate: Estimate) -> str:
    """`about 1.2 TB and 40 days`."""
    return f"about {size_text(estimate.size_bytes)} and {time_text(estimate.seconds)}"


def size_text(size_bytes: float) -> str:
    """A size with two digits, in decimal units: `1.2 TB`."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= one:
            return f"{_two_digits(size_bytes / one)} {unit}"
    return f"{size_bytes:.0f} bytes"


def time_text(seconds: float) -> str:
    """A time with two digits: `40 days`."""
    for unit, one in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * one:
            return f"{_two_digits(seconds / one)} {unit}"
    return f"{_two_digits(seconds)} seconds"


def _two_digits(value: float) -> str:
    digits = 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{round(value, digits):,.{max(digits, 0)}f}".removesuffix(".0")
