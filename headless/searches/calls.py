"""What the searches for a subject are asked for: the calls of invert and edit, as data, and the engine's settings that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnerf_core import job_ranges
from dnerf_core.editing.settings import EditSettings
from dnerf_core.errors import UsageError, brief
from dnerf_core.inversion.settings import SPACES, STEEPEST_PITCH_DEG, InversionSettings, Space
from dnerf_core.ranges import Choice, Degrees, Number, Whole, ranged
from headless.runs.choices import DEFAULT_MODEL, check_perceptual
from headless.runs.poses import MotionCall

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.camera import Camera
    from dnerf_core.files.camera_files.turning import FileUp
    from dnerf_core.files.squares import Fit, Square

USUAL, USUAL_EDIT = InversionSettings(), EditSettings()
VARIANTS = Whole(1, 64, 1, "Find K different subjects of each mask; needs --kind mask.")
SPACE = Choice(SPACES, USUAL.space, "Move the latent in this space: z, w, or w+, which has a w a layer and fits best.")
STARTS = Whole(1, 64, USUAL.starts, "Descend from the best N of the candidates.")
CANDIDATES = Whole(1, 10_000, USUAL.candidates, "Compare N random latents to choose the starts from.")
PRIOR = Number(0.0, None, USUAL.prior, "Weigh by W how unusual the latent is.")
START_PITCH = Degrees(STEEPEST_PITCH_DEG, None, "Begin the search at elevations of A to B degrees.")
EDIT_PITCH = Degrees(STEEPEST_PITCH_DEG, None, "Say from which elevation the mask was painted, in degrees.")
EDIT_PRIOR = Number(0.0, None, USUAL_EDIT.prior, "Weigh by W how far the subject moves from what it was.")
EDITED_WEIGHT = Number(
    1.0, None, USUAL_EDIT.edited_weight, "Count the label of a repainted pixel W times as much as another one's."
)


@dataclass(frozen=True, kw_only=True)
class InvertCall(MotionCall):
    """What one call of `invert` asks for.

    Attributes:
        crop: the square of a picture that is taken, in place of `fit`.
        yaw, pitch: None: the model's own, see `InversionSettings.within`.
        camera: where the pictures were taken from: a file with one view for all or with each picture's by its name, or the camera itself;
            None: it is found.
        cameras_up: the axis that points up in that file's world; None: its world is the model's.
        pose, pose_frames: the pose that the subjects of all pictures are in; None: it is found, where subjects move.
        perceptual_file: the file of the perceptual network.
        output: the folder that results go to.
    """

    pictures: tuple[Path, ...]
    model_name: str = DEFAULT_MODEL
    kind: Literal["image", "mask"] = ranged(job_ranges.PICTURE_KIND)
    variants: int = ranged(VARIANTS)
    fit: Literal["pad", "crop"] = ranged(job_ranges.FIT)
    crop: Square | None = None
    yaw: tuple[float, float] | None = ranged(job_ranges.SEARCH_YAW)
    pitch: tuple[float, float] | None = ranged(START_PITCH)
    camera: Path | Camera | None = None
    cameras_up: FileUp | None = None
    space: Space = ranged(SPACE)
    starts: int = ranged(STARTS)
    candidates: int = ranged(CANDIDATES)
    steps: int | None = ranged(job_ranges.SEARCH_STEPS)
    prior: float = ranged(PRIOR)
    perceptual_weight: float = ranged(job_ranges.PERCEPTUAL_WEIGHT)
    perceptual_file: Path | None = None
    tuning: int = ranged(job_ranges.TUNING)
    snap_colors: bool = ranged(job_ranges.SNAP_COLORS)
    seed: int = ranged(job_ranges.SEARCH_SEED)
    device: str = ranged(job_ranges.DEVICE)
    output: Path = Path("dnerf-inverted")


def settings_of(call: InvertCall) -> InversionSettings:
    """The engine's settings of a call, with None for directions that are not given; see `InversionSettings.within`.

    Raises:
        UsageError: options that do not go together.
    """
    check_perceptual(call.perceptual_weight, call.perceptual_file)
    if call.kind == "mask" and (call.perceptual_weight > 0 or call.tuning):
        option = "--tuning" if call.tuning else "--perceptual-weight"
        raise UsageError(f"{option}: expected photos, found --kind mask, which says nothing of colours; leave it out")
    if call.kind == "image" and call.variants > 1:
        raise UsageError("--variants: expected --kind mask, found photos, which have one subject each; leave it out")
    check_cameras_up(call.camera, call.cameras_up)
    if call.camera is not None and (call.yaw is not None or call.pitch is not None):
        raise UsageError("--camera: expected it alone, found --yaw or --pitch beside it; give one of them")
    settings = InversionSettings(
        space=call.space,
        candidates=max(call.candidates, call.variants),
        starts=max(call.starts, call.variants),
        yaw_deg=call.yaw,
        pitch_deg=call.pitch,
        steps=call.steps,
        prior=call.prior,
        perceptual_weight=call.perceptual_weight,
        tuning_steps=call.tuning,
        seed=call.seed,
    )
    settings.check()
    return settings


def fit_of(call: InvertCall) -> Fit:
    """How the call's pictures become square."""
    return call.fit if call.crop is None else call.crop


def check_cameras_up(camera: Path | Camera | None, up: FileUp | None) -> None:
    """Refuse `--cameras-up` where no file of cameras is named.

    Raises:
        UsageError: it is given.
    """
    if up is not None and not isinstance(camera, Path):
        raise UsageError(f"--cameras-up {up}: expected --camera FILE beside it, found none; give the file, or leave it out")


@dataclass(frozen=True, kw_only=True)
class EditCall(MotionCall):
    """What one call of `edit` asks for.

    Attributes:
        subject: a subject file, or a seed.
        mask: the repainted mask, label ids and 255 where nothing is asked for: a file, or an array uint8 [S, S] of the model's own size S.
        yaw, pitch: where the mask was painted from, one direction.
        camera: the same as a file with one view or with the mask's by its name, or as the camera itself; None: the subject file's own, or
            `yaw` and `pitch`.
        cameras_up: the axis that points up in that file's world; None: its world is the model's.
        pose, pose_frames: the pose in which the mask was painted; None: the subject file's own, or the model's.
        perceptual_file: the file of the perceptual network.
        output: the folder that results go to.
    """

    subject: int | Path
    mask: Path | NDArray[np.uint8]
    model_name: str = DEFAULT_MODEL
    truncation: float = ranged(job_ranges.TRUNCATION)
    yaw: tuple[float, float] | None = ranged(job_ranges.YAW)
    pitch: tuple[float, float] | None = ranged(EDIT_PITCH)
    camera: Path | Camera | None = None
    cameras_up: FileUp | None = None
    label_weight: float = ranged(job_ranges.LABEL_WEIGHT)
    rgb_weight: float = ranged(job_ranges.RGB_WEIGHT)
    perceptual_weight: float = ranged(job_ranges.PERCEPTUAL_WEIGHT)
    perceptual_file: Path | None = None
    keep_inside: float = ranged(job_ranges.KEEP_INSIDE)
    edited_weight: float = ranged(EDITED_WEIGHT)
    prior: float = ranged(EDIT_PRIOR)
    margin: int = ranged(job_ranges.MARGIN)
    steps: int = ranged(job_ranges.EDIT_STEPS)
    snap_colors: bool = ranged(job_ranges.SNAP_COLORS)
    device: str = ranged(job_ranges.DEVICE)
    output: Path = Path("dnerf-edited")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.subject, Path) and job_ranges.SEED.take(self.subject) is None:
            expected, found = job_ranges.SEED.expected, brief(self.subject)
            raise UsageError(f"subject: expected {expected}, or the path of a subject file, found {found}; choose another")


def edit_settings_of(call: EditCall) -> EditSettings:
    """The engine's settings of a call.

    Raises:
        UsageError: options that do not go together.
    """
    check_perceptual(call.perceptual_weight, call.perceptual_file)
    check_cameras_up(call.camera, call.cameras_up)
    settings = EditSettings(
        label_weight=call.label_weight,
        rgb_weight=call.rgb_weight,
        perceptual_weight=call.perceptual_weight,
        keep_inside=call.keep_inside,
        edited_weight=call.edited_weight,
        prior=call.prior,
        margin_px=call.margin,
        steps=call.steps,
    )
    settings.check()
    return settings
