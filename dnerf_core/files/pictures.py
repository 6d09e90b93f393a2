"""One view's files: image, mask, normals and uncertainty as PNG, the depth as EXR, NPY or 16-bit PNG; and how to read them back."""

from __future__ import annotations

import io
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from dnerf_core.errors import OutputError
from dnerf_core.files.encoding.png import gray16_png, ids_png, rgb_png
from dnerf_core.files.exr import exr_bytes
from dnerf_core.files.opening.decoding import PICTURE_ERRORS, decoded_picture, reason_of
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.files.whole import write_bytes_whole

T = TypeVar("T", bound=np.generic)
DepthFormat = Literal["exr", "npy", "png16"]
DEPTH_SUFFIXES: dict[DepthFormat, str] = {"exr": ".exr", "npy": ".npy", "png16": ".png"}
"""What the names of depth files end in."""

MaskFormat = Literal["ids", "palette"]

DEPTH_STEPS = 1000
"""Steps of a world unit in depth of 16-bit pictures, as programs have it that take them for millimetres."""

DEPTH_CHANNEL = "Y"
"""Of an EXR file of depth: the one name that OpenCV, Blender and ffmpeg all read exactly. A lone `Z` is zeros, garbage and an error."""

EARLIER_DEPTH_CHANNEL = "Z"
"""What it was called by earlier versions, and is by other programs; both are read."""

MAKE_AGAIN = "remove it and repeat the command, which makes it again"


def write_image(path: Path, rgb: npt.NDArray[np.uint8]) -> None:
    """An 8-bit RGB PNG without time stamps, so that equal pixels give equal bytes.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes_whole(path, rgb_png(rgb))


def write_mask(path: Path, mask: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> None:
    """A palette PNG (mode P) whose pixel values are the label ids.

    Args:
        mask: [H, W] uint8 label ids, 0 background, 255 ignore.
        palette: [256, 3] uint8, the colour of each id.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes_whole(path, ids_png(mask, palette))


def write_mask_ids(path: Path, mask: npt.NDArray[np.uint8]) -> None:
    """An 8-bit gray PNG (mode L) whose pixel values are the label ids, which no reader turns into colours.

    Args:
        mask: [H, W] uint8 label ids, 0 background, 255 ignore.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes_whole(path, ids_png(mask))


def write_depth(
    path: Path, depth_planar: npt.NDArray[np.float32], depth_format: DepthFormat, exr_channel: str = DEPTH_CHANNEL
) -> None:
    """Planar depth: `exr` one float32 channel, ZIP, background 0; `npy` the float32 array itself, background +inf; `png16` 16-bit gray
    in steps of 1 / `DEPTH_STEPS` world unit, background 0.

    Args:
        depth_planar: [H, W] float32, along the optical axis, the model's world units, +inf at background.
        exr_channel: `DEPTH_CHANNEL`, or `EARLIER_DEPTH_CHANNEL` for a folder that was begun with it.

    Raises:
        OutputError: the file cannot be written, or a depth is too large for 16 bits.
    """
    if depth_format == "png16":
        write_bytes_whole(path, gray16_png(depth_steps(depth_planar, path)))
        return
    if depth_format == "npy":
        buffer = io.BytesIO()
        np.save(buffer, depth_planar)
        write_bytes_whole(path, buffer.getvalue())
        return
    # Readers of EXR scale, filter and sum what they find, so the background must be finite there.
    finite = np.where(np.isfinite(depth_planar), depth_planar, np.float32(0.0)).astype(np.float32)
    write_bytes_whole(path, exr_bytes(finite, exr_channel))


def depth_steps(depth_planar: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.uint16]:
    """Planar depth [H, W] in steps of 1 / `DEPTH_STEPS` world unit, 0 at background.

    Raises:
        OutputError: a depth does not fit 16 bits; the message starts with `path`.
    """
    steps = np.rint(DEPTH_STEPS * np.where(np.isfinite(depth_planar), depth_planar, 0.0).astype(np.float64))
    if steps.max() > 65535:
        raise OutputError(
            f"{path}: expected depths up to {65535 / DEPTH_STEPS:g} world units for 16-bit pictures, found "
            f"{steps.max() / DEPTH_STEPS:g}; choose --depth-format exr, without --format nerfstudio"
        )
    return steps.astype(np.uint16)


def write_normals(path: Path, normals: npt.NDArray[np.float32]) -> None:
    """Unit normals as an 8-bit RGB PNG, round(127 n) + 128; what has no normal, zeros, is (128, 128, 128).

    Args:
        normals: [H, W, 3] float32.

    Raises:
        OutputError: the file cannot be written.
    """
    write_image(path, (np.rint(127 * normals) + 128).astype(np.uint8))


def read_normals(path: Path) -> npt.NDArray[np.float32]:
    """Normals written by `write_normals` as [H, W, 3] float32, within 1/254 of what they were an axis.

    Raises:
        OutputError: it cannot be read.
    """
    return (read_image(path).astype(np.float32) - 128) / 127


def write_uncertainty(path: Path, uncertainty: npt.NDArray[np.float32]) -> None:
    """Uncertainty as a 16-bit gray PNG, round(65535 u).

    Args:
        uncertainty: [H, W] float32 in [0, 1].

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes_whole(path, gray16_png(np.rint(65535 * uncertainty.astype(np.float64)).astype(np.uint16)))


def read_gray16(path: Path) -> npt.NDArray[np.uint16]:
    """A PNG written by `write_uncertainty`, or of `gray16_png`, as [H, W] uint16.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        with decoded_picture(path, ("PNG",)) as image:
            return np.asarray(image).astype(np.uint16)
    except PICTURE_ERRORS as error:
        raise _unreadable(path, error) from error


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """A PNG written by `write_image` as [H, W, 3] uint8, or by `write_mask` as [H, W] uint8 label ids.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        with decoded_picture(path, ("PNG",)) as image:
            return np.asarray(image, dtype=np.uint8).copy()
    except PICTURE_ERRORS as error:
        raise _unreadable(path, error) from error


def read_depth(path: Path, integer_scale: float = 1 / DEPTH_STEPS) -> npt.NDArray[np.float32]:
    """A depth written by `write_depth`, in any format, as [H, W] float32 with +inf at background.

    Args:
        integer_scale: world units of a step, where the file is a 16-bit PNG.

    Raises:
        OutputError: it cannot be read.
    """
    if path.suffix == ".png":
        steps = read_gray16(path)
        if steps.ndim != 2:
            raise _unreadable(path, ValueError(f"expected one 16-bit channel, found {steps.shape[2]}"))
        return np.where(steps == 0, np.inf, steps * integer_scale).astype(np.float32)
    try:
        open_regular(path).close()  # the readers below would wait for a pipe's writer
        if path.suffix == ".npy":
            # mapped first: a damaged header may claim more than fits in memory
            return np.array(np.load(path, mmap_mode="r"), dtype=np.float32)
        import OpenEXR

        with OpenEXR.File(str(path)) as file:
            depth = np.array(_depth_pixels(file.channels()), dtype=np.float32)
    except (OSError, ValueError, EOFError, RuntimeError, LookupError, TypeError, OverflowError, TokenError) as error:
        raise _unreadable(path, error) from error
    depth[depth == 0] = np.inf
    return depth


def _depth_pixels(channels: dict[str, Any]) -> npt.NDArray[np.generic]:
    """Those of the channel that is depth.

    Raises:
        LookupError: there is none.
    """
    for name in (DEPTH_CHANNEL, EARLIER_DEPTH_CHANNEL):
        if name in channels:
            pixels: npt.NDArray[np.generic] = channels[name].pixels
            return pixels
    raise LookupError(
        f"expected a channel {DEPTH_CHANNEL} or {EARLIER_DEPTH_CHANNEL}, found {', '.join(sorted(channels)) or 'none'}"
    )


def of_size(array: npt.NDArray[T], path: Path, size_px: int) -> npt.NDArray[T]:
    """The array [H, W, ...] read of `path`, refused if it is not `size_px` a side.

    Raises:
        OutputError: it has another size.
    """
    expected = (size_px, size_px, *array.shape[2:])
    if array.shape != expected:
        raise OutputError(f"{path}: expected values {list(expected)}, found {list(array.shape)}; {MAKE_AGAIN}")
    return array


def _unreadable(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: expected a file that this command wrote, it cannot be read: {reason_of(error)}; {MAKE_AGAIN}")
