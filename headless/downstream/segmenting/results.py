"""What is known of a labelled file, and where its results lie; and the small pictures of the sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.labels import LabelSet

MASKS, CONFIDENCE, OVERLAYS, CLOUDS, MESHES, FACTS, THUMBNAILS = (
    *("masks", "confidence", "overlays", "clouds", "meshes"),
    *("facts", "thumbnails"),
)
"""Folders of the results."""

TILE_PX = 192
"""A side of the sheet's pictures."""

_PAPER = (250, 250, 248)


@dataclass(frozen=True)
class Facts:
    """One labelled file.

    Attributes:
        name: of its results.
        file: the path that was given.
        type: "picture", "video", "cloud" or "mesh".
        files: its results, relative to the folder.
        size: of it: `width_px` and `height_px`, of a video `frames` and `fps`, of a cloud `points`, of a mesh `vertices` and `faces`.
        confidence: mean probability of the labels that pixels or points got; see `segmenting.confidence`.
        shares: of its pixels or points by the labels' names.
        strangeness: of a cloud or mesh, see `segmenting.confidence`; None: not known.
        remarks: what the user should know, one line each.
        energy: of a picture's or video's parts, which tells whether the network knows the like; see `images.calibration`.
    """

    name: str
    file: str
    type: str
    files: tuple[str, ...]
    size: dict[str, int | float]
    confidence: float
    shares: dict[str, float]
    remarks: tuple[str, ...] = ()
    energy: float | None = None
    strangeness: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"files": list(self.files), "remarks": list(self.remarks)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Facts:
        """What `to_json` gave."""
        return cls(**data | {"files": tuple(data["files"]), "remarks": tuple(data["remarks"])})


def facts_name(name: str) -> str:
    """Where a file's facts lie, which are written last: then all of its results are there."""
    return f"{FACTS}/{name}.json"


def thumbnail_name(name: str) -> str:
    """Where the small pictures of a file lie."""
    return f"{THUMBNAILS}/{name}.png"


def shares_of(counts: NDArray[np.integer], labels: LabelSet) -> dict[str, float]:
    """Shares by name of how often each label was given."""
    total = max(int(counts.sum()), 1)
    return {name: round(int(count) / total, 6) for name, count in zip(labels.names, counts[: labels.num_classes], strict=True)}


def gray_confidence(confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Confidence in [0, 1] as round(255 c), uint8 of the same shape."""
    return np.rint(255 * np.clip(confidence, 0.0, 1.0)).astype(np.uint8)


def strip(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures uint8 [H, W, 3] or [H, W] as squares of `TILE_PX` beside each other, whole, with paper round them: uint8 [T, n T, 3]."""
    return np.concatenate([_tile(picture) for picture in pictures], axis=1)


def tiles(pictures: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The squares of a `strip`."""
    return [np.ascontiguousarray(tile) for tile in np.split(pictures, pictures.shape[1] // TILE_PX, axis=1)]


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(picture).convert("RGB")
    factor = TILE_PX / max(image.size)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    tile = Image.new("RGB", (TILE_PX, TILE_PX), _PAPER)
    tile.paste(image.resize((size[0], size[1]), Image.Resampling.LANCZOS), ((TILE_PX - size[0]) // 2, (TILE_PX - size[1]) // 2))
    return np.array(tile, np.uint8)
