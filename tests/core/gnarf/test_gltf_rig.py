"""glTF files by hand become rigs and templates: what other programs write, what has to be mended, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.errors import TemplateError
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.rigs.building import BuildOptions, build_template, open_edges
from dnerf_core.gnarf.rigs.gltf_rig import read_gltf_rig
from dnerf_core.gnarf.rigs.rig import Rig, single_tree, unique_names
from tests.core.gnarf.gltf_writer import GltfWriter, influences_of, rigged_writer
from tests.core.gnarf.rigs import cmu_skeleton, template_of

AS_IT_IS = BuildOptions(keep_place=True)


def mesh() -> Template:
    return template_of(cmu_skeleton())


def template_from(path: Path, options: BuildOptions = AS_IT_IS) -> Template:
    return build_template(read_gltf_rig(path), options, str(path)).template


def same_order(template: Template, other: Template) -> np.ndarray:
    """The other's vertex for each of the template's, by place."""
    distances = np.linalg.norm(template.vertices[:, None] - other.vertices[None], axis=-1)
    assert distances.min(axis=1).max() < 1e-4
    found: np.ndarray = distances.argmin(axis=1)
    return found


def assert_same_body(found: Template, expected: Template) -> None:
    assert set(found.names) == set(expected.names)
    joints = [found.names.index(name) for name in expected.names]
    assert np.abs(found.joints[joints] - expected.joints).max() < 1e-5
    for joint, parent in enumerate(expected.parents):
        above = found.parents[joints[joint]]
        assert (found.names[above] if above >= 0 else None) == (expected.names[parent] if parent >= 0 else None)
    place = same_order(expected, found)
    assert np.abs(found.weights[place][:, joints] - expected.weights).max() < 1e-4
    corners = {tuple(sorted(face)) for face in place[expected.faces].tolist()}
    assert corners == {tuple(sorted(face)) for face in found.faces.tolist()}
    first = expected.vertices[expected.faces].astype(np.float64)
    second = found.vertices[found.faces].astype(np.float64)

    def volume(triangles: np.ndarray) -> float:
        return float(np.einsum("ij,ij->", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) / 6)

    assert volume(second) == pytest.approx(volume(first), rel=1e-3) and volume(first) > 0


@pytest.mark.parametrize("index_type", ["uint16", "uint32"])
def test_a_rigged_glb_is_the_body_that_was_written(tmp_path: Path, index_type: str) -> None:
    found = template_from(rigged_writer(mesh(), index_type=index_type).glb(tmp_path / "body.glb"))
    assert_same_body(found, mesh())
    assert found.source == "body.glb" and not open_edges(found.faces)


def test_buffers_in_the_text_and_beside_it(tmp_path: Path) -> None:
    writer = rigged_writer(mesh())
    assert_same_body(template_from(writer.gltf(tmp_path / "inside.gltf")), mesh())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "body 1.bin").write_bytes(bytes(writer.bytes))
    assert_same_body(template_from(writer.gltf(tmp_path / "beside.gltf", "data/body%201.bin")), mesh())


def test_a_skeleton_below_a_scaled_and_turned_node(tmp_path: Path) -> None:
    """As Mixamo's files are: the armature's node is turned and scaled to a hundredth; z is up below it."""
    place = np.diag([0.01, 0.01, 0.01, 1.0]) @ np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    back = np.linalg.inv(place)
    inner = replace(
        mesh(),
        vertices=(mesh().vertices @ back[:3, :3].T).astype(np.float32),
        joints=(mesh().joints @ back[:3, :3].T).astype(np.float32),
    )
    found = template_from(rigged_writer(inner, place).glb(tmp_path / "body.glb"))
    assert_same_body(found, mesh())


def test_a_mesh_that_was_mirrored_keeps_its_outside(tmp_path: Path) -> None:
    place = np.diag([-1.0, 1.0, 1.0, 1.0])
    inner = replace(
        mesh(),
        vertices=(mesh().vertices * [-1, 1, 1]).astype(np.float32),
        joints=(mesh().joints * [-1, 1, 1]).astype(np.float32),
        faces=np.ascontiguousarray(mesh().faces[:, ::-1]),
    )
    assert_same_body(template_from(rigged_writer(inner, place).glb(tmp_path / "body.glb")), mesh())


def test_the_bound_pose_is_taken_where_nodes_stand_otherwise(tmp_path: Path) -> None:
    writer = rigged_writer(mesh())
    arm = mesh().names.index("LeftArm")
    writer.json["nodes"][arm]["rotation"] = [0.0, 0.0, 0.6, 0.8]
    path = writer.glb(tmp_path / "body.glb")
    rig = read_gltf_rig(path)
    assert any("another pose" in remark for remark in rig.remarks)
    assert_same_body(template_from(path), mesh())


def test_pieces_seams_and_materials(tmp_path: Path) -> None:
    """Two meshes with a skin each, split at a seam: their vertices are joined, their materials are parts."""
    body = mesh()
    writer = rigged_writer(body)
    primitive = writer.json["meshes"][0]["primitives"][0]
    half = len(body.faces) // 2
    rest = body.vertices[body.faces[half:]].reshape(-1, 3)  # three vertices of its own for each triangle
    indices, values = influences_of(body.weights[body.faces[half:].reshape(-1)])
    primitive["indices"] = writer.accessor(body.faces[:half].reshape(-1, 1).astype(np.uint16))
    primitive["material"] = 0
    attributes = {
        "POSITION": writer.accessor(rest, stride=20),
        "JOINTS_0": writer.accessor(indices.astype(np.uint16)),
        "WEIGHTS_0": writer.accessor(np.round(values * 65535).astype(np.uint16), normalized=True),
    }
    writer.json["materials"] = [{"name": "skin"}, {}]
    writer.json["meshes"].append({"primitives": [{"attributes": attributes, "material": 1}]})
    writer.json["skins"].append(dict(writer.json["skins"][0]))
    writer.json["nodes"].append({"mesh": 1, "skin": 1})
    path = writer.glb(tmp_path / "body.glb")
    found = template_from(path, replace(AS_IT_IS, parts="materials"))
    assert len(found.vertices) == len(body.vertices)
    assert_same_body(found, body)
    assert found.part_names == ("skin", "material 1")
    parts = found.vertex_parts[same_order(body, found)]
    cut = 6 * (half // 8)  # of the octahedron that the seam goes through, either is right
    assert not parts[:cut].any() and parts[cut + 6 :].all()


def test_more_than_four_influences(tmp_path: Path) -> None:
    body = mesh()
    weights = np.random.default_rng(0).dirichlet(np.ones(7), len(body.vertices))
    spread = np.zeros_like(body.weights)
    spread[:, :7] = weights
    writer = rigged_writer(replace(body, weights=spread))
    attributes = writer.json["meshes"][0]["primitives"][0]["attributes"]
    first, second = (
        np.tile(np.arange(4, dtype=np.uint8), (len(weights), 1)),
        np.tile(np.array([4, 5, 6, 200], np.uint8), (len(weights), 1)),
    )
    attributes["JOINTS_0"], attributes["WEIGHTS_0"] = writer.accessor(first), writer.accessor(weights[:, :4].astype(np.float32))
    padded = np.pad(weights[:, 4:], ((0, 0), (0, 1))).astype(np.float32)  # the joint without weight may have any index
    attributes["JOINTS_1"], attributes["WEIGHTS_1"] = writer.accessor(second), writer.accessor(padded)
    rig = read_gltf_rig(writer.glb(tmp_path / "body.glb"))
    joints = [rig.names.index(name) for name in body.names]
    assert np.abs(rig.weights[:, joints] - spread).max() < 1e-6


def test_strips_fans_and_lines(tmp_path: Path) -> None:
    body = mesh()
    writer = rigged_writer(body)
    attributes = writer.json["meshes"][0]["primitives"][0]["attributes"]
    strip, fan, line = (
        writer.accessor(np.array(corners, np.uint8).reshape(-1, 1)) for corners in ([0, 2, 4, 1], [3, 0, 4, 1], [0, 1])
    )
    writer.json["meshes"][0]["primitives"] = [
        {"attributes": attributes, "indices": strip, "mode": 5},
        {"attributes": attributes, "indices": fan, "mode": 6},
        {"attributes": attributes, "indices": line, "mode": 1},
    ]
    rig = read_gltf_rig(writer.glb(tmp_path / "body.glb"))
    assert rig.faces[:2].tolist() == [[0, 2, 4], [4, 2, 1]]
    assert (rig.faces[2:] - len(body.vertices)).tolist() == [[3, 0, 4], [3, 4, 1]]


def test_what_hangs_on_a_bone_goes_with_it_and_what_hangs_nowhere_is_left_out(tmp_path: Path) -> None:
    writer = rigged_writer(mesh())
    head = mesh().names.index("Head")
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    writer.json["meshes"].append({"primitives": [{"attributes": {"POSITION": writer.accessor(corners)}}]})
    writer.json["nodes"] += [{"mesh": 1}, {"mesh": 1}]
    count = len(writer.json["nodes"])
    writer.json["nodes"][head]["children"] = [count - 2]
    rig = read_gltf_rig(writer.glb(tmp_path / "body.glb"))
    assert np.abs(rig.vertices[-3:] - (mesh().joints[head] + corners)).max() < 1e-6
    assert rig.weights[-3:, rig.names.index("Head")].tolist() == [1, 1, 1]
    assert any("1 meshes follow no joint" in remark for remark in rig.remarks)
    assert len(rig.vertices) == len(mesh().vertices) + 3


# --- refused


def broken(change: Callable[[GltfWriter], Any]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        writer = rigged_writer(mesh())
        change(writer)
        return writer.glb(path)

    return write


def primitive_of(writer: GltfWriter) -> dict[str, Any]:
    found: dict[str, Any] = writer.json["meshes"][0]["primitives"][0]
    return found


def set_accessor(writer: GltfWriter, name: str, **values: Any) -> None:
    writer.json["accessors"][primitive_of(writer)["attributes"][name]].update(values)


def with_attribute(writer: GltfWriter, name: str, array: np.ndarray) -> None:
    primitive_of(writer)["attributes"][name] = writer.accessor(array)


COUNT = 6 * 27
REFUSED: list[tuple[Callable[[GltfWriter], Any], str]] = [
    (lambda w: w.json.pop("skins"), "expected a mesh with a skin"),
    (lambda w: w.json.update(asset={"version": "1.0"}), "glTF version 2"),
    (lambda w: w.json.update(asset=3), "asset: expected an object"),
    (lambda w: w.json.update(nodes=3), "nodes: expected a list"),
    (lambda w: w.json.update(extensionsRequired=["KHR_draco_mesh_compression"]), "without the extension 'KHR_draco"),
    (lambda w: w.json.update(extensionsRequired=3), "without the extension 3"),
    (lambda w: w.json["nodes"][1].update(children=[0]), "expected a tree|circle|below two"),
    (lambda w: w.json["nodes"][0].update(children=[999]), "an index below"),
    (lambda w: w.json["nodes"][0].update(children=[True]), "an index below"),
    (lambda w: w.json["nodes"][0].update(translation=[0, 0]), "translation: expected 3 numbers"),
    (lambda w: w.json["nodes"][0].update(translation=[0, 0, 1e300]), "up to 1e9"),
    (lambda w: w.json["nodes"][0].update(scale=[0, 0, 0]), "scaled to nothing"),
    (lambda w: w.json["nodes"][0].update(matrix=[1] * 15), "matrix: expected 16 numbers"),
    (lambda w: w.json["nodes"][-1].update(mesh=7), "meshes: expected an index below 1"),
    (lambda w: w.json["nodes"][-1].update(skin=7), "skin: expected an index below 1"),
    (lambda w: w.json["skins"][0].update(joints=[]), "1 to 1024"),
    (lambda w: w.json["skins"][0].update(joints=[0, 0]), "each once"),
    (lambda w: w.json["skins"][0].update(joints="all"), "list of indices"),
    (lambda w: w.json["skins"][0].update(inverseBindMatrices=0), "expected an accessor of type MAT4"),
    (lambda w: w.json["meshes"][0].update(primitives=3), "list of primitives"),
    (lambda w: primitive_of(w)["attributes"].pop("JOINTS_0"), "expected JOINTS_0 and WEIGHTS_0"),
    (lambda w: primitive_of(w)["attributes"].pop("POSITION"), "expected triangles that follow joints"),
    (lambda w: primitive_of(w).update(mode=0), "expected triangles that follow joints"),
    (lambda w: set_accessor(w, "POSITION", count=10**6), "found too few bytes"),
    (lambda w: set_accessor(w, "POSITION", count=-1), "an index below"),
    (lambda w: set_accessor(w, "POSITION", count=2**40), "an index below"),
    (lambda w: set_accessor(w, "POSITION", count=COUNT - 1), "below 161|for each of 161"),
    (lambda w: set_accessor(w, "POSITION", byteOffset=8), "found too few bytes"),
    (lambda w: set_accessor(w, "POSITION", byteOffset=-4), "byteOffset: expected an index"),
    (lambda w: set_accessor(w, "POSITION", componentType=5130), "of component 5130"),
    (lambda w: set_accessor(w, "POSITION", componentType=[1]), "of component"),
    (lambda w: set_accessor(w, "POSITION", type="VEC2"), "of type VEC3"),
    (lambda w: set_accessor(w, "POSITION", bufferView=99), "bufferViews: expected an index"),
    (lambda w: set_accessor(w, "POSITION", sparse={}), "not sparse"),
    (lambda w: w.json["bufferViews"][0].update(byteStride=4), "found too few bytes"),
    (lambda w: w.json["bufferViews"][0].update(byteStride=2**30), "byteStride"),
    (lambda w: w.json["bufferViews"][0].update(byteOffset=10**8), "copy the file again"),
    (lambda w: w.json["bufferViews"][0].update(buffer=1), "buffer: expected an index"),
    (lambda w: with_attribute(w, "POSITION", np.full((COUNT, 3), np.nan, np.float32)), "NaN"),
    (lambda w: with_attribute(w, "POSITION", np.full((COUNT, 3), 3e38, np.float32)), r"vertices up to 1e\+07"),
    (lambda w: with_attribute(w, "POSITION", np.zeros((COUNT, 3), np.float32)), "all vertices at one place"),
    (lambda w: with_attribute(w, "WEIGHTS_0", np.full((COUNT, 4), -1, np.float32)), "weights of at least 0"),
    (lambda w: with_attribute(w, "WEIGHTS_0", np.ones((3, 4), np.float32)), "a row for each"),
    (lambda w: with_attribute(w, "JOINTS_0", np.full((COUNT, 4), 99, np.uint8)), "joints below 27"),
    (lambda w: with_attribute(w, "JOINTS_0", np.zeros((COUNT, 4), np.float32)), "a row for each"),
    (lambda w: primitive_of(w).update(indices=w.accessor(np.array([[0], [1], [999]], np.uint16))), "whole numbers below"),
    (lambda w: primitive_of(w).update(indices=w.accessor(np.zeros((3, 1), np.uint16))), "triangles with an area"),
    (lambda w: primitive_of(w).update(material=0), "materials: expected an index"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, change: Callable[[GltfWriter], Any], message: str) -> None:
    path = broken(change)(tmp_path / "body.glb")
    with pytest.raises(TemplateError, match=message) as caught:
        template_from(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_inverse_bind_matrices_that_cannot_be_inverted_are_refused(tmp_path: Path) -> None:
    writer = rigged_writer(mesh())
    writer.json["skins"][0]["inverseBindMatrices"] = writer.accessor(np.zeros((27, 16), np.float32))
    with pytest.raises(TemplateError, match="that can be inverted"):
        template_from(writer.glb(tmp_path / "body.glb"))
    tilted = np.tile(np.eye(4, dtype=np.float32), (27, 1, 1))
    tilted[3, 3, :] = (1, 0, 0, 0)
    writer.json["skins"][0]["inverseBindMatrices"] = writer.accessor(tilted.transpose(0, 2, 1))
    with pytest.raises(TemplateError, match="that can be inverted"):
        template_from(writer.glb(tmp_path / "body.glb"))
    writer.json["skins"][0]["inverseBindMatrices"] = writer.accessor(np.zeros((3, 16), np.float32))
    with pytest.raises(TemplateError, match="expected 27, found 3"):
        template_from(writer.glb(tmp_path / "body.glb"))


@pytest.mark.parametrize(
    "uri",
    [
        "/etc/passwd",
        "../secret.bin",
        "a/../../secret.bin",
        "%2e%2e/secret.bin",
        "file:///etc/passwd",
        "http://x/y",
        "C:\\x",
        "link.bin",
        "",
    ],
)
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    writer = rigged_writer(mesh())
    (tmp_path / "secret.bin").write_bytes(bytes(writer.bytes))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = folder / "body.gltf"
    writer.gltf(path, uri or "?")
    if not uri:
        path.write_text(path.read_text("utf-8").replace('"uri": "?"', '"uri": ""'), "utf-8")
    with pytest.raises(TemplateError, match="expected a file in its folder"):
        template_from(path)


def test_damaged_and_strange_files_are_refused(tmp_path: Path) -> None:
    whole = rigged_writer(mesh()).glb(tmp_path / "whole.glb").read_bytes()
    path = tmp_path / "body.glb"
    for cut in range(0, len(whole) - 1, 499):
        path.write_bytes(whole[:cut])
        with pytest.raises(TemplateError):
            template_from(path)
    os.mkfifo(tmp_path / "pipe.glb")
    for name in ("pipe.glb", "none.glb"):
        with pytest.raises(TemplateError, match="cannot read it"):
            template_from(tmp_path / name)
    writer = rigged_writer(mesh())
    os.mkfifo(tmp_path / "pipe.bin")
    for uri in ("pipe.bin", "none.bin"):
        with pytest.raises(TemplateError, match="cannot read it"):
            template_from(writer.gltf(tmp_path / "body.gltf", uri))
    with pytest.raises(TemplateError, match="expected base64"):
        template_from(writer.gltf(tmp_path / "body.gltf", "data:application/octet-stream;base64,*"))
    (tmp_path / "short.bin").write_bytes(b"123")
    with pytest.raises(TemplateError, match="copy the file again"):
        template_from(writer.gltf(tmp_path / "body.gltf", "short.bin"))


# --- from rigs to templates


def rig_of(template: Template, **changes: Any) -> Rig:
    rig = Rig(
        template.vertices.astype(np.float64),
        template.faces.astype(np.int64),
        template.joints.astype(np.float64),
        template.parents,
        template.weights.astype(np.float64),
        template.names,
    )
    return replace(rig, **changes)


def test_a_body_is_stood_upright_scaled_and_put_in_the_middle() -> None:
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # x to y, y to z, z to x
    rig = rig_of(mesh())
    turned = replace(rig, vertices=rig.vertices @ axes * 100 + 7, joints=rig.joints @ axes * 100 + 7)
    found = build_template(turned, BuildOptions(height=1.8), "rig").template
    low, high = found.vertices.min(axis=0), found.vertices.max(axis=0)
    assert high[1] - low[1] == pytest.approx(1.8) and np.abs(low + high).max() < 1e-5
    scale = 1.8 / np.ptp(mesh().vertices[:, 1])
    bones, expected = (t.joints[t.names.index("LeftHand")] - t.joints[t.names.index("Hips")] for t in (found, mesh()))
    assert bones == pytest.approx(expected * scale, abs=1e-5)


def test_idle_bones_go_and_their_children_stay_where_they_hold_something() -> None:
    body = mesh()
    weights = body.weights.astype(np.float64).copy()
    for name in ("LeftToeBase", "LowerBack"):
        joint = body.names.index(name)
        weights[:, body.parents[joint]] += weights[:, joint]
        weights[:, joint] = 0
    found = build_template(rig_of(body, weights=weights), AS_IT_IS, "rig").template
    assert "LeftToeBase" not in found.names and "LowerBack" in found.names
    assert found.num_joints == 26


def test_parts_by_bones_and_by_sides() -> None:
    found = build_template(rig_of(mesh()), AS_IT_IS, "rig").template
    assert found.part_names == ("head", "neck", "torso", "upper arm", "forearm", "hand", "hips", "thigh", "shin", "foot")
    hand = same_order(mesh(), found)[6 * mesh().names.index("LeftFingerBase")]
    assert found.part_names[found.vertex_parts[hand]] == "hand"
    sided = build_template(rig_of(mesh()), replace(AS_IT_IS, parts="sides"), "rig").template
    assert "left hand" in sided.part_names and "right thigh" in sided.part_names and "torso" in sided.part_names
    assert build_template(rig_of(mesh()), replace(AS_IT_IS, parts="none"), "rig").template.part_names == ()
    strange = rig_of(mesh(), names=tuple(f"bone {i}" for i in range(27)))
    built = build_template(strange, AS_IT_IS, "rig")
    assert len(built.template.part_names) == 27
    assert any("each bone is a part" in remark for remark in built.remarks)
    assert any("stays at rest in the canonical pose" in remark for remark in built.remarks)
    assert any("y is taken to be up" in remark for remark in built.remarks)


def test_the_canonical_pose_spreads_legs_and_arms() -> None:
    import torch

    from dnerf_core.gnarf.body.posing import joint_motions

    built = build_template(rig_of(mesh()), replace(AS_IT_IS, spread_legs_deg=17, arms_deg=45), "rig").template
    motions = joint_motions(
        torch.from_numpy(built.canonical_pose)[None], torch.from_numpy(built.joints)[None], built.parents.tolist()
    )
    at = built.names.index
    where = {
        name: (motions[0, at(name), :, :3] @ torch.from_numpy(built.joints[at(name)]) + motions[0, at(name), :, 3]).numpy()
        for name in ("LeftUpLeg", "LeftFoot", "RightUpLeg", "RightFoot", "LeftArm", "LeftHand", "RightArm", "RightHand")
    }
    for side, sign in (("Left", 1), ("Right", -1)):
        leg = where[f"{side}Foot"] - where[f"{side}UpLeg"]
        assert np.degrees(np.arctan2(sign * leg[0], -leg[1])) == pytest.approx(17, abs=1e-3)
        arm = where[f"{side}Hand"] - where[f"{side}Arm"]
        assert np.degrees(np.arctan2(-arm[1], sign * arm[0])) == pytest.approx(45, abs=1e-3)
    rest = build_template(rig_of(mesh()), replace(AS_IT_IS, canonical="rest"), "rig").template
    assert not rest.canonical_pose.any()


def test_holes_are_told() -> None:
    body = mesh()
    built = build_template(rig_of(body, faces=body.faces[1:].astype(np.int64)), AS_IT_IS, "rig")
    assert any("3 open edges" in remark for remark in built.remarks)


def test_trees_of_joints_in_any_order() -> None:
    tree = single_tree([2, -1, 1])
    assert (tree.order, tree.parents.tolist()) == ([1, 2, 0], [-1, 0, 1])
    apart = single_tree([-1, -1, 1])
    assert (apart.order, apart.parents.tolist()) == ([-1, 0, 1, 2], [-1, 0, 0, 2])
    circle = single_tree([1, 0])
    assert (circle.order, circle.parents.tolist()) == ([0, 1], [-1, 0])
    assert unique_names(["a", "a", "", "a"]) == ("a", "a.2", "joint", "a.3")
