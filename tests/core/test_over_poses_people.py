"""Agreement over poses by vertices and depth alone, against the measure that asks the exact world of people where a place is seen."""

from __future__ import annotations

import numpy as np
import torch

from dnerf_core.camera import Camera
from dnerf_core.demo.people.framing import body_frame, cameras_about, intrinsics
from dnerf_core.demo.people.trace import render_people
from dnerf_core.demo.people.training.consistency import pose_consistency
from dnerf_core.demo.people.training.poses import people_poser
from dnerf_core.demo.people.world import Z_DIM, People, body_tensors
from dnerf_core.multiview.consistency import Agreement
from dnerf_core.multiview.over_poses import BodyView, pose_agreement
from dnerf_core.rendering.labeled_view import LabeledView

SIZE_PX, VIEWS, CLASSES = 128, 4, 12


def test_exact_masks_of_people_score_as_the_exact_world_says_and_spoiled_ones_too() -> None:
    person = People.from_latent(torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(2)))
    poses = torch.from_numpy(people_poser().drawn(np.random.default_rng(5), VIEWS))
    vertices = person.posed_vertices(poses[:1])
    yaw = torch.linspace(-0.6, 0.6, VIEWS)
    cam2world = torch.cat(
        [
            cameras_about(*body_frame(person.posed_vertices(poses[i : i + 1])), yaw[i : i + 1], torch.full((1,), 0.2))
            for i in range(VIEWS)
        ]
    )
    faces = body_tensors().faces.numpy().astype(np.int32)
    # a fifth of the pixels is told as the next part: two views agree where both are right, and where both are wrong
    spoil = np.random.default_rng(1).random((VIEWS, SIZE_PX, SIZE_PX)) < 0.2
    exact, spoiled, masks, spoiled_masks = [], [], [], []
    for index in range(VIEWS):
        one = slice(index, index + 1)
        truth = render_people(person, poses[one], cam2world[one], intrinsics(1), SIZE_PX, samples_per_pixel=1)
        mask, depth = truth.mask[0].numpy(), truth.depth_planar[0].numpy().astype(np.float32)
        wrong = np.where(spoil[index] & (mask > 0), 1 + mask % (CLASSES - 1), mask).astype(np.uint8)
        camera = Camera(cam2world[index].double().numpy(), intrinsics(1)[0].double().numpy())
        vertices = person.posed_vertices(poses[one])[0].numpy()
        for ids, bodies, kept in ((mask, exact, masks), (wrong, spoiled, spoiled_masks)):
            bodies.append(BodyView.make(LabeledView.without_picture(camera, ids, depth), vertices, faces))
            kept.append(torch.from_numpy(ids))
    for bodies, ids, expected in ((exact, masks, 1.0), (spoiled, spoiled_masks, 0.8**2 + 0.2**2)):
        places = agreeing = 0
        found = Agreement.empty(CLASSES)
        for i in range(VIEWS):
            for j in range(i + 1, VIEWS):
                both = [i, j]
                exact_places = pose_consistency(
                    person, poses[both], cam2world[both], torch.stack([ids[i], ids[j]]), torch.Generator().manual_seed(0), 3000
                )
                places, agreeing = places + exact_places.seen, agreeing + exact_places.same
                found = found.plus(pose_agreement(bodies[i], bodies[j], CLASSES)).plus(
                    pose_agreement(bodies[j], bodies[i], CLASSES)
                )
        assert found.covisible > 0.3
        assert abs(found.accuracy - agreeing / places) < 0.02
        assert abs(found.accuracy - expected) < 0.03
