"""What poses a GNARF generator's subjects: files of motion, motions of our own, and chance, taken for the joints of the body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.poses import Motion
from dnerf_core.checkpoints.model_file import read_header
from dnerf_core.checkpoints.safetensors_layout import DAMAGED, stored_values
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.poses.bone_map import BoneMap, bone_map_between
from dnerf_core.poses.motions import MOTIONS
from dnerf_core.poses.prior import random_clip
from dnerf_core.poses.reading import read_poses
from dnerf_core.poses.retargeting import retargeted
from dnerf_core.poses.rotations import from_axis_angle
from dnerf_core.poses.skeleton import completed, skeleton_of


@dataclass(frozen=True, eq=False)
class BodyPoser:
    """The skeleton of a body at rest, which poses are taken for; see `dnerf_core.backbone.poses.Poser`.

    Attributes:
        names: K joint names.
        parents: int32 [K], -1 for the root.
        joints: float32 [K, 3] at rest, template units.
        scale: world units a template unit.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int32]
    joints: NDArray[np.float32]
    scale: float = 1.0

    @property
    def joint_names(self) -> tuple[str, ...]:
        """K names, the root first."""
        return self.names

    @property
    def joint_parents(self) -> tuple[int, ...]:
        """K numbers, -1 for the root."""
        return tuple(self.parents.tolist())

    @property
    def joint_places(self) -> NDArray[np.float32]:
        """[K, 3] at rest, template units."""
        return self.joints

    @property
    def place(self) -> tuple[int, int, int]:
        """The translation, which stands last."""
        x = 3 * len(self.names)
        return x, x + 1, x + 2

    def read(
        self, source: Path, frames: tuple[int, int] | None = None, fps: float | None = None, bone_map: Path | None = None
    ) -> Motion:
        """The poses of a file, or of one of `MOTIONS` by its name; see `Poser.read`.

        Raises:
            PoseError: neither, or a file that cannot be used.
        """
        is_own = str(source) in MOTIONS and not source.exists()
        found = read_poses(str(source) if is_own else source, self, frames=frames, frame_rate=fps, bone_map=bone_map)
        driven = len(found.bone_map.sources)
        line = f"{source.name}: {driven} of {len(self.names)} joints of the body are driven by it"
        if found.bone_map.unmapped_source:
            shown = ", ".join(found.bone_map.unmapped_source[:5])
            more = len(found.bone_map.unmapped_source) - 5
            line += f"; it also moves {shown}{f' and {more} more' if more > 0 else ''}, which drive nothing"
        lines = () if is_own else (line,)
        return Motion(source.name, found.poses, found.frame_rate, lines, found.remarks, found.bone_map.to_json())

    def turns(self, poses: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Poser.turns`."""
        wxyz = from_axis_angle(poses[:, :-1].astype(np.float64))
        return wxyz[..., [1, 2, 3, 0]].astype(np.float32), self.scale * poses[:, -1]

    def drawn(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Poses [count, K + 1, 3] by chance; see `prior.random_clip`."""
        return retargeted(random_clip(rng, count), skeleton_of(self), self._map_of_figure, "height").poses

    @cached_property
    def _map_of_figure(self) -> BoneMap:
        target = skeleton_of(self)
        _, figure = completed(random_clip(np.random.default_rng(0), 1), target)
        return bone_map_between(figure, target)


def poser_of_model(path: Path) -> BodyPoser:
    """What poses the subjects of a model file; no torch.

    Raises:
        CheckpointError: the file cannot be used.
    """
    header = read_header(path)
    config = header.generator_config
    assert isinstance(config, GnarfConfig)
    name = "generator.body.joints"
    with path.open("rb") as file:
        ((_, joints),) = stored_values(file, path, {name: header.tensors[name]}, header.data_start, DAMAGED)
    return BodyPoser(config.body.joint_names, np.array(config.body.parents, np.int32), joints, config.body.scale)
