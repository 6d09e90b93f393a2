"""What the worker knows of subjects that move: their skeleton, motions, posed views and clips, and meshes with a skeleton."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import orbit_cameras
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.poser import poser_of_model
from dnerf_core.model import Model
from tests.core.gnarf.cases import bent, tiny_config, tiny_generator, worm_rig
from tests.headless.worker_talk import Talk, named


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rig = worm_rig()
    generator: Gnarf = tiny_generator(rig, tiny_config(rig, projector="closest"))
    path = tmp_path_factory.mktemp("moving") / "moving.safetensors"
    save_model(path, generator.config, generator.state_dict())
    return path


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.client.stop()


def test_the_skeleton_is_among_a_models_facts(talk: Talk, model: Path) -> None:
    facts, poser = talk.call("model", model=str(model)).done(), poser_of_model(model)
    assert tuple(facts["skeleton"]["names"]) == poser.joint_names
    assert tuple(facts["skeleton"]["parents"]) == poser.joint_parents
    np.testing.assert_allclose(facts["skeleton"]["joints"], poser.joints, atol=1e-6)
    assert "skeleton" not in talk.call("model", model="demo-cars").done()


def numbers(seed: int, model: Path) -> list[float]:
    """A pose of the worm."""
    return bent(worm_rig(), seed).flatten().tolist()


def test_views_and_clips_are_of_the_pose_that_a_request_names(talk: Talk, model: Path, tmp_path: Path) -> None:
    loaded = Model.load(model)
    camera = loaded.front_camera()
    pose = numbers(3, model)
    subject = loaded.subject(5)
    expected = subject.posed(loaded.pose(pose)).render(camera).rgb
    assert (expected != subject.render(camera).rgb).any()
    for method in ("render", "preview"):
        view = {"cameras": named([camera])} if method == "render" else {"camera": camera.to_json()}
        heard = talk.call(method, model=str(model), seed=5, pose=pose, **view)
        answer = heard.parts[0] if method == "render" else heard.done()
        shown = talk.client.array(answer["rgb"])
        assert np.abs(shown.astype(int) - expected).max() <= 1, method
    poses = [numbers(seed, model) for seed in (1, 2, 3)]
    clip = {"model": str(model), "name": "bends", "output": str(tmp_path / "clip"), "subjects": [{"seed": 5}]}
    done = talk.call("video", **clip, cameras=named([camera] * 3), poses=poses).done()
    views = json.loads(Path(done["files"]["cameras"]).read_text())["views"] if "cameras" in done["files"] else None
    assert views is None or [view["pose"] for view in views] == poses
    _, message = talk.call("video", **clip, cameras=named([camera] * 2), poses=poses).failed()
    assert "poses: expected one for each of 2 cameras, found 3" in message
    _, message = talk.call("render", model=str(model), seed=5, pose=[0.0] * 7, cameras=named([camera])).failed()
    assert "expected 12 numbers" in message
    _, message = talk.call("render", model="demo-cars", seed=5, pose=[0.0] * 7, cameras=named([camera])).failed()
    assert "its subjects have no pose" in message


def test_a_mesh_comes_with_its_skeleton_and_its_motion(talk: Talk, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    cameras = orbit_cameras(Model.load(model).config.cameras, count=4)
    poses = [numbers(seed, model) for seed in (1, 2, 3)]
    request = {"model": str(model), "seed": 5, "output": str(tmp_path / "worm.glb"), "cameras": named(cameras), "nodes": 32}
    done = talk.call("mesh", **request, poses=poses, fps=10).done()
    assert done["joints"] == list(poser_of_model(model).joint_names)
    data = (tmp_path / "worm.glb").read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    content = json.loads(data[20 : 20 + length])
    assert len(content["skins"][0]["joints"]) == len(done["joints"])
    assert len(content["animations"][0]["channels"]) == len(done["joints"]) + 1


def test_motions_are_poses_of_the_model(talk: Talk, model: Path) -> None:
    _, message = talk.call("motion", model="demo-cars", motion="walk").failed()
    assert "expected a model whose subjects move" in message
    _, message = talk.call("motion", model=str(model), motion="moonwalk").failed()
    assert "expected a motion (walk, wave, dance)" in message
