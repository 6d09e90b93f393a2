"""The channel `vertices`: the mesh that moves with subjects, read back by numpy, trimesh and webdataset, and who is refused it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
import webdataset

from dnerf_core.backbone.family import Family
from dnerf_core.camera import cameras_from_json, pixel_centers_uv
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.datasets import LabeledViews
from dnerf_core.errors import OutputError
from dnerf_core.files.meshes.posed_meshes import read_faces, read_vertices, vertices_bytes
from dnerf_core.files.pictures import read_depth
from dnerf_core.files.view_poses import joint_array
from dnerf_core.model import Model
from headless import cli
from headless.datasets.channels import ENTRIES
from tests.core.gnarf.cases import tiny_config, tiny_generator, worm_rig
from tests.core.stub_family import BallBackbone, BallConfig, balls

__all__ = ["balls"]


@pytest.fixture(scope="module")
def worm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A body whose subjects have shapes of their own."""
    rig = worm_rig(shapes=2, rings=24, around=16)
    generator = tiny_generator(rig, tiny_config(rig, projector="closest", shape_hidden=4))
    path = tmp_path_factory.mktemp("worm") / "worm.safetensors"
    save_model(path, generator.config, generator.state_dict())
    return path


@pytest.fixture(scope="module")
def posed(worm_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects, each in two poses."""
    out = tmp_path_factory.mktemp("posed") / "out"
    words = ["render", "--model", str(worm_model), "--seeds", "0,1", "--views", "2", "--resolution", "48"]
    words += ["--pose", str(bend_file(out.parent)), "--truncation", "0.3", "--yaw", "-30:30"]
    assert cli.run([*words, "--channels", "rgb,depth,joints,vertices", "--format", "webdataset", "-o", str(out)]) == 0
    return out


def bend_file(folder: Path) -> Path:
    """A motion of two frames."""
    path = folder / "bend.json"
    frames = [{"joints": {"bone1": [0.5, 0, 0]}}, {"joints": {"bone1": [0, 0, -0.6], "bone2": [0.4, 0, 0.3]}}]
    path.write_text(json.dumps({"frames": frames}))
    return path


def mesh_of_view(folder: Path, name: str) -> trimesh.Trimesh:
    """As another program reads it."""
    with np.load(folder / "template.npz") as shared:
        return trimesh.Trimesh(np.load(folder / "vertices" / f"{name}.npy"), shared["faces"], process=False)


def distance_to(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    """From each point to the nearest of many points of the surface."""
    samples, _ = trimesh.sample.sample_surface(mesh, 4000, seed=5)
    return np.array([np.linalg.norm(samples - point, axis=1).min() for point in points])


def test_the_vertices_are_the_engines_in_every_pose_and_shape(worm_model: Path, posed: Path) -> None:
    model = Model.load(worm_model)
    meshes = []
    for view in json.loads((posed / "cameras.json").read_text())["views"]:
        body = model.subject(view["seed"], truncation=0.3).posed(model.pose(view["pose"])).planes.bodies[0]
        mesh = mesh_of_view(posed, view["name"])
        np.testing.assert_allclose(mesh.vertices, body.vertices.numpy(), atol=1e-5)
        np.testing.assert_array_equal(mesh.faces, body.table.faces.numpy())
        assert mesh.is_watertight
        assert mesh.volume > 0  # faces are counterclockwise from outside
        meshes.append(mesh)
    # the two subjects' shapes differ: no rigid motion of bones makes one's volume the other's
    assert abs(meshes[0].volume / meshes[2].volume - 1) > 1e-3
    with np.load(posed / "template.npz") as shared:
        np.testing.assert_array_equal(shared["weights"], model.generator.body.table().weights.numpy())
        assert tuple(shared["joint_names"]) == model.config.body.joint_names
    record = json.loads((posed / "dataset.json").read_text())
    assert record["vertices"]["template"].startswith("template.npz: faces")
    rows = [json.loads(line) for line in (posed / "metadata.jsonl").read_text().splitlines()]
    assert [row["vertices_file"] for row in rows] == [f"vertices/s000{seed}_v0{view}.npy" for seed in (0, 1) for view in (0, 1)]
    read = ENTRIES["vertices"].read
    assert read is not None
    np.testing.assert_array_equal(read(posed / rows[0]["vertices_file"], None, 48), meshes[0].vertices.astype(np.float32))


def test_joints_lie_in_the_mesh_and_the_depth_on_it(posed: Path) -> None:
    cameras = cameras_from_json((posed / "cameras.json").read_text())
    for name, camera in cameras.items():
        mesh = mesh_of_view(posed, name)
        joints = np.array(json.loads((posed / "joints" / f"{name}.json").read_text())["joints_world"])
        assert distance_to(mesh, joints).max() < 0.25  # a bone's beginning to the skin round it
        assert (joints > mesh.bounds[0] - 0.02).all()
        assert (joints < mesh.bounds[1] + 0.02).all()
        depth = read_depth(posed / "depth" / f"{name}.exr")
        seen = np.isfinite(depth)
        assert seen.sum() > 50
        points = camera.unproject(pixel_centers_uv((48, 48))[seen], depth[seen])
        assert distance_to(mesh, points).max() < 0.2  # rays are cut by the mesh, grown


def test_shards_hold_them_as_arrays(posed: Path) -> None:
    shards = [str(path) for path in sorted((posed / "webdataset").glob("*.tar"))]
    found = {sample["__key__"]: sample["vertices.npy"] for sample in webdataset.WebDataset(shards, shardshuffle=False).decode()}
    assert len(found) == 4
    for name, vertices in found.items():
        np.testing.assert_array_equal(vertices, np.load(posed / "vertices" / f"{name}.npy"))


def test_torch_reads_joints_and_vertices(worm_model: Path, posed: Path) -> None:
    views, model = LabeledViews(posed), Model.load(worm_model)
    batch = next(iter(torch.utils.data.DataLoader(views, batch_size=4)))
    assert batch["joints"].shape[0] == 4 and batch["joints"].dtype == batch["joints_px"].dtype == torch.float32
    assert batch["visibility"].shape == batch["joints"].shape[:2] and batch["visibility"].dtype == torch.int64
    for sample in views:
        np.testing.assert_array_equal(sample["vertices"], np.load(posed / "vertices" / f"{sample['name']}.npy"))
        camera = cameras_from_json((posed / "cameras.json").read_text())[sample["name"]]
        uv, depth = camera.project(sample["joints"].numpy())
        assert (depth > 0).all()
        np.testing.assert_allclose(sample["joints_px"], uv * sample["image"].shape[-1], atol=2e-3)
    pose = json.loads((posed / "cameras.json").read_text())["views"][0]["pose"]
    own = model.subject(0, truncation=0.3).posed(model.pose(pose)).joints
    np.testing.assert_allclose(views[0]["joints"], own, atol=1e-5)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"joints_world": [[0, 0, 0]], "joints_px": [[0, 0]], "visibility": [1, 2]}', "NaN"]
)
def test_files_that_are_no_joints_are_refused_in_a_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "joints.json"
    path.write_text(text)
    with pytest.raises(OutputError, match="delete it"):
        joint_array(path)
    path.write_text('{"joints_world": [[0, 0, NaN]], "joints_px": [[0, 0]], "visibility": [1]}')
    with pytest.raises(OutputError, match="expected finite numbers"):
        joint_array(path)


def test_what_is_lost_or_altered_is_made_again(worm_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    words = ["render", "--model", str(worm_model), "--seeds", "3,4", "--views", "2", "--resolution", "16"]
    words += [
        "--channels",
        "depth,vertices",
        "--splits",
        "train=0.5,test=0.5",
        "-o",
        str(out),
        "--pose",
        str(bend_file(tmp_path)),
    ]
    assert cli.run(words) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert out / "template.npz" in before
    vertices = next(path for path in before if path.parent.name == "vertices")
    (out / "template.npz").unlink()
    assert cli.run(words) == 0
    vertices.write_bytes(before[vertices][:-5])
    (out / "template.npz").write_bytes(b"no zip")
    capsys.readouterr()
    assert cli.run([*words, "--verify"]) == 0
    warnings = capsys.readouterr().err
    for altered in (vertices, out / "template.npz"):
        assert f"{altered}: altered or truncated since it was written; made again" in warnings
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("balls")
def test_a_model_without_such_a_mesh_says_so(tmp_path: Path, balls: Family, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["render", "--channels", "rgb,vertices", "-o", str(tmp_path / "out")]) != 0
    assert "found vertices, which need a model whose subjects move; leave it out" in capsys.readouterr().err
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        state = BallBackbone(BallConfig()).state_dict()
    path = tmp_path / "balls.safetensors"
    save_model(path, BallConfig(), state)
    assert cli.run(["render", "--model", str(path), "--channels", "rgb,vertices", "-o", str(tmp_path / "out")]) != 0
    assert "found vertices, which need a model whose subjects are a mesh that moves" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_vertices_or_faces_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    for array in (np.zeros((4, 2), np.float32), np.zeros((4, 3), int), np.full((4, 3), np.nan, np.float32), np.zeros((0, 3))):
        np.save(path, array)
        with pytest.raises(OutputError, match=r"v\.npy: expected"):
            read_vertices(path)
    np.save(path, np.array([{}], object))
    with pytest.raises(OutputError, match="expected a view's vertices"):
        read_vertices(path)
    data = vertices_bytes(np.zeros((4, 3), np.float32)).replace(b"(4, 3)", b"(9, 3)")
    path.write_bytes(data)
    with pytest.raises(OutputError, match="an array float32"):
        read_vertices(path)
    shared = tmp_path / "template.npz"
    for faces in (np.zeros((2, 3)), np.zeros((2, 4), np.int32), np.full((2, 3), -1), np.full((2, 3), 2**30)):
        np.savez(shared, faces=faces)
        with pytest.raises(OutputError, match=r"template\.npz: expected"):
            read_faces(shared)
    np.savez(shared, others=np.zeros(3))
    with pytest.raises(OutputError, match=r"template\.npz: expected the template's faces"):
        read_faces(shared)
