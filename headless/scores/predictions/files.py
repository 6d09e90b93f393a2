"""Where masks lie that anyone predicted, or that predictions are held against: pictures and label videos by the stem of their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.errors import AnnotationError
from dnerf_core.files.names import ID2LABEL_NAME, LABELS_NAME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.labels import LabelSet

PICTURE, VIDEO = ".png", ".mkv"
_VIDEO_TAIL = "-labels"
_MASKS, _IMAGES = "masks", "images"
LISTED = 5
"""Names of views that a message has, before the rest is counted."""


@dataclass(frozen=True)
class MaskFile:
    """A picture of ids, or a video of ids; `stem` is what its name says of which view or clip it is."""

    stem: str
    path: Path

    @property
    def is_video(self) -> bool:
        """Whether it has frames."""
        return self.path.suffix.lower() == VIDEO

    @property
    def image_path(self) -> Path | None:
        """The picture, or the video, that the masks are of, where it lies beside them as our folders have it; None: nowhere."""
        if self.is_video:
            found = self.path.with_name(f"{self.stem}-image.mp4")
        else:
            top = self.path.parent.parent if self.path.parent.name == _MASKS else self.path.parent
            found = top / _IMAGES / f"{self.stem}{PICTURE}"
        return found if found.is_file() else None

    def images(self) -> Iterator[NDArray[np.uint8]]:
        """The images uint8 [H, W, 3] of its frames, a picture's one; none where there is none beside it.

        Raises:
            OutputError: it cannot be read.
        """
        from dnerf_core.files.pictures import read_image

        path = self.image_path
        if path is not None and self.is_video:
            yield from _frames(path, "rgb24")
        elif path is not None:
            yield read_image(path)[..., :3]


def folder_of_masks(path: Path) -> Path:
    """The folder whose lists tell of some masks: the one above where a data set's `masks/` itself is named."""
    return path.parent if path.name == _MASKS and not _lists_in(path) and _lists_in(path.parent) else path


def _lists_in(path: Path) -> bool:
    return any((path / name).is_file() for name in (LABELS_NAME, ID2LABEL_NAME))


def mask_files(path: Path) -> dict[str, MaskFile]:
    """The masks of a folder by stem: of its `masks/` and those of its splits, or, where it has none, its own PNG files and Matroska videos.

    Videos are named as ours, `NAME-labels.mkv`, or `NAME.mkv`.

    Raises:
        AnnotationError: the folder has none, or two of one name.
    """
    folders = [path / _MASKS, *(inner / _MASKS for inner in _folders(path))]
    places = [folder for folder in folders if folder.is_dir()]
    found: dict[str, MaskFile] = {}
    for place in places or [path, *_folders(path)]:
        endings = (PICTURE, VIDEO) if places or place == path else (VIDEO,)
        for file in sorted(place.iterdir()):
            if file.suffix.lower() not in endings or file.name.startswith(".") or not (places or _is_mask(file)):
                continue
            stem = file.stem.removesuffix(_VIDEO_TAIL) if file.suffix.lower() == VIDEO else file.stem
            if stem in found:
                raise AnnotationError(f"{file}: expected one mask named {stem}, found {found[stem].path} too; take one away")
            found[stem] = MaskFile(stem, file)
    if not found:
        raise AnnotationError(
            f"{path}: expected masks, as PNG files or label videos (.mkv), in the folder or in its {_MASKS}/, found none; name "
            "the folder that has them"
        )
    return found


def _folders(path: Path) -> list[Path]:
    return sorted(inner for inner in path.iterdir() if inner.is_dir() and inner.name not in (_MASKS, _IMAGES))


def _is_mask(file: Path) -> bool:
    from dnerf_core.files.names import SHEET_NAME

    return file.name != SHEET_NAME


def ids_of_picture(path: Path, labels: LabelSet | None) -> NDArray[np.uint8]:
    """The ids of a picture, see `dnerf_core.files.masks.read_foreign_mask`; of any size up to the largest that is rendered.

    Raises:
        AnnotationError: as that, or a larger one.
    """
    from dnerf_core.files.masks import read_foreign_mask

    return read_foreign_mask(path, labels, partial(_check_size, path))


def _check_size(path: Path, width_px: int, height_px: int) -> None:
    from dnerf_core.files.squares import MAX_PIXELS

    if width_px * height_px > MAX_PIXELS:
        raise AnnotationError(
            f"{path}: expected at most {MAX_PIXELS} pixels, found {width_px} x {height_px}; scale it down by nearest"
        )


def ids_of_video(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The ids uint8 [H, W] of each frame of a video without loss.

    Raises:
        AnnotationError: it cannot be read, or is coded with loss or in colours, which hold no ids.
    """
    return _frames(path, "gray")


def _frames(path: Path, pixel_format: str) -> Iterator[NDArray[np.uint8]]:
    import av
    import numpy as np

    try:
        with av.open(str(path)) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or (pixel_format == "gray" and (stream.codec_context.name, stream.pix_fmt) != ("ffv1", "gray")):
                found = "no video" if stream is None else f"{stream.codec_context.name} {stream.pix_fmt}"
                raise AnnotationError(
                    f"{path}: expected a video of ids, FFV1 in 8-bit gray, found {found}; write it without loss"
                )
            for frame in container.decode(stream):
                yield np.asarray(frame.to_ndarray(format=pixel_format), np.uint8)
    except (av.FFmpegError, OSError) as error:
        raise AnnotationError(f"{path}: expected a video, it cannot be read: {error}; write it again") from error
