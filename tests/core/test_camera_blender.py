"""Blender's own projection against ours, where Blender is installed as the module bpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import BlenderLens, Camera, SensorFit, sphere_camera

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

mathutils: Any = pytest.importorskip("mathutils")

FITS: tuple[SensorFit, ...] = ("AUTO", "HORIZONTAL", "VERTICAL")
SIZES = ((640, 480), (480, 640), (300, 300))
ASPECTS = ((1.0, 1.0), (1.0, 1.7), (2.5, 1.0))


def test_projection_equals_blenders_for_every_fit_size_and_aspect() -> None:
    data = bpy.data.cameras.new("lens")
    camera_object = bpy.data.objects.new("lens", data)
    bpy.context.scene.collection.objects.link(camera_object)
    rng = np.random.default_rng(0)
    try:
        for fit, (width, height), (aspect_x, aspect_y) in itertools.product(FITS, SIZES, ASPECTS):
            shift_x, shift_y = rng.uniform(-0.4, 0.4, 2).tolist()
            lens = BlenderLens(41.0, 33.0, 21.0, fit, shift_x, shift_y, (width, height), (aspect_x, aspect_y))
            data.lens, data.sensor_width, data.sensor_height = lens.lens_mm, lens.sensor_width_mm, lens.sensor_height_mm
            data.sensor_fit, data.shift_x, data.shift_y = fit, shift_x, shift_y
            yaw, pitch = rng.uniform(-1.0, 1.0, 2).tolist()
            placed = sphere_camera(yaw, pitch, radius=3.0, pivot=(0.1, 0.2, 0.3), focal=1.0)
            camera_object.matrix_world = mathutils.Matrix(placed.to_blender_matrix("y").tolist())
            bpy.context.view_layer.update()
            depsgraph = bpy.context.evaluated_depsgraph_get()
            clip = np.array(camera_object.calc_matrix_camera(depsgraph, x=width, y=height, scale_x=aspect_x, scale_y=aspect_y))
            view = np.linalg.inv(np.array(camera_object.matrix_world))

            points = rng.uniform(-0.8, 0.8, (20, 3))  # y-up engine world
            in_blender = np.stack([points[:, 0], -points[:, 2], points[:, 1], np.ones(20)], axis=1)
            projected = in_blender @ view.T @ clip.T
            across, upwards = (projected[:, :2] / projected[:, 3:]).T
            uv, depth_planar = Camera.from_blender(np.array(camera_object.matrix_world), lens, "y").project(points)
            # Blender computes in float32: measured 1.7e-6 at most over such settings.
            np.testing.assert_allclose(uv, np.stack([(across + 1) / 2, (1 - upwards) / 2], axis=1), rtol=0, atol=1e-5)
            np.testing.assert_allclose(depth_planar, projected[:, 3], rtol=0, atol=1e-5)
    finally:
        bpy.data.objects.remove(camera_object)
        bpy.data.cameras.remove(data)
