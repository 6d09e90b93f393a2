"""Blurs of float pictures [H, W] or [H, W, C]; beyond the border a picture goes on as its mirror image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def convolved(picture: FloatArray, kernel: NDArray[np.floating]) -> FloatArray:
    """A picture convolved with an odd-sided kernel of sum 1."""
    rows, columns = (side // 2 for side in kernel.shape)
    rows, columns = min(rows, picture.shape[0] - 1), min(columns, picture.shape[1] - 1)
    kernel = _cut(kernel, rows, columns)
    padded = np.pad(picture, [(rows, rows), (columns, columns)] + [(0, 0)] * (picture.ndim - 2), mode="reflect")
    shape = padded.shape[:2]
    spectrum = np.fft.rfft2(np.roll(np.pad(kernel, _up_to(kernel.shape, shape)), (-rows, -columns), axis=(0, 1)))
    if picture.ndim == 3:
        spectrum = spectrum[..., None]
    blurred = np.fft.irfft2(np.fft.rfft2(padded, axes=(0, 1)) * spectrum, s=shape, axes=(0, 1))
    result: FloatArray = blurred[rows : rows + picture.shape[0], columns : columns + picture.shape[1]].astype(np.float32)
    return result


def _cut(kernel: NDArray[np.floating], rows: int, columns: int) -> NDArray[np.floating]:
    """The middle of a kernel that is larger than the picture's mirror images."""
    top, left = kernel.shape[0] // 2 - rows, kernel.shape[1] // 2 - columns
    middle = kernel[top : kernel.shape[0] - top, left : kernel.shape[1] - left]
    return middle / middle.sum()


def _up_to(shape: tuple[int, ...], padded: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(0, whole - side) for side, whole in zip(shape, padded, strict=True)]


def gaussian(picture: FloatArray, sigma_px: float) -> FloatArray:
    """A Gaussian blur; below a tenth of a pixel the picture as it is."""
    if sigma_px < 0.1:
        return picture
    reach = math.ceil(3 * sigma_px)
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    return convolved(picture, np.outer(line, line) / line.sum() ** 2)


def disc(picture: FloatArray, radius_px: float) -> FloatArray:
    """What a lens out of focus makes of a picture: each point a disc; below a fifth of a pixel the picture as it is."""
    if radius_px < 0.2:
        return picture
    reach = math.ceil(radius_px)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius_px + 0.5 - np.hypot(y, x), 0, 1)
    return convolved(picture, kernel / kernel.sum())


def line(picture: FloatArray, length_px: float, angle_deg: float) -> FloatArray:
    """What a moving camera makes of a picture: each point a line about itself; below half a pixel the picture as it is."""
    if length_px < 0.5:
        return picture
    reach = math.ceil(length_px / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    along, across = np.abs(x * cosine + y * sine), np.abs(y * cosine - x * sine)
    kernel = np.clip(length_px / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return convolved(picture, kernel / kernel.sum())


def neighbour_mean(values: FloatArray, chosen: NDArray[np.bool_], reach: int) -> tuple[FloatArray, FloatArray]:
    """The mean of the chosen pixels' values [H, W, C] in squares of 2 reach + 1 pixels, 0 where there are none, and how many."""
    side = 2 * reach + 1
    weight = np.pad(chosen.astype(np.float32), reach)
    total = np.pad(values * chosen[..., None], [(reach, reach), (reach, reach), (0, 0)])
    for axis in (0, 1):
        weight, total = _sliding_sum(weight, side, axis), _sliding_sum(total, side, axis)
    return (total / np.maximum(weight, 1)[..., None]).astype(np.float32), weight.astype(np.float32)


def _sliding_sum(values: NDArray[np.float32], side: int, axis: int) -> NDArray[np.float32]:
    length = values.shape[axis] - side + 1
    pieces = [np.take(values, np.arange(start, start + length), axis=axis) for start in range(side)]
    result: NDArray[np.float32] = np.sum(pieces, axis=0, dtype=np.float32)
    return result
