"""Videos that anyone made, read frame by frame: whole, upright, at the rate that the file tells."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.files.opening.regular_files import open_regular

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")

_USUAL_RATE = Fraction(25)
_HIGHEST_RATE = 1000
_QUARTER_DEG = 90
_REMEDY = "save or copy it again"
_SEGMENT = b"\x18\x53\x80\x67"
"""Matroska's element that holds all of a video."""


@dataclass(frozen=True)
class ForeignVideo:
    """An open video.

    Attributes:
        rate: frames a second, on average.
        frames: uint8 [H, W, 3] each, RGB, turned as the file says; to be gone through once.
        expected: how many frames the file says it has; 0: it does not say.
    """

    rate: Fraction
    frames: Iterator[NDArray[np.uint8]]
    expected: int


def check_video(path: Path) -> None:
    """Refuse what is no whole video, by its table of contents and its length; pictures are not decoded.

    Raises:
        UsageError: it is none.
    """
    with open_video(path):
        pass


@contextmanager
def open_video(path: Path) -> Iterator[ForeignVideo]:
    """A video, whose frames are decoded one after the other.

    Raises:
        UsageError: no such file, no video, truncated, or a frame that is damaged or of another size; while frames are gone through, too.
    """
    try:
        with open_regular(path) as file:
            if not file.read(1):
                raise UsageError(f"{path}: expected a video, found an empty file; {_REMEDY}")
    except OSError as error:
        raise UsageError(f"{path}: expected a video, it cannot be read: {error.strerror}; check the path") from error
    _check_whole(path)
    try:
        container = av.open(str(path))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    with container:
        if not container.streams.video:
            raise UsageError(f"{path}: expected a video, found a file without pictures; choose another")
        stream = container.streams.video[0]
        rate = next((rate for rate in (stream.average_rate, stream.guessed_rate) if rate and rate <= _HIGHEST_RATE), _USUAL_RATE)
        yield ForeignVideo(Fraction(rate), _frames(path, container), stream.frames)


def _frames(path: Path, container: av.container.InputContainer) -> Iterator[NDArray[np.uint8]]:
    shape: tuple[int, ...] | None = None
    try:
        for frame in container.decode(video=0):
            turns = round(frame.rotation / _QUARTER_DEG)
            rgb = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns), np.uint8)
            if shape is not None and rgb.shape != shape:
                raise UsageError(
                    f"{path}: expected frames of one size, found {rgb.shape[1]} x {rgb.shape[0]} px after {shape[1]} x {shape[0]}; "
                    "convert it to one size"
                )
            shape = rgb.shape
            yield rgb
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if shape is None:
        raise UsageError(f"{path}: expected a video with frames, found none; {_REMEDY}")


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return UsageError(f"{path}: expected a whole video, it cannot be read: {reason}; {_REMEDY}")


def _check_whole(path: Path) -> None:
    """Refuse a file that ends before what it says that it holds: decoders stop there without a word.

    The boxes of MP4 and QuickTime (ISO/IEC 14496-12), Matroska's segment (RFC 9559) and AVI's first list tell their length.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        head = file.read(64)
        end = size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            end = 0
            while end < size:
                file.seek(end)
                box = file.read(16)
                length = struct.unpack(">I", box[:4])[0] if len(box) >= 8 else 0
                if length == 1 and len(box) == 16:
                    length = struct.unpack(">Q", box[8:])[0]
                if length == 0 and len(box) >= 8:  # up to the end of the file
                    end = size
                elif length < 8:
                    return  # no box: the decoder judges
                else:
                    end += length
        elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            end = 8 + struct.unpack("<I", head[4:8])[0]
        elif head[:4] == b"\x1a\x45\xdf\xa3" and (place := head.find(_SEGMENT)) >= 0 and len(head) >= place + 12:
            first = head[place + 4]
            width = 9 - first.bit_length()  # bytes of the length, by its leading zeros
            length = int.from_bytes(head[place + 4 : place + 4 + width], "big") & (1 << (7 * width)) - 1 if first else 0
            if first and length != (1 << (7 * width)) - 1:  # all ones: not known, as of a stream
                end = place + 4 + width + length
    if end > size:
        raise UsageError(f"{path}: expected a whole video of {end} bytes as it says, found {size}; {_REMEDY}")
