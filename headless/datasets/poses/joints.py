"""Where a subject's joints are in a view, as data sets keep it: in the world, in the picture, and whether they are seen.

Convention: pictures' coordinates in pixels from the left upper corner, a pixel's centre at +0.5; "visibility" as COCO has it: 0 outside of
the picture, 1 hidden, 2 seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.whole import write_bytes_whole

if TYPE_CHECKING:
    from dnerf_core.camera import Camera

OUTSIDE, HIDDEN, SEEN = 0, 1, 2

BURIED_SHARE = 0.09
"""A joint lies inside of its limb. It counts as seen where the surface in front of it is no farther off than this share of the body's
extent, the largest of its joints' along an axis; that is half of a torso's depth."""


@dataclass(frozen=True)
class Skeleton:
    """The joints of a model's subjects: names, and the parent of each by its number, -1 for the root."""

    names: tuple[str, ...]
    parents: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """What a data set's record says of its files of joints."""
        return {
            "frame": "world",
            "picture": "pixels from the left upper corner, a pixel's centre at +0.5",
            "visibility": f"{OUTSIDE} outside, {HIDDEN} hidden, {SEEN} seen",
            "names": list(self.names),
            "parents": list(self.parents),
        }


def joints_json(joints: NDArray[np.float32], camera: Camera, depth_planar: NDArray[np.float32]) -> dict[str, Any]:
    """What a view's file holds.

    Args:
        joints: [K, 3], world frame.
        depth_planar: [H, W] of the view, +inf at background.
    """
    height, width = depth_planar.shape
    uv, joint_depth = camera.project(joints)
    pixels = np.where(joint_depth[:, None] > 0, uv, 0.0) * (
        width,
        height,
    )  # what is behind the camera has no place in its picture
    inside = (joint_depth > 0) & (pixels >= 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    column, row = np.where(inside[:, None], pixels, 0).astype(np.int64).T
    buried = BURIED_SHARE * float(np.ptp(joints, axis=0).max())
    is_hidden = joint_depth - depth_planar[row, column] > buried
    visibility = np.where(inside, np.where(is_hidden, HIDDEN, SEEN), OUTSIDE)
    return {
        "joints_world": np.round(joints.astype(np.float64), 6).tolist(),
        "joints_px": np.round(pixels, 3).tolist(),
        "visibility": visibility.tolist(),
    }


def write_joints(path: Path, joints: NDArray[np.float32], camera: Camera, depth_planar: NDArray[np.float32]) -> None:
    """Write a view's file; see `joints_json`.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes_whole(path, (json.dumps(joints_json(joints, camera, depth_planar)) + "\n").encode())
