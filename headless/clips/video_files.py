"""Videos: label ids without loss, and previews that any player opens. Frames go straight to the file, so length costs no memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from dnerf_core.files.whole import whole_file

_BT709 = 1
"""Of primaries, transfer and matrix alike, by ITU-T H.273."""

Codec = Literal["ffv1 of ids", "ffv1 of colours", "h264"]

_CRF = "16"
"""x264's quality for previews: no visible loss."""

_SAME_BYTES = "cpu-independent=1"
"""Else x264's macroblock tree rounds by the processor's own instructions and, 1 run in 50 of ours, by where its buffers happen to lie."""


class FrameSink(Protocol):
    """Takes the frames of one video, in order."""

    def __call__(self, frame: npt.NDArray[np.uint8]) -> None:
        """Add a frame: ids [H, W], or an image [H, W, 3]; uint8."""


@contextmanager
def label_video(
    path: Path, width_px: int, height_px: int, fps: int | Fraction, first_frame: int | None = None
) -> Iterator[FrameSink]:
    """A Matroska file of label ids as 8-bit gray FFV1: decoded ids equal those given, exactly.

    The file appears under its name when the block ends well, and not at all when it does not. Equal frames give equal bytes.

    Args:
        first_frame: number of the first frame in the scene that it comes from, which the file tells as its timecode; None: it tells none.

    Raises:
        OutputError: the file cannot be written.
    """
    with whole_file(path) as temporary, _sink(temporary, "ffv1 of ids", width_px, height_px, fps, first_frame) as sink:
        yield sink


@contextmanager
def color_video(
    path: Path, width_px: int, height_px: int, fps: int | Fraction, first_frame: int | None = None
) -> Iterator[FrameSink]:
    """A Matroska file of colours as 8-bit RGB FFV1: decoded colours equal those given, exactly. See `label_video`."""
    with whole_file(path) as temporary, _sink(temporary, "ffv1 of colours", width_px, height_px, fps, first_frame) as sink:
        yield sink


@contextmanager
def preview_video(
    path: Path, width_px: int, height_px: int, fps: int | Fraction, first_frame: int | None = None
) -> Iterator[FrameSink]:
    """An MP4 file of images as H.264, which players and browsers open. Odd sides get a row or column more, as 4:2:0 needs even ones.

    Appears whole or not at all; equal frames give equal bytes; `first_frame` is as in `label_video`.

    Raises:
        OutputError: the file cannot be written.
    """
    even = width_px + width_px % 2, height_px + height_px % 2
    with whole_file(path) as temporary, _sink(temporary, "h264", *even, fps, first_frame) as sink:

        def add(frame: npt.NDArray[np.uint8]) -> None:
            down, across = even[1] - frame.shape[0], even[0] - frame.shape[1]
            sink(np.pad(frame, ((0, down), (0, across), (0, 0)), mode="edge"))

        yield add


def read_label_video(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """The ids [H, W] of each frame of a file that `label_video` wrote."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="gray"), dtype=np.uint8)


def timecode(frame: int, fps: int | Fraction) -> str:
    """`hh:mm:ss:ff` of a frame, counted from 0: without dropped numbers, as many a second as the rate rounded to a whole number."""
    seconds, of_second = divmod(frame, max(1, round(fps)))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{of_second:02d}"


def _tag(codec: av.VideoCodecContext) -> None:
    """Say how colours are coded, which players of small videos would guess to be BT.601: BT.709, limited range."""
    codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
    codec.color_range = ColorRange.MPEG


def _bt709(picture: av.VideoFrame) -> av.VideoFrame:
    """An RGB picture as the colours that `_tag` tells of, 4:2:0."""
    return picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)


@contextmanager
def _sink(
    path: Path, codec: Codec, width_px: int, height_px: int, fps: int | Fraction, first_frame: int | None
) -> Iterator[FrameSink]:
    # bitexact: no random identifiers and no version of the encoder in the file; one thread: the same bytes on any machine
    options = {"fflags": "+bitexact"}
    if codec == "h264":
        options["movflags"] = "+faststart"  # the index before the frames, so that browsers play while they load
    container = av.open(str(path), "w", format="mp4" if codec == "h264" else "matroska", options=options)
    with container:
        if first_frame is not None:
            container.metadata["timecode"] = timecode(first_frame, fps)
        stream = container.add_stream("libx264" if codec == "h264" else "ffv1", rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = width_px, height_px
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if codec != "h264":
            stream.pix_fmt = "gray" if codec == "ffv1 of ids" else "bgr0"
            stream.options = {"level": "3", "slicecrc": "1", "slices": "4"}
        else:
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": _CRF, "preset": "fast", "x264-params": _SAME_BYTES}
            _tag(stream.codec_context)

        def add(frame: npt.NDArray[np.uint8]) -> None:
            assert frame.shape[:2] == (height_px, width_px)
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame), format="gray" if codec == "ffv1 of ids" else "rgb24"
            )
            if codec == "h264":
                picture = _bt709(picture)
            elif codec == "ffv1 of colours":
                picture = picture.reformat(format="bgr0")  # the same bytes in another order
            container.mux(stream.encode(picture))

        yield add
        container.mux(stream.encode())
