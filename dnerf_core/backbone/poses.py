"""How the subjects of a family that moves are posed, as everything outside of that family knows it: numbers that a pose file gives.

Importing this needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Motion:
    """Poses of a body, one after the other.

    Attributes:
        title: the file's name, or the name of a motion that the program brings.
        poses: float32 [F, *pose_shape] of `LatentSpec.pose_shape`.
        fps: frames that play in a second; None: not told, as of a single pose.
        lines: how the file's joints were taken for the body's, for people.
        remarks: what is to be warned of.
        bone_map: which of the file's joints drive which of the body's, as a JSON object that `Poser.read` takes again from a file.
    """

    title: str
    poses: NDArray[np.float32]
    fps: float | None = None
    lines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    bone_map: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """F."""
        return len(self.poses)


class Poser(Protocol):
    """What a family that moves knows of poses; it can be pickled and sent to another process."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """K names, the root first."""

    @property
    def joint_parents(self) -> tuple[int, ...]:
        """K numbers, -1 for the root; every parent comes before its children."""

    @property
    def joint_places(self) -> NDArray[np.float32]:
        """Where the joints are at rest, [K, 3], in the body's own units."""

    @property
    def scale(self) -> float:
        """World units a unit of the body."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Which of a pose's numbers (of `pose_shape`, flattened) move the body as a whole along x, y and z, in units of the body."""

    def read(
        self, source: Path, frames: tuple[int, int] | None = None, fps: float | None = None, bone_map: Path | None = None
    ) -> Motion:
        """The poses of a file, or of a motion that the program brings, by its name.

        Args:
            frames: the first and the last that are taken, counted from 1; None: all.
            fps: frames a second that they are resampled to; None: the file's own.
            bone_map: a file that says which of its joints drive which of the body's; None: by their names.

        Raises:
            UsageError: no such file or motion, one that cannot be read, or frames that it does not have.
        """

    def turns(self, poses: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Poses [F, *pose_shape] as a skeleton moves, see `files.meshes.rig.RigMotion`.

        Returns:
            Unit quaternions xyzw [F, K, 4] of each joint against its parent, and how far the root has moved [F, 3], world units.
        """

    def drawn(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Poses [count, *pose_shape] by chance, within what joints can do."""


@dataclass(frozen=True, eq=False)
class RiggedPoints:
    """Points on a subject's surface that its skeleton moves by linear blend skinning; world units, at rest.

    Attributes:
        rest: float32 [N, 3], where the points lie when no joint is turned.
        weights: float32 [N, K], which joints they follow; rows sum to 1.
        joints: float32 [K, 3], where the joints are then.
        joint_names, joint_parents: as `Poser` has them.
    """

    rest: NDArray[np.float32]
    weights: NDArray[np.float32]
    joints: NDArray[np.float32]
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TemplateMesh:
    """What no pose changes of the mesh that moves with a model's subjects: F triangles, and what its V vertices follow.

    Attributes:
        faces: int32 [F, 3], counterclockwise seen from outside.
        weights: float32 [V, K], which joints the vertices follow; rows sum to 1.
        joint_names: K names.
        vertex_parts: uint8 [V], index into `part_names`; empty where there are none.
        part_names: what the vertices are parts of; empty: not known.
    """

    faces: NDArray[np.int32]
    weights: NDArray[np.float32]
    joint_names: tuple[str, ...]
    vertex_parts: NDArray[np.uint8]
    part_names: tuple[str, ...] = ()
