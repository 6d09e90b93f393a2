"""`mesh`: what is written and what real readers find in it, what a second run does, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import plyfile
import pytest
import trimesh

from dnerf_core.files.meshes.formats import mesh_files, write_mesh
from dnerf_core.labels import SHAPENET_CAR_LABELS, Label, LabelSet
from dnerf_core.mesh.mesh import Mesh
from dnerf_core.pointcloud.cloud import PointCloud
from headless import cli
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import contents, error_line, snapshot
from tests.headless.tiny_engine import save_tiny


@pytest.fixture
def cube() -> Mesh:
    """A cube whose upper corners are hood and whose lower ones are wheels."""
    box = trimesh.creation.box()
    upper = box.vertices[:, 1] > 0
    return Mesh(
        box.vertices.astype(np.float32),
        box.faces.astype(np.int32),
        box.vertex_normals.astype(np.float32),
        np.where(upper[:, None], [200, 10, 20], [10, 128, 30]).astype(np.uint8),
        np.where(upper, 1, 3).astype(np.uint8),
        np.where(upper, 1.0, 0.5).astype(np.float32),
        SHAPENET_CAR_LABELS,
    )


def saved(mesh: Mesh, path: Path, color: str = "rgb") -> Path:
    mesh.save(path, color)  # type: ignore[arg-type]
    return path


def test_a_face_has_the_part_of_most_of_its_corners(cube: Mesh) -> None:
    faces = np.array([[0, 1, 2]], np.int32)
    for corners, sure, part in (((1, 1, 2), (0, 0, 1), 1), ((2, 1, 1), (1, 0, 0), 1), ((1, 2, 3), (0.2, 0.1, 0.9), 3)):
        points = np.zeros((3, 3), np.float32)
        mesh = Mesh(points, faces, points, points.astype(np.uint8), np.array(corners, np.uint8), np.array(sure, np.float32), None)
        assert mesh.face_labels().tolist() == [part]
    assert cube.is_watertight and {name for _, name, _, _ in cube.parts()} == {"hood", "wheels"}


@pytest.mark.parametrize("color", ["rgb", "label"])
def test_glb_has_a_material_a_part_and_the_ids(color: str, cube: Mesh, tmp_path: Path) -> None:
    path = saved(cube, tmp_path / "a.glb", color)
    data = path.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    content, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert len(data) == int.from_bytes(data[8:12], "little")
    assert [(m["name"], m["extras"]["label"]) for m in content["materials"]] == [("hood", 1), ("wheels", 3)]
    attributes = content["meshes"][0]["primitives"][0]["attributes"]
    assert ("COLOR_0" in attributes) == (color == "rgb")
    view = content["bufferViews"][content["accessors"][attributes["_LABEL"]]["bufferView"]]
    ids = np.frombuffer(binary, "<f4", 8, view["byteOffset"])
    np.testing.assert_array_equal(ids, cube.labels)
    scene = trimesh.load(path)
    assert sorted(geometry.visual.material.name for geometry in scene.geometry.values()) == ["hood", "wheels"] or color == "rgb"
    whole = trimesh.load(path, force="mesh")
    whole.merge_vertices(merge_norm=True, merge_tex=True)
    assert whole.is_watertight and whole.volume == pytest.approx(1)


def test_ply_has_labels_twice_and_faces(cube: Mesh, tmp_path: Path) -> None:
    path = saved(cube, tmp_path / "a.ply", "label")
    data = plyfile.PlyData.read(path)
    np.testing.assert_array_equal(data["vertex"]["label"], cube.labels)
    np.testing.assert_array_equal(data["vertex"]["scalar_label"], cube.labels)
    assert data["vertex"]["scalar_label"].dtype == np.float32
    np.testing.assert_array_equal(np.stack(list(data["face"]["vertex_indices"])), cube.faces)
    assert trimesh.load(path).is_watertight
    cloud = PointCloud.load(path)
    np.testing.assert_array_equal(cloud.labels, cube.labels)
    assert cloud.label_set is not None and cloud.label_set.names == SHAPENET_CAR_LABELS.names


def test_obj_has_a_material_a_part(cube: Mesh, tmp_path: Path) -> None:
    path = saved(cube, tmp_path / "a.obj")
    assert (tmp_path / "a.mtl").read_text().count("newmtl") == 2
    lines = path.read_text().splitlines()
    assert [line for line in lines if line.startswith("usemtl")] == ["usemtl hood", "usemtl wheels"]
    assert sum(line.startswith("f ") for line in lines) == 12
    scene = trimesh.load(path, split_object=False, group_material=True)
    assert sum(len(geometry.faces) for geometry in getattr(scene, "geometry", {"a": scene}).values()) == 12


@pytest.mark.parametrize("color", ["rgb", "label"])
def test_usd_has_a_subset_a_part_and_integer_ids(color: str, cube: Mesh, tmp_path: Path) -> None:
    usd = pytest.importorskip("pxr.Usd")
    geom, shade = pytest.importorskip("pxr.UsdGeom"), pytest.importorskip("pxr.UsdShade")
    path = saved(cube, tmp_path / "a.usd", color)
    stage = usd.Stage.Open(str(path))
    prim = stage.GetPrimAtPath("/World/object")
    ids = geom.PrimvarsAPI(prim).GetPrimvar("_LABEL")
    assert (str(ids.GetTypeName()), ids.GetInterpolation(), list(ids.Get())) == ("int[]", "vertex", cube.labels.tolist())  # type: ignore[union-attr]
    bound = {
        child.GetName(): str(shade.MaterialBindingAPI(child).ComputeBoundMaterial()[0].GetPath()) for child in prim.GetChildren()
    }
    assert bound == {name: f"/World/materials/{name}" for name in ("hood", "wheels")}
    assert geom.Subset.ValidateFamily(geom.Imageable(prim), geom.Tokens.face, "materialBind")[0]
    cube.as_cloud().save(tmp_path / "c.usd")
    cloud_stage = usd.Stage.Open(str(tmp_path / "c.usd"))
    points = cloud_stage.GetPrimAtPath("/World/object")
    assert points.GetTypeName() == "Points" and list(geom.PrimvarsAPI(points).GetPrimvar("_LABEL").Get()) == list(ids.Get())


def test_names_that_a_format_makes_alike_stay_apart(cube: Mesh, tmp_path: Path) -> None:
    names = LabelSet(
        (Label(0, "background", (0, 0, 0)), Label(1, "a b", (1, 0, 0)), Label(2, "c", (2, 0, 0)), Label(3, "a_b", (3, 0, 0)))
    )
    mesh = Mesh(cube.vertices, cube.faces, cube.normals, cube.colors, cube.labels, cube.confidence, names)
    text = saved(mesh, tmp_path / "a.obj").read_text()
    assert "usemtl a_b_1\n" in text and "usemtl a_b_3\n" in text


def test_equal_meshes_give_equal_bytes(cube: Mesh, tmp_path: Path) -> None:
    pytest.importorskip("pxr.Usd")
    for kind in ("glb", "ply", "obj", "usd"):
        paths = [tmp_path / f"{k}" / f"a.{kind}" for k in range(2)]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            write_mesh(path, cube, kind)  # type: ignore[arg-type]
        one, other = ([path.read_bytes() for path in mesh_files(at, kind)] for at in paths)  # type: ignore[arg-type]
        assert one == other


def test_what_cloudcompare_writes_is_read(tmp_path: Path) -> None:
    """Its fields have other names, and none of ours need be there."""
    kinds = ["x", "y", "z", "nx", "ny", "nz", "scalar_label"]
    header = ["ply", "format binary_little_endian 1.0", "comment Created by CloudCompare", "element vertex 2"]
    header += [f"property float {name}" for name in kinds] + [f"property uchar {name}" for name in ("red", "green", "blue")]
    rows = np.zeros(2, [(name, "<f4") for name in kinds] + [(name, "u1") for name in ("red", "green", "blue")])
    rows["scalar_label"] = [2, 3]
    (tmp_path / "cc.ply").write_bytes("\n".join([*header, "end_header", ""]).encode() + rows.tobytes())
    cloud = PointCloud.load(tmp_path / "cc.ply")
    assert cloud.labels is not None and cloud.confidence is not None
    assert (cloud.labels.tolist(), cloud.confidence.tolist()) == ([2, 3], [1.0, 1.0])


def test_the_folder_is_made_resumed_and_refused_to_another_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    out = tmp_path / "out"

    def mesh(*args: str) -> int:
        least = ["--model", str(model), "--seeds", "0-1", "--views", "2", "--nodes", "16", "--level", "0", "--json"]
        return cli.run(["mesh", *least, "--format", "ply,obj", "-o", str(out), *args])

    assert mesh() == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events if event["event"] != "warning"] == ["start", "mesh", "mesh", "summary"]
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {"dataset.json", "ply/s0000.ply", "obj/s0001.obj", "obj/s0001.mtl"} <= files
    assert all(event["watertight"] for event in events if event["event"] == "mesh")
    assert trimesh.load(out / "ply" / "s0000.ply").is_watertight
    before = snapshot(out)
    assert mesh() == 0 and snapshot(out) == before
    (out / "obj" / "s0001.mtl").unlink()
    assert mesh("--workers", "3") == 0
    assert contents(out) == {name: data for name, (data, _) in before.items()}
    for args, difference in (
        (["--nodes", "20"], "--nodes was 16 and is now 20"),
        (["--faces", "9"], "--faces was None and is now 9"),
        (["--level", "1"], "--level was 0.0 and is now 1.0"),
        (["--min-piece", "0"], "--min-piece was 1.0 and is now 0.0"),
    ):
        capsys.readouterr()
        assert mesh(*args) == 1
        assert f"holds the results of another call, {difference}" in capsys.readouterr().err
    assert mesh("--level", "9000", "--workers", "1", "-o", str(tmp_path / "none")) == 1
    assert "s0000: mesh: expected a raw density above 9000 somewhere, found at most" in capsys.readouterr().err


def test_wrong_calls_are_told(fake_model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_model.masks = False
    assert cli.run(["mesh", "--color", "label", "-o", str(tmp_path / "out")]) == 2
    assert "--color label: expected a model with labels, found none" in error_line(capsys)
    assert cli.run(["mesh", "--nodes", "513", "-o", str(tmp_path / "out")]) == 2
    assert "--nodes" in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_folder_grows_and_what_is_damaged_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    call = [
        "mesh",
        "--model",
        str(model),
        "--views",
        "2",
        "--resolution",
        "16",
        "--nodes",
        "16",
        "--level",
        "0",
        "--format",
        "obj,ply",
    ]
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    assert cli.run([*call, "--seeds", "0-1", "--output", str(whole)]) == 0
    assert cli.run([*call, "--seeds", "0", "--output", str(grown)]) == 0
    assert cli.run([*call, "--seeds", "0-1", "--output", str(grown)]) == 1
    assert "--seeds was 0 and is now 0-1" in capsys.readouterr().err
    assert cli.run([*call, "--seeds", "0-1", "--output", str(grown), "--extend"]) == 0
    assert contents(grown) == contents(whole)
    material = grown / "obj" / "s0001.mtl"
    material.write_bytes(material.read_bytes()[:-3])
    capsys.readouterr()
    assert cli.run([*call, "--seeds", "0-1", "--output", str(grown), "--verify"]) == 0
    assert "obj/s0001.mtl" in capsys.readouterr().err
    assert contents(grown) == contents(whole)
