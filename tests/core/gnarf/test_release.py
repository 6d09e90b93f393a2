"""GNARF's releases: settings, weights and the body are read out of a pickle of which nothing is executed, and become views."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.checkpoints.release import ImportOptions, Release, read_release
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.gnarf.body.posed import pose_body
from dnerf_core.gnarf.body.posing import rotation_matrices
from dnerf_core.gnarf.config import GnarfConfig, MeshCounts, WarpConfig
from dnerf_core.gnarf.published import PRESETS, SMPL_JOINTS
from dnerf_core.gnarf.published_labels import read_label
from dnerf_core.gnarf.ranges import check_gnarf_ranges
from dnerf_core.model import Model
from headless import cli
from tests.core import hostile as h
from tests.core.gnarf import release_cases as cases
from tests.core.gnarf.cases import bent, worm_rig
from tests.core.gnarf.test_parity import parity_rig

pytestmark = pytest.mark.usefixtures("one_thread")
RIG = worm_rig()


def read(folder: Path, root: h.Module, options: ImportOptions | None = None) -> Release:
    path = folder / "narrow-body.pkl"
    path.write_bytes(h.release(root))
    return read_release(path, options)


def test_a_release_becomes_a_configuration_and_a_rig(tmp_path: Path) -> None:
    release = read(tmp_path, cases.network(RIG, scale=0.25))
    config = release.config
    assert isinstance(config, GnarfConfig)
    assert config.warp == WarpConfig("surface_field", "mesh", 0.05) and config.rays == cases.NARROW.rays
    assert config.body.scale == 0.25 and config.body.shape_directions == 0 and config.body.pose_correctives is None
    assert config.body.parents == (-1, 0, 1) and config.body.mesh == MeshCounts(98, 192)
    assert config.mapping == cases.NARROW.mapping and config.triplane.box_warp == 1.4
    assert "SMPL body model's licence" in release.licence and "SMPL body model's licence" in config.body.licence
    for name, array in RIG.arrays().items():
        np.testing.assert_allclose(release.arrays[f"body.{name}"], array, atol=1e-5)
    for name, array in h.weights(cases.NARROW).items():
        if not name.endswith("resample_filter"):
            np.testing.assert_array_equal(release.arrays[name], array)
    assert any("stays bound to its licence" in remark for remark in release.remarks)
    assert not any("left out" in remark or "unknown" in remark for remark in release.remarks)


def test_mean_shape_directions_and_correctives_are_those_of_the_release(tmp_path: Path) -> None:
    """Posed as SMPL is: shape, joints of the shaped body, correctives of the pose, skinning."""
    random = np.random.default_rng(0)
    directions = random.standard_normal((98, 3, 10)).astype(np.float32) * 0.02
    correctives = random.standard_normal((18, 294)).astype(np.float32) * 0.02
    mean, betas = (random.standard_normal(10).astype(np.float32) for _ in range(2))
    release = read(tmp_path, cases.network(RIG, betas=mean, directions=directions, correctives=correctives))
    config = release.config
    assert isinstance(config, GnarfConfig) and config.body.shape_directions == 10 and config.body.pose_correctives
    assert not release.arrays["shape_head.fc0.weight"].any()
    from dnerf_core.checkpoints.model_file import save_arrays

    save_arrays(tmp_path / "x.safetensors", config, release.arrays)
    generator: Any = Model.load(tmp_path / "x.safetensors").generator
    pose = bent(RIG)[0]
    body = pose_body(config.body, generator.body.table(), pose, torch.from_numpy(betas - mean))
    shaped = RIG.template.vertices + directions @ betas
    joints = cases.regressor_of(RIG) @ shaped
    turned = (rotation_matrices(pose[1:-1]) - torch.eye(3)).flatten().numpy()
    rest = shaped + (turned @ correctives).reshape(-1, 3)
    rotation, place = np.eye(3), np.zeros(3)
    motions = []
    for joint, parent in enumerate((-1, 0, 1)):
        own = rotation_matrices(pose[joint]).numpy()
        step = joints[joint] - (joints[parent] if parent >= 0 else 0)
        place, rotation = place + rotation @ step, rotation @ own
        motions.append((rotation, place - rotation @ joints[joint]))
    expected = (
        sum(RIG.template.weights[:, k, None] * (rest @ turn.T + shift) for k, (turn, shift) in enumerate(motions))
        + pose[-1].numpy()
    )
    np.testing.assert_allclose(body.vertices, expected, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(mean_vertices(directions, mean)), body.table.vertices, rtol=0, atol=1e-5)


def mean_vertices(directions: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return (RIG.template.vertices + directions @ mean).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"projector": "skinning", "warping_mask": "cube", "project_inside_only": True},
         WarpConfig("skinning", "cube", 0.05, project_inside_only=True)),
        ({"projector": "none", "warping_mask": "none"}, WarpConfig("none", "none", 0.05)),
        ({"projector": "mvc_grid", "box_warp_pre_deform": True, "mesh_clip_offset": 0.1},
         WarpConfig("mvc_grid", "mesh", 0.1, box_warp_pre_deform=True)),
    ],
)  # fmt: skip
def test_settings_of_bodies(tmp_path: Path, options: dict[str, Any], expected: WarpConfig) -> None:
    release = read(tmp_path, cases.network(RIG, options={**cases.OPTIONS, **options}))
    assert isinstance(release.config, GnarfConfig) and release.config.warp == expected


@pytest.mark.parametrize("width", [25, 107, 108, 110, 111])
def test_labels_of_any_width_condition_on_a_camera(tmp_path: Path, width: int) -> None:
    release = read(tmp_path, cases.network(RIG, label_width=width))
    assert isinstance(release.config, GnarfConfig) and release.config.mapping.c_dim == 25


@pytest.mark.parametrize("name", ["aist_rescaled", "shhq"])
def test_cameras_of_known_data(tmp_path: Path, name: str) -> None:
    release = read(tmp_path, cases.network(RIG, options={**cases.OPTIONS, "cfg_name": name}))
    assert isinstance(release.config, GnarfConfig) and release.config.cameras == PRESETS[name].cameras


def test_presets_can_be_rendered() -> None:
    for name, config in PRESETS.items():
        check_gnarf_ranges(config, name, "not written")
        assert config.body.joint_names == SMPL_JOINTS and config.latent.pose_shape == (25, 3)


def without(root: h.Module, place: str, name: str) -> h.Module:
    del root.at(place).buffers[name]
    return root


def changed(root: h.Module, place: str, name: str, value: Any) -> h.Module:
    root.at(place).buffers[name] = value
    return root


REDUCED = "renderer.smpl_reduced"
BAD: dict[str, tuple[Any, str]] = {
    "no-faces": (
        lambda root: without(root, f"{REDUCED}.sf", "faces"),
        r"expected the tensors of a body, missing 'renderer\.smpl_reduced\.sf\.faces'; nothing was written; .*generator of GNARF$",
    ),
    "no-clip": (lambda root: without(root, "renderer.smpl_clip", "weights_2d"), r"missing 'renderer\.smpl_clip\.weights_2d'"),
    "flat-weights": (
        lambda root: changed(root, f"{REDUCED}.smpl_template", "lbs_weights", np.zeros((7, 3))),
        r"renderer\.smpl_reduced\.smpl_template\.lbs_weights: expected shape \[98, 'any'\], found \[7, 3\]",
    ),
    "lengths": (
        lambda root: changed(root, "renderer.smpl_clip", "proj_dist", np.zeros(5)),
        r"renderer\.smpl_clip: expected one length, found",
    ),
    "nan": (
        lambda root: changed(root, "renderer", "smpl_avg_betas", np.full((1, 10), np.nan)),
        r"renderer\.smpl_avg_betas: expected finite values",
    ),
    "few-turns": (
        lambda root: changed(root, "renderer", "smpl_avg_body_pose", np.zeros((1, 3))),
        r"renderer\.smpl_avg_\*: expected 6 turns and 10 shape coefficients, found 3 and 10",
    ),
    "parents": (
        lambda root: changed(root, f"{REDUCED}.smpl_template", "parents", np.array([-1.0, 5.0, 0.0])),
        r"body\.parents\[1\]: expected 0 to 0, a joint before it, found 5",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_body_that_is_none_is_refused(tmp_path: Path, case: str) -> None:
    spoil, message = BAD[case]
    path = tmp_path / "x.pkl"
    path.write_bytes(h.release(spoil(cases.network(RIG))))
    from dnerf_core.checkpoints.release import import_release

    with pytest.raises(CheckpointError, match=message):
        import_release(path, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projector": "closest"}, r"rendering_kwargs\.projector: expected one of surface_field, skinning, mvc, mvc_grid, none"),
        ({"projector": ["mvc"]}, r"rendering_kwargs\.projector: expected one of"),
        ({"warping_mask": "sphere"}, r"rendering_kwargs\.warping_mask: expected one of mesh, cube, none"),
        ({"mesh_clip_offset": -1.0}, r"rendering_kwargs\.mesh_clip_offset: expected a number from 0"),
    ],
)
def test_settings_that_are_not_done_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(tmp_path, cases.network(RIG, options={**cases.OPTIONS, **options}))


def test_a_state_dict_is_read_by_its_own_tensors(tmp_path: Path) -> None:
    """As torch saves it, whole numbers as int64, with the settings in a file beside it."""
    root = cases.network(RIG)
    arrays = {name: value for name, value in cases.state(root).items() if isinstance(value, np.ndarray)}
    from_pickle = read(tmp_path, root).arrays
    whole: dict[str, np.ndarray] = {
        f"{REDUCED}.smpl_template.parents": RIG.template.parents,
        f"{REDUCED}.sf.faces": RIG.template.faces,
        f"{REDUCED}.nearest_face_id": RIG.reduced.attach_face,
        f"{REDUCED}.faces_t": RIG.reduced.faces,
        "renderer.smpl_clip.nearest_face_id": RIG.clip.attach_face,
        "renderer.smpl_clip.faces_t": RIG.clip.faces,
    }
    state = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
    state |= {name: torch.from_numpy(array.astype(np.int64)) for name, array in whole.items()}
    kwargs = {key: value for key, value in h.rendering_options(cases.NARROW).items()} | cases.OPTIONS
    torch.save(
        {"G_ema": state, "init_kwargs": {"rendering_kwargs": kwargs, "z_dim": 8, "w_dim": 8, "c_dim": 107}}, tmp_path / "x.pth"
    )
    release = read_release(tmp_path / "x.pth", ImportOptions(neural_resolution=32))
    assert release.arrays.keys() == from_pickle.keys()
    for name, array in from_pickle.items():
        np.testing.assert_array_equal(release.arrays[name], array)


def test_from_the_command_line_to_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import, info and render of a release with the free template; the licence is told."""
    source, model_file = tmp_path / "body.pkl", tmp_path / "body.safetensors"
    source.write_bytes(h.release(cases.network(RIG, arrays=h.weights(cases.NARROW, 1.0)), D=h.Module("DualDiscriminator")))
    assert cli.run(["import", str(source), "--output", str(model_file), "--camera-radius", "3", "--focal", "2", "--json"]) == 0
    capsys.readouterr()
    assert cli.run(["info", str(model_file)]) == 0
    told = capsys.readouterr().out
    assert "body of 3 joints, 98 vertices" in told and "SMPL" in told
    header = read_header(model_file)
    assert header.source is not None and "SMPL body model's licence" in header.source["licence"]
    folder = tmp_path / "set"
    assert cli.run(["render", "--model", str(model_file), "--seeds", "3", "--views", "2", "--output", str(folder), "--json"]) == 0
    assert len(json.loads((folder / "cameras.json").read_text())["views"]) == 2
    assert len(list((folder / "images").glob("*.png"))) == 2


def test_a_biped_comes_back_whole(tmp_path: Path, parity_dir: Path) -> None:
    rig = parity_rig(parity_dir)
    release = read(tmp_path, cases.network(rig, scale=0.3))
    assert isinstance(release.config, GnarfConfig) and release.config.body.num_joints == 11
    assert any("23 turns, of which the 10 joints take the first" in remark for remark in release.remarks)
    for name, array in rig.arrays().items():
        np.testing.assert_allclose(release.arrays[f"body.{name}"], array, atol=1e-5)
    assert dataclasses.replace(release.config.body, licence="", source="") == rig.config(release.config.body.scale)


@pytest.mark.parametrize(("length", "translation"), [(107, 0.0), (108, 0.0), (110, 0.0), (111, 107.0)])
def test_labels_of_the_published_data(length: int, translation: float) -> None:
    """A translation counts where a row has exactly 111 numbers."""
    label = read_label(list(range(length)))
    assert label.camera.tolist() == list(range(25)) and label.shape.tolist() == list(range(97, 107))
    assert label.pose.shape == (25, 3) and label.pose[0].tolist() == [25.0, 26.0, 27.0] and label.pose[23, 2] == 96
    assert label.pose[-1, 0] == translation


def test_other_labels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"label: expected 107, 108, 110, 111 numbers of a body with 24 joints, found \[4203\]"):
        read_label(np.zeros(4203))
    with pytest.raises(UsageError, match="label: expected finite numbers"):
        read_label([float("nan")] * 107)
