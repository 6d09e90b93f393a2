"""From what a user names to a template's poses: a motion of our own, or a file, read, cut, resampled and retargeted in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PoseError, brief
from .bone_map import BoneMap, bone_map_between, read_bone_map
from .bvh import read_bvh
from .clip import PoseClip, frames_of, resampled
from .json_poses import read_json_poses
from .motions import MOTIONS, own_motion
from .npz_poses import read_npz_poses
from .retargeting import Travel, retargeted
from .skeleton import Rigged, completed, skeleton_of

READERS: dict[str, Callable[[Path], PoseClip]] = {".bvh": read_bvh, ".json": read_json_poses, ".npz": read_npz_poses}
"""By the ending of a file's name."""


@dataclass(frozen=True, eq=False)
class TemplatePoses:
    """Poses of a template.

    Attributes:
        poses: float32 [F, K + 1, 3], as `Template` has them.
        frame_rate: frames a second.
        bone_map: what drove what.
        remarks: what a user should know, a sentence each.
    """

    poses: NDArray[np.float32]
    frame_rate: float
    bone_map: BoneMap
    remarks: tuple[str, ...] = ()


def read_clip(source: str | Path) -> PoseClip:
    """The clip of a motion's name (`MOTIONS`), or of a file (`READERS`).

    Raises:
        PoseError: neither, or a file that cannot be used.
    """
    if isinstance(source, str) and source in MOTIONS:
        return own_motion(source)
    path = Path(source)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        endings = ", ".join(READERS)
        raise PoseError(
            f"{brief(str(source))}: expected a motion ({', '.join(MOTIONS)}) or a file of poses ({endings}), found another; "
            "export the motion as BVH"
        )
    return reader(path)


def read_poses(
    source: str | Path | PoseClip,
    template: Rigged,
    *,
    frames: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    bone_map: Path | BoneMap | None = None,
    travel: Travel = "all",
) -> TemplatePoses:
    """A motion's name, a file or a clip as poses of a template.

    Args:
        frames: first and last, counted from 1, both included; see `parse_frames`. None: all.
        frame_rate: resample to this many frames a second; None: the clip's own.
        bone_map: a file, see `bone_map.read_bone_map`; None: found by the joints' names.
        travel: see `retargeted`.

    Raises:
        PoseError: a file or a map that cannot be used, frames that the clip has not, or skeletons with nothing in common.
    """
    clip = source if isinstance(source, PoseClip) else read_clip(source)
    if frames is not None:
        clip = frames_of(clip, *frames)
    if frame_rate is not None:
        clip = resampled(clip, frame_rate)
    target = skeleton_of(template)
    remarks: list[str] = []
    if clip.rest_joints is None and not set(clip.names) <= set(target.names):
        remarks.append(f"{clip.source}: the file tells no rest pose; a T pose is taken")
    clip, skeleton = completed(clip, target)
    if isinstance(bone_map, Path):
        bone_map = read_bone_map(bone_map, skeleton, target)
    elif bone_map is None:
        bone_map = bone_map_between(skeleton, target)
    hips = skeleton.roles.joint_by_role.get("hips", 0)
    loose = [clip.names[joint] for joint in clip.shifts if joint != hips]
    if loose:
        remarks.append(
            f"{clip.source}: {loose[0]} and others ({len(loose)} in all) move within their parents' frames; that is left out"
        )
    return TemplatePoses(retargeted(clip, target, bone_map, travel).poses, clip.frame_rate, bone_map, tuple(remarks))
