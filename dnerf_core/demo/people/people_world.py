"""The world of `demo-people`, as evaluations ask for it."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.demo.people.clothing import PART_NAMES
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.trace import render_people
from dnerf_core.demo.people.world import Z_DIM, People
from dnerf_core.demo.trace import TruthView
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.camera_tensors import camera_tensors

PEOPLE_LABELS = LabelSet.from_names(list(PART_NAMES[1:]))
"""The parts of `clothing.PART_NAMES`."""


class PeopleWorld:
    """See `worlds.World`; a person without a pose stands in the canonical one."""

    z_dim = Z_DIM
    labels = PEOPLE_LABELS
    measure = "the person's height"
    yaw_deg = (-180.0, 180.0)
    pitch_deg = (-10.0, 35.0)
    """From all around, from below the hips to well above the head."""

    def view(
        self, z: Tensor, camera: Camera, size_px: int, *, samples_per_pixel: int = 4, pose: Tensor | None = None
    ) -> tuple[TruthView, float]:
        """See `worlds.World`."""
        people = People.from_latent(z[None])
        posed = torch.from_numpy(canonical_pose().copy()) if pose is None else pose.float()
        view = render_people(people, posed[None], *camera_tensors(camera), size_px, samples_per_pixel=samples_per_pixel)
        return view, float(people.heights[0])


PEOPLE = PeopleWorld()
