"""What the searches for a subject are asked for: the calls of invert and edit, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnerf_core.errors import UsageError
from dnerf_core.inversion.settings import InversionSettings, Space
from headless.runs.choices import check_perceptual

if TYPE_CHECKING:
    from dnerf_core.files.squares import Fit


USUAL = InversionSettings()


@dataclass(frozen=True)
class InvertCall:
    """The options of one call, as click gives them."""

    pictures: tuple[Path, ...]
    model_name: str
    kind: Literal["image", "mask"]
    variants: int
    fit: Literal["pad", "crop"]
    crop: str | None
    yaw: tuple[float, float] | None
    pitch: tuple[float, float] | None
    camera: Path | None
    space: Space
    starts: int
    candidates: int
    steps: int | None
    prior: float
    perceptual: float
    vgg: Path | None
    tuning: int
    seed: int
    device: str
    output: Path


def settings_of(call: InvertCall) -> InversionSettings:
    """The engine's settings of a call, with None for directions that are not given; see `InversionSettings.within`.

    Raises:
        UsageError: options that do not go together.
    """
    check_perceptual(call.perceptual, call.vgg)
    if call.kind == "mask" and (call.perceptual > 0 or call.tuning):
        option = "--tuning" if call.tuning else "--perceptual"
        raise UsageError(f"{option}: expected photos, found --from mask, which says nothing of colours; leave it out")
    if call.kind == "image" and call.variants > 1:
        raise UsageError("--variants: expected --from mask, found photos, which have one subject each; leave it out")
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
        perceptual=call.perceptual,
        tuning_steps=call.tuning,
        seed=call.seed,
    )
    settings.check()
    return settings


def fit_of(call: InvertCall) -> Fit:
    """How the call's pictures become square.

    Raises:
        UsageError: `--crop` is no square.
    """
    from dnerf_core.files.squares import parse_square

    if call.crop is None:
        return call.fit
    try:
        return parse_square(call.crop)
    except ValueError as error:
        raise UsageError(f"--crop: {error}") from error


@dataclass(frozen=True)
class EditCall:
    """The options of one call, as click gives them."""

    subject: str
    mask: Path
    model_name: str
    truncation: float
    yaw: tuple[float, float] | None
    pitch: tuple[float, float] | None
    camera: Path | None
    label_weight: float
    rgb_weight: float
    perceptual: float
    vgg: Path | None
    keep_inside: float
    edited_weight: float
    prior: float
    margin: int
    steps: int
    device: str
    output: Path
