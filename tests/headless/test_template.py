"""`dnerf-headless template`: rigged meshes out of Blender become templates that move as Blender moves them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from dnerf_core.camera import sphere_camera
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.errors import OutputError, TemplateError, UsageError
from dnerf_core.gnarf.body.coarse import coarse_meshes
from dnerf_core.gnarf.body.posing import joint_motions, skin
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.body.template_file import read_template, write_template
from dnerf_core.gnarf.warp.mesh_queries import MeshSearch
from dnerf_core.model import Model
from dnerf_core.poses.clip import clip_from_matrices
from dnerf_core.poses.reading import read_poses
from headless import cli
from headless.runs.template import TemplateCall, make_template
from headless.work.reporting import Quiet
from tests.core.gnarf.cases import tiny_config, tiny_generator
from tests.core.gnarf.gltf_writer import rigged_writer
from tests.core.gnarf.rigs import cmu_skeleton, renamed, template_of
from tests.headless.blender_person import (
    build_person,
    build_whole_person,
    export_bvh,
    export_glb,
    posed_by_blender,
    save_blend,
    turn_bones,
)

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 3


def person() -> Template:
    return template_of(renamed(cmu_skeleton(), "mixamo"))


def posed(template: Template, poses: np.ndarray) -> np.ndarray:
    pose = torch.from_numpy(poses).double()
    motions = joint_motions(pose, torch.from_numpy(template.joints).double()[None], template.parents.tolist())
    points = torch.from_numpy(template.vertices).double()[None]
    return skin(points, torch.from_numpy(template.weights).double(), motions, pose[:, -1]).numpy()


def made(tmp_path: Path, call: TemplateCall) -> Template:
    target = tmp_path / "made.safetensors"
    with pytest.warns(UserWarning, match="--licence"):
        make_template(replace(call, output=target), Quiet())
    return read_template(target)


@pytest.mark.parametrize("write", [export_glb, save_blend])
def test_a_template_out_of_blender_moves_as_blender_moves_it(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    pytest.importorskip("bpy")
    armature, body = build_person(person())
    armature.location = (0.1, 0.2, 0.3) if write is save_blend else (0, 0, 0)
    source = write(tmp_path / ("person.blend" if write is save_blend else "person.glb"))
    armature.location = (0, 0, 0)
    turn_bones(armature, FRAMES, seed=1)
    frames = [posed_by_blender(armature, body, frame) for frame in range(1, FRAMES + 1)]
    rest = np.array([np.array(bone.matrix_local) for bone in armature.data.bones])
    names, parents = (
        [bone.name for bone in armature.data.bones],
        [-1 if bone.parent is None else armature.data.bones.find(bone.parent.name) for bone in armature.data.bones],
    )
    clip = clip_from_matrices(names, parents, rest, np.stack([matrices for _, matrices in frames]), up="z")
    by_bvh = export_bvh(tmp_path / "person.bvh", armature, FRAMES)

    template = made(tmp_path, TemplateCall(rigged=source, keep_place=True))
    shift = np.array([0.1, 0.3, -0.2]) if write is save_blend else np.zeros(3)
    assert len(template.vertices) == len(person().vertices) and len(template.faces) == len(person().faces)
    distances = np.linalg.norm((person().vertices + shift)[:, None] - template.vertices[None], axis=-1)
    order = distances.argmin(axis=1)
    assert distances.min(axis=1).max() < 1e-5
    size = np.ptp(person().vertices[:, 1])
    for source_of_poses in (clip, by_bvh):
        found = posed(template, read_poses(source_of_poses, template).poses)[:, order] - shift
        for frame, (expected, _) in enumerate(frames):
            assert np.abs(found[frame] - expected).max() < 2e-4 * size


def test_a_blend_file_with_two_armatures_wants_to_be_told_which(tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy")
    build_person(person())
    second = bpy.data.objects.new("Other", bpy.data.armatures.new("other"))
    bpy.context.collection.objects.link(second)
    source = save_blend(tmp_path / "one.blend")
    assert made(tmp_path, TemplateCall(rigged=source, armature="Armature")).num_joints == 27
    (tmp_path / "made.safetensors").unlink()
    assert made(tmp_path, TemplateCall(rigged=source)).num_joints == 27  # the other has no mesh
    with pytest.raises(TemplateError, match="did you mean Other"):
        make_template(TemplateCall(rigged=source, armature="other", output=tmp_path / "x.safetensors"), Quiet())
    with pytest.raises(TemplateError, match="whose vertex groups are called as bones"):
        make_template(TemplateCall(rigged=source, armature="Other", output=tmp_path / "x.safetensors"), Quiet())
    bpy.ops.wm.open_mainfile(filepath=str(source))  # the run has opened it, too: earlier references are gone
    bpy.data.objects["body"].modifiers.new("Second", "ARMATURE").object = bpy.data.objects["Other"]
    with pytest.raises(TemplateError, match="expected one armature with a mesh, found 2; say which with --armature"):
        make_template(TemplateCall(rigged=save_blend(tmp_path / "two.blend"), output=tmp_path / "x.safetensors"), Quiet())
    (tmp_path / "no.blend").write_bytes(b"nothing")
    with pytest.raises(TemplateError, match=r"expected a \.blend file, Blender cannot read it"):
        make_template(TemplateCall(rigged=tmp_path / "no.blend", output=tmp_path / "x.safetensors"), Quiet())


def test_bones_of_a_control_rig_are_left_out(tmp_path: Path) -> None:
    """As Rigify builds them: deforming bones hang on others that do not deform."""
    bpy = pytest.importorskip("bpy")
    armature, _ = build_person(template_of(renamed(cmu_skeleton(), "blender")))
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones  # vertex groups follow their bones' names
    for name in ("Arm.L", "ForeArm.L"):
        twin = bones.new(f"ORG-{name}")
        twin.head, twin.tail = bones[name].head, bones[name].tail
        bones[name].name = f"DEF-{name}"
    bones["ORG-ForeArm.L"].parent = bones["ORG-Arm.L"]
    bones["ORG-Arm.L"].parent = bones["Shoulder.L"]
    bones["DEF-Arm.L"].parent = bones["ORG-Arm.L"]
    bones["DEF-ForeArm.L"].parent = bones["ORG-ForeArm.L"]
    bpy.ops.object.mode_set(mode="OBJECT")
    for name in ("ORG-Arm.L", "ORG-ForeArm.L"):
        armature.data.bones[name].use_deform = False
    template = made(tmp_path, TemplateCall(rigged=save_blend(tmp_path / "rigify.blend")))
    assert template.num_joints == 27 and not any(name.startswith("ORG") for name in template.names)
    parent_of = {
        name: template.names[parent] for name, parent in zip(template.names, template.parents, strict=True) if parent >= 0
    }
    assert parent_of["DEF-ForeArm.L"] == "DEF-Arm.L" and parent_of["DEF-Arm.L"] == "Shoulder.L"


def test_the_command_writes_a_file_and_says_what_it_holds(tmp_path: Path) -> None:
    source = rigged_writer(person()).glb(tmp_path / "dancer.glb")
    target = tmp_path / "dancer.safetensors"
    arguments = ["template", str(source), "-o", str(target), "--parts", "sides", "--height", "1.7", "--licence", "CC0"]
    done = CliRunner().invoke(cli.group, arguments)
    assert done.exit_code == 0, done.output
    assert "162 vertices, 216 triangles" in done.output and "left upper arm" in done.output and "warning" not in done.output
    template = read_template(target)
    assert template.licence == "CC0" and np.ptp(template.vertices[:, 1]) == pytest.approx(1.7)
    told = CliRunner().invoke(cli.group, ["info", str(target), "--verify", "--json"])
    summary = json.loads(told.output.splitlines()[-1])
    assert summary["kind"] == "template" and summary["verified"] is True and summary["licence"] == "CC0"
    assert summary["joints"] == list(template.names) and summary["parts"] == list(template.part_names)
    assert "skeleton  27 joints" in CliRunner().invoke(cli.group, ["info", str(target)]).output


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    source = rigged_writer(person()).glb(tmp_path / "dancer.glb")
    output = tmp_path / "x.safetensors"
    cases: list[tuple[TemplateCall, str]] = [
        (TemplateCall(output=output), "found neither"),
        (TemplateCall(rigged=source, anny="x", output=output), "found both"),
        (TemplateCall(rigged=tmp_path / "x.fbx", output=output), r"expected a \.glb, \.gltf or \.blend file, found \.fbx"),
        (TemplateCall(rigged=source, armature="x", output=output), "--armature: expected with a .blend file, found .glb"),
        (TemplateCall(anny="x", armature="x", output=output), "found --anny"),
    ]
    for call, message in cases:
        with pytest.raises(UsageError, match=message):
            make_template(call, Quiet())
    write_template(output, person())
    with pytest.raises(OutputError, match="expected a new file"):
        make_template(TemplateCall(rigged=source, output=output), Quiet())
    with pytest.raises(UsageError, match="arms"):
        TemplateCall(rigged=source, arms=90.5)


def test_anny_is_asked_for_where_it_is_missing_and_bound_meshes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"pip install 'datasetnerf\[people\]'"):
            make_template(TemplateCall(anny="notoes_collapse10pc", output=output), Quiet())
    pytest.importorskip("anny")
    with pytest.raises(TemplateError, match="found one that is not"):
        make_template(TemplateCall(anny="smplx", output=output), Quiet())


def test_anny_s_person_has_shape_parts_and_a_licence(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    output = tmp_path / "anny.safetensors"
    make_template(TemplateCall(anny="notoes_collapse10pc", output=output), Quiet())
    template = read_template(output)
    assert (len(template.vertices), template.num_joints, template.num_shapes) == (1229, 31, 6)
    assert "CC0" in template.licence and "Apache-2.0" in template.licence
    assert "hand" in template.part_names
    # the heads of tall people are higher than those of short ones, and their joints go with them
    tall = template.source.split("shape: ")[1].split(", ").index("height")
    head = template.names.index("Head")
    assert template.shape_joints[tall, head, 1] > 0.1
    top = template.vertices[:, 1].argmax()
    assert template.shape_vertices[tall, top, 1] > template.shape_joints[tall, head, 1]


def test_a_template_of_a_glb_needs_no_torch_and_no_bpy(tmp_path: Path) -> None:
    source = rigged_writer(person()).glb(tmp_path / "dancer.glb")
    code = "import sys; from pathlib import Path; from headless.runs.template import TemplateCall, make_template; "
    code += "from headless.work.reporting import Reporter; "
    code += f"make_template(TemplateCall(rigged=Path({str(source)!r}), output=Path({str(tmp_path / 'x.safetensors')!r})), Reporter(True)); "
    code += "print('torch' in sys.modules, 'bpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "False False"


def test_a_user_s_rigged_glb_drives_a_field_without_a_tear(tmp_path: Path) -> None:
    """From GLB to template to a generator of formula weights: in every pose the whole body is seen, in one piece, and nothing besides."""
    pytest.importorskip("bpy")
    ndimage = pytest.importorskip("scipy.ndimage")
    build_whole_person(person(), thickness=0.06)
    template = made(tmp_path, TemplateCall(rigged=export_glb(tmp_path / "person.glb")))
    reach = 0.04
    rig = coarse_meshes(template, 1.0, clip_offset=2.0 * reach)
    size = float(np.ptp(template.vertices, axis=0).max())
    config = tiny_config(rig, projector="closest")
    config = replace(
        config,
        rays=replace(config.rays, neural_resolution=64, samples_coarse=96, samples_fine=0),
        cameras=replace(config.cameras, radius=2.0 * size, focal=1.4),
        triplane=replace(config.triplane, box_warp=2.2 * size),
        warp=replace(config.warp, reach=reach),
        posed_side=2.2 * size,
    )
    generator = tiny_generator(rig, config)
    last = generator.decoder.net[2]
    last.weight[0], last.bias[0] = 0.0, 500.0  # dense wherever the body reaches
    model_file = tmp_path / "model.safetensors"
    save_model(model_file, config, generator.state_dict())
    model = Model.load(model_file)
    subject = model.subject(1)
    poses = read_poses("dance", template).poses[[0, 20, 55, 90]]
    for pose, yaw in zip(poses, (0.0, 1.0, 2.5, 4.0), strict=True):
        camera = sphere_camera(yaw, 0.2, radius=config.cameras.radius, focal=config.cameras.focal)
        seen = np.isfinite(subject.posed(torch.from_numpy(pose)[None]).channels(camera, 64, ("depth",)).depth_planar)
        search = MeshSearch(torch.from_numpy(posed(template, pose[None])[0]).float(), torch.from_numpy(template.faces))
        rays = camera.rays(64)
        along = np.linspace(1.2 * size, 2.9 * size, 200)  # steps well below the reach
        points = rays.origins.reshape(-1, 1, 3) + rays.directions.reshape(-1, 1, 3) * along[None, :, None]
        _, distance = search.carry(
            torch.from_numpy(points.reshape(-1, 3)).float(),
            search.vertices,
            torch.tensor([[0.0, 0.0, 0.0, 1.0]]).expand(len(search.vertices), -1),
        )
        expected = (distance.view(len(points), -1) < reach).any(dim=1).numpy().reshape(64, 64)
        assert (seen & expected).sum() / (seen | expected).sum() > 0.97
        assert ndimage.label(seen, np.ones((3, 3)))[1] == 1
        assert ndimage.label(expected, np.ones((3, 3)))[1] == 1
