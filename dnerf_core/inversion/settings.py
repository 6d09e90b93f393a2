"""How an inversion goes, as data: its stages, coarse to fine, and the options that choose them. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.errors import UsageError
from dnerf_core.own_views import SEARCH_YAW_DEG, view_ranges
from dnerf_core.seeds import MAX_SEED

Space = Literal["z", "w", "w+"]
SPACES: tuple[Space, ...] = ("z", "w", "w+")

SEARCH_SIDE_PX = 16
SEARCH_YAW_STEP_DEG = 20.0
SEARCHED_POSES = 512
"""Likely poses that a search for an unknown one begins with, each from every direction."""
POSED_SEARCH_SIDE_PX = 16
POSED_SEARCH_BLUR_PX = 0.7
GUESSES_A_START = 16
"""Of an unknown pose: stand-ins are cheap, and limbs behind limbs leave much open."""
STEEPEST_PITCH_DEG = 85.0
"""Elevations stay below it: at the pole, yaw and roll are one."""


@dataclass(frozen=True)
class Stage:
    """One descent.

    Attributes:
        side_px: rays a side.
        full: whether the super-resolved picture is compared, at its own size, in place of the rays'.
        steps: of the optimiser.
        guesses: how many of the best guesses so far take part.
        space: what the latent is moved in.
        latent_rate: learning rate of the latent, standard deviations.
        camera_rate: learning rate of the camera's angles, radians.
        pose_rate: learning rate of a pose that is not known, standard deviations; see `pose_prior`.
        blur_px: standard deviation of the blur under which a stand-in's picture is compared, so that a limb which lies beside its own is
            drawn there (`stand_in`, for subjects whose pose is not known); 0: the field itself is seen.
        planes_px: side of the planes that are read, or the next larger one that the generator makes on its way; None: all of it. Half of a
            step's time is theirs; a branch reads all of them.
    """

    side_px: int
    full: bool
    steps: int
    guesses: int
    space: Space
    latent_rate: float
    camera_rate: float
    pose_rate: float = 0.0
    blur_px: float = 0.0
    planes_px: int | None = None

    @property
    def name(self) -> str:
        """For people: `64 px w+`."""
        seen = "full size" if self.full else f"{self.side_px} px"
        return f"{seen} {'stand-in' if self.blur_px else self.space}"


@dataclass(frozen=True)
class InversionSettings:
    """What a call of an inversion chooses.

    Attributes:
        space: "z", "w" or "w+"; the latter is found in w first.
        candidates: latents compared before the descent, the mean among them where the space has it.
        starts: how many of them are descended from.
        yaw_deg, pitch_deg: where the camera is looked for first; None: the generator's own, see `within`. The descent may leave it.
        steps: of all stages together; None: the usual ones.
        prior: weight of how unusual the latent is.
        perceptual_weight: weight of the perceptual loss; 0: none, and no network is needed.
        tuning_steps: steps of pivotal tuning after the last stage; 0: none.
        seed: of the candidates.
    """

    space: Space = "w+"
    candidates: int = 24
    starts: int = 4
    yaw_deg: tuple[float, float] | None = None
    pitch_deg: tuple[float, float] | None = None
    steps: int | None = None
    prior: float = 3e-4
    perceptual_weight: float = 0.0
    tuning_steps: int = 0
    seed: int = 0

    def within(self, own: CameraConfig) -> InversionSettings:
        """The same with the directions that a generator tells of itself where none are chosen.

        One that tells none is looked for within `SEARCH_YAW_DEG`, and its pitch stays None, its usual one.
        """
        yaw_deg, _ = view_ranges(own, self.yaw_deg, default_yaw_deg=SEARCH_YAW_DEG)
        pitch_deg = self.pitch_deg
        if pitch_deg is None and own.pitch_range_deg is not None:
            low, high = (min(max(angle, -STEEPEST_PITCH_DEG), STEEPEST_PITCH_DEG) for angle in own.pitch_range_deg)
            pitch_deg = low, high
        return dataclasses.replace(self, yaw_deg=yaw_deg, pitch_deg=pitch_deg)

    def check(self) -> None:
        """Refuse settings that say nothing useful.

        Raises:
            UsageError: one that is out of range.
        """
        for name, low in (("candidates", 1), ("starts", 1), ("tuning_steps", 0), ("seed", 0)):
            if getattr(self, name) < low:
                raise UsageError(f"{name}: expected at least {low}, found {getattr(self, name)}; choose another")
        if self.seed > MAX_SEED:
            raise UsageError(f"seed: expected at most {MAX_SEED}, found {self.seed}; choose another")
        for name in ("prior", "perceptual_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name}: expected a weight of at least 0, found {getattr(self, name)}; choose another")
        for name, span, limit in (("yaw_deg", self.yaw_deg or (0.0, 0.0), 360), ("pitch_deg", self.pitch_deg or (0.0, 0.0), 90)):
            if not all(abs(angle) <= limit for angle in span):
                raise UsageError(f"{name}: expected two angles from -{limit} to {limit}, found {span}; choose another range")
        if self.space not in SPACES:
            raise UsageError(f"space: expected one of {', '.join(SPACES)}, found {self.space!r}; choose one of these")
        if self.starts > self.candidates:
            raise UsageError(
                f"starts: expected at most the {self.candidates} candidates, found {self.starts}; ask for more candidates"
            )
        if self.steps is not None and self.steps < len(PICTURE_STAGES):
            raise UsageError(f"steps: expected at least {len(PICTURE_STAGES)}, one a stage, found {self.steps}; choose more")


PICTURE_STAGES = (
    Stage(32, False, 80, 4, "z", 0.2, 0.04),
    Stage(64, False, 50, 2, "z", 0.1, 0.015),
    Stage(64, False, 50, 1, "w+", 0.04, 0.005),
    Stage(128, True, 40, 1, "w+", 0.03, 0.002),
)
"""The usual stages of a generator with 128 px rays. Few rays are cheap, but below 32 px a side a ray no longer stands for its pixel: what
they see is then further from the picture's means than one car from another."""

POSED_PICTURE_STAGES = (
    Stage(24, False, 80, 64, "z", 0.1, 0.04, 0.12, 1.2),
    Stage(32, False, 80, 32, "z", 0.1, 0.03, 0.1, 0.8),
    Stage(64, False, 80, 12, "z", 0.1, 0.02, 0.08, 0.8),
    Stage(64, False, 20, 4, "z", 0.06, 0.01, 0.06, planes_px=128),
    Stage(128, False, 40, 1, "z", 0.04, 0.005, 0.04, planes_px=128),
    Stage(128, True, 40, 1, "w+", 0.03, 0.002, 0.02),
)
"""The same of subjects whose pose is not known, too: found by a stand-in, and refined on the field."""

MASK_STAGES = (
    Stage(32, False, 60, 4, "z", 0.2, 0.04),
    Stage(64, False, 40, 1, "z", 0.1, 0.015),
    Stage(64, False, 30, 1, "w+", 0.04, 0.005),
    Stage(128, True, 20, 1, "w+", 0.03, 0.002),
)
"""The same for a mask, which has less to say."""

POSED_MASK_STAGES = (
    Stage(24, False, 80, 64, "z", 0.1, 0.04, 0.12, 1.2),
    Stage(32, False, 80, 32, "z", 0.1, 0.03, 0.1, 0.8),
    Stage(64, False, 60, 8, "z", 0.1, 0.02, 0.08, 0.8),
    Stage(64, False, 20, 3, "z", 0.06, 0.01, 0.06),
    Stage(128, True, 25, 1, "w+", 0.03, 0.002, 0.02),
)
"""The same of subjects whose pose is not known."""


def stages(usual: tuple[Stage, ...], settings: InversionSettings, config: BackboneConfig, *, kept: int = 1) -> tuple[Stage, ...]:
    """The stages of an inversion.

    Args:
        usual: those that the settings change.
        kept: how many guesses reach the end.
    """
    total = sum(stage.steps for stage in usual)
    wanted = settings.steps or total
    neural_px = config.rays.neural_resolution
    found = []
    for index, stage in enumerate(usual):
        done = sum(one.steps for one in usual[:index])
        steps = (wanted * (done + stage.steps)) // total - (wanted * done) // total
        guesses = settings.starts if index == 0 else min(stage.guesses, settings.starts)
        if stage.blur_px:
            guesses = min(stage.guesses, GUESSES_A_START * settings.starts)
        found.append(
            dataclasses.replace(
                stage,
                side_px=neural_px if stage.full else min(stage.side_px, neural_px),
                steps=max(1, steps),
                guesses=max(kept, guesses),
                space=stage.space if settings.space == "w+" else settings.space,
            )
        )
    return tuple(found)


def usual_stages(*, mask: bool, posed: bool) -> tuple[Stage, ...]:
    """The usual stages for a mask or a picture, of subjects whose pose is to be found, or is known or has none."""
    if posed:
        return POSED_MASK_STAGES if mask else POSED_PICTURE_STAGES
    return MASK_STAGES if mask else PICTURE_STAGES


def inversion_steps(
    settings: InversionSettings, config: BackboneConfig, *, mask: bool, variants: int = 1, posed: bool = False
) -> int:
    """Steps that an inversion reports, pivotal tuning included; `posed`: the pose is to be found, too."""
    usual = usual_stages(mask=mask, posed=posed)
    return sum(stage.steps for stage in stages(usual, settings, config, kept=variants)) + settings.tuning_steps
