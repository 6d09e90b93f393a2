"""The world of `demo-cars`, as evaluations ask for it."""

from __future__ import annotations

from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.demo.trace import TruthView, render_truth
from dnerf_core.demo.world import Z_DIM, Cars
from dnerf_core.labels import SHAPENET_CAR_LABELS
from dnerf_core.rendering.camera_tensors import camera_tensors


class CarWorld:
    """See `worlds.World`; cars have no pose."""

    z_dim = Z_DIM
    labels = SHAPENET_CAR_LABELS
    measure = "the car's length"
    yaw_deg = (-180.0, 180.0)
    pitch_deg = (5.0, 30.0)
    """From all around, from a little above the ground to well above."""

    def view(
        self, z: Tensor, camera: Camera, size_px: int, *, samples_per_pixel: int = 4, pose: Tensor | None = None
    ) -> tuple[TruthView, float]:
        """See `worlds.World`."""
        cars = Cars.from_latent(z[None])
        view = render_truth(cars, *camera_tensors(camera), size_px, samples_per_pixel=samples_per_pixel)
        return view, float(cars.length[0])


CARS = CarWorld()
