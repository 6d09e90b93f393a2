"""Subjects that move, in every job: here balls that a pose shifts, so that what should be seen is known to the pixel."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from dnerf_core.backbone.family import Family
from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.files.annotated_folder import read_folder
from dnerf_core.files.masks import read_mask
from dnerf_core.files.pictures import read_depth, write_mask_ids
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from headless import cli
from headless.annotating.training_plan import held_out_subjects
from headless.datasets.channels import ENTRIES
from headless.datasets.poses.joints import HIDDEN, OUTSIDE, SEEN
from tests.core.gnarf.cases import tiny_config, tiny_generator, worm_rig
from tests.core.stub_family import BallBackbone, BallConfig, balls

__all__ = ["balls"]

pytestmark = pytest.mark.usefixtures("balls")
MOTION = ["0 0 0", "0.3 0 0", "0 0.3 0", "0 0 0.3"]


@pytest.fixture
def model(tmp_path: Path, balls: Family) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        state = BallBackbone(BallConfig()).state_dict()
    path = tmp_path / "balls.safetensors"
    save_model(path, BallConfig(), state)
    return path


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    path = tmp_path / "bounce.txt"
    path.write_text("\n".join(MOTION))
    return path


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def poses_of(folder: Path) -> dict[str, list[float]]:
    return {view["name"]: view["pose"] for view in json.loads((folder / "cameras.json").read_text())["views"]}


def test_views_follow_a_motion_frame_by_frame(model: Path, motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    words = [
        "render",
        "--model",
        str(model),
        "--seeds",
        "0,1",
        "--yaw",
        "0",
        "--pitch",
        "0",
        "--pose",
        str(motion),
        "-o",
        str(out),
    ]
    assert cli.run(words) == 0
    shown = capsys.readouterr()
    assert "middle <- middle" in shown.out
    assert "a ball has no legs" in shown.err
    assert [row["view"] for row in rows(out / "metadata.jsonl")] == [0, 1, 2, 3] * 2
    cameras = cameras_from_json((out / "cameras.json").read_text())
    for seed in (0, 1):
        for view, line in enumerate(MOTION):
            name = f"s{seed:04d}_v{view:02d}"
            centre = np.array([float(number) for number in line.split()])
            np.testing.assert_allclose(poses_of(out)[name], centre, atol=1e-6)
            joints = json.loads((out / "joints" / f"{name}.json").read_text())
            np.testing.assert_allclose(joints["joints_world"][0], centre, atol=1e-5)
            uv, _ = cameras[name].project(joints["joints_world"])
            np.testing.assert_allclose(joints["joints_px"], uv * 64, atol=2e-3)
            depth = read_depth(out / "depth" / f"{name}.exr")
            row, column = np.nonzero(np.isfinite(depth))
            np.testing.assert_allclose([column.mean() + 0.5, row.mean() + 0.5], joints["joints_px"][0], atol=1.0)
            assert joints["visibility"][0] == HIDDEN  # in the middle of the ball
            read = ENTRIES["joints"].read
            assert read is not None
            np.testing.assert_allclose(read(out / "joints" / f"{name}.json", None, 64)[:, 3:5], joints["joints_px"])
    record = json.loads((out / "dataset.json").read_text())
    assert record["plan"]["poses"] == "bounce.txt"
    assert record["joints"]["names"] == ["middle", "top"]
    assert record["joints"]["parents"] == [-1, 0]
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert cli.run(words) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_joint_on_the_skin_is_seen_from_above_and_hidden_from_below(model: Path, tmp_path: Path) -> None:
    for pitch, visibility in (("80", SEEN), ("-80", HIDDEN)):
        out = tmp_path / pitch
        words = ["render", "--model", str(model), "--seeds", "0", "--yaw", "0", "--pitch", pitch, "-o", str(out)]
        assert cli.run(words) == 0
        assert json.loads((out / "joints" / "s0000_v00.json").read_text())["visibility"] == [HIDDEN, visibility]


def test_joints_are_keypoints_as_cocos_own_reader_has_them(model: Path, motion: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    labelled, out = tmp_path / "labelled.safetensors", tmp_path / "out"
    branch = SemanticBranch(SemanticConfig(num_classes=2), BallConfig(), seed=1)
    Model.load(model).with_branch(branch, LabelSet.from_names(["ball"])).save(labelled)
    words = ["render", "--model", str(labelled), "--seeds", "0-3", "--pose", str(motion), "--splits", "train=0.5,test=0.5"]
    assert cli.run([*words, "--format", "coco-keypoints", "-o", str(out)]) == 0
    found = 0
    for path in out.glob("*/person_keypoints.json"):
        read = coco.COCO(str(path))
        (category,) = read.loadCats(read.getCatIds())
        assert category["keypoints"] == ["middle", "top"]
        assert category["skeleton"] == [[1, 2]]
        for annotation in read.loadAnns(read.getAnnIds()):
            (image,) = read.loadImgs(annotation["image_id"])
            name = image["file_name"].removesuffix(".png")
            mask = read_mask(path.parent / "masks" / f"{name}.png", LabelSet.from_names(["ball"]), 64)
            assert (read.annToMask(annotation) == (mask > 0)).all()
            joints = json.loads((path.parent / "joints" / f"{name}.json").read_text())
            triples = np.reshape(annotation["keypoints"], (2, 3))
            np.testing.assert_allclose(triples[:, :2], np.array(joints["joints_px"]) - 0.5, atol=2e-3)
            assert triples[:, 2].tolist() == joints["visibility"]
            assert annotation["num_keypoints"] == 2
            found += 1
    assert found == sum(1 for path in out.glob("*/masks/*.png") if read_mask(path, LabelSet.from_names(["ball"]), 64).any()) > 0


def test_keypoints_need_joints(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["render", "--format", "coco-keypoints", "-o", str(tmp_path / "out")]) != 0
    assert "--format coco-keypoints: expected rgb and mask and joints among the channels" in capsys.readouterr().err


def test_a_part_of_a_motion_and_joints_outside_of_the_picture(model: Path, motion: Path, tmp_path: Path) -> None:
    motion.write_text("\n".join([*MOTION, "40 0 0"]))
    out = tmp_path / "out"
    words = [
        "render",
        "--model",
        str(model),
        "--seeds",
        "0",
        "--yaw",
        "0",
        "--pose",
        str(motion),
        "--frames",
        "4:5",
        "-o",
        str(out),
    ]
    assert cli.run(words) == 0
    np.testing.assert_allclose(list(poses_of(out).values()), [[0, 0, 0.3], [40, 0, 0]], atol=1e-6)
    assert json.loads((out / "joints" / "s0000_v01.json").read_text())["visibility"] == [OUTSIDE, OUTSIDE]


def test_poses_by_chance_depend_on_seed_and_view_alone(model: Path, motion: Path, tmp_path: Path) -> None:
    def drawn(name: str, *words: str) -> dict[str, list[float]]:
        assert (
            cli.run(["render", "--model", str(model), "--random-poses", "--channels", "rgb", "-o", str(tmp_path / name), *words])
            == 0
        )
        return poses_of(tmp_path / name)

    few, many = drawn("few", "--seeds", "3", "--views", "2"), drawn("many", "--seeds", "2-3", "--views", "4", "--random-views")
    assert all(many[name] == pose for name, pose in few.items())
    assert len({tuple(pose) for pose in many.values()}) == 8
    of_motion = drawn("motion", "--seeds", "0-3", "--views", "4", "--pose", str(motion))
    frames = {tuple(np.float32(line.split()).tolist()) for line in MOTION}
    assert {tuple(pose) for pose in of_motion.values()} <= frames
    assert len({tuple(pose) for pose in of_motion.values()}) > 1
    # more views of drawn poses go into the folder; views of a motion that is followed would all move
    assert cli.run(["render", "--model", str(model), "--random-poses", "--channels", "rgb", "-o", str(tmp_path / "many"),
                    "--seeds", "2-3", "--views", "5", "--random-views", "--extend"]) == 0  # fmt: skip
    assert all(poses_of(tmp_path / "many")[name] == pose for name, pose in many.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frames", "1:3"], "--frames 1:3: expected --pose beside it"),
        (["--pose", "nothing.txt"], "--pose nothing.txt: expected three numbers a line"),
        (["--frames", "3:1"], "expected frames counted from 1"),
        (["--frames", "0:1"], "expected frames counted from 1"),
    ],
)
def test_bad_poses_are_told_in_a_line(
    model: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert cli.run(["render", "--model", str(model), *words, "-o", str(tmp_path / "out")]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--pose", "walk"], ["--random-poses"], ["--channels", "rgb,joints"]])
def test_a_model_that_does_not_move_says_so(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["render", *words, "-o", str(tmp_path / "out")]) != 0
    assert "demo-cars" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_clip_follows_a_motion_at_its_pace(model: Path, motion: Path, tmp_path: Path) -> None:
    words = ["video", "--model", str(model), "--path", "orbit", "--pitch", "0"]
    assert cli.run([*words, "--pose", str(motion), "-o", str(tmp_path / "all")]) == 0
    views = json.loads((tmp_path / "all" / "s0000-cameras.json").read_text())["views"]
    np.testing.assert_allclose([view["pose"] for view in views], np.loadtxt(motion), atol=1e-6)
    with av.open(str(tmp_path / "all" / "s0000-image.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 4
    assert cli.run([*words, "--pose", str(motion), "--frames", "2:3", "-o", str(tmp_path / "two")]) == 0
    views = json.loads((tmp_path / "two" / "s0000-cameras.json").read_text())["views"]
    np.testing.assert_allclose([view["pose"] for view in views], [[0.3, 0, 0], [0, 0.3, 0]], atol=1e-6)
    assert cli.run([*words, "--pose", str(motion), "--frames", "7", "-o", str(tmp_path / "seven")]) == 0
    assert len(json.loads((tmp_path / "seven" / "s0000-cameras.json").read_text())["views"]) == 7


def test_posed_views_are_painted_and_a_subject_is_held_out_in_all_its_poses(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "paint"
    words = ["sample", "--model", str(model), "--seeds", "0-3", "--views", "2", "--random-poses", "--labels", "left,right"]
    assert cli.run([*words, "-o", str(out)]) == 0
    annotations = read_folder(out)
    poses = poses_of(out)
    assert {image.name: list(image.subject.pose or ()) for image in annotations.images} == poses
    held_out = held_out_subjects(annotations.subjects, 1.0)
    assert [key.seed for key in held_out] == [3, 3]
    assert len({key.pose for key in held_out}) == 2
    text = json.loads((out / "cameras.json").read_text())
    text["views"][0]["pose"] = [0, float("nan"), 0]
    (out / "cameras.json").write_text(json.dumps(text))
    with pytest.raises(Exception, match="pose: expected finite numbers"):
        read_folder(out)


def test_training_sees_each_painted_view_in_its_pose(model: Path, tmp_path: Path) -> None:
    """Halves of the ball, wherever its pose puts it."""
    out, trained = tmp_path / "paint", tmp_path / "labelled.safetensors"
    words = ["sample", "--model", str(model), "--seeds", "0-5", "--views", "2", "--yaw", "0", "--random-poses"]
    assert cli.run([*words, "--labels", "left,right", "-o", str(out)]) == 0
    generator = Model.load(model)
    for image in read_folder(out).images:
        assert image.subject.pose is not None
        depth = image.subject.open(generator).channels(image.camera, 64, ("depth",)).depth_planar
        middle, _ = image.camera.project(np.float32([image.subject.pose]))
        halves = np.where((np.arange(64) + 0.5) / 64 < middle[0, 0], 1, 2)[None].repeat(64, axis=0)
        write_mask_ids(image.mask_path, np.where(np.isfinite(depth), halves, 0).astype(np.uint8))
    assert cli.run(["train", str(out), "-o", str(trained), "--steps", "60", "--holdout", "0"]) == 0
    assert cli.run(["evaluate", str(out), "--model", str(trained), "--json"]) == 0
    labelled = Model.load(trained)
    for image in read_folder(out).images:
        found = image.subject.open(labelled).render(image.camera).mask
        assert found is not None
        assert (found == image.mask).mean() > 0.97


def test_views_of_one_subject_in_several_poses_are_several_objects(model: Path, motion: Path, tmp_path: Path) -> None:
    """Points of two poses make no surface together, and their labels are not held against each other."""
    out = tmp_path / "out"
    motion.write_text("0 0 0\n0.3 0 0")
    words = ["render", "--model", str(model), "--seeds", "0,1", "--pose", str(motion), "-o", str(out)]
    assert cli.run([*words, "--views", "4", "--pitch", "20"]) == 0
    objects = PosedFolder.open(out).objects
    assert {name: [view.name for view in views] for name, views in objects.items()} == {
        "s0000_p00": ["s0000_v00", "s0000_v01"],
        "s0000_p01": ["s0000_v02", "s0000_v03"],
        "s0001_p00": ["s0001_v00", "s0001_v01"],
        "s0001_p01": ["s0001_v02", "s0001_v03"],
    }
    assert cli.run(["pointcloud", "--from", str(out), "--splits", "train=0.5,test=0.5", "-o", str(tmp_path / "clouds")]) == 0
    assert len(list((tmp_path / "clouds").rglob("*.ply"))) == 4


def test_clouds_of_all_poses_lie_on_each_other_in_the_canonical_one(
    model: Path, motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["pointcloud", "--model", str(model), "--views", "8", "--format", "npz"]
    assert cli.run([*words, "-o", str(tmp_path / "own")]) == 0
    assert cli.run([*words, "--pose", str(motion), "-o", str(tmp_path / "posed")]) == 0
    assert cli.run([*words, "--pose", str(motion), "--canonical", "-o", str(tmp_path / "canonical")]) == 0
    own = np.load(tmp_path / "own" / "npz" / "s0000.npz")
    radius = np.linalg.norm(own["points"], axis=1)
    for number, line in enumerate(MOTION, start=1):
        posed, carried = (np.load(tmp_path / name / "npz" / f"s0000_f{number:04d}.npz") for name in ("posed", "canonical"))
        np.testing.assert_allclose(carried["points"] + np.array(line.split(), float), posed["points"], atol=1e-5)
        np.testing.assert_allclose(carried["normals"], posed["normals"], atol=2e-3)
        assert abs(np.median(np.linalg.norm(carried["points"], axis=1)) - np.median(radius)) < 0.01
    assert cli.run(["pointcloud", "--canonical", "-o", str(tmp_path / "cars")]) != 0
    assert "--canonical: expected a model whose subjects move, found demo-cars" in capsys.readouterr().err


def test_which_joint_drives_which_is_written_and_taken_back(tmp_path: Path) -> None:
    rig = worm_rig()
    names = rig.template.names
    generator = tiny_generator(rig, tiny_config(rig, projector="closest"))
    model, motion, bones = tmp_path / "worm.safetensors", tmp_path / "bend.json", tmp_path / "map.json"
    save_model(model, generator.config, generator.state_dict())
    motion.write_text(json.dumps({"joints": {names[1]: [0.5, 0, 0]}}))
    words = ["render", "--model", str(model), "--seeds", "0", "--yaw", "0", "--channels", "depth", "--pose", str(motion)]
    assert cli.run([*words, "--write-bone-map", str(bones), "-o", str(tmp_path / "own")]) == 0
    pairs = json.loads(bones.read_text())["pairs"]
    assert [names[1], names[1]] in pairs
    content = json.loads(bones.read_text())
    content["pairs"] = [pair for pair in pairs if pair[1] not in names[1:3]] + [[names[1], names[2]]]
    bones.write_text(json.dumps(content))
    assert cli.run([*words, "--bone-map", str(bones), "-o", str(tmp_path / "mapped")]) == 0
    own, mapped = (np.reshape(poses_of(tmp_path / name)["s0000_v00"], (-1, 3)) for name in ("own", "mapped"))
    np.testing.assert_allclose(own[1], [0.5, 0, 0], atol=1e-5)
    assert np.abs(mapped[1]).max() < 0.4
    assert np.abs(own - mapped).max() > 0.1


def test_a_bone_map_needs_a_motion(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["render", "--write-bone-map", str(tmp_path / "map.json"), "-o", str(tmp_path / "out")]) != 0
    assert "expected --pose beside it" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
