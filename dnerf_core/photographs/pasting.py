"""Subjects of anyone's labelled pictures laid on other backgrounds, quickly: what a network that learns from them sees anew each time.

Neither depth nor camera is asked for, so light and shadow are simpler here than `photograph` has them. Masks stay as they are.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dnerf_core.photographs.cutout import coverage_over
from dnerf_core.photographs.filters import FloatArray, line, neighbour_mean
from dnerf_core.photographs.photograph import encoded
from dnerf_core.photographs.strengths import Strengths

_EDGE_PX = 2
"""Over which a model's pictures go from the subject to what is behind it."""
_FIELD_PX = 509
"""Side of the field that noise is cut from."""
_PLAIN, _PLAIN_SHARE = 16, 0.95
"""How far of 255 a plain background's pixels are from its colour, and how many of them at least."""


def plain_color(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> FloatArray | None:
    """The colour float32 [3] in [0, 1] of a picture's background; None: it is not of one colour, or not seen.

    Args:
        image: uint8 [H, W, 3]; mask: uint8 [H, W], 0 background.
    """
    inside = mask != 0
    near, _ = neighbour_mean(inside.astype(np.float32)[..., None], np.ones_like(inside), _EDGE_PX)
    far = image[near[..., 0] * (2 * _EDGE_PX + 1) ** 2 < 0.5]
    if not len(far):
        return None
    middle = np.median(far, axis=0)
    alike = (np.abs(far - middle) <= _PLAIN).all(axis=1).mean()
    return (middle / 255).astype(np.float32) if alike >= _PLAIN_SHARE else None


def cut_for_pasting(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The subject uint8 [H, W, 4]: its colours times how much of each pixel it covers, and that, so that sums of pixels stay true.

    Before a background of one colour the share that shows of it at the border is taken out; from others the mask cuts, the outermost
    pixels' colours come from those further in.

    Args:
        image: uint8 [H, W, 3], RGB.
        mask: uint8 [H, W], 0 background; pixels that are ignored belong to the subject.
    """
    picture, inside = image.astype(np.float32) / 255, mask != 0
    behind = plain_color(image, mask)
    if behind is not None:
        covers = coverage_over(picture, inside, behind, _EDGE_PX)
        own = np.clip((picture - (1 - covers)[..., None] * behind) / np.maximum(covers, 0.02)[..., None], 0, 1)
        inner, found = neighbour_mean(own, covers > 0.98, _EDGE_PX)
        own = np.where(((covers < 0.6) & (found > 0))[..., None], inner, own)
    else:
        share, _ = neighbour_mean(inside.astype(np.float32)[..., None], np.ones_like(inside), 1)
        whole = np.minimum(9 * share[..., 0] / _seen_cells(inside.shape), 1)
        covers = np.where(inside, whole, 0)
        inner, found = neighbour_mean(picture, inside & (whole > 0.99), 2)
        own = np.where((inside & (whole < 0.99) & (found > 0))[..., None], inner, picture)
    subject = np.concatenate([own * covers[..., None], covers[..., None]], axis=-1)
    return np.rint(255 * subject).astype(np.uint8)


def pasted(subject: NDArray[np.uint8], behind: NDArray[np.uint8], strengths: Strengths) -> NDArray[np.uint8]:
    """The photograph uint8 [H, W, 3] of a subject before a background, a function of its arguments alone.

    Args:
        subject: uint8 [H, W, 4], see `cut_for_pasting`.
        behind: uint8 [H, W, 3].
    """
    width = behind.shape[1]
    covers = subject[..., 3].astype(np.float32) / 255
    seen = Image.fromarray(behind)
    if (blur := strengths.background_blur * width) >= 0.1:
        seen = seen.filter(ImageFilter.GaussianBlur(float(blur)))
    dark = _shadow(subject[..., 3], strengths)
    lit = subject[..., :3] * _light(covers, strengths)[..., None]
    picture = lit + np.asarray(seen) * ((1 - covers) * (1 - dark))[..., None]
    return _developed(np.clip(picture, 0, 255), strengths)


def _seen_cells(shape: tuple[int, ...]) -> FloatArray:
    """How many of the 3 x 3 pixels about each are in the picture, float32 [H, W]."""
    rows, columns = (np.full(side, 3, np.float32) for side in shape)
    for cells in (rows, columns):
        cells[0] -= 1
        cells[-1] -= 1
    return np.outer(rows, columns).astype(np.float32)


def _light(covers: FloatArray, strengths: Strengths) -> FloatArray:
    """What a light from one side multiplies the subject's colours by, [H, W]: more on its side of the subject, 1 in the mean."""
    height, width = covers.shape
    rows, columns = np.flatnonzero(covers.max(axis=1) > 0.5), np.flatnonzero(covers.max(axis=0) > 0.5)
    if not len(rows) or not strengths.relight:
        return np.ones_like(covers)
    half = max(rows[-1] - rows[0], columns[-1] - columns[0], 1) / 2
    y = ((rows[0] + rows[-1]) / 2 - np.arange(height, dtype=np.float32)) / half
    x = (np.arange(width, dtype=np.float32) - (columns[0] + columns[-1]) / 2) / half
    yaw, pitch = math.radians(strengths.light_yaw_deg), math.radians(strengths.light_pitch_deg)
    slope = strengths.relight * strengths.contrast
    gain = 1 + slope * (math.cos(pitch) * math.sin(yaw) * x[None] + math.sin(pitch) * y[:, None])
    back = 1 - slope * 0.4 * (1 - math.cos(yaw))  # a light from behind leaves what faces the camera dark
    return (np.clip(gain, 0.3, 1.7) * back).astype(np.float32)


def _shadow(alpha: NDArray[np.uint8], strengths: Strengths) -> FloatArray:
    """The darkness [H, W] in [0, 1] of the ground: the subject laid down from its lowest row, and what it stands on."""
    height, width = alpha.shape
    rows = np.flatnonzero(alpha.max(axis=1) > 127)
    if not strengths.shadow or not len(rows):
        return np.zeros(alpha.shape, np.float32)
    foot, tall = int(rows[-1]), int(rows[-1] - rows[0] + 1)
    yaw, pitch = math.radians(strengths.light_yaw_deg), math.radians(strengths.light_pitch_deg)
    reach = 1 / max(math.tan(pitch), 0.4)
    aside, away = -math.sin(yaw) * reach, 0.35 * math.cos(yaw) * reach
    down = away if abs(away) > 0.08 else math.copysign(0.08, away)
    # a pixel (x, y) of the ground is shaded by what stands (y - foot) / -down rows above the foot
    image = Image.fromarray(alpha)
    lying = image.transform(
        (width, height),
        Image.Transform.AFFINE,
        (1.0, aside / down, -aside / down * foot, 0.0, 1 / down, foot - foot / down),
        Image.Resampling.BILINEAR,
    )
    low = Image.fromarray(np.where(np.arange(height)[:, None] > foot - 0.12 * tall, alpha, 0).astype(np.uint8))
    thrown = np.asarray(lying.filter(ImageFilter.GaussianBlur(0.012 * width))).astype(np.float32)
    under = np.asarray(low.filter(ImageFilter.GaussianBlur(0.03 * width))).astype(np.float32)
    return np.minimum(strengths.shadow * (0.65 * thrown + 0.8 * under) / 255, 0.95).astype(np.float32)


def _developed(picture: FloatArray, strengths: Strengths) -> NDArray[np.uint8]:
    """What a camera makes of values 0 to 255 [H, W, 3], see `photograph.developed`."""
    height, width = picture.shape[:2]
    image = Image.fromarray(np.rint(picture).astype(np.uint8))
    if (defocus := strengths.defocus * width / 2) >= 0.1:
        image = image.filter(ImageFilter.GaussianBlur(float(defocus)))  # of a disc's deviation
    if strengths.motion * width >= 0.5:
        moved = line(np.asarray(image).astype(np.float32), strengths.motion * width, strengths.motion_deg)
        image = Image.fromarray(np.rint(np.clip(moved, 0, 255)).astype(np.uint8))
    values = (np.arange(256, dtype=np.float64) / 255) ** 2.2 * 2.0**strengths.exposure_ev
    gains = np.exp(strengths.warmth * np.array([1.0, 0.0, -1.0]))
    curves = (255 * np.clip(values * gains[:, None], 0, 1) ** (1 / 2.2)).astype(np.float32)
    found = np.take(curves.ravel(), np.asarray(image) + np.array([0, 256, 512]))
    if strengths.vignette:
        y, x = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5 for side in (height, width))
        found = found * ((1 - strengths.vignette * 2 * (y[:, None] ** 2 + x[None] ** 2)) ** np.float32(1 / 2.2))[..., None]
    if strengths.noise:
        found = found + _noise(found, strengths)
    quantised = np.rint(np.clip(found, 0, 255)).astype(np.uint8)
    return quantised if strengths.jpeg_quality is None else encoded(quantised, strengths.jpeg_quality)


def _noise(picture: FloatArray, strengths: Strengths) -> FloatArray:
    """Noise [H, W, 3], mostly of brightness, in grains of the strengths' size."""
    height, width = picture.shape[:2]
    field = _grains()
    # from a place that the seed tells, and over the field's borders on the other side
    rows, columns = (
        ((strengths.seed >> shift) + (np.arange(side) / strengths.grain_px).astype(np.int64)) % len(field)
        for side, shift in ((height, 0), (width, 20))
    )
    level = 255 * strengths.noise * np.sqrt(0.25 + 1.5 / 255 * picture.mean(axis=-1, keepdims=True))
    result: FloatArray = field[rows[:, None], columns[None]] * level
    return result


@functools.cache
def _grains() -> FloatArray:
    """A field [F, F, 3] of noise of deviation 1, which is cut from: drawing it anew costs as much as all the rest."""
    rng = np.random.Generator(np.random.SFC64(1))
    shape = (_FIELD_PX, _FIELD_PX)
    return 0.66 * rng.standard_normal((*shape, 3), np.float32) + np.float32(0.75) * rng.standard_normal((*shape, 1), np.float32)
