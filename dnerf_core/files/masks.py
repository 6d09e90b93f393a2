"""Reading painted masks: palette images of label ids, RGB or RGBA images in the label set's colours, gray images of label ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.opening.decoding import PICTURE_ERRORS, decoded_picture, reason_of
from dnerf_core.files.snapping import SnapTally, snapped_ids_by_profile, to_size
from dnerf_core.labels import IGNORE_ID, LabelSet, check_ids

_SNAPPED_FORMATS = ("PNG", "JPEG", "BMP")
_SNAP_REMEDY = "--snap-colors of train, evaluate, invert and edit takes"


def is_painted(mask: NDArray[np.uint8]) -> bool:
    """Whether any part is painted in a mask."""
    return bool(((mask != 0) & (mask != IGNORE_ID)).any())


def read_mask(
    path: Path, labels: LabelSet, size_px: int | tuple[int, int], like: str = "image", snap: SnapTally | None = None
) -> NDArray[np.uint8]:
    """The label ids uint8 [H, W] of a painted mask.

    Taken are: a palette image whose used colours are labels' (by colour, since editors reorder palettes) or whose palette is
    the gray ramp (by index); a gray image of ids; RGB; RGBA, where fully transparent is background. Numbers count as they stand in the
    file, whatever profile or gamma it carries.

    Args:
        size_px: the side, or (width, height).
        like: what of the view has that size, for errors.
        snap: where it is given, colours are read by the nearest label's (`snapped_ids_by_profile`), JPEG and BMP files, and masks of
            exactly half or double the size, are taken, too; it is told of the mask.

    Raises:
        AnnotationError: a file that cannot be read, of another size or kind, or with an id or colour that is no label's.
    """
    expected = (size_px, size_px) if isinstance(size_px, int) else size_px

    def check_size(width_px: int, height_px: int) -> None:
        taken = [expected]
        if snap is not None:
            taken += [(2 * expected[0], 2 * expected[1])]
            taken += [(expected[0] // 2, expected[1] // 2)] if expected[0] % 2 == expected[1] % 2 == 0 else []
        if (width_px, height_px) not in taken:
            raise AnnotationError(
                f"{path}: expected a mask of {expected[0]} x {expected[1]} px like its {like}, found {width_px} x {height_px}; "
                "paint it at that size"
            )

    return to_size(read_sized_mask(path, labels, check_size, snap), *expected)


def read_sized_mask(
    path: Path, labels: LabelSet, check_size: Callable[[int, int], None], snap: SnapTally | None = None
) -> NDArray[np.uint8]:
    """`read_mask` of a size that `check_size` judges by width and height; it raises what is to be raised.

    Raises:
        AnnotationError: as `read_mask`.
    """
    found = _decoded(path, check_size, ("PNG",) if snap is None else _SNAPPED_FORMATS)
    if found.palette is not None:
        return _ids_from_palette(found, found.palette, labels, path, snap)
    if found.mode == "L":
        return _checked_ids(found.pixels, labels, path)
    return _ids_from_rgba(found, labels, path, snap)


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A picture's numbers as they stand in the file, which no profile and no gamma of the file changes.

    Attributes:
        mode: Pillow's; colour images other than palettes without transparency are "RGBA".
        palette: uint8 [256, 3] of such a palette image.
        profile: the ICC profile that the file says its colours are of; None: it does not say.
    """

    mode: str
    pixels: NDArray[np.uint8]
    palette: NDArray[np.uint8] | None = None
    profile: bytes | None = None


def _decoded(path: Path, check_size: Callable[[int, int], None], formats: tuple[str, ...]) -> _Decoded:
    try:
        with decoded_picture(path, formats, check_size) as image:
            profile = image.info.get("icc_profile")
            if image.mode == "P" and "transparency" not in image.info:
                colors = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
                palette = np.zeros((256, 3), np.uint8)
                palette[: len(colors)] = colors
                return _Decoded("P", np.array(image, np.uint8), palette, profile)
            if image.mode == "L" and image.format == "PNG":
                return _Decoded("L", np.array(image, np.uint8))
            if image.mode in ("RGB", "RGBA", "P", "CMYK"):
                return _Decoded("RGBA", np.array(image.convert("RGBA"), np.uint8), None, profile)
            mode = image.mode if image.format == "PNG" else f"{image.mode} ({image.format})"
    except FileNotFoundError as error:
        raise AnnotationError(
            f"{path}: expected a mask, found no file; restore it, or repeat the sample command for an empty one"
        ) from error
    except PICTURE_ERRORS as error:
        kinds, more = ("PNG", f", as PNG; {_SNAP_REMEDY} JPEG and BMP") if formats == ("PNG",) else ("PNG, JPEG or BMP", "")
        raise AnnotationError(
            f"{path}: expected a {kinds} image, it cannot be read: {reason_of(error)}; save the mask again{more}"
        ) from error
    raise AnnotationError(
        f"{path}: expected a palette, RGB, RGBA or 8-bit gray image, found mode {mode}; save it as one of these"
    )


def _ids_from_palette(
    found: _Decoded, palette: NDArray[np.uint8], labels: LabelSet, path: Path, snap: SnapTally | None
) -> NDArray[np.uint8]:
    indices = found.pixels
    used = np.unique(indices)
    own = np.array_equal(palette[used], labels.palette()[used])
    gray_ramp = np.array_equal(palette[used], np.repeat(used[:, None], 3, axis=1))
    if own or gray_ramp:
        return _checked_ids(indices.copy(), labels, path)
    return _ids_from_rgb(palette[indices], labels, path, snap, found.profile)


def _ids_from_rgba(found: _Decoded, labels: LabelSet, path: Path, snap: SnapTally | None) -> NDArray[np.uint8]:
    rgba = found.pixels
    alpha = rgba[..., 3]
    halfway = (alpha > 0) & (alpha < 255)
    if halfway.any() and snap is None:
        row, column = (int(index) for index in np.argwhere(halfway)[0])
        raise AnnotationError(
            f"{path}: expected pixels either painted or transparent, found alpha {alpha[row, column]} at column {column}, "
            f"row {row}; paint without antialiasing; {_SNAP_REMEDY} blended colours"
        )
    share = alpha[..., None] / 255  # over the background's colour, as a painting program shows it
    rgb = np.rint(share * rgba[..., :3] + (1 - share) * labels.palette()[0]).astype(np.uint8)
    return _ids_from_rgb(rgb, labels, path, snap, found.profile)


def _ids_from_rgb(
    rgb: NDArray[np.uint8], labels: LabelSet, path: Path, snap: SnapTally | None, profile: bytes | None
) -> NDArray[np.uint8]:
    if snap is None:
        return labels.ids_from_colors(
            rgb, str(path), f"paint without antialiasing and save as PNG, or add the colour; {_SNAP_REMEDY} the nearest colour"
        )
    ids, snapped_px, ignored_px = snapped_ids_by_profile(rgb, labels, profile)
    snap.add(path, snapped_px, ignored_px, ids.size)
    return ids


def _checked_ids(ids: NDArray[np.uint8], labels: LabelSet, path: Path) -> NDArray[np.uint8]:
    check_ids(ids, labels.num_classes, str(path), "repaint it, or add the label to labels.json")
    return ids


def read_foreign_mask(path: Path, labels: LabelSet | None, check_size: Callable[[int, int], None]) -> NDArray[np.uint8]:
    """The ids uint8 [H, W] of a mask that another program wrote, in whatever range they are.

    A gray image is ids. A palette image is read by colour where all of its used colours are the labels', else by index: programs write
    palettes of their own. Other colour images are read by colour.

    Args:
        labels: whose colours count; None: those of nobody, and only ids are taken.

    Raises:
        AnnotationError: a file that cannot be read, or of another kind.
    """
    found = _decoded(path, check_size, ("PNG",))
    pixels, palette = found.pixels, found.palette
    if palette is not None:
        own = (
            None
            if labels is None
            else {tuple(color) for color in labels.palette()[[*range(labels.num_classes), IGNORE_ID]].tolist()}
        )
        used = {tuple(color) for color in palette[np.unique(pixels)].tolist()}
        if labels is None or own is None or not used <= own:
            return pixels
        return labels.ids_from_colors(palette[pixels], str(path))
    if found.mode == "L":
        return pixels
    if labels is None:
        raise AnnotationError(f"{path}: expected ids in a gray or palette image, found colours; save the ids")
    return _ids_from_rgba(found, labels, path, None)
