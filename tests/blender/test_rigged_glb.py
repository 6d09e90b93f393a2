"""A rigged mesh as glTF, held against Blender's own importer: what it shows of a motion is linear blend skinning by our own sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnerf_core.files.meshes.glb import mesh_glb_bytes
from dnerf_core.files.meshes.rig import Rig, RigMotion
from dnerf_core.gnarf.body.posing import joint_motions, quaternions, skin
from dnerf_core.labels import LabelSet
from dnerf_core.mesh.mesh import Mesh

bpy = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

FRAMES = 5


def ribbon(world_up: str) -> tuple[Mesh, Rig, torch.Tensor]:
    """A strip along y (z, where that is up) over six joints, each vertex of which follows up to six; and poses [F, K + 1, 3] of it."""
    rng = np.random.default_rng(3)
    count, joints = 40, 6
    height = np.linspace(0, 2, count)
    vertices = np.stack([np.tile([-0.1, 0.1], count), np.repeat(height, 2), rng.uniform(-0.02, 0.02, 2 * count)], axis=1)
    faces = [(2 * i, 2 * i + 1, 2 * i + 3) for i in range(count - 1)] + [(2 * i, 2 * i + 3, 2 * i + 2) for i in range(count - 1)]
    places = np.stack([np.zeros(joints), np.linspace(0.1, 1.6, joints), np.zeros(joints)], axis=1)
    weights = np.exp(-(((vertices[:, None, 1] - places[None, :, 1]) / 0.4) ** 2))
    weights /= weights.sum(axis=1, keepdims=True)
    turn = np.eye(3) if world_up == "y" else np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    labels = np.where(vertices[:, 1] < 1, 1, 2).astype(np.uint8)
    mesh = Mesh(
        (vertices @ turn.T).astype(np.float32),
        np.array(faces, np.int32),
        np.tile(np.float32([0, 0, 1]) @ turn.T.astype(np.float32), (2 * count, 1)),
        rng.integers(0, 255, (2 * count, 3)).astype(np.uint8),
        labels,
        np.ones(2 * count, np.float32),
        LabelSet.from_names(["lower", "upper"]),
        world_up,  # type: ignore[arg-type]
    )
    names = tuple(f"bone {i}" for i in range(joints))
    parents = tuple(range(-1, joints - 1))
    rig = Rig(names, parents, (places @ turn.T).astype(np.float32), weights.astype(np.float32))
    return mesh, rig, torch.from_numpy(rng.uniform(-0.6, 0.6, (FRAMES, joints + 1, 3)))


def shown(path: Path) -> NDArray[np.float64]:
    """Vertices [F, V', 3] of the mesh as Blender shows it, in Blender's world, z up."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25
    bpy.ops.import_scene.gltf(filepath=str(path), merge_vertices=True)
    (body,) = (thing for thing in bpy.data.objects if thing.type == "MESH" and thing.vertex_groups)
    frames = []
    for frame in range(FRAMES):
        bpy.context.scene.frame_set(frame)
        evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
        made = evaluated.to_mesh()
        frames.append(np.array([evaluated.matrix_world @ vertex.co for vertex in made.vertices]))
        evaluated.to_mesh_clear()
    return np.stack(frames)


@pytest.mark.parametrize("world_up", ["y", "z"])
def test_blender_moves_the_mesh_as_skinning_says(tmp_path: Path, world_up: str) -> None:
    mesh, rig, poses = ribbon(world_up)
    motion = RigMotion(
        "sway", 25.0, quaternions(poses[:, :-1]).numpy().astype(np.float32), poses[:, -1].numpy().astype(np.float32)
    )
    path = tmp_path / "ribbon.glb"
    path.write_bytes(mesh_glb_bytes(mesh, "rgb", rig, motion))
    moved = joint_motions(poses, torch.from_numpy(rig.joints).double()[None], rig.parents)
    expected = skin(
        torch.from_numpy(mesh.vertices).double()[None], torch.from_numpy(rig.weights).double(), moved, poses[:, -1]
    ).numpy()
    in_blender = expected if world_up == "z" else expected @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    found = shown(path)
    assert {bone.name for bone in bpy.data.armatures[0].bones} == set(rig.names)
    assert {material.name for material in bpy.data.materials} == {"lower", "upper"}
    for frame in range(FRAMES):
        apart = np.linalg.norm(found[frame][:, None] - in_blender[frame][None], axis=2).min(axis=1)
        assert apart.max() < 1e-4, frame
    assert np.abs(np.diff(found, axis=0)).max() > 0.1


def test_four_joints_are_enough_where_no_vertex_has_more(tmp_path: Path) -> None:
    _, rig, _ = ribbon("y")
    weights = np.zeros((3, 6), np.float32)
    weights[0, 2], weights[1, [1, 4]], weights[2, :4] = 1, 0.5, 0.25
    joints, shares = Rig(rig.names, rig.parents, rig.joints, weights).strongest()
    assert joints.shape == shares.shape == (3, 4)
    again = np.zeros_like(weights)
    np.add.at(again, (np.arange(3)[:, None], joints), shares)
    np.testing.assert_allclose(again, weights)
    assert rig.strongest()[0].shape[1] == 8
