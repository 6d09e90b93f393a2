"""What poses a GNARF body, as everything outside of the family asks for it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.errors import PoseError
from dnerf_core.gnarf.poser import BodyPoser
from dnerf_core.poses.figure import figure_joints, figure_parents, tree_of
from dnerf_core.poses.motions import MOTIONS, NAMES
from dnerf_core.poses.roles import roles_of


@pytest.fixture
def poser() -> BodyPoser:
    """Of a person in a T pose, whose bones have Mixamo's names."""
    roles = roles_of(NAMES)
    places, (order, parents) = figure_joints(roles), tree_of(figure_parents(roles))
    bones = {"Collar": "Shoulder", "Shoulder": "Arm", "Elbow": "ForeArm", "Wrist": "Hand"}
    bones |= {"Hip": "UpLeg", "Knee": "Leg", "Ankle": "Foot", "Toe": "ToeBase"}
    names = []
    for joint in order:
        side = next((side for side in ("Left", "Right") if NAMES[joint].startswith(side)), "")
        bare = NAMES[joint].removeprefix(side)
        names.append(f"mixamorig:{side}{bones.get(bare, bare)}")
    return BodyPoser(tuple(names), parents, np.stack([places[joint] for joint in order]).astype(np.float32))


def angles_deg(poser: BodyPoser, poses: np.ndarray, name: str) -> np.ndarray:
    return np.degrees(np.linalg.norm(poses[:, poser.names.index(f"mixamorig:{name}")], axis=-1))


def test_own_motions_go_by_their_names(poser: BodyPoser) -> None:
    for name in MOTIONS:
        motion = poser.read(Path(name))
        assert motion.title == name
        assert motion.poses.shape[1:] == (len(poser.names) + 1, 3)
        assert motion.poses.dtype == np.float32
        assert np.isfinite(motion.poses).all()
    walk = poser.read(Path("walk"), frames=(3, 10), fps=15.0)
    assert (len(walk), walk.fps) == (4, 15.0)
    knee = angles_deg(poser, poser.read(Path("walk")).poses, "LeftLeg")
    assert knee.max() == pytest.approx(52, abs=1.0)
    with pytest.raises(PoseError, match="expected a motion"):
        poser.read(Path("moonwalk"))


def test_chance_keeps_to_what_joints_can_do_and_gives_the_same_again(poser: BodyPoser) -> None:
    poses = poser.drawn(np.random.default_rng(7), 200)
    again = pickle.loads(pickle.dumps(poser)).drawn(np.random.default_rng(7), 200)
    np.testing.assert_array_equal(again, poses)
    knees = poses[:, poser.names.index("mixamorig:LeftLeg")]
    assert (knees[:, 0] >= -1e-6).all()  # never bent forwards
    assert np.abs(knees[:, 1:]).max() < 1e-6
    assert 80 < np.degrees(knees[:, 0].max()) <= 95
    assert angles_deg(poser, poses, "Neck").max() < 35
    # arms hang in the mean: 90 degrees down from the T pose
    arm = poses[:, poser.names.index("mixamorig:LeftArm")].mean(axis=0)
    assert np.degrees(arm[2]) == pytest.approx(-50, abs=15)
    assert poses.std(axis=0)[:-1].max() > 0.4
