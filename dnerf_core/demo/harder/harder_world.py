"""The harder world, as tests of segmenters ask for it: a seed and a camera give an exact picture, on the ground and in its shadow."""

from __future__ import annotations

from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.demo.harder.cars import HarderCars
from dnerf_core.demo.harder.shadow import ground_light
from dnerf_core.demo.trace import TruthView, render_truth
from dnerf_core.rendering.camera_tensors import camera_tensors


def true_view(seed: int, camera: Camera, size_px: int, *, samples_per_pixel: int = 4) -> tuple[TruthView, float]:
    """The exact picture of a seed's car from a camera, over white, and its length (world units); as `demo.truth.true_view` has it.

    The ground below is in no picture but `on_ground`'s: masks, depths and coverage are of the car alone.
    """
    cars = HarderCars.from_seeds([seed])
    view = render_truth(cars, *camera_tensors(camera), size_px, samples_per_pixel=samples_per_pixel)
    return view, float(cars.length[0])


def on_ground(seed: int, camera: Camera, view: TruthView) -> Tensor:
    """The colours float32 [H, W, 3] of a view of `true_view` with the car's shadow on a white ground."""
    cars, covers = HarderCars.from_seeds([seed]), view.coverage[0]
    light = ground_light(cars, cars.paints[0].light, *camera_tensors(camera), covers.shape[-1], covers < 1)
    return (view.rgb[0] - ((1 - covers) * (1 - light))[..., None]).clamp(0, 1)
