"""A cloud fused from the demo model, and pictures that Blender renders, for tests that compare the two."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dnerf_core.camera import Camera, arc_cameras

SIZE_PX = 256


@functools.cache
def demo() -> tuple[Any, Any]:
    """The demo model, and its subject 3."""
    from dnerf_core.model import Model

    model = Model.load("demo-cars")
    return model, model.subject(seed=3)


@functools.cache
def fused() -> Any:
    """The cloud of 16 views all around subject 3, low and high, as the engine's `PointCloud`."""
    from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views

    model, subject = demo()
    views = []
    for pitch in (5.0, 25.0):
        for camera in arc_cameras(model.config.cameras, (-180, 180), (pitch, pitch), count=8):
            views.append(subject.render(camera, SIZE_PX))
    return fuse_views(views, model.labels.num_classes, FusionOptions())


def silhouette(camera: Camera, size_px: int) -> np.ndarray:
    """Where the engine's mask shows the subject, bool [H, W]."""
    return demo()[1].render(camera, size_px).mask > 0


def rendered(scene: Any, camera_object: Any, engine: str, folder: Path, samples: int = 1) -> np.ndarray:
    """What Blender renders, float [H, W, 4] in [0, 1], one sample in the middle of a pixel unless told otherwise; straight alpha."""
    import bpy

    scene.camera = camera_object
    scene.render.engine = engine
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.filter_size = scene.cycles.filter_width = 0.01 if samples == 1 else 1.0
    scene.display.render_aa = "OFF"
    scene.display.shading.light = "FLAT"
    scene.render.filepath = str(folder / "rendered.png")
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    bpy.ops.render.render(write_still=True)
    with Image.open(folder / "rendered.png") as image:
        return np.asarray(image, dtype=np.float64) / 255


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())
