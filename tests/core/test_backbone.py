"""Everything downstream works for a family that it has never heard of (`stub_family`), and knows no family's modules."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.backbone.family import Family
from dnerf_core.backbone.registry import FAMILIES, family_named, family_of
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.checkpoints.generator_hash import generator_sha256
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.checkpoints.subject_file import (
    open_subject,
    read_subject_file,
    read_subject_header,
    record_of,
    write_subject_file,
)
from dnerf_core.editing.edit import edit_subject
from dnerf_core.editing.settings import EditSettings
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import CameraConfig, GeneratorConfig
from dnerf_core.inversion.invert import invert_picture
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.pointcloud.fusion import fuse_views
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.rendering.view import render_view
from dnerf_core.semantic.config import BranchTrainingConfig, FeatureKind, RefinerConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from dnerf_core.subject_key import SubjectKey
from tests.core.semantic_cases import TINY, camera_tensors, tiny_generator
from tests.core.stub_family import BALLS, SIDE_PX, STEEPNESS, BallBackbone, BallConfig, balls

__all__ = ["balls"]
ROOT = Path(__file__).resolve().parents[2]
LABELS = LabelSet.from_names(("left", "right"))
SHIFT = torch.tensor([[0.25, -0.1, 0.2]])

pytestmark = pytest.mark.usefixtures("one_thread")


def ball_backbone() -> BallBackbone:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return BallBackbone(BallConfig()).eval().requires_grad_(False)


@pytest.fixture
def ball_file(balls: Family, tmp_path: Path) -> Path:
    path = tmp_path / "balls.safetensors"
    save_model(path, BallConfig(), ball_backbone().state_dict(), source={"file": "none"})
    return path


@pytest.fixture
def model(ball_file: Path) -> Model:
    return Model.load(ball_file)


def view_of(model: Model, yaw_deg: float = 20.0) -> Camera:
    return arc_cameras(model.config.cameras, (yaw_deg, yaw_deg), (10.0, 10.0), count=1)[0]


def radius_of(model: Model, seed: int) -> float:
    return float(model.subject(seed).planes.radius)


def sides_mask(model: Model, seed: int, camera: Camera, pose: torch.Tensor | None = None) -> NDArray[np.uint8]:
    """1 where the ball's surface is left of its centre (x), 2 where right; by its equation."""
    side, start = model.config.image_size, camera.cam2world[:3, 3] - (np.zeros(3) if pose is None else pose[0].numpy())
    uv = (np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) + 0.5) / side
    away = camera.unproject(uv.reshape(-1, 2), np.ones(side * side)) - camera.cam2world[:3, 3]
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    along = -(away @ start)
    inside = radius_of(model, seed) ** 2 - (start**2).sum() + along**2
    x = start[0] + (along - np.sqrt(inside.clip(0))) * away[:, 0]
    return np.where(inside > 0, 1 + (x > 0), 0).astype(np.uint8).reshape(side, side)


# The registry and the model file


def test_a_configuration_knows_its_family(balls: Family) -> None:
    assert family_of(BallConfig()) is balls and family_of(TINY) is FAMILIES["eg3d"]
    with pytest.raises(TypeError, match="found CameraConfig"):
        family_of(CameraConfig())


def header_fields(path: Path) -> dict[str, object]:
    raw = path.read_bytes()
    table = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    fields: dict[str, object] = json.loads(table["__metadata__"]["datasetnerf"])
    return fields


def test_a_model_file_names_its_family_unless_it_is_the_first(ball_file: Path, tmp_path: Path) -> None:
    assert header_fields(ball_file)["family"] == "balls"
    assert read_header(ball_file).generator_config == BallConfig()
    save_model(tmp_path / "eg3d.safetensors", TINY, tiny_generator().state_dict())
    assert "family" not in header_fields(tmp_path / "eg3d.safetensors")
    assert type(read_header(tmp_path / "eg3d.safetensors").generator_config) is GeneratorConfig


def test_a_model_file_of_a_strange_family_is_refused_by_name(ball_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FAMILIES, "balls")
    with pytest.raises(
        CheckpointError, match=r"family: expected a family of generators \(eg3d, panohead, gnarf\), found 'balls'"
    ):
        read_header(ball_file)
    with pytest.raises(CheckpointError, match="expected a family"):
        family_named(["eg3d"], "x: family")


def test_what_a_family_refuses_is_refused(balls: Family, tmp_path: Path) -> None:
    state, path = ball_backbone().state_dict(), tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match=r"generator\.side: expected a number above 0, found -1"):
        save_model(path, BallConfig(side=-1.0), state)
    with pytest.raises(CheckpointError, match="missing 'torgb'"):
        save_model(path, BallConfig(), {name: tensor for name, tensor in state.items() if name != "torgb"})
    assert not path.exists()


def test_a_hash_is_the_same_in_a_file_and_in_memory(model: Model) -> None:
    assert generator_sha256(model.header.path) == model.generator_sha256
    config = BallConfig(name="others")
    assert config_from_json(BallConfig, json.loads(json.dumps(config_to_json(config)))) == config


def test_kernels_of_another_family_are_refused(ball_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnerf_core.model.check_kernels", lambda *_: None)
    with pytest.raises(UsageError, match='kernels "triton": expected "torch" for a generator of the family balls'):
        Model.load(ball_file, kernels="triton")


# Views


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("pose", [None, SHIFT])
def test_a_ball_is_seen_where_it_is(model: Model, exact: bool, pose: torch.Tensor | None) -> None:
    """Planar depth of its surface at the pixel that shows the point nearest to the camera; background by its own epilogue."""
    subject, camera = model.subject(3, pose=pose), view_of(model)
    view = subject.channels(camera, None, ("rgb", "depth"), exact=exact)
    assert view.rgb is not None and view.depth_planar is not None and view.mask is None
    centre = np.zeros(3) if pose is None else pose[0].numpy().astype(np.float64)
    towards = camera.cam2world[:3, 3] - centre
    nearest = centre + radius_of(model, 3) * towards / np.linalg.norm(towards)
    uv, depth = camera.project(nearest[None])
    column, row = (uv[0] * model.config.image_size).astype(int)
    assert view.depth_planar[row, column] == pytest.approx(depth[0] + 0.023, abs=0.01)
    planes, behind = subject.planes, view.depth_planar == np.inf
    corner = (planes.behind[0, [4, 3, 2]] * 255).numpy()
    np.testing.assert_allclose(view.rgb[0, 0], corner, atol=1)
    np.testing.assert_allclose(view.rgb[row, column], (planes.paint[0, [4, 3, 2]] * 255).numpy(), atol=2)
    assert 0.5 < behind.mean() < 0.9


@pytest.mark.parametrize("pose", [None, SHIFT])
def test_the_fast_path_shows_what_the_exact_one_does(model: Model, pose: torch.Tensor | None) -> None:
    subject = model.subject(1, pose=pose)
    fast, exact = (subject.render(view_of(model, -70.0), exact=exact) for exact in (False, True))
    assert np.abs(fast.rgb.astype(int) - exact.rgb).max() <= 3
    near, far = np.isfinite(fast.depth_planar), np.isfinite(exact.depth_planar)
    assert (near == far).mean() > 0.999
    apart = np.abs(fast.depth_planar[near & far] - exact.depth_planar[near & far])
    assert np.quantile(apart, 0.95) < 0.01 and np.median(apart) < 1e-3  # grazing rays differ more
    glance = subject.coarse(view_of(model, -70.0), 16)
    assert glance.rgb is not None and np.abs(glance.rgb[0, 0].astype(int) - exact.rgb[0, 0]).max() <= 1


def test_nothing_counts_outside_void_limits(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rays that end inside the ball see its rest only where the limits do not void it."""
    planes, camera = model.subject(3).planes, camera_tensors(view_of(model))
    whole, limits = model.generator.limits, {}
    for void in (True, False):

        def cut(view: object, of: object, void: bool = void) -> object:
            full = whole(view, of)  # type: ignore[arg-type]
            return dataclasses.replace(full, end=full.start, void_outside=void)

        monkeypatch.setattr(model.generator, "limits", cut)
        with torch.no_grad():
            limits[void] = render_view(model.generator, planes, *camera, SIDE_PX).opacity.max().item()
    assert limits[True] == 0.0


def test_the_grid_holds_the_fields_density(model: Model) -> None:
    subject = model.subject(2, pose=SHIFT)
    values = subject.field.density_grid(8, 3.0, 0.0).values[0, 0]
    centres = (torch.arange(-1, 9) + 0.5) * 0.25 - 1
    z, y, x = torch.meshgrid(centres, centres, centres, indexing="ij")
    expected = STEEPNESS * (subject.planes.radius - (torch.stack([x, y, z], dim=-1) - SHIFT[0]).norm(dim=-1))
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-2)


# The semantic branch, clouds and files


@pytest.mark.parametrize(("kind", "prior", "guide"), [("features", True, "rgb"), ("planes", False, "rendered")])
def test_a_branch_learns_the_balls_sides_and_clouds_have_them(
    model: Model, tmp_path: Path, kind: FeatureKind, prior: bool, guide: str
) -> None:
    """Trained on posed views of two balls; then in a file, in a view of another ball, and fused to a cloud."""
    semantic = SemanticConfig(3, kind, density_prior=prior, refiner=RefinerConfig(guide=guide))  # type: ignore[arg-type]
    seen = [(seed, view_of(model, yaw)) for seed in (0, 1) for yaw in (-50.0, 15.0, 60.0, 150.0)]
    views = [AnnotatedView(seed, c.cam2world, c.intrinsics, sides_mask(model, seed, c)) for seed, c in seen]
    ws, steps = torch.cat([model.subject(seed).ws for seed in (0, 1)]), BranchTrainingConfig(steps=60, learning_rate=0.05)
    trained = train_branch(model.generator, ws, views, semantic, steps, poses=[torch.zeros(1, 3), None])
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    path = tmp_path / "labelled.safetensors"
    save_model(
        path,
        model.config,
        model.generator.state_dict(),
        semantic_config=config_to_json(semantic),
        semantic_state=trained.branch.state_dict(),
        labels=LABELS,
    )
    labelled, camera = Model.load(path), view_of(model, 35.0)
    fast, exact = (labelled.subject(7).render(camera, exact=exact).mask for exact in (False, True))
    assert fast is not None and exact is not None
    expected = sides_mask(labelled, 7, camera)
    assert (fast == exact).mean() > 0.99 and (fast == expected).mean() > 0.95
    # the sides go with the ball, although most of it has x above 0 by then
    moved, ahead = labelled.subject(7, pose=SHIFT).render(view_of(labelled, 0.0)).mask, view_of(labelled, 0.0)
    assert (moved == sides_mask(labelled, 7, ahead, SHIFT)).mean() > 0.88  # the branch's own density 0.91
    cloud = fuse_views(turned(labelled), LABELS.num_classes)
    away = np.linalg.norm(cloud.points, axis=1)
    assert np.abs(away - radius_of(labelled, 7)).max() < 0.05 and len(cloud.points) > 200
    assert cloud.labels is not None
    if prior:  # a density of the branch's own is loose where no labelled view was taken from
        assert ((cloud.labels == 2) == (cloud.points[:, 0] > 0)).mean() > 0.9


def turned(model: Model) -> list[LabeledView]:
    return [model.subject(7).render(c) for c in arc_cameras(model.config.cameras, (-180.0, 180.0), (10.0, 10.0), count=8)]


def test_a_pose_is_kept_by_a_subject_file(model: Model, tmp_path: Path) -> None:
    subject, camera = model.subject(5, pose=SHIFT), view_of(model)
    path = tmp_path / "posed.safetensors"
    write_subject_file(path, record_of(model, subject.ws, camera, {"kind": "seed"}, pose=subject.pose))
    assert read_subject_header(path).is_posed and read_subject_header(path).tuned == []
    again = open_subject(model, read_subject_file(path))
    assert torch.equal(again.pose, SHIFT)
    np.testing.assert_array_equal(again.render(camera).rgb, subject.render(camera).rgb)
    assert (again.render(camera).rgb != model.subject(5).render(camera).rgb).any()
    write_subject_file(path, record_of(model, subject.ws, camera, {"kind": "seed"}))
    assert not read_subject_header(path).is_posed and open_subject(model, read_subject_file(path)).pose is None
    with pytest.raises(CheckpointError, match=r"subject\.pose.*expected \[3\], found \[4\]"):
        record_of(model, subject.ws, camera, {}, pose=torch.zeros(1, 4))


def test_a_pose_is_refused_by_a_family_without_one(tmp_path: Path) -> None:
    save_model(tmp_path / "eg3d.safetensors", TINY, tiny_generator().state_dict())
    eg3d = Model.load(tmp_path / "eg3d.safetensors")
    with pytest.raises(CheckpointError, match=r"subject\.pose.*expected no such tensor"):
        record_of(eg3d, eg3d.subject(0).ws, None, {}, pose=SHIFT)


def test_a_pose_is_part_of_a_subjects_key(model: Model, tmp_path: Path) -> None:
    key = SubjectKey(5, 1.0, pose=tuple(SHIFT[0].tolist()))
    assert key.identity == (5, 1.0, *SHIFT[0].tolist()) != SubjectKey(5, 1.0).identity == (5, 1.0)
    assert torch.equal(key.open(model).pose, SHIFT) and SubjectKey(5, 1.0).open(model).pose is None
    with pytest.raises(UsageError, match=r"pose: balls expected 3 numbers, \[3\], found 2"):
        SubjectKey(5, 1.0, pose=(1.0, 2.0)).open(model)
    save_model(tmp_path / "eg3d.safetensors", TINY, tiny_generator().state_dict())
    with pytest.raises(UsageError, match="pose: tiny expected none, since its subjects have no pose, found 3"):
        key.open(Model.load(tmp_path / "eg3d.safetensors"))


# Searches


def test_a_picture_is_inverted_and_tuned(model: Model) -> None:
    camera = view_of(model)
    picture = model.subject(3).render(camera, exact=True).rgb
    settings = InversionSettings(steps=12, starts=2, candidates=4, tuning_steps=3)
    found = invert_picture(model, picture, settings, camera=camera, statistics=w_statistics(model, 0, 200))
    assert found.tuned.keys() == {"paint.weight", "paint.bias", "torgb"}
    assert found.psnr_db(picture) > 15
    losses = [loss for stage in found.losses for loss in stage.losses]
    assert min(losses[-3:]) < losses[0]


def test_an_edit_keeps_the_pose(model: Model) -> None:
    views = [AnnotatedView(0, view_of(model).cam2world, view_of(model).intrinsics, sides_mask(model, 0, view_of(model)))]
    semantic, subject = SemanticConfig(3), model.subject(0, pose=SHIFT)
    trained = train_branch(model.generator, subject.ws, views, semantic, BranchTrainingConfig(steps=20, learning_rate=0.05))
    header = dataclasses.replace(model.header, semantic_config=config_to_json(semantic), labels=LABELS)
    labelled = Model(model.generator, trained.branch, header, "", model.device)
    subject = labelled.subject(0, pose=SHIFT)
    painted = subject.render(view_of(model)).mask
    assert painted is not None
    wish = np.where(np.roll(painted, 4, axis=0) > 0, 1, painted).astype(np.uint8)
    edited = edit_subject(subject, view_of(model), wish, EditSettings(steps=3), statistics=w_statistics(labelled, 0, 200))
    assert edited.subject.pose is subject.pose


def test_a_subject_knows_no_model_module() -> None:
    assert "dnerf_core.model" not in (ROOT / "dnerf_core" / "subject.py").read_text("utf-8")
    assert BALLS.name not in FAMILIES
