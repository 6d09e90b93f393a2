"""Which poses a call's options mean for a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.job_ranges import VIEWS
from dnerf_core.limits import MAX_VIEWS
from dnerf_core.ranges import Ranged, ranged
from headless.runs.choices import chosen_views

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.backbone.poses import Motion, Poser
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from headless.datasets.poses.given import GivenPoses
    from headless.datasets.poses.joints import Skeleton


@dataclass(frozen=True, kw_only=True)
class MotionCall(Ranged):
    """Of jobs on subjects that may move.

    Attributes:
        pose: a file of poses, or the name of a motion that the program brings; None: the model's own pose.
        pose_frames: the first and the last frame that are taken of it, counted from 1; None: all.
        bone_map: a file that says which joints of the motion drive which of the body's; None: by their names.
        write_bone_map: such a file, written anew by the joints' names, to be edited; None: none is.
    """

    pose: Path | None = None
    pose_frames: tuple[int, int] | None = None
    bone_map: Path | None = None
    write_bone_map: Path | None = None


@dataclass(frozen=True, kw_only=True)
class PosedCall(MotionCall):
    """Of jobs whose views may take a pose each.

    Attributes:
        random_poses: whether views take poses by chance: frames of the file, or what joints can do.
    """

    random_poses: bool = ranged(job_ranges.OFF)


def poser_of(facts: ModelFacts) -> Poser | None:
    """What poses a model's subjects; None: they have no pose."""
    place = family_of(facts.config).poser
    if place is None:
        return None
    poser: Poser = named(place)(facts.path)
    return poser


def required_poser(facts: ModelFacts, option: str) -> Poser:
    """The same of a model that an option needs it of.

    Raises:
        UsageError: its subjects have no pose.
    """
    poser = poser_of(facts)
    if poser is None:
        raise UsageError(
            f"{option}: expected a model whose subjects move, found {facts.config.name}; leave it out, or take another"
        )
    return poser


def skeleton_of(facts: ModelFacts) -> Skeleton | None:
    """The joints of a model's subjects; None: they have none."""
    from headless.datasets.poses.joints import Skeleton

    poser = poser_of(facts)
    return None if poser is None else Skeleton(poser.joint_names, poser.joint_parents)


def read_motion(call: MotionCall, facts: ModelFacts, fps: float | None = None) -> Motion | None:
    """The motion of a call's file; None: it names none.

    Args:
        fps: frames a second that it is resampled to; None: its own.

    Raises:
        UsageError: a model whose subjects have no pose, options that need a file, or a file that cannot be read.
    """
    if call.pose is None:
        if call.pose_frames is not None:
            first, last = call.pose_frames
            raise UsageError(f"--frames {first}:{last}: expected --pose beside it, found none; give the file, or leave it out")
        for option, file in (("--bone-map", call.bone_map), ("--write-bone-map", call.write_bone_map)):
            if file is not None:
                raise UsageError(f"{option} {file}: expected --pose beside it, found none; give the file, or leave it out")
        return None
    motion = required_poser(facts, f"--pose {call.pose}").read(call.pose, call.pose_frames, fps, call.bone_map)
    if call.write_bone_map is not None:
        pairs = ",\n  ".join(json.dumps(pair) for pair in motion.bone_map.get("pairs", []))
        head = json.dumps({key: value for key, value in motion.bone_map.items() if key != "pairs"})[1:-1]
        write_bytes_whole(call.write_bone_map, f'{{{head}, "pairs": [\n  {pairs}\n]}}\n'.encode())
    return motion


def one_pose(call: MotionCall, facts: ModelFacts) -> NDArray[np.float32] | None:
    """The only pose [*pose_shape] of a call's file; None: it names none.

    Raises:
        UsageError: as `read_motion`, or one of several frames.
    """
    motion = read_motion(call, facts)
    if motion is None:
        return None
    if len(motion) != 1:
        raise UsageError(f"--pose {motion.title}: expected one pose, found {len(motion)} frames; choose one by --frames N")
    return motion.poses[0]


def given_poses(call: PosedCall, facts: ModelFacts) -> GivenPoses | None:
    """The poses of a call's views; None: the subjects' own.

    Raises:
        UsageError: as `read_motion`.
    """
    from headless.datasets.poses.given import GivenPoses

    motion = read_motion(call, facts)
    if motion is None and not call.random_poses:
        return None
    poser = required_poser(facts, "--random-poses" if motion is None else f"--pose {call.pose}")
    if motion is None:
        return GivenPoses("drawn within what joints can do", None, True, poser)
    return GivenPoses(motion.title, motion.poses, call.random_poses, poser, motion.lines, motion.remarks)


def subject_views(
    views: int | None, poses: GivenPoses | None, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float]
) -> int:
    """How many views each subject has: as `choices.chosen_views` has it, but one a frame of a motion that is followed.

    Args:
        views: as `--views` says; None: it does not.
        yaw_deg, pitch_deg: where the views are.

    Raises:
        UsageError: the motion has more frames than a subject may have views, or as `chosen_views`.
    """
    if poses is None:
        return chosen_views(views, yaw_deg, pitch_deg)
    if views is not None:
        return views  # of one direction, too: each view shows another pose
    if poses.frames is None or poses.is_drawn:
        return VIEWS.usual or 1
    if len(poses.frames) > MAX_VIEWS:
        raise UsageError(
            f"--pose {poses.title}: expected at most {MAX_VIEWS} frames, a view each, found {len(poses.frames)}; "
            "give --frames A:B or --views N"
        )
    return len(poses.frames)
