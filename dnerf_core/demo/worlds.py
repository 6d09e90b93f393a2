"""The worlds that embedded models were trained on, by the models' names: they know the exact truth of every latent. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dnerf_core.backbone.family import named

if TYPE_CHECKING:
    from torch import Tensor

    from dnerf_core.camera import Camera
    from dnerf_core.demo.trace import TruthView
    from dnerf_core.labels import LabelSet

WORLDS = {"demo-cars": "dnerf_core.demo.car_world:CARS", "demo-people": "dnerf_core.demo.people.people_world:PEOPLE"}
"""Where the `World` of each stands, "module:name"."""


class World(Protocol):
    """A procedural world.

    Attributes:
        z_dim: numbers of a latent.
        labels: what its masks' ids mean.
        measure: what lengths are told as shares of, for people, such as "the car's length".
        yaw_deg, pitch_deg: where random views of an evaluation are from.
    """

    z_dim: int
    labels: LabelSet
    measure: str
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]

    def view(
        self, z: Tensor, camera: Camera, size_px: int, *, samples_per_pixel: int = 4, pose: Tensor | None = None
    ) -> tuple[TruthView, float]:
        """The exact picture of a latent z [z_dim] from a camera, and the subject's measure, world units.

        Args:
            samples_per_pixel: colour rays, as `trace.render_truth` has them.
            pose: [*pose_shape] of `LatentSpec`; None: the usual one, or it has none.
        """


def is_known(name: str) -> bool:
    """Whether a model of this name has a world."""
    return name in WORLDS


def world_named(name: str) -> World:
    """The world of a model by its name, one of `WORLDS`."""
    world: World = named(WORLDS[name])
    return world


def names_text() -> str:
    """The models that have one, as messages name them: "demo-cars or demo-people"."""
    return " or ".join(WORLDS)
