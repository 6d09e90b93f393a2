"""What numbers of a configuration may be in any family: the parts that a family's own check is put together of. No torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.errors import CheckpointError

MAX_IMAGE_SIZE = 4096
MAX_NEURAL_RESOLUTION = 2048
MAX_SAMPLES = 4096
MAX_SIZE = 1e6
"""Of any number with a fraction: far above what a generator holds, far below where float32 overflows when two are multiplied."""

WholeNumber = tuple[str, int, int, int]
"""(dotted name, value, lowest, highest)."""

Refusal = Callable[[str, str, object], CheckpointError]
"""(dotted name, what was expected, what was found) -> the error."""


def refusal(where: str, remedy: str) -> Refusal:
    """How a check of one configuration refuses; the field's dotted name follows `where`, and the message ends with `remedy`."""
    return lambda name, expected, found: CheckpointError(f"{where}.{name}: expected {expected}, found {found}; {remedy}")


def min_coarse_samples(samples_fine: int) -> int:
    """The fewest coarse samples: two span one interval; fine ones are drawn from the weights of all but three, so they need four."""
    return 4 if samples_fine else 2


def check_numbers(config: BackboneConfig, whole: Iterable[WholeNumber], refuse: Refusal) -> None:
    """Refuses a configuration with a fraction that is not finite or far off, or a whole number out of its range.

    Args:
        whole: a bound that rests on another field comes after that field's own.
    """
    _check_floats("", config, refuse)
    for name, value, low, high in whole:
        if not low <= value <= high:
            raise refuse(name, f"{low} to {high}", value)


def image_size_range(config: BackboneConfig) -> WholeNumber:
    """Of the image's side."""
    return "image_size", config.image_size, 16, MAX_IMAGE_SIZE


def ray_ranges(rays: RayConfig) -> Iterator[WholeNumber]:
    """Of rays and samples."""
    yield "rays.neural_resolution", rays.neural_resolution, 1, MAX_NEURAL_RESOLUTION
    yield "rays.samples_fine", rays.samples_fine, 0, MAX_SAMPLES
    yield "rays.samples_coarse", rays.samples_coarse, min_coarse_samples(rays.samples_fine), MAX_SAMPLES


def check_view(config: BackboneConfig, box_field: str, refuse: Refusal) -> None:
    """Refuses a box, cameras or limits of rays that could not be rendered.

    Args:
        box_field: dotted name of the field that says the box's side.
    """
    if config.box_side <= 0:
        raise refuse(box_field, "a number above 0", config.box_side)
    check_cameras(config.cameras, refuse)
    if not 0 <= 2 * config.rays.auto_inset < config.box_side:
        short = box_field.rpartition(".")[2]
        raise refuse("rays.auto_inset", f"0 to less than half of {short} {config.box_side}", config.rays.auto_inset)
    if not _are_limits(config.rays):
        raise refuse("rays.ray_start", f"less than ray_end {config.rays.ray_end!r}, or both 'auto'", repr(config.rays.ray_start))


def check_cameras(cameras: CameraConfig, refuse: Refusal) -> None:
    """Refuses cameras that could not be looked through; their fields are named as those of a configuration's `cameras`."""
    _check_floats("cameras", cameras, refuse)
    for name, size in (("radius", cameras.radius), ("focal", cameras.focal)):
        if size <= 0:
            raise refuse(f"cameras.{name}", "a number above 0", size)
    for name, expected, found in _camera_faults(cameras):
        raise refuse(f"cameras.{name}", expected, found)


def _check_floats(name: str, value: Any, refuse: Refusal) -> None:
    """Refuses a number with a fraction, anywhere in a part of a configuration of that dotted name, that is not finite or far off."""
    for place, number in _floats(name, value):
        if not abs(number) <= MAX_SIZE:
            expected = f"a number within {MAX_SIZE:g} of 0" if math.isfinite(number) else "a finite number"
            raise refuse(place, expected, number)


def _floats(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Every float of a config with its dotted name."""
    if isinstance(value, float):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _floats(f"{name}.{field.name}" if name else field.name, getattr(value, field.name))
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _floats(f"{name}[{index}]", part)


def _camera_faults(cameras: CameraConfig) -> Iterator[tuple[str, str, object]]:
    """(name, what was expected, what was found) of directions and places out of range."""
    if abs(cameras.pitch_deg) > 90:
        yield "pitch_deg", "-90 to 90", cameras.pitch_deg
    if math.hypot(*cameras.pivot) >= cameras.radius:
        yield "pivot", f"a point nearer to the origin than radius {cameras.radius:g}", list(cameras.pivot)
    if (yaws := cameras.yaw_range_deg) is not None and not (-360 <= yaws[0] <= yaws[1] <= min(360, yaws[0] + 360)):
        yield "yaw_range_deg", "two rising angles from -360 to 360, up to 360 apart", list(yaws)
    if (pitches := cameras.pitch_range_deg) is not None and not -90 <= pitches[0] <= pitches[1] <= 90:
        yield "pitch_range_deg", "two rising angles from -90 to 90", list(pitches)


def _are_limits(rays: RayConfig) -> bool:
    if isinstance(rays.ray_start, str) or isinstance(rays.ray_end, str):
        return rays.ray_start == rays.ray_end
    return rays.ray_start < rays.ray_end
