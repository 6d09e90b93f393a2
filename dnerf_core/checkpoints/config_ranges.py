"""What the configs of a generator and a branch may claim, field by field: numbers that no tensor's shape backs, or shapes count with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from dnerf_core.errors import CheckpointError, brief
from dnerf_core.generator.config import CameraConfig, GeneratorConfig, RayConfig
from dnerf_core.labels import MAX_PART_ID
from dnerf_core.semantic.config import SemanticConfig

MAX_IMAGE_SIZE = 4096
MAX_NEURAL_RESOLUTION = 2048
MAX_SAMPLES = 4096
MAX_SIZE = 1e6
"""Of any number with a fraction: far above what a generator holds, far below where float32 overflows when two are multiplied."""
MAX_BRANCH_WIDTH = 1024


def min_coarse_samples(samples_fine: int) -> int:
    """The fewest coarse samples: two span one interval; fine ones are drawn from the weights of all but three, so they need four."""
    return 4 if samples_fine else 2


def check_ranges(config: GeneratorConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered, before anything is counted or allocated by it.

    Args:
        where, remedy: how the message begins and ends; the field's dotted name follows `where`.

    Raises:
        CheckpointError: a number that is not finite or out of its range; the first one is named.
    """

    def refuse(name: str, expected: str, found: object) -> CheckpointError:
        return CheckpointError(f"{where}.{name}: expected {expected}, found {found}; {remedy}")

    for name, number in _floats("", config):
        if not abs(number) <= MAX_SIZE:
            expected = f"a number within {MAX_SIZE:g} of 0" if math.isfinite(number) else "a finite number"
            raise refuse(name, expected, number)
    for name, value, low, high in _whole_numbers(config):
        if not low <= value <= high:
            raise refuse(name, f"{low} to {high}", value)
    if config.backbone.resolution.bit_count() != 1:
        raise refuse("backbone.resolution", "a power of two", config.backbone.resolution)
    if len(config.triplane.plane_axes) != 3:
        raise refuse("triplane.plane_axes", "3 planes", len(config.triplane.plane_axes))
    for name, size in (
        ("triplane.box_warp", config.triplane.box_warp),
        ("cameras.radius", config.cameras.radius),
        ("cameras.focal", config.cameras.focal),
    ):
        if size <= 0:
            raise refuse(name, "a number above 0", size)
    for name, expected, found in _camera_faults(config.cameras):
        raise refuse(f"cameras.{name}", expected, found)
    if not 0 <= 2 * config.rays.auto_inset < config.triplane.box_warp:
        raise refuse("rays.auto_inset", f"0 to less than half of box_warp {config.triplane.box_warp}", config.rays.auto_inset)
    if not _are_limits(config.rays):
        raise refuse("rays.ray_start", f"less than ray_end {config.rays.ray_end!r}, or both 'auto'", repr(config.rays.ray_start))


def check_branch_ranges(config: SemanticConfig, generator: GeneratorConfig, where: str, remedy: str) -> None:
    """Refuses a semantic branch that could not be built for that generator, before anything is allocated by it.

    Args:
        where, remedy: how the message begins and ends; the field's dotted name follows `where`.

    Raises:
        CheckpointError: a number out of its range, or scales of which the generator has no blocks; the first one is named.
    """

    def refuse(name: str, expected: str, found: object) -> CheckpointError:
        return CheckpointError(f"{where}.{name}: expected {expected}, found {brief(found)}; {remedy}")

    for name, value, low, high in (
        ("num_classes", config.num_classes, 1, MAX_PART_ID + 1),
        ("hidden_dim", config.hidden_dim, 1, MAX_BRANCH_WIDTH),
        ("feature_dim", config.feature_dim, 1, MAX_BRANCH_WIDTH),
        ("density_samples", config.density_samples, 2, MAX_SAMPLES),
        ("refiner.widths[0]", config.refiner.widths[0], 1, MAX_BRANCH_WIDTH),
        ("refiner.widths[1]", config.refiner.widths[1], 1, MAX_BRANCH_WIDTH),
    ):
        if not low <= value <= high:
            raise refuse(name, f"{low} to {high}", value)
    if not 0 <= config.weight_epsilon < 1:
        raise refuse("weight_epsilon", "0 to less than 1", config.weight_epsilon)
    blocks = generator.backbone.block_resolutions
    if config.scales is not None and (not config.scales or not set(config.scales) <= set(blocks)):
        raise refuse("scales", f"some of {list(blocks)} or null", list(config.scales))


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


def _whole_numbers(config: GeneratorConfig) -> Iterator[tuple[str, int, int, int]]:
    """(dotted name, value, lowest, highest); a bound that rests on another field comes after that field's own."""
    backbone, mapping, rays = config.backbone, config.mapping, config.rays
    yield "image_size", config.image_size, 16, MAX_IMAGE_SIZE
    yield "backbone.resolution", backbone.resolution, 4, 4096
    yield "backbone.channel_base", backbone.channel_base, backbone.resolution, 2**24
    yield "backbone.channel_max", backbone.channel_max, 1, 2**16
    yield "backbone.plane_channels", backbone.plane_channels, 1, 2**12
    yield "mapping.z_dim", mapping.z_dim, 1, 2**16
    yield "mapping.w_dim", mapping.w_dim, 1, 2**16
    yield "mapping.layers", mapping.layers, 1, 64
    yield "rays.neural_resolution", rays.neural_resolution, 1, MAX_NEURAL_RESOLUTION
    yield "rays.samples_fine", rays.samples_fine, 0, MAX_SAMPLES
    yield "rays.samples_coarse", rays.samples_coarse, min_coarse_samples(rays.samples_fine), MAX_SAMPLES


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
