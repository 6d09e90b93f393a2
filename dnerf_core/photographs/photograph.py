"""A photograph of a subject that was cut out of its picture: new light, something behind it, and a camera's own traces."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.camera import WorldUp
from dnerf_core.photographs.backgrounds.flat import clutter, gradient
from dnerf_core.photographs.backgrounds.places import park, room, street
from dnerf_core.photographs.cutout import Cutout
from dnerf_core.photographs.filters import FloatArray, disc, gaussian, line, neighbour_mean
from dnerf_core.photographs.ground import Stage, ground_points, shadow_map, shadow_seen
from dnerf_core.photographs.strengths import Strengths
from dnerf_core.photographs.vectors import dot, turned

_FINER = 2
"""Rays of a background along each side of a pixel."""


BRIGHTEST = 1.8
"""What a colour is multiplied by at most where new light falls on it."""


def photograph(cutout: Cutout, strengths: Strengths, world_up: WorldUp = "y") -> NDArray[np.uint8]:
    """The photograph uint8 [H, W, 3] of a subject, a function of its arguments alone.

    Args:
        world_up: the axis of the world that points up.
    """
    stage = Stage.under(cutout, world_up)
    light = stage.light(strengths.light_yaw_deg, strengths.light_pitch_deg)
    subject = relit(cutout, strengths, turned(light, stage.axes.T))
    behind = background(cutout, strengths, stage, light)
    return developed(composed(subject, cutout.coverage, behind), strengths)


def relit(cutout: Cutout, strengths: Strengths, light: NDArray[np.float64]) -> FloatArray:
    """The subject's colours [H, W, 3] under another light, unit [3] towards it in the world's frame.

    Where the light that is baked in the colours is known it is divided out, in the share `Strengths.relight`; else the new light is only
    laid over it, its mean over the subject kept.
    """
    if not strengths.relight:
        return cutout.color
    known = (cutout.normal != 0).any(axis=-1)
    near, found = neighbour_mean(cutout.normal, known, 1)  # at the border, whose centres show no subject
    facing = dot(np.where(known[..., None], cutout.normal, near), light)
    lit = (1 - strengths.contrast) + strengths.contrast * 1.6 * np.maximum(facing, 0)
    covered = cutout.coverage > 0.5
    if cutout.shade is None:
        gain = lit / max(float(lit[covered & known].mean()) if (covered & known).any() else 1.0, 0.05)
    else:
        gain = lit / np.maximum(cutout.shade, 0.2)
    gain = np.where(known | (found > 0), 1 + strengths.relight * (np.minimum(gain, BRIGHTEST) - 1), 1)
    return np.clip(cutout.color * gain[..., None], 0, 1).astype(np.float32)


def background(cutout: Cutout, strengths: Strengths, stage: Stage, light: NDArray[np.float64], finer: int = _FINER) -> FloatArray:
    """What is behind the subject, [H, W, 3] in [0, 1], with the subject's shadow on the ground.

    Args:
        light: unit [3], on the stage.
        finer: rays along each side of a pixel.
    """
    height, width = cutout.coverage.shape
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((strengths.seed, 1))))
    camera_m, rays = stage.rays(cutout.camera, (width, height))
    if strengths.background in ("room", "street", "park"):
        if strengths.background == "room":
            scene = room(rng, stage.half_m, camera_m, light)
        else:
            scene = (street if strengths.background == "street" else park)(rng, stage.half_m, light)
        _, dense = stage.rays(cutout.camera, (finer * width, finer * height))
        seen = scene.colors(camera_m, dense.reshape(-1, 3)).reshape(height, finer, width, finer, 3).mean(axis=(1, 3))
    elif strengths.background == "white":
        seen = np.ones((height, width, 3), np.float32)
    else:
        seen = (gradient if strengths.background == "gradient" else clutter)(rng, (width, height))
    seen = gaussian(np.clip(seen, 0, 1).astype(np.float32), strengths.background_blur * width)
    if strengths.shadow and len(points := cutout.points):
        ground, meets = ground_points(camera_m, rays)
        maps = shadow_map(stage.placed(points), stage.half_m, light)
        seen = seen * (1 - strengths.shadow * shadow_seen(maps, ground, meets, stage.half_m))[..., None]
    return np.clip(seen, 0, 1).astype(np.float32)


def composed(subject: FloatArray, coverage: FloatArray, behind: FloatArray) -> FloatArray:
    """The subject before what is behind it, by how much of each pixel it covers."""
    return (subject * coverage[..., None] + behind * (1 - coverage[..., None])).astype(np.float32)


def developed(picture: FloatArray, strengths: Strengths) -> NDArray[np.uint8]:
    """What a camera makes of what is before it, uint8 [H, W, 3]: lens, light, sensor and file, in that order."""
    height, width = picture.shape[:2]
    picture = disc(picture, strengths.defocus * width)
    picture = line(picture, strengths.motion * width, strengths.motion_deg)
    warmth = np.exp(strengths.warmth * np.array([1.0, 0.0, -1.0], np.float32))
    linear = np.clip(picture, 0, 1) ** 2.2 * warmth * np.float32(2.0**strengths.exposure_ev)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    from_middle = ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2
    linear = linear * (1 - strengths.vignette * 2 * from_middle)[..., None]
    developed_picture = np.clip(linear, 0, 1) ** (1 / 2.2)
    if strengths.noise:
        developed_picture = developed_picture + _noise(developed_picture, strengths)
    quantised = np.rint(255 * np.clip(developed_picture, 0, 1)).astype(np.uint8)
    return quantised if strengths.jpeg_quality is None else encoded(quantised, strengths.jpeg_quality)


def _noise(picture: NDArray[np.floating], strengths: Strengths) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((strengths.seed, 2))))
    grains = rng.standard_normal((*picture.shape[:2], 3)).astype(np.float32)
    gray = rng.standard_normal((*picture.shape[:2], 1)).astype(np.float32)
    mixed = 0.75 * gray + 0.66 * grains  # most of a demosaicked picture's noise is of brightness
    sigma = (strengths.grain_px - 1) / 2
    if sigma >= 0.1:
        mixed = gaussian(mixed, sigma)
        mixed = mixed / max(float(mixed.std()), 1e-6)
    level = strengths.noise * np.sqrt(0.25 + 1.5 * np.clip(picture, 0, 1))
    return mixed * level


def encoded(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """A picture after JPEG of a quality, by Pillow's encoder with chroma at half the resolution."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=2)
    buffer.seek(0)
    with Image.open(buffer) as opened:
        return np.asarray(opened.convert("RGB"))
