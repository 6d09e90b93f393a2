"""The world of people: bodies as `anny` has them, smooth in the latent, and pictures that agree with the mesh they show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dnerf_core.demo.people.body import people_config, people_rig
from dnerf_core.demo.people.clothing import PART_NAMES
from dnerf_core.demo.people.framing import body_frame, cameras_about, intrinsics
from dnerf_core.demo.people.parameters import RANGES
from dnerf_core.demo.people.rig import ARRAYS_PATH, NOTICE_PATH, rig
from dnerf_core.demo.people.standing import canonical_pose, matrix_from_vector, pose_from_standing, turn, vector_from_matrix
from dnerf_core.demo.people.trace import render_people
from dnerf_core.demo.people.training.consistency import pose_consistency
from dnerf_core.demo.people.training.poses import people_poser
from dnerf_core.demo.people.world import Z_DIM, People, body_tensors
from dnerf_core.errors import UsageError
from dnerf_core.gnarf.body.posing import joint_motions, skin
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch

# vertices [::523] of anny 0.6.2 (topology notoes, rig cmu_mb) with gender, muscle, weight, proportions 0.5, height 0.4, age 2/3, in
# a pose of normal angles (default_rng(5), 0.3 rad) given as "local-ref", y up, less their mean over the whole mesh; metres
ANNY_VERTICES = (0, 533, 1067, 1600, 2134, 2667, 3201, 3734, 4268, 4801, 5335, 5868, 6402, 6935, 7469, 8002, 8536, 9069, 9603,
                 10136, 10670, 11203, 11737, 12271)  # fmt: skip
ANNY_POSED = (
    (0.2724, 0.4068, -0.0310), (0.2477, 0.3471, 0.0048), (0.2662, 0.4005, -0.0335), (0.1331, 0.1136, -0.2382),
    (-0.4570, -0.1036, -0.0095), (-0.3403, -0.0764, -0.0245), (-0.3464, -0.0214, -0.0428), (0.2403, 0.3475, 0.0007),
    (-0.1486, -0.2778, -0.2392), (-0.7846, -0.5755, -0.0923), (0.2358, 0.3571, -0.1376), (-0.8223, -0.6474, -0.0451),
    (0.3208, 0.3937, -0.0070), (0.2505, 0.2172, -0.0638), (0.3308, 0.3585, -0.0315), (0.0730, 0.1115, -0.0205),
    (-0.0899, 0.0054, 0.3119), (-0.0069, -0.0040, 0.3071), (0.0310, -0.1847, 0.2229), (0.1200, -0.0566, -0.0882),
    (0.1977, -0.5780, 0.0068), (0.2927, 0.3719, 0.0043), (0.2179, -1.0800, 0.0566), (0.3331, 0.3660, -0.0059),
)  # fmt: skip


def some_people(count: int, seed: int = 1) -> People:
    return People.from_latent(torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed)))


def random_pose(seed: int) -> np.ndarray:
    return people_poser().drawn(np.random.default_rng(seed), 1)[0]


def poses(*given: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack(given))


def views(people: People, pose: Tensor) -> Tensor:
    count = len(people)
    yaw = torch.linspace(0.3, 4.0, count)
    return cameras_about(*body_frame(people.posed_vertices(pose)), yaw, torch.full((count,), 0.2))


def test_the_middle_person_is_annys_own_body_in_any_pose() -> None:
    body, middle = body_tensors(), People.from_latent(torch.zeros(1, Z_DIM))
    angles = np.random.default_rng(5).normal(0, 0.3, (len(body.parents), 3))
    pose = poses(np.concatenate([angles, np.zeros((1, 3))]).astype(np.float32))
    rest = body.vertices + torch.einsum("bs,svc->bvc", middle.shape, body.shape_vertices)
    joints = body.joints + torch.einsum("bs,skc->bkc", middle.shape, body.shape_joints)
    naked = skin(rest, body.weights, joint_motions(pose, joints, body.parents), pose[:, -1])[0]
    # sixteen directions leave 0.7 mm rms of its shapes, at most 4 mm here
    torch.testing.assert_close((naked - naked.mean(dim=0))[list(ANNY_VERTICES)], torch.tensor(ANNY_POSED), atol=4e-3, rtol=0)


def test_clothes_stand_off_the_naked_body_and_skin_does_not() -> None:
    people = some_people(3)
    places = body_tensors().canonical
    edges, off = people.borders(places), people.vertex_thickness
    bare = torch.stack([edges.hair.expand_as(off), edges.shirt, edges.trousers, edges.shoes.expand_as(off)]).amax(dim=0) <= 0
    assert bool(bare.any()) and float(off[bare].abs().max()) == 0
    assert 0.006 < float(off.amax()) <= RANGES["hair_thickness"][1]


def test_people_change_smoothly_with_the_latent() -> None:
    z = torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(4))
    step = torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(5))
    pose = torch.from_numpy(canonical_pose().copy())[None]
    at = [People.from_latent(z + h * step).posed_vertices(pose) for h in (0.0, 1e-2, 2e-2)]
    first, second = at[1] - at[0], at[2] - at[1]
    assert 1e-4 < float(first.norm(dim=-1).amax()) < 0.02
    # a smooth path: two neighbouring steps differ by far less than their length
    assert float((second - first).norm(dim=-1).amax()) < 0.15 * float(first.norm(dim=-1).amax())


def test_only_the_latents_direction_matters_and_the_batch_does_not() -> None:
    z = torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(6))
    pose = poses(*(random_pose(seed) for seed in (1, 2)))
    both, scaled = People.from_latent(z), People.from_latent(3 * z)
    torch.testing.assert_close(scaled.shape, both.shape, atol=1e-5, rtol=1e-5)
    alone = People.from_latent(z[1:]).posed_vertices(pose[1:])
    torch.testing.assert_close(both.posed_vertices(pose)[1:], alone, atol=1e-6, rtol=0)


def test_latents_of_another_length_are_refused() -> None:
    with pytest.raises(UsageError, match="latent of the demo people"):
        People.from_latent(torch.zeros(1, Z_DIM + 1))


def test_mask_depth_colour_and_normal_agree_with_the_posed_mesh() -> None:
    people = some_people(2)
    pose = poses(*(random_pose(seed) for seed in (3, 4)))
    cam2world = views(people, pose)
    truth = render_people(people, pose, cam2world, intrinsics(2), 48)
    met = truth.depth_planar.isfinite()
    assert torch.equal(met, truth.mask > 0) and 0.05 < float(met.float().mean()) < 0.6
    steps = (torch.arange(48) + 0.5) / 48
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    focal = float(intrinsics(1)[0, 0, 0])
    vertices, faces = people.posed_vertices(pose), body_tensors().faces
    for index in range(2):
        depth = truth.depth_planar[index][met[index]]
        x, y = ((axis[met[index]] - 0.5) / focal * depth for axis in (u, v))
        points = torch.stack([x, y, depth], dim=1) @ cam2world[index, :3, :3].T + cam2world[index, :3, 3]
        found = MeshSearch(vertices[index], faces).closest(points)
        corner = vertices[index][faces[found.face]]
        assert float(((corner * found.shares[..., None]).sum(dim=1) - points).norm(dim=1).max()) < 1e-4
        flat = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        towards = cam2world[index, :3, 3] - points
        assert bool(((flat * towards).sum(dim=1) > 0).all())  # seen from outside
        normal = truth.normal[index][met[index]]
        assert float(((normal * torch.nn.functional.normalize(flat, dim=1)).sum(dim=1)).median()) > 0.97
    assert bool((truth.rgb[~met & (torch.nn.functional.max_pool2d(met.float(), 3, 1, 1) == 0)] == 1).all())


def test_a_crop_is_the_same_picture() -> None:
    people, pose = some_people(1), poses(random_pose(7))
    cam2world = views(people, pose)
    whole = render_people(people, pose, cam2world, intrinsics(1), 40)
    crop = render_people(people, pose, cam2world, intrinsics(1), 40, crop=(10, 12, 20, 8))
    for name in ("rgb", "mask", "depth_planar", "normal"):
        assert torch.equal(getattr(crop, name), getattr(whole, name)[:, 10:30, 12:20]), name


def test_every_part_is_seen_and_labels_keep_to_the_body() -> None:
    people = some_people(1).parameters, some_people(1, seed=9).parameters
    canonical = torch.from_numpy(canonical_pose().copy())[None]
    masks = []
    for one in people:
        person = People(one)
        masks.append(person.appearance(body_tensors().canonical)[1][0])
        front = cameras_about(*body_frame(person.posed_vertices(canonical)), torch.zeros(1), torch.zeros(1))
        seen = render_people(person, canonical, front, intrinsics(1), 96, samples_per_pixel=1).mask.unique().tolist()
        assert seen == list(range(len(PART_NAMES)))
    hair = PART_NAMES.index("hair")
    same = (masks[0] == hair) | (masks[1] == hair) | (masks[0] == masks[1])
    assert bool(same.all())  # two people in other clothes differ in the hairline alone


def test_a_square_number_of_samples_is_needed() -> None:
    people, pose = some_people(1), torch.from_numpy(canonical_pose().copy())[None]
    with pytest.raises(UsageError, match="square number"):
        render_people(people, pose, torch.eye(4)[None], intrinsics(1), 8, samples_per_pixel=3)


def test_rotations_become_vectors_and_back() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 3))
    vectors *= (np.random.default_rng(1).uniform(0, np.pi - 1e-6, size=200) / np.linalg.norm(vectors, axis=1))[:, None]
    vectors[:2] = [[0, 0, 0], [np.pi - 1e-7, 0, 0]]
    np.testing.assert_allclose(vector_from_matrix(matrix_from_vector(vectors)), vectors, atol=1e-6)
    np.testing.assert_allclose(turn("y", 90) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_standing_has_limbs_straight_down_and_a_bent_knee_goes_back() -> None:
    body = rig()

    def joint_places(pose: np.ndarray) -> np.ndarray:
        joints = torch.from_numpy(body.joints)[None]
        motions = joint_motions(torch.from_numpy(pose)[None], joints, body.parents)
        return ((motions[..., :3] @ joints[..., None])[..., 0] + motions[..., 3])[0].numpy()

    standing = joint_places(pose_from_standing({}))
    for first, second in (
        ("LeftUpLeg", "LeftLeg"),
        ("LeftLeg", "LeftFoot"),
        ("RightArm", "RightForeArm"),
        ("RightForeArm", "RightHand"),
    ):
        way = standing[body.joint(second)] - standing[body.joint(first)]
        np.testing.assert_allclose(way / np.linalg.norm(way), [0, -1, 0], atol=1e-5)
    bent = joint_places(pose_from_standing({"LeftLeg": turn("x", 90)}))
    way = bent[body.joint("LeftFoot")] - bent[body.joint("LeftLeg")]
    np.testing.assert_allclose(way / np.linalg.norm(way), [0, 0, -1], atol=1e-5)


def test_the_template_is_whole_and_carries_its_terms() -> None:
    template, config = people_rig().template, people_config()
    assert template.part_names == PART_NAMES[1:] and len(np.unique(template.vertex_parts)) == len(PART_NAMES) - 1
    np.testing.assert_allclose(template.weights.sum(axis=1), 1, atol=1e-6)
    assert "CC0" in config.body.licence and "Apache-2.0" in config.body.licence
    notice = NOTICE_PATH.read_text()
    assert ARRAYS_PATH.name in notice and "CC0 1.0" in notice and "Apache License, Version 2.0" in notice
    assert ARRAYS_PATH.stat().st_size < 2_000_000


def test_exact_masks_label_a_place_alike_in_any_pose() -> None:
    person = some_people(1)
    given = poses(random_pose(3), random_pose(4))
    cam2world = torch.cat([views(person, pose[None]) for pose in given])
    masks = torch.cat([
        render_people(person, given[i : i + 1], cam2world[i : i + 1], intrinsics(1), 256, samples_per_pixel=1).mask
        for i in range(2)
    ])  # fmt: skip
    found = pose_consistency(person, given, cam2world, masks, torch.Generator().manual_seed(0), 4000)
    # pixels at borders of parts show one part only
    assert found.seen == found.shown > 500 and found.same > 0.95 * found.seen
    mixed = pose_consistency(person, given, cam2world, masks.flip(1), torch.Generator().manual_seed(0), 4000)
    assert mixed.seen == found.seen and mixed.same < 0.5 * found.seen
    # what a mask calls background is seen, but not shown; the count is not that of places where both say so
    half = masks.clone()
    half[:, :, :128] = 0
    hidden = pose_consistency(person, given, cam2world, half, torch.Generator().manual_seed(0), 4000)
    assert hidden.seen == found.seen and 0.1 * found.seen < hidden.shown < 0.9 * found.seen
    assert hidden.same > 0.95 * hidden.shown
