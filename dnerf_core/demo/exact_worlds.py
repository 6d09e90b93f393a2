"""Worlds that know the exact truth of every seed, by their names, for sets of exact pictures and clouds. No torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.family import named

if TYPE_CHECKING:
    from dnerf_core.backbone.viewing import CameraConfig
    from dnerf_core.camera import Camera
    from dnerf_core.labels import LabelSet
    from dnerf_core.photographs.cutout import Cutout
    from dnerf_core.pointcloud.cloud import PointCloud
    from dnerf_core.rendering.labeled_view import LabeledView

EXACT_WORLDS = {
    "demo-cars": "dnerf_core.demo.exact_cars:DEMO",
    "harder-cars": "dnerf_core.demo.exact_cars:HARDER",
    "demo-people": "dnerf_core.demo.people.exact_people:PEOPLE",
}
"""Where the `ExactWorld` of each stands, "module:name"; `demo-cars` and `demo-people` are those that the models learned from."""

WORLD_VERSION = 2
"""Counts the times that a world's pictures have changed."""


@dataclass(frozen=True, eq=False)
class ExactView:
    """An exact picture.

    Attributes:
        rgb: uint8 [H, W, 3], over white; of the harder cars on a white ground with their shadow.
        mask: uint8 [H, W], part ids, 0 background.
        depth_planar: float32 [H, W], along the optical axis, world units, +inf at background.
        cutout: the subject alone, which photographs are made of.
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    depth_planar: NDArray[np.float32]
    cutout: Cutout


class ExactWorld(Protocol):
    """A world of subjects by seed.

    Attributes:
        labels: what its masks' ids mean.
        cameras: what it is usually seen by.
        size_px: side of its usual pictures.
        yaw_deg, pitch_deg: where test views are from, degrees.
        category: its subjects' name in ShapeNetPart's layout.
    """

    labels: LabelSet
    cameras: CameraConfig
    size_px: int
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]
    category: str

    def view(self, seed: int, camera: Camera, size_px: int) -> ExactView:
        """The exact picture of a seed's subject from a camera, its sides `size_px` pixels."""

    def around(self, seed: int, cameras: Sequence[Camera], size_px: int) -> list[LabeledView]:
        """Exact views of a seed's subject to fuse a cloud of: colours are those of the pixels' centres, as depths and masks are."""

    def surface(self, seed: int, count: int) -> PointCloud:
        """`count` points spread evenly over a seed's whole surface, hidden places included, with exact normals, colours and labels."""


def exact_world(name: str) -> ExactWorld:
    """A world by its name, one of `EXACT_WORLDS`."""
    world: ExactWorld = named(EXACT_WORLDS[name])
    return world


def world_sha256(name: str) -> str:
    """What tells a world's pictures from another's and from those of another version, as a model file's sha256 does a model's."""
    return hashlib.sha256(f"exact world {name} {WORLD_VERSION}".encode()).hexdigest()
