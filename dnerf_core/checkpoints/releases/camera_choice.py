"""Where an imported generator is looked at from: the release's own cameras, a data set's, or numbers that the user gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnerf_core.backbone.ranges import check_cameras, refusal
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera_frames import WorldUp
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.files.camera_files.dataset_cameras import cameras_of_dataset, describe_cameras, read_dataset_cameras

Point = tuple[float, float, float]


@dataclass(frozen=True)
class CameraChoice:
    """What is given in the place of what a checkpoint says of cameras; a later field overrides an earlier one.

    Attributes:
        is_video: the published video script's cameras in the place of those the release was trained with.
        dataset: a `dataset.json`: its median radius and focal length, its pivot, and its spread of yaw and pitch.
        radius, pivot, focal, world_up: as `CameraConfig` has them.
    """

    is_video: bool = False
    dataset: Path | None = None
    radius: float | None = None
    pivot: Point | None = None
    focal: float | None = None
    world_up: WorldUp | None = None

    @property
    def tells_radius(self) -> bool:
        """Whether a checkpoint without cameras gets a radius all the same."""
        return self.radius is not None or self.dataset is not None


OWN_CAMERAS = CameraChoice()
"""Nothing is given."""


def chosen_cameras(
    base: CameraConfig,
    choice: CameraChoice,
    *,
    release: str | None,
    video_cameras: Mapping[str, CameraConfig],
    is_assumed: bool,
) -> tuple[CameraConfig, tuple[str, ...]]:
    """`base` with what was chosen, and a remark for what rests on a data set or on nothing.

    Args:
        base: what the checkpoint says.
        release: the release whose cameras `base` holds; None: no release's.
        video_cameras: the cameras of the family's published video script, by release.
        is_assumed: whether `base` has a focal length and a world up that stand nowhere.

    Raises:
        UsageError: the video script's cameras of what is no release; a data set without cameras; a pivot beyond the radius.
    """
    remarks = []
    if choice.is_video:
        if release is None or release not in video_cameras:
            known = f"a release's cameras ({', '.join(video_cameras)})" if video_cameras else "a published video script"
            raise UsageError(
                f"--video-cameras: expected a generator with {known}, found another's; give --camera-radius and --focal"
            )
        base = video_cameras[release]
    cameras = base
    if choice.dataset is not None:
        labelled = read_dataset_cameras(choice.dataset)
        cameras = cameras_of_dataset(labelled, base, choice.world_up)
        remarks.append(describe_cameras(labelled, cameras))
    for name in ("radius", "pivot", "focal", "world_up"):
        value = getattr(choice, name)
        if value is not None:
            cameras = dataclasses.replace(cameras, **{name: value})
    if is_assumed and choice.dataset is None:
        assumed = [
            *([] if choice.focal is not None else [f"focal length {cameras.focal}"]),
            *([] if choice.world_up is not None else [f"world up {cameras.world_up!r}"]),
        ]
        if assumed:
            remarks.append(
                f"no published release orbits at radius {base.radius:g} round {base.pivot}: {' and '.join(assumed)} "
                f"{'are' if len(assumed) > 1 else 'is'} assumed; --cameras-from, --focal and --up tell them"
            )
    try:
        check_cameras(cameras, refusal("generator", "give other --camera-radius, --camera-pivot or --focal"))
    except CheckpointError as error:
        raise UsageError(str(error)) from error
    return cameras, tuple(remarks)
