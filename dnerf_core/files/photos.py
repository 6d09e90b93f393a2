"""Reading photos, and label masks of photos, of any size and kind: checked, upright, square, at the model's size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dnerf_core.errors import PhotoError
from dnerf_core.files.masks import read_sized_mask
from dnerf_core.files.opening.decoding import PICTURE_ERRORS, decoded_picture, reason_of
from dnerf_core.files.opening.regular_files import open_regular, strange_kind
from dnerf_core.files.snapping import SnapTally
from dnerf_core.files.squares import MAX_PIXELS, Color, Fit, Square, square_of, squared
from dnerf_core.labels import LabelSet

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)

BLANK_DEVIATION = 4.0
"""Of 255: a photo none of whose channels varies by more shows nothing, and its likeness, however good, means nothing."""

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_NAMED = "PNG, JPEG, WebP, TIFF, BMP or GIF"

_OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
"""Pillow's modes that are taken, and 16-bit gray, which it has several names for."""

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the orientation that its EXIF data tells."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo at the model's size.

    Attributes:
        rgb: uint8 [S, S, 3], sRGB.
        width_px, height_px: of the photo itself, upright.
        square: the part of it that `rgb` shows, in its own pixels.
        note: what the user should know of it, one line that begins with the file; None: nothing.
    """

    rgb: NDArray[np.uint8]
    width_px: int
    height_px: int
    square: Square
    note: str | None


def background_color(white_back: bool) -> Color:
    """What surrounds a generator's subjects: white where its configuration says `white_back`, else black."""
    return WHITE if white_back else BLACK


def read_photo(path: Path, size_px: int, fit: Fit, background: Color) -> Photo:
    """A photo, upright and square.

    Of an animation or a file of several pages it is the first picture. Transparent parts show the background. 16-bit gray is rounded
    to 8 bits. An ICC profile is not applied. Larger photos are shrunk by a Lanczos filter, as the pictures that the
    published generators were trained on; smaller ones are enlarged bicubically.

    Args:
        size_px: S.
        fit: how a photo that is not square becomes so.
        background: what lies behind and beside it.

    Raises:
        PhotoError: no such file, no such picture, damaged, of more than `MAX_PIXELS` or of another kind.
        UsageError: a square that the photo does not allow.
    """
    with _remarks() as remarks:
        image = _composited(_upright(path), background, path)
    square = square_of(image.width, image.height, fit, str(path))
    method = Image.Resampling.LANCZOS if square.side_px >= size_px else Image.Resampling.BICUBIC
    rgb = np.array(squared(image, square, size_px, background, method), np.uint8)
    notes = [f"the reader says: {' '.join(remark.split())}" for remark in remarks]
    if float(rgb.reshape(-1, 3).std(axis=0).max()) < BLANK_DEVIATION:
        notes.insert(0, "expected a picture of something, found hardly more than one colour, which an empty view matches as well")
    if square.side_px < size_px:
        notes.insert(0, f"expected {size_px} px a side or more, found {square.side_px}: enlarged, which adds no detail")
    return Photo(rgb, image.width, image.height, square, f"{path}: {'; '.join(notes)}" if notes else None)


def read_upright(path: Path, background: Color = WHITE) -> tuple[NDArray[np.uint8], str | None]:
    """A photo as it is, uint8 [H, W, 3], upright, and what its reader remarked, one line that begins with the file.

    Of an animation or a file of several pages it is the first picture; else as `read_photo`.

    Raises:
        PhotoError: no such file, no such picture, damaged, of more than `MAX_PIXELS` or of another kind.
    """
    with _remarks() as remarks:
        rgb = np.array(_composited(_upright(path), background, path), np.uint8)
    notes = [f"the reader says: {' '.join(remark.split())}" for remark in remarks]
    return rgb, f"{path}: {'; '.join(notes)}" if notes else None


def read_label_mask(path: Path, size_px: int, fit: Fit, labels: LabelSet, snap: SnapTally | None = None) -> NDArray[np.uint8]:
    """The label ids uint8 [S, S] of a painted mask of any size; 255, ignored, stays what it is; beside the mask is background.

    A pixel gets the id that covers most of it, where several tie that of the nearest pixel: the nearest pixel alone would
    tear thin parts, and make edges jump by the whole factor. Enlarged, both are the same.

    Args:
        size_px: S.
        fit: how a mask that is not square becomes so; as its photo did.
        snap: as `read_mask` has it.

    Raises:
        PhotoError: no such file, or a mask of more than `MAX_PIXELS`.
        AnnotationError: it is no mask of these labels, see `dnerf_core.files.masks.read_mask`.
        UsageError: a square that the mask does not allow.
    """
    _check_file(path, "a mask (PNG)")
    with _remarks():
        ids = read_sized_mask(path, labels, lambda width, height: _check_size(path, width, height), snap)
    square = square_of(ids.shape[1], ids.shape[0], fit, str(path))
    nearest = np.array(squared(Image.fromarray(ids), square, size_px, 0, Image.Resampling.NEAREST), np.uint8)
    best, best_share = nearest.copy(), np.full(nearest.shape, -1.0, np.float32)
    share_of_nearest = np.zeros(nearest.shape, np.float32)
    for label in np.union1d(ids, 0).tolist():  # background, which lies beside every mask
        where = Image.fromarray((ids == label).astype(np.float32))
        share = np.array(squared(where, square, size_px, float(label == 0), Image.Resampling.BOX), np.float32)
        best[share > best_share] = label
        np.maximum(best_share, share, out=best_share)
        share_of_nearest[nearest == label] = share[nearest == label]
    # filters add up in float32: shares this close are equal
    return np.where(share_of_nearest > best_share - 1e-5, nearest, best)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels of a picture's file as it is stored; nothing of it is decoded.

    Raises:
        PhotoError: no such file, or no picture.
    """
    _check_file(path, "a picture")
    try:
        with open_regular(path) as file, Image.open(file, formats=_FORMATS) as image:
            return image.size
    except PICTURE_ERRORS as error:
        raise PhotoError(
            f"{path}: expected a whole picture, it cannot be read: {reason_of(error)}; save or copy it again"
        ) from error


def _upright(path: Path) -> Image.Image:
    _check_file(path, f"a photo ({_NAMED})")
    try:
        with decoded_picture(path, _FORMATS, lambda width, height: _check_size(path, width, height)) as image:
            turn = _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
            return image.copy() if turn is None else image.transpose(turn)
    except UnidentifiedImageError as error:
        raise PhotoError(f"{path}: expected a photo ({_NAMED}), found another kind of file; convert it") from error
    except Image.DecompressionBombError as error:
        raise PhotoError(_too_large(path, "more")) from error
    except PICTURE_ERRORS as error:
        raise PhotoError(
            f"{path}: expected a whole photo, it cannot be read: {reason_of(error)}; save or copy it again"
        ) from error


def _check_file(path: Path, what: str) -> None:
    """Refuse what is no file with something in it; a pipe, if opened, would wait for its writer."""
    try:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else strange_kind(path) or "no file"
            raise PhotoError(f"{path}: expected {what}, found {kind}; check the path")
        if path.stat().st_size == 0:
            raise PhotoError(f"{path}: expected {what}, found an empty file; save or copy it again")
    except OSError as error:
        raise PhotoError(f"{path}: expected {what}, it cannot be read: {reason_of(error)}; check the path") from error


def _check_size(path: Path, width_px: int, height_px: int) -> None:
    if width_px < 1 or height_px < 1:
        raise PhotoError(f"{path}: expected a picture, found {width_px} x {height_px} px; save or copy it again")
    if width_px * height_px > MAX_PIXELS:
        raise PhotoError(_too_large(path, f"{width_px} x {height_px} px"))


def _too_large(path: Path, size_text: str) -> str:
    return f"{path}: expected at most {MAX_PIXELS // 10**6} megapixels, found {size_text}; shrink it first"


def _composited(image: Image.Image, background: Color, path: Path) -> Image.Image:
    """As RGB, laid over the background where it is transparent."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        gray = Image.fromarray(np.rint(values / 257).astype(np.uint8))
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            gray.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
        image = gray
    if image.mode not in _OPAQUE | _WITH_ALPHA:
        raise PhotoError(
            f"{path}: expected gray, palette, RGB or CMYK of 8 bits or gray of 16, found Pillow's mode {image.mode}; save it as RGB"
        )
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode not in _WITH_ALPHA and "transparency" not in image.info:
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")


@contextmanager
def _remarks() -> Iterator[list[str]]:
    """What Pillow warns of meanwhile, filled in at the end; but not of size, which is checked here."""
    remarks: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield remarks
    remarks += [str(item.message) for item in caught if not issubclass(item.category, Image.DecompressionBombWarning)]
