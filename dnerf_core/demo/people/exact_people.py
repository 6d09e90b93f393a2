"""The world of `demo-people` as `exact_worlds` has worlds: people who stand in the canonical pose."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dnerf_core.camera import Camera
from dnerf_core.demo.exact_cars import exact_cloud, exact_view
from dnerf_core.demo.exact_worlds import ExactView
from dnerf_core.demo.people.config import DEMO_PEOPLE
from dnerf_core.demo.people.people_world import PEOPLE as WORLD
from dnerf_core.demo.people.standing import canonical_pose
from dnerf_core.demo.people.world import People, Spots, body_tensors, vertex_normals
from dnerf_core.loaded_model import seed_latent
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.rendering.labeled_view import LabeledView


class ExactPeople:
    """See `exact_worlds.ExactWorld`."""

    labels = WORLD.labels
    cameras = DEMO_PEOPLE.cameras
    size_px = DEMO_PEOPLE.image_size
    yaw_deg = WORLD.yaw_deg
    pitch_deg = WORLD.pitch_deg
    category = "Person"

    def view(self, seed: int, camera: Camera, size_px: int) -> ExactView:
        """See `ExactWorld`."""
        view, _ = WORLD.view(torch.from_numpy(seed_latent(seed, WORLD.z_dim)), camera, size_px)
        return exact_view(view, camera)

    def around(self, seed: int, cameras: Sequence[Camera], size_px: int) -> list[LabeledView]:
        """See `ExactWorld`."""
        latent = torch.from_numpy(seed_latent(seed, WORLD.z_dim))
        seen = [exact_view(WORLD.view(latent, camera, size_px)[0], camera) for camera in cameras]
        return [LabeledView(camera, view.rgb, view.mask, view.depth_planar) for camera, view in zip(cameras, seen, strict=True)]

    def surface(self, seed: int, count: int) -> PointCloud:
        """See `ExactWorld`; triangles are drawn by their area, places in them evenly."""
        people = People.from_latent(torch.from_numpy(seed_latent(seed, WORLD.z_dim))[None])
        vertices, faces = people.posed_vertices(torch.from_numpy(canonical_pose().copy())[None]), body_tensors().faces
        corners = vertices[0, faces]
        area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=-1)
        generator = torch.Generator().manual_seed(seed)
        face = torch.multinomial(area, count, replacement=True, generator=generator)
        first, second = torch.rand(2, count, generator=generator)
        weights = torch.stack([1 - first.sqrt(), first.sqrt() * (1 - second), first.sqrt() * second], dim=-1)
        colors, parts = people.appearance(people.places(Spots(face[None], weights[None])))
        normals = vertex_normals(vertices, faces)[0, faces[face]]
        mixed = torch.nn.functional.normalize((normals * weights[..., None]).sum(dim=1), dim=-1)
        return exact_cloud((corners[face] * weights[..., None]).sum(dim=1), mixed, colors[0], parts[0])


PEOPLE = ExactPeople()
