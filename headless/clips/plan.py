"""What a `video` call is going to make, as data: which clips, and each frame's camera and subject. Touches neither model nor disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera, arc_cameras, orbit_cameras
from dnerf_core.subject_key import SubjectFile, subject_key
from headless.datasets.plan import plan_json
from headless.datasets.poses.given import Pose, numbers
from headless.datasets.splits import Splits, format_splits, split_of

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

T = TypeVar("T", bound=np.generic)
PathKind = Literal["arc", "orbit", "file"]


@dataclass(frozen=True)
class ClipPlan:
    """The options of a call that decide what its results are.

    Attributes:
        model_name, model_sha256: the model.
        seeds: one clip each; with `between`, the subjects that one clip passes through.
        between: whether it is one clip, in which the subject changes.
        path: how the camera moves: along an arc, once round at one elevation, or by a file.
        path_sha256: of that file.
        frames, fps: frames of a clip, and how many play in a second.
        yaw_deg, pitch_deg: ranges in degrees; an orbit has one elevation.
        truncation: the factor psi.
        resolution_px: side of the frames.
        masks: whether there are labels.
        exact, subject_files, splits: see `ViewPlan`.
        legend: whether previews with labels have their colours' legend below.
        poses: the title of the motion that subjects follow, and `poses_sha256` of its poses; None: they keep their own.
    """

    model_name: str
    model_sha256: str
    seeds: tuple[int, ...]
    between: bool
    path: PathKind
    path_sha256: str | None
    frames: int
    fps: int | Fraction
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]
    truncation: float
    resolution_px: int
    masks: bool
    exact: bool
    subject_files: tuple[SubjectFile, ...] = ()
    splits: Splits = ()
    legend: bool = False
    poses: str | None = None
    poses_sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; see `plan_json`; splits in the text form of `--splits`; without a legend or a motion nothing of it."""
        data = plan_json(self) | {"splits": format_splits(self.splits)}
        if isinstance(self.fps, Fraction):
            data["fps"] = str(self.fps)
        if not self.legend:
            del data["legend"]
        if self.poses is None:
            del data["poses"], data["poses_sha256"]
        return data


@dataclass(frozen=True)
class Mix:
    """The subject of a frame: that of `first` at share 0, that of `second` at share 1, between them in between.

    Attributes:
        truncation: the factor psi of this frame; None: the plan's.
    """

    first: int
    second: int
    share: float
    truncation: float | None = None


@dataclass(frozen=True)
class Frame:
    """One frame of a clip.

    Attributes:
        index: counted from 0.
        pose: what its subject takes; None: its own.
        scene_number: its number in the scene that it comes from; None: it comes from none.
    """

    index: int
    camera: Camera
    mix: Mix
    pose: Pose | None = None
    scene_number: int | None = None

    @property
    def name(self) -> str:
        """What lists of cameras call it: by its number in the scene, or else counted from 0."""
        return frame_name(self.index if self.scene_number is None else self.scene_number)

    @property
    def picture_number(self) -> int:
        """Its number in a sequence of pictures: that in the scene, or else counted from 1, as sequences are."""
        return self.index + 1 if self.scene_number is None else self.scene_number


def in_frame(subject: Subject, frame: Frame) -> Subject:
    """The subject of a frame in the pose that the frame shows."""
    return subject if frame.pose is None else subject.posed(subject.model.pose(frame.pose))


@dataclass(frozen=True)
class Crop:
    """A rectangle that is cut out of square frames, pixels from their top left corner."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def cut(self, frame: NDArray[T]) -> NDArray[T]:
        """The rectangle of a frame [S, S, ...]."""
        return frame[self.top_px : self.top_px + self.height_px, self.left_px : self.left_px + self.width_px]

    def camera(self, camera: Camera, side_px: int) -> Camera:
        """The camera of the rectangle of a frame that `camera` sees with this side."""
        pixels = camera.pixel_intrinsics(side_px)
        pixels[:2, 2] -= self.left_px, self.top_px
        return Camera(camera.cam2world, np.diag([1 / self.width_px, 1 / self.height_px, 1.0]) @ pixels)


@dataclass(frozen=True)
class Clip:
    """One video; `name` begins the names of its files; `crop` is what its frames show of the squares; None: all; `split` the folder that
    its files lie in, "" for none.
    """

    name: str
    frames: tuple[Frame, ...]
    crop: Crop | None = None
    split: str = ""


def frame_name(index: int) -> str:
    """The name of a frame in a cameras.json: `f0012`."""
    return f"f{index:04d}"


def path_cameras(plan: ClipPlan, config: CameraConfig) -> list[Camera]:
    """The cameras of an arc or an orbit. An orbit ends a step before its start, so that it plays round and round."""
    if plan.path == "orbit":
        return orbit_cameras(config, count=plan.frames, pitch_deg=plan.pitch_deg[0])
    return arc_cameras(config, plan.yaw_deg, plan.pitch_deg, count=plan.frames)


def plan_clips(plan: ClipPlan, cameras: list[Camera], motion: NDArray[np.float32] | None = None) -> list[Clip]:
    """The clips of a plan, whose frames are seen by `cameras`.

    Args:
        motion: [F, *pose_shape]; the first frame has the first pose, the last the last; None: subjects keep their own.
    """
    places = [0.0] if len(cameras) == 1 else np.linspace(0, 0 if motion is None else len(motion) - 1, len(cameras)).tolist()
    poses = [None if motion is None else numbers(motion[round(place)]) for place in places]

    def frames(mixes: Sequence[Mix]) -> tuple[Frame, ...]:
        return tuple(
            Frame(index, camera, mix, pose) for index, (camera, mix, pose) in enumerate(zip(cameras, mixes, poses, strict=True))
        )

    if plan.between:
        name = "-".join(f"s{seed:04d}" for seed in (plan.seeds[0], plan.seeds[-1]))
        return [Clip(name, frames(mixes_between(plan.seeds, len(cameras))))]
    return [
        Clip(f"s{seed:04d}", frames([Mix(seed, seed, 0.0)] * len(cameras)), split=split_of(plan.splits, seed))
        for seed in plan.seeds
    ]


def mixed_subject(model: Model, plan: ClipPlan, mix: Mix) -> Subject:
    """The subject of a frame.

    Raises:
        CheckpointError: a subject file that cannot be used.
    """
    if plan.subject_files:
        return subject_key(plan, mix.first).open(model)
    return model.between(mix.first, mix.second, mix.share, plan.truncation)


def mixes_between(seeds: tuple[int, ...], count: int) -> list[Mix]:
    """`count` steps at even distances through the subjects of `seeds`, first and last included."""
    mixes = []
    for step in range(count):
        along = step * (len(seeds) - 1) / (count - 1) if count > 1 else 0.0
        start = min(int(along), len(seeds) - 2)
        mixes.append(Mix(seeds[start], seeds[start + 1], along - start))
    return mixes
