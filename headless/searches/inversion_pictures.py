"""The pictures of one call of `invert`, all read and checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.errors import UsageError
from dnerf_core.files.masks import is_painted
from dnerf_core.files.photos import background_color, picture_size, read_label_mask, read_photo
from dnerf_core.files.snapping import SnapTally

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.squares import Fit
    from headless.searches.calls import InvertCall


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture to invert.

    Attributes:
        path: of its file.
        stem: of the names of its outputs.
        sha256: of its file.
        rgb: the photo, or the mask in its labels' colours, uint8 [S, S, 3].
        mask: label ids uint8 [S, S]; None: it is a photo.
        note: what is to be told of it.
        size_px: width and height of the file's picture, upright.
    """

    path: Path
    stem: str
    sha256: str
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    note: str | None
    size_px: tuple[int, int]


def read_pictures(call: InvertCall, facts: ModelFacts, fit: Fit) -> list[Picture]:
    """All pictures of a call.

    Raises:
        UsageError: two whose outputs would have the same name.
        DNeRFError: one that cannot be used.
    """
    by_stem: dict[str, Picture] = {}
    for path in call.pictures:
        if path.stem in by_stem:
            raise UsageError(
                f"{path}: expected pictures of different names, found {by_stem[path.stem].path} as well; rename one, or call twice"
            )
        by_stem[path.stem] = _mask(path, facts, fit, call.snap_colors) if call.kind == "mask" else _photo(path, facts, fit)
    return list(by_stem.values())


def _photo(path: Path, facts: ModelFacts, fit: Fit) -> Picture:
    photo = read_photo(path, facts.config.image_size, fit, background_color(facts.config.rays.white_back))
    return Picture(path, path.stem, file_sha256(path), photo.rgb, None, photo.note, (photo.width_px, photo.height_px))


def _mask(path: Path, facts: ModelFacts, fit: Fit, snap_colors: bool) -> Picture:
    assert facts.labels is not None
    snap = SnapTally() if snap_colors else None
    mask = read_label_mask(path, facts.config.image_size, fit, facts.labels, snap)
    if not is_painted(mask):
        raise UsageError(f"{path}: expected some painted part, found only background or 255; paint the object first")
    note = None if snap is None else snap.line()
    return Picture(path, path.stem, file_sha256(path), facts.labels.colorize(mask), mask, note, picture_size(path))
