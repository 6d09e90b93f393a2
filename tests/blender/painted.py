"""What a brush does, and an annotated folder without a generator: for tests of painted masks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet

SIDE_PX = 16
NAMES = ("s0000_v00", "s0000_v01", "s0000_v02")


def paint(image: Any, ids: np.ndarray, labels: LabelSet = SHAPENET_CAR_LABELS) -> None:
    """Change an image's pixels as strokes do: in its labels' colours, neither packed nor saved."""
    pixels = np.ones((*ids.shape, 4), np.float32)
    pixels[..., :3] = labels.colorize(ids)[::-1] / np.float32(255.0)
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    assert image.is_dirty


def blend_a_pixel(image: Any) -> None:
    """One pixel between two labels' colours, as a soft brush leaves it."""
    image.pixels[0] = 0.3
    assert image.is_dirty


def write_folder(folder: Path) -> Path:
    """Pictures and empty masks of three views."""
    from blender_addon.scene.annotation import save_mask
    from dnerf_core.files.pictures import write_image

    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index, name in enumerate(NAMES):
        write_image(folder / "images" / f"{name}.png", np.full((SIDE_PX, SIDE_PX, 3), 40 * index, np.uint8))
        save_mask(folder / "masks" / f"{name}.png", np.zeros((SIDE_PX, SIDE_PX), np.uint8), SHAPENET_CAR_LABELS)
    return folder


def list_folder(scene: Any, folder: Path) -> None:
    """Let the panel's list be of the folder, as Open Folder does, with nothing painted."""
    from blender_addon.annotation_list import list_views

    scene.dnerf.annotation_folder = str(folder)
    list_views(scene, {"views": [{"name": name, "painted": False} for name in NAMES], "labels": SHAPENET_CAR_LABELS.to_json()})
