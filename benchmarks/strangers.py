"""What pictures that show no car of the demo's get as their best likeness, against which the warning of a poor one is set.

    python benchmarks/strangers.py
    python benchmarks/strangers.py --kind mask

Pictures from formulas, and pictures of a car that does not stand as the model's cars do. The last row, a car as it
should be, is for comparison.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dnerf_core.demo.truth import true_rgb, true_view
from dnerf_core.inversion.invert import invert_mask, invert_picture
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.model import Model

SEED, YAW_DEG, PITCH_DEG = 20_000, 35.0, 18.0
TEXT = "the quick brown fox\njumps over the lazy dog\n" * 6

Array = NDArray[np.uint8]


def car(model: Model, yaw_deg: float = YAW_DEG) -> tuple[Array, Array]:
    """The truth's picture of a car, and its labels."""
    camera = camera_at(math.radians(yaw_deg), math.radians(PITCH_DEG), model.config.cameras)
    truth, _ = true_view(model, SEED, camera, model.config.image_size)
    return true_rgb(truth), truth.mask[0].byte().numpy()


def photos(model: Model) -> dict[str, Array]:
    """Pictures [S, S, 3] by what they show."""
    size_px = model.config.image_size
    rows, columns = np.mgrid[:size_px, :size_px] / size_px
    distance = np.hypot(rows - 0.55, columns - 0.5) / 0.3
    light = np.sqrt(np.clip(1 - distance**2, 0, 1))[..., None]
    ball = np.where(distance[..., None] < 1, light * (230, 80, 40), 255)
    written = Image.new("RGB", (size_px, size_px), "white")
    ImageDraw.Draw(written).multiline_text((4, 4), TEXT, fill="black")
    own = car(model)[0]
    half = slice(size_px // 4, size_px - size_px // 4)
    near = np.asarray(Image.fromarray(own[half, half]).resize((size_px, size_px), Image.Resampling.BICUBIC))
    pictures = {
        "white": np.full((size_px, size_px, 3), 255),
        "black": np.zeros((size_px, size_px, 3)),
        "noise": np.random.default_rng(0).integers(0, 256, (size_px, size_px, 3)),
        "gradient": np.stack([rows, columns, 1 - rows], axis=-1) * 255,
        "written text": np.asarray(written),
        "a ball": ball,
        "a car upside down": own[::-1],
        "a car on its side": own.transpose(1, 0, 2),
        "a car twice as near": near,
        "a car's negative": 255 - own,
        "a car from behind, yaw 170": car(model, 170.0)[0],
        "a car": own,
    }
    return {name: np.ascontiguousarray(picture).astype(np.uint8) for name, picture in pictures.items()}


def masks(model: Model) -> dict[str, Array]:
    """Label ids [S, S] by what they show."""
    size_px, own = model.config.image_size, car(model)[1]
    rows, columns = np.mgrid[:size_px, :size_px] / size_px
    inside = np.hypot(rows - 0.55, columns - 0.5) < 0.3
    masks = {
        "noise of all labels": np.random.default_rng(0).integers(0, 5, (size_px, size_px)),
        "a disk of one label": np.where(inside, 4, 0),
        "a disk of four quarters": np.where(inside, 1 + (rows > 0.55) + 2 * (columns > 0.5), 0),
        "a car upside down": own[::-1],
        "a car on its side": own.T,
        "a car's labels, exchanged": np.array([0, 3, 1, 4, 2])[own],
        "a car": own,
    }
    return {name: np.ascontiguousarray(mask).astype(np.uint8) for name, mask in masks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["image", "mask"], default="image")
    kind, model, settings = parser.parse_args().kind, Model.load("demo-cars"), InversionSettings()
    statistics = w_statistics(model, settings.seed)
    print(f"| {kind} | {'PSNR, dB' if kind == 'image' else 'mIoU'} |\n|---|---|")
    if kind == "image":
        for name, rgb in photos(model).items():
            print(f"| {name} | {invert_picture(model, rgb, settings, statistics=statistics).psnr_db(rgb):.1f} |", flush=True)
        return
    for name, mask in masks(model).items():
        print(f"| {name} | {invert_mask(model, mask, settings, statistics=statistics)[0].miou(mask):.3f} |", flush=True)


if __name__ == "__main__":
    main()
